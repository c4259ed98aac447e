//! What a payer can pay with: cards signed here, its balance, pages of channels, the provident fund; and what their ids stand for.
//!
//! ```text
//!  sgn_2          a card, by the agreements that were signed for it at all channels, of which sgn_2 is the oldest
//!  balance        the payer's own balance, which its pay password opens
//!  page_unionpay  the page of the channel of that rail
//!  fund           the provident fund, which pays rent
//! ```
//! A card is listed once, however often it was signed: the rules of routing choose among its channels, as of a merchant's `agreements`.
//! A balance is listed however much is on it: a list that knew would tell whoever opens sessions for orders of many amounts.

use channels::OperationKind;
use domain::Refusal;
use domain::account::{AccountStatus, Owner};
use domain::attempt::Rail;
use domain::book::Subject;
use domain::channel::ChannelName;
use domain::ids::{AccountId, SignUpId};
use domain::leg::bank_of_number;
use domain::order::{ItemKind, Order};
use domain::sign_up::SignUp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::App;
use super::super::error::ApiError;
use super::super::payment::{CARD_RAILS, WireInstrument};
use super::super::wire::Amount;
use crate::shell::executor::Route;

/// The id of the provident fund.
const FUND: &str = "fund";
/// The id of the payer's balance, and what it is called.
const BALANCE: &str = "balance";
/// What the id of a page begins with; its rail follows.
const PAGE: &str = "page_";

/// What a payer can pay with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CashierInstrumentView {
    /// What `pay` names it by: `sgn_2`, `balance`, `page_unionpay`, `fund`.
    #[schema(example = "sgn_2")]
    id: String,
    /// `card`, `balance`, `redirect` or `fund`.
    #[schema(example = "card")]
    r#type: &'static str,
    /// The card as it may be shown: 6 + 4.
    #[schema(example = "622202******2230")]
    mask: Option<String>,
    /// The network; of a card that of its oldest signing, and the rules of routing choose among all of its channels.
    #[schema(example = "epcc")]
    rail: &'static str,
    /// The first three digits of the card's bank's interbank number (联行号).
    #[schema(example = "102")]
    bank: Option<String>,
    /// Whether it is a credit card.
    credit: bool,
    /// How much of the order it may pay.
    amount_max: Amount,
    /// What has to come with it: `pay_password`, `contract`.
    needs: Vec<&'static str>,
}

/// One instrument of a payment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CashierPart {
    /// The id that was listed.
    #[schema(example = "sgn_2")]
    id: String,
    /// Minor units; all of the order unless said, where it pays alone.
    amount: Option<Amount>,
    /// Of the fund: the lease's number at the centre.
    #[schema(example = "L2026-118")]
    contract: Option<String>,
    /// Of the fund: the month, where its centre pays by monthly batches.
    #[schema(example = "2026-03")]
    period: Option<String>,
    /// Of the fund: whether the card beside it pays what the centre does not pay, of a month or at once.
    #[serde(default)]
    shortfall_by_card: bool,
    /// Of a page: where the payer's browser goes afterwards; the channel's setting unless said.
    #[schema(example = "https://shop.example/orders/7")]
    return_url: Option<String>,
}

/// What the configured channels carry of an order.
#[derive(Clone)]
pub(super) struct Offered {
    debits: Vec<ChannelName>,
    pages: Vec<Rail>,
    /// What the fund may pay; nothing where there is none.
    fund: i64,
}

impl Offered {
    /// By what the channels' manifests say, and by what may pay what: a credit card pays no house price, and which card pays at a page is
    /// the payer's choice.
    pub(super) fn of(app: &App, order: &Order) -> Self {
        let carries = |route: &Route, kind: OperationKind| route.channel.manifest().supported(kind).is_some();
        let routes = app.executor.routes.iter();
        let debits =
            routes.filter(|(name, route)| CARD_RAILS.contains(&name.rail) && carries(route, OperationKind::Debit));
        let has_page =
            |rail: &Rail| app.executor.first(*rail).is_some_and(|route| carries(route, OperationKind::Redirect));
        let house = sells_house(order);
        Self {
            debits: debits.map(|(name, _)| name.clone()).collect(),
            pages: if house { Vec::new() } else { CARD_RAILS.into_iter().filter(has_page).collect() },
            fund: if app.executor.first(Rail::Fund).is_some() { order.sum_of(ItemKind::Rent) } else { 0 },
        }
    }

