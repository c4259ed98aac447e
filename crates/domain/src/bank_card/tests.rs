//! Own cards that sent money back.

use super::*;
use crate::command::Command;
use crate::payout::{CreatePayout, PayTo, PayoutStatus};
use crate::testkit::wallets::{own_card, return_of, withdraws};
use crate::testkit::{Kit, success};

/// A person's account whose withdrawal to `card-1` came back.
fn returned() -> (Kit, AccountId) {
    let mut kit = Kit::new();
    let account = kit.wallet(100_000);
    let arrived = kit.pays_out(withdraws(account, 1_000, 0));
    kit.answered(success("2026-03-05"));
    kit.given(return_of(arrived));
    (kit, account)
}

fn verify(card: BankCardId) -> Command {
    Command::BankCard(BankCardCommand::Verify(card))
}

#[test]
fn a_card_that_sent_money_back_takes_none_until_it_is_verified() {
    let (mut kit, account) = returned();
    let second = kit.second_wallet(account, 5_000);
    kit.restore();
    for account in [account, second] {
        kit.refused(Command::CreatePayout(withdraws(account, 1_000, 0)), RefusalCode::CardStopped);
    }
    let other_card = PayTo::Bank(own_card("card-2"));
    kit.given(Command::CreatePayout(CreatePayout { to: other_card, ..withdraws(account, 1_000, 0) }));
    let stranger = kit.wallet(5_000);
    kit.given(Command::CreatePayout(withdraws(stranger, 1_000, 0)));

    let card = BankCardId(1);
    assert_eq!(kit.state.bank_card(card).unwrap().allowed_actions(), ["verify"]);
    kit.given(verify(card));
    let row = kit.state.bank_card(card).unwrap();
    assert_eq!((row.verified.as_ref().unwrap().by.as_str(), row.mask.as_str()), ("tester", "6222**********0002"));
    kit.given(Command::CreatePayout(withdraws(account, 1_000, 0)));
    kit.refused(verify(card), RefusalCode::BankCardState);
    kit.refused(verify(BankCardId(2)), RefusalCode::BankCardUnknown);
}

#[test]
fn what_is_unsent_to_it_is_cancelled_and_other_cards_go_on() {
    let mut kit = Kit::new();
    let account = kit.wallet(100_000);
    let second = kit.second_wallet(account, 5_000);
    let arrived = kit.pays_out(withdraws(account, 1_000, 0));
    kit.answered(success("2026-03-05"));
    let unsent = |kit: &mut Kit, account, token| {
        let to = PayTo::Bank(own_card(token));
        kit.pays_out(CreatePayout { to, send_now: false, ..withdraws(account, 500, 0) })
    };
    let same = unsent(&mut kit, account, "card-1");
    let same_of_other_account = unsent(&mut kit, second, "card-1");
    let other = unsent(&mut kit, account, "card-2");
    kit.given(return_of(arrived));
    for id in [same, same_of_other_account] {
        assert_eq!(kit.state.payout(id).unwrap().cancelled, Some(CancelReason::CardStopped));
    }
    assert_eq!(kit.state.payout(other).unwrap().status, PayoutStatus::Held);
    assert_eq!(kit.balance(account), 100_000, "the return came back through suspense");
    assert_eq!(kit.own(crate::book::Subject::Suspense), 0);
}

#[test]
fn a_card_that_sends_back_twice_is_stopped_once_and_again_after_it_was_verified() {
    let mut kit = Kit::new();
    let account = kit.wallet(100_000);
    let arrived = |kit: &mut Kit| {
        let id = kit.pays_out(withdraws(account, 1_000, 0));
        kit.answered(success("2026-03-05"));
        id
    };
    let [first, second, third] = [arrived(&mut kit), arrived(&mut kit), arrived(&mut kit)];
    kit.given(return_of(first));
    kit.given(return_of(second));
    assert_eq!(kit.state.bank_cards.iter().count(), 1);
    kit.given(verify(BankCardId(1)));
    kit.given(return_of(third));
    kit.refused(Command::CreatePayout(withdraws(account, 1_000, 0)), RefusalCode::CardStopped);
    assert_eq!(kit.state.bank_cards.iter().count(), 2);
}

#[test]
fn a_payout_to_another_that_comes_back_stops_no_card() {
    let mut kit = Kit::new();
    let agency = kit.merchant(crate::merchant::MerchantKind::Agency, 2_000);
    let company = kit.state.merchant(agency).unwrap().company.unwrap();
    kit.fund(company, 5_000);
    let receiver = crate::payout::Receiver { own: false, ..own_card("card-1") };
    let to_other = || CreatePayout { to: PayTo::Bank(receiver.clone()), ..withdraws(company, 1_000, 0) };
    let id = kit.pays_out(to_other());
    kit.answered(success("2026-03-05"));
    kit.given(return_of(id));
    assert_eq!(kit.state.bank_cards.iter().count(), 0);
    kit.pays_out(to_other());
}
