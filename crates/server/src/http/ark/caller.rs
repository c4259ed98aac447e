//! Who asks the key service: by an API key of the platform, or by a certificate.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use domain::operator::Operator;
use http::request::Parts;

use crate::http::auth::{self, OPERATOR};
use crate::http::error::ApiError;

/// Letters of a caller's name at most.
const NAME_MAX: usize = 64;

/// A caller, by the name that roles, policies and approvals know it by.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    id: Arc<str>,
    who: Who,
}

#[derive(Debug, Clone)]
enum Who {
    /// The institution's programs, which made the key service.
    Programs,
    /// A person, or another program, with a name of its own; the platform knows its operators.
    Named(Option<Box<Operator>>),
}

impl Caller {
    /// Whoever has a certificate with this name; `operator` is the institution's programs.
    ///
    /// # Errors
    /// `caller_malformed` for a name that no role or policy can have.
    pub(crate) fn named(name: &str) -> Result<Self, ApiError> {
        if !is_name(name) {
            let message = "a caller is named by 1 to 64 of a-z, A-Z, 0-9, `-`, `_`, `.`, `@`";
            return Err(ApiError::new("caller_malformed", None, message));
        }
        let who = if name == OPERATOR { Who::Programs } else { Who::Named(None) };
        Ok(Self { id: name.into(), who })
    }

    /// Its name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Refuses the institution's own programs; the platform's operator where the platform asks.
    pub(super) fn person(&self) -> Result<Option<&Operator>, ApiError> {
        match &self.who {
            Who::Named(person) => Ok(person.as_deref()),
            Who::Programs => {
                let message = "a person decides this: sign with the key of a registered operator, or use a certificate \
                               of a person's own";
                Err(ApiError::forbidden(message))
            }
        }
    }
}

/// Whether roles and policies can name it.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    /// As the connection's certificate says, else as the request is signed; merchants are refused.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let signed = auth::Caller::from_request_parts(parts, state).await?;
        signed.operator()?;
        let who = match signed.person() {
            Ok(person) => Who::Named(Some(Box::new(person.clone()))),
            Err(_) => Who::Programs,
        };
        Ok(Self { id: signed.id().into(), who })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_name_is_the_programs() {
        let programs = Caller::named(OPERATOR).unwrap();
        assert!(programs.person().is_err());
        let person = Caller::named("alice@bank.example").unwrap();
        assert!(person.person().unwrap().is_none());
    }

    #[test]
    fn a_name_that_no_policy_can_have_is_none() {
        for name in ["", "a b", "opr_1\n", "é", &"x".repeat(65)] {
            assert_eq!(Caller::named(name).map_err(|error| error.code()).err(), Some("caller_malformed"), "{name:?}");
        }
    }
}
