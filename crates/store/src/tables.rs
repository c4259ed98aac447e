//! Every table of the state and where it is stored. A table that is new in the domain does not compile here until it
//! has a line and its feature file says what its row is.

use domain::State;
use domain::account::Account;
use domain::acquiring::Acquiring;
use domain::advance::{Advance, AdvancePolicy};
use domain::agreement::{Agreement, AgreementPayment};
use domain::api_key::ApiKey;
use domain::approval::Approval;
use domain::arrears::Arrears;
use domain::attempt::Attempt;
use domain::bank_card::BankCard;
use domain::batch_close::BatchClose;
use domain::block_list::BlockEntry;
use domain::bulk::Stream;
use domain::card_clearing::CardClearing;
use domain::card_fee::{CardCost, CardFeePlan};
use domain::card_transaction::CardTransaction;
use domain::certificate::Certificate;
use domain::chargeback::Chargeback;
use domain::clearing::Clearing;
use domain::conversion::Conversion;
use domain::customer::Customer;
use domain::exchange_rate::ExchangeRate;
use domain::fee_plan::FeePlan;
use domain::freeze::Freeze;
use domain::fund_batch::FundBatch;
use domain::hold::Hold;
use domain::leg::Leg;
use domain::limit::{AccountLimit, CustomerUse, LimitPolicy};
use domain::manual_voucher::VoucherTemplate;
use domain::merchant::Merchant;
use domain::notice::Notice;
use domain::operator::Operator;
use domain::order::Order;
use domain::outflow::Outflow;
use domain::own_transfer::OwnTransfer;
use domain::pay_password::PayPassword;
use domain::payout::Payout;
use domain::real_name_check::RealNameCheck;
use domain::recall::{Left, RowId};
use domain::receiver::SplitReceiver;
use domain::refund::Refund;
use domain::reserve_line::{ReserveBalance, ReserveLine};
use domain::settlement::Settlement;
use domain::sign_up::SignUp;
use domain::site_weight::SiteWeights;
use domain::split::Split;
use domain::state::Changes;
use domain::suspense::SuspenseItem;
use domain::terminal::Terminal;
use domain::terminal_parameter::ParameterSet;
use domain::top_up::TopUp;
use domain::transfer::Transfer;
use domain::tree::{QuotaCharge, TreeLink, TreeRun};
use domain::user::User;
use domain::webhook::Webhook;
use domain::withdrawal::Withdrawal;
use domain::withdrawal_batch::{RetryRule, WithdrawalBatch};
use domain::withdrawal_plan::WithdrawalPlan;

use crate::audit::Audit;
use crate::channel_rate;
use crate::db::Session;
use crate::error::StoreError;
use crate::recovery::{Difference, compare};
use crate::table::{self, Key, Stored};
use crate::webhook_delivery;

macro_rules! tables {
    ($($table:ident: $row:ty,)*) => {
        /// Writes every changed row as it is at `position`.
        pub(crate) fn write(session: &dyn Session, position: u64, changes: &Changes) -> Result<(), StoreError> {
            let Changes { days, announced, ended_tries, $($table,)* } = changes;
            table::write(session, position, days)?;
            webhook_delivery::insert(session, announced)?;
            channel_rate::count(session, ended_tries)?;
            $(table::write::<$row>(session, position, $table.iter().map(|(_, row)| row))?;)*
            Ok(())
        }

        /// Reads every row that was in memory: what would change a state from empty to the checkpoint; and when those of kinds
        /// that leave it were written.
        pub(crate) fn read(session: &dyn Session, left: Left) -> Result<(Changes, Vec<(RowId, u64)>), StoreError> {
            let (mut days, mut written) = (Vec::new(), Vec::new());
            table::read_open(session, left, |day, _| {
                days.push(day);
                Ok(())
            })?;
            $(let mut $table: Vec<(u64, $row)> = Vec::new();
            table::read_open(session, left, |row: $row, at| {
                written.extend(at);
                $table.push((row.id.0, row));
                Ok(())
            })?;)*
            Ok((Changes { days, announced: Vec::new(), ended_tries: Vec::new(), $($table,)* }, written))
        }

        /// Compares every row with the state.
        pub(crate) fn verify(session: &dyn Session, state: &State) -> Result<Vec<Difference>, StoreError> {
            let mut differences = Vec::new();
            compare(session, state.days.iter(), &mut differences)?;
            $(compare::<$row>(session, state.$table.iter().map(|(_, row)| row), &mut differences)?;)*
            Ok(differences)
        }

        /// Looks at every table, beside the state if there is one.
        pub(crate) fn audit(audit: &mut Audit<'_>, state: Option<&State>) {
            audit.table(state.map(|state| state.days.iter()));
            $(audit.table::<$row>(state.map(|state| state.$table.iter().map(|(_, row)| row)));)*
        }

        /// Gives every row of a state as its table would hold it.
        pub(crate) fn each(state: &State, each: &mut dyn FnMut(&'static str, i64, &[u8])) {
            state.days.iter().for_each(|row| give(row, each));
            $(state.$table.iter().for_each(|(_, row)| give::<$row>(row, each));)*
        }
    };
}

tables! {
    accounts: Account,
    holds: Hold,
    customers: Customer,
    users: User,
    merchants: Merchant,
    streams: Stream,
    attempts: Attempt,
    orders: Order,
    legs: Leg,
    splits: Split,
    refunds: Refund,
    clearings: Clearing,
    settlements: Settlement,
    payouts: Payout,
    agreements: Agreement,
    freezes: Freeze,
    operators: Operator,
    approvals: Approval,
    block_entries: BlockEntry,
    certificates: Certificate,
    api_keys: ApiKey,
    pay_passwords: PayPassword,
    sign_ups: SignUp,
    real_name_checks: RealNameCheck,
    split_receivers: SplitReceiver,
    webhooks: Webhook,
    limit_policies: LimitPolicy,
    account_limits: AccountLimit,
    customer_uses: CustomerUse,
    top_ups: TopUp,
    transfers: Transfer,
    bank_cards: BankCard,
    withdrawal_plans: WithdrawalPlan,
    withdrawal_batches: WithdrawalBatch,
    withdrawals: Withdrawal,
    retry_rules: RetryRule,
    notices: Notice,
    tree_links: TreeLink,
    tree_runs: TreeRun,
    quota_charges: QuotaCharge,
    voucher_templates: VoucherTemplate,
    site_weights: SiteWeights,
    outflows: Outflow,
    fund_batches: FundBatch,
    parameter_sets: ParameterSet,
    suspense_items: SuspenseItem,
    agreement_payments: AgreementPayment,
    exchange_rates: ExchangeRate,
    conversions: Conversion,
    reserve_lines: ReserveLine,
    reserve_balances: ReserveBalance,
    own_transfers: OwnTransfer,
    arrears: Arrears,
    chargebacks: Chargeback,
    advances: Advance,
    advance_policies: AdvancePolicy,
    card_fee_plans: CardFeePlan,
    card_costs: CardCost,
    fee_plans: FeePlan,
    acquirings: Acquiring,
    terminals: Terminal,
    card_transactions: CardTransaction,
    batch_closes: BatchClose,
    card_clearings: CardClearing,
}

fn give<X: Stored>(row: &X, each: &mut dyn FnMut(&'static str, i64, &[u8])) {
    each(X::TABLE, row.id().number(), &table::encode(row));
}
