//! Lines of the statement that have differences of a session's file in them.

use super::*;
use crate::ids::SuspenseId;
use crate::reserve_line::LineDirection::Out;
use crate::reserve_line::{LineTarget, ReserveLineCommand, Session};

fn take(line: TakeReserveLine) -> Command {
    Command::ReserveLine(ReserveLineCommand::TakeLine(line))
}

fn epcc() -> LineTarget {
    LineTarget::Clearing { rail: Rail::Epcc, date: date(DAY) }
}

/// A file of one debit of 5,000 that matches and one of 5,001 that should be 5,000.
fn session() -> Kit {
    let mut kit = kit();
    let (_, wrong) = paid(&mut kit);
    let (_, right) = paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![ClearingLine { amount: 5_001, ..line_of(&wrong) }, line_of(&right)]);
    kit
}

#[test]
fn a_line_of_a_session_with_open_differences_is_not_put_in_suspense() {
    let mut kit = kit();
    let (_, wrong) = paid(&mut kit);
    let (_, right) = paid(&mut kit);
    paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![ClearingLine { amount: 5_001, ..line_of(&wrong) }, line_of(&right)]);
    let missing = DifferenceId { number: 3, ..FIRST };
    assert_eq!(open(&kit), [FIRST, missing]);
    // The file's 5,000 with one difference, with the other, with both.
    for (amount, names) in [(10_001, "(clr_1_1)"), (10_000, "(clr_1_3)"), (15_001, "(clr_1_1, clr_1_3)")] {
        let line = kit.line("session", In, amount);
        let refusal = kit.when(take(line)).unwrap_err();
        assert_eq!((refusal.code, refusal.param.as_ref()), (RefusalCode::ReserveLineSession, "reference"));
        assert!(refusal.message.contains("epcc 2026-03-05 awaits (5000 CNY)"), "{refusal}");
        assert!(refusal.message.contains(names), "{refusal}");
    }
    // What is of another amount, of a day before, or of one difference without what the session awaits is not its line.
    let mut before = kit.line("before", In, 10_001);
    before.date = date("2026-03-04");
    let others = [before, kit.line("other", In, 10_002), kit.line("alone", In, 5_001)];
    for line in others {
        kit.take_line(line);
    }
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::Suspense)), (25_004, 25_004));
    let line = kit.line("out", Out, 10_001);
    kit.refused(take(line), RefusalCode::ReserveLineUnmatched);
}

#[test]
fn once_its_differences_are_settled_a_session_takes_its_line() {
    let mut kit = session();
    let line = kit.line("session", In, 10_001);
    kit.refused(take(line.clone()), RefusalCode::ReserveLineSession);
    let over = voucher(&kit, Subject::ClearingEpcc, Subject::Suspense, 1);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), over), Ok(Reply::Clearing(ClearingId(1))));
    let id = kit.take_line(line);
    let row = kit.state.reserve_line(id).unwrap();
    assert_eq!((row.target, row.voucher.is_some()), (Some(epcc()), true));
    kit.books(&[(1101, 10_001), (2241, 1), (2291, 20), (1291, 20), (5001, 20)]);
    assert!(kit.state.awaited_sessions.is_empty());
    kit.restore();
}

#[test]
fn a_session_that_takes_money_out_waits_for_its_differences_too() {
    let mut kit = kit();
    kit.injected(1_000);
    sent(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    let line = kit.line("session", Out, 1_000);
    kit.refused(take(line.clone()), RefusalCode::ReserveLineSession);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), None), Ok(Reply::Clearing(ClearingId(1))));
    kit.take_line(line);
    assert!(kit.state.awaited_sessions.is_empty());
}

#[test]
fn all_that_a_session_misses_is_seen_however_many_there_are() {
    let mut kit = kit();
    (0..10).for_each(|_| drop(paid(&mut kit)));
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    let line = kit.line("session", In, 50_000);
    let refusal = kit.when(take(line)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::ReserveLineSession);
    assert!(refusal.message.contains("clr_1_8, 2 more)"), "{refusal}");
}

#[test]
fn what_is_said_to_be_suspense_goes_there() {
    let mut kit = session();
    for (reference, amount) in [("with-a-difference", 10_001), ("of-the-session", 5_000)] {
        let line = TakeReserveLine { suspense: true, ..kit.line(reference, In, amount) };
        let id = kit.take_line(line.clone());
        assert_eq!(kit.state.reserve_line(id).unwrap().target, None);
        // Taken again it need not be said.
        assert_eq!(kit.take_line(TakeReserveLine { suspense: false, ..line }), id);
    }
    assert_eq!(kit.own(Subject::Suspense), 15_001);
    assert_eq!(kit.state.awaited_sessions.get(&(Rail::Epcc, date(DAY))), Some(&5_000));
    let wrong = TakeReserveLine { suspense: true, ..kit.line("wrong", In, 5_000) };
    kit.refused(take(TakeReserveLine { direction: Out, ..wrong.clone() }), RefusalCode::ValueInvalid);
    kit.refused(take(TakeReserveLine { target: Some(epcc()), ..wrong }), RefusalCode::ValueInvalid);
}

