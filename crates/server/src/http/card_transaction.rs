//! Card transactions: look at them. Terminals ask for them, over their own protocol; a credit adjustment takes two people, by
//! an approval of kind `credit_adjustment`.

use axum::extract::State;
use domain::card_transaction::{CardKind, CardStatus, CardTransaction, CreditAdjustment, Reversal, ScriptResults};
use domain::ids::CardTransactionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

/// Money of a card transaction to give back, because its terminal gave it up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreditAdjustmentBody {
    #[schema(example = "ctx_42")]
    transaction: String,
    /// Fen above zero, at most what is left of it.
    amount: Amount,
    /// The case at the network, 1 to 64 bytes.
    #[schema(example = "CA-2026-000017")]
    case_number: String,
}

impl Wire for CreditAdjustmentBody {
    type Of = CreditAdjustment;

    fn read(self) -> Result<CreditAdjustment, ApiError> {
        let transaction = parse(&self.transaction, "transaction")?;
        Ok(CreditAdjustment { transaction, amount: self.amount.0, case_number: self.case_number })
    }

    fn show(of: &CreditAdjustment) -> Self {
        let (transaction, case_number) = (of.transaction.to_string(), of.case_number.clone());
        Self { transaction, amount: Amount(of.amount), case_number }
    }
}

/// The reversal of a card transaction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardReversalView)]
pub(crate) struct ReversalView {
    /// What F39 of it says: 98 no answer, A0 wrong MAC, 06 other.
    #[schema(example = "98")]
    reason: &'static str,
    asked_at: String,
    /// How often it began: again after each approval that came late.
    begun: u32,
    /// What the network last said to it.
    code: Option<String>,
    /// When the network took it.
    taken_at: Option<String>,
    voucher: Option<String>,
}

impl ReversalView {
    fn of(reversal: &Reversal) -> Self {
        Self {
            reason: reversal.reason.code(),
            asked_at: time_text(reversal.asked_at),
            begun: reversal.begun,
            code: reversal.code.clone(),
            taken_at: reversal.taken_at.map(time_text),
            voucher: reversal.voucher.map(|id| id.to_string()),
        }
    }
}

/// What the chip made of the issuer's scripts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardScriptsView)]
pub(crate) struct ScriptsView {
    /// In hex (tag DF31): five bytes a script.
    #[schema(example = "2000000001")]
    results: String,
    reported_at: String,
    /// When the network took them; until then it is told again.
    taken_at: Option<String>,
    /// What it said (F39).
    code: Option<String>,
}

impl ScriptsView {
    fn of(scripts: &ScriptResults) -> Self {
        Self {
            results: hex::encode_upper(&scripts.results),
            reported_at: time_text(scripts.reported_at),
            taken_at: scripts.taken_at.map(time_text),
            code: scripts.code.clone(),
        }
    }
}

/// A card transaction.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardTransactionView {
    #[schema(example = "ctx_42")]
    id: String,
    /// `sale`, `qr_sale`, `void`, `preauthorisation`, `preauthorisation_cancel`, `completion`, `completion_void`,
    /// `completion_advice`, `refund`, `adjustment`, `offline` or `credit_adjustment`.
    #[schema(example = "sale")]
    kind: &'static str,
    #[schema(example = "mch_4")]
    merchant: String,
    /// None of a credit adjustment.
    #[schema(example = "trm_7")]
    terminal: Option<String>,
    batch: Option<u32>,
    trace: Option<u32>,
    /// Its reference at the network (F37).
    #[schema(example = "000000000042")]
    reference: String,
    /// The card's first 6 and last 4 digits.
    #[schema(example = "625912******0002")]
    card: String,
    /// `debit` or `credit`.
    card_type: &'static str,
    #[schema(example = "unionpay")]
    scheme: &'static str,
    /// Fen.
    amount: Amount,
    /// What it is about.
    original: Option<String>,
    /// `requested`, `approved`, `declined`, `unknown`, `reversing` or `reversed`.
    #[schema(example = "approved")]
    status: &'static str,
    requested_at: String,
    authorisation: Option<String>,
    /// The network's answer (F39).
    code: Option<String>,
    answered_at: Option<String>,
    /// What the merchant pays for it.
    fee: Amount,
    /// What of issuer's and network's fees was booked.
    cost: Amount,
    refunded: Amount,
    reversal: Option<ReversalView>,
    scripts: Option<ScriptsView>,
    /// The date of the network's file that named it.
    cleared: Option<String>,
    /// From when on it is settled.
    due: Option<String>,
    voucher: Option<String>,
    allowed_actions: Vec<&'static str>,
}

