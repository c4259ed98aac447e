//! Bulk postings: independent vouchers, all-or-nothing, numbers sent twice.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::account::Owner;
use crate::book::Subject;
use crate::command::Command;
use crate::ids::AccountId;
use crate::money::{Currency, Minor};
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
        let vouchers = amounts.iter().map(|amount| self.voucher(*amount)).collect();
        PostBulk { stream: "rent".into(), number, fingerprint, atomic: false, date: None, vouchers }
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
    let too_many = core::iter::repeat_n(world.voucher(1), MAX_VOUCHERS + 1).collect();
    let table = [
        (PostBulk { vouchers: BulkVouchers::default(), ..good.clone() }, RefusalCode::VoucherTooLong),
        (PostBulk { vouchers: too_many, ..good.clone() }, RefusalCode::VoucherTooLong),
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
    let reply = world.post(PostBulk { vouchers, ..world.posting(1, &[]) });
    assert_eq!(reply.refused.len(), 1);
    assert_eq!(reply.refused[0].1.code, RefusalCode::SubjectNotAllowed);
    assert_eq!(reply.refused[0].1.param.to_string(), "account");
}
