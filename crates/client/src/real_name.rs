//! Real-name checks (实名核验): a bank compares a person's name, certificate and card, and the phone if it is named. The elements leave the
//! client encrypted alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calls::{WAIT_MAX, narrowed, with_wait};
use crate::client::{Client, IdempotencyKey};
use crate::error::Error;
use crate::model::{Failure, statuses};
use crate::pages::Pages;

/// A person to be checked. The elements are encrypted before they are sent; it is not shown.
#[derive(Clone)]
pub struct NewRealNameCheck {
    /// The user: `usr_…`.
    pub user: String,
    /// The network, `epcc` unless said.
    pub rail: Option<String>,
    /// The bank's interbank number, 12 digits.
    pub bank: String,
    /// Whether it is a credit card.
    pub credit: bool,
    /// The card's number.
    pub account: String,
    /// The person's name: the user's registered one.
    pub name: String,
    /// The number of the person's certificate: the user's registered one.
    pub certificate: String,
    /// The phone that the bank knows: with it four elements are compared (四要素), without it three (三要素).
    pub phone: Option<String>,
}

/// Shows whom and at which bank, and nothing of a person.
impl fmt::Debug for NewRealNameCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("NewRealNameCheck");
        shown.field("user", &self.user).field("bank", &self.bank).finish_non_exhaustive()
    }
}

/// What is sent of it.
#[derive(Serialize)]
struct WireRealNameCheck<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rail: Option<&'a str>,
    bank: &'a str,
    credit: bool,
    account: String,
    name: String,
    certificate: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

statuses! {
    /// Where a real-name check stands.
    RealNameStatus {
        /// The bank is asked; the answer is still to come.
        Requested,
        /// The answer did not come: it is asked about, and that is no failure.
        Unknown,
        /// The elements belong together.
        Matched,
        /// They do not.
        Mismatched,
        /// They were not compared: it says nothing of the person.
        Failed,
        /// The channel knows nothing of it: it says nothing of the person.
        NotFound,
    }
}

/// A real-name check.
#[derive(Debug, Clone, Deserialize)]
pub struct RealNameCheck {
    /// `rnc_…`.
    pub id: String,
    /// Who was checked.
    pub user: String,
    /// Over which network.
    pub rail: String,
    /// The card's mask.
    pub account: String,
    /// The phone's mask; none where three elements are compared.
    #[serde(default)]
    pub phone: Option<String>,
    /// How many elements are compared: 3 or 4.
    pub elements: u32,
    /// Where it stands.
    pub status: RealNameStatus,
    /// Why they do not match, or were not compared.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// When it was asked for, by RFC 3339.
    pub requested_at: String,
    /// When the answer came.
    #[serde(default)]
    pub ended_at: Option<String>,
}

impl Client {
    /// Has a bank compare a person's elements, and waits up to `wait_seconds` for what it says. What matches is kept with the person.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn check_real_name(
        &self,
        new: &NewRealNameCheck,
        wait_seconds: u32,
        key: &IdempotencyKey,
    ) -> Result<RealNameCheck, Error> {
        let sealer = self.sealer().await?;
        let body = WireRealNameCheck {
            user: &new.user,
            rail: new.rail.as_deref(),
            bank: &new.bank,
            credit: new.credit,
            account: sealer.seal(&new.account)?,
            name: sealer.seal(&new.name)?,
            certificate: sealer.seal(&new.certificate)?,
            phone: new.phone.as_deref().map(|phone| sealer.seal(phone)).transpose()?,
        };
        self.post_sealed(&with_wait("/v1/real-name-checks", wait_seconds.min(WAIT_MAX)), key, &body, &sealer).await
    }

    /// A real-name check that the caller asked for, after waiting up to `wait_seconds` for its end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn real_name_check(&self, check: &str, wait_seconds: u32) -> Result<RealNameCheck, Error> {
        self.get(&with_wait(&format!("/v1/real-name-checks/{check}"), wait_seconds.min(WAIT_MAX))).await
    }

    /// The caller's real-name checks: `user=usr_7&status=matched`.
    #[must_use]
    pub fn real_name_checks(&self, query: &str) -> Pages<RealNameCheck> {
        self.list(&narrowed("/v1/real-name-checks", query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_person_is_shown() {
        let new = NewRealNameCheck {
            user: "usr_7".to_owned(),
            rail: None,
            bank: "102100099996".to_owned(),
            credit: false,
            account: "6222020200112233445".to_owned(),
            name: "钱七".to_owned(),
            certificate: "110105194912310062".to_owned(),
            phone: Some("13800138000".to_owned()),
        };
        let shown = format!("{new:?}");
        assert!(shown.contains("usr_7") && shown.contains("102100099996"), "{shown}");
        assert!(["6222", "钱七", "110105", "13800"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
}
