//! How tries at channels ended, by channel, product and bank: what success rates are counted of.
//!
//! ```text
//!  an attempt is answered for good ─► EndedTry ─► the store's sums by day (store/src/channel_rate.rs) ─► /v1/rates/channels
//!   └ a success after a refusal    ─► EndedTry that takes the refusal back        └► counters for Prometheus
//!  an attempt that nobody answered ─► counted from the outbox when somebody asks
//! ```
//! Nothing is summed in the state: that would grow with every bank and product. What ended is gathered beside announcements, so a
//! refused command takes its own back. A try is of the day on which it was asked for, whenever it is answered. A real-name check is a
//! try too: it moves no money, and a mismatch is a failure of the user. So is a signing of an agreement, as a whole: it succeeds once it is
//! signed, and a wrong code or two are no end of it.

use alloc::string::String;

use crate::account::Owner;
use crate::attempt::{Attempt, AttemptStatus, FailureClass, Operation, Outcome, Purpose};
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::envelope::Time;
use crate::ids::{LegId, RealNameCheckId, SignUpId};
use crate::leg::{Instrument, bank_of_number};
use crate::real_name_check::RealNameCheck;
use crate::sign_up::{self, SignUp};
use crate::state::State;

/// Which way the money of a try goes, if it moves any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From payers: payments, holds at a fund, top-ups.
    In,
    /// To receivers: payouts, withdrawals, advances.
    Out,
    /// Back to payers: refunds.
    Back,
    /// No way: real-name checks.
    Check,
    /// No way: signings of agreements.
    SignUp,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Self; 5] = [Self::In, Self::Out, Self::Back, Self::Check, Self::SignUp];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Back => "back",
            Self::Check => "check",
            Self::SignUp => "sign_up",
        }
    }
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryEnd {
    /// Done.
    Success,
    /// Refused, by whose fault.
    Failure(FailureClass),
    /// The channel never saw it: a failure of a system between.
    NotFound,
}

impl TryEnd {
    /// Every end.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Failure(FailureClass::User),
        Self::Failure(FailureClass::Risk),
        Self::Failure(FailureClass::Bank),
        Self::Failure(FailureClass::System),
        Self::NotFound,
    ];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure(class) => class.name(),
            Self::NotFound => "not_found",
        }
    }

    /// Who was sent to a page and did not pay there is a payer who did not pay.
    const fn at(self, operation: &Operation) -> Self {
        match (self, operation) {
            (Self::NotFound, Operation::Redirect { .. }) => Self::Failure(FailureClass::User),
            (end, _) => end,
        }
    }

    fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Success { .. } => Some(Self::Success),
            Outcome::Declined { class, .. } => Some(Self::Failure(*class)),
            Outcome::NotFound => Some(Self::NotFound),
            Outcome::Unknown => None,
        }
    }
}

/// What tries are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateKey {
    /// The day on which it was asked for.
    pub date: Date,
    /// Which way.
    pub direction: Direction,
    /// The channel.
    pub channel: ChannelName,
    /// The payer's product; of what goes out its kind.
    pub product: String,
    /// The first three digits of the bank's interbank number; empty where the bank is not known.
    pub bank: String,
}

/// A try that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedTry {
    /// The position of the answer's event.
    pub position: u64,
    /// What it is counted under.
    pub key: RateKey,
    /// How it ended.
    pub end: TryEnd,
    /// What it had ended as before, which counts no more.
    pub before: Option<TryEnd>,
    /// Whether it is of an order's first try (一次支付).
    pub first: bool,
}

