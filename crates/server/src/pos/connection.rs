//! One connection, from its first byte to its end.
//!
//! ```text
//!  idle ─ first byte ─► reading ─ whole frame ─► deciding ─► writing ─► idle
//!   │ idle time-out       │ read time-out                      │ write time-out
//!   │ asked to stop       │ framing lost · peer gone            │ peer gone: the switch is told
//!   │ its terminal came by another connection
//!   └──────────┬──────────┴───────────────────┬────────────────┘
//!            closed                    asked to stop: after the answer
//! ```
//!
//! Messages of a connection are answered one after another: a peer that sends faster waits in its own socket. Between frames
//! it holds no buffer, since terminals are silent most of the time and there are thousands.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::frame::{FrameError, Frames};
use super::gateway::{Gateway, Reply};
use super::session::Connected;
use super::switch::Switch;

/// How much is read at once; a full sale takes about 300 bytes.
const READ: usize = 2_048;

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From a frame's first byte to its last, and for a TLS handshake.
    pub(crate) read: Duration,
    /// To take an answer.
    pub(crate) write: Duration,
    /// Between two frames: who is gone without a word has ended after this.
    pub(crate) idle: Duration,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// By the peer, between frames.
    ByPeer,
    /// By the peer, or the network, within a frame or an answer.
    CutOff,
    /// Silent for too long.
    Idle,
    /// A frame took too long to come.
    SlowRead,
    /// An answer took too long to be taken.
    SlowWrite,
    /// A length that no frame has.
    Length,
    /// What the gateway says.
    Refused(&'static str),
    /// Its terminal proved itself on another connection.
    Superseded,
    /// The platform stops.
    Stopping,
}

impl Closed {
    /// The label of the metric.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::ByPeer => "peer",
            Self::CutOff => "cut_off",
            Self::Idle => "idle",
            Self::SlowRead => "slow_read",
            Self::SlowWrite => "slow_write",
            Self::Length => "length",
            Self::Refused(why) => why,
            Self::Superseded => "superseded",
            Self::Stopping => "stopping",
        }
    }
}

/// Serves a connection until it ends. Nobody else writes to it.
pub(crate) async fn serve<T: AsyncRead + AsyncWrite + Unpin, S: Switch>(
    mut stream: T,
    gateway: &Gateway<S>,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
) -> Closed {
    let mut frames = Frames::new(gateway.acquirer.largest_frame);
    let connected = Arc::new(Connected::default());
    loop {
        let frame = next(&mut stream, &mut frames, patience, (&mut stop, &connected)).await;
        let frame = match frame {
            Ok(frame) => frame,
            Err(closed) => return closed,
        };
        metrics::counter!("lintel_pos_frames_total").increment(1);
        let began = std::time::Instant::now();
        // In a box of its own, which goes with the answer: what a message takes while it is decided no silent connection holds.
        let reply = Box::pin(gateway.reply(&frame, &connected)).await;
        metrics::histogram!("lintel_pos_answer_seconds").record(began.elapsed().as_secs_f64());
        let (bytes, card) = match reply {
            Reply::Send(bytes, card) => (bytes, card),
            Reply::Nothing => continue,
            Reply::Close(why) => return Closed::Refused(why),
        };
        let closed = match timeout(patience.write, write(&mut stream, &bytes)).await {
            Ok(Ok(())) => continue,
            Ok(Err(_)) => Closed::CutOff,
            Err(_) => Closed::SlowWrite,
        };
        if let Some(card) = card {
            gateway.switch.undelivered(card).await;
        }
        return closed;
    }
}

async fn write<T: AsyncWrite + Unpin>(stream: &mut T, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// The next whole frame. Between frames a stop ends it, or its terminal on another connection; who is within one may finish it.
async fn next<T: AsyncRead + Unpin>(
    stream: &mut T,
    frames: &mut Frames,
    patience: Patience,
    (stop, connected): (&mut watch::Receiver<bool>, &Connected),
) -> Result<Vec<u8>, Closed> {
    let mut begun = None;
    loop {
        match frames.next() {
            Ok(Some(frame)) => return Ok(frame),
            Ok(None) => {}
            Err(error @ (FrameError::TooLong { .. } | FrameError::TooShort { .. })) => {
                tracing::debug!(%error, "framing is lost");
                return Err(Closed::Length);
            }
        }
        if frames.is_between() {
            let until = Instant::now() + patience.idle;
            let came = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Err(Closed::Stopping),
                () = connected.superseded() => return Err(Closed::Superseded),
                came = timeout_at(until, read(stream, frames)) => came,
            };
            match came {
                Err(_) => return Err(Closed::Idle),
                Ok(Ok(0)) => return Err(Closed::ByPeer),
                Ok(Err(_)) => return Err(Closed::CutOff),
                Ok(Ok(_)) => {}
            }
        } else {
            // The clock of a frame runs from its first bytes: who sends a byte now and then gains nothing.
            let until = *begun.get_or_insert_with(|| Instant::now() + patience.read);
            match timeout_at(until, read(stream, frames)).await {
                Err(_) => return Err(Closed::SlowRead),
                Ok(Ok(0) | Err(_)) => return Err(Closed::CutOff),
                Ok(Ok(_)) => {}
            }
        }
    }
}

/// Reads what is there; 0 at the end. The buffer is on the stack while bytes are copied and nowhere while they are awaited.
async fn read<T: AsyncRead + Unpin>(stream: &mut T, frames: &mut Frames) -> io::Result<usize> {
    poll_fn(|context| {
        let mut bytes = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        Pin::new(&mut *stream).poll_read(context, &mut buffer).map_ok(|()| {
            frames.push(buffer.filled());
            buffer.filled().len()
        })
    })
    .await
}
