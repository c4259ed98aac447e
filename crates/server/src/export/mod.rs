//! Export: vouchers as CSV for a finance ledger, by template, with control totals.
//!
//! ```text
//!  days of the range ─► pages of vouchers ─► sums by day, subject, currency ══ equal ══ trial balance of the day
//!                              └► OUT.part ─► read back: rows and sums ═════ equal ══ the same
//!                                                  └► OUT.control.json, then OUT: published, or nothing
//! ```
//! It reads the API and nothing else, so it works beside a running platform. A day that may get more vouchers is refused
//! unless it is asked for.

pub(crate) mod check;
pub(crate) mod control;
pub(crate) mod rows;
pub(crate) mod template;