/// Notes that an answer ends an attempt; before the answer is folded in. A try at a fund is its hold, or what it pays at once:
/// what captures or releases it later is none of its own.
pub(crate) fn note(state: &mut State, attempt: &Attempt, outcome: &Outcome) {
    let ends = |outcome| TryEnd::of(outcome).map(|end| end.at(&attempt.operation));
    let (Some(end), Some(key)) = (ends(outcome), key_of(state, attempt)) else { return };
    let before = match &attempt.status {
        AttemptStatus::Settled(outcome) => ends(outcome),
        AttemptStatus::Requested | AttemptStatus::Unknown | AttemptStatus::Waiting => None,
    };
    let leg = attempt.purpose.leg().filter(|_| key.direction == Direction::In);
    let first = leg.and_then(|leg| state.legs.get(leg.0)).is_some_and(|leg| leg.try_number == 1);
    let position = state.position;
    state.ended_tries.push(EndedTry { position, key, end, before, first });
}

/// Notes that a real-name check has its answer; after it is folded in.
pub(crate) fn note_check(state: &mut State, id: RealNameCheckId) {
    let row = state.real_name_checks.get(id.0);
    let Some((end, key)) = row.and_then(|check| Some((check.end()?, key_of_check(state, check)))) else { return };
    let position = state.position;
    state.ended_tries.push(EndedTry { position, key, end, before: None, first: false });
}

/// Notes that a signing has ended, if it had not, or otherwise; after that is folded in.
pub(crate) fn note_sign_up(state: &mut State, id: SignUpId, before: Option<TryEnd>) {
    let row = state.sign_ups.get(id.0);
    let Some((end, key)) = row.and_then(|row| Some((sign_up::end(row)?, key_of_sign_up(state, row)))) else { return };
    if before != Some(end) {
        let position = state.position;
        state.ended_tries.push(EndedTry { position, key, end, before, first: false });
    }
}

/// The tries whose answer is still missing although they were asked for before `today`, by what they are counted under.
pub fn unknown(state: &State, today: Date) -> impl Iterator<Item = RateKey> + '_ {
    let old = move |requested_at: Time| Date::in_shanghai(requested_at) < today;
    let checks = state.open_real_name_checks().filter(move |check| old(check.requested_at));
    let attempts = state.in_outbox().filter(move |attempt| old(attempt.requested_at));
    let attempts = attempts.filter_map(move |attempt| key_of(state, attempt));
    let sign_ups = state.asked_sign_ups().filter(move |row| old(row.requested_at));
    let checks = checks.map(move |check| key_of_check(state, check));
    attempts.chain(checks).chain(sign_ups.map(move |row| key_of_sign_up(state, row)))
}

fn key_of_check(state: &State, check: &RealNameCheck) -> RateKey {
    let (date, bank) = (Date::in_shanghai(check.requested_at), bank_of_number(&check.bank).unwrap_or_default());
    let product = state.users.get(check.user.0).map(|user| user.product.clone()).unwrap_or_default();
    RateKey { date, direction: Direction::Check, channel: check.rail.into(), product, bank }
}

fn key_of_sign_up(state: &State, row: &SignUp) -> RateKey {
    let (date, bank) = (Date::in_shanghai(row.requested_at), bank_of_number(&row.bank).unwrap_or_default());
    let product = state.users.get(row.payer.0).map(|user| user.product.clone()).unwrap_or_default();
    RateKey { date, direction: Direction::SignUp, channel: row.channel_name(), product, bank }
}

fn key_of(state: &State, attempt: &Attempt) -> Option<RateKey> {
    let (direction, bank) = match &attempt.operation {
        Operation::Debit { .. } | Operation::FundHold { .. } | Operation::Redirect { .. } => {
            (Direction::In, bank_of_payer(state, attempt))
        }
        Operation::Refund { .. } => (Direction::Back, bank_of_payer(state, attempt)),
        Operation::Pay { bank, .. } => {
            (Direction::Out, bank.as_ref().and_then(|bank| bank_of_number(&bank.code)).unwrap_or_default())
        }
        // A month's batch is answered by its file: it is no try whose answer is late.
        Operation::FundCapture { .. } | Operation::FundRelease { .. } | Operation::FundBatch { .. } => return None,
    };
    let (date, channel) = (Date::in_shanghai(attempt.requested_at), attempt.channel_name());
    Some(RateKey { date, direction, channel, product: product(state, attempt.purpose), bank })
}

