//! Events: what happened. Their numbers are for ever; a changed meaning is a new event.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::ids::{
    AccountId, AgreementId, AttemptId, FreezeId, HoldId, MerchantId, OrderId, PayoutId, SplitId, StreamId, VoucherId,
};
use crate::{
    account::Account, acquiring::AcquiringEvent, advance::AdvanceEvent, agreement::Agreement,
    agreement::AgreementEvent, api_key::ApiKeyEvent, approval::ApprovalEvent, arrears::ArrearsEvent, attempt::Attempt,
    attempt::FailureClass, attempt::Outcome, bank_card::BankCardEvent, batch_close::BatchCloseEvent,
    block_list::BlockListEvent, bulk::BulkReply, business_day::CheckResult, calendar::Calendar, calendar::Date,
    calendar::YearSet, card_clearing::CardClearingEvent, card_fee::CardFeeEvent,
    card_transaction::CardTransactionEvent, certificate::CertificateEvent, chargeback::ChargebackEvent,
    clearing::Clearing, clearing::difference::DifferenceEvent, conversion::ConversionEvent, customer::Customer,
    exchange_rate::ExchangeRateEvent, fee_plan::FeePlanEvent, freeze::Freeze, freeze::FreezeChange,
    fund_batch::FundBatchEvent, hold::Hold, hold::HoldEvent, initialise::Genesis, leg::Leg, limit::LimitEvent,
    manual_voucher::ManualVoucherEvent, merchant::Merchant, merchant::SettlementAccount, money::Minor,
    notice::NoticeEvent, operator::OperatorEvent, order::ClearedOrder, order::Order, order::OrderStatus,
    outflow::OutflowEvent, own_transfer::OwnTransferEvent, pay_password::PayPasswordEvent, payout::CancelReason,
    payout::Payout, payout::PayoutFailure, real_name_check::RealNameCheckEvent, recall::Recalled,
    receiver::ReceiverEvent, refund::Answered, refund::Refund, reserve_line::ReserveLineEvent,
    restriction::Restriction, settlement::Settlement, sign_up::SignUpEvent, site_weight::SiteWeightEvent, split::Split,
    split::SplitReturn, split_plan::SplitPlanEvent, suspense::SuspenseEvent, task::TaskEvent, terminal::TerminalEvent,
    terminal_parameter::ParameterEvent, top_up::TopUpEvent, transfer::TransferEvent, tree::TreeEvent, user::User,
    voucher::Voucher, waiver::WaiverEvent, webhook::WebhookEvent, withdrawal::WithdrawalEvent,
    withdrawal_batch::WithdrawalBatchEvent, withdrawal_plan::WithdrawalPlanEvent,
};

mod apply;

pub use apply::apply;

