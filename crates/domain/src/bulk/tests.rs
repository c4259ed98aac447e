//! Bulk postings: independent vouchers, all-or-nothing, numbers sent twice.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::account::{Account, Owner};
use crate::book::Subject;
use crate::command::Command;
use crate::hold::{Hold, PlaceHold};
use crate::ids::AccountId;
use crate::money::{Currency, Minor};
use crate::recall::{self, RowId};
use crate::testkit::{Kit, date};

struct World {
    kit: Kit,
    payer: AccountId,
    payee: AccountId,
}

/// Two accounts, the first with 100.
fn world() -> World {
    let mut kit = Kit::new();
    let user = kit.user();
    let [payer, payee] = [(); 2].map(|()| kit.account(Subject::Personal, Owner::User(user)));
    kit.fund(payer, 100);
    World { kit, payer, payee }
}

impl World {
    fn posting(&self, number: u64, amounts: &[Minor]) -> PostBulk {
        let fingerprint = [u8::try_from(amounts.len()).unwrap(); 16];
        let items = amounts.iter().map(|amount| self.voucher(*amount)).collect();
        PostBulk { stream: "rent".into(), number, fingerprint, atomic: false, date: None, items }
    }

    fn voucher(&self, amount: Minor) -> BulkVoucher {
        let entries =
            vec![Entry::debit(self.payer, amount, Currency::Cny), Entry::credit(self.payee, amount, Currency::Cny)];
        BulkVoucher { event: EventCode::Transfer, entries, dimensions: None }
    }

    #[track_caller]
    fn post(&mut self, command: PostBulk) -> BulkReply {
        let Reply::Bulk(reply) = self.kit.given(Command::PostBulk(command)) else { panic!("vouchers were posted") };
        reply
    }

    /// The whole state, without the lists of what changed lately.
    fn image(&mut self) -> String {
        self.kit.state.begin(false);
        self.kit.state.rollback();
        let _ = self.kit.state.take_changes();
        format!("{:?}", self.kit.state)
    }
}

#[test]
fn vouchers_are_independent_and_answered_by_place() {
    let mut world = world();
    let command = world.posting(1, &[60, 60, 0, 40]);
    let before = world.kit.state.position;
    let reply = world.post(command);
    let refused: Vec<_> = reply.refused.iter().map(|(at, refusal)| (*at, refusal.code)).collect();
    assert_eq!(refused, [(1, RefusalCode::InsufficientFunds), (2, RefusalCode::AmountNotPositive)]);
    // The stream's first posting opens it, then the accepted vouchers follow each other.
    assert_eq!((reply.vouchers, reply.first), (4, VoucherId(before + 2)));
    assert_eq!((world.kit.balance(world.payer), world.kit.balance(world.payee)), (0, 100));
}

#[test]
fn all_or_nothing_leaves_the_state_as_it_was_to_the_byte() {
    let mut world = world();
    let first = world.posting(1, &[10]);
    world.post(first);
    let before = world.image();
    let command = PostBulk { atomic: true, ..world.posting(2, &[30, 30, 31]) };
    let refusal = world.kit.when(Command::PostBulk(command.clone())).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::InsufficientFunds);
    assert!(refusal.message.contains("voucher 2"), "{refusal}");
    assert_eq!(world.image(), before);
    // The same in a stream that does not exist yet: it is not opened either.
    let fresh = PostBulk { stream: "new".into(), ..command };
    assert!(world.kit.when(Command::PostBulk(fresh)).is_err());
    assert_eq!(world.image(), before);

    let good = PostBulk { atomic: true, ..world.posting(2, &[30, 30, 30]) };
    assert!(world.post(good).refused.is_empty());
    assert_eq!(world.kit.balance(world.payer), 0);
}