    /// Whether an agreement may pay the order: of the payer's own card, signed for this merchant or for the institution.
    fn has(&self, order: &Order, row: &SignUp) -> bool {
        row.payer == order.payer
            && row.merchant.is_none_or(|merchant| merchant == order.merchant)
            && self.debits.contains(&row.channel_name())
    }

    /// The card that a signing signed: all of its agreements that may pay the order, the oldest first; none that is over. What is a credit
    /// card at one of its channels is one at all of them.
    fn card<'a>(&self, state: &'a domain::State, order: &Order, row: &'a SignUp) -> Vec<&'a SignUp> {
        if sells_house(order) && state.is_credit_card(row) {
            return Vec::new();
        }
        state.signed_by_card(row.customer, &row.token).filter(|row| self.has(order, row)).collect()
    }
}

fn sells_house(order: &Order) -> bool {
    order.sum_of(ItemKind::HousePrice) > 0
}

/// What may pay an order: cards first, the oldest signing before the others.
pub(super) fn listed(
    state: &domain::State,
    order: &Order,
    offered: &Offered,
) -> Result<Vec<CashierInstrumentView>, Refusal> {
    let customer = state.user(order.payer)?.customer;
    let password = state.pay_passwords.get(order.payer.0).is_some_and(|row| row.agreements);
    let card = |row: &SignUp| {
        let all = offered.card(state, order, row);
        let oldest = all.first().is_some_and(|first| first.id == row.id);
        oldest.then(|| CashierInstrumentView {
            id: row.id.to_string(),
            r#type: "card",
            mask: Some(row.account.mask.clone()),
            rail: row.rail.name(),
            bank: bank_of_number(&row.bank),
            credit: state.is_credit_card(row),
            amount_max: Amount(order.payable()),
            needs: if password { vec!["pay_password"] } else { Vec::new() },
        })
    };
    let other = |id: String, r#type, rail, amount_max, needs| CashierInstrumentView {
        id,
        r#type,
        mask: None,
        rail,
        bank: None,
        credit: false,
        amount_max: Amount(amount_max),
        needs,
    };
    let mut all: Vec<_> = state.sign_ups_of(customer).filter_map(card).collect();
    if balance_of(state, order).is_some() {
        all.push(other(BALANCE.to_owned(), BALANCE, BALANCE, order.payable(), vec!["pay_password"]));
    }
    for rail in &offered.pages {
        all.push(other(format!("{PAGE}{}", rail.name()), "redirect", rail.name(), order.payable(), Vec::new()));
    }
    if offered.fund > 0 {
        all.push(other(FUND.to_owned(), "fund", Rail::Fund.name(), offered.fund, vec!["contract"]));
    }
    Ok(all)
}

/// The account that pays as the payer's balance: its first open one in the order's currency, if it has a pay password, which alone can
/// prove here that it is the payer who asks.
fn balance_of(state: &domain::State, order: &Order) -> Option<AccountId> {
    state.pay_passwords.get(order.payer.0)?;
    let customer = state.user(order.payer).ok()?.customer;
    let mut own = state.accounts_of(customer).filter(|account| account.owner == Owner::User(order.payer));
    let pays = own.find(|account| {
        account.subject == Subject::Personal
            && account.currency == order.currency
            && account.status == AccountStatus::Open
    });
    pays.map(|account| account.id)
}

