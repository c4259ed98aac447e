//! Codes of a channel with what they say, read from a setting: where a network's list is given to members and is not public,
//! a member names them. A code that is not known settles nothing and is asked about again.

use std::collections::BTreeMap;

use domain::attempt::FailureClass;

use crate::answer::Answer;

/// What a code says where a transaction was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// The transaction id was seen before.
    Duplicate,
    /// There is no such transaction.
    NotFound,
    /// Refused for good.
    Declined(FailureClass),
}

/// How what was asked for stands, where no money moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It was done.
    Done,
    /// It is under way.
    Pending,
    /// Refused for good.
    Refused {
        /// Whose refusal.
        class: FailureClass,
        /// The channel's code.
        code: String,
    },
    /// There is no such thing; said to a query alone.
    NotFound,
}

const CLASSES: [FailureClass; 4] = [FailureClass::User, FailureClass::Bank, FailureClass::Risk, FailureClass::System];

/// Codes with what they say.
#[derive(Debug)]
pub(crate) struct Codes(BTreeMap<String, Said>);

impl Codes {
    /// Reads `CODE=WORD,…` of codes as long as `done`; `None` if it is not in its form, or names a code twice, or `done`, which is
    /// no refusal.
    pub(crate) fn read(text: &str, done: &str) -> Option<Self> {
        let mut codes = BTreeMap::new();
        for pair in text.split(',') {
            let (code, word) = pair.trim().split_once('=')?;
            let said = match word {
                "duplicate" => Said::Duplicate,
                "not_found" => Said::NotFound,
                word => Said::Declined(CLASSES.into_iter().find(|class| class.name() == word)?),
            };
            let fits =
                code.len() == done.len() && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) && code != done;
            if !fits || codes.insert(code.to_owned(), said).is_some() {
                return None;
            }
        }
        Some(Self(codes))
    }

    /// What is said in two steps: by a code of the message, and, only where that is `done`, by a status (00 done, 01 refused, 02 and 03
    /// under way) with a code of what the message was about. Nothing where the two do not agree, or a code is not known.
    pub(crate) fn stands(
        &self,
        done: &str,
        system: &str,
        (status, code): (Option<&str>, Option<&str>),
        query: bool,
    ) -> Option<Stands> {
        let refused = |code: &str| self.class(code).map(|class| Stands::Refused { class, code: code.to_owned() });
        match (system == done, status, code) {
            (true, Some("00"), Some(code)) if code == done => Some(Stands::Done),
            (true, Some("02" | "03"), code) if code.is_none_or(|code| code == done) => Some(Stands::Pending),
            (true, Some("01"), Some(code)) => refused(code),
            // A query that was refused says nothing else of what it asked about.
            (false, None, _) if query => (self.said(system)? == Said::NotFound).then_some(Stands::NotFound),
            (false, None, _) => refused(system),
            _ => None,
        }
    }

    pub(crate) fn said(&self, code: &str) -> Option<Said> {
        self.0.get(code).copied()
    }

    /// Whose failure it is that something was refused for good.
    pub(crate) fn class(&self, code: &str) -> Option<FailureClass> {
        match self.said(code)? {
            Said::Declined(class) => Some(class),
            Said::Duplicate | Said::NotFound => None,
        }
    }

    /// What it proves that a transaction ended with this code.
    pub(crate) fn declined(&self, code: &str) -> Option<Answer> {
        self.class(code).map(|class| Answer::Declined { class, code: code.to_owned() })
    }

    /// What it proves that a message was refused with this code: that it asked for an operation, or, if `query`, what became of one. A
    /// query that was refused says nothing of the operation but that it is not there.
    pub(crate) fn refused(&self, code: &str, query: bool) -> Option<Answer> {
        match self.said(code)? {
            Said::NotFound => query.then_some(Answer::NotFound),
            Said::Declined(_) | Said::Duplicate if query => None,
            Said::Declined(_) | Said::Duplicate => self.declined(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_strictly() {
        let codes = Codes::read("PB200001=bank, PS400003=not_found", "00000000").unwrap();
        assert_eq!(codes.said("PB200001"), Some(Said::Declined(FailureClass::Bank)));
        assert_eq!((codes.said("PS400003"), codes.said("PB999999")), (Some(Said::NotFound), None));
        let declined = || Answer::Declined { class: FailureClass::Bank, code: String::from("PB200001") };
        assert_eq!((codes.declined("PB200001"), codes.declined("PS400003")), (Some(declined()), None));
        assert_eq!((codes.refused("PB200001", false), codes.refused("PB200001", true)), (Some(declined()), None));
        assert_eq!((codes.refused("PS400003", false), codes.refused("PS400003", true)), (None, Some(Answer::NotFound)));
        for wrong in ["", "PB100001", "PB100001=nobody", "PB1=user", "PB100001=user,PB100001=bank", "00000000=user"] {
            assert!(Codes::read(wrong, "00000000").is_none(), "{wrong}");
        }
        assert!(Codes::read("ERR020=not_found", "000000").is_some());
    }

    #[test]
    fn what_is_said_in_two_steps_must_agree() {
        let codes = Codes::read("PB200001=bank,PS400002=duplicate,PS400003=not_found", "00000000").unwrap();
        let stands = |system, status, query| codes.stands("00000000", system, status, query);
        let done = Some("00000000");
        let refused = Some(Stands::Refused { class: FailureClass::Bank, code: String::from("PB200001") });
        assert_eq!(stands("00000000", (Some("00"), done), false), Some(Stands::Done));
        assert_eq!(stands("00000000", (Some("02"), None), true), Some(Stands::Pending));
        assert_eq!(stands("00000000", (Some("03"), done), false), Some(Stands::Pending));
        assert_eq!(stands("00000000", (Some("01"), Some("PB200001")), true), refused);
        assert_eq!(stands("PB200001", (None, None), false), refused);
        assert_eq!(stands("PS400003", (None, None), true), Some(Stands::NotFound));
        for (system, status, query) in [
            ("00000000", (Some("00"), Some("PB200001")), false),
            ("00000000", (Some("00"), None), false),
            ("00000000", (Some("01"), done), false),
            ("00000000", (Some("01"), Some("PS400003")), true),
            ("00000000", (Some("02"), Some("PB200001")), false),
            ("00000000", (Some("07"), done), false),
            ("00000000", (None, None), false),
            ("PB200001", (Some("00"), done), false),
            ("PB200001", (None, None), true),
            ("PS400003", (None, None), false),
            ("PS400002", (None, None), true),
            ("PB999999", (None, None), false),
        ] {
            assert_eq!(stands(system, status, query), None, "{system} {status:?} {query}");
        }
    }
}
