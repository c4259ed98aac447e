//! Acquiring for tests: prices, merchants, terminals, card transactions.

use super::{Kit, date};
use crate::calendar::Date;
use crate::card_fee::{CardFeeCommand, CardRate, CardScheme, SetCardCost, SetCardFeePlan};

/// The plan of domain.md's fee tests: 0.50 % of debit and 0.60 % of credit cards.
pub(crate) const STANDARD: &str = "standard";

/// 2026-03-05, when the tests' books begin.
const FIRST_DAY: Date = Date(20_517);

/// What issuers and the network keep: 0.35 % up to 13, 0.45 %, and 0.0325 % up to 3.25.
pub(crate) const UNIONPAY: SetCardCost = SetCardCost {
    scheme: CardScheme::UnionPay,
    from: FIRST_DAY,
    debit: CardRate { rate: 3_500, cap: Some(1_300) },
    credit: CardRate { rate: 4_500, cap: None },
    network: CardRate { rate: 325, cap: Some(325) },
};

impl Kit {
    /// Sets the plan and the cost of domain.md's fee tests.
    pub(crate) fn card_prices(&mut self) {
        assert_eq!(FIRST_DAY, date("2026-03-05"));
        let rate = |rate| CardRate { rate, cap: None };
        let plan = SetCardFeePlan { code: STANDARD.into(), from: FIRST_DAY, debit: rate(5_000), credit: rate(6_000) };
        self.approved(CardFeeCommand::SetPlan(plan).into());
        self.approved(CardFeeCommand::SetCost(UNIONPAY).into());
    }
}
