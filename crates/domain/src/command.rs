//! Commands: what someone wants. Each feature decides its own.

use alloc::string::String;
use alloc::vec::Vec;

use crate::account::{self, OpenAccount};
use crate::acquiring::{self, AcquiringCommand};
use crate::advance::{self, AdvanceCommand};
use crate::agreement::{self, AgreementCommand, CreateAgreement, PayFromAgreement};
use crate::api_key::{self, ApiKeyCommand};
use crate::approval::{self, ApprovalCommand};
use crate::arrears::{self, ArrearsCommand};
use crate::attempt::{self, Outcome};
use crate::bank_card::{self, BankCardCommand};
use crate::batch_close::{self, BatchCloseCommand};
use crate::block_list::{self, BlockListCommand};
use crate::bulk::{self, PostBulk};
use crate::business_day::{self, CheckResult};
use crate::calendar::{self, Date, SetCalendar};
use crate::card_clearing::{self, TakeCardFile};
use crate::card_fee::{self, CardFeeCommand};
use crate::card_transaction::{self, CardTransactionCommand};
use crate::certificate::{self, CertificateCommand};
use crate::channel::ChannelName;
use crate::chargeback::{self, ChargebackCommand};
use crate::clearing::difference::SettleDifference;
use crate::clearing::{self, TakeClearingFile};
use crate::conversion::{self, ConversionCommand};
use crate::customer::{self, Customer};
use crate::draft::Draft;
use crate::exchange_rate::{self, ExchangeRateCommand};
use crate::fee_plan::{self, SetFeePlan};
use crate::freeze::{self, FreezeCommand, PlaceFreeze, ReleaseFreeze};
use crate::front_page::{self, PageOf};
use crate::fund_batch::{self, FundBatchCommand};
use crate::hold::{self, HoldCommand, PlaceHold};
use crate::ids::{AccountId, AgreementId, AttemptId, CustomerId, HoldId, MerchantId, OrderId, PayoutId};
use crate::initialise::{self, Genesis};
use crate::leg::Instrument;
use crate::limit::{self, LimitCommand};
use crate::manual_voucher::{self, ManualVoucherCommand};
use crate::merchant::{self, OpenMerchant, SettlementAccount};
use crate::money::Minor;
use crate::operator::{self, OperatorCommand};
use crate::order::{self, CreateOrder};
use crate::outflow::{self, OutflowCommand};
use crate::own_transfer::{self, OwnTransferCommand};
use crate::pay_password::{self, PayPasswordCommand};
use crate::payout::{self, CreatePayout};
use crate::real_name_check::{self, RealNameCheckCommand};
use crate::receiver::{self, ReceiverCommand};
use crate::refund::{self, CreateRefund};
use crate::refusal::Refusal;
use crate::reserve_line::{self, ReserveLineCommand};
use crate::restriction::{self, Restriction};
use crate::sign_up::{self, SignUpCommand};
use crate::site_weight::{self, SiteWeightCommand};
use crate::split::{self, MakeSplit, ReturnSplit};
use crate::split_plan::{self, SetSplitPlan};
use crate::suspense::{self, AllocateSuspense};
use crate::task::{self, TaskCommand};
use crate::terminal::{self, TerminalCommand};
use crate::terminal_parameter::{self, SetParameters};
use crate::top_up::{self, TopUpCommand};
use crate::transfer::{self, TransferCommand};
use crate::tree::{self, TreeCommand};
use crate::voucher::{self, PostVoucher};
use crate::waiver::{self, WaiveChecks};
use crate::webhook::{self, WebhookCommand};
use crate::withdrawal_batch::{self, WithdrawalBatchCommand};
use crate::withdrawal_plan::{self, WithdrawalPlanCommand};
use crate::{payment, recall, settlement, tick, user};

mod reply;
mod undo;

pub use reply::Reply;

