//! One-time codes (动态口令) of operators: who knows the secret proves that it is there.
//!
//! The secret lies sealed in the vault and goes to its owner once. A code is checked by the machine's clock, a step early
//! or late; that a step counts once is the domain's to keep. Five wrong codes in a row lock an operator's approvals for
//! fifteen minutes, in this process's memory: 480 guesses a day, each right three times in a million.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ark::TotpSecret;
use domain::ids::OperatorId;
use domain::operator::Operator;
use domain::{Refusal, RefusalCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::customer::sealing_failed;
use super::error::ApiError;
use crate::shell::clock::wall_ms;

/// How many wrong codes in a row lock.
const WRONG_MAX: u32 = 5;
/// For how long.
const LOCKED: Duration = Duration::from_secs(15 * 60);

/// A one-time code on its way in. It is not printed.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, example = "287082")]
pub(crate) struct Code(String);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

/// Wrong codes of late.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    wrong: Mutex<HashMap<OperatorId, Wrong>>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    last: Instant,
}

impl Codes {
    /// The step of a code that is right, at `seconds` of Unix time; `now` is for the lock.
    fn check(
        &self,
        operator: OperatorId,
        secret: &TotpSecret,
        code: &Code,
        seconds: u64,
        now: Instant,
    ) -> Result<u64, ApiError> {
        // Held until the verdict is counted, so that no number of requests at once gets more tries.
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, wrong| now.saturating_duration_since(wrong.last) < LOCKED);
        if let Some(locked) = wrong.get(&operator).filter(|wrong| wrong.count >= WRONG_MAX) {
            let left = LOCKED.saturating_sub(now.saturating_duration_since(locked.last)).as_secs().div_ceil(60);
            let message = format!("{operator} sent {WRONG_MAX} wrong one-time codes; wait {left} minutes");
            return Err(ApiError::new("totp_locked", Some("totp"), message));
        }
        if let Some(step) = secret.verify(&code.0, seconds) {
            wrong.remove(&operator);
            return Ok(step);
        }
        let count = wrong.get(&operator).map_or(0, |wrong| wrong.count) + 1;
        wrong.insert(operator, Wrong { count, last: now });
        drop(wrong);
        tracing::warn!(%operator, count, "a wrong one-time code");
        let left = WRONG_MAX.saturating_sub(count);
        let message = format!(
            "this is not the one-time code of {operator} now: six digits, for 30 seconds; {left} tries are left"
        );
        Err(ApiError::new("totp_wrong", Some("totp"), message))
    }
}

impl App {
    /// Uses the operator's code up where the journal does not keep its step: the key service does. Not again there, after a
    /// restart either, and not after the journal.
    ///
    /// # Errors
    /// As [`Self::totp_step`], `totp_replayed`, and those of a key service that is not open.
    pub(crate) async fn totp_once(&self, operator: &Operator, code: &Code) -> Result<(), ApiError> {
        let step = self.totp_step(operator, code).await?;
        if step > operator.last_totp_step && super::ark::use_code(self, operator.id.to_string(), step).await? {
            return Ok(());
        }
        let message = format!("{} used this one-time code or a later one before; wait for the next", operator.id);
        Err(Refusal::new(RefusalCode::TotpReplayed, "totp", message).into())
    }

    /// The time step of the operator's code.
    ///
    /// # Errors
    /// `totp_not_enrolled`, `totp_wrong`, `totp_locked`.
    pub(crate) async fn totp_step(&self, operator: &Operator, code: &Code) -> Result<u64, ApiError> {
        let (vault, id, serial) = (Arc::clone(&self.vault), operator.id, operator.totp_serial);
        let secret = self.blocking(move || vault.totp(id.0, serial).map_err(sealing_failed)).await?;
        let secret = secret.ok_or_else(|| {
            let message = format!("{id} has no secret for its one-time codes; POST /v1/operators/{id}/totp makes it");
            ApiError::new("totp_not_enrolled", Some("totp"), message)
        })?;
        let seconds = u64::try_from(wall_ms() / 1_000).unwrap_or_default();
        self.callers.codes.check(id, &secret, code, seconds, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: u64 = 1_000 * ark::totp::STEP_SECONDS;

    struct Case {
        codes: Codes,
        secret: TotpSecret,
        now: Instant,
    }

    impl Case {
        fn new() -> Self {
            Self { codes: Codes::default(), secret: TotpSecret::from_bytes([7; 20]), now: Instant::now() }
        }

        fn try_code(&self, operator: u64, code: &str) -> Result<u64, &'static str> {
            let code = Code(code.to_owned());
            let step = self.codes.check(OperatorId(operator), &self.secret, &code, SECONDS, self.now);
            step.map_err(|error| error.code())
        }

        fn right(&self) -> String {
            self.secret.code(1_000)
        }

        fn wrong(&self) -> String {
            let near: Vec<_> = (999..=1_001).map(|step| self.secret.code(step)).collect();
            ["000000", "111111", "222222", "333333"]
                .into_iter()
                .find(|code| !near.contains(&(*code).into()))
                .unwrap()
                .into()
        }
    }

    #[test]
    fn five_wrong_codes_lock_even_the_right_one_for_a_quarter_of_an_hour() {
        let mut case = Case::new();
        for _ in 0..5 {
            assert_eq!(case.try_code(1, &case.wrong()), Err("totp_wrong"));
        }
        assert_eq!(case.try_code(1, &case.right()), Err("totp_locked"));
        assert_eq!(case.try_code(2, &case.right()), Ok(1_000), "others are not locked");
        case.now += LOCKED - Duration::from_secs(1);
        assert_eq!(case.try_code(1, &case.right()), Err("totp_locked"), "asking does not make it longer or shorter");
        case.now += Duration::from_secs(1);
        assert_eq!(case.try_code(1, &case.right()), Ok(1_000));
    }

    #[test]
    fn a_right_code_in_between_begins_the_count_anew() {
        let case = Case::new();
        for _ in 0..2 {
            for _ in 0..4 {
                assert_eq!(case.try_code(1, &case.wrong()), Err("totp_wrong"));
            }
            assert_eq!(case.try_code(1, &case.right()), Ok(1_000));
        }
    }

    #[test]
    fn a_code_does_not_print() {
        assert_eq!(format!("{:?}", Code("123456".into())), "Code(…)");
    }
}
