//! The other side of UnionPay online (银联在线支付): signed forms with signMethod 12, written from the fixtures.
//!
//! ```text
//!  browser ─ frontTransReq.do ─► a page ─ pay ─► settled by the plan ─► notification to backUrl, browser back to frontUrl
//!                                  │  └ leave: it stands there until it ends
//!                                  └ ended (told to, or the clearing date is past payTimeout) ─► never paid: a query says 34
//!  backTransReq.do ─► as any operation of the bank ─► "taken" and a notification, or the code of a decline
//!  queryTrans.do   ─► what the ledger holds
//! ```
//! Operations are the bank's own: one ledger, one fault plan, one clearing date. What the plan does to a payment at the page:
//!
//! | fault | the payer sees | told |
//! |---|---|---|
//! | `lost_before`, `garbage_before` | nothing, or an error, where the page should be; posted again it is there | nothing |
//! | `lost_after` | paid | nothing: a query says so |
//! | `garbage_after` | paid | a notification that somebody else signed |
//! | `late` | paid | `late_ms` later |
//! | `in_progress` | paid | when a query was told the outcome |
//! | `twice` | paid | twice |

mod codes;
pub(crate) mod form;
pub(crate) mod http;
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use form::Form;
use jiff::civil::Date;

use super::Bank;
use super::ledger::{Arrival, Entry, State, lock};
use super::names::{House, Rail, Serial, Verb};
use super::plan::Fault;
use super::stats::count;
use super::work::Reaction;

/// The secret that bank and platform share unless another is given. It protects nothing: the bank is not real.
pub const SANDBOX_UNIONPAY_SECRET: &str = "sandbox-secret-of-unionpay-online";

/// CNY in ISO 4217.
const CNY: &str = "156";
/// The card as it may be shown.
const CARD: &str = "6235********7577";
/// What a message repeats of the order it is about.
const TOLD: &[&str] = &[
    "version",
    "encoding",
    "accessType",
    "merId",
    "txnType",
    "txnSubType",
    "bizType",
    "orderId",
    "txnTime",
    "txnAmt",
    "currencyCode",
];

/// Where an order at the page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// The payer may pay.
    Open,
    /// The payer has paid, or was refused.
    Confirmed,
    /// Nobody paid in time.
    Ended,
}

#[derive(Debug, Clone)]
struct Order {
    entry: Entry,
    asked: Form,
    page: Option<Page>,
}

/// The orders that came as forms, and how they are answered.
#[derive(Debug)]
pub(crate) struct UnionPay {
    secret: String,
    client: reqwest::Client,
    orders: Mutex<BTreeMap<Serial, Order>>,
    /// By the number that a refund names.
    query_ids: Mutex<BTreeMap<String, Serial>>,
    /// Where every backUrl is reached from here, if it is not where it says.
    route: Mutex<Option<String>>,
}

/// What a browser gets.
#[derive(Debug)]
pub(crate) enum Shown {
    Page(String),
    Problem(String),
    /// The connection is cut.
    Nothing,
}

/// What the platform gets.
#[derive(Debug)]
pub(crate) enum Said {
    /// To be signed.
    Form(Form),
    Garbage,
    /// The connection is cut.
    Nothing,
}

/// What is told out of turn, for tests of whoever is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twist {
    /// Another amount than the order's.
    pub(crate) amount: Option<i64>,
    /// Signed by somebody else.
    pub(crate) forged: bool,
}

impl UnionPay {
    pub(crate) fn new(secret: String) -> Self {
        Self {
            secret,
            client: reqwest::Client::new(),
            orders: Mutex::default(),
            query_ids: Mutex::default(),
            route: Mutex::default(),
        }
    }

    fn order(&self, serial: Serial) -> Option<Order> {
        lock(&self.orders).get(&serial).cloned()
    }

    /// Keeps an order, if its number is new.
    fn keep(&self, order: &Order) {
        let serial = order.entry.serial;
        lock(&self.query_ids).insert(query_id(order), serial);
        lock(&self.orders).entry(serial).or_insert_with(|| order.clone());
    }

    /// The order of this queryId; a number that was never given belongs to none.
    fn by_query_id(&self, id: &str) -> Serial {
        lock(&self.query_ids).get(id).copied().unwrap_or(Serial::NONE)
    }

    /// Moves a page on, if it stands where it is expected; says whether it did.
    fn turn(&self, serial: Serial, from: &[Page], to: Page) -> bool {
        let mut orders = lock(&self.orders);
        let page = orders.get_mut(&serial).and_then(|order| order.page.as_mut());
        page.filter(|page| from.contains(page)).is_some_and(|page| {
            *page = to;
            true
        })
    }

