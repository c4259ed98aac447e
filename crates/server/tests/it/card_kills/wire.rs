//! Wires of TCP that a test looks at frame by frame, with a trap that one frame springs.
//!
//! ```text
//!  a side ─► wire ─ frame ─► the trap's? ─ no ─► other side
//!                              └ yes ─► withheld │ act, then on │ on, then act
//! ```

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a trap may wait for its frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which wire it is, and so how its frames lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Two bytes of length; TPDU, header, then the message type in two bytes.
    TerminalAndServer,
    /// Four digits of length, 46 bytes of header, then the message type in four digits.
    ServerAndNetwork,
}

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A question: from the terminal, to the network.
    There,
    /// An answer.
    Back,
}

/// What becomes of the frame that springs the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    Withheld,
    PassesBefore,
    PassesAfter,
}

/// Waits for one frame.
pub(super) struct Trap {
    pub(super) between: Between,
    pub(super) way: Way,
    /// The second digit of the message type.
    pub(super) class: u8,
    pub(super) frame: Frame,
    pub(super) act: Box<dyn FnOnce() + Send>,
}

/// The one trap of all wires of a test.
#[derive(Default)]
pub(super) struct Traps {
    armed: Mutex<Option<Trap>>,
    sprung: Mutex<bool>,
    changed: Condvar,
}

impl Traps {
    pub(super) fn arm(&self, trap: Trap) {
        *self.sprung.lock().unwrap() = false;
        *self.armed.lock().unwrap() = Some(trap);
    }

    /// Waits until the trap was sprung and has acted.
    pub(super) fn wait(&self) {
        let sprung = self.sprung.lock().unwrap();
        let (sprung, waited) = self.changed.wait_timeout_while(sprung, PATIENCE, |sprung| !*sprung).unwrap();
        assert!(*sprung && !waited.timed_out(), "no frame sprang the trap");
    }

    fn take(&self, between: Between, way: Way, frame: &[u8]) -> Option<Trap> {
        let class = match between {
            Between::TerminalAndServer => frame.get(11).map(|byte| b'0' + (byte & 0x0F)),
            Between::ServerAndNetwork => frame.get(47).copied(),
        };
        let mut armed = self.armed.lock().unwrap();
        let is_it = |trap: &&Trap| trap.between == between && trap.way == way && Some(trap.class) == class;
        if armed.as_ref().filter(is_it).is_some() { armed.take() } else { None }
    }
}

/// A wire between whoever connects and an address.
pub(super) struct Wire {
    /// Where to connect.
    pub(super) address: String,
    to: Mutex<String>,
    between: Between,
    traps: Arc<Traps>,
    /// Both ends of each connection.
    open: Mutex<Vec<[TcpStream; 2]>>,
}

impl Wire {
    pub(super) fn to(address: &str, between: Between, traps: &Arc<Traps>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let (to, traps) = (Mutex::new(address.to_owned()), Arc::clone(traps));
        let wire = Arc::new(Self { address: own, to, between, traps, open: Mutex::default() });
        let accepting = Arc::clone(&wire);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                accepting.connect(near);
            }
        });
        wire
    }

    /// Where connections go from now on.
    pub(super) fn lead_to(&self, address: &str) {
        address.clone_into(&mut self.to.lock().unwrap());
    }

    /// Ends every connection, at both ends.
    pub(super) fn cut(&self) {
        for end in self.open.lock().unwrap().drain(..).flatten() {
            drop(end.shutdown(Shutdown::Both));
        }
    }

    fn connect(self: &Arc<Self>, near: TcpStream) {
        let to = self.to.lock().unwrap().clone();
        // Nobody is there: whoever came is sent away.
        let Ok(far) = TcpStream::connect(to) else { return };
        for stream in [&near, &far] {
            stream.set_nodelay(true).unwrap();
        }
        let ends = [near, far];
        let copy = || ends.each_ref().map(|end| end.try_clone().unwrap());
        self.open.lock().unwrap().push(copy());
        for way in [Way::There, Way::Back] {
            let (wire, [near, far]) = (Arc::clone(self), copy());
            let (from, to) = if way == Way::There { (near, far) } else { (far, near) };
            std::thread::spawn(move || wire.pump(way, from, to));
        }
    }

    /// Passes frames on until an end is gone.
    fn pump(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        while let Some((length, frame)) = self.next(&mut from) {
            let mut pass = || to.write_all(&[&length[..], &frame].concat()).is_ok();
            let passed = match self.traps.take(self.between, way, &frame) {
                None => pass(),
                Some(trap) => {
                    let before = trap.frame != Frame::PassesBefore || pass();
                    (trap.act)();
                    let after = trap.frame != Frame::PassesAfter || pass();
                    *self.traps.sprung.lock().unwrap() = true;
                    self.traps.changed.notify_all();
                    before && after
                }
            };
            if !passed {
                break;
            }
        }
        for end in [from, to] {
            drop(end.shutdown(Shutdown::Both));
        }
    }

    /// The next frame, and its length as it lay there.
    fn next(&self, from: &mut TcpStream) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut length = vec![0; if self.between == Between::TerminalAndServer { 2 } else { 4 }];
        from.read_exact(&mut length).ok()?;
        let bytes = match self.between {
            Between::TerminalAndServer => usize::from(u16::from_be_bytes(length[..].try_into().ok()?)),
            Between::ServerAndNetwork => std::str::from_utf8(&length).ok()?.parse().ok()?,
        };
        let mut frame = vec![0; bytes];
        from.read_exact(&mut frame).ok()?;
        Some((length, frame))
    }
}
