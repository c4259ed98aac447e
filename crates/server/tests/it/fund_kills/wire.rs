//! A wire of HTTP/1.1 between the server and its centre and bank, looked at message by message, with a trap that one message springs.
//!
//! ```text
//!  server ─► wire ─ message ─► the trap's? ─ no ─► other side
//!                                └ yes ─► withheld │ act, then on │ on, then act
//! ```

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a trap may wait for its message.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// A batch's instruction.
    HandIn,
    /// The result of a batch.
    Result,
    /// A debit of the card.
    Debit,
    Other,
}

impl Call {
    fn of(head: &str) -> Self {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.split('?').next() {
            Some("/fund/v1/batch") => Self::HandIn,
            Some("/fund/v1/batch-result") => Self::Result,
            Some("/bank/v1/debit") => Self::Debit,
            Some(_) | None => Self::Other,
        }
    }
}

/// What springs a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Question(Call),
    /// With this HTTP status.
    Answer(Call, u16),
}

/// What becomes of the message that springs the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passes {
    Never,
    Before,
    After,
}

/// Waits for one message.
pub(super) struct Trap {
    pub(super) message: Message,
    /// Which of its kind, from 1.
    pub(super) nth: u32,
    pub(super) passes: Passes,
    pub(super) act: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Inner {
    armed: Option<Trap>,
    sprung: bool,
    /// Everything that was asked, also what was withheld.
    asked: Vec<(Call, Vec<u8>)>,
}

/// A wire between whoever connects and an address.
pub(super) struct Wire {
    /// Where to connect.
    pub(super) address: String,
    to: String,
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Wire {
    pub(super) fn to(address: &str) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let (inner, changed) = (Mutex::default(), Condvar::new());
        let wire = Arc::new(Self { address: own, to: address.to_owned(), inner, changed });
        let accepting = Arc::clone(&wire);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let wire = Arc::clone(&accepting);
                std::thread::spawn(move || wire.carry(&near));
            }
        });
        wire
    }

    pub(super) fn arm(&self, trap: Trap) {
        let mut inner = self.inner.lock().unwrap();
        (inner.armed, inner.sprung) = (Some(trap), false);
    }

    /// Waits until the trap was sprung and has acted.
    pub(super) fn wait(&self) {
        let inner = self.inner.lock().unwrap();
        let (inner, waited) = self.changed.wait_timeout_while(inner, PATIENCE, |inner| !inner.sprung).unwrap();
        assert!(inner.sprung && !waited.timed_out(), "no message sprang the trap");
    }

    /// The bodies of everything of a kind that was asked.
    pub(super) fn asked(&self, call: Call) -> Vec<Vec<u8>> {
        let inner = self.inner.lock().unwrap();
        inner.asked.iter().filter(|(asked, _)| *asked == call).map(|(_, body)| body.clone()).collect()
    }

    /// Carries one connection: a question, its answer, and so on until an end is gone.
    fn carry(&self, near: &TcpStream) {
        let Ok(far) = TcpStream::connect(&self.to) else { return };
        for stream in [near, &far] {
            stream.set_nodelay(true).unwrap();
        }
        let (mut from_near, mut from_far) = (BufReader::new(near), BufReader::new(&far));
        while let Some((head, body)) = read(&mut from_near) {
            let call = Call::of(&head);
            self.inner.lock().unwrap().asked.push((call, body.clone()));
            if !self.pass(Message::Question(call), &far, &head, &body) {
                break;
            }
            let Some((head, body)) = read(&mut from_far) else { break };
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
            if !self.pass(Message::Answer(call, status), near, &head, &body) {
                break;
            }
        }
        for end in [near, &far] {
            drop(end.shutdown(Shutdown::Both));
        }
    }

    /// Passes a message on unless a trap withholds it; whether it went.
    fn pass(&self, message: Message, mut to: &TcpStream, head: &str, body: &[u8]) -> bool {
        let mut pass = || to.write_all(&[head.as_bytes(), body].concat()).is_ok();
        let Some(trap) = self.take(message) else { return pass() };
        let before = trap.passes != Passes::Before || pass();
        (trap.act)();
        let after = trap.passes != Passes::After || pass();
        self.inner.lock().unwrap().sprung = true;
        self.changed.notify_all();
        trap.passes != Passes::Never && before && after
    }

    fn take(&self, message: Message) -> Option<Trap> {
        let mut inner = self.inner.lock().unwrap();
        let armed = inner.armed.as_mut().filter(|trap| trap.message == message)?;
        armed.nth -= 1;
        if armed.nth == 0 { inner.armed.take() } else { None }
    }
}

/// The next message: its head with the empty line, and its body.
fn read(from: &mut BufReader<&TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    from.read_exact(&mut body).ok()?;
    Some((head, body))
}