#[test]
fn the_same_number_gets_the_same_answer_and_posts_once() {
    let mut world = world();
    let command = world.posting(7, &[60, 60]);
    let first = world.post(command.clone());
    let position = world.kit.state.position;
    assert_eq!(world.post(command), first);
    assert_eq!((world.kit.balance(world.payer), world.kit.state.position), (40, position));
    let other = world.posting(7, &[1]);
    world.kit.refused(Command::PostBulk(other), RefusalCode::KeyReused);
}

#[test]
fn a_number_below_the_mark_that_was_never_used_is_refused() {
    let mut world = world();
    let (seven, six) = (world.posting(7, &[1]), world.posting(6, &[1]));
    world.post(seven);
    world.kit.refused(Command::PostBulk(six), RefusalCode::NumberExpired);
}

#[test]
fn answers_are_kept_for_the_last_postings_only() {
    let mut world = world();
    let last = KEPT_ANSWERS as u64 + 1;
    for number in 1..=last {
        let command = world.posting(number, &[1]);
        world.post(command);
    }
    let (expired, kept) = (world.posting(1, &[1]), world.posting(2, &[1]));
    world.kit.refused(Command::PostBulk(expired), RefusalCode::NumberExpired);
    assert_eq!(world.post(kept).number, 2);
    assert_eq!(world.kit.balance(world.payee), Minor::try_from(last).unwrap());
}

#[test]
fn the_last_number_there_is_can_be_used() {
    let mut world = world();
    let (last, other) = (world.posting(u64::MAX, &[1]), world.posting(u64::MAX, &[1, 1]));
    world.post(last);
    world.kit.refused(Command::PostBulk(other), RefusalCode::KeyReused);
}

#[test]
fn streams_count_by_themselves() {
    let mut world = world();
    let first = world.posting(5, &[1]);
    let other = PostBulk { stream: "deposits".into(), ..world.posting(1, &[1]) };
    let (first, other) = (world.post(first), world.post(other));
    assert_ne!(first.stream, other.stream);
    assert_eq!(world.kit.state.streams.get(other.stream.0).unwrap().mark, 1);
}

#[test]
fn bad_postings_are_refused_and_open_no_stream() {
    let mut world = world();
    let good = world.posting(1, &[1]);
    let too_many = core::iter::repeat_n(world.voucher(1), MAX_ITEMS + 1).collect();
    let table = [
        (PostBulk { items: BulkItems::default(), ..good.clone() }, RefusalCode::VoucherTooLong),
        (PostBulk { items: too_many, ..good.clone() }, RefusalCode::VoucherTooLong),
        (PostBulk { stream: "".into(), ..good.clone() }, RefusalCode::ValueInvalid),
        (PostBulk { stream: "x".repeat(65).into(), ..good.clone() }, RefusalCode::ValueInvalid),
        (PostBulk { date: Some(date("2026-03-04")), ..good.clone() }, RefusalCode::DayClosed),
        (PostBulk { date: Some(date("2026-03-06")), ..good }, RefusalCode::DayNotOpen),
    ];
    for (command, code) in table {
        world.kit.refused(Command::PostBulk(command), code);
    }
    assert!(world.kit.state.stream_names.is_empty());
}

#[test]
fn nothing_by_hand_moves_the_central_bank_account() {
    let mut world = world();
    let reserve = world.kit.state.institution(Subject::CentralBank, Currency::Cny).unwrap();
    let good = world.voucher(1);
    let entries = vec![Entry::debit(reserve, 1, Currency::Cny), Entry::credit(world.payee, 1, Currency::Cny)];
    let vouchers = [BulkVoucher { entries, ..good.clone() }, good].into_iter().collect();
    let reply = world.post(PostBulk { items: vouchers, ..world.posting(1, &[]) });
    assert_eq!(reply.refused.len(), 1);
    assert_eq!(reply.refused[0].1.code, RefusalCode::SubjectNotAllowed);
    assert_eq!(reply.refused[0].1.param.to_string(), "account");
}

