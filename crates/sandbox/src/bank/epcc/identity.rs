//! A real-name check (实名核验): 105 has the bank compare name, certificate, card and perhaps phone; 301 asks what it found.
//!
//! ```text
//!  105 ─► MATCHED │ MISMATCHED │ NO CARD ─► the same whenever it is asked about
//!      └► LATER: "in progress", and so the first time that it is asked about; then MATCHED
//! ```
//! What it finds is told by the card's last digits:
//!
//! | ends in | |
//! |---|---|
//! | 0000 | there is no such card |
//! | 0001 | it is another's |
//! | 0002 | the bank compares later |
//! | 0003 | it matches, and the answer is lost |
//! | else | it matches |

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::super::ledger::lock;
use super::super::names::Serial;
use super::agreement::{business, ended, serial};
use super::{Asked, Bank, Business, Refused, Said, codes};

/// The message that asks for a check.
pub(super) const ASKED: &str = "epcc.105.001.01";
const ANSWERED: &str = "epcc.106.001.01";
const FOUND: &str = "epcc.302.001.01";
/// How often a query is answered "in progress".
const LATER: u32 = 1;

/// What the bank found, or that it has not looked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Matched,
    Refused((&'static str, &'static str)),
    Later { queries: u32 },
}

#[derive(Debug, Clone)]
struct Check {
    /// When it was asked for, as the message said.
    at: String,
    finding: Finding,
    /// How often it was sent.
    times: u32,
}

/// The checks that were asked for.
#[derive(Debug, Default)]
pub(super) struct Checks(Mutex<BTreeMap<Serial, Check>>);

impl Bank {
    /// 105: the bank compares, once.
    pub(super) fn epcc_check(&self, asked: &Asked) -> Result<Said, Refused> {
        let serial = serial(asked)?;
        let at = asked.body("TrxInf/TrxDtTm")?.to_owned();
        for path in ["SgnInf/SgnAcctIssrId", "SgnInf/SgnAcctTp", "SgnInf/SgnAcctNm", "SgnInf/IDTp", "SgnInf/IDNo"] {
            asked.body(path)?;
        }
        let card = asked.body("SgnInf/SgnAcctId")?;
        let named = business(serial, ASKED);
        let said = |code, business: &Business| Said::Message(self.epcc.said(ANSWERED, &asked.at, code, business));
        let mut checks = lock(&self.epcc.checks.0);
        if let Some(check) = checks.get_mut(&serial) {
            check.times = check.times.saturating_add(1);
            return Ok(said(codes::DUPLICATE, &named));
        }
        let finding = finding(card);
        checks.insert(serial, Check { at, finding, times: 1 });
        if card.ends_with("0003") {
            return Ok(Said::Nothing);
        }
        Ok(said(codes::DONE, &found(named, finding)))
    }

    /// 301 of a check: it is found by its number and its time.
    pub(super) fn epcc_check_query(&self, asked: &Asked) -> Result<Said, Refused> {
        let wrong = |_| Refused::Field("OriTrxInf/OriTrxId");
        let serial: Serial = asked.body("OriTrxInf/OriTrxId")?.parse().map_err(wrong)?;
        let (time, named) = (asked.body("OriTrxInf/OriTrxDtTm")?, business(serial, ASKED));
        let mut checks = lock(&self.epcc.checks.0);
        let (code, fields) = match checks.get_mut(&serial).filter(|check| check.at == time) {
            None => (codes::NOT_FOUND, named),
            Some(check) => {
                let shown = check.finding;
                check.finding = match shown {
                    Finding::Later { queries } if queries <= 1 => Finding::Matched,
                    Finding::Later { queries } => Finding::Later { queries: queries.saturating_sub(1) },
                    Finding::Matched | Finding::Refused(_) => shown,
                };
                (codes::DONE, found(named, shown))
            }
        };
        Ok(Said::Message(self.epcc.said(FOUND, &asked.at, code, &fields)))
    }

    /// How often a check was sent; nothing if it never was.
    pub(crate) fn epcc_check_times(&self, serial: Serial) -> Option<u32> {
        lock(&self.epcc.checks.0).get(&serial).map(|check| check.times)
    }
}

fn finding(card: &str) -> Finding {
    match card.get(card.len().saturating_sub(4)..) {
        Some("0000") => Finding::Refused(codes::NO_CARD),
        Some("0001") => Finding::Refused(codes::ANOTHERS),
        Some("0002") => Finding::Later { queries: LATER },
        _ if card.len() < 12 => Finding::Refused(codes::NO_CARD),
        _ => Finding::Matched,
    }
}

fn found(named: Business, finding: Finding) -> Business {
    match finding {
        Finding::Matched => ended(named, "00", codes::DONE),
        Finding::Refused(code) => ended(named, "01", code),
        Finding::Later { .. } => named.into_iter().chain([("TrxStatus", String::from("02"))]).collect(),
    }
}
