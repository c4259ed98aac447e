//! Idempotency: which keys were used, for what body, with what answer.

use std::collections::HashMap;

use domain::{Refusal, RefusalCode, Reply};
use minicbor::{Decode, Encode};

/// The first answer given under a key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FirstAnswer {
    /// It was done.
    #[n(0)]
    Done(#[n(0)] Reply),
    /// It was refused, and stays refused: a late duplicate must not succeed after its sender was told no.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

impl FirstAnswer {
    /// As the sender gets it.
    pub(crate) fn result(self) -> Result<Reply, Refusal> {
        match self {
            Self::Done(reply) => Ok(reply),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// A key and what it is bound to, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBinding {
    /// Whose key it is.
    pub scope: String,
    /// The key, behind the name of the parameter that bears it: `Idempotency-Key:`, `out_trade_no:`.
    pub key: String,
    /// The position after its command.
    pub position: u64,
    /// A keyed digest of the caller's body.
    pub fingerprint: [u8; 16],
    /// The first answer.
    pub answer: FirstAnswer,
}

#[derive(Debug, Clone)]
struct Bound {
    position: u64,
    fingerprint: [u8; 16],
    answer: FirstAnswer,
}

/// Every key in use.
#[derive(Debug, Default)]
pub struct Keys {
    bound: HashMap<String, Bound>,
}

fn joined(scope: &str, key: &str) -> String {
    format!("{scope}\0{key}")
}

impl Keys {
    /// The first answer and its position, if one of `keys` was used before.
    ///
    /// # Errors
    /// `key_reused` if it was used for another body.
    pub fn find(
        &self,
        scope: &str,
        keys: &[String],
        fingerprint: [u8; 16],
    ) -> Result<Option<(FirstAnswer, u64)>, Refusal> {
        for key in keys {
            let Some(bound) = self.bound.get(&joined(scope, key)) else { continue };
            if bound.fingerprint == fingerprint {
                return Ok(Some((bound.answer.clone(), bound.position)));
            }
            let (kind, value) = key.split_once(':').unwrap_or(("key", key));
            let message =
                format!("{kind} '{value:.64}' was used before with other content; send the same body or a new {kind}");
            return Err(Refusal { code: RefusalCode::KeyReused, param: kind.to_owned().into(), message });
        }
        Ok(None)
    }

    /// Binds a key.
    pub fn bind(&mut self, binding: KeyBinding) {
        let KeyBinding { scope, key, position, fingerprint, answer } = binding;
        self.bound.insert(joined(&scope, &key), Bound { position, fingerprint, answer });
    }

    /// How many keys are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bound.len()
    }

    /// True without keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bound.is_empty()
    }
}
