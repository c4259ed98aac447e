//! Frames on a terminal's side: two bytes of length, TPDU, header, message; and the connection they go over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use iso8583::Profile;
use iso8583::profile::POS_TERMINAL;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::cipher::{CardCipher, NoKey};

/// TPDU and header that a terminal sends: application class 60, version 31, no processing request.
const ENVELOPE: [u8; 11] = [0x60, 0x00, 0x03, 0x00, 0x00, 0x60, 0x31, 0x00, 0x31, 0x12, 0x34];
/// The TPDU of an answer: addresses swapped.
const ANSWERED: [u8; 5] = [0x60, 0x00, 0x00, 0x00, 0x03];
/// The byte of the header whose low half is the processing request.
const REQUEST_AT: usize = 7;
/// Bytes of a PIN block of SM4.
const LONG_PIN_BLOCK: u16 = 16;
/// How much is read at once.
const READ: usize = 1_024;

/// Why a terminal did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody listens, or nobody lets it in: nothing was sent.
    #[error("{address} is not reached: {source}")]
    Unreachable {
        /// Where it was to connect.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The connection ended before an answer came.
    #[error("the connection ended before an answer came")]
    Closed,
    /// What came is no answer of this dialect.
    #[error("an answer that does not read: {0}")]
    Unreadable(String),
    /// An answer whose MAC is wrong, or that says yes without one.
    #[error("an answer that is not proved by a MAC")]
    Unproved,
    /// The platform says no to what is about the terminal itself.
    #[error("the platform refuses {what} with {code}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Field 39.
        code: String,
    },
    /// Work keys that do not open under the master key.
    #[error("work keys that are none: {0}")]
    WorkKeys(String),
    /// A message that the layout does not hold.
    #[error("a message that cannot be made: {0}")]
    Unmakeable(String),
    /// A key of the wrong length.
    #[error(transparent)]
    NoKey(#[from] NoKey),
}

/// Where the platform lets terminals in, and how long one waits.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// `pos.listen` of the platform.
    pub address: SocketAddr,
    /// For an answer, and for a connection. Longer than the platform waits for the card network, or both take back.
    pub patience: Duration,
}

/// How messages are laid out. Cheap to share.
#[derive(Debug, Clone)]
pub struct Dialect {
    short: Arc<Profile>,
    long: Arc<Profile>,
}

impl Dialect {
    /// The dialect of the codec's published profile.
    ///
    /// # Errors
    /// None, as long as that profile is one.
    pub fn new() -> Result<Self> {
        let short = Profile::parse(POS_TERMINAL).context("the profile of terminals")?;
        let long = short.resized(52, LONG_PIN_BLOCK).context("the profile with a PIN block of SM4")?;
        Ok(Self { short: Arc::new(short), long: Arc::new(long) })
    }

    /// The layout of a terminal whose keys are of this cipher.
    pub(super) fn layout(&self, cipher: CardCipher) -> Arc<Profile> {
        match cipher {
            CardCipher::Des | CardCipher::TripleDes => Arc::clone(&self.short),
            CardCipher::Sm4 => Arc::clone(&self.long),
        }
    }
}

/// A connection. Between frames it holds no bytes.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    came: Vec<u8>,
    /// Something was sent whose answer was not heard yet.
    pub(super) busy: bool,
}

impl Line {
    pub(super) async fn connect(way: Way) -> Result<Self, Fault> {
        let unreachable = |source| Fault::Unreachable { address: way.address, source };
        let connecting = timeout_at(Instant::now() + way.patience, TcpStream::connect(way.address));
        let stream = connecting.await.map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        Ok(Self { stream, came: Vec::new(), busy: false })
    }

    /// Sends a message in its frame.
    pub(super) async fn send(&mut self, message: &[u8], patience: Duration) -> Result<(), Fault> {
        let length = ENVELOPE.len() + message.len();
        let prefix = u16::try_from(length).map_err(|_| Fault::Unmakeable(format!("a frame of {length} bytes")))?;
        let frame = [&prefix.to_be_bytes()[..], &ENVELOPE, message].concat();
        self.busy = true;
        match timeout_at(Instant::now() + patience, self.stream.write_all(&frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Fault::Closed),
            Err(_) => Err(Fault::Silent(patience)),
        }
    }

    /// The next message that came, and the processing request of its header.
    pub(super) async fn hear(&mut self, until: Instant, patience: Duration) -> Result<(u8, Vec<u8>), Fault> {
        loop {
            if let Some(frame) = self.frame() {
                let (envelope, message) = frame
                    .split_at_checked(ENVELOPE.len())
                    .ok_or_else(|| Fault::Unreadable(format!("a frame of {} bytes", frame.len())))?;
                if !envelope.starts_with(&ANSWERED) {
                    return Err(Fault::Unreadable(format!("it went back as {}", hex::encode(envelope))));
                }
                return Ok((envelope[REQUEST_AT] & 0x0F, message.to_vec()));
            }
            self.came.reserve(READ);
            match timeout_at(until, self.stream.read_buf(&mut self.came)).await {
                Ok(Ok(0) | Err(_)) => return Err(Fault::Closed),
                Ok(Ok(_)) => {}
                Err(_) => return Err(Fault::Silent(patience)),
            }
        }
    }

    /// A whole frame without its length.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.came.split_first_chunk::<2>()?;
        let frame = rest.get(..usize::from(u16::from_be_bytes(*length)))?.to_vec();
        self.came.drain(..2 + frame.len());
        if self.came.is_empty() {
            self.came = Vec::new();
        }
        Some(frame)
    }
}
