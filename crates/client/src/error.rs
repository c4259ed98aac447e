//! What went wrong, and what to do about it.

use std::time::Duration;

use ark::signing::SigningError;
use serde::Deserialize;

/// A key that cannot be used. It is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// No API secret.
    #[error("an API secret is 64 hexadecimal digits")]
    Secret,
    /// No key in PEM.
    #[error(
        "a key is SM2 or RSA-2048 in PEM: private as `openssl genpkey` writes it, public as `openssl pkey -pubout`"
    )]
    Pem,
}

/// A call that brought nothing that can be believed, or a refusal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The platform said no, and signed it; or somebody said, unsigned, that who asks is not believed: see [`ApiError::signed`].
    #[error(transparent)]
    Api(Box<ApiError>),
    /// No answer that can be believed came within the patience. What was asked may be done or not: ask again under the same key.
    #[error(
        "no answer to {what} in {tries} tries: {last}; it may be done or not, so ask again under the same idempotency key"
    )]
    Unanswered {
        /// Method and path, without its query.
        what: String,
        /// How often it was sent.
        tries: u32,
        /// What the last try met.
        last: String,
    },
    /// An answer whose signature is not the platform's, or that names another secret than the one that asked. Nothing it says counts.
    #[error(
        "the answer is not signed by the platform; see who stands between, and ask again under the same idempotency key"
    )]
    Forged,
    /// The answer names a key of the platform that is not known: the platform rotated it. What was asked may be done or not.
    #[error(
        "the platform signs with key '{0}', which is not known: take GET /v1/platform-keys again, by the API secret, then ask again \
         under the same idempotency key"
    )]
    PlatformKey(String),
    /// A signed answer that is not what it should be: the client is older or newer than the platform.
    #[error("the answer to {what} does not read: {source}")]
    Answer {
        /// Method and path, without its query.
        what: String,
        /// Where.
        source: serde_json::Error,
    },
    /// What was to be sent has no JSON form.
    #[error("the body has no JSON form: {0}")]
    Body(#[source] serde_json::Error),
    /// An idempotency key in another form.
    #[error("an idempotency key is 1 to 128 visible ASCII characters")]
    Key,
    /// The id or the serial number of the credential is in a form that cannot be sent.
    #[error(transparent)]
    Signing(SigningError),
    /// A text that cannot be encrypted for the platform, or no key of the platform for it.
    #[error(
        "it cannot be encrypted for the platform: a field has 1 to 190 bytes, and GET /v1/platform-keys has a key for it"
    )]
    Encryption,
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes to sign with")]
    Random,
    /// No HTTP client can be made of the address.
    #[error("'{0}' is no address of a platform: use https://pay.example")]
    Address(String),
}

impl Error {
    /// The stable code, where the platform gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api(error) => Some(&error.code),
            Self::Unanswered { .. }
            | Self::Forged
            | Self::PlatformKey(_)
            | Self::Answer { .. }
            | Self::Body(_)
            | Self::Key
            | Self::Signing(_)
            | Self::Random
            | Self::Encryption
            | Self::Address(_) => None,
        }
    }
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The request is malformed: mend what `param` names; nothing was bound to the key.
    MendRequest,
    /// The signature is not believed: set the clock, or register the key.
    MendSignature,
    /// The caller may not; another one may.
    AskAnother,
    /// The object is not there, or not in a state for this: look at it before anything else.
    LookAtObject,
    /// The key was used with another body: take a new one for what is new.
    NewKey,
    /// The business said no: change what is asked, under a new key.
    ChangeAndAskAnew,
    /// The same request may succeed later, under the same key.
    AskLater,
    /// The platform failed: report the request's id.
    Report,
}

impl Remedy {
    /// It in a sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::MendRequest => "mend what the message names and send it again; the key is still free",
            Self::MendSignature => "set the clock, or register this key with the platform",
            Self::AskAnother => "ask as somebody who may, or about an object of your own",
            Self::LookAtObject => "look at the object: it is not there, or not in a state for this",
            Self::NewKey => "the key belongs to another request: take a new one for what is new",
            Self::ChangeAndAskAnew => "change what is asked, and ask under a new key",
            Self::AskLater => "ask the same again later, under the same key",
            Self::Report => "report it with the request's id",
        }
    }
}

/// What the platform said no with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{status} {code}: {message} ({}){}", self.remedy().text(), self.doubt())]
pub struct ApiError {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// `refusal`, `request`, `authentication`, `unavailable` or `internal`.
    pub r#type: String,
    /// The stable code; `Client::codes` lists them all.
    pub code: String,
    /// What was wrong with which value, and what would be right.
    pub message: String,
    /// The parameter it is about.
    pub param: Option<String>,
    /// The request's id at the platform.
    pub request_id: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When, if the platform said.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// Whether the platform signed it. Only a 401 may be unsigned: it proves nothing, not even that nothing was done.
    #[serde(skip)]
    pub signed: bool,
}

impl ApiError {
    /// What a person must know before acting on it.
    const fn doubt(&self) -> &'static str {
        if self.signed {
            return "";
        }
        "; it is not signed by the platform, so anyone between may have said it: change no key on its word alone, and ask again \
         under the same idempotency key"
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        if self.retryable {
            return Remedy::AskLater;
        }
        match (self.status, self.code.as_str()) {
            (_, "key_reused") => Remedy::NewKey,
            // A path that there is not, unlike an object that there is not, is the caller's.
            (_, "route_unknown") => Remedy::MendRequest,
            (401, _) => Remedy::MendSignature,
            (403, _) => Remedy::AskAnother,
            (404 | 409, _) => Remedy::LookAtObject,
            (400 | 405 | 413 | 415, _) => Remedy::MendRequest,
            (500.., _) => Remedy::Report,
            _ => Remedy::ChangeAndAskAnew,
        }
    }
}