impl World {
    fn mixed(&self, number: u64, items: impl IntoIterator<Item = BulkItem>) -> PostBulk {
        PostBulk { items: items.into_iter().collect(), ..self.posting(number, &[]) }
    }

    fn hold(&self, amount: Minor) -> PlaceHold {
        let expires_at = self.kit.state.now.plus_ms(60_000);
        PlaceHold { account: self.payer, amount, currency: Currency::Cny, expires_at }
    }

    fn holds(&self, amount: Minor) -> BulkItem {
        BulkItem::Hold(Box::new(NewHold { terms: self.hold(amount), source: None, reference: None }))
    }

    fn confirms(&self, hold: u64, amount: Option<Minor>) -> BulkItem {
        BulkItem::Confirm(Box::new(BulkConfirm { hold: HoldId(hold), amount, to: Some(self.payee) }))
    }

    /// What the accounts and holds are, without who held and when.
    fn books(&self) -> Vec<String> {
        let state = &self.kit.state;
        let account = |it: &Account| format!("{} {} {} {}", it.id, it.balance, it.held_out, it.entries);
        let hold = |it: &Hold| format!("{} {} {:?} {}", it.id, it.confirmed, it.status, it.confirms.len());
        let accounts = state.accounts.iter().map(|(_, it)| account(it));
        accounts.chain(state.holds.iter().map(|(_, it)| hold(it))).collect()
    }
}

#[test]
fn items_of_every_kind_do_what_their_commands_do() {
    let (mut many, mut single) = (world(), world());
    let payee = single.payee;
    let voucher = BulkItem::Voucher(many.voucher(5));
    let items = [
        many.holds(40),
        voucher,
        many.confirms(1, Some(15)),
        many.holds(20),
        BulkItem::Cancel(HoldId(2)),
        many.confirms(1, None),
    ];
    let before = many.kit.state.position;
    let command = many.mixed(1, items);
    let reply = many.post(command.clone());
    assert_eq!((reply.vouchers, &reply.refused[..]), (6, &[][..]));
    // The stream opens; hold, voucher, a confirm (let go, moved, noted), hold, cancel, a confirm.
    let confirmed = [before + 5, before + 10];
    assert_eq!(reply.made, [1, before + 3, confirmed[0], 2, 2, confirmed[1]]);
    let confirms = &many.kit.state.holds.get(1).unwrap().confirms;
    assert_eq!(confirms.iter().map(|confirm| confirm.voucher.0).collect::<Vec<_>>(), confirmed);

    let confirm = |amount| Command::ConfirmHold { hold: HoldId(1), amount, to: payee };
    let held = single.hold(40);
    single.kit.given(Command::PlaceHold(held));
    let plain = single.posting(1, &[5]);
    single.post(plain);
    single.kit.given(confirm(Some(15)));
    let held = single.hold(20);
    single.kit.given(Command::PlaceHold(held));
    single.kit.given(Command::CancelHold(HoldId(2)));
    single.kit.given(confirm(None));
    assert_eq!(many.books(), single.books());
    assert_eq!(many.post(command), reply, "sent again it is answered, not done");
}

#[test]
fn refused_items_leave_nothing_behind() {
    let (mut some, mut good) = (world(), world());
    let first = [some.holds(30), some.holds(50)];
    for world in [&mut some, &mut good] {
        let command = world.mixed(1, first.clone());
        world.post(command);
    }
    let to_itself = BulkConfirm { hold: HoldId(2), amount: None, to: Some(some.payer) };
    let announced = BulkConfirm { hold: HoldId(2), amount: None, to: None };
    let bad = [
        (some.holds(21), RefusalCode::InsufficientFunds),
        (some.confirms(1, Some(31)), RefusalCode::HoldExceeded),
        (some.confirms(9, None), RefusalCode::HoldUnknown),
        (BulkItem::Confirm(Box::new(to_itself)), RefusalCode::ReceiverNotAllowed),
        (BulkItem::Confirm(Box::new(announced)), RefusalCode::HoldDirection),
        (BulkItem::Cancel(HoldId(9)), RefusalCode::HoldUnknown),
    ];
    let mut items: Vec<BulkItem> = bad.iter().map(|(item, _)| item.clone()).collect();
    items.insert(3, some.confirms(1, Some(30)));
    let command = some.mixed(2, items);
    let reply = some.post(command);
    let codes: Vec<RefusalCode> = reply.refused.iter().map(|(_, refusal)| refusal.code).collect();
    assert_eq!(codes, bad.map(|(_, code)| code));
    assert_eq!(reply.made.len(), 1);
    let command = good.mixed(2, [good.confirms(1, Some(30))]);
    good.post(command);
    assert_eq!(some.books(), good.books());
}

