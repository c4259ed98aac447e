//! What can be proposed: a line a kind, with the roles that may make and check it and the command that carries it out.

use minicbor::{Decode, Encode};

use crate::advance::SetAdvancePolicy;
use crate::arrears::ArrearsCommand;
use crate::block_list::RemoveBlock;
use crate::calendar::SetCalendar;
use crate::card_fee::CardFeeCommand;
use crate::card_transaction::{CardTransactionCommand, CreditAdjustment};
use crate::clearing::difference::SettleDifference;
use crate::command::Command;
use crate::fee_plan::SetFeePlan;
use crate::freeze::{DeductFreeze, ReleaseFreeze};
use crate::ids::OperatorId;
use crate::limit::SetLimitPolicy;
use crate::manual_voucher::{Adjustment, ManualVoucher, TemplateCommand};
use crate::operator::OperatorCommand;
use crate::operator::Role::{self, Accountant, Administrator, Risk, Treasurer};
use crate::outflow::{ResumeOutflow, SetOutflowBound};
use crate::own_transfer::{InstructTransfer, OwnTransferCommand};
use crate::refund::CreateRefund;
use crate::site_weight::SetSiteWeights;
use crate::split_plan::SetSplitPlan;
use crate::state::State;
use crate::suspense::AllocateSuspense;
use crate::task::SettleTask;
use crate::tree::{LinkAccounts, TreeCommand};
use crate::waiver::WaiveChecks;

macro_rules! proposals {
    ($($number:literal $name:ident($payload:ty) $text:literal
        made by [$($maker:ident)*] checked by [$($checker:ident)*] does $command:path, $doc:literal;)*) => {
        /// What two people decide on. Number and name are for ever.
        #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
        pub enum Proposal {
            $(#[doc = $doc] #[n($number)] $name(#[n(0)] $payload),)*
        }

        impl Proposal {
            /// The names of all kinds.
            pub const KINDS: &'static [&'static str] = &[$($text,)*];

            /// The name of its kind in API and files.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $text,)* }
            }

            /// Who may make it: one of these roles is enough.
            #[must_use]
            pub const fn makers(&self) -> &'static [Role] {
                match self { $(Self::$name(_) => &[$($maker,)*],)* }
            }

            /// Who may check it: one of these roles is enough.
            #[must_use]
            pub const fn checkers(&self) -> &'static [Role] {
                match self { $(Self::$name(_) => &[$($checker,)*],)* }
            }

            /// What carries it out.
            #[must_use]
            pub fn command(self) -> Command {
                match self { $(Self::$name(payload) => $command(payload),)* }
            }
        }
    };
}

