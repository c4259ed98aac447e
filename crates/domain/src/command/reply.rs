//! Replies: what commands brought about, with their eternal numbers.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::bulk::BulkReply;
use crate::calendar::Date;
use crate::ids::{
    AccountId, AcquiringId, AdvanceId, AgreementId, ApiKeyId, ApprovalId, ArrearsId, AttemptId, BankCardId,
    BatchCloseId, BlockEntryId, CardClearingId, CardCostId, CardFeePlanId, CardTransactionId, CertificateId,
    ChargebackId, ClearingId, ConversionId, CustomerId, ExchangeRateId, FeePlanId, FreezeId, FundBatchId, HoldId,
    LimitPolicyId, MerchantId, OperatorId, OrderId, OutflowId, OwnTransferId, ParameterSetId, PayoutId,
    RealNameCheckId, ReceiverId, RefundId, ReserveBalanceId, ReserveLineId, RetryRuleId, SettlementId, SignUpId,
    SiteWeightsId, SplitId, SplitPlanId, SuspenseId, TemplateId, TerminalId, TopUpId, TransferId, TreeLinkId,
    TreeRunId, UserId, VoucherId, WebhookId, WithdrawalBatchId, WithdrawalPlanId,
};
use crate::money::Minor;
use crate::task::TaskOf;

