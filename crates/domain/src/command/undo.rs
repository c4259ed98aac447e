//! Which commands keep images of what they change: those that may be refused after their first event.

use super::Command;

impl Command {
    /// Whether the command may be refused after its first event, so that its images must be kept. A bulk posting that is
    /// not all-or-nothing checks each voucher before it posts it and refuses only before the first.
    #[must_use]
    pub const fn needs_undo(&self) -> bool {
        match self {
            Self::PostBulk(bulk) => bulk.atomic,
            // What left memory does not come back because a command was refused; this one never is.
            Self::Checkpoint { .. } => false,
            Self::Initialise(_)
            | Self::SetCalendar(_)
            | Self::Tick
            | Self::MarkTime
            | Self::CutDay { .. }
            | Self::SealDay(_)
            | Self::CloseDay { .. }
            | Self::OpenAccount(_)
            | Self::OpenAccounts(_)
            | Self::CloseAccount(_)
            | Self::RestrictAccount { .. }
            | Self::PostVoucher(_)
            | Self::PlaceHold(_)
            | Self::ConfirmHold { .. }
            | Self::CancelHold(_)
            | Self::Hold(_)
            | Self::Agreement(_)
            | Self::ExchangeRate(_)
            | Self::Conversion(_)
            | Self::RegisterCustomer(_)
            | Self::OpenUser { .. }
            | Self::OpenMerchant(_)
            | Self::VerifySettlementAccount { .. }
            | Self::CreatePayout(_)
            | Self::SendPayout(_)
            | Self::CancelPayout(_)
            | Self::ReturnPayout { .. }
            | Self::CreateAgreement(_)
            | Self::PayFromAgreement(_)
            | Self::CloseAgreement(_)
            | Self::PlaceFreeze(_)
            | Self::ReleaseFreeze(_)
            | Self::Freeze(_)
            | Self::CreateOrder(_)
            | Self::PayOrder { .. }
            | Self::CloseOrder(_)
            | Self::HandOutPage { .. }
            | Self::MakeSplit(_)
            | Self::ReturnSplit(_)
            | Self::Receiver(_)
            | Self::CreateRefund(_)
            | Self::TakeClearingFile(_)
            | Self::SettleDifference(_)
            | Self::Settle { .. }
            | Self::ReserveLine(_)
            | Self::OwnTransfer(_)
            | Self::Arrears(_)
            | Self::Chargeback(_)
            | Self::Advance(_)
            | Self::BlockList(_)
            | Self::Certificate(_)
            | Self::ApiKey(_)
            | Self::PayPassword(_)
            | Self::SignUp(_)
            | Self::RealNameCheck(_)
            | Self::Webhook(_)
            | Self::Limit(_)
            | Self::SiteWeight(_)
            | Self::Outflow(_)
            | Self::FundBatch(_)
            | Self::SetParameters(_)
            | Self::TopUp(_)
            | Self::Transfer(_)
            | Self::BankCard(_)
            | Self::WithdrawalPlan(_)
            | Self::WithdrawalBatch(_)
            | Self::Tree(_)
            | Self::Operator(_)
            | Self::Approval(_)
            | Self::ManualVoucher(_)
            | Self::AllocateSuspense(_)
            | Self::WaiveChecks(_)
            | Self::Task(_)
            | Self::CardFee(_)
            | Self::SetFeePlan(_)
            | Self::SetSplitPlan(_)
            | Self::Acquiring(_)
            | Self::Terminal(_)
            | Self::CardTransaction(_)
            | Self::BatchClose(_)
            | Self::TakeCardFile(_)
            | Self::AnswerAttempt { .. } => true,
        }
    }
}
