//! One connection to a module: frames with limits and time-outs, one request at a time.
//!
//! ```text
//!  length ‖ header (sequence number ‖ text) ‖ command  ‖ fields
//!  length ‖ header, the same                ‖ answer's ‖ status ‖ fields
//! ```
//!
//! Invariant: an answer is believed if its header is the request's, its code the command's, and nothing lay on the
//! connection before the request; after anything else the connection is closed, never read further.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::dialect::{Dialect, Verb};
use crate::device::DeviceError;

/// A status other than "done", or the fields behind "done".
pub(super) enum Answer {
    Done(Zeroizing<Vec<u8>>),
    Status(Vec<u8>),
}

/// Takes a frame apart that should answer the request with this header.
pub(super) fn parse(dialect: &Dialect, header: &[u8], verb: &Verb, frame: &[u8]) -> Result<Answer, &'static str> {
    let rest = frame.strip_prefix(header).ok_or("a header that is not this request's")?;
    let rest = rest.strip_prefix(verb.answer.as_slice()).ok_or("the code of another command")?;
    let (status, fields) = rest.split_at_checked(dialect.ok.len()).ok_or("a frame without a status")?;
    if status == dialect.ok {
        return Ok(Answer::Done(Zeroizing::new(fields.to_vec())));
    }
    Ok(Answer::Status(status.to_vec()))
}

/// One request in flight.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) device: String,
    dialect: Arc<Dialect>,
    within: Duration,
    sequence: u64,
}

impl Connection {
    pub(super) fn open(
        device: &str,
        address: &str,
        dialect: &Arc<Dialect>,
        (connect, within): (Duration, Duration),
    ) -> Result<Self, DeviceError> {
        let lost = |status: String| DeviceError::Lost { device: device.to_owned(), operation: "connecting", status };
        let addresses = address.to_socket_addrs().map_err(|error| lost(format!("{address}: {error}")))?;
        let mut last = lost(format!("{address}: the name has no address"));
        for place in addresses {
            match TcpStream::connect_timeout(&place, connect) {
                Ok(stream) => {
                    let set = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(within)));
                    set.map_err(|error| lost(error.to_string()))?;
                    let dialect = Arc::clone(dialect);
                    return Ok(Self { stream, device: device.to_owned(), dialect, within, sequence: 0 });
                }
                Err(error) => last = lost(format!("{place}: {error}")),
            }
        }
        Err(last)
    }

    pub(super) fn exchange(
        &mut self,
        operation: &'static str,
        verb: &Verb,
        body: &[u8],
    ) -> Result<Answer, DeviceError> {
        self.idle(operation)?;
        let dialect = Arc::clone(&self.dialect);
        let header = dialect.header(self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        let frame = dialect.frame(&[&header, &verb.code, body]);
        let until = Instant::now() + self.within;
        self.stream.write_all(&frame).map_err(|error| self.lost(operation, &error))?;
        let answer = self.read_frame(operation, until)?;
        parse(&dialect, &header, verb, &answer).map_err(|problem| self.wrong(operation, problem.to_owned()))
    }

    /// Nothing may lie here before something is asked: a late answer would be taken for the next one.
    pub(super) fn idle(&mut self, operation: &'static str) -> Result<(), DeviceError> {
        let peek = |stream: &TcpStream| {
            stream.set_nonblocking(true)?;
            let found = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            found
        };
        let status = match peek(&self.stream) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => error.to_string(),
            Ok(0) => "the end of the connection".to_owned(),
            Ok(_) => "bytes that nobody asked for".to_owned(),
        };
        Err(DeviceError::Lost { device: self.device.clone(), operation, status })
    }

    fn read_frame(&mut self, operation: &'static str, until: Instant) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let mut length = [0; 4];
        let digits = self.dialect.length_bytes;
        self.fill(&mut length[4 - digits..], operation, until)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let most = self.dialect.max_bytes;
        if length == 0 || length > most {
            return Err(self.wrong(operation, format!("a frame of {length} bytes where {most} are the most")));
        }
        let mut frame = Zeroizing::new(vec![0; length]);
        self.fill(&mut frame, operation, until)?;
        Ok(frame)
    }

    /// The time is for all of it: a module that sends a byte now and then is as late as one that sends none.
    fn fill(&mut self, buffer: &mut [u8], operation: &'static str, until: Instant) -> Result<(), DeviceError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.late(operation));
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| self.lost(operation, &error))?;
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => {
                    let status = "the end of the connection".to_owned();
                    return Err(DeviceError::Lost { device: self.device.clone(), operation, status });
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(operation, &error)),
            }
        }
        Ok(())
    }

    fn lost(&self, operation: &'static str, error: &std::io::Error) -> DeviceError {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            return self.late(operation);
        }
        DeviceError::Lost { device: self.device.clone(), operation, status: error.to_string() }
    }

    fn late(&self, operation: &'static str) -> DeviceError {
        let status = format!("nothing whole within {} ms (answer_ms)", self.within.as_millis());
        DeviceError::Lost { device: self.device.clone(), operation, status }
    }

    pub(super) fn wrong(&self, operation: &'static str, problem: String) -> DeviceError {
        DeviceError::Answer { device: self.device.clone(), operation, problem }
    }
}
