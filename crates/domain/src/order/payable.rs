//! What the payer of an order pays (应付金额), and what of it may go back.
//!
//! ```text
//!            the merchant bears the fee (内扣)       the payer pays it on top (外扣)
//!  payable   amount                                  amount + fee
//!  net       amount − outside − fee                  amount
//!  paid      Dr 1121 5,000 / Cr 2202 4,990,          Dr 1121 5,010 / Cr 2202 5,000,
//!            Cr 2291 10 · OWN Dr 1291 / Cr 5001      Cr 2291 10 · OWN Dr 1291 / Cr 5001
//!  a refund  of an amount with the fee in it         of what was bought; a fee that is returned goes back beside it
//! ```
//! With the fee on top nothing is outside: a centre that pays the landlord directly is refused there, see [`crate::payment`].

use super::Order;
use crate::fee_plan::FeePayer;
use crate::money::Minor;

impl Order {
    /// Who pays its fee.
    #[must_use]
    pub const fn fee_payer(&self) -> FeePayer {
        match self.fee_on_top {
            Some(_) => FeePayer::Payer,
            None => FeePayer::Merchant,
        }
    }

    /// The fee that the payer pays beside the amount, in minor units; 0 where the merchant bears it.
    #[must_use]
    pub fn on_top(&self) -> Minor {
        self.fee_on_top.unwrap_or(0)
    }

    /// What the payer pays, in minor units: Σ instruments of a try.
    #[must_use]
    pub fn payable(&self) -> Minor {
        self.amount.saturating_add(self.on_top())
    }

    /// What of it the institution carries: all that is paid but what a centre pays the merchant directly.
    #[must_use]
    pub fn carried(&self) -> Minor {
        self.payable().saturating_sub(self.outside)
    }

    /// Of how much a refund may still be, in minor units: of what was bought, where the fee is on top.
    #[must_use]
    pub fn refundable(&self) -> Minor {
        let money = self.returnable();
        match self.fee_payer() {
            FeePayer::Merchant => money,
            FeePayer::Payer => money.min(self.amount.saturating_sub(self.bought(self.refunded, self.fee_returned))),
        }
    }

    /// What the payer paid and has not got back, nor the payer's bank, in minor units.
    #[must_use]
    pub(crate) fn returnable(&self) -> Minor {
        self.carried().saturating_sub(self.refunded).saturating_sub(self.charged_back)
    }

    /// What is of the items in so much money of the payer's, of which so much is fee: all of it, unless the fee is on top.
    #[must_use]
    pub const fn bought(&self, money: Minor, fee: Minor) -> Minor {
        match self.fee_payer() {
            FeePayer::Merchant => money,
            FeePayer::Payer => money.saturating_sub(fee),
        }
    }
}
