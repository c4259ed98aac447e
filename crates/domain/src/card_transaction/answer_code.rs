//! How a terminal is told of a refusal: one table from refusals to answer codes (应答码, F39).

use crate::refusal::RefusalCode;

/// What every refusal without a line here is told as: the system cannot do it.
pub const SYSTEM: &str = "96";

/// Refusals that a request from a terminal can meet, and what F39 says. A refusal tells a cashier no more than the code.
pub const TABLE: &[(RefusalCode, &str)] = &[
    (RefusalCode::AcquiringUnknown, "03"),
    (RefusalCode::AcquiringState, "03"),
    (RefusalCode::MerchantUnknown, "03"),
    (RefusalCode::AccountRestricted, "03"),
    (RefusalCode::AccountClosed, "03"),
    (RefusalCode::NotReversible, "12"),
    (RefusalCode::AmountNotPositive, "13"),
    (RefusalCode::AmountOverflow, "13"),
    (RefusalCode::CardMismatch, "14"),
    (RefusalCode::CardTransactionState, "22"),
    (RefusalCode::PreauthorisationLapsed, "22"),
    (RefusalCode::CardTransactionUnknown, "25"),
    (RefusalCode::ValueInvalid, "30"),
    (RefusalCode::InsufficientFunds, "51"),
    (RefusalCode::TerminalState, "58"),
    (RefusalCode::TerminalBound, "58"),
    (RefusalCode::BatchMismatch, "58"),
    (RefusalCode::LimitExceeded, "61"),
    (RefusalCode::RefundExceeded, "61"),
    (RefusalCode::Blocked, "62"),
    (RefusalCode::CardAmount, "64"),
    (RefusalCode::TraceReused, "94"),
    (RefusalCode::TerminalUnknown, "97"),
];

/// The answer code of a refusal.
#[must_use]
pub fn of(code: RefusalCode) -> &'static str {
    TABLE.iter().find(|(refusal, _)| *refusal == code).map_or(SYSTEM, |(_, answer)| answer)
}

/// Whether the terminal is asked to sign in again beside it (processing request 3 of the header).
#[must_use]
pub const fn asks_sign_in(code: RefusalCode) -> bool {
    matches!(code, RefusalCode::BatchMismatch | RefusalCode::TerminalState)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_refusal_has_one_answer_of_two_characters() {
        let refusals: BTreeSet<_> = TABLE.iter().map(|(refusal, _)| *refusal).collect();
        assert_eq!(refusals.len(), TABLE.len());
        assert!(TABLE.iter().all(|(_, answer)| answer.len() == 2 && *answer != "00" && *answer != SYSTEM));
        assert_eq!((of(RefusalCode::TraceReused), of(RefusalCode::CardFeeUnknown)), ("94", SYSTEM));
        assert!(asks_sign_in(RefusalCode::BatchMismatch) && !asks_sign_in(RefusalCode::CardAmount));
    }
}