proposals! {
    0 Operator(OperatorCommand) "operator" made by [Administrator] checked by [Administrator]
        does Command::Operator, "Register or change an operator.";
    1 VoucherTemplate(TemplateCommand) "voucher_template" made by [Accountant] checked by [Accountant]
        does Command::from, "Set or retire a template of manual vouchers.";
    2 ManualVoucher(ManualVoucher) "manual_voucher" made by [Accountant] checked by [Accountant Treasurer]
        does Command::from, "Post a manual voucher.";
    3 Adjustment(Adjustment) "adjustment" made by [Accountant] checked by [Accountant Treasurer]
        does Command::from, "Post a voucher on a day that is cut.";
    4 SuspenseAllocation(AllocateSuspense) "suspense_allocation" made by [Accountant] checked by [Accountant Treasurer]
        does Command::AllocateSuspense, "Allocate an item of suspense.";
    5 CheckWaiver(WaiveChecks) "check_waiver" made by [Accountant] checked by [Accountant Treasurer]
        does Command::WaiveChecks, "Let a day close in spite of failed checks.";
    6 SettleTask(SettleTask) "settle_task" made by [Accountant] checked by [Accountant Treasurer]
        does Command::from, "Settle by hand what a channel refused.";
    80 SettleDifference(SettleDifference) "settle_difference" made by [Accountant] checked by [Accountant Treasurer]
        does Command::SettleDifference, "Settle a difference of a clearing file.";
    20 ReleaseFreeze(ReleaseFreeze) "release_freeze" made by [Risk] checked by [Risk]
        does Command::ReleaseFreeze, "Release all or part of a freeze.";
    21 DeductFreeze(DeductFreeze) "deduct_freeze" made by [Risk] checked by [Risk]
        does DeductFreeze::command, "Deduct frozen money for its authority.";
    30 LinkAccounts(LinkAccounts) "link_accounts" made by [Accountant Treasurer] checked by [Accountant Treasurer]
        does TreeCommand::link, "Put an account under one of another customer.";
    40 AmendAgreement(crate::agreement::AmendAgreement) "amend_agreement" made by [Accountant] checked by [Accountant]
        does Command::from, "Change an agreement after its birth.";
    41 SetExchangeRate(crate::exchange_rate::SetExchangeRate) "set_exchange_rate" made by [Treasurer] checked by [Treasurer]
        does Command::from, "Set an exchange rate.";
    42 ReverseConversion(crate::conversion::ReverseConversion) "reverse_conversion" made by [Accountant] checked by [Accountant]
        does Command::from, "Reverse a conversion between currencies.";
    50 SweepIncome(InstructTransfer) "sweep_income" made by [Treasurer] checked by [Treasurer]
        does OwnTransferCommand::sweep, "Pay own income out of the reserve.";
    51 InjectOwn(InstructTransfer) "inject_own_money" made by [Treasurer] checked by [Treasurer]
        does OwnTransferCommand::injection, "Pay own money into the reserve.";
    52 CoverRefund(CreateRefund) "cover_refund" made by [Treasurer] checked by [Treasurer]
        does ArrearsCommand::cover, "Refund though the merchant lacks some of it.";
    53 AdvancePolicy(SetAdvancePolicy) "advance_policy" made by [Risk Treasurer] checked by [Risk Treasurer]
        does SetAdvancePolicy::command, "Set the rules for advances.";
    60 LimitPolicy(SetLimitPolicy) "limit_policy" made by [Risk] checked by [Risk]
        does SetLimitPolicy::command, "Set the limits from a day on.";
    61 RemoveBlock(RemoveBlock) "remove_block" made by [Risk] checked by [Risk]
        does RemoveBlock::command, "Take an entry from a block list.";
    75 SiteWeights(SetSiteWeights) "site_weights" made by [Administrator Treasurer] checked by [Administrator Treasurer]
        does SetSiteWeights::command, "Set the weights of a channel's sites.";
    76 OutflowBound(SetOutflowBound) "outflow_bound" made by [Risk Treasurer] checked by [Risk Treasurer]
        does SetOutflowBound::command, "Set what may leave by a channel in an hour.";
    77 ResumeOutflow(ResumeOutflow) "resume_outflow" made by [Risk Treasurer] checked by [Risk Treasurer]
        does ResumeOutflow::command, "Let money leave by a channel again.";
    78 Calendar(SetCalendar) "calendar" made by [Accountant Treasurer] checked by [Accountant Treasurer]
        does Command::SetCalendar, "Set the working days of a year.";
    70 CardFee(CardFeeCommand) "card_fee" made by [Treasurer] checked by [Treasurer]
        does Command::from, "Set what card payments cost from a day on.";
    71 CreditAdjustment(CreditAdjustment) "credit_adjustment" made by [Risk Treasurer] checked by [Risk Treasurer]
        does CardTransactionCommand::credit, "Give back what a terminal gave up.";
    72 FeePlan(SetFeePlan) "fee_plan" made by [Treasurer] checked by [Treasurer]
        does Command::SetFeePlan, "Set what orders, payouts or withdrawals cost from a day on.";
    79 SplitPlan(SetSplitPlan) "split_plan" made by [Treasurer] checked by [Treasurer]
        does Command::SetSplitPlan, "Set a plan of splits from a day on.";
}

impl Proposal {
    /// Whether a document must show it.
    #[must_use]
    pub const fn needs_evidence(&self) -> bool {
        matches!(self, Self::ManualVoucher(_) | Self::Adjustment(_) | Self::SettleTask(_) | Self::SettleDifference(_))
    }

    /// Notes what it is about as that stands when it is made, where its maker did not say: if that changes, nobody approves it.
    pub(super) fn note_what_is_there(&mut self, state: &State) {
        if let Self::SettleTask(command) = self {
            command.note_amount(state);
        } else if let Self::SuspenseAllocation(command) = self {
            command.note_amount(state);
        }
    }

    /// The operator whose own rights it changes; that one may not check it.
    #[must_use]
    pub fn concerns(&self) -> Option<OperatorId> {
        if let Self::Operator(command) = self { command.concerns() } else { None }
    }
}
