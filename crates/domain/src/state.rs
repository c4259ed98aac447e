//! The state: everything that the journal's events add up to.

use alloc::string::String;
use alloc::vec::Vec;

use crate::account::Account;
use crate::acquiring::{Acquiring, MerchantNumber};
use crate::advance::{Advance, AdvancePolicy};
use crate::agreement::{Agreement, AgreementKey, AgreementPayment};
use crate::approval::Approval;
use crate::arrears::Arrears;
use crate::attempt::{Attempt, Rail};
use crate::bank_card::BankCard;
use crate::batch_close::BatchClose;
use crate::block_list::{BlockEntry, Blocked};
use crate::book::Subject;
use crate::bulk::Stream;
use crate::business_day::{Day, Days};
use crate::calendar::{Calendar, Date};
use crate::card_clearing::CardClearing;
use crate::card_fee::{CardCost, CardFeePlan, CardScheme};
use crate::card_transaction::{CardTransaction, TraceKey};
use crate::certificate::Certificate;
use crate::channel::ChannelName;
use crate::chargeback::Chargeback;
use crate::clearing::Clearing;
use crate::customer::Customer;
use crate::envelope::Time;
use crate::freeze::{Freeze, FreezeScope};
use crate::hold::Hold;
use crate::ids::{
    AccountId, AcquiringId, AdvanceId, AgreementId, ApprovalId, ArrearsId, AttemptId, BankCardId, BatchCloseId,
    BlockEntryId, CardClearingId, CardCostId, CardFeePlanId, CardTransactionId, CertificateId, ChargebackId,
    ClearingId, CustomerId, FreezeId, HoldId, MerchantId, OperatorId, OrderId, OwnTransferId, PayoutId, QuotaChargeId,
    ReserveBalanceId, ReserveLineId, RetryRuleId, SignUpId, StreamId, SuspenseId, TemplateId, TerminalId, TreeLinkId,
    TreeRunId, UserId, WebhookId, WithdrawalBatchId, WithdrawalId, WithdrawalPlanId,
};
use crate::index::Index;
use crate::initialise::Genesis;
use crate::leg::Leg;
use crate::limit::{AccountLimit, CustomerUse, LimitPolicy};
use crate::manual_voucher::VoucherTemplate;
use crate::merchant::Merchant;
use crate::money::{Currency, Minor};
use crate::notice::Notice;
use crate::operator::Operator;
use crate::order::Order;
use crate::own_transfer::OwnTransfer;
use crate::payout::Payout;
use crate::rates::RateSums;
use crate::rates::channel::EndedTry;
use crate::recall::{Leaves, Left};
use crate::refund::Refund;
use crate::reserve_line::{LineTarget, ReserveBalance, ReserveLine};
use crate::settlement::Settlement;
use crate::split::Split;
use crate::suspense::SuspenseItem;
use crate::table::Table;
use crate::terminal::Terminal;
use crate::top_up::TopUp;
use crate::transfer::Transfer;
use crate::tree::{QuotaCharge, TreeLink, TreeRun};
use crate::user::User;
use crate::voucher::{BusinessNumber, PostedEntry};
use crate::webhook::{Announcement, Webhook};
use crate::withdrawal::Withdrawal;
use crate::withdrawal_batch::{RetryRule, WithdrawalBatch};
use crate::withdrawal_plan::WithdrawalPlan;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// An order expires; the first of a moment, since the order's page ends then at the latest.
    Order(OrderId),
    /// A hold expires.
    Hold(HoldId),
    /// A freeze expires.
    Freeze(FreezeId),
    /// The next try of an automatic withdrawal.
    Withdrawal(WithdrawalId),
    /// The rules of a parent's children run.
    TreeRules(AccountId),
    /// A proposal lapses.
    Approval(ApprovalId),
    /// A page that nobody fetched expires.
    FrontPage(AttemptId),
    /// A signing that no code came for expires.
    SignUp(SignUpId),
}

