//! The daily file (对账文件) [doubtful: EPCC's real layout is not public, so it is that of [`crate::day_file`]]. Status 04 with a RtnId: it
//! came back.

use super::{Epcc, NAME, TYPES, cleared};
use crate::day_file::Layout;
use crate::error::ChannelError;
use crate::manifest::OperationKind;
use crate::statement::{LineKind, StatementPart};

/// What it is asked with.
pub(super) const ASKED: &str = "epcc.311.001.01";
pub(super) const WHAT: &str = "daily file";

pub(super) fn read(epcc: &Epcc, text: &str) -> Result<StatementPart, ChannelError> {
    let (rail, institution, tag) = (epcc.manifest.rail, &*epcc.institution, "EPCC-DAY-1");
    Layout { channel: NAME, what: WHAT, rail, tag, institution, cleared, kind }.read(text)
}

fn kind(told: &str, status: &str) -> Option<LineKind> {
    let (kind, ..) = TYPES.into_iter().find(|(_, asked, _)| *asked == told)?;
    match (status, kind) {
        ("00", OperationKind::Debit | OperationKind::Redirect) => Some(LineKind::Debit),
        ("00", OperationKind::Refund) => Some(LineKind::Refund),
        ("00", OperationKind::Pay) => Some(LineKind::Pay),
        ("04", OperationKind::Pay) => Some(LineKind::Return),
        _ => None,
    }
}
