//! A network that loses things: it stands between a journal and its PostgreSQL and follows a plan
//! for the inserts.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What happens to one insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// The connection breaks before the server has heard of it.
    LoseRequest,
    /// The connection breaks when the server has answered, which is after it committed.
    LoseAnswer,
}

/// A proxy on the loopback address, for as long as the process lives.
pub(crate) struct Proxy {
    port: u16,
    plan: Arc<Mutex<VecDeque<Fate>>>,
}

impl Proxy {
    /// In front of the server whose socket lies in `directory`, as in `host=DIRECTORY …`.
    pub(crate) fn before(url: &str) -> Self {
        let directory = url.strip_prefix("host=").and_then(|rest| rest.split(' ').next()).unwrap();
        let socket = format!("{directory}/.s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming() {
                let server = UnixStream::connect(&socket).unwrap();
                join(client.unwrap(), server, &shared);
            }
        });
        Self { port, plan }
    }

    pub(crate) fn url(&self) -> String {
        format!("host=127.0.0.1 port={} user=lintel dbname=postgres", self.port)
    }

    /// The fates of the next inserts, in order; those after them pass.
    pub(crate) fn plan(&self, fates: &[Fate]) {
        self.plan.lock().unwrap().extend(fates);
    }

    /// Whether everything planned has happened.
    pub(crate) fn is_done(&self) -> bool {
        self.plan.lock().unwrap().is_empty()
    }
}

fn join(client: TcpStream, server: UnixStream, plan: &Arc<Mutex<VecDeque<Fate>>>) {
    let lose_next_answer = Arc::new(AtomicBool::new(false));
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let lose = Arc::clone(&lose_next_answer);
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_server.read(&mut buffer) {
            if lose.load(Ordering::SeqCst) || to_client.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = (from_server.shutdown(Shutdown::Both), to_client.shutdown(Shutdown::Both));
    });
    let (mut from_client, mut to_server) = (client, server);
    let plan = Arc::clone(plan);
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_client.read(&mut buffer) {
            let chunk = &buffer[..length];
            let fate = if is_insert(chunk) { plan.lock().unwrap().pop_front() } else { None };
            match fate.unwrap_or(Fate::Pass) {
                Fate::Pass => {}
                Fate::LoseRequest => break,
                Fate::LoseAnswer => lose_next_answer.store(true, Ordering::SeqCst),
            }
            if to_server.write_all(chunk).is_err() {
                break;
            }
        }
        let _ = (from_client.shutdown(Shutdown::Both), to_server.shutdown(Shutdown::Both));
    });
}

/// Whether a whole Bind message of ten parameters, which only a journal row has, lies in `chunk`,
/// which begins with a message: type (1), length (4), then for Bind: portal, 0, statement, 0,
/// number of parameter formats (2).
fn is_insert(mut chunk: &[u8]) -> bool {
    while let [kind, a, b, c, d, rest @ ..] = chunk {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some(body) = rest.get(..length.saturating_sub(4)) else { return false };
        let formats = body.splitn(3, |byte| *byte == 0).nth(2);
        if *kind == b'B' && formats.is_some_and(|formats| formats.starts_with(&[0, 10])) {
            return true;
        }
        chunk = &rest[body.len()..];
    }
    false
}