/// When a row of a table leaves memory; never, in most.
macro_rules! closed {
    () => {
        None
    };
    ($closed:path) => {
        Some($closed)
    };
}

macro_rules! state {
    (
        tables { $($(#[$table_doc:meta])* $table:ident: $row:ty $(=> $closed:path)?,)* }
        indexes { $($(#[$index_doc:meta])* $index:ident: $key:ty => $value:ty,)* }
    ) => {
        /// Everything that the journal's events add up to.
        #[derive(Debug, Clone, Default)]
        pub struct State {
            /// What the books began with.
            pub genesis: Option<Genesis>,
            /// The engine's time; it never goes back.
            pub now: Time,
            /// The position of the last event.
            pub position: u64,
            /// The working days.
            pub calendar: Calendar,
            /// What they were before the command under way set some, so that a refusal takes it back.
            pub calendar_before: Option<Calendar>,
            /// Versions of plans of splits, oldest first.
            pub split_plans: Vec<crate::split_plan::SplitPlan>,
            /// How many there were before the command under way, so that a refusal takes its own back.
            pub split_plans_before: usize,
            /// The accounting days.
            pub days: Days,
            $($(#[$table_doc])* pub $table: Table<$row>,)*
            $($(#[$index_doc])* pub $index: Index<$key, $value>,)*
            /// Entries posted since the engine last took them.
            pub posted: Vec<PostedEntry>,
            /// What webhooks are to be told since the engine last took it.
            pub announced: Vec<Announcement>,
            /// Tries at channels that ended since the engine last took them.
            pub ended_tries: Vec<EndedTry>,
            /// Rows that are away were last changed here or before: a store at this position has them. Two states of one
            /// journal may differ in it, as in which closed rows they have in memory.
            pub checkpointed: u64,
            /// How far closed rows left by the journal, but for what a program let go of that knew holds only.
            pub left: Left,
            /// Nothing leaves: for a replay that checks what came back.
            pub keep_closed: bool,
            /// What of the rates of orders does not hang on answers that are missing.
            pub rates: RateSums,
        }

        /// The rows that a batch changed, as they are at its end, for the store.
        #[derive(Debug, Clone, Default)]
        pub struct Changes {
            /// Accounting days.
            pub days: Vec<Day>,
            /// What webhooks are to be told of it, in the order of the events.
            pub announced: Vec<Announcement>,
            /// Tries at channels that ended in it, in the order of the events.
            pub ended_tries: Vec<EndedTry>,
            $($(#[$table_doc])* pub $table: Vec<(u64, $row)>,)*
        }

        impl Changes {
            /// True if nothing changed.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.days.is_empty() && self.announced.is_empty() && self.ended_tries.is_empty() $(&& self.$table.is_empty())*
            }

            /// How many images of rows there are, an image for each change of a row, and announcements.
            #[must_use]
            pub fn len(&self) -> usize {
                self.days.len() + self.announced.len() + self.ended_tries.len() $(+ self.$table.len())*
            }

            /// Adds later changes behind the earlier ones.
            pub fn extend(&mut self, later: Self) {
                self.days.extend(later.days);
                self.announced.extend(later.announced);
                self.ended_tries.extend(later.ended_tries);
                $(self.$table.extend(later.$table);)*
            }

            /// Keeps the last image of each row: once for many batches, since it sorts.
            pub fn keep_last(&mut self) {
                keep_last(&mut self.days, |day| day.date);
                $(keep_last(&mut self.$table, |row| row.0);)*
            }
        }

        impl State {
            /// A state of these rows, which a store at `position` has, with neither days nor indexes.
            pub(crate) fn of_rows(rows: Changes, position: u64) -> Self {
                let mut state = Self { $($table: Table::restored(rows.$table),)* ..Self::default() };
                $($(state.$table.note_restored(position, $closed);)?)*
                state
            }

            pub(crate) fn begin(&mut self, recording: bool) {
                self.rates.begin();
                self.calendar_before = None;
                self.split_plans_before = self.split_plans.len();
                self.days.begin(recording);
                $(self.$table.begin(recording);)*
                $(self.$index.begin(recording);)*
            }

            pub(crate) fn commit(&mut self) {
                self.calendar_before = None;
                self.days.commit();
                $(self.$table.commit();)*
                $(self.$index.commit();)*
            }

            pub(crate) fn rollback(&mut self) {
                self.rates.rollback();
                if let Some(before) = self.calendar_before.take() {
                    self.calendar = before;
                }
                self.split_plans.truncate(self.split_plans_before);
                self.days.rollback();
                $(self.$table.rollback();)*
                $(self.$index.rollback();)*
            }

            /// From now on nothing was asked for that is away. Tables that no row leaves note it too where ids have gaps, as
            /// of users without a pay password, and would note it for ever.
            pub fn forget_missed(&self) {
                $(self.$table.forget_missed();)*
            }

            /// The names of the fields that `other` has otherwise; where days, tables and indexes lie in memory, which closed
            /// rows left it and what changed lately is not compared.
            #[must_use]
            pub fn differing(&self, other: &Self) -> Vec<&'static str> {
                let mut names = Vec::new();
                let mut compare = |name, same: bool| if !same { names.push(name) };
                let Self { genesis, now, position, calendar, split_plans, rates, days, $($table,)* $($index,)* .. } = self;
                compare("genesis", *genesis == other.genesis);
                compare("now", *now == other.now);
                compare("position", *position == other.position);
                compare("calendar", *calendar == other.calendar);
                compare("split_plans", *split_plans == other.split_plans);
                compare("rates", rates.get() == other.rates.get());
                compare("days", days.is_same(&other.days));
                $(compare(stringify!($table), $table.is_same(&other.$table, closed!($($closed)?)));)*
                $(compare(stringify!($index), $index.iter().eq(other.$index.iter()));)*
                names
            }

            /// How many rows of each table are in memory.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
                [$((stringify!($table), self.$table.len()),)*].into_iter()
            }

            /// The rows changed since the last call. Balances and entry counts of accounts are not among what counts as a
            /// change: history holds them.
            pub fn take_changes(&mut self) -> Changes {
                let position = self.position;
                $($(self.$table.note_closed(position, $closed);)?)*
                let announced = core::mem::take(&mut self.announced);
                let ended_tries = core::mem::take(&mut self.ended_tries);
                Changes { days: self.days.take_dirty(), announced, ended_tries, $($table: self.$table.take_dirty(),)* }
            }
        }
    };
}

state! {
    tables {
        /// Accounts.
        accounts: Account,
        /// Holds.
        holds: Hold => Hold::is_closed,
        /// Customers.
        customers: Customer,
        /// Users.
        users: User,
        /// Merchants.
        merchants: Merchant,
        /// Streams of bulk postings.
        streams: Stream,
        /// Attempts at channels.
        attempts: Attempt => Attempt::is_closed,
        /// Orders.
        orders: Order => Order::is_closed,
        /// Legs of payments.
        legs: Leg => Leg::is_closed,
        /// Splits.
        splits: Split => Split::is_closed,
        /// Refunds.
        refunds: Refund => Refund::is_closed,
        /// Clearing files, by part.
        clearings: Clearing,
        /// Settlements.
        settlements: Settlement => Settlement::is_closed,
        /// Payouts and withdrawals.
        payouts: Payout => Payout::is_closed,
        /// Agreements.
        agreements: Agreement,
        /// Freezes.
        freezes: Freeze,
        /// Lines of the reserve account's statement.
        reserve_lines: ReserveLine,
        /// Closing balances of the reserve account's statement.
        reserve_balances: ReserveBalance,
        /// Transfers between own money and reserve.
        own_transfers: OwnTransfer,
        /// What merchants owe.
        arrears: Arrears,
        /// Chargebacks.
        chargebacks: Chargeback,
        /// Advances.
        advances: Advance,
        /// The rules for advances, a row a version.
        advance_policies: AdvancePolicy,
        /// Entries of block lists.
        block_entries: BlockEntry,
        /// Certificates of merchants.
        certificates: Certificate,
        /// Serial numbers of API keys' secrets, of those who rotated.
        api_keys: crate::api_key::ApiKey,
        /// Pay passwords, by the user's id.
        pay_passwords: crate::pay_password::PayPassword,
        /// Signings of agreements to debit cards.
        sign_ups: crate::sign_up::SignUp,
        /// Real-name checks.
        real_name_checks: crate::real_name_check::RealNameCheck,
        /// Receivers of splits, registered and removed.
        split_receivers: crate::receiver::SplitReceiver,
        /// Webhooks of merchants.
        webhooks: Webhook,
        /// Versions of the limits.
        limit_policies: LimitPolicy,
        /// Classes and sums of personal payment accounts, by the account's id.
        account_limits: AccountLimit,
        /// Sums of customers, by the customer's id.
        customer_uses: CustomerUse,
        /// Top-ups.
        top_ups: TopUp => TopUp::is_closed,
        /// Transfers.
        transfers: Transfer => Transfer::is_closed,
        /// Bank cards that sent a withdrawal back.
        bank_cards: BankCard,
        /// Plans of automatic withdrawals.
        withdrawal_plans: WithdrawalPlan,
        /// Batches of automatic withdrawals.
        withdrawal_batches: WithdrawalBatch,
        /// Automatic withdrawals.
        withdrawals: Withdrawal,
        /// Rules of which failures are tried again.
        retry_rules: RetryRule,
        /// What customers are to be told.
        notices: Notice,
        /// Links between parent and child accounts, current and ended.
        tree_links: TreeLink,
        /// Runs of sweeps and allocations.
        tree_runs: TreeRun,
        /// What holds used of quotas.
        quota_charges: QuotaCharge,
        /// Payments out of agreement accounts.
        agreement_payments: AgreementPayment => AgreementPayment::is_closed,
        /// Exchange rates.
        exchange_rates: crate::exchange_rate::ExchangeRate,
        /// Conversions between currencies.
        conversions: crate::conversion::Conversion,
        /// Operators.
        operators: Operator,
        /// Proposals and what two people made of them.
        approvals: Approval,
        /// Templates of manual vouchers.
        voucher_templates: VoucherTemplate,
        /// Money in suspense.
        suspense_items: SuspenseItem,
        /// Versions of the weights of channels' sites.
        site_weights: crate::site_weight::SiteWeights,
        /// What leaves by channels, a row a channel and currency.
        outflows: crate::outflow::Outflow,
        /// Monthly batches of provident-fund centres.
        fund_batches: crate::fund_batch::FundBatch,
        /// Versions of sets of terminals' parameters.
        parameter_sets: crate::terminal_parameter::ParameterSet,
        /// Versions of plans of card fees.
        card_fee_plans: CardFeePlan,
        /// Versions of what card schemes cost.
        card_costs: CardCost,
        /// Versions of what orders, payouts and withdrawals cost.
        fee_plans: crate::fee_plan::FeePlan,
        /// What merchants take cards under.
        acquirings: Acquiring,
        /// Terminals.
        terminals: Terminal,
        /// Card transactions.
        card_transactions: CardTransaction => CardTransaction::is_closed,
        /// Batch closes.
        batch_closes: BatchClose,
        /// The network's files of card transactions, by part.
        card_clearings: CardClearing,
    }
    indexes {
        /// Freezes in force, by what they lie on.
        freezes_in_force: (FreezeScope, FreezeId) => (),
        /// What the precise freezes in force on customers add up to.
        customer_frozen: (CustomerId, Currency) => Minor,
        /// Stop-payments that no freeze of their authority has followed.
        stop_payments: (FreezeScope, String) => FreezeId,
        /// Accounts by the customer (客户) behind their user or merchant.
        customer_accounts: (CustomerId, AccountId) => (),
        /// The institution's own accounts.
        institution: (Subject, Currency) => AccountId,
        /// Streams by name.
        stream_names: String => StreamId,
        /// Users by customer and product.
        users_by_product: (CustomerId, String) => UserId,
        /// Operators by login.
        operator_logins: String => OperatorId,
        /// Templates by code.
        template_codes: String => TemplateId,
        /// Open items of suspense, by the business number that brought them.
        open_suspense: (BusinessNumber, SuspenseId) => (),
        /// Payouts that have not ended, by the account that pays.
        open_payouts: (AccountId, PayoutId) => (),
        /// Agreements by number, party and purpose.
        agreement_keys: AgreementKey => AgreementId,
        /// What of each order is to be settled to a merchant from which day on.
        due: (MerchantId, Date, OrderId) => Minor,
        /// Successful attempts that no clearing file has matched yet, by channel and clearing date.
        uncleared: (ChannelName, Date, AttemptId) => (),
        /// Payouts that came back and whose return no clearing file has matched yet, by rail and date of the return.
        uncleared_returns: (Rail, Date, PayoutId) => (),
        /// Differences of clearing files that have not ended.
        open_differences: crate::clearing::difference::DifferenceId => (),
        /// Lines of clearing files that two people let stand, under serials that their channel was not asked with.
        stood_lines: crate::clearing::difference::twice::StoodKey => (),
        /// Parts of clearing files taken.
        clearing_files: (ChannelName, Date, u32) => ClearingId,
        /// Lines of the reserve account's statement by their reference.
        line_references: String => ReserveLineId,
        /// What a statement line is awaited for, by the amount that it brings to the reserve (below zero: takes out).
        awaited_lines: (Currency, Minor, LineTarget) => (),
        /// The net of clearing sessions that no statement line has matched yet.
        awaited_sessions: (Rail, Date) => Minor,
        /// What of that is on 1101 already, of sessions whose files booked it before their line (up to level 17).
        booked_sessions: (Rail, Date) => Minor,
        /// Closing balances of the reserve account's statement by day.
        statement_balances: (Date, Currency) => ReserveBalanceId,
        /// Holds of transfers between own money and reserve, which end with the transfer.
        transfer_holds: HoldId => OwnTransferId,
        /// What merchants still owe.
        open_arrears: (MerchantId, ArrearsId) => (),
        /// Chargebacks by the network's case number.
        chargeback_cases: String => ChargebackId,
        /// Advances by merchant and accounting day.
        merchant_advances: (MerchantId, Date, AdvanceId) => (),
        /// Advances whose money may still come back to the merchant's 2202.
        open_advances: (MerchantId, AdvanceId) => (),
        /// Advances that their bank paid after they had failed, until that is settled or back.
        claimed_advances: AdvanceId => (),
        /// Attempts whose answer is not certain.
        outbox: AttemptId => (),
        /// Those of them that a fund's monthly batch carries, by their lease.
        lease_tries: (String, AttemptId) => (),
        /// Entries of block lists that were not removed, by whom they block.
        blocked: (Blocked, BlockEntryId) => (),
        /// Certificates of each merchant.
        merchant_certificates: (MerchantId, CertificateId) => (),
        /// Certificates by their public key.
        certificate_keys: Vec<u8> => CertificateId,
        /// Serial numbers of each caller's secret.
        owner_api_keys: (crate::api_key::KeyOwner, crate::ids::ApiKeyId) => (),
        /// Signings of each customer that wait or are signed.
        customer_sign_ups: (CustomerId, SignUpId) => (),
        /// Signings by network, number of their agreement and the word of their channel.
        sign_up_agreements: (Rail, String, Option<String>, SignUpId) => (),
        /// Signings whose channel was asked and has not answered.
        asked_sign_ups: SignUpId => (),
        /// Real-name checks without an answer, by customer.
        open_real_name_checks: (CustomerId, crate::ids::RealNameCheckId) => (),
        /// Receivers of splits by payee and who receives.
        payee_receivers: (MerchantId, MerchantId) => crate::ids::ReceiverId,
        /// Webhooks of each merchant.
        merchant_webhooks: (MerchantId, WebhookId) => (),
        /// Bank cards that were not verified since they sent money back.
        stopped_cards: (CustomerId, String) => BankCardId,
        /// Plans of withdrawals that have not ended, by account.
        plans_by_account: AccountId => WithdrawalPlanId,
        /// Batches of withdrawals by accounting day and number.
        batches_by_day: (Date, u32) => WithdrawalBatchId,
        /// The automatic withdrawal of each plan that is not final.
        open_withdrawals: WithdrawalPlanId => WithdrawalId,
        /// Automatic withdrawals that the next batch takes up.
        carried_withdrawals: WithdrawalId => (),
        /// Rules of retries by the channel's code.
        retry_codes: String => RetryRuleId,
        /// The link of each child now.
        tree_parents: AccountId => TreeLinkId,
        /// The links of each parent now, by child.
        tree_children: (AccountId, AccountId) => TreeLinkId,
        /// Every link that a parent ever had.
        tree_history: (AccountId, TreeLinkId) => (),
        /// Runs of rules by parent and number.
        tree_run_numbers: (AccountId, String) => TreeRunId,
        /// What a hold used of a quota.
        quota_charges_by_hold: HoldId => QuotaChargeId,
        /// Versions of plans of card fees by name and first day.
        card_fee_plan_codes: (String, Date) => CardFeePlanId,
        /// Versions of what card schemes cost by scheme and first day.
        card_cost_days: (CardScheme, Date) => CardCostId,
        /// Versions of what orders, payouts and withdrawals cost, by whose they are, what they price and first day.
        fee_plan_days: (crate::fee_plan::FeeOwner, crate::fee_plan::FeeOf, Date) => crate::ids::FeePlanId,
        /// Acquiring by merchant number.
        merchant_numbers: MerchantNumber => AcquiringId,
        /// Acquiring by merchant and category.
        acquiring_categories: (MerchantId, u64) => AcquiringId,
        /// Card transactions that the network owes an answer: their own, their reversal's, or to a report of scripts.
        card_outbox: CardTransactionId => (),
        /// Card transactions by terminal, batch and trace.
        card_traces: TraceKey => CardTransactionId,
        /// Approved pre-authorisations by acquiring, token and authorisation.
        preauthorisations: (AcquiringId, String, String, CardTransactionId) => (),
        /// Holds that end with a card transaction.
        card_holds: HoldId => CardTransactionId,
        /// Card transactions that the network's file must still name, by clearing date.
        uncleared_cards: (Date, CardTransactionId) => (),
        /// What of each card transaction is to be settled to its merchant from which day on.
        card_due: (MerchantId, Date, CardTransactionId) => Minor,
        /// The latest close of a terminal's batch.
        terminal_batches: (TerminalId, u32) => BatchCloseId,
        /// Parts of the network's files of card transactions that were taken.
        card_files: (Date, u32) => CardClearingId,
        /// Terminals by serial.
        terminal_serials: String => TerminalId,
        /// What falls due when.
        timers: (Time, Timer) => (),
    }
}

fn keep_last<T, K: Ord>(rows: &mut Vec<T>, key: impl Fn(&T) -> K) {
    // A stable sort keeps the later image behind the earlier one; then the last of each key stays.
    rows.sort_by_key(&key);
    rows.reverse();
    rows.dedup_by_key(|row| key(row));
    rows.reverse();
}