/// What someone wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin the books.
    Initialise(Genesis),
    /// Set the working days of a year.
    SetCalendar(SetCalendar),
    /// Carry out what fell due.
    Tick,
    /// Carry out what fell due, and write down what time it is though nothing did.
    MarkTime,
    /// Let go of what is closed: the store is at a position.
    Checkpoint {
        /// The position.
        position: u64,
    },
    /// Cut the day; the next one is named or follows.
    CutDay {
        /// The next accounting day.
        next: Option<Date>,
    },
    /// End a cut day's postings.
    SealDay(Date),
    /// Close a sealed day.
    CloseDay {
        /// The day.
        date: Date,
        /// The position it was sealed at.
        position: u64,
        /// What the checks at that position found.
        checks: Vec<CheckResult>,
    },
    /// Open an account.
    OpenAccount(OpenAccount),
    /// Open many, all or none.
    OpenAccounts(Vec<OpenAccount>),
    /// Close an account.
    CloseAccount(AccountId),
    /// Bar or free an account as a whole.
    RestrictAccount {
        /// The account.
        account: AccountId,
        /// What is barred from now on.
        restriction: Restriction,
    },
    /// Post one voucher.
    PostVoucher(PostVoucher),
    /// Post many.
    PostBulk(PostBulk),
    /// Hold money.
    PlaceHold(PlaceHold),
    /// Move held money.
    ConfirmHold {
        /// The hold.
        hold: HoldId,
        /// All that is held if none.
        amount: Option<Minor>,
        /// Where it goes.
        to: AccountId,
    },
    /// Let held money go.
    CancelHold(HoldId),
    /// More of holds.
    Hold(HoldCommand),
    /// Register a customer.
    RegisterCustomer(Customer),
    /// Open a user.
    OpenUser {
        /// Whose.
        customer: CustomerId,
        /// In which product.
        product: String,
    },
    /// Open a merchant.
    OpenMerchant(OpenMerchant),
    /// Verify a merchant's settlement account after a payout came back.
    VerifySettlementAccount {
        /// The merchant.
        merchant: MerchantId,
        /// Another account in place of the present one.
        replacement: Option<SettlementAccount>,
    },
    /// Create a payout or withdrawal.
    CreatePayout(CreatePayout),
    /// Send a held payout.
    SendPayout(PayoutId),
    /// Cancel a payout that was not sent.
    CancelPayout(PayoutId),
    /// Book a payout that came back after success.
    ReturnPayout {
        /// The payout.
        payout: PayoutId,
        /// The channel's reference.
        reference: String,
        /// The network's clearing date.
        date: Date,
    },
    /// Create an agreement with its account.
    CreateAgreement(CreateAgreement),
    /// Pay a listed receiver.
    PayFromAgreement(PayFromAgreement),
    /// Close an agreement and its account.
    CloseAgreement(AgreementId),
    /// More of agreements.
    Agreement(AgreementCommand),
    /// Exchange rates.
    ExchangeRate(ExchangeRateCommand),
    /// Conversions between currencies.
    Conversion(ConversionCommand),
    /// Freeze an amount, or an account or customer as a whole.
    PlaceFreeze(PlaceFreeze),
    /// Release all or part of a freeze.
    ReleaseFreeze(ReleaseFreeze),
    /// Renew a freeze, deduct from one.
    Freeze(FreezeCommand),
    /// Create an order.
    CreateOrder(CreateOrder),
    /// Try to pay an order.
    PayOrder {
        /// The order.
        order: OrderId,
        /// At most one card and one fund, which together pay it.
        instruments: Vec<Instrument>,
    },
    /// Close an order unpaid.
    CloseOrder(OrderId),
    /// Hand out the page where the payer of an order or of a top-up pays.
    HandOutPage {
        /// What is paid there.
        of: PageOf,
        /// The site of this channel, by its name in the settings, that the page leads to if nobody has it yet.
        site: Option<(ChannelName, String)>,
    },
    /// Split what is unsettled of an order.
    MakeSplit(MakeSplit),
    /// Give money of a split back to the payee.
    ReturnSplit(ReturnSplit),
    /// Register or remove a receiver of splits.
    Receiver(ReceiverCommand),
    /// Give money of a paid order back.
    CreateRefund(CreateRefund),
    /// Take a part of a clearing file.
    TakeClearingFile(TakeClearingFile),
    /// Settle a difference of one.
    SettleDifference(SettleDifference),
    /// Settle what is due to a merchant.
    Settle {
        /// The merchant.
        merchant: MerchantId,
        /// What is due by this day; not one to come.
        today: Date,
    },
    /// Take a statement of the reserve account.
    ReserveLine(ReserveLineCommand),
    /// Move between own money and reserve.
    OwnTransfer(OwnTransferCommand),
    /// Collect a merchant's arrears, or let some arise.
    Arrears(ArrearsCommand),
    /// A step of a chargeback.
    Chargeback(ChargebackCommand),
    /// A step of an advance, or its rules.
    Advance(AdvanceCommand),
    /// A channel answered.
    AnswerAttempt {
        /// The attempt.
        attempt: AttemptId,
        /// What it said.
        outcome: Outcome,
    },
    /// Change a block list.
    BlockList(BlockListCommand),
    /// Change a merchant's certificates.
    Certificate(CertificateCommand),
    /// Rotate the secret of an API key, or end an old one.
    ApiKey(ApiKeyCommand),
    /// Set a pay password, or try one.
    PayPassword(PayPasswordCommand),
    /// Sign an agreement to debit a card.
    SignUp(SignUpCommand),
    /// Check a person's real name.
    RealNameCheck(RealNameCheckCommand),
    /// Change a merchant's webhooks.
    Webhook(WebhookCommand),
    /// Change limits or an account's class.
    Limit(LimitCommand),
    /// Set the weights of a channel's sites, or take them back.
    SiteWeight(SiteWeightCommand),
    /// Bound, stop or resume what leaves by a channel.
    Outflow(OutflowCommand),
    /// Close a monthly batch of a provident fund, or take its result.
    FundBatch(FundBatchCommand),
    /// Set parameters of terminals.
    SetParameters(SetParameters),
    /// Ask for a top-up, or give one up.
    TopUp(TopUpCommand),
    /// Transfer money.
    Transfer(TransferCommand),
    /// Verify a bank card again.
    BankCard(BankCardCommand),
    /// Create or change a plan of withdrawals.
    WithdrawalPlan(WithdrawalPlanCommand),
    /// Run a batch of withdrawals, or say what is tried again.
    WithdrawalBatch(WithdrawalBatchCommand),
    /// Link, sweep, allocate or limit parent and child accounts.
    Tree(TreeCommand),
    /// Register or change an operator.
    Operator(OperatorCommand),
    /// Propose, approve, reject, withdraw.
    Approval(ApprovalCommand),
    /// Set a template of manual vouchers, post or adjust by one.
    ManualVoucher(ManualVoucherCommand),
    /// Allocate an item of suspense.
    AllocateSuspense(AllocateSuspense),
    /// Let a day close in spite of failed checks.
    WaiveChecks(WaiveChecks),
    /// Act on what a channel refused and only a person can move on.
    Task(TaskCommand),
    /// Set card fees.
    CardFee(CardFeeCommand),
    /// Set what orders, payouts or withdrawals cost.
    SetFeePlan(SetFeePlan),
    /// Set a plan of splits.
    SetSplitPlan(SetSplitPlan),
    /// Open a merchant's acquiring, or change it.
    Acquiring(AcquiringCommand),
    /// A step of a terminal's life.
    Terminal(TerminalCommand),
    /// A step of a card transaction.
    CardTransaction(CardTransactionCommand),
    /// A step of a terminal's batch close.
    BatchClose(BatchCloseCommand),
    /// Take a part of the network's file of card transactions.
    TakeCardFile(TakeCardFile),
}