    /// The fields that tell where an order stands; `origRespCode` stands beside `respCode` in the answer to a query.
    fn told(&self, order: &Order, state: &State) -> Form {
        let form = order.asked.only(TOLD);
        let State::Done { date } = state else { return form };
        let day = format!("{:02}{:02}", date.month(), date.day());
        form.with([
            ("queryId", query_id(order)),
            ("settleAmt", order.entry.amount.to_string()),
            ("settleCurrencyCode", String::from(CNY)),
            ("settleDate", day),
        ])
        .with(trace(order))
    }

    fn notification(&self, order: &Order, state: &State) -> Form {
        let (code, text) = codes::of(state);
        let original = order.asked.get("origQryId").map(|id| ("origQryId", id.to_owned()));
        self.told(order, state)
            .with(trace(order))
            .with(original)
            .with([("settleCurrencyCode", CNY), ("accNo", CARD), ("respCode", code), ("respMsg", text)].map(owned))
    }

    /// Posts a notification in a task of its own; nobody waits for the receipt.
    fn post(&self, order: &Order, told: &Form) {
        let route = lock(&self.route).clone();
        let Some(url) = route.or_else(|| order.asked.get("backUrl").map(str::to_owned)) else { return };
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(told.posted());
        tokio::spawn(async move { drop(request.send().await) });
    }

    /// Tells where an order that came as a form stands; false if this one did not.
    pub(crate) fn tell(&self, serial: Serial, state: &State) -> bool {
        let Some(order) = self.order(serial) else { return false };
        if matches!(state, State::Done { .. } | State::Declined { .. }) {
            self.post(&order, &self.notification(&order, state).signed(&self.secret));
        }
        true
    }
}

fn owned<'f>((name, value): (&'f str, &str)) -> (&'f str, String) {
    (name, value.to_owned())
}

/// The number of the network's own for an order.
fn query_id(order: &Order) -> String {
    let (time, serial) = (order.asked.get("txnTime").unwrap_or_default(), order.entry.serial.to_string());
    format!("47{}{}", time.get(2..).unwrap_or_default(), serial.get(24..).unwrap_or_default())
}

fn trace(order: &Order) -> [(&'static str, String); 2] {
    let (time, serial) = (order.asked.get("txnTime").unwrap_or_default(), order.entry.serial.to_string());
    let part = |text: &str, from: usize| text.get(from..).unwrap_or_default().to_owned();
    [("traceNo", part(&serial, 25)), ("traceTime", part(time, 4))]
}

/// The operation that a form asks for; what is wrong is told by the field's name.
fn entry(form: &Form, verb: Verb, original: Option<Serial>) -> Result<Entry, &'static str> {
    let field = |name: &'static str| form.get(name).ok_or(name);
    let time = field("txnTime")?;
    if time.len() != 14 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("txnTime");
    }
    for name in ["version", "encoding", "accessType", "merId", "bizType", "channelType", "backUrl"] {
        field(name)?;
    }
    Ok(Entry {
        serial: field("orderId")?.parse().map_err(|_| "orderId")?,
        verb,
        rail: Rail::UnionPay,
        amount: field("txnAmt")?.parse().ok().filter(|amount| *amount > 0).ok_or("txnAmt")?,
        original,
        currency_taken: form.get("currencyCode") == Some(CNY),
    })
}

impl Bank {
    /// A browser posts an order: the page to pay it at.
    pub(crate) async fn front(&self, form: Form) -> Shown {
        let problem = |(code, text): (&str, &str), what: &str| Shown::Problem(format!("{code} {text} {what}"));
        if !form.is_signed(&self.unionpay.secret) {
            count(&self.stats.unsigned);
            return problem(codes::UNSIGNED, "");
        }
        let is_payment = form.get("txnType") == Some("01") && form.get("txnSubType") == Some("01");
        let asked = if is_payment { entry(&form, Verb::Redirect, None) } else { Err("txnType") };
        let asked = asked.and_then(|entry| form.get("payTimeout").map(|_| entry).ok_or("payTimeout"));
        let entry = match asked {
            Ok(entry) => entry,
            Err(field) => {
                count(&self.stats.malformed);
                return problem(codes::MALFORMED, field);
            }
        };
        let serial = entry.serial;
        if let Some(before) = self.unionpay.order(serial) {
            return if before.asked == form { self.page_again(&before) } else { problem(codes::DUPLICATE, "") };
        }
        let fault = self.plan.fault(self.seed, serial, entry.verb);
        let lost = matches!(fault, Fault::LostBefore | Fault::GarbageBefore);
        let state = if lost { State::Lost } else { State::Open { queries_left: None } };
        let counters = self.stats.verb(entry.verb);
        let arrival = self.ledger.arrive(entry, state);
        if arrival == Arrival::First {
            count(&counters.received);
            counters.fault(fault);
            if lost {
                tokio::time::sleep(Duration::from_millis(self.plan.hold_ms)).await;
                let busy = || Shown::Problem(String::from("系统繁忙，请稍后再试 The system is busy."));
                return if fault == Fault::LostBefore { Shown::Nothing } else { busy() };
            }
        }
        let order = Order { entry, asked: form, page: Some(Page::Open) };
        self.unionpay.keep(&order);
        self.page_again(&order)
    }

