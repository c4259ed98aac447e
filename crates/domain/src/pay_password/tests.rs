//! Pay passwords: set once, tried five times, changed and reset by proofs.

use alloc::boxed::Box;

use super::*;
use crate::command::Command;
use crate::sign_up::{SignUpAnswer, SignUpCommand};
use crate::testkit::wallets::asks_to_sign;
use crate::testkit::{Kit, sealed};

fn sets(user: UserId, by: SetBy) -> Command {
    let verifier = sealed("*");
    Command::PayPassword(PayPasswordCommand::Set { user, verifier, agreements: None, by })
}

fn tries(user: UserId) -> Command {
    Command::PayPassword(PayPasswordCommand::Try(user))
}

fn matches(user: UserId, version: u32) -> Command {
    Command::PayPassword(PayPasswordCommand::Match { user, version })
}

impl Kit {
    fn signs_up(&mut self, payer: UserId, token: &str, agreement: &str) -> SignUpId {
        let of = |command| Command::SignUp(command);
        let Reply::SignUp(id) = self.given(of(SignUpCommand::Request(Box::new(asks_to_sign(payer, token))))) else {
            panic!("a signing was begun")
        };
        self.given(of(SignUpCommand::BringCode(id)));
        let answer = SignUpAnswer::Signed { agreement: String::from(agreement) };
        self.given(of(SignUpCommand::Answer { sign_up: id, answer }));
        id
    }

    fn left(&mut self, user: UserId) -> (u32, bool) {
        self.restore();
        let row = self.state.pay_password(user).unwrap();
        (row.tries_left(self.now), row.locked_until(self.now).is_some())
    }
}

#[test]
fn it_is_set_once_and_changed_by_the_old_one() {
    let mut kit = Kit::new();
    let user = kit.user();
    kit.refused(tries(user), RefusalCode::PayPasswordUnknown);
    for by in [SetBy::Old, SetBy::Institution] {
        kit.refused(sets(user, by), RefusalCode::PayPasswordState);
    }
    kit.refused(sets(UserId(99), SetBy::First), RefusalCode::UserUnknown);
    kit.given(sets(user, SetBy::First));
    kit.refused(sets(user, SetBy::First), RefusalCode::PayPasswordState);
    kit.given(tries(user));
    kit.given(sets(user, SetBy::Old));
    assert_eq!((kit.left(user), kit.state.pay_password(user).unwrap().version), ((MAX_TRIES, false), 2));
    // What was compared with the one before proves nothing of this one.
    kit.refused(matches(user, 1), RefusalCode::PayPasswordState);
    // Asked for its first answer only, nothing happens and nothing is refused.
    let before = kit.state.pay_password(user).unwrap().clone();
    for anyone in [user, UserId(99)] {
        assert_eq!(kit.given(Command::PayPassword(PayPasswordCommand::Again(anyone))), Reply::PayPassword(anyone));
    }
    assert_eq!(kit.state.pay_password(user).unwrap(), &before);
    let agreements = Some(true);
    let command = PayPasswordCommand::Set { user, verifier: sealed("*"), agreements, by: SetBy::Institution };
    kit.given(Command::PayPassword(command));
    kit.given(sets(user, SetBy::Old));
    assert!(kit.state.pay_password(user).unwrap().agreements, "it stays as it is unless said");
}

#[test]
fn five_tries_lock_it_for_a_day_however_many_ask_at_once() {
    let mut kit = Kit::new();
    let user = kit.user();
    kit.given(sets(user, SetBy::First));
    kit.given(tries(user));
    kit.given(matches(user, 1));
    assert_eq!(kit.left(user), (MAX_TRIES, false));
    for left in (0..MAX_TRIES).rev() {
        kit.given(tries(user));
        assert_eq!(kit.left(user), (left, left == 0));
    }
    kit.refused(tries(user), RefusalCode::PayPasswordLocked);
    kit.later(LOCK_MS - 1);
    kit.refused(tries(user), RefusalCode::PayPasswordLocked);
    kit.later(1);
    assert_eq!(kit.left(user), (MAX_TRIES, false));
    kit.given(tries(user));
    assert_eq!(kit.left(user), (MAX_TRIES - 1, false));
    // The fifth is a try too: if it matches, nothing is locked.
    (1..MAX_TRIES).for_each(|_| drop(kit.given(tries(user))));
    kit.given(matches(user, 1));
    assert_eq!(kit.left(user), (MAX_TRIES, false));
}

#[test]
fn a_fresh_real_name_check_resets_it_once() {
    let mut kit = Kit::new();
    let (user, stranger) = (kit.user(), kit.user());
    let early = kit.signs_up(user, "early", "A0");
    kit.later(1);
    kit.given(sets(user, SetBy::First));
    (0..MAX_TRIES).for_each(|_| drop(kit.given(tries(user))));
    kit.later(1);
    let theirs = kit.signs_up(stranger, "theirs", "A1");
    for wrong in [early, theirs] {
        kit.refused(sets(user, SetBy::SignUp(wrong)), RefusalCode::PayPasswordProof);
    }
    kit.refused(sets(user, SetBy::SignUp(SignUpId(99))), RefusalCode::SignUpUnknown);
    let fresh = kit.signs_up(user, "fresh", "A2");
    kit.later(FRESH_MS - 1);
    kit.given(sets(user, SetBy::SignUp(fresh)));
    assert_eq!(kit.left(user), (MAX_TRIES, false), "it is not locked any more");
    kit.refused(sets(user, SetBy::SignUp(fresh)), RefusalCode::PayPasswordProof);
    let old = kit.signs_up(user, "old", "A3");
    kit.later(FRESH_MS);
    kit.refused(sets(user, SetBy::SignUp(old)), RefusalCode::PayPasswordProof);
    kit.given(Command::SignUp(SignUpCommand::Cancel(old)));
}