/// Allocates what suspense has of a session, or some of it to an account of the institution; from the newest item.
fn finds(kit: &mut Kit, to: Subject, amount: Option<Minor>, session: Option<Session>) -> Result<Reply, RefusalCode> {
    let item = kit.state.suspense_items.iter().last().unwrap().1.id;
    let to = kit.state.institution(to, CNY).unwrap();
    let command = Command::AllocateSuspense(AllocateSuspense { item, to, amount, session });
    kit.when_approved(command).map_err(|refusal| refusal.code)
}

fn session_of(day: &str) -> Option<Session> {
    Some(Session { rail: Rail::Epcc, date: date(day) })
}

#[test]
fn what_suspense_has_of_a_session_is_taken_from_its_rail() {
    let mut kit = session();
    let line = TakeReserveLine { suspense: true, ..kit.line("session", In, 10_001) };
    kit.take_line(line);
    kit.books(&[(1101, 10_001), (1121, 10_000), (2241, 10_001), (2291, 20), (1291, 20), (5001, 20)]);
    let (invalid, not_allowed) = (RefusalCode::ValueInvalid, RefusalCode::SubjectNotAllowed);
    for (to, amount, session, refused) in [
        (Subject::CentralBank, None, session_of(NEXT), invalid),
        (Subject::CentralBank, Some(4_999), session_of(DAY), invalid),
        (Subject::CentralBank, Some(10_001), session_of(DAY), invalid),
        (Subject::CentralBank, Some(5_000), None, not_allowed),
        (Subject::ReceivableFund, None, session_of(DAY), not_allowed),
    ] {
        assert_eq!(finds(&mut kit, to, amount, session).unwrap_err(), refused, "{amount:?} {session:?}");
    }
    assert_eq!(finds(&mut kit, Subject::CentralBank, None, session_of(DAY)), Ok(Reply::Suspense(SuspenseId(1))));
    kit.books(&[(1101, 10_001), (1121, 5_000), (2241, 5_001), (2291, 20), (1291, 20), (5001, 20)]);
    let item = kit.state.suspense_item(SuspenseId(1)).unwrap();
    let (allocation, rail) = (item.allocations.last().unwrap(), kit.state.institution(Subject::ClearingEpcc, CNY));
    assert_eq!((allocation.session, Some(allocation.to)), (session_of(DAY), rail.ok()));
    kit.restore();
    assert!(kit.state.awaited_sessions.is_empty() && kit.state.awaited_lines.is_empty());

    // The rest is the difference's: it pays the claim on its channel, and 1 was over.
    let claim = voucher(&kit, Subject::ReceivableFund, Subject::ClearingEpcc, 5_000);
    assert_eq!(settles(&mut kit, 71, (FIRST, false), claim), Ok(Reply::Clearing(ClearingId(1))));
    assert_eq!(finds(&mut kit, Subject::ReceivableFund, Some(5_000), None), Ok(Reply::Suspense(SuspenseId(1))));
    kit.books(&[(1101, 10_001), (2241, 1), (2291, 20), (1291, 20), (5001, 20)]);
    kit.posted_once();
}

#[test]
fn two_people_take_from_suspense_what_its_maker_saw_awaited() {
    let mut kit = session();
    let line = TakeReserveLine { suspense: true, ..kit.line("several", In, 20_000) };
    kit.take_line(line);
    let to = kit.state.institution(Subject::CentralBank, CNY).unwrap();
    let allocate = AllocateSuspense { item: SuspenseId(1), to, amount: None, session: session_of(DAY) };
    let [stale, twice] = [(); 2].map(|()| kit.proposed("accountant-1", Proposal::SuspenseAllocation(allocate.clone())));
    let over = voucher(&kit, Subject::ClearingEpcc, Subject::Suspense, 1);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), over), Ok(Reply::Clearing(ClearingId(1))));
    assert_eq!(kit.state.awaited_sessions.get(&(Rail::Epcc, date(DAY))), Some(&10_001));
    assert_eq!(Kit::code(kit.when_checked("accountant-2", stale)), RefusalCode::ValueInvalid, "5,000 were seen");
    kit.decided("accountant", Proposal::SuspenseAllocation(allocate));
    kit.books(&[(1101, 20_000), (2241, 10_000), (2291, 20), (1291, 20), (5001, 20)]);
    assert_eq!(Kit::code(kit.when_checked("accountant-2", twice)), RefusalCode::ValueInvalid, "nothing is awaited");
    kit.restore();
}

