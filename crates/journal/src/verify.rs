//! Walking the whole journal: every number, position, checksum and hash.

use crate::chain::Chain;
use crate::error::{Fault, JournalError};
use crate::record::{Record, Tip};
use crate::rows::Rows;

/// Payload bytes read at a time.
const PAGE_BYTES: usize = 4 << 20;

/// What a walk over the journal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Sound rows, those without events included.
    pub rows: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Where the sound part ends.
    pub tip: Tip,
    /// The first row that is not what was written; the walk ends there.
    pub fault: Option<Fault>,
}

/// Walks from the first row to the end or to the first fault, handing each sound row to `visit`.
pub(crate) fn walk(rows: &mut dyn Rows, visit: &mut dyn FnMut(&Record)) -> Result<Report, JournalError> {
    let mut chain = Chain::GENESIS;
    let mut report = Report { rows: 0, events: 0, payload_bytes: 0, tip: chain.tip, fault: None };
    loop {
        let page = match rows.page(chain.row + 1, PAGE_BYTES) {
            Ok(page) => page,
            Err(JournalError::Corrupt(fault)) => {
                report.fault = Some(fault);
                return Ok(report);
            }
            Err(error) => return Err(error),
        };
        if page.is_empty() {
            return Ok(report);
        }
        for stored in page {
            match chain.check(stored) {
                Ok(record) => {
                    report.rows += 1;
                    report.events += u64::from(record.count);
                    report.payload_bytes += record.payload.len() as u64;
                    report.tip = chain.tip;
                    visit(&record);
                }
                Err(fault) => {
                    report.fault = Some(fault);
                    return Ok(report);
                }
            }
        }
    }
}
