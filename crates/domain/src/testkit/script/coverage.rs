//! What the scripts must go through between them: every refusal of the account engine and every transition of it.
//!
//! New codes and events are asked for of themselves: [`RefusalCode::ALL`] is every code, and [`transition`] does not
//! compile without every event. What another feature's tests cover is named here with where; a code so named must not be
//! met, so that the list stays as short as it can be.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Played, play};
use crate::acquiring::AcquiringEvent;
use crate::advance::AdvanceEvent;
use crate::agreement::AgreementEvent;
use crate::approval::{ApprovalEvent, Proposal};
use crate::arrears::{Arrears, ArrearsEvent, ArrearsSource};
use crate::bank_card::BankCardEvent;
use crate::batch_close::BatchCloseEvent;
use crate::block_list::BlockListEvent;
use crate::card_clearing::CardClearingEvent;
use crate::card_fee::CardFeeEvent;
use crate::card_transaction::CardTransactionEvent;
use crate::chargeback::ChargebackEvent;
use crate::conversion::ConversionEvent;
use crate::event::Event;
use crate::exchange_rate::ExchangeRateEvent;
use crate::fee_plan::{FeeOf, FeePlan, FeePlanEvent};
use crate::freeze::{Change, Freeze, FreezeChange, FreezeKind};
use crate::hold::{Hold, HoldDirection, HoldEvent};
use crate::limit::LimitEvent;
use crate::manual_voucher::{ManualVoucherEvent, TemplateStatus, VoucherTemplate};
use crate::notice::NoticeEvent;
use crate::operator::OperatorEvent;
use crate::own_transfer::{OwnTransfer, OwnTransferEvent, TransferKind};
use crate::payout::CancelReason;
use crate::refusal::RefusalCode;
use crate::reserve_line::{LineTarget, ReserveLine, ReserveLineEvent};
use crate::site_weight::SiteWeightEvent;
use crate::split_plan::SplitPlanEvent;
use crate::suspense::SuspenseEvent;
use crate::terminal::TerminalEvent;
use crate::terminal_parameter::ParameterEvent;
use crate::top_up::TopUpEvent;
use crate::transfer::TransferEvent;
use crate::tree::{RunCause, TreeEvent, TreeRun};
use crate::waiver::WaiverEvent;
use crate::withdrawal::WithdrawalEvent;
use crate::withdrawal_batch::WithdrawalBatchEvent;
use crate::withdrawal_plan::WithdrawalPlanEvent;

macro_rules! scripts {
    ($($name:ident)*) => {
        /// Every script.
        const SCRIPTS: &[&str] = &[$(include_str!(concat!("../scripts/", stringify!($name), ".txt")),)*];

        mod each {
            $(#[test]
            fn $name() {
                super::play(include_str!(concat!("../scripts/", stringify!($name), ".txt")));
            })*
        }
    };
}

scripts! { accounts agreements approvals cards currencies days fee_plans freezes group_freezes holds holds_in_full orders own_money payout_fees split_plans trees wallets whole_freezes }

macro_rules! transitions {
    (here { $($name:literal $pattern:pat,)* } elsewhere { $($other:literal $pattern_of_other:pat,)* }) => {
        /// What the scripts must bring about.
        const HERE: &[&str] = &[$($name,)*];

        /// The name of what an event was.
        pub(crate) fn transition(event: &Event) -> &'static str {
            match event {
                Event::Withdrawal(event) => of_withdrawal(event),
                $($pattern => $name,)*
                $($pattern_of_other => $other,)*
            }
        }
    };
}