impl CardTransactionView {
    fn of(row: &CardTransaction) -> Self {
        Self {
            id: row.id.to_string(),
            kind: row.kind.name(),
            merchant: row.merchant.to_string(),
            terminal: row.key.map(|key| key.terminal.to_string()),
            batch: row.key.map(|key| key.batch),
            trace: row.key.map(|key| key.trace),
            reference: row.reference(),
            card: row.card.mask.clone(),
            card_type: row.card.kind.name(),
            scheme: row.card.scheme.name(),
            amount: Amount(row.amount),
            original: row.original.map(|id| id.to_string()),
            status: row.status.name(),
            requested_at: time_text(row.requested_at),
            authorisation: row.authorisation.clone(),
            code: row.code.clone(),
            answered_at: row.answered_at.map(time_text),
            fee: Amount(row.money.fees.merchant),
            cost: Amount(row.money.cost),
            refunded: Amount(row.money.refunded),
            reversal: row.reversal.as_ref().map(ReversalView::of),
            scripts: row.scripts.as_ref().map(ScriptsView::of),
            cleared: row.cleared.map(date_text),
            due: row.due.map(date_text),
            voucher: row.voucher.map(|id| id.to_string()),
            allowed_actions: row.allowed_actions().to_vec(),
        }
    }
}

/// Look at a card transaction
#[utoipa::path(
    get, path = "/v1/card-transactions/{id}", tag = "card_transaction", params(("id" = String, Path, example = "ctx_42")),
    responses((status = OK, body = CardTransactionView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CardTransactionId>,
) -> Answered<CardTransactionView> {
    caller.operator()?;
    app.look(move |state| state.card_transaction(id).map(CardTransactionView::of)).await
}

list_query! {
    /// Which card transactions.
    pub(crate) struct CardTransactionQuery {
        /// Of this merchant.
        merchant,
        /// Of this terminal.
        terminal,
        /// In this batch.
        batch,
        /// Under this trace.
        trace,
        /// Of this kind.
        kind,
        /// Standing so.
        status,
        /// About this one.
        original,
        /// Asked for on this date or later.
        requested_from,
        /// Asked for on this date or earlier.
        requested_to,
    }
}

/// List card transactions
#[utoipa::path(
    get, path = "/v1/card-transactions", tag = "card_transaction", params(CardTransactionQuery),
    responses((status = OK, body = PageView<CardTransactionView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CardTransactionQuery>,
) -> ListAnswer<CardTransactionView> {
    caller.operator()?;
    let page = query.page();
    let kind = |text: &str| word(text, "kind", &CardKind::ALL, CardKind::name);
    let status = |text: &str| word(text, "status", &CardStatus::ALL, CardStatus::name);
    let filter = store::card_transaction::CardTransactionFilter {
        merchant: parse_some(query.merchant.as_deref(), "merchant")?,
        terminal: parse_some(query.terminal.as_deref(), "terminal")?,
        batch: parse_some(query.batch.as_deref(), "batch")?,
        trace: parse_some(query.trace.as_deref(), "trace")?,
        kind: query.kind.as_deref().map(kind).transpose()?,
        status: query.status.as_deref().map(status).transpose()?,
        original: parse_some(query.original.as_deref(), "original")?,
        requested_from: parse_some(query.requested_from.as_deref(), "requested_from")?,
        requested_to: parse_some(query.requested_to.as_deref(), "requested_to")?,
    };
    app.list(filter, page, |_, row| CardTransactionView::of(row)).await
}