/// What happened. One event takes one position of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A voucher was posted.
    #[n(0)]
    VoucherPosted(#[n(0)] Voucher),
    /// The books began.
    #[n(1)]
    Initialised(#[n(0)] Genesis),
    /// The calendar was replaced; nothing does that any more.
    #[n(2)]
    CalendarSet(#[n(0)] Calendar),
    /// Two people set the working days of a year.
    #[n(256)]
    CalendarYearSet(#[n(0)] YearSet),
    /// The day was cut.
    #[n(3)]
    DayCut {
        /// The day that takes no more postings.
        #[n(0)]
        date: Date,
        /// The day that takes them now.
        #[n(1)]
        next: Date,
    },
    /// A cut day's postings ended.
    #[n(4)]
    DaySealed {
        /// The day.
        #[n(0)]
        date: Date,
        /// No voucher behind this position bears its date.
        #[n(1)]
        position: u64,
    },
    /// A day's checks found a break.
    #[n(5)]
    DayChecksFailed {
        /// The day.
        #[n(0)]
        date: Date,
        /// What was found.
        #[n(1)]
        checks: Vec<CheckResult>,
    },
    /// A day was closed.
    #[n(6)]
    DayClosed {
        /// The day.
        #[n(0)]
        date: Date,
        /// What was found.
        #[n(1)]
        checks: Vec<CheckResult>,
    },
    /// A command was refused, and its key is bound to the refusal in its header.
    #[n(7)]
    Refused,
    /// The store is at a position: what is closed and was changed up to there leaves memory.
    #[n(171)]
    Checkpointed {
        /// The position.
        #[n(0)]
        position: u64,
        /// Rows of which kinds: those of this generation and of earlier ones ([`crate::recall::Kind::since`]).
        #[n(1)]
        #[cbor(default)]
        generation: u8,
    },
    /// What left memory is back, as the store has it.
    #[n(172)]
    Recalled(#[n(0)] Recalled),
    /// The time was written down: it is that of the journal's row, and a clock that stands does not fall behind it.
    #[n(170)]
    TimeMarked,
    /// An account was opened.
    #[n(10)]
    AccountOpened(#[n(0)] Account),
    /// An account was closed.
    #[n(11)]
    AccountClosed(#[n(0)] AccountId),
    /// An account was barred or freed as a whole.
    #[n(12)]
    AccountRestricted {
        /// The account.
        #[n(0)]
        account: AccountId,
        /// What is barred from now on.
        #[n(1)]
        restriction: Restriction,
    },
    /// A stream of bulk postings was named.
    #[n(13)]
    StreamOpened {
        /// Its id.
        #[n(0)]
        stream: StreamId,
        /// Its name.
        #[n(1)]
        name: String,
    },
    /// A bulk posting was answered.
    #[n(14)]
    StreamAdvanced {
        /// The digest of its body.
        #[n(0)]
        fingerprint: ByteArray<16>,
        /// The answer.
        #[n(1)]
        reply: BulkReply,
    },
    /// Money was held.
    #[n(15)]
    HoldPlaced(#[n(0)] Hold),
    /// Held money was let go to move.
    #[n(16)]
    HoldConfirmed {
        /// The hold.
        #[n(0)]
        hold: HoldId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
    },
    /// A hold was let go.
    #[n(17)]
    HoldCancelled(#[n(0)] HoldId),
    /// A hold's time ran out.
    #[n(18)]
    HoldExpired(#[n(0)] HoldId),
    /// A customer was registered.
    #[n(20)]
    CustomerRegistered(#[n(0)] Customer),
    /// A user was opened.
    #[n(21)]
    UserOpened(#[n(0)] User),
    /// A merchant was opened.
    #[n(22)]
    MerchantOpened(#[n(0)] Merchant),
    /// An attempt entered the outbox.
    #[n(30)]
    AttemptRequested(#[n(0)] Attempt),
    /// A channel answered an attempt.
    #[n(31)]
    AttemptAnswered {
        /// The attempt.
        #[n(0)]
        attempt: AttemptId,
        /// What it said.
        #[n(1)]
        outcome: Outcome,
    },
    /// The page where a payer pays an attempt left the platform for the first time: the attempt is maybe sent.
    #[n(32)]
    PageHandedOut {
        /// The attempt.
        #[n(0)]
        attempt: AttemptId,
        /// The site of its channel that the page leads to, by its name in the settings; the first one if it is not named.
        #[n(1)]
        site: Option<String>,
    },
    /// An order was created.
    #[n(40)]
    OrderCreated(#[n(0)] Order),
    /// A try to pay an order began.
    #[n(41)]
    OrderTried {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The legs of the try.
        #[n(1)]
        legs: Vec<Leg>,
    },
    /// A leg stands elsewhere: its new image.
    #[n(42)]
    LegMoved(#[n(0)] Leg),
    /// The card is asked for what its order's fund did not pay, by a further leg of the try.
    #[n(241)]
    ShortfallAsked(#[n(0)] Leg),
    /// An order was paid.
    #[n(43)]
    OrderSucceeded {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// The voucher that credited its destination.
        #[n(1)]
        voucher: VoucherId,
    },
    /// A try to pay an order failed.
    #[n(44)]
    OrderTryFailed {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// Whose failure it was.
        #[n(1)]
        class: Option<FailureClass>,
        /// PAYING if another try may be made, else FAILED.
        #[n(2)]
        status: OrderStatus,
    },
    /// An order was closed unpaid.
    #[n(45)]
    OrderClosed(#[n(0)] OrderId),
    /// Every leg of these orders is matched in clearing files.
    #[n(46)]
    OrdersCleared(#[n(0)] Vec<ClearedOrder>),
    /// An order's money was split.
    #[n(47)]
    SplitMade(#[n(0)] Split),
    /// A receiver gave money of a split back.
    #[n(252)]
    SplitReturned {
        /// The split.
        #[n(0)]
        split: SplitId,
        /// What it gave back.
        #[n(1)]
        given: SplitReturn,
    },
    /// A receiver of splits was registered or removed.
    #[n(239)]
    Receiver(#[n(0)] ReceiverEvent),
    /// A refund is on its way.
    #[n(48)]
    RefundCreated(#[n(0)] Refund),
    /// A channel answered a part of a refund.
    #[n(49)]
    RefundAnswered(#[n(0)] Answered),
    /// A part of a clearing file was taken.
    #[n(50)]
    ClearingTaken {
        /// The part.
        #[n(0)]
        clearing: Clearing,
        /// The attempts that its lines matched.
        #[n(1)]
        matched: Vec<AttemptId>,
        /// The payouts whose returns its lines matched.
        #[n(2)]
        returned: Vec<PayoutId>,
    },
    /// Differences of clearing files ended.
    #[n(240)]
    Difference(#[n(0)] DifferenceEvent),
    /// A merchant was settled.
    #[n(51)]
    MerchantSettled(#[n(0)] Settlement),
    /// An order is to be closed once its channel says that nobody paid.
    #[n(52)]
    OrderClosing(#[n(0)] OrderId),
    /// An order's time is over: it is to be closed, once what is under way has its answer.
    #[n(236)]
    OrderExpired(#[n(0)] OrderId),
    /// A payout was created.
    #[n(70)]
    PayoutCreated(#[n(0)] Box<Payout>),
    /// A payout's amount and fee were held.
    #[n(71)]
    PayoutHeld {
        /// The payout.
        #[n(0)]
        payout: PayoutId,
        /// Its hold.
        #[n(1)]
        hold: HoldId,
    },
    /// A payout left the account.
    #[n(72)]
    PayoutSent {
        /// The payout.
        #[n(0)]
        payout: PayoutId,
        /// Its voucher.
        #[n(1)]
        voucher: VoucherId,
        /// Its attempt, unless it stays in these books.
        #[n(2)]
        attempt: Option<AttemptId>,
    },
    /// A payout's answer did not come.
    #[n(73)]
    PayoutUnknown(#[n(0)] PayoutId),
    /// A payout arrived.
    #[n(74)]
    PayoutSucceeded {
        /// The payout.
        #[n(0)]
        payout: PayoutId,
        /// Its voucher.
        #[n(1)]
        voucher: VoucherId,
        /// The channel's reference.
        #[n(2)]
        reference: Option<String>,
    },
    /// A payout did not arrive.
    #[n(75)]
    PayoutFailed {
        /// The payout.
        #[n(0)]
        payout: PayoutId,
        /// The contra of its sending.
        #[n(1)]
        voucher: VoucherId,
        /// Why.
        #[n(2)]
        failure: PayoutFailure,
    },
    /// A payout was cancelled before it was sent.
    #[n(76)]
    PayoutCancelled {
        /// The payout.
        #[n(0)]
        payout: PayoutId,
        /// Why.
        #[n(1)]
        reason: CancelReason,
    },
    /// A payout came back after success.
    #[n(77)]
    PayoutReturned {
        /// The payout.
        #[n(0)]
        payout: PayoutId,
        /// The voucher into suspense.
        #[n(1)]
        voucher: VoucherId,
        /// The voucher from there to the account; none leaves the money in suspense.
        #[n(2)]
        credited: Option<VoucherId>,
        /// The channel's reference.
        #[n(3)]
        reference: String,
        /// The network's clearing date.
        #[n(4)]
        date: Date,
    },
    /// More of holds.
    #[n(130)]
    Hold(#[n(0)] HoldEvent),
    /// More of agreements.
    #[n(131)]
    Agreement(#[n(0)] AgreementEvent),
    /// Exchange rates.
    #[n(132)]
    ExchangeRate(#[n(0)] ExchangeRateEvent),
    /// Conversions between currencies.
    #[n(133)]
    Conversion(#[n(0)] ConversionEvent),
    /// Payouts to a merchant's settlement account stop.
    #[n(78)]
    SettlementSuspended(#[n(0)] MerchantId),
    /// A merchant's settlement account was verified.
    #[n(79)]
    SettlementVerified {
        /// The merchant.
        #[n(0)]
        merchant: MerchantId,
        /// The account from now on.
        #[n(1)]
        settlement: SettlementAccount,
    },
    /// An agreement was created; its account was opened before.
    #[n(80)]
    AgreementCreated(#[n(0)] Agreement),
    /// An agreement paid a listed receiver.
    #[n(81)]
    AgreementPaid {
        /// The agreement.
        #[n(0)]
        agreement: AgreementId,
        /// The voucher.
        #[n(1)]
        voucher: VoucherId,
    },
    /// An agreement was closed; its account was closed before.
    #[n(82)]
    AgreementClosed(#[n(0)] AgreementId),
    /// A freeze was placed.
    #[n(85)]
    FreezePlaced(#[n(0)] Freeze),
    /// All or part of a freeze was released.
    #[n(86)]
    FreezeReleased {
        /// The freeze.
        #[n(0)]
        freeze: FreezeId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
    },
    /// A freeze's time ran out.
    #[n(87)]
    FreezeExpired(#[n(0)] FreezeId),
    /// A statement of the reserve account.
    #[n(140)]
    ReserveLine(#[n(0)] ReserveLineEvent),
    /// A transfer between own money and reserve.
    #[n(141)]
    OwnTransfer(#[n(0)] OwnTransferEvent),
    /// A merchant's arrears.
    #[n(142)]
    Arrears(#[n(0)] ArrearsEvent),
    /// A chargeback.
    #[n(143)]
    Chargeback(#[n(0)] ChargebackEvent),
    /// An advance.
    #[n(144)]
    Advance(#[n(0)] AdvanceEvent),
    /// A block list changed.
    #[n(150)]
    BlockList(#[n(0)] BlockListEvent),
    /// The weights of a channel's sites changed.
    #[n(221)]
    SiteWeight(#[n(0)] SiteWeightEvent),
    /// What may leave by a channel changed.
    #[n(246)]
    Outflow(#[n(0)] OutflowEvent),
    /// A monthly batch of a provident-fund centre went on.
    #[n(250)]
    FundBatch(#[n(0)] FundBatchEvent),
    /// Parameters of terminals changed.
    #[n(225)]
    Parameter(#[n(0)] ParameterEvent),
    /// Limits, or what is used of them, changed.
    #[n(151)]
    Limit(#[n(0)] LimitEvent),
    /// A top-up moved.
    #[n(152)]
    TopUp(#[n(0)] TopUpEvent),
    /// A transfer was made.
    #[n(153)]
    Transfer(#[n(0)] TransferEvent),
    /// A bank card was stopped or verified.
    #[n(154)]
    BankCard(#[n(0)] BankCardEvent),
    /// A plan of withdrawals changed.
    #[n(155)]
    WithdrawalPlan(#[n(0)] WithdrawalPlanEvent),
    /// A batch of withdrawals was run, or a rule of retries set.
    #[n(156)]
    WithdrawalBatch(#[n(0)] WithdrawalBatchEvent),
    /// An automatic withdrawal moved.
    #[n(157)]
    Withdrawal(#[n(0)] WithdrawalEvent),
    /// A customer is to be told something.
    #[n(158)]
    Notice(#[n(0)] NoticeEvent),
    /// A freeze changed; since then neither 86 nor 87 is emitted, which do not say who did it.
    #[n(110)]
    FreezeChanged {
        /// The freeze.
        #[n(0)]
        freeze: FreezeId,
        /// What changed and who did it.
        #[n(1)]
        change: FreezeChange,
    },
    /// Something happened to parent and child accounts.
    #[n(120)]
    Tree(#[n(0)] TreeEvent),
    /// An operator was registered or changed.
    #[n(100)]
    Operator(#[n(0)] OperatorEvent),
    /// Two people decide.
    #[n(101)]
    Approval(#[n(0)] ApprovalEvent),
    /// Something was done by hand.
    #[n(102)]
    ManualVoucher(#[n(0)] ManualVoucherEvent),
    /// Failed checks were waived.
    #[n(103)]
    Waiver(#[n(0)] WaiverEvent),
    /// Money came to lie in suspense, or left it.
    #[n(104)]
    Suspense(#[n(0)] SuspenseEvent),
    /// A person acted on what a channel had refused.
    #[n(228)]
    Task(#[n(0)] TaskEvent),
    /// Card fees were set.
    #[n(200)]
    CardFee(#[n(0)] CardFeeEvent),
    /// What orders, payouts or withdrawals cost was set.
    #[n(242)]
    FeePlan(#[n(0)] FeePlanEvent),
    /// A version of a plan of splits was set.
    #[n(235)]
    SplitPlan(#[n(0)] SplitPlanEvent),
    /// A merchant's acquiring changed.
    #[n(201)]
    Acquiring(#[n(0)] AcquiringEvent),
    /// A terminal's life went on.
    #[n(202)]
    Terminal(#[n(0)] TerminalEvent),
    /// A card transaction went on.
    #[n(203)]
    CardTransaction(#[n(0)] CardTransactionEvent),
    /// A terminal closed a batch.
    #[n(204)]
    BatchClose(#[n(0)] BatchCloseEvent),
    /// A part of the network's file of card transactions was taken.
    #[n(205)]
    CardClearing(#[n(0)] CardClearingEvent),
    /// A merchant's certificate was registered or revoked.
    #[n(220)]
    Certificate(#[n(0)] CertificateEvent),
    /// The secret of an API key was rotated or ended.
    #[n(231)]
    ApiKey(#[n(0)] ApiKeyEvent),
    /// A try brought another amount than was asked for, as the channel's own file says: that is what it is about from now on.
    #[n(227)]
    AttemptBrought {
        /// The attempt.
        #[n(0)]
        attempt: AttemptId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
    },
    /// A pay password was set or tried.
    #[n(232)]
    PayPassword(#[n(0)] PayPasswordEvent),
    /// The signing of an agreement went on.
    #[n(230)]
    SignUp(#[n(0)] SignUpEvent),
    /// A real-name check went on.
    #[n(238)]
    RealNameCheck(#[n(0)] RealNameCheckEvent),
    /// A merchant's webhook was registered, changed or removed.
    #[n(245)]
    Webhook(#[n(0)] WebhookEvent),
}
