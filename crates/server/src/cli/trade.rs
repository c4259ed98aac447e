//! The nouns of what is done with an order's money and with payment accounts, beside those of [`super`].

use anyhow::Result;
use clap::Subcommand;

use super::remote::Remote;
use super::{advance, arrears, chargeback, refund, reserve_line, split, split_plan, top_up, transfer};
use crate::config::Config;

/// One of them.
#[derive(Debug, Subcommand)]
pub(super) enum Trade {
    /// Refunds: money of a paid order back to where it came from.
    #[command(after_help = refund::EXAMPLES)]
    Refund(Remote<refund::Refund>),
    /// Splits: a paid order's money shared among merchants before it is settled.
    #[command(after_help = split::EXAMPLES)]
    Split(Remote<split::Split>),
    /// Plans of splits: what each role of a broker network gets, in versions, and setting one.
    #[command(after_help = split_plan::EXAMPLES)]
    SplitPlan(Remote<split_plan::SplitPlan>),
    /// Top-ups of payment accounts from cards under an agreement.
    #[command(after_help = top_up::EXAMPLES)]
    TopUp(Remote<top_up::TopUp>),
    /// Transfers between payment accounts.
    #[command(after_help = transfer::EXAMPLES)]
    Transfer(Remote<transfer::Transfer>),
    /// Advances (D0): own money pays a merchant before the reserve settles; repay one.
    #[command(after_help = advance::EXAMPLES)]
    Advance(Remote<advance::Advance>),
    /// Chargebacks: take one down, book it, say that it was won.
    #[command(after_help = chargeback::EXAMPLES)]
    Chargeback(Remote<chargeback::Chargeback>),
    /// What merchants owe since own money paid for them: look, collect.
    #[command(after_help = arrears::EXAMPLES)]
    Arrears(Remote<arrears::Arrears>),
    /// The reserve account's statement: take a line or a closing balance, look.
    #[command(after_help = reserve_line::EXAMPLES)]
    ReserveLine(Remote<reserve_line::ReserveLine>),
}

impl Trade {
    /// Asks for it and prints.
    ///
    /// # Errors
    /// Those of [`Remote::run`].
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        match self {
            Self::Refund(refund) => refund.run(config, refund::Refund::ask),
            Self::Split(split) => split.run(config, split::Split::ask),
            Self::SplitPlan(plan) => plan.run(config, split_plan::SplitPlan::ask),
            Self::TopUp(top_up) => top_up.run(config, top_up::TopUp::ask),
            Self::Transfer(transfer) => transfer.run(config, transfer::Transfer::ask),
            Self::Advance(advance) => advance.run(config, advance::Advance::ask),
            Self::Chargeback(chargeback) => chargeback.run(config, chargeback::Chargeback::ask),
            Self::Arrears(arrears) => arrears.run(config, arrears::Arrears::ask),
            Self::ReserveLine(line) => line.run(config, reserve_line::ReserveLine::ask),
        }
    }
}