transitions! {
    here {
        "voucher posted" Event::VoucherPosted(_),
        "year of the calendar set" Event::CalendarYearSet(_),
        "day cut" Event::DayCut { .. },
        "day sealed" Event::DaySealed { .. },
        "day's checks failed" Event::DayChecksFailed { .. },
        "day closed" Event::DayClosed { .. },
        "account opened" Event::AccountOpened(_),
        "account closed" Event::AccountClosed(_),
        "account restricted" Event::AccountRestricted { .. },
        "money held" Event::HoldPlaced(Hold { direction: HoldDirection::Out, .. }),
        "money announced" Event::HoldPlaced(Hold { direction: HoldDirection::In, .. }),
        "hold confirmed" Event::HoldConfirmed { .. },
        "hold's money moved" Event::Hold(HoldEvent::Moved { .. }),
        "hold extended" Event::Hold(HoldEvent::Extended { .. }),
        "hold cancelled" Event::HoldCancelled(_),
        "hold expired" Event::HoldExpired(_),
        "freeze placed by itself" Event::FreezePlaced(Freeze { kind: FreezeKind::Precise, group: None, .. }),
        "freeze placed in a group" Event::FreezePlaced(Freeze { kind: FreezeKind::Precise, group: Some(_), .. }),
        "whole freeze placed" Event::FreezePlaced(Freeze { kind: FreezeKind::Whole, .. }),
        "stop-payment placed" Event::FreezePlaced(Freeze { kind: FreezeKind::StopPayment, .. }),
        "freeze renewed" Event::FreezeChanged { change: FreezeChange { what: Change::Renewed { .. }, .. }, .. },
        "freeze released" Event::FreezeChanged { change: FreezeChange { what: Change::Released { .. }, .. }, .. },
        "freeze deducted" Event::FreezeChanged { change: FreezeChange { what: Change::Deducted { .. }, .. }, .. },
        "deduction given back" Event::FreezeChanged { change: FreezeChange { what: Change::GivenBack { .. }, .. }, .. },
        "freeze expired" Event::FreezeChanged { change: FreezeChange { what: Change::Expired, .. }, .. },
        "stop-payment lapsed" Event::FreezeChanged { change: FreezeChange { what: Change::Lapsed, .. }, .. },
        "stop-payment followed" Event::FreezeChanged { change: FreezeChange { what: Change::Followed { .. }, .. }, .. },
        "payout cancelled by a freeze" Event::PayoutCancelled { reason: CancelReason::Frozen, .. },
        "payout sent" Event::PayoutSent { .. },
        "payout unknown" Event::PayoutUnknown(_),
        "payout succeeded" Event::PayoutSucceeded { .. },
        "payout failed" Event::PayoutFailed { .. },
        "payout returned" Event::PayoutReturned { .. },
        "accounts linked" Event::Tree(TreeEvent::Linked(_)),
        "accounts unlinked" Event::Tree(TreeEvent::Unlinked { .. }),
        "rule set" Event::Tree(TreeEvent::RuleSet { rule: Some(_), .. }),
        "rule removed" Event::Tree(TreeEvent::RuleSet { rule: None, .. }),
        "quota set" Event::Tree(TreeEvent::QuotaSet { quota: Some(_), .. }),
        "quota removed" Event::Tree(TreeEvent::QuotaSet { quota: None, .. }),
        "moved by command" Event::Tree(TreeEvent::RunDone { run: TreeRun { cause: RunCause::Command, .. }, .. }),
        "rules run by number" Event::Tree(TreeEvent::RunDone { run: TreeRun { cause: RunCause::Number(_), .. }, .. }),
        "rules run by the timer" Event::Tree(TreeEvent::RunDone { run: TreeRun { cause: RunCause::Timer, .. }, .. }),
        "agreement created" Event::AgreementCreated(_),
        "agreement paid" Event::AgreementPaid { .. },
        "agreement's payment kept" Event::Agreement(AgreementEvent::PaymentKept(_)),
        "evidence given" Event::Agreement(AgreementEvent::EvidenceGiven { .. }),
        "agreement amended" Event::Agreement(AgreementEvent::Amended { .. }),
        "agreement closed" Event::AgreementClosed(_),
        "exchange rate set" Event::ExchangeRate(ExchangeRateEvent::Set(_)),
        "exchange rate withdrawn" Event::ExchangeRate(ExchangeRateEvent::Withdrawn { .. }),
        "conversion made" Event::Conversion(ConversionEvent::Made(_)),
        "conversion reversed" Event::Conversion(ConversionEvent::Reversed { .. }),
        "operator registered" Event::Operator(OperatorEvent::Registered(_)),
        "operator changed" Event::Operator(OperatorEvent::Changed(_)),
        "proposed" Event::Approval(ApprovalEvent::Proposed(_)),
        "approved" Event::Approval(ApprovalEvent::Approved { .. }),
        "rejected" Event::Approval(ApprovalEvent::Rejected { .. }),
        "proposal withdrawn" Event::Approval(ApprovalEvent::Withdrawn(_)),
        "proposal expired" Event::Approval(ApprovalEvent::Expired(_)),
        "template set" Event::ManualVoucher(ManualVoucherEvent::TemplateSet(VoucherTemplate { status: TemplateStatus::Active, .. })),
        "template retired" Event::ManualVoucher(ManualVoucherEvent::TemplateSet(VoucherTemplate { status: TemplateStatus::Retired, .. })),
        "day adjusted" Event::ManualVoucher(ManualVoucherEvent::DayAdjusted { .. }),
        "checks waived" Event::Waiver(WaiverEvent::Waived { .. }),
        "suspense opened" Event::Suspense(SuspenseEvent::Opened(_)),
        "suspense allocated" Event::Suspense(SuspenseEvent::Allocated { .. }),
        "suspense due" Event::Suspense(SuspenseEvent::Due { .. }),
        "top-up created" Event::TopUp(TopUpEvent::Created(_)),
        "top-up sent" Event::TopUp(TopUpEvent::Sent { .. }),
        "top-up unknown" Event::TopUp(TopUpEvent::Unknown(_)),
        "top-up succeeded" Event::TopUp(TopUpEvent::Succeeded { .. }),
        "top-up failed" Event::TopUp(TopUpEvent::Failed { .. }),
        "top-up given up" Event::TopUp(TopUpEvent::Closing(_)),
        "transfer made" Event::Transfer(TransferEvent::Made(_)),
        "put on a block list" Event::BlockList(BlockListEvent::Added(_)),
        "taken off a block list" Event::BlockList(BlockListEvent::Removed { .. }),
        "limits set" Event::Limit(LimitEvent::PolicySet(_)),
        "counted on an account" Event::Limit(LimitEvent::AccountMoved(_)),
        "counted on a customer" Event::Limit(LimitEvent::CustomerMoved(_)),
        "weights of sites set" Event::SiteWeight(SiteWeightEvent::Set(_)),
        "card stopped" Event::BankCard(BankCardEvent::Stopped(_)),
        "card verified" Event::BankCard(BankCardEvent::Verified { .. }),
        "withdrawal planned" Event::WithdrawalPlan(WithdrawalPlanEvent::Created(_)),
        "plan changed" Event::WithdrawalPlan(WithdrawalPlanEvent::Changed { .. }),
        "plan taken" Event::WithdrawalPlan(WithdrawalPlanEvent::Taken { .. }),
        "batch run" Event::WithdrawalBatch(WithdrawalBatchEvent::Run(_)),
        "retry rule set" Event::WithdrawalBatch(WithdrawalBatchEvent::RetryRuleSet(_)),
        "notice raised" Event::Notice(NoticeEvent::Raised(_)),
        "line booked by a transfer" Event::ReserveLine(ReserveLineEvent::Taken(ReserveLine { target: Some(LineTarget::Transfer(_)), .. })),
        "line matched to a clearing session" Event::ReserveLine(ReserveLineEvent::Taken(ReserveLine { target: Some(LineTarget::Clearing { .. }), .. })),
        "line put in suspense" Event::ReserveLine(ReserveLineEvent::Taken(ReserveLine { target: None, .. })),
        "reserve account's balance taken" Event::ReserveLine(ReserveLineEvent::BalanceTaken(_)),
        "income sweep instructed" Event::OwnTransfer(OwnTransferEvent::Instructed(OwnTransfer { kind: TransferKind::IncomeSweep, .. })),
        "injection instructed" Event::OwnTransfer(OwnTransferEvent::Instructed(OwnTransfer { kind: TransferKind::Injection, .. })),
        "repayment instructed" Event::OwnTransfer(OwnTransferEvent::Instructed(OwnTransfer { kind: TransferKind::Repayment(_), .. })),
        "own money moved" Event::OwnTransfer(OwnTransferEvent::Done { .. }),
        "own transfer cancelled" Event::OwnTransfer(OwnTransferEvent::Cancelled { .. }),
        "arrears of a chargeback" Event::Arrears(ArrearsEvent::Opened(Arrears { source: ArrearsSource::Chargeback(_), .. })),
        "arrears of a refund" Event::Arrears(ArrearsEvent::Opened(Arrears { source: ArrearsSource::Refund(_), .. })),
        "arrears collected" Event::Arrears(ArrearsEvent::Collected { .. }),
        "arrears undone" Event::Arrears(ArrearsEvent::Undone { .. }),
        "chargeback received" Event::Chargeback(ChargebackEvent::Received(_)),
        "chargeback booked, its merchant has it" Event::Chargeback(ChargebackEvent::Booked { arrears: None, .. }),
        "chargeback booked, its merchant lacks some" Event::Chargeback(ChargebackEvent::Booked { arrears: Some(_), .. }),
        "chargeback won" Event::Chargeback(ChargebackEvent::Won { voucher: Some(_), .. }),
        "chargeback dropped" Event::Chargeback(ChargebackEvent::Won { voucher: None, .. }),
        "rules for advances set" Event::Advance(AdvanceEvent::PolicySet(_)),
        "advance sent" Event::Advance(AdvanceEvent::Sent(_)),
        "advance unknown" Event::Advance(AdvanceEvent::Unknown(_)),
        "advance succeeded" Event::Advance(AdvanceEvent::Succeeded { .. }),
        "advance failed" Event::Advance(AdvanceEvent::Failed { .. }),
        "advance returned" Event::Advance(AdvanceEvent::Returned { .. }),
        "plan of card fees set" Event::CardFee(CardFeeEvent::PlanSet(_)),
        "cost of a card scheme set" Event::CardFee(CardFeeEvent::CostSet(_)),
        "plan of order fees set" Event::FeePlan(FeePlanEvent::Set(FeePlan { of: FeeOf::Order, .. })),
        "plan of payout fees set" Event::FeePlan(FeePlanEvent::Set(FeePlan { of: FeeOf::Payout, .. })),
        "plan of withdrawal fees set" Event::FeePlan(FeePlanEvent::Set(FeePlan { of: FeeOf::Withdrawal, .. })),
        "plan of splits set" Event::SplitPlan(SplitPlanEvent::Set(_)),
        "acquiring opened" Event::Acquiring(AcquiringEvent::Opened(_)),
        "acquiring changed" Event::Acquiring(AcquiringEvent::Changed { .. }),
        "acquiring suspended" Event::Acquiring(AcquiringEvent::Suspended { .. }),
        "acquiring resumed" Event::Acquiring(AcquiringEvent::Resumed { .. }),
        "terminal registered" Event::Terminal(TerminalEvent::Registered(_)),
        "terminal's key loaded" Event::Terminal(TerminalEvent::KeyLoaded { .. }),
        "terminal bound" Event::Terminal(TerminalEvent::Bound { .. }),
        "terminal signed in" Event::Terminal(TerminalEvent::SignedIn(_)),
        "terminal signed out" Event::Terminal(TerminalEvent::SignedOut(_)),
        "terminal reported its place" Event::Terminal(TerminalEvent::Located { .. }),
        "terminal suspended" Event::Terminal(TerminalEvent::Suspended { .. }),
        "terminal resumed" Event::Terminal(TerminalEvent::Resumed { .. }),
        "terminal recovered" Event::Terminal(TerminalEvent::Recovered { .. }),
        "terminal scrapped" Event::Terminal(TerminalEvent::Scrapped { .. }),
        "card transaction asked for" Event::CardTransaction(CardTransactionEvent::Requested { .. }),
        "card transaction approved" Event::CardTransaction(CardTransactionEvent::Approved { .. }),
        "card transaction declined" Event::CardTransaction(CardTransactionEvent::Declined { .. }),
        "card transaction without answer" Event::CardTransaction(CardTransactionEvent::Unanswered(_)),
        "reversal asked for" Event::CardTransaction(CardTransactionEvent::ReversalAsked { .. }),
        "approval that came late" Event::CardTransaction(CardTransactionEvent::ApprovedLate { .. }),
        "reversal refused" Event::CardTransaction(CardTransactionEvent::ReversalRefused { .. }),
        "batch compared" Event::BatchClose(BatchCloseEvent::Compared(_)),
        "batch uploaded" Event::BatchClose(BatchCloseEvent::Uploaded { .. }),
        "upload of a batch ended" Event::BatchClose(BatchCloseEvent::Ended { .. }),
        "file of card transactions taken" Event::CardClearing(CardClearingEvent::Taken { .. }),
        "results of scripts reported" Event::CardTransaction(CardTransactionEvent::ScriptsReported { .. }),
        "results of scripts taken" Event::CardTransaction(CardTransactionEvent::ScriptsTaken { .. }),
        "order expired" Event::OrderExpired(_),
        "card transaction reversed" Event::CardTransaction(CardTransactionEvent::Reversed { .. }),
    }
    elsewhere {
        "an advance that its bank paid after all: advance/tests/late.rs"
            Event::Advance(AdvanceEvent::Claimed { .. } | AdvanceEvent::ClaimBooked { .. }),
        "what suspense had of a session: clearing/difference/tests/statement.rs" Event::Suspense(SuspenseEvent::Matched { .. }),
        "a channel that took back what people had allocated: top_up/tests.rs" Event::Suspense(SuspenseEvent::Claimed(_)),
        "books begun: every kit begins with them" Event::Initialised(_),
        "the engine's own, see engine.rs there: refusals under a key, times written down" Event::Refused | Event::TimeMarked,
        "leaving memory: recall/tests.rs" Event::Checkpointed { .. } | Event::Recalled(_),
        "bulk postings: bulk/tests.rs" Event::StreamOpened { .. } | Event::StreamAdvanced { .. },
        "parties: customer.rs, user.rs, merchant.rs"
            Event::CustomerRegistered(_) | Event::UserOpened(_) | Event::MerchantOpened(_),
        "a merchant's settlement account: payout/tests.rs"
            Event::SettlementSuspended(_) | Event::SettlementVerified { .. },
        "the outbox: payment/tests.rs, payout/tests.rs" Event::AttemptRequested(_) | Event::AttemptAnswered { .. },
        "pages for payers: front_page/tests.rs" Event::PageHandedOut { .. } | Event::OrderClosing(_),
        "orders, splits and refunds: payment/tests.rs, split/tests.rs, refund/tests.rs"
            Event::OrderCreated(_) | Event::OrderTried { .. } | Event::LegMoved(_) | Event::OrderSucceeded { .. }
                | Event::OrderTryFailed { .. } | Event::OrderClosed(_) | Event::SplitMade(_)
                | Event::SplitReturned { .. } | Event::RefundCreated(_) | Event::RefundAnswered(_),
        "clearing and settlement: clearing/tests.rs, settlement/tests.rs"
            Event::OrdersCleared(_) | Event::ClearingTaken { .. } | Event::MerchantSettled(_),
        "payouts that nobody froze: payout/tests.rs"
            Event::PayoutCreated(_) | Event::PayoutHeld { .. }
                | Event::PayoutCancelled {
                    reason: CancelReason::Asked
                        | CancelReason::Restricted
                        | CancelReason::SettlementSuspended
                        | CancelReason::CardStopped, ..
                },
        "certificates: certificate/tests.rs" Event::Certificate(_),
        "what leaves by channels: outflow/tests.rs" Event::Outflow(_),
        "monthly batches of a fund: fund_batch/tests.rs" Event::FundBatch(_),
        "secrets of API keys: api_key/tests.rs" Event::ApiKey(_),
        "pay passwords: pay_password/tests.rs" Event::PayPassword(_),
        "what a person acts on: task/tests.rs" Event::Task(_),
        "how differences of files end: clearing/difference/tests.rs" Event::Difference(_),
        "money of another amount: clearing/tests.rs" Event::AttemptBrought { .. },
        "top-ups of another amount: top_up/tests.rs"
            Event::TopUp(TopUpEvent::GivenBack { .. } | TopUpEvent::BackAnswered { .. }),
        "a fund that pays a part at once: payment/tests/combined.rs" Event::ShortfallAsked(_),
        "agreements signed by SMS: sign_up/tests.rs" Event::SignUp(_),
        "real names: real_name_check/tests.rs" Event::RealNameCheck(_),
        "receivers of splits: receiver/tests.rs" Event::Receiver(_),
        "webhooks: webhook/tests.rs" Event::Webhook(_),
        "what terminals download: terminal_parameter/tests.rs, terminal/tests.rs"
            Event::Parameter(ParameterEvent::Set(_))
                | Event::Terminal(
                    TerminalEvent::ParametersUsed { .. }
                        | TerminalEvent::ParametersTaken { .. }
                        | TerminalEvent::PublicKeyRegistered { .. }
                        | TerminalEvent::KeyIssued { .. },
                ),
        "only journals of before years were set one by one have it" Event::CalendarSet(_),
        "only journals of before names were kept have it: freeze/tests.rs"
            Event::FreezeReleased { .. } | Event::FreezeExpired(_),
        "the first change stands in the freeze itself"
            Event::FreezeChanged { change: FreezeChange { what: Change::Placed, .. }, .. },
    }
}

