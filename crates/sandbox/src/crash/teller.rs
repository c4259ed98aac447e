//! A teller: one keyed command after the other, until the platform is gone. At most one of them is then in doubt.
//!
//! ```text
//!  next ─► sent ─ answered ─► kept: the same key must get the same object, marked repeated, for ever
//!           └ no answer ─► in doubt ─ asked again after the start ─► done before │ done now ─► kept
//! ```

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::draw::{self, two_accounts};
use super::model::Effect;
use crate::api::{Answer, Api};
use crate::bench::numbers::Numbers;

/// When holds end: later than the driver's clock ever stands while it looks.
const EVENING: &str = "2026-03-05T23:00:00+08:00";
/// Holds a teller has open at most.
const OPEN_HOLDS: usize = 6;

/// Which step of business a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Open,
    Voucher,
    Hold { amount: i64 },
    Confirm { hold: String, amount: i64 },
    Cancel { hold: String },
    Order,
    Pay,
    Cut,
}

/// One command as it is sent, and as it is sent again.
#[derive(Debug, Clone)]
pub(super) struct Keyed {
    step: Step,
    target: String,
    key: String,
    body: Value,
    effects: Vec<Effect>,
}

/// A command that was acknowledged, and the object that its answer named.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    target: String,
    key: String,
    body: Value,
    object: String,
}

impl Kept {
    /// Asks for it again: it must have been answered before, with the same object.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(super) async fn again(self, api: Api) -> Result<()> {
        let Self { target, key, body, object } = self;
        let answer = api.post(&target, &key, &body).await?;
        let found = object_of(&answer).with_context(|| format!("{target} under {key}, which was acknowledged"))?;
        ensure!(answer.repeated, "{target} under {key} was acknowledged with {object} and was done once more: {found}");
        ensure!(found == object, "{target} under {key} was acknowledged with {object} and is now {found}");
        Ok(())
    }
}

/// The object an answer is about: its id, or of an accounting day its date.
fn object_of(answer: &Answer) -> Result<String> {
    let value = answer.json()?;
    let object = value.get("id").or_else(|| value.get("date")).and_then(Value::as_str);
    object.map(str::to_owned).with_context(|| format!("an answer without 'id': {value}"))
}

/// A hold that is open, and what it still holds.
#[derive(Debug, Clone)]
struct OpenHold {
    id: String,
    left: i64,
}

/// Who a teller works for.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    /// A number of its own.
    pub(super) number: usize,
    /// The user who pays orders.
    pub(super) user: String,
    /// Its wallet's account number: money for holds.
    pub(super) wallet: u64,
    /// The wallet that gets what is confirmed.
    pub(super) receiver: u64,
    /// Who sells.
    pub(super) merchant: String,
}

/// A teller between two kills, and what came of its commands since it was last asked.
#[derive(Debug)]
pub(super) struct Teller {
    desk: Desk,
    numbers: Numbers,
    next: u64,
    holds: Vec<OpenHold>,
    unpaid: Vec<String>,
    /// The day to cut to, with its next command but a few.
    cut_to: Option<String>,
    /// What every acknowledged command did, for the model.
    pub(super) effects: Vec<Effect>,
    /// Acknowledged since the last kill.
    pub(super) kept: Vec<Kept>,
    /// Sent without an answer.
    pub(super) doubt: Option<Keyed>,
    /// Accounts it opened.
    pub(super) opened: u64,
    /// Orders it placed.
    pub(super) orders: Vec<String>,
}

