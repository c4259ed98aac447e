//! What statuses and codes of EPCC settle. The list of codes is given to members and is not public: those here are of the
//! sandbox, and the setting `codes` names the real ones. A code that is not known settles nothing and is asked about again.

use std::collections::BTreeMap;

use domain::attempt::FailureClass;

/// The system, or the business: done.
pub(super) const DONE: &str = "00000000";

/// What a code says where a transaction was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// The transaction id was seen before.
    Duplicate,
    /// There is no such transaction.
    NotFound,
    /// Refused for good.
    Declined(FailureClass),
}

const CLASSES: [FailureClass; 4] = [FailureClass::User, FailureClass::Bank, FailureClass::Risk, FailureClass::System];

/// The codes of the sandbox.
pub(super) const SANDBOX: &str = "PB100001=user,PB100002=user,PB100003=user,PB100004=user,PB200001=bank,PR300001=risk,PS400001=system,\
     PS400002=duplicate,PS400003=not_found";

/// Codes with what they say.
#[derive(Debug)]
pub(super) struct Codes(BTreeMap<String, Said>);

impl Codes {
    /// Reads `CODE=WORD,…`; `None` if it is not in its form, or names a code twice, or [`DONE`].
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut codes = BTreeMap::new();
        for pair in text.split(',') {
            let (code, word) = pair.trim().split_once('=')?;
            let said = match word {
                "duplicate" => Said::Duplicate,
                "not_found" => Said::NotFound,
                word => Said::Declined(CLASSES.into_iter().find(|class| class.name() == word)?),
            };
            let fits = code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) && code != DONE;
            if !fits || codes.insert(code.to_owned(), said).is_some() {
                return None;
            }
        }
        Some(Self(codes))
    }

    pub(super) fn said(&self, code: &str) -> Option<Said> {
        self.0.get(code).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_strictly() {
        let codes = Codes::read(SANDBOX).unwrap();
        assert_eq!(codes.said("PB200001"), Some(Said::Declined(FailureClass::Bank)));
        assert_eq!((codes.said("PS400003"), codes.said("PB999999")), (Some(Said::NotFound), None));
        for wrong in ["", "PB100001", "PB100001=nobody", "PB1=user", "PB100001=user,PB100001=bank", "00000000=user"] {
            assert!(Codes::read(wrong).is_none(), "{wrong}");
        }
    }
}