/// What the scripts must bring about of automatic withdrawals, whose event is boxed: no pattern looks into it.
const WITHDRAWALS: &[&str] = &[
    "withdrawal made",
    "withdrawal tried",
    "withdrawal waits",
    "withdrawal carried over",
    "withdrawal taken up",
    "withdrawal ended",
];

fn of_withdrawal(event: &WithdrawalEvent) -> &'static str {
    match event {
        WithdrawalEvent::Made(_) => "withdrawal made",
        WithdrawalEvent::Tried { .. } => "withdrawal tried",
        WithdrawalEvent::RetrySet { .. } => "withdrawal waits",
        WithdrawalEvent::Carried { .. } => "withdrawal carried over",
        WithdrawalEvent::TakenUp { .. } => "withdrawal taken up",
        WithdrawalEvent::Ended { .. } => "withdrawal ended",
    }
}

/// Codes that the scripts do not meet, and why.
const ELSEWHERE: &[(&str, &[RefusalCode])] = &[
    (
        "the kit's books are begun, its clock is set and its commands have no key or stream: voucher/tests.rs, bulk/tests.rs, engine",
        &[
            RefusalCode::NotInitialised,
            RefusalCode::ClockBackwards,
            RefusalCode::CommandFailed,
            RefusalCode::KeyReused,
            RefusalCode::NumberExpired,
            RefusalCode::BatchAborted,
            RefusalCode::VoucherTooLong,
        ],
    ),
    ("a currency is read before there is a command: money.rs", &[RefusalCode::CurrencyUnknown]),
    (
        "orders: order/tests.rs, payment/tests.rs",
        &[
            RefusalCode::OrderState,
            RefusalCode::OrderAmount,
            RefusalCode::InstrumentNotAllowed,
            RefusalCode::AccountNotOwn,
            RefusalCode::LegUnknown,
            RefusalCode::LegState,
            RefusalCode::AttemptUnknown,
            RefusalCode::AttemptState,
            RefusalCode::PartNotTaken,
        ],
    ),
    (
        "splits and refunds: split/tests.rs, refund/tests.rs",
        &[RefusalCode::SplitUnknown, RefusalCode::SplitAmount, RefusalCode::RefundUnknown, RefusalCode::RefundState],
    ),
    ("what a person acts on: task/tests.rs", &[RefusalCode::TaskState, RefusalCode::TaskVoucher]),
    ("how differences of files end: clearing/difference/tests.rs", &[RefusalCode::DifferenceVoucher]),
    (
        "certificates: certificate/tests.rs",
        &[
            RefusalCode::CertificateUnknown,
            RefusalCode::CertificateExists,
            RefusalCode::CertificateState,
            RefusalCode::CertificatesTooMany,
        ],
    ),
    (
        "monthly batches of a fund: fund_batch/tests.rs, fund_batch/quota.rs",
        &[
            RefusalCode::FundBatchUnknown,
            RefusalCode::FundBatchEmpty,
            RefusalCode::FundResultRejected,
            RefusalCode::FundCutOffPassed,
            RefusalCode::FundLeaseUnknown,
            RefusalCode::FundMonthsTooFew,
            RefusalCode::FundDrawsUsedUp,
            RefusalCode::FundOverQuota,
        ],
    ),
    ("real names: real_name_check/tests.rs", &[RefusalCode::RealNameCheckUnknown, RefusalCode::RealNameCheckState]),
    ("receivers of splits: receiver/tests.rs", &[RefusalCode::ReceiverUnknown]),
    ("secrets of API keys: api_key/tests.rs", &[RefusalCode::ApiKeyUnknown, RefusalCode::ApiKeyState]),
    (
        "pay passwords: pay_password/tests.rs",
        &[
            RefusalCode::PayPasswordUnknown,
            RefusalCode::PayPasswordState,
            RefusalCode::PayPasswordLocked,
            RefusalCode::PayPasswordProof,
        ],
    ),
    (
        "agreements signed by SMS: sign_up/tests.rs",
        &[
            RefusalCode::SignUpUnknown,
            RefusalCode::SignUpState,
            RefusalCode::SignUpExists,
            RefusalCode::SignUpsTooMany,
            RefusalCode::AgreementNotOwn,
        ],
    ),
    (
        "webhooks: webhook/tests.rs",
        &[
            RefusalCode::WebhookUnknown,
            RefusalCode::WebhookState,
            RefusalCode::WebhookUrl,
            RefusalCode::WebhooksTooMany,
        ],
    ),
    (
        "what terminals download: terminal_parameter/tests.rs, terminal/tests.rs",
        &[RefusalCode::ParametersUnknown, RefusalCode::ParametersOther, RefusalCode::PublicKeyMissing],
    ),
    (
        "clearing and settlement: clearing/tests.rs, settlement/tests.rs",
        &[RefusalCode::ClearingUnknown, RefusalCode::CalendarUnknown, RefusalCode::SettlementUnknown],
    ),
];

