//! The second look before money leaves, from the books to the flight: what [`see`] finds is what the domain says of them, and what they
//! do not agree with is never sent.

use channels::Original;
use domain::attempt::{Attempt, AttemptStatus, Operation, Outcome, Rail};
use domain::book::Subject;
use domain::calendar::Date;
use domain::ids::{AccountId, MerchantId, OrderId, PayoutId, RefundId, UserId};
use domain::leg::Instrument;
use domain::money::{Currency, Minor};
use domain::order::{CreateOrder, Item, ItemKind};
use domain::outflow::Disagreement;
use domain::payout::{CreatePayout, PayTo};
use domain::refund::CreateRefund;
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
use domain::{Command, Reply, State};
use node::executor::{is_looked_up, see};
use tempfile::TempDir;

use crate::crash_world::Node;
use crate::scripted::{Pilot, REQUESTED, attempt, scripted};

const CNY: Currency = Currency::Cny;
/// From the start of the first day to [`REQUESTED`].
const MORNING_MS: i64 = 37_800_000;

/// Books of which a merchant has an order paid and money to pay out.
struct Books {
    node: Node,
    order: OrderId,
    available: AccountId,
    _directory: TempDir,
}

impl Books {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Node::begin(directory.path(), 1);
        node.later(MORNING_MS);
        let order = CreateOrder {
            merchant: MerchantId(1),
            out_trade_no: "T1".into(),
            payer: UserId(1),
            items: vec![Item { kind: ItemKind::Rent, amount: 5_000 }],
            currency: CNY,
            destination: None,
            tries_allowed: 1,
            expires_at: None,
            instruments: Vec::new(),
        };
        let Reply::Order(order) = node.given(Command::CreateOrder(order)) else { panic!("an order was created") };
        let card = Instrument::Card {
            agreement: "AG-1".into(),
            mask: "622202******0001".into(),
            rail: Rail::Epcc,
            amount: 5_000,
            credit: false,
            bank: None,
            alternatives: Vec::new(),
            channel: None,
        };
        node.given(Command::PayOrder { order, instruments: vec![card] });
        let mut books = Self { node, order, available: AccountId(0), _directory: directory };
        let paid =
            Outcome::Success { reference: "B41".into(), clearing_date: Date::in_shanghai(REQUESTED), part: None };
        let debit = books.asked();
        assert!(!is_looked_up(&debit), "nothing leaves by it, and it is about nothing earlier");
        books.node.given(Command::AnswerAttempt { attempt: debit.id, outcome: paid });
        books.available = books.state().merchants.get(1).unwrap().available;
        books
    }

    fn state(&self) -> &State {
        self.node.engine.state()
    }

    /// The attempt that waits for its channel.
    fn asked(&self) -> Attempt {
        let (id, ()) = self.state().outbox.first().unwrap();
        self.state().attempts.get(id.0).unwrap().clone()
    }

    fn refund(&mut self, amount: Minor) -> RefundId {
        let refund = CreateRefund {
            order: self.order,
            out_refund_no: "F1".into(),
            amount,
            return_fee: false,
            take_from: Vec::new(),
            items: Vec::new(),
            legs: Vec::new(),
        };
        let Reply::Refund(id) = self.node.given(Command::CreateRefund(refund)) else { panic!("a refund was created") };
        id
    }

    fn payout(&mut self, amount: Minor) -> PayoutId {
        let from = self.state().institution(Subject::ClearingEpcc, CNY).unwrap();
        self.node.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("earned".into()),
            event: EventCode::TopUp,
            date: None,
            entries: vec![Entry::debit(from, amount, CNY), Entry::credit(self.available, amount, CNY)],
            dimensions: None,
        }));
        let (account, to, fee, currency) = (self.available, PayTo::Settlement, 0, CNY);
        let payout = CreatePayout { account, to, amount, fee, currency, send_now: true, bank: None, channel: None };
        let Reply::Payout(id) = self.node.given(Command::CreatePayout(payout)) else { panic!("a payout was created") };
        id
    }
}

