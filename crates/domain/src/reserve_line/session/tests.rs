//! Sessions of which something was booked before their line, as level 17 wrote them.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::card_fee::CardType;
use crate::card_transaction::CardKind;
use crate::clearing::{ClearingLine, TakeClearingFile};
use crate::command::{Command, Reply};
use crate::ids::ClearingId;
use crate::reserve_line::LineDirection::In;
use crate::testkit::{Kit, date, success};

const DAY: &str = "2026-03-05";

/// A further part of the file.
fn part(kit: &mut Kit, part: u32, lines: Vec<ClearingLine>) -> ClearingId {
    let (rail, date, channel) = (Rail::Epcc, date(DAY), None);
    let file = TakeClearingFile { rail, date, part, last: false, lines, channel };
    let Reply::Clearing(id) = kit.given(Command::TakeClearingFile(file)) else { panic!("a file was taken") };
    kit.restore();
    id
}

fn is_over(kit: &Kit) -> bool {
    kit.state.awaited_sessions.is_empty() && kit.state.booked_sessions.is_empty()
}

#[test]
fn what_a_file_booked_its_line_does_not_book_again() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    kit.take_file_of_before(Rail::Epcc, DAY, lines);
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    kit.restore();
    assert_eq!(kit.state.booked_sessions.get(&(Rail::Epcc, date(DAY))), Some(&5_000));
    // Another part of it, which is taken now, is booked as the first was: one line brings both.
    kit.paid_rent(merchant, 700);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    let second = part(&mut kit, 2, lines);
    assert!(kit.state.clearing(second).unwrap().voucher.is_some());
    let booked = [(1101, 5_700), (2291, 11), (1291, 11), (5001, 11)];
    kit.books(&booked);
    let line = kit.line("net-1", In, 5_700);
    let line = kit.take_line(line);
    assert_eq!(kit.state.reserve_line(line).unwrap().voucher, None);
    kit.books(&booked);
    assert!(is_over(&kit));
    kit.restore();
    // What comes to it after its line is of the new kind.
    kit.paid_rent(merchant, 300);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    let third = part(&mut kit, 3, lines);
    assert_eq!(kit.state.clearing(third).unwrap().voucher, None);
    assert_eq!(kit.own(Subject::CentralBank), 5_700);
    kit.take_session(Rail::Epcc, DAY);
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingEpcc), is_over(&kit)), (6_000, 0, true));
    kit.posted_once();
    kit.restore();
}

#[test]
fn parts_that_even_out_leave_nothing_booked_before_a_line_that_never_comes() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    kit.take_file_of_before(Rail::Epcc, DAY, lines);
    kit.restore();
    kit.refund(order, 5_000, true);
    kit.answered(success(DAY));
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    part(&mut kit, 2, lines);
    kit.books(&[]);
    assert!(is_over(&kit));
}

#[test]
fn a_file_of_cards_is_of_the_networks_session() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    kit.paid_by_union_card(shop.merchant, 5_000);
    let lines = kit.clearing_lines(Rail::UnionPay, DAY);
    kit.take_file_of_before(Rail::UnionPay, DAY, lines);
    let line = kit.card_line(sale);
    let file = kit.card_file_alone(DAY, vec![line]);
    assert!(kit.state.card_clearing(file).unwrap().voucher.is_some());
    kit.restore();
    let own = |kit: &Kit| [Subject::CentralBank, Subject::ClearingUnionPay].map(|subject| kit.own(subject));
    assert_eq!(own(&kit), [1_000_175, 0]);
    let line = kit.line("net-1", In, 1_000_175);
    let line = kit.take_line(line);
    assert_eq!((kit.state.reserve_line(line).unwrap().voucher, own(&kit)), (None, [1_000_175, 0]));
    assert!(is_over(&kit));
    kit.restore();
}
