//! Phase 2: the orders of the day: rent by card or at a network's page, combined payment, earnest money, commissions.

use anyhow::Result;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::browser::Browser;
use super::open::{Branch, Cast};
use super::stage::{each, text};
use super::{Stage, Talk};
use super::{network, sub_accounts};
use crate::api::Api;
use crate::bench::numbers::Numbers;
use crate::day_plan::{DayPlan, Stretch};

/// One rent in so many is paid at a network's page, UnionPay's and EPCC's by turns.
const PAGE_ONE_IN: u64 = 8;
/// One payer in so many leaves that page without paying.
const LEAVES_ONE_IN: u64 = 40;

/// Of one card in so many the network is left to the rules.
const ROUTED_ONE_IN: u64 = 3;

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rent by card.
    Rent,
    /// Rent by provident fund, deposit and fee by card.
    Combined,
    /// Earnest money of a house sale into an agreement account.
    Earnest,
    /// A commission, which a branch then splits.
    Commission,
    /// Rent by a fund's monthly batch, its shortfall by card.
    Month,
}

/// One order to be placed and paid.
#[derive(Debug, Clone)]
struct Wish {
    number: u64,
    kind: Kind,
    payer: String,
    merchant: String,
    destination: Option<String>,
    items: Vec<(&'static str, i64)>,
    rail: &'static str,
}

/// An order that was placed and paid for; what came of it, the bank says later.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) id: String,
    /// Whether rules chose its network.
    pub(super) routed: bool,
    /// Whether a sub-account at Ping An was asked to pay.
    pub(super) by_sub_account: bool,
}

/// The day's traffic so far.
#[derive(Debug)]
pub(super) struct Day {
    numbers: Numbers,
    next: u64,
    /// The plan that it is played by.
    pub(super) plan: DayPlan,
    /// What is left of it.
    stretches: VecDeque<Stretch>,
    /// Orders placed.
    pub(super) placed: Vec<Placed>,
    /// Time spent placing them.
    pub(super) spent: Duration,
}

impl Day {
    /// A day of `total` orders made from a seed, by a plan.
    pub(super) fn new(seed: u64, total: u64, plan: DayPlan) -> Self {
        let stretches = plan.stretches(total).into();
        Self { numbers: Numbers(seed), next: 1, plan, stretches, placed: Vec::new(), spent: Duration::ZERO }
    }

    /// How many orders are left.
    pub(super) fn left(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.orders).sum()
    }

    /// Places the orders that come before a minute of the day, stretch by stretch; gives the slowest answer in it.
    pub(super) async fn play(&mut self, stage: &Stage, cast: &Cast, until: usize, talk: &Talk) -> Result<Duration> {
        let mut slowest = Duration::ZERO;
        while let Some(stretch) = self.next_before(until) {
            slowest = slowest.max(self.place(stage, cast, stretch, talk).await?);
        }
        Ok(slowest)
    }

    /// The next stretch, if it is over by then.
    fn next_before(&mut self, until: usize) -> Option<Stretch> {
        self.stretches
            .front()
            .is_some_and(|stretch| stretch.ends <= until)
            .then(|| self.stretches.pop_front())
            .flatten()
    }

    /// Places the orders of a stretch; as many at once as its load is of the busiest minute's.
    async fn place(&mut self, stage: &Stage, cast: &Cast, stretch: Stretch, talk: &Talk) -> Result<Duration> {
        let last = self.next + stretch.orders;
        let wishes: Vec<Wish> = (self.next..last).map(|number| wish(number, cast, &mut self.numbers)).collect();
        self.next = last;
        let width = stage.concurrency * usize::try_from(stretch.load_percent).unwrap_or(100);
        let bar = talk.bar(wishes.len() as u64, "orders");
        let began = Instant::now();
        let placed = each(wishes, width.div_ceil(100).max(1), |_, wish| {
            let (api, browser, bar) = (stage.operator.clone(), stage.browser(), bar.clone());
            async move {
                let began = Instant::now();
                let placed = place(&api, &browser, &wish).await?;
                bar.inc(1);
                Ok((placed, began.elapsed()))
            }
        })
        .await?;
        bar.finish_and_clear();
        self.spent += began.elapsed();
        let slowest = placed.iter().map(|(_, took)| *took).max().unwrap_or_default();
        self.placed.extend(placed.into_iter().map(|(placed, _)| placed));
        Ok(slowest)
    }
}