/// The same attempt of another amount.
fn of(asked: &Attempt, more: Minor) -> Attempt {
    let mut other = asked.clone();
    match &mut other.operation {
        Operation::Refund { amount, .. } | Operation::Pay { amount, .. } => *amount += more,
        Operation::Debit { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Redirect { .. }
        | Operation::FundBatch { .. } => panic!("nothing leaves by {asked:?}"),
    }
    other
}

/// What becomes of an attempt that is seen in these books: in the epoch that asked for it, so it may be sent.
fn flies(books: &State, asked: &Attempt, script: &str) -> String {
    assert!(is_looked_up(asked), "{asked:?}");
    Pilot::looking(asked.clone(), see(books, asked), scripted(), asked.epoch).fly(script)
}

/// It is not sent, and this is why.
#[track_caller]
fn is_not_sent(books: &State, asked: &Attempt, why: Disagreement) {
    assert_eq!(see(books, asked).agreed, Err(why), "{asked:?}");
    assert_eq!(flies(books, asked, ""), "report declined system not_sent:disagrees, done", "{asked:?}");
}

#[test]
fn a_refund_is_sent_if_the_books_agree_and_not_if_it_or_they_were_changed() {
    let mut books = Books::open();
    let id = books.refund(3_000);
    let asked = books.asked();
    assert_eq!(asked.status, AttemptStatus::Requested);
    let seen = see(books.state(), &asked);
    assert_eq!((seen.agreed, seen.stopped, seen.closing), (Ok(()), false, false));
    let original = Original { reference: "B41".into(), requested_at: REQUESTED, agreement: Some("AG-1".to_owned()) };
    assert_eq!(seen.original, Some(original));
    assert_eq!(flies(books.state(), &asked, "success"), "send, report success, done");

    is_not_sent(books.state(), &of(&asked, 1), Disagreement::Amount);
    let mut changed = books.state().clone();
    changed.refunds.get_mut(id.0).unwrap().parts[0].amount = 2_999;
    is_not_sent(&changed, &asked, Disagreement::Amount);
    let mut overtaken = books.state().clone();
    overtaken.refunds.get_mut(id.0).unwrap().overtaken_by = Some(RefundId(id.0 + 1));
    is_not_sent(&overtaken, &asked, Disagreement::Object);

    // It leaves books that agree at first and do not right before it is written.
    let mut pilot = Pilot::looking(asked.clone(), see(books.state(), &asked), scripted(), asked.epoch);
    assert!(pilot.flight.is_to_be_seen_again());
    pilot.flight.seen_again(&see(&overtaken, &asked));
    assert_eq!(pilot.fly(""), "report declined system not_sent:disagrees, done");
}

#[test]
fn a_payout_is_not_sent_if_it_or_the_books_were_changed() {
    let mut books = Books::open();
    let id = books.payout(1_000);
    let asked = books.asked();
    assert!(is_looked_up(&asked), "it is about nothing earlier, and money leaves by it");
    let seen = see(books.state(), &asked);
    assert_eq!((seen.original, seen.agreed, seen.stopped, seen.closing), (None, Ok(()), false, false));

    is_not_sent(books.state(), &of(&asked, 1), Disagreement::Amount);
    let mut changed = books.state().clone();
    changed.payouts.get_mut(id.0).unwrap().amount = 999;
    is_not_sent(&changed, &asked, Disagreement::Amount);
    let mut unheld = books.state().clone();
    let hold = unheld.payouts.get(id.0).unwrap().hold.unwrap();
    unheld.holds.get_mut(hold.0).unwrap().confirmed = 999;
    is_not_sent(&unheld, &asked, Disagreement::Hold);
}

#[test]
fn the_books_are_asked_about_what_leaves_and_about_what_follows_another() {
    let debit = attempt(AttemptStatus::Requested);
    assert!(!is_looked_up(&debit));
    let original = || String::from("L00000000000000000041");
    let refund = Operation::Refund { original: original(), amount: 5_000, currency: CNY };
    let release = Operation::FundRelease { original: original(), amount: 5_000, currency: CNY };
    for operation in [refund, release] {
        let asked = Attempt { operation, ..debit.clone() };
        assert!(is_looked_up(&asked), "{asked:?}");
    }
}