/// What a command brought about. It is kept with the command's key, so the same request gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// It is done.
    #[n(0)]
    Done,
    /// An accounting day.
    #[n(1)]
    Day(#[n(0)] Date),
    /// An account.
    #[n(2)]
    Account(#[n(0)] AccountId),
    /// Accounts whose ids follow each other.
    #[n(10)]
    Accounts {
        /// The first.
        #[n(0)]
        first: AccountId,
        /// How many.
        #[n(1)]
        count: u32,
    },
    /// A voucher.
    #[n(3)]
    Voucher(#[n(0)] VoucherId),
    /// A bulk posting.
    #[n(4)]
    Bulk(#[n(0)] BulkReply),
    /// A hold.
    #[n(5)]
    Hold(#[n(0)] HoldId),
    /// A customer.
    #[n(6)]
    Customer(#[n(0)] CustomerId),
    /// A user.
    #[n(7)]
    User(#[n(0)] UserId),
    /// A merchant.
    #[n(8)]
    Merchant(#[n(0)] MerchantId),
    /// An attempt.
    #[n(9)]
    Attempt(#[n(0)] AttemptId),
    /// An order.
    #[n(20)]
    Order(#[n(0)] OrderId),
    /// A split.
    #[n(21)]
    Split(#[n(0)] SplitId),
    /// A refund.
    #[n(22)]
    Refund(#[n(0)] RefundId),
    /// A part of a clearing file.
    #[n(23)]
    Clearing(#[n(0)] ClearingId),
    /// A settlement.
    #[n(24)]
    Settlement(#[n(0)] SettlementId),
    /// A payout.
    #[n(30)]
    Payout(#[n(0)] PayoutId),
    /// An agreement.
    #[n(31)]
    Agreement(#[n(0)] AgreementId),
    /// A freeze.
    #[n(32)]
    Freeze(#[n(0)] FreezeId),
    /// A line of the reserve account's statement.
    #[n(60)]
    ReserveLine(#[n(0)] ReserveLineId),
    /// A closing balance of the reserve account's statement.
    #[n(61)]
    ReserveBalance(#[n(0)] ReserveBalanceId),
    /// A transfer between own money and reserve.
    #[n(62)]
    OwnTransfer(#[n(0)] OwnTransferId),
    /// What was collected of a merchant's arrears.
    #[n(63)]
    Arrears {
        /// The arrears that were reduced, oldest first.
        #[n(0)]
        arrears: Vec<ArrearsId>,
        /// Minor units, together.
        #[n(1)]
        collected: Minor,
    },
    /// A chargeback.
    #[n(64)]
    Chargeback(#[n(0)] ChargebackId),
    /// An advance.
    #[n(65)]
    Advance(#[n(0)] AdvanceId),
    /// An entry of a block list.
    #[n(70)]
    BlockEntry(#[n(0)] BlockEntryId),
    /// A certificate.
    #[n(90)]
    Certificate(#[n(0)] CertificateId),
    /// A serial number of an API key's secret.
    #[n(221)]
    ApiKey(#[n(0)] ApiKeyId),
    /// A user's pay password.
    #[n(222)]
    PayPassword(#[n(0)] UserId),
    /// A signing of an agreement.
    #[n(220)]
    SignUp(#[n(0)] SignUpId),
    /// A real-name check.
    #[n(219)]
    RealNameCheck(#[n(0)] RealNameCheckId),
    /// A receiver of splits.
    #[n(237)]
    Receiver(#[n(0)] ReceiverId),
    /// A webhook.
    #[n(213)]
    Webhook(#[n(0)] WebhookId),
    /// A version of the limits.
    #[n(71)]
    LimitPolicy(#[n(0)] LimitPolicyId),
    /// A top-up.
    #[n(72)]
    TopUp(#[n(0)] TopUpId),
    /// A transfer.
    #[n(73)]
    Transfer(#[n(0)] TransferId),
    /// A bank card.
    #[n(74)]
    BankCard(#[n(0)] BankCardId),
    /// A plan of withdrawals.
    #[n(75)]
    WithdrawalPlan(#[n(0)] WithdrawalPlanId),
    /// A batch of withdrawals.
    #[n(76)]
    WithdrawalBatch(#[n(0)] WithdrawalBatchId),
    /// A rule of retries.
    #[n(77)]
    RetryRule(#[n(0)] RetryRuleId),
    /// A version of the weights of a channel's sites.
    #[n(91)]
    SiteWeights(#[n(0)] SiteWeightsId),
    /// What leaves by a channel.
    #[n(241)]
    Outflow(#[n(0)] OutflowId),
    /// A monthly batch of a provident fund.
    #[n(242)]
    FundBatch(#[n(0)] FundBatchId),
    /// A version of a set of terminals' parameters.
    #[n(214)]
    ParameterSet(#[n(0)] ParameterSetId),
    /// A year of the calendar.
    #[n(228)]
    CalendarYear(#[n(0)] i16),
    /// A link between accounts.
    #[n(50)]
    TreeLink(#[n(0)] TreeLinkId),
    /// A run of sweeps and allocations.
    #[n(51)]
    TreeRun(#[n(0)] TreeRunId),
    /// An exchange rate.
    #[n(55)]
    ExchangeRate(#[n(0)] ExchangeRateId),
    /// A conversion.
    #[n(56)]
    Conversion(#[n(0)] ConversionId),
    /// An operator.
    #[n(40)]
    Operator(#[n(0)] OperatorId),
    /// An approval.
    #[n(41)]
    Approval(#[n(0)] ApprovalId),
    /// A template of manual vouchers.
    #[n(42)]
    Template(#[n(0)] TemplateId),
    /// An item of suspense.
    #[n(43)]
    Suspense(#[n(0)] SuspenseId),
    /// What a person acted on.
    #[n(215)]
    Task(#[n(0)] TaskOf),
    /// A version of a plan of card fees.
    #[n(200)]
    CardFeePlan(#[n(0)] CardFeePlanId),
    /// A version of what a card scheme costs.
    #[n(201)]
    CardCost(#[n(0)] CardCostId),
    /// A version of what orders, payouts or withdrawals cost.
    #[n(239)]
    FeePlan(#[n(0)] FeePlanId),
    /// A version of a plan of splits.
    #[n(216)]
    SplitPlan(#[n(0)] SplitPlanId),
    /// A merchant's acquiring.
    #[n(202)]
    Acquiring(#[n(0)] AcquiringId),
    /// A terminal.
    #[n(203)]
    Terminal(#[n(0)] TerminalId),
    /// A card transaction.
    #[n(204)]
    CardTransaction(#[n(0)] CardTransactionId),
    /// A batch close.
    #[n(205)]
    BatchClose(#[n(0)] BatchCloseId),
    /// A part of the network's file of card transactions.
    #[n(206)]
    CardClearing(#[n(0)] CardClearingId),
}