/// Decides a command: events on the draft, or a refusal.
///
/// # Errors
/// The refusals of the command's feature.
pub fn decide(draft: &mut Draft<'_>, command: Command) -> Result<Reply, Refusal> {
    match command {
        Command::Initialise(genesis) => initialise::decide_initialise(draft, genesis),
        Command::SetCalendar(command) => calendar::decide_set(draft, command),
        Command::Tick => tick::decide_tick(draft),
        Command::MarkTime => tick::decide_mark_time(draft),
        Command::Checkpoint { position } => recall::decide(draft, position),
        Command::CutDay { next } => business_day::decide_cut(draft, next),
        Command::SealDay(date) => business_day::decide_seal(draft, date),
        Command::CloseDay { date, position, checks } => business_day::decide_close(draft, date, position, checks),
        Command::OpenAccount(command) => account::decide_open(draft, &command),
        Command::OpenAccounts(commands) => account::decide_open_many(draft, &commands),
        Command::CloseAccount(id) => account::decide_close(draft, id),
        Command::RestrictAccount { account, restriction } => restriction::decide_restrict(draft, account, restriction),
        Command::PostVoucher(command) => voucher::decide_post(draft, command),
        Command::PostBulk(command) => bulk::decide_bulk(draft, command),
        Command::PlaceHold(command) => hold::decide_place(draft, &command),
        Command::ConfirmHold { hold, amount, to } => hold::decide_confirm(draft, hold, amount, to),
        Command::CancelHold(id) => hold::decide_cancel(draft, id),
        Command::Hold(command) => hold::decide(draft, command),
        Command::Agreement(command) => agreement::decide(draft, command),
        Command::ExchangeRate(command) => exchange_rate::decide(draft, command),
        Command::Conversion(command) => conversion::decide(draft, &command),
        Command::RegisterCustomer(customer) => customer::decide_register(draft, customer),
        Command::OpenUser { customer, product } => user::decide_open(draft, customer, product),
        Command::OpenMerchant(command) => merchant::decide_open(draft, command),
        Command::VerifySettlementAccount { merchant, replacement } => {
            merchant::decide_verify_settlement(draft, merchant, replacement)
        }
        Command::CreatePayout(command) => payout::decide_create(draft, command),
        Command::SendPayout(id) => payout::decide_send(draft, id),
        Command::CancelPayout(id) => payout::decide_cancel(draft, id),
        Command::ReturnPayout { payout, reference, date } => payout::decide_return(draft, payout, reference, date),
        Command::CreateAgreement(command) => agreement::decide_create(draft, command),
        Command::PayFromAgreement(command) => agreement::decide_pay(draft, &command),
        Command::CloseAgreement(id) => agreement::decide_close(draft, id),
        Command::PlaceFreeze(command) => freeze::place(draft, command).map(Reply::Freeze),
        Command::ReleaseFreeze(command) => freeze::decide_release(draft, &command),
        Command::Freeze(command) => freeze::decide(draft, command),
        Command::CreateOrder(command) => order::decide_create(draft, command),
        Command::PayOrder { order, instruments } => payment::decide_pay(draft, order, instruments),
        Command::CloseOrder(id) => order::decide_close(draft, id),
        Command::HandOutPage { of, site } => front_page::decide_hand_out(draft, of, site),
        Command::MakeSplit(command) => split::decide_make(draft, command),
        Command::ReturnSplit(command) => split::decide_return(draft, command),
        Command::Receiver(command) => receiver::decide(draft, command),
        Command::CreateRefund(command) => refund::decide_create(draft, command),
        Command::TakeClearingFile(command) => clearing::decide_take(draft, &command),
        Command::SettleDifference(command) => clearing::difference::decide_settle(draft, command),
        Command::Settle { merchant, today } => settlement::decide_settle(draft, merchant, today),
        Command::ReserveLine(command) => reserve_line::decide(draft, command),
        Command::OwnTransfer(command) => own_transfer::decide(draft, command),
        Command::Arrears(command) => arrears::decide(draft, command),
        Command::Chargeback(command) => chargeback::decide(draft, command),
        Command::Advance(command) => advance::decide(draft, command),
        Command::Tree(command) => tree::decide(draft, command),
        Command::AnswerAttempt { attempt, outcome } => attempt::decide_answer(draft, attempt, &outcome),
        Command::BlockList(command) => block_list::decide(draft, command),
        Command::Certificate(command) => certificate::decide(draft, command),
        Command::ApiKey(command) => api_key::decide(draft, command),
        Command::PayPassword(command) => pay_password::decide(draft, command),
        Command::SignUp(command) => sign_up::decide(draft, command),
        Command::RealNameCheck(command) => real_name_check::decide(draft, command),
        Command::Webhook(command) => webhook::decide(draft, command),
        Command::Limit(command) => limit::decide(draft, command),
        Command::SiteWeight(command) => site_weight::decide(draft, command),
        Command::Outflow(command) => outflow::decide(draft, command),
        Command::FundBatch(command) => fund_batch::decide(draft, command),
        Command::SetParameters(command) => terminal_parameter::decide(draft, command),
        Command::TopUp(command) => top_up::decide(draft, command),
        Command::Transfer(command) => transfer::decide(draft, command),
        Command::BankCard(command) => bank_card::decide(draft, command),
        Command::WithdrawalPlan(command) => withdrawal_plan::decide(draft, command),
        Command::WithdrawalBatch(command) => withdrawal_batch::decide(draft, command),
        Command::Operator(command) => operator::decide(draft, command),
        Command::Approval(command) => approval::decide(draft, command),
        Command::ManualVoucher(command) => manual_voucher::decide(draft, command),
        Command::AllocateSuspense(command) => suspense::decide_allocate(draft, &command),
        Command::WaiveChecks(command) => waiver::decide_waive(draft, command),
        Command::Task(command) => task::decide(draft, command),
        Command::CardFee(command) => card_fee::decide(draft, command),
        Command::SetFeePlan(command) => fee_plan::decide(draft, command),
        Command::SetSplitPlan(command) => split_plan::decide(draft, command),
        Command::Acquiring(command) => acquiring::decide(draft, command),
        Command::Terminal(command) => terminal::decide(draft, command),
        Command::CardTransaction(command) => card_transaction::decide(draft, command),
        Command::BatchClose(command) => batch_close::decide(draft, command),
        Command::TakeCardFile(command) => card_clearing::decide(draft, &command),
    }
}