/// The instruments that the ids of a payment stand for.
///
/// # Errors
/// `cashier_instrument_unknown`, `field_missing`, `field_malformed`, each naming which instrument.
pub(super) async fn chosen(app: &App, order: &Order, parts: Vec<CashierPart>) -> Result<Vec<WireInstrument>, ApiError> {
    let offered = Offered::of(app, order);
    // What pays alone pays all.
    let all = (parts.len() == 1).then_some(Amount(order.payable()));
    let mut wire = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        let instrument = part.instrument(app, order, &offered, all).await;
        wire.push(instrument.map_err(|error| error.within(&format!("instruments[{index}]")))?);
    }
    Ok(wire)
}

/// The card of a signing, with its agreements at all of its channels; none if that signing pays nothing of the order.
fn card_of(
    state: &domain::State,
    order: &Order,
    offered: &Offered,
    id: SignUpId,
    amount: Amount,
) -> Option<WireInstrument> {
    let all = offered.card(state, order, state.sign_ups.get(id.0)?);
    let row = all.iter().find(|row| row.id == id)?;
    let agreement = |row: &&SignUp| Some((row.channel_name().to_string(), row.agreement.clone()?));
    Some(WireInstrument::Card {
        agreement: None,
        agreements: all.iter().filter_map(agreement).collect(),
        mask: row.account.mask.clone(),
        rail: None,
        bank: all.first().and_then(|first| bank_of_number(&first.bank)),
        amount,
        credit: state.is_credit_card(row),
    })
}

impl CashierPart {
    async fn instrument(
        self,
        app: &App,
        order: &Order,
        offered: &Offered,
        all: Option<Amount>,
    ) -> Result<WireInstrument, ApiError> {
        let missing = |param: &str, message: &str| ApiError::new("field_missing", Some(param), message);
        let amount = self.amount.or(all);
        let amount = amount.ok_or_else(|| missing("amount", "say how much of the order it pays"))?;
        if self.id == FUND && offered.fund > 0 {
            self.takes(&["contract", "period", "shortfall_by_card"])?;
            let contract = self.contract.ok_or_else(|| missing("contract", "name the lease's number at the centre"))?;
            let (period, shortfall_by_card) = (self.period, self.shortfall_by_card);
            return Ok(WireInstrument::Fund { contract, amount, holds: None, period, shortfall_by_card });
        }
        if self.id == BALANCE {
            self.takes(&[])?;
            let of = order.clone();
            let account = app.look(move |state| Ok(balance_of(state, &of))).await?.view;
            let account = account.ok_or_else(|| self.unknown())?.to_string();
            return Ok(WireInstrument::Balance { account, amount, factors: None });
        }
        if let Some(name) = self.id.strip_prefix(PAGE) {
            self.takes(&["return_url"])?;
            let rail = offered.pages.iter().find(|rail| rail.name() == name).ok_or_else(|| self.unknown())?;
            let rail = Some(rail.name().to_owned());
            return Ok(WireInstrument::Redirect { rail, amount, return_url: self.return_url });
        }
        let id: SignUpId = self.id.parse().map_err(|_| self.unknown())?;
        self.takes(&[])?;
        let (of, offered) = (order.clone(), offered.clone());
        let card = app.look(move |state| Ok(card_of(state, &of, &offered, id, amount))).await?.view;
        card.ok_or_else(|| self.unknown())
    }

    /// Refuses what belongs to another instrument than this.
    fn takes(&self, own: &[&str]) -> Result<(), ApiError> {
        let given = [
            ("contract", self.contract.is_some()),
            ("period", self.period.is_some()),
            ("shortfall_by_card", self.shortfall_by_card),
            ("return_url", self.return_url.is_some()),
        ];
        match given.iter().find(|(name, given)| *given && !own.contains(name)) {
            Some((name, _)) => Err(ApiError::malformed(name, format!("'{:.64}' takes none: leave it out", self.id))),
            None => Ok(()),
        }
    }

    fn unknown(&self) -> ApiError {
        let message = format!(
            "'{:.64}' is nothing that this session lists; take an id of GET /v1/cashier/orders/{{id}}/instruments",
            self.id
        );
        ApiError::new("cashier_instrument_unknown", Some("id"), message)
    }
}