/// Refusals to look at what is not there: no command meets them.
const LOOKS: &[RefusalCode] = &[
    RefusalCode::TreeRunUnknown,
    RefusalCode::TopUpUnknown,
    RefusalCode::TransferUnknown,
    RefusalCode::WithdrawalBatchUnknown,
    RefusalCode::WithdrawalUnknown,
    RefusalCode::NoticeUnknown,
    RefusalCode::LimitPolicyUnknown,
    RefusalCode::RetryRuleUnknown,
    RefusalCode::BatchCloseUnknown,
];

/// Plays every script once.
fn played() -> Played {
    let mut all = Played::default();
    for text in SCRIPTS {
        let Played { refused, transitions, decided } = play(text);
        all.refused.extend(refused);
        all.transitions.extend(transitions);
        all.decided.extend(decided);
    }
    all
}

#[test]
fn the_scripts_go_through_every_refusal_and_every_transition() {
    let all = played();
    let elsewhere: BTreeSet<RefusalCode> =
        ELSEWHERE.iter().flat_map(|(_, codes)| codes.iter().copied()).chain(LOOKS.iter().copied()).collect();
    let wanted = RefusalCode::ALL.iter().filter(|code| !elsewhere.contains(code));
    let missing: Vec<_> = wanted.filter(|code| !all.refused.contains(code)).map(|code| code.name()).collect();
    let not_brought: Vec<_> = HERE.iter().chain(WITHDRAWALS).filter(|name| !all.transitions.contains(*name)).collect();
    let undecided: Vec<_> = Proposal::KINDS.iter().filter(|kind| !all.decided.contains(*kind)).collect();
    let met_after_all: Vec<_> = elsewhere.intersection(&all.refused).map(|code| code.name()).collect();
    assert!(missing.is_empty(), "no script is refused with {missing:?}");
    assert!(not_brought.is_empty(), "no script brings about {not_brought:?}");
    assert!(undecided.is_empty(), "no script has two people decide {undecided:?}");
    assert!(met_after_all.is_empty(), "said to be covered elsewhere, and met: {met_after_all:?}");
}