fn pick<'a, T>(list: &'a [T], numbers: &mut Numbers) -> &'a T {
    let at = usize::try_from(numbers.draw() % list.len() as u64).unwrap_or_default();
    &list[at]
}

fn wish(number: u64, cast: &Cast, numbers: &mut Numbers) -> Wish {
    let payer = pick(&cast.payers, numbers).clone();
    let rent = i64::try_from(200_000 + numbers.draw() % 800 * 1_000).unwrap_or(200_000);
    let rail = if numbers.draw().is_multiple_of(4) { "unionpay" } else { "epcc" };
    let landlord = pick(&cast.landlords, numbers).id.clone();
    let branch: &Branch = pick(&cast.branches, numbers);
    let (kind, merchant, destination, items) = match numbers.draw() % 100 {
        0..65 => (Kind::Rent, landlord, None, vec![("rent", rent)]),
        65..83 => (Kind::Combined, landlord, None, vec![("rent", rent), ("deposit", rent), ("service_fee", rent / 20)]),
        83..90 => {
            (Kind::Earnest, branch.company.id.clone(), Some(branch.earnest.clone()), vec![("earnest_money", rent * 5)])
        }
        _ => (Kind::Commission, branch.company.id.clone(), None, vec![("commission", rent * 3)]),
    };
    Wish { number, kind, payer, merchant, destination, items, rail }
}

impl Wish {
    /// The network to whose page the payer is sent, if to one.
    fn page(&self) -> Option<&'static str> {
        let rail = if (self.number / PAGE_ONE_IN).is_multiple_of(2) { "epcc" } else { "unionpay" };
        (self.kind == Kind::Rent && self.number.is_multiple_of(PAGE_ONE_IN)).then_some(rail)
    }
}

async fn place(api: &Api, browser: &Browser, wish: &Wish) -> Result<Placed> {
    let number = wish.number;
    let amount: i64 = wish.items.iter().map(|(_, amount)| amount).sum();
    let items: Vec<Value> = wish.items.iter().map(|(kind, amount)| json!({ "kind": kind, "amount": amount })).collect();
    let mut body = json!({
        "merchant": wish.merchant, "out_trade_no": format!("T{number}"), "payer": wish.payer, "currency": "CNY",
        "items": items, "tries_allowed": 1,
    });
    if let (Some(destination), Some(fields)) = (&wish.destination, body.as_object_mut()) {
        fields.insert("destination".to_owned(), json!(destination));
    }
    let order = api.post("/v1/orders", &format!("order-{number}"), &body).await?.json()?;
    let id = text(&order, "id")?;
    if let Some(rail) = wish.page() {
        let body = json!({ "instruments": [{ "type": "redirect", "rail": rail, "amount": amount }] });
        api.post(&format!("/v1/orders/{id}/pay"), &format!("pay-{number}"), &body).await?.json()?;
        let page = api.get(&format!("/v1/orders/{id}/front-page")).await?;
        let pays = !number.is_multiple_of(LEAVES_ONE_IN);
        let seen = browser.visit(&page, pays).await?;
        if !(pays && seen) && rail == "epcc" {
            // The shop sees its payer back, unpaid, and closes the order: EPCC ends the page.
            api.post(&format!("/v1/orders/{id}/close"), &format!("close-{number}"), &json!({})).await?.json()?;
        }
        return Ok(Placed { number, kind: wish.kind, id, routed: false, by_sub_account: false });
    }
    let fund = if wish.kind == Kind::Combined { wish.items.first().map_or(0, |(_, rent)| *rent) } else { 0 };
    let by_sub_account = sub_accounts::pays(number);
    let routed = !by_sub_account && number.is_multiple_of(ROUTED_ONE_IN);
    let named = || {
        json!({
            "type": "card", "agreement": format!("AGR{:08}", number % 100_000), "mask": "622202******0011",
            "rail": wish.rail, "amount": amount - fund, "credit": false,
        })
    };
    let card = match (by_sub_account, routed) {
        (true, _) => sub_accounts::instrument(number, amount - fund),
        (false, true) => network::routed_card(number, amount - fund),
        (false, false) => named(),
    };
    let mut instruments = vec![card];
    if fund > 0 {
        instruments.push(json!({ "type": "fund", "contract": format!("LEASE{number:08}"), "amount": fund }));
    }
    let body = json!({ "instruments": instruments });
    api.post(&format!("/v1/orders/{id}/pay"), &format!("pay-{number}"), &body).await?.json()?;
    Ok(Placed { number, kind: wish.kind, id, routed, by_sub_account })
}