#[test]
fn a_line_that_came_before_its_file_is_taken_from_suspense() {
    let mut kit = kit();
    let (_, attempt) = paid(&mut kit);
    let line = kit.line("before-its-file", In, 5_000);
    kit.take_line(line);
    kit.take_file_alone(Rail::Epcc, DAY, vec![line_of(&attempt)]);
    assert_eq!(finds(&mut kit, Subject::CentralBank, None, session_of(DAY)), Ok(Reply::Suspense(SuspenseId(1))));
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert!(kit.state.awaited_sessions.is_empty() && kit.state.open_suspense.is_empty());
    kit.restore();
}

#[test]
fn a_line_of_a_day_before_its_session_is_none_of_it() {
    let mut kit = kit();
    let (_, attempt) = paid(&mut kit);
    let mut line = kit.line("before", In, 5_000);
    line.date = date("2026-03-04");
    kit.take_line(line);
    kit.take_file_alone(Rail::Epcc, DAY, vec![line_of(&attempt)]);
    assert_eq!(finds(&mut kit, Subject::CentralBank, None, session_of(DAY)), Err(RefusalCode::ValueInvalid));
}

/// The books of level 17: the file booked its 5,000.
fn session_of_before() -> Kit {
    let mut kit = kit();
    let (_, wrong) = paid(&mut kit);
    let (_, right) = paid(&mut kit);
    let lines = vec![ClearingLine { amount: 5_001, ..line_of(&wrong) }, line_of(&right)];
    let file = kit.take_file_of_before(Rail::Epcc, DAY, lines);
    assert!(kit.state.clearing(file).unwrap().voucher.is_some());
    kit.books(&[(1101, 5_000), (1121, 5_000), (2291, 20), (1291, 20), (5001, 20)]);
    kit.restore();
    kit
}

#[test]
fn a_difference_of_a_session_that_was_booked_is_booked_too_and_the_line_books_nothing() {
    let mut kit = session_of_before();
    let over = voucher(&kit, Subject::ClearingEpcc, Subject::Suspense, 1);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), over), Ok(Reply::Clearing(ClearingId(1))));
    let after = [(1101, 10_001), (2241, 1), (2291, 20), (1291, 20), (5001, 20)];
    kit.books(&after);
    let of_before = DifferenceEnd::Settled { approval: ApprovalId(71), accepted: true, booked: 5_001, by_line: None };
    assert_eq!(kit.state.difference(FIRST).unwrap().1.end, Some(of_before));
    kit.restore();
    let line = kit.line("session", In, 10_001);
    let id = kit.take_line(line);
    let row = kit.state.reserve_line(id).unwrap();
    assert_eq!((row.target, row.voucher), (Some(epcc()), None));
    kit.books(&after);
    assert!(kit.state.awaited_sessions.is_empty() && kit.state.booked_sessions.is_empty());
    kit.posted_once();
    kit.restore();
}

#[test]
fn what_suspense_has_of_a_session_that_was_booked_leaves_1101_where_it_is_twice() {
    let mut kit = session_of_before();
    let line = TakeReserveLine { suspense: true, ..kit.line("session", In, 10_001) };
    kit.take_line(line);
    kit.books(&[(1101, 15_001), (1121, 5_000), (2241, 10_001), (2291, 20), (1291, 20), (5001, 20)]);
    kit.restore();
    assert_eq!(finds(&mut kit, Subject::CentralBank, None, session_of(DAY)), Ok(Reply::Suspense(SuspenseId(1))));
    kit.books(&[(1101, 10_001), (1121, 5_000), (2241, 5_001), (2291, 20), (1291, 20), (5001, 20)]);
    assert!(kit.state.awaited_sessions.is_empty() && kit.state.booked_sessions.is_empty());
    kit.restore();
    // What the session awaits from now on is booked by its line.
    let over = voucher(&kit, Subject::ClearingEpcc, Subject::Suspense, 1);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), over), Err(RefusalCode::DifferenceState), "5,001 are left there");
}

/// What was allocated before sessions were named keeps its bytes.
#[test]
fn a_proposal_without_a_session_reads_as_before() {
    let bytes = minicbor::to_vec((SuspenseId(3), AccountId(7), 40_i64)).unwrap();
    let command: AllocateSuspense = minicbor::decode(&bytes).unwrap();
    assert_eq!(
        (command.item, command.to, command.amount, command.session),
        (SuspenseId(3), AccountId(7), Some(40), None)
    );
    assert_eq!(minicbor::to_vec(&command).unwrap(), bytes);
}
