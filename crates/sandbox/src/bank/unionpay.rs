//! The other side of UnionPay online (银联在线支付): signed forms, written from the fixtures.
//!
//! ```text
//!  browser ─ frontTransReq.do ─► a page ─ pay ─► settled by the plan ─► notification to backUrl, browser back to frontUrl
//!                                  │  └ leave: it stands there until it ends
//!                                  └ ended (told to, or the clearing date is past payTimeout) ─► never paid: a query says 34
//!  backTransReq.do ─► as any operation of the bank ─► "taken" and a notification, or the code of a decline
//!  queryTrans.do   ─► what the ledger holds
//! ```
//! Operations are the bank's own: one ledger, one fault plan, one clearing date. The page is a [`super::page`], where it says what the
//! plan does to a payment there.

mod codes;
pub(crate) mod form;
pub(crate) mod http;
pub(crate) mod sign;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use form::Form;
use jiff::civil::Date;
use serde_json::{Value, json};
use sign::UnionPaySign;

use super::Bank;
use super::clearing::{LINES_MAX, kind_of};
use super::days::NoFile;
use super::ledger::{Entry, State, lock};
use super::names::{House, Rail, Serial, Verb};
use super::order::CURRENCY;
use super::page::html::{self, House as Front};
use super::page::{Page, Shown, Twist};
use super::plan::Fault;
use super::stats::count;
use super::work::Reaction;

/// CNY in ISO 4217.
const CNY: &str = "156";
/// The card as it may be shown.
const CARD: &str = "6235********7577";
/// UnionPay's page.
const FRONT: Front = Front { title: "银联在线支付 (sandbox)", clicks: "/gateway/pay.do", field: "orderId" };
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

#[derive(Debug, Clone)]
struct Order {
    entry: Entry,
    asked: Form,
}

/// The orders that came as forms, and how they are answered.
#[derive(Debug)]
pub(crate) struct UnionPay {
    sign: UnionPaySign,
    client: reqwest::Client,
    orders: Mutex<BTreeMap<Serial, Order>>,
    /// By the number that a refund names.
    query_ids: Mutex<BTreeMap<String, Serial>>,
    /// Where every backUrl is reached from here, if it is not where it says.
    route: Mutex<Option<String>>,
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

impl UnionPay {
    pub(crate) fn new(sign: UnionPaySign) -> Self {
        Self {
            sign,
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
        // A simulation, which has no runtime, tells nobody.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(request.send().await) });
        }
    }