impl Teller {
    /// A teller at its desk.
    pub(super) fn new(desk: Desk, seed: u64) -> Self {
        let numbers = Numbers(seed ^ (desk.number as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self {
            desk,
            numbers,
            next: 0,
            holds: Vec::new(),
            unpaid: Vec::new(),
            cut_to: None,
            effects: Vec::new(),
            kept: Vec::new(),
            doubt: None,
            opened: 0,
            orders: Vec::new(),
        }
    }

    /// Has the day cut to `date` soon.
    pub(super) fn cut_to(&mut self, date: String) {
        self.cut_to = Some(date);
    }

    /// Sends commands until one gets no answer.
    ///
    /// # Errors
    /// A command that was refused, or put off: the platform has no reason for either.
    pub(super) async fn run(mut self, api: Api, accounts: std::sync::Arc<[u64]>) -> Result<Self> {
        loop {
            let command = self.command(&accounts);
            let Ok(answer) = api.post_once(&command.target, &command.key, &command.body).await else {
                self.doubt = Some(command);
                return Ok(self);
            };
            ensure!(!answer.repeated, "{} under the new key {} was done before", command.target, command.key);
            self.settle(command, &answer)?;
        }
    }

    /// Asks again what is in doubt; whether it had been done. `None` if nothing was.
    ///
    /// # Errors
    /// If it is refused: none of these commands may be.
    pub(super) async fn resolve(&mut self, api: &Api) -> Result<Option<bool>> {
        let Some(command) = self.doubt.take() else { return Ok(None) };
        let answer = api.post(&command.target, &command.key, &command.body).await?;
        let done = answer.repeated;
        self.settle(command, &answer)?;
        Ok(Some(done))
    }

    /// Takes an answer in.
    fn settle(&mut self, command: Keyed, answer: &Answer) -> Result<()> {
        let Keyed { step, target, key, body, effects } = command;
        let object = object_of(answer).with_context(|| format!("{target} under {key}"))?;
        match step {
            Step::Open => self.opened += 1,
            Step::Voucher | Step::Pay => {}
            Step::Cut => self.cut_to = None,
            Step::Hold { amount } => self.holds.push(OpenHold { id: object.clone(), left: amount }),
            Step::Confirm { hold, amount } => {
                let open = self.holds.iter_mut().find(|open| open.id == hold).context("a confirmed hold was open")?;
                open.left -= amount;
                self.holds.retain(|open| open.left > 0);
            }
            Step::Cancel { hold } => self.holds.retain(|open| open.id != hold),
            Step::Order => {
                self.unpaid.push(object.clone());
                self.orders.push(object.clone());
            }
        }
        self.effects.extend(effects);
        self.kept.push(Kept { target, key, body, object });
        Ok(())
    }

    /// The next command.
    fn command(&mut self, accounts: &[u64]) -> Keyed {
        self.next += 1;
        let key = format!("teller-{}-{}", self.desk.number, self.next);
        let make = |step, target: &str, body, effects| Keyed { step, target: target.to_owned(), key, body, effects };
        if let Some(next) = self.cut_to.as_ref().filter(|_| self.next.is_multiple_of(16)) {
            return make(Step::Cut, "/v1/days/cut", json!({ "next": next }), Vec::new());
        }
        let oldest_hold = self.holds.first().cloned();
        match (self.numbers.below(100), oldest_hold) {
            (0..5, _) => {
                let body = json!({ "subject": 9201, "currency": "CNY", "owner": "institution", "overdraft": true });
                make(Step::Open, "/v1/accounts", body, Vec::new())
            }
            (5..15, _) => make(Step::Order, "/v1/orders", self.order(), Vec::new()),
            (15..25, _) if !self.unpaid.is_empty() => {
                let order = self.unpaid.remove(0);
                make(Step::Pay, &format!("/v1/orders/{order}/pay"), self.payment(), Vec::new())
            }
            (25..40, _) if self.holds.len() < OPEN_HOLDS => {
                let amount = self.amount() + 10;
                let wallet = self.desk.wallet;
                let body = json!({
                    "account": format!("acc_{wallet}"), "amount": amount, "currency": "CNY", "expires_at": EVENING,
                });
                make(Step::Hold { amount }, "/v1/holds", body, vec![Effect::held(wallet, amount)])
            }
            (40..60, Some(hold)) => {
                let (step, target, body, effects) = self.of_a_hold(hold);
                make(step, &target, body, effects)
            }
            _ => {
                let (body, effects) = self.voucher(accounts);
                make(Step::Voucher, "/v1/vouchers", body, effects)
            }
        }
    }

    fn amount(&mut self) -> i64 {
        i64::try_from(1 + self.numbers.below(5_000)).unwrap_or(1)
    }

    /// Confirms a part or the rest of a hold, or lets it go.
    fn of_a_hold(&mut self, hold: OpenHold) -> (Step, String, Value, Vec<Effect>) {
        let OpenHold { id: hold, left } = hold;
        let Desk { wallet, receiver, .. } = self.desk;
        let draw = self.numbers.below(4);
        if draw == 0 {
            let target = format!("/v1/holds/{hold}/cancel");
            return (Step::Cancel { hold }, target, Value::Null, vec![Effect::held(wallet, -left)]);
        }
        let amount = if draw == 1 { left } else { (left / 2).max(1) };
        let target = format!("/v1/holds/{hold}/confirm");
        let body = json!({ "to": format!("acc_{receiver}"), "amount": amount });
        let effects =
            vec![Effect::held(wallet, -amount), Effect::entry(wallet, -amount), Effect::entry(receiver, amount)];
        (Step::Confirm { hold, amount }, target, body, effects)
    }

    fn voucher(&mut self, accounts: &[u64]) -> (Value, Vec<Effect>) {
        let (payer, first) = two_accounts(accounts, &mut self.numbers);
        let amount = self.amount();
        let mut credits = vec![(first, amount)];
        if self.numbers.below(4) == 0 {
            let other = draw::account(accounts, &mut self.numbers);
            credits.extend((other != payer).then_some((other, 7)));
        }
        let total: i64 = credits.iter().map(|(_, amount)| amount).sum();
        let entry = |account: u64, side: &str, amount: i64| json!({ "account": format!("acc_{account}"), "side": side, "amount": amount, "currency": "CNY" });
        let mut entries = vec![entry(payer, "debit", total)];
        entries.extend(credits.iter().map(|(account, amount)| entry(*account, "credit", *amount)));
        let effects = std::iter::once(Effect::entry(payer, -total));
        let effects = effects.chain(credits.iter().map(|(account, amount)| Effect::entry(*account, *amount)));
        let number = format!("voucher {} of teller {}", self.next, self.desk.number);
        (json!({ "business_number": number, "entries": entries }), effects.collect())
    }

    fn order(&mut self) -> Value {
        json!({
            "merchant": self.desk.merchant, "out_trade_no": format!("T{}-{}", self.desk.number, self.next),
            "payer": self.desk.user, "currency": "CNY", "tries_allowed": 1,
            "items": [{ "kind": "rent", "amount": ORDER_AMOUNT }],
        })
    }

    fn payment(&self) -> Value {
        let agreement = format!("AGR{:08}", self.next % 100_000_000);
        json!({ "instruments": [{
            "type": "card", "agreement": agreement, "mask": "622202******0011", "rail": "epcc", "amount": ORDER_AMOUNT,
            "credit": false,
        }] })
    }
}

/// What every order comes to, in fen.
const ORDER_AMOUNT: i64 = 250_000;
