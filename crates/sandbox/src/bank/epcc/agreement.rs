//! Signing an agreement (签约): 101 asks for it and a code goes to the holder's phone, 103 brings the code.
//!
//! ```text
//!  101 ─► CODE SENT ─ 103, the code ─► SIGNED
//!             └─ 103, another code, three times ─► over: refused whatever comes
//! ```
//! The code is read where the phone would be: `GET /sandbox/epcc/sms?transaction=`. A card whose number ends in 0000 is not valid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::super::ledger::lock;
use super::super::names::Serial;
use super::super::plan::code_of;
use super::{Asked, Bank, Business, Refused, Said, codes};

/// How the numbers of agreements that were made here begin.
pub(super) const PREFIX: &str = "SGN";
/// How often a wrong code may be tried.
const TRIES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    CodeSent { wrong: u32 },
    Signed,
}

/// Who asked to sign.
#[derive(Debug, Default)]
pub(super) struct SignUps {
    asked: Mutex<BTreeMap<Serial, Standing>>,
    signed: Mutex<BTreeSet<String>>,
}

impl SignUps {
    pub(super) fn is_signed(&self, agreement: &str) -> bool {
        lock(&self.signed).contains(agreement)
    }

    /// Whether a code was sent under this number.
    pub(super) fn is_asked(&self, serial: Serial) -> bool {
        lock(&self.asked).contains_key(&serial)
    }
}

impl Bank {
    /// 101: a code goes out, if card and holder may be.
    pub(super) fn epcc_sign_up(&self, asked: &Asked) -> Result<Said, Refused> {
        let serial = serial(asked)?;
        asked.body("TrxInf/TrxDtTm")?;
        for path in ["SgnInf/SgnAcctIssrId", "SgnInf/SgnAcctTp", "SgnInf/SgnAcctNm", "SgnInf/IDNo", "SgnInf/MobNo"] {
            asked.body(path)?;
        }
        let card = asked.body("SgnInf/SgnAcctId")?;
        let named = business(serial, "epcc.101.001.01");
        let said =
            |code, business: &Business| Ok(Said::Message(self.epcc.said("epcc.102.001.01", &asked.at, code, business)));
        if self.epcc.sign_ups.is_asked(serial) {
            return said(codes::DUPLICATE, &named);
        }
        if card.len() < 12 || card.ends_with("0000") {
            return said(codes::DONE, &ended(named, "01", codes::NO_CARD));
        }
        lock(&self.epcc.sign_ups.asked).insert(serial, Standing::CodeSent { wrong: 0 });
        said(codes::DONE, &ended(named, "00", codes::DONE))
    }

    /// 103: the code makes the agreement. Once made, the same question has the same answer.
    pub(super) fn epcc_confirm(&self, asked: &Asked) -> Result<Said, Refused> {
        let serial = serial(asked)?;
        let right = asked.body("AuthInf/AuthMsg")? == self.epcc_sms(serial).as_deref().unwrap_or_default();
        let named = business(serial, "epcc.103.001.01");
        let mut sign_ups = lock(&self.epcc.sign_ups.asked);
        let (code, fields) = match sign_ups.get_mut(&serial) {
            None => (codes::NOT_FOUND, named),
            Some(Standing::CodeSent { wrong }) if !right || *wrong >= TRIES => {
                *wrong = wrong.saturating_add(1);
                (codes::DONE, ended(named, "01", codes::WRONG_CODE))
            }
            Some(standing) => {
                *standing = Standing::Signed;
                let agreement = format!("{PREFIX}{serial}");
                lock(&self.epcc.sign_ups.signed).insert(agreement.clone());
                let mut fields = ended(named, "00", codes::DONE);
                fields.push(("SgnNo", agreement));
                (codes::DONE, fields)
            }
        };
        Ok(Said::Message(self.epcc.said("epcc.104.001.01", &asked.at, code, &fields)))
    }

    /// The code that the holder's phone shows; nothing if none was sent.
    pub(crate) fn epcc_sms(&self, serial: Serial) -> Option<String> {
        self.epcc.sign_ups.is_asked(serial).then(|| code_of(self.seed, serial))
    }
}

pub(super) fn serial(asked: &Asked) -> Result<Serial, Refused> {
    asked.body("TrxInf/TrxId")?.parse().map_err(|_| Refused::Field("TrxInf/TrxId"))
}

pub(super) fn business(serial: Serial, asked: &str) -> Business {
    vec![("TrxId", serial.to_string()), ("TrxTp", asked.to_owned())]
}

pub(super) fn ended(mut named: Business, status: &str, (code, text): (&str, &str)) -> Business {
    let fields = [("TrxStatus", status), ("BizStsCd", code), ("BizStsDesc", text)];
    named.extend(fields.map(|(name, text)| (name, text.to_owned())));
    named
}