    /// Tells where an order that came as a form stands; false if this one did not.
    pub(crate) fn tell(&self, serial: Serial, state: &State) -> bool {
        let Some(order) = self.order(serial) else { return false };
        if matches!(state, State::Done { .. } | State::Declined { .. }) {
            self.post(&order, &self.notification(&order, state).signed(&self.sign));
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
        if !form.is_signed(&self.unionpay.sign) {
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
        let ends = form.get("payTimeout").and_then(|time| time.get(..8)).unwrap_or_default().to_owned();
        if let Err(shown) = self.open_page(entry, ends).await {
            return shown;
        }
        let order = Order { entry, asked: form };
        self.unionpay.keep(&order);
        self.page_again(&order)
    }

    fn page_again(&self, order: &Order) -> Shown {
        let merchant = order.asked.get("merId").unwrap_or_default();
        let serial = order.entry.serial;
        match self.pages.at(serial) {
            Some(Page::Open) => Shown::Page(FRONT.pay(&serial.to_string(), order.entry.amount, merchant)),
            Some(Page::Confirmed) => self.page_back(order),
            Some(Page::Ended) => Shown::Page(FRONT.says("订单已超时 The order has expired.")),
            None => Shown::Problem(String::from("12 重复交易")),
        }
    }

    /// The browser goes back with the same fields as a notification has.
    fn page_back(&self, order: &Order) -> Shown {
        let state = self.ledger.state(order.entry.serial).unwrap_or(State::Lost);
        let told = self.unionpay.notification(order, &state).signed(&self.unionpay.sign);
        Shown::Page(html::back(order.asked.get("frontUrl").unwrap_or("/"), &told))
    }

    /// The payer clicks on the page.
    pub(crate) fn click(self: &Arc<Self>, serial: Serial, pays: bool) -> Shown {
        let Some(order) = self.unionpay.order(serial) else {
            return Shown::Problem(String::from("34 查无此交易"));
        };
        if !pays {
            let front_url = order.asked.get("frontUrl").unwrap_or_default();
            return Shown::Page(FRONT.says(&format!("未支付。返回商户 Not paid. Back to {front_url}")));
        }
        self.confirm_page(serial);
        self.page_again(&order)
    }

    /// Tells of an order out of turn; says whether it is there.
    pub(crate) fn tell_unionpay_twisted(&self, serial: Serial, twist: Twist) -> bool {
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
        let sign = &self.unionpay.sign;
        self.unionpay.post(order, &if twist.forged { told.forged(sign) } else { told.signed(sign) });
    }

    /// An operation that the platform posts: a debit by token, or a refund.
    ///
    /// # Errors
    /// The name of the field that is wrong; nothing was done then.
    pub(crate) async fn back(self: &Arc<Self>, form: &Form) -> Result<Said, &'static str> {
        let (order, seen) = self.unionpay_keep(form)?;
        let entry = order.entry;
        if self.pages.at(entry.serial).is_some() {
            return Ok(Said::Form(self.unionpay_taken(&order, true)));
        }
        match self.take(entry).await {
            Reaction::Answer(_) => {
                if !seen && self.fault(entry.serial, entry.verb) == Fault::None {
                    self.tell(&entry);
                }
                Ok(Said::Form(self.unionpay_taken(&order, seen)))
            }
            Reaction::Garbage => Ok(Said::Garbage),
            Reaction::Nothing => Ok(Said::Nothing),
        }
    }

    /// An operation or a query without a socket, for a simulation: see [`super::direct`].
    ///
    /// # Errors
    /// An HTTP status; nothing was done then.
    pub(crate) fn unionpay_at_once(&self, query: bool, body: &[u8]) -> Result<String, u16> {
        let form = Form::read(body).ok_or(400_u16)?;
        form.is_signed(&self.unionpay.sign).then_some(()).ok_or(401_u16)?;
        let answer = if query {
            self.asked_about(&form)
        } else {
            self.unionpay_keep(&form).map(|(order, seen)| {
                self.take_at_once(order.entry);
                self.unionpay_taken(&order, seen)
            })
        };
        Ok(answer.map_err(|_| 400_u16)?.signed(&self.unionpay.sign).answer())
    }

    /// The operation that a form asks for, noted: its outcome may be told before the answer; and whether its number was seen before.
    fn unionpay_keep(&self, form: &Form) -> Result<(Order, bool), &'static str> {
        let verb = match (form.get("txnType"), form.get("txnSubType")) {
            (Some("01"), Some("01")) => form.get("tokenPayData").map(|_| Verb::Debit).ok_or("tokenPayData")?,
            (Some("04"), Some("00")) => Verb::Refund,
            _ => return Err("txnType"),
        };
        let original = (verb == Verb::Refund).then(|| form.get("origQryId").ok_or("origQryId")).transpose()?;
        let original = original.map(|id| self.unionpay.by_query_id(id));
        let order = Order { entry: entry(form, verb, original)?, asked: form.clone() };
        let seen = !matches!(self.ledger.state(order.entry.serial), None | Some(State::Lost));
        self.unionpay.keep(&order);
        Ok((order, seen))
    }

    /// What an operation is answered that the ledger has taken.
    fn unionpay_taken(&self, order: &Order, seen: bool) -> Form {
        let told = order.asked.only(TOLD);
        if seen {
            return answer(told, codes::DUPLICATE);
        }
        let state = self.ledger.state(order.entry.serial).unwrap_or(State::Lost);
        match &state {
            State::Declined { .. } => answer(told, codes::of(&state)),
            State::Done { .. } | State::Open { .. } | State::Lost => {
                answer(told.with([("queryId", query_id(order))]), codes::DONE)
            }
        }
    }

    /// What was done on a date that is over, as the lines that `POST /v1/clearing` takes: UnionPay's daily file is not written here.
    ///
    /// # Errors
    /// [`NoFile::NotReady`].
    pub(crate) fn unionpay_lines(&self, date: Date) -> Result<Vec<Value>, NoFile> {
        let mut lines = Vec::new();
        for part in 1.. {
            match self.days.part(date, Rail::UnionPay, part, LINES_MAX) {
                Ok(part) => lines.extend(part.lines.iter().map(|line| {
                    let (serial, kind) = (line.serial.to_string(), kind_of(line.verb));
                    json!({ "serial": serial, "kind": kind, "amount": line.amount, "currency": CURRENCY })
                })),
                Err(NoFile::NoPart) => break,
                Err(NoFile::NotReady) => return Err(NoFile::NotReady),
            }
        }
        Ok(lines)
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
