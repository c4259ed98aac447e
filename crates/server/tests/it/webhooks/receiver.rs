//! A merchant's receiver: a real HTTP server on loopback that takes, refuses, redirects or keeps silent, and remembers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What it does with what it gets.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    Take,
    Refuse(u16, &'static str),
    RedirectTo(String),
    /// It keeps the connection and says nothing.
    Silent,
}

/// Something that it got.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether it was taken.
    pub(crate) taken: bool,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["kind"].as_str().unwrap().to_owned()
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

#[derive(Default)]
struct Shared {
    got: Vec<Got>,
    /// Silent connections, open as long as it is silent.
    held: Vec<TcpStream>,
    at_once: usize,
    most_at_once: usize,
}

/// A receiver; its threads end with the test.
pub(crate) struct Receiver {
    pub(crate) url: String,
    manner: Arc<Mutex<Manner>>,
    shared: Arc<Mutex<Shared>>,
}

impl Receiver {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks?shop=1", listener.local_addr().unwrap());
        let (manner, shared) = (Arc::new(Mutex::new(manner)), Arc::<Mutex<Shared>>::default());
        let (its_manner, its_shared) = (manner.clone(), shared.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (manner, shared) = (its_manner.clone(), its_shared.clone());
                thread::spawn(move || serve(stream, &manner, &shared));
            }
        });
        Self { url, manner, shared }
    }

    pub(crate) fn becomes(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
        self.shared.lock().unwrap().held.clear();
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.lock().unwrap().got.clone()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.lock().unwrap().most_at_once
    }

    /// How many connections it holds open, having said nothing on them.
    pub(crate) fn held(&self) -> usize {
        self.shared.lock().unwrap().held.len()
    }

    /// Waits until it took so many, and gives those back in their order.
    #[track_caller]
    pub(crate) fn until_taken(&self, count: usize) -> Vec<Got> {
        let taken = || self.got().into_iter().filter(|got| got.taken).collect::<Vec<_>>();
        until(|| taken().len() >= count, || format!("{count} taken, not {:?}", self.got()));
        taken()
    }

    /// Waits until so many came, taken or not.
    #[track_caller]
    pub(crate) fn until_got(&self, count: usize) -> Vec<Got> {
        until(|| self.got().len() >= count, || format!("{count} came, not {:?}", self.got()));
        self.got()
    }
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn until(mut done: impl FnMut() -> bool, what: impl Fn() -> String) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{}", what());
        thread::sleep(Duration::from_millis(2));
    }
}

fn serve(stream: TcpStream, manner: &Mutex<Manner>, shared: &Mutex<Shared>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(mut got) = read(&mut reader) {
        let manner = manner.lock().unwrap().clone();
        got.taken = matches!(manner, Manner::Take);
        {
            let mut shared = shared.lock().unwrap();
            shared.got.push(got);
            shared.at_once += 1;
            shared.most_at_once = shared.most_at_once.max(shared.at_once);
        }
        // So that those who come at once are seen at once.
        thread::sleep(Duration::from_millis(3));
        shared.lock().unwrap().at_once -= 1;
        let (status, header, body) = match manner {
            Manner::Take => (200, String::new(), "ok"),
            Manner::Refuse(status, body) => (status, String::new(), body),
            Manner::RedirectTo(url) => (307, format!("location: {url}\r\n"), ""),
            Manner::Silent => {
                shared.lock().unwrap().held.push(stream);
                return;
            }
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: {length}\r\n{header}\r\n{body}");
        if (&stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST /hooks?shop=1 HTTP/1.1"), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Got { headers, body, taken: false })
}