    fn page_again(&self, order: &Order) -> Shown {
        let merchant = order.asked.get("merId").unwrap_or_default();
        match order.page {
            Some(Page::Open) => Shown::Page(page::pay(&order.entry.serial.to_string(), order.entry.amount, merchant)),
            Some(Page::Confirmed) => self.page_back(order),
            Some(Page::Ended) => Shown::Page(page::says("订单已超时 The order has expired.")),
            None => Shown::Problem(String::from("12 重复交易")),
        }
    }

    /// The browser goes back with the same fields as a notification has.
    fn page_back(&self, order: &Order) -> Shown {
        let state = self.ledger.state(order.entry.serial).unwrap_or(State::Lost);
        let told = self.unionpay.notification(order, &state).signed(&self.unionpay.secret);
        Shown::Page(page::back(order.asked.get("frontUrl").unwrap_or("/"), &told))
    }

    /// The payer clicks on the page.
    pub(crate) fn click(self: &Arc<Self>, serial: Serial, pays: bool) -> Shown {
        let Some(order) = self.unionpay.order(serial) else {
            return Shown::Problem(String::from("34 查无此交易"));
        };
        if !pays {
            let front_url = order.asked.get("frontUrl").unwrap_or_default();
            return Shown::Page(page::says(&format!("未支付。返回商户 Not paid. Back to {front_url}")));
        }
        if self.unionpay.turn(serial, &[Page::Open], Page::Confirmed) {
            self.pay(&order);
        }
        match self.unionpay.order(serial) {
            Some(order) => self.page_again(&order),
            None => Shown::Nothing,
        }
    }

