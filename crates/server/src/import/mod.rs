//! Import: another system's history of accounts, brought into empty books day by day.
//!
//! ```text
//!  FORMAT.toml ─► format ─┐
//!  FILE ──────────────────┴► file ─► rows │ rejected rows, each with its line and reason
//!                                     └► plan: by date, numbered postings of one stream
//!  books ─► standing: every voucher there is one of the plan's, to the cent, else refused ─► what is left of the plan
//!                                     └► run: open accounts · post · cut · close, a day at a time
//! ```
//! - The plan is a function of file and format alone. A posting's number is its place in the plan, so a repeat of the same
//!   number is answered and not posted again, and a run that was broken off goes on after the stream's mark.
//! - Nothing is posted in books that hold a voucher which the plan does not.
//! - It speaks to the platform over its API and nothing else, also where the platform runs inside the same process.
//! - It moves the accounting day by cutting it. Time is the machine's, and no calendar of working days is asked.

pub(crate) mod amount;
pub(crate) mod date_form;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod standing;
