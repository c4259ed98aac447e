//! What leaves, what stays, and that both are as good as in memory.

use super::*;
use crate::account::Owner;
use crate::book::Subject;
use crate::event::apply;
use crate::hold::{HoldStatus, PlaceHold};
use crate::ids::AccountId;
use crate::money::Currency;
use crate::state::State;
use crate::testkit::Kit;

fn books() -> (Kit, AccountId) {
    let mut kit = Kit::new();
    let owner = Owner::User(kit.user());
    let account = kit.account(Subject::Personal, owner);
    kit.fund(account, 10_000);
    (kit, account)
}

fn place(kit: &mut Kit, account: AccountId) -> HoldId {
    let expires_at = kit.now.plus_ms(60_000);
    let Reply::Hold(id) =
        kit.given(Command::PlaceHold(PlaceHold { account, amount: 100, currency: Currency::Cny, expires_at }))
    else {
        panic!("the reply names the hold")
    };
    id
}

fn in_memory(state: &State) -> Vec<u64> {
    state.holds.iter().map(|(id, _)| id).collect()
}

#[test]
fn closed_holds_leave_at_a_checkpoint_and_open_ones_stay() {
    let (mut kit, account) = books();
    let (first, second) = (place(&mut kit, account), place(&mut kit, account));
    kit.given(Command::CancelHold(first));
    let position = kit.state.position;
    assert!(!kit.state.would_leave(position - 1) && kit.state.would_leave(position));
    assert!(!kit.state.would_leave(position + 1), "no store is ahead of the journal");
    kit.given(Command::Checkpoint { position: position - 1 });
    assert_eq!(in_memory(&kit.state), [1, 2], "the store does not have the cancelling yet");
    assert_eq!(kit.state.position, position, "and what lets nothing go leaves nothing in the journal");
    kit.given(Command::Checkpoint { position });
    assert_eq!(in_memory(&kit.state), [second.0]);
    assert_eq!((kit.state.position, kit.state.checkpointed), (position + 1, position));
    assert_eq!(kit.state.last_ids(), LastIds { holds: 2 });
    assert!(kit.state.is_away(RowId::Hold(first)) && !kit.state.is_away(RowId::Hold(HoldId(3))));
    let third = place(&mut kit, account);
    assert_eq!(third, HoldId(3), "its number is not given again");
    assert!(!kit.state.would_leave(kit.state.position), "and nothing is left to leave");
}

#[test]
fn a_restored_state_holds_what_is_open_and_gives_no_number_twice() {
    let (mut kit, account) = books();
    let hold = place(&mut kit, account);
    kit.given(Command::CancelHold(hold));
    kit.restore();
    assert_eq!(in_memory(&kit.state), Vec::<u64>::new());
    assert!(kit.state.is_away(RowId::Hold(hold)), "though no event let it go");
    assert_eq!(kit.state.checkpointed, kit.state.position, "any store that was restored from has it");
    assert_eq!(place(&mut kit, account), HoldId(2));
}

#[test]
fn what_comes_back_is_answered_as_if_it_had_never_left() {
    let (mut kit, account) = books();
    let hold = place(&mut kit, account);
    kit.given(Command::CancelHold(hold));
    let row = kit.state.hold(hold).unwrap().clone();
    let refusal = kit.when(Command::CancelHold(hold)).unwrap_err();
    let as_of = kit.state.position;
    kit.given(Command::Checkpoint { position: as_of });
    kit.state.forget_missed();
    assert!(kit.state.hold(hold).is_err());
    assert_eq!(kit.state.missed(), Some(RowId::Hold(hold)));
    let recalled = Recalled { as_of, row: Row::Hold(row.clone()) };
    assert!(kit.state.agrees_with(&recalled));
    apply(&mut kit.state, &Event::Recalled(recalled.clone()));
    assert_eq!(kit.when(Command::CancelHold(hold)).unwrap_err(), refusal);
    let other = Row::Hold(Hold { status: HoldStatus::Expired, ..row });
    assert!(!kit.state.agrees_with(&Recalled { as_of, row: other }), "a replay finds a row that came back otherwise");
    assert!(kit.state.agrees_with(&recalled));
    assert!(kit.state.take_changes().is_empty(), "the store has it already");
    let position = kit.state.position;
    assert!(!kit.state.would_leave(position - 1) && kit.state.would_leave(position));
}

#[test]
fn a_replay_may_keep_what_is_closed() {
    let (mut kit, account) = books();
    let hold = place(&mut kit, account);
    kit.given(Command::CancelHold(hold));
    kit.given(Command::Checkpoint { position: kit.state.position });
    let mut keeping = State { keep_closed: true, now: kit.now, ..State::default() };
    for event in &kit.events {
        apply(&mut keeping, event);
        drop(keeping.take_changes());
    }
    assert_eq!((in_memory(&keeping), in_memory(&kit.state)), ([1].to_vec(), Vec::new()));
    assert!(keeping.differing(&kit.state).is_empty(), "which closed rows are in memory is no difference");
}