#[test]
fn a_confirm_whose_voucher_is_refused_leaves_the_hold_as_it_was() {
    let mut world = world();
    let command = world.mixed(1, [world.holds(30)]);
    world.post(command);
    let closed = world.payee;
    world.kit.given(Command::CloseAccount(closed));
    let before = world.books();
    let command = world.mixed(2, [world.confirms(1, None), world.confirms(1, Some(1))]);
    let reply = world.post(command);
    let codes: Vec<RefusalCode> = reply.refused.iter().map(|(_, refusal)| refusal.code).collect();
    assert_eq!(codes, [RefusalCode::AccountClosed; 2]);
    assert_eq!(world.books(), before);
}

#[test]
fn all_or_nothing_takes_holds_and_confirms_back_too() {
    let mut world = world();
    let command = world.mixed(1, [world.holds(30)]);
    world.post(command);
    let before = world.image();
    let items = [world.confirms(1, Some(10)), world.holds(20), world.confirms(1, Some(21))];
    let command = PostBulk { atomic: true, ..world.mixed(2, items) };
    let refusal = world.kit.when(Command::PostBulk(command)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::HoldExceeded);
    assert!(refusal.message.contains("item 2"), "{refusal}");
    assert_eq!(world.image(), before);
}

#[test]
fn what_a_posting_asks_for_that_left_memory_is_named_before_it_is_carried_out() {
    let mut world = world();
    let command = world.mixed(1, [world.holds(10), world.holds(10), world.holds(10), world.holds(10)]);
    world.post(command);
    let command = world.mixed(2, [1, 2, 3].map(|hold| BulkItem::Cancel(HoldId(hold))));
    world.post(command.clone());
    world.kit.given(Command::Checkpoint { position: world.kit.state.position });
    let wanted =
        |world: &World, command: &PostBulk| recall::wanted(&world.kit.state, &Command::PostBulk(command.clone()));
    let items = [
        BulkItem::Cancel(HoldId(3)),
        world.confirms(1, None),
        world.confirms(1, Some(1)),
        BulkItem::Cancel(HoldId(4)),
        BulkItem::Cancel(HoldId(99)),
    ];
    let next = world.mixed(3, items);
    let rows = [1, 3].map(|hold| RowId::from(HoldId(hold)));
    assert_eq!(wanted(&world, &next), rows, "each once; neither one that is open nor one that never was");
    assert_eq!(wanted(&world, &PostBulk { atomic: true, ..next.clone() }), rows);
    assert_eq!(wanted(&world, &PostBulk { stream: "other".into(), number: 1, ..next.clone() }), rows);
    assert_eq!(wanted(&world, &command), [], "one that is answered as before asks for none");
    assert_eq!(wanted(&world, &world.posting(4, &[1])), []);
    let reply = world.post(next);
    let codes: Vec<RefusalCode> = reply.refused.iter().map(|(_, refusal)| refusal.code).collect();
    let over = RefusalCode::HoldState;
    assert_eq!(codes, [over, over, over, RefusalCode::HoldUnknown]);
    assert_eq!(reply.made, [4]);
    assert!(world.kit.state.is_away(HoldId(2).into()), "what it did not ask for did not come back");
}