    /// Settles what the payer confirmed, and tells of it as the plan wants.
    fn pay(self: &Arc<Self>, order: &Order) {
        let entry = order.entry;
        let fault = self.plan.fault(self.seed, entry.serial, entry.verb);
        let times = match fault {
            Fault::InProgress => {
                let left = self.plan.in_progress_queries.saturating_sub(1);
                return self.ledger.close(entry.serial, State::Open { queries_left: Some(left) });
            }
            Fault::Late => {
                let bank = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(bank.plan.late_ms)).await;
                    bank.settle(&entry);
                    bank.tell(&entry);
                });
                return;
            }
            Fault::LostAfter | Fault::GarbageAfter => 0,
            Fault::None | Fault::LostBefore | Fault::GarbageBefore => 1,
            Fault::Twice => 2,
        };
        self.settle(&entry);
        if fault == Fault::GarbageAfter {
            self.twisted(order, Twist { amount: None, forged: true });
        }
        (0..times).for_each(|_| self.tell(&entry));
    }

    /// Pays at a page as its payer does, even one that has ended: what was confirmed in the last second comes through late.
    pub(crate) fn pay_late(self: &Arc<Self>, serial: Serial) -> bool {
        let turned = self.unionpay.turn(serial, &[Page::Open, Page::Ended], Page::Confirmed);
        if let Some(order) = self.unionpay.order(serial).filter(|_| turned) {
            self.pay(&order);
        }
        turned
    }

    /// Ends a page at which nobody paid; says whether it was open.
    pub(crate) fn end_page(&self, serial: Serial) -> bool {
        let ended = self.unionpay.turn(serial, &[Page::Open], Page::Ended);
        if ended {
            self.ledger.close(serial, State::Lost);
        }
        ended
    }

    /// Ends every open page whose time is before the beginning of a date.
    pub(crate) fn end_pages(&self, date: Date) {
        let today = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
        let over = |order: &Order| {
            let end = order.asked.get("payTimeout").and_then(|time| time.get(..8)).unwrap_or_default();
            order.page == Some(Page::Open) && end < today.as_str()
        };
        let ended: Vec<Serial> =
            lock(&self.unionpay.orders).iter().filter(|(_, order)| over(order)).map(|(serial, _)| *serial).collect();
        for serial in ended {
            self.end_page(serial);
        }
    }

    /// Tells of an order out of turn; says whether it is there.
    pub(crate) fn tell_twisted(&self, serial: Serial, twist: Twist) -> bool {
        let order = self.unionpay.order(serial);
        order.is_some_and(|order| {
            self.twisted(&order, twist);
            true
        })
    }

    fn twisted(&self, order: &Order, twist: Twist) {
        let state = self.ledger.state(order.entry.serial).unwrap_or(State::Lost);
        let done = State::Done { date: self.days.now() };
        let state = if matches!(state, State::Done { .. }) { state } else { done };
        let amount = twist.amount.unwrap_or(order.entry.amount).to_string();
        let told = self.unionpay.notification(order, &state);
        let told = told.with([("txnAmt", amount.clone()), ("settleAmt", amount)]);
        let secret = if twist.forged { "somebody else" } else { &self.unionpay.secret };
        self.unionpay.post(order, &told.signed(secret));
    }

    /// An operation that the platform posts: a debit by token, or a refund.
    ///
    /// # Errors
    /// The name of the field that is wrong; nothing was done then.
    pub(crate) async fn back(self: &Arc<Self>, form: &Form) -> Result<Said, &'static str> {
        let verb = match (form.get("txnType"), form.get("txnSubType")) {
            (Some("01"), Some("01")) => form.get("tokenPayData").map(|_| Verb::Debit).ok_or("tokenPayData")?,
            (Some("04"), Some("00")) => Verb::Refund,
            _ => return Err("txnType"),
        };
        let original = (verb == Verb::Refund).then(|| form.get("origQryId").ok_or("origQryId")).transpose()?;
        let original = original.map(|id| self.unionpay.by_query_id(id));
        let entry = entry(form, verb, original)?;
        let order = Order { entry, asked: form.clone(), page: None };
        let told = form.only(TOLD);
        if self.unionpay.order(entry.serial).is_some_and(|before| before.page.is_some()) {
            return Ok(Said::Form(answer(told, codes::DUPLICATE)));
        }
        // The outcome may be told before the answer.
        self.unionpay.keep(&order);
        let (fault, before) = (self.plan.fault(self.seed, entry.serial, verb), self.ledger.state(entry.serial));
        Ok(match self.take(entry).await {
            Reaction::Answer(_) if !matches!(before, None | Some(State::Lost)) => {
                Said::Form(answer(told, codes::DUPLICATE))
            }
            Reaction::Answer(_) => {
                let state = self.ledger.state(entry.serial).unwrap_or(State::Lost);
                if fault == Fault::None {
                    self.tell(&entry);
                }
                match &state {
                    State::Declined { .. } => Said::Form(answer(told, codes::of(&state))),
                    State::Done { .. } | State::Open { .. } | State::Lost => {
                        Said::Form(answer(told.with([("queryId", query_id(&order))]), codes::DONE))
                    }
                }
            }
            Reaction::Garbage => Said::Garbage,
            Reaction::Nothing => Said::Nothing,
        })
    }

    /// What became of an order.
    pub(crate) fn asked_about(&self, form: &Form) -> Result<Form, &'static str> {
        let serial: Serial = form.get("orderId").ok_or("orderId")?.parse().map_err(|_| "orderId")?;
        let same = |order: &Order| ["merId", "txnTime"].iter().all(|name| order.asked.get(name) == form.get(name));
        let Some(order) = self.unionpay.order(serial).filter(same) else {
            count(&self.stats.queries);
            return Ok(answer(form.only(TOLD), codes::NOT_FOUND));
        };
        // It may be the query that settles it.
        self.query(House::Bank, serial);
        let state = self.ledger.state(serial).unwrap_or(State::Lost);
        if state == State::Lost {
            return Ok(answer(form.only(TOLD), codes::NOT_FOUND));
        }
        let (code, text) = codes::of(&state);
        Ok(answer(self.unionpay.told(&order, &state), codes::DONE)
            .with([("origRespCode", code), ("origRespMsg", text)].map(owned)))
    }

    /// Every backUrl is reached here.
    pub(crate) fn route_notifications(&self, url: Option<String>) {
        *lock(&self.unionpay.route) = url;
    }
}

fn answer(form: Form, (code, text): (&str, &str)) -> Form {
    form.with([("respCode", code), ("respMsg", text)].map(owned))
}