/// The bank of the card that pays or is paid back: a payment has it; a refund goes to its payment's, and a top-up has that of its signing.
fn bank_of_payer(state: &State, attempt: &Attempt) -> String {
    let bank = match attempt.purpose {
        Purpose::Leg(leg) => bank_of_leg(state, leg),
        Purpose::Refund(id) => state.refunds.get(id.0).and_then(|refund| {
            let part = refund.parts.iter().find(|part| part.attempt == Some(attempt.id))?;
            bank_of_leg(state, part.leg)
        }),
        Purpose::TopUp(id) => state.top_ups.get(id.0).and_then(|top_up| {
            sign_up::bank_signed(state, &attempt.channel_name(), &top_up.agreement, top_up.created_at)
        }),
        Purpose::Payout(_) | Purpose::Advance(_) => None,
    };
    bank.unwrap_or_default()
}

fn bank_of_leg(state: &State, leg: LegId) -> Option<String> {
    match &state.legs.get(leg.0)?.instrument {
        Instrument::Card { bank, .. } => bank.clone(),
        Instrument::Fund { .. } | Instrument::Redirect { .. } | Instrument::Balance { .. } => None,
    }
}

fn product(state: &State, purpose: Purpose) -> String {
    let of_order = |order: crate::ids::OrderId| state.orders.get(order.0).map(|order| order.product.clone());
    let found = match purpose {
        Purpose::Leg(id) => state.legs.get(id.0).and_then(|leg| of_order(leg.order)),
        Purpose::Refund(id) => state.refunds.get(id.0).and_then(|refund| of_order(refund.order)),
        Purpose::Payout(id) => state.payouts.get(id.0).map(|payout| String::from(payout.kind.name())),
        Purpose::Advance(_) => Some(String::from("advance")),
        Purpose::TopUp(id) => {
            let account = state.top_ups.get(id.0).and_then(|top_up| state.accounts.get(top_up.account.0));
            account.and_then(|account| match account.owner {
                Owner::User(user) => state.users.get(user.0).map(|user| user.product.clone()),
                Owner::Merchant(_) | Owner::Institution => None,
            })
        }
    };
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::attempt::Rail;
    use crate::command::Command;
    use crate::event::Event;
    use crate::order::ItemKind;
    use crate::payout::{Bank, CreatePayout, PayTo};
    use crate::testkit::orders::card;
    use crate::testkit::{Kit, date, declined, success};

    fn ended(kit: &mut Kit) -> Vec<(Direction, Rail, &'static str, Option<&'static str>)> {
        let all = core::mem::take(&mut kit.ended_tries);
        all.into_iter()
            .map(|ended| {
                (ended.key.direction, ended.key.channel.rail, ended.end.name(), ended.before.map(TryEnd::name))
            })
            .collect()
    }

    fn of_bank(code: &str) -> Instrument {
        let mut instrument = card(700);
        if let Instrument::Card { bank, .. } = &mut instrument {
            *bank = Some(String::from(code));
        }
        instrument
    }

    #[test]
    fn a_try_counts_under_its_day_channel_product_and_bank() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
        kit.pay(order, vec![of_bank("102")]);
        kit.answered(Outcome::Unknown);
        assert!(kit.ended_tries.is_empty(), "nothing is known yet");
        kit.later(86_400_000);
        let old: Vec<_> = unknown(&kit.state, date("2026-03-06")).collect();
        assert_eq!(unknown(&kit.state, date("2026-03-05")).count(), 0, "not before the next day");
        kit.answered(success("2026-03-06"));
        let ended = kit.ended_tries.pop().unwrap();
        let answered = kit.events.iter().rposition(|event| matches!(event, Event::AttemptAnswered { .. })).unwrap();
        assert_eq!(usize::try_from(ended.position).unwrap(), answered + 1, "the answer's own event");
        let (product, bank) = (String::from("rent"), String::from("102"));
        let (direction, channel, date) = (Direction::In, ChannelName::from(Rail::Epcc), date("2026-03-05"));
        assert_eq!(ended.key, RateKey { date, direction, channel, product, bank });
        assert_eq!((old, ended.end), (vec![ended.key], TryEnd::Success));
    }

    #[test]
    fn a_late_success_takes_the_failure_back() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
        kit.pay(order, vec![card(700)]);
        let attempt = kit.answered(declined(FailureClass::Bank));
        kit.answer(attempt.id, success("2026-03-05"));
        let found = ended(&mut kit);
        assert_eq!(
            found[..2],
            [(Direction::In, Rail::Epcc, "bank", None), (Direction::In, Rail::Epcc, "success", Some("bank")),]
        );
    }

    #[test]
    fn tries_of_an_orders_first_try_are_told_apart() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 700)]);
        command.tries_allowed = 2;
        let order = kit.order_of(command);
        kit.pay(order, vec![card(700)]);
        kit.answered(declined(FailureClass::Bank));
        kit.pay(order, vec![card(700)]);
        kit.answered(success("2026-03-05"));
        kit.refund(order, 700, true);
        kit.answered(success("2026-03-05"));
        let first: Vec<bool> = kit.ended_tries.iter().map(|ended| ended.first).collect();
        assert_eq!(first, [true, false, false]);
    }

    #[test]
    fn channels_of_one_rail_are_told_apart() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
        let mut instrument = card(700);
        if let Instrument::Card { rail, channel, .. } = &mut instrument {
            (*rail, *channel) = (Rail::UnionPay, Some(String::from("acme")));
        }
        kit.pay(order, vec![instrument]);
        kit.answered(success("2026-03-05"));
        let key = kit.ended_tries.pop().unwrap().key;
        assert_eq!((key.channel, key.direction), (ChannelName::parse("unionpay_acme").unwrap(), Direction::In));
    }

    #[test]
    fn refunds_and_payouts_count_by_themselves() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let order = kit.paid_rent(merchant, 5_000);
        kit.refund(order, 2_000, true);
        kit.answered(Outcome::NotFound);
        let account = kit.state.merchant(merchant).unwrap().available;
        kit.fund(account, 5_000);
        let to = PayTo::Settlement;
        let currency = crate::money::Currency::Cny;
        kit.given(Command::CreatePayout(CreatePayout {
            account,
            to,
            amount: 1_000,
            fee: 0,
            currency,
            send_now: true,
            bank: None,
            channel: None,
        }));
        kit.answered(declined(FailureClass::User));
        assert_eq!(kit.ended_tries.last().map(|ended| ended.key.product.as_str()), Some("withdrawal"));
        let found = ended(&mut kit);
        assert_eq!(
            found.iter().map(|(way, _, end, _)| (*way, *end)).collect::<Vec<_>>(),
            [(Direction::In, "success"), (Direction::Back, "not_found"), (Direction::Out, "user"),]
        );
        assert!(Bank { name: "ICBC".into(), code: "102100099996".into() }.is_valid());
        assert_eq!((bank_of_number("102100099996").as_deref(), bank_of_number("1")), (Some("102"), None));
    }

    #[test]
    fn a_fund_is_one_try_however_often_its_centre_is_asked() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        kit.combined(merchant);
        kit.answered(success("2026-03-05"));
        kit.answered(success("2026-03-05"));
        kit.answered(success("2026-03-05"));
        let found = ended(&mut kit);
        assert_eq!(
            found,
            [(Direction::In, Rail::Fund, "success", None), (Direction::In, Rail::Epcc, "success", None),]
        );
    }
}
