//! Agreements signed by a code: what an answer proves, what none proves, what ends one, and who may pay with it.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attempt::{Operation, Outcome};
use crate::book::Subject;
use crate::command::Command;
use crate::leg::Instrument;
use crate::order::{ItemKind, OrderStatus};
use crate::rates::channel::{self, Direction, TryEnd};
use crate::testkit::orders::{card, fund};
use crate::testkit::wallets::{asks, asks_to_sign, tops_up};
use crate::testkit::{Kit, date, success};
use crate::top_up::{CreateTopUp, TopUpFrom};

const MINUTE_MS: i64 = 60_000;

fn request(command: RequestSignUp) -> Command {
    Command::SignUp(SignUpCommand::Request(Box::new(command)))
}

fn answer(id: SignUpId, answer: SignUpAnswer) -> Command {
    Command::SignUp(SignUpCommand::Answer { sign_up: id, answer })
}

fn bring(id: SignUpId) -> Command {
    Command::SignUp(SignUpCommand::BringCode(id))
}

fn cancel(id: SignUpId) -> Command {
    Command::SignUp(SignUpCommand::Cancel(id))
}

fn refused(class: FailureClass, code: &str) -> SignUpAnswer {
    SignUpAnswer::Refused(SignUpFailure { class, code: String::from(code) })
}

fn signed(agreement: &str) -> SignUpAnswer {
    SignUpAnswer::Signed { agreement: String::from(agreement) }
}

impl Kit {
    fn requests(&mut self, payer: UserId, token: &str) -> SignUpId {
        self.requests_at(Rail::Epcc.into(), payer, token)
    }

    fn requests_at(&mut self, channel: ChannelName, payer: UserId, token: &str) -> SignUpId {
        let asked = request(RequestSignUp { channel, ..asks_to_sign(payer, token) });
        let Reply::SignUp(id) = self.given(asked) else { panic!("a signing was begun") };
        id
    }

    fn signs(&mut self, payer: UserId, token: &str, agreement: &str) -> SignUpId {
        let id = self.requests(payer, token);
        self.confirms(id, agreement)
    }

    fn confirms(&mut self, id: SignUpId, agreement: &str) -> SignUpId {
        self.given(answer(id, SignUpAnswer::CodeSent));
        self.given(bring(id));
        self.given(answer(id, signed(agreement)));
        id
    }

    /// Where it stands, in memory and after a restart.
    fn stands(&mut self, id: SignUpId) -> SignUpStatus {
        self.restore();
        self.state.sign_up(id).unwrap().status
    }
}

#[test]
fn a_code_signs_and_the_banks_verdict_is_kept() {
    let mut kit = Kit::new();
    let payer = kit.user();
    let id = kit.requests(payer, "tok");
    assert_eq!(kit.stands(id), SignUpStatus::Requested);
    let serial = kit.state.sign_up(id).unwrap().serial();
    assert_eq!((serial.len(), &serial[8..9]), (31, "9"), "{serial}");
    kit.given(answer(id, SignUpAnswer::CodeSent));
    let verdict = kit.state.sign_up(id).unwrap().verdict.clone().unwrap();
    assert_eq!((verdict.matched, verdict.code), (true, None));
    kit.given(bring(id));
    assert_eq!(kit.stands(id), SignUpStatus::Confirming);
    kit.given(answer(id, signed("SGN1")));
    assert_eq!(kit.stands(id), SignUpStatus::Signed);
    let row = kit.state.sign_up(id).unwrap();
    assert_eq!((row.agreement.as_deref(), row.codes, row.wrong_codes), (Some("SGN1"), 1, 0));
    assert_eq!(row.allowed_actions(kit.now), ["cancel"]);
    kit.refused(answer(id, signed("SGN1")), RefusalCode::SignUpState);
    kit.refused(bring(id), RefusalCode::SignUpState);
}

#[test]
fn an_answer_that_does_not_come_is_no_failure() {
    let mut kit = Kit::new();
    let payer = kit.user();
    // The code may have come although nobody said so.
    let id = kit.requests(payer, "tok");
    kit.given(bring(id));
    // Nor is it known what became of the code: it is brought again, and time does not end it.
    kit.later(60 * MINUTE_MS);
    kit.given(Command::Tick);
    assert_eq!(kit.stands(id), SignUpStatus::Confirming);
    kit.given(bring(id));
    kit.given(answer(id, signed("SGN1")));
    assert_eq!(kit.stands(id), SignUpStatus::Signed);

    let other = kit.requests(payer, "other");
    for _ in 0..MAX_CODES {
        kit.given(bring(other));
    }
    kit.refused(bring(other), RefusalCode::SignUpState);
    assert_eq!(kit.stands(other), SignUpStatus::Confirming);
    kit.given(cancel(other));
    // What stands at the bank all the same is known, and pays nothing.
    kit.given(answer(other, signed("SGN2")));
    assert_eq!(kit.stands(other), SignUpStatus::Cancelled);
    kit.refused(answer(other, signed("SGN2")), RefusalCode::SignUpState);
}

#[test]
fn three_wrong_codes_end_it_and_a_failing_bank_does_not() {
    let mut kit = Kit::new();
    let payer = kit.user();
    let id = kit.requests(payer, "tok");
    kit.given(answer(id, SignUpAnswer::CodeSent));
    for (class, status) in [
        (FailureClass::User, SignUpStatus::CodeSent),
        (FailureClass::System, SignUpStatus::CodeSent),
        (FailureClass::User, SignUpStatus::CodeSent),
        (FailureClass::User, SignUpStatus::Failed),
    ] {
        kit.given(bring(id));
        kit.given(answer(id, refused(class, "PB100005")));
        assert_eq!(kit.stands(id), status, "{class:?}");
    }
    let row = kit.state.sign_up(id).unwrap();
    assert_eq!((row.wrong_codes, row.codes), (MAX_WRONG_CODES, 4));
    kit.refused(bring(id), RefusalCode::SignUpState);
    kit.refused(cancel(id), RefusalCode::SignUpState);
}

#[test]
fn the_bank_says_no_and_only_what_is_the_holders_is_a_verdict() {
    let mut kit = Kit::new();
    let payer = kit.user();
    for (class, matched) in
        [(FailureClass::User, Some(false)), (FailureClass::System, None), (FailureClass::Bank, None)]
    {
        let id = kit.requests(payer, "tok");
        kit.given(answer(id, refused(class, "PB100002")));
        assert_eq!(kit.stands(id), SignUpStatus::Failed);
        let row = kit.state.sign_up(id).unwrap();
        assert_eq!(row.verdict.as_ref().map(|verdict| verdict.matched), matched, "{class:?}");
        assert_eq!(row.failure.as_ref().map(|failure| failure.code.as_str()), Some("PB100002"));
    }
}

#[test]
fn time_ends_what_no_code_came_for() {
    let mut kit = Kit::new();
    let payer = kit.user();
    let [first, second] = ["a", "b"].map(|token| kit.requests(payer, token));
    kit.given(answer(second, SignUpAnswer::CodeSent));
    kit.later(LIFE_MS - 1);
    kit.given(Command::Tick);
    assert_eq!((kit.stands(first), kit.stands(second)), (SignUpStatus::Requested, SignUpStatus::CodeSent));
    kit.restore();
    kit.later(1);
    kit.refused(bring(second), RefusalCode::SignUpState);
    kit.given(Command::Tick);
    assert_eq!((kit.stands(first), kit.stands(second)), (SignUpStatus::Expired, SignUpStatus::Expired));
    // A wrong code after its time: it is not awaited again.
    let third = kit.requests(payer, "c");
    kit.given(bring(third));
    kit.later(LIFE_MS);
    kit.given(answer(third, refused(FailureClass::User, "PB100005")));
    kit.given(Command::Tick);
    assert_eq!(kit.stands(third), SignUpStatus::Expired);
}

#[test]
fn a_card_is_signed_once_and_few_codes_wait() {
    let mut kit = Kit::new();
    let (payer, other) = (kit.user(), kit.user());
    let id = kit.signs(payer, "tok", "SGN1");
    kit.refused(request(asks_to_sign(payer, "tok")), RefusalCode::SignUpExists);
    kit.given(request(RequestSignUp { channel: Rail::UnionPay.into(), ..asks_to_sign(payer, "tok") }));
    kit.given(request(asks_to_sign(other, "tok")));
    kit.given(cancel(id));
    kit.restore();
    for _ in 1..MAX_WAITING {
        kit.requests(payer, "tok");
    }
    kit.refused(request(asks_to_sign(payer, "another")), RefusalCode::SignUpsTooMany);
    kit.given(cancel(SignUpId(2)));
    kit.requests(payer, "another");
}

#[test]
fn a_card_is_signed_once_at_each_channel_and_all_of_them_are_found() {
    let mut kit = Kit::new();
    let payer = kit.user();
    let further = || ChannelName { rail: Rail::Epcc, word: Some("b".into()) };
    let first = kit.signs(payer, "tok", "SGN1");
    let mut signs_at = |channel: ChannelName, agreement: &str| {
        let id = kit.requests_at(channel, payer, "tok");
        kit.confirms(id, agreement)
    };
    let others = [signs_at(further(), "SGN2"), signs_at(Rail::UnionPay.into(), "U1")];
    kit.signs(payer, "another", "SGN4");
    kit.requests_at(ChannelName { rail: Rail::UnionPay, word: Some("b".into()) }, payer, "tok");
    let again = RequestSignUp { channel: further(), ..asks_to_sign(payer, "tok") };
    kit.refused(request(again), RefusalCode::SignUpExists);
    let found = |kit: &mut Kit| -> alloc::vec::Vec<SignUpId> {
        kit.restore();
        let customer = kit.state.user(payer).unwrap().customer;
        kit.state.signed_by_card(customer, "tok").map(|row| row.id).collect()
    };
    assert_eq!(found(&mut kit), [first, others[0], others[1]], "what waits for a code pays nothing yet");
    assert_eq!(kit.state.sign_up(others[0]).unwrap().channel_name(), further());
    kit.given(cancel(first));
    assert_eq!(found(&mut kit), others);
    let stranger = kit.user();
    let stranger = kit.state.user(stranger).unwrap().customer;
    assert_eq!(kit.state.signed_by_card(stranger, "tok").count(), 0);
}

#[test]
fn bad_requests_are_refused_by_name() {
    let mut kit = Kit::new();
    let payer = kit.user();
    for bank in ["", "102", "10210009999x", "1021000999961"] {
        kit.refused(
            request(RequestSignUp { bank: bank.into(), ..asks_to_sign(payer, "tok") }),
            RefusalCode::ValueInvalid,
        );
    }
    for rail in [Rail::Fund, Rail::OwnBank] {
        let channel = rail.into();
        kit.refused(
            request(RequestSignUp { channel, ..asks_to_sign(payer, "tok") }),
            RefusalCode::InstrumentNotAllowed,
        );
    }
    let channel = ChannelName { rail: Rail::Epcc, word: Some("B".into()) };
    kit.refused(request(RequestSignUp { channel, ..asks_to_sign(payer, "tok") }), RefusalCode::ValueInvalid);
    kit.refused(request(asks_to_sign(UserId(99), "tok")), RefusalCode::UserUnknown);
    let merchant = Some(MerchantId(99));
    kit.refused(request(RequestSignUp { merchant, ..asks_to_sign(payer, "tok") }), RefusalCode::MerchantUnknown);
    for command in [bring(SignUpId(9)), cancel(SignUpId(9)), answer(SignUpId(9), SignUpAnswer::CodeSent)] {
        kit.refused(command, RefusalCode::SignUpUnknown);
    }
    let id = kit.requests(payer, "tok");
    kit.refused(answer(id, signed("SGN1")), RefusalCode::SignUpState);
    kit.given(bring(id));
    kit.refused(answer(id, signed("")), RefusalCode::ValueInvalid);
    kit.refused(answer(id, SignUpAnswer::CodeSent), RefusalCode::SignUpState);
    kit.blocks(Blocked::Card(String::from("barred")));
    kit.refused(request(asks_to_sign(payer, "barred")), RefusalCode::Blocked);
}

#[test]
fn an_agreement_pays_for_its_own_customer_until_it_is_cancelled() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 500_000)]);
    let payer = kit.state.order(order).unwrap().payer;
    let stranger = kit.user();
    let Instrument::Card { agreement, .. } = card(500_000) else { panic!("a card") };
    // A number that was signed elsewhere is taken as before; once it is known to be another's it is not.
    kit.signs(stranger, "theirs", &agreement);
    let pay = Command::PayOrder { order, instruments: alloc::vec![card(500_000)] };
    kit.refused(pay.clone(), RefusalCode::AgreementNotOwn);
    let own = kit.signs(payer, "own", &agreement);
    kit.given(cancel(own));
    kit.restore();
    kit.refused(pay.clone(), RefusalCode::SignUpState);
    kit.signs(payer, "own", &agreement);
    kit.given(pay);
    kit.answered(Outcome::NotFound);
}

/// The fund's hold is answered after the agreement was cancelled: the card is not asked, and the hold goes back.
#[test]
fn an_agreement_that_is_cancelled_within_a_try_is_debited_no_more() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    let payer = kit.state.order(order).unwrap().payer;
    let own = kit.signs(payer, "own", "agreement-1");
    kit.pay(order, alloc::vec![card(3_200), fund(3_000)]);
    kit.given(cancel(own));
    kit.answered(success("2026-03-05"));
    let release = kit.answered(success("2026-03-05"));
    assert!(matches!(release.operation, Operation::FundRelease { .. }), "{release:?}");
    kit.books(&[]);
    assert_eq!((kit.status(order), kit.outbox().len()), (OrderStatus::Failed, 0));
}

#[test]
fn a_top_up_takes_no_agreement_of_another() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let stranger = kit.user();
    kit.signs(stranger, "theirs", "agreement-1");
    kit.refused(asks(tops_up(account, 100)), RefusalCode::AgreementNotOwn);
}

#[test]
fn a_top_up_goes_over_the_channel_that_signed_its_agreement() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let Owner::User(payer) = kit.state.account(account, "account").unwrap().owner else { panic!("a person's") };
    let further = ChannelName { rail: Rail::Epcc, word: Some(String::from("b")) };
    let asked = kit.requests_at(further, payer, "one");
    let signed = kit.confirms(asked, "agreement-1");
    let word = |kit: &mut Kit, top_up: CreateTopUp| {
        kit.given(asks(top_up));
        kit.answered(Outcome::NotFound).channel
    };
    kit.restore();
    assert_eq!(word(&mut kit, tops_up(account, 100)).as_deref(), Some("b"));
    // What nobody signed here goes to the network's first, or where the caller says.
    let foreign = |channel: Option<&str>| {
        let (agreement, mask) = (String::from("agreement-9"), String::from("622202******1234"));
        let from = TopUpFrom::Agreement { rail: Rail::Epcc, agreement, mask, channel: channel.map(String::from) };
        CreateTopUp { from, ..tops_up(account, 100) }
    };
    assert_eq!(word(&mut kit, foreign(None)), None);
    assert_eq!(word(&mut kit, foreign(Some("c"))).as_deref(), Some("c"));
    kit.given(cancel(signed));
    kit.refused(asks(tops_up(account, 100)), RefusalCode::SignUpState);
}

/// Two channels of EPCC give one number to two customers.
#[test]
fn one_number_at_two_channels_is_two_agreements() {
    let mut kit = Kit::new();
    let channel = |word: Option<&str>| ChannelName { rail: Rail::Epcc, word: word.map(String::from) };
    let may_pay = |kit: &mut Kit, payer: UserId, word: Option<&str>| {
        kit.restore();
        let customer = kit.state.user(payer).unwrap().customer;
        check(&kit.state, customer, &channel(word), "agreement-1").map_err(|refusal| refusal.code)
    };
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 500_000)]);
    let (one, two) = (kit.state.order(order).unwrap().payer, kit.user());
    let further = kit.requests_at(channel(Some("b")), one, "one");
    kit.confirms(further, "agreement-1");
    // Naming a channel where nobody signed it gets around nothing.
    for word in [None, Some("c")] {
        assert_eq!(may_pay(&mut kit, two, word), Err(RefusalCode::AgreementNotOwn));
        assert_eq!(may_pay(&mut kit, one, word), Ok(()));
    }
    let first = kit.signs(two, "two", "agreement-1");
    assert_eq!([may_pay(&mut kit, one, Some("b")), may_pay(&mut kit, two, None)], [Ok(()); 2]);
    for (payer, word) in [(one, None), (two, Some("b")), (one, Some("c")), (two, Some("c"))] {
        assert_eq!(may_pay(&mut kit, payer, word), Err(RefusalCode::AgreementNotOwn));
    }
    let pays_at = |word: Option<&str>| {
        let Instrument::Card { agreement, mask, rail, amount, credit, bank, alternatives, .. } = card(500_000) else {
            panic!("a card")
        };
        let channel = word.map(String::from);
        let instrument = Instrument::Card { agreement, mask, rail, amount, credit, bank, alternatives, channel };
        Command::PayOrder { order, instruments: alloc::vec![instrument] }
    };
    kit.refused(pays_at(None), RefusalCode::AgreementNotOwn);
    // Cancelling the one leaves the other.
    kit.given(cancel(first));
    assert_eq!(may_pay(&mut kit, two, None), Err(RefusalCode::SignUpState));
    kit.given(pays_at(Some("b")));
    kit.answered(Outcome::NotFound);
    kit.given(cancel(further));
    assert_eq!(may_pay(&mut kit, one, Some("b")), Err(RefusalCode::SignUpState));
}

/// A card of `agreement-1` that a payment calls a credit card or a debit card, of CCB.
fn said(credit: bool) -> Instrument {
    let mut instrument = card(700);
    if let Instrument::Card { credit: said, bank, .. } = &mut instrument {
        (*said, *bank) = (credit, Some(String::from("105")));
    }
    instrument
}

#[test]
fn what_a_signing_recorded_of_its_card_counts_whatever_a_payment_says() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::HousePrice, 700)]);
    let payer = kit.state.order(order).unwrap().payer;
    let pays = |credit| Command::PayOrder { order, instruments: vec![said(credit)] };
    let signs_credit = |kit: &mut Kit, payer: UserId| {
        let asked = request(RequestSignUp { credit: true, ..asks_to_sign(payer, "tok") });
        let Reply::SignUp(id) = kit.given(asked) else { panic!("a signing was begun") };
        kit.confirms(id, "agreement-1")
    };
    // Of what was signed elsewhere nothing else is known.
    kit.refused(pays(true), RefusalCode::InstrumentNotAllowed);
    // Another's card is another's: what card it is nobody is told.
    let stranger = kit.user();
    signs_credit(&mut kit, stranger);
    kit.refused(pays(false), RefusalCode::AgreementNotOwn);
    let own = signs_credit(&mut kit, payer);
    kit.restore();
    kit.refused(pays(false), RefusalCode::InstrumentNotAllowed);
    kit.given(cancel(own));
    kit.signs(payer, "tok", "agreement-1");
    kit.given(pays(true));
    let leg = kit.state.order(order).unwrap().legs[0];
    let Instrument::Card { credit, bank, .. } = &kit.state.leg(leg).unwrap().instrument else { panic!("a card") };
    assert_eq!((*credit, bank.as_deref()), (false, Some("102")));
}

#[test]
fn a_card_over_several_channels_is_a_credit_card_if_one_of_its_agreements_says_so() {
    let mut kit = Kit::new();
    let payer = kit.user();
    let customer = kit.state.user(payer).unwrap().customer;
    kit.signs(payer, "tok", "agreement-1");
    let at = |rail: Rail, agreement: &'static str| (ChannelName::from(rail), agreement);
    let found = |kit: &Kit, credit: bool, agreements: &[(ChannelName, &'static str)]| {
        let facts = CardFacts { credit, bank: Some(String::from("105")) };
        let CardFacts { credit, bank } = facts.recorded(&kit.state, Some(customer), agreements.iter().cloned());
        (credit, bank.unwrap())
    };
    let (signed_here, elsewhere) = (at(Rail::Epcc, "agreement-1"), at(Rail::UnionPay, "U1"));
    assert_eq!(found(&kit, true, core::slice::from_ref(&signed_here)), (false, String::from("102")));
    assert_eq!(found(&kit, true, core::slice::from_ref(&elsewhere)), (true, String::from("105")));
    let both = [elsewhere, signed_here.clone()];
    assert_eq!([true, false].map(|said| found(&kit, said, &both).0), [true, false]);
    // The same card is signed at another channel, as a credit card.
    let channel = Rail::UnionPay.into();
    let asked = request(RequestSignUp { channel, credit: true, ..asks_to_sign(payer, "tok") });
    let Reply::SignUp(id) = kit.given(asked) else { panic!("a signing was begun") };
    kit.confirms(id, "U2");
    assert_eq!(found(&kit, false, &[signed_here]), (true, String::from("102")), "at whichever channel it pays");
}

#[test]
fn payments_refunds_top_ups_and_signings_count_under_the_bank_that_was_signed() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
    let payer = kit.state.order(order).unwrap().payer;
    kit.signs(payer, "tok", "agreement-1");
    kit.pay(order, vec![said(false)]);
    kit.answered(success("2026-03-05"));
    kit.refund(order, 300, true);
    kit.answered(Outcome::NotFound);
    let account = kit.account(Subject::Personal, Owner::User(payer));
    kit.given(asks(tops_up(account, 100)));
    kit.answered(success("2026-03-05"));
    let found: Vec<_> =
        kit.ended_tries.iter().map(|ended| (ended.key.direction, &*ended.key.bank, ended.end.name())).collect();
    let one = |direction, end| (direction, "102", end);
    assert_eq!(
        found,
        [
            one(Direction::SignUp, "success"),
            one(Direction::In, "success"),
            one(Direction::Back, "not_found"),
            one(Direction::In, "success"),
        ]
    );
    assert!(kit.ended_tries.iter().all(|ended| ended.key.product == "rent"));
}

/// How tries ended since the last time, and as what they had ended before.
fn ended(kit: &mut Kit) -> Vec<(&'static str, Option<&'static str>)> {
    let all = core::mem::take(&mut kit.ended_tries);
    all.into_iter().map(|ended| (ended.end.name(), ended.before.map(TryEnd::name))).collect()
}

#[test]
fn a_signing_counts_once_by_how_it_ended() {
    let mut kit = Kit::new();
    let payer = kit.user();
    let id = kit.requests(payer, "a");
    kit.given(answer(id, refused(FailureClass::Bank, "PB200001")));
    assert_eq!(ended(&mut kit), [("bank", None)]);
    let id = kit.requests(payer, "b");
    kit.given(answer(id, SignUpAnswer::CodeSent));
    for _ in 0..MAX_WRONG_CODES {
        assert!(ended(&mut kit).is_empty(), "a wrong code is no end");
        kit.given(bring(id));
        kit.given(answer(id, refused(FailureClass::User, "PB100005")));
    }
    assert_eq!(ended(&mut kit), [("user", None)]);
    // Time ends one of which the channel never said anything, and one whose holder brought no code.
    let [_, unused] = ["c", "d"].map(|token| kit.requests(payer, token));
    kit.given(answer(unused, SignUpAnswer::CodeSent));
    kit.later(LIFE_MS);
    kit.given(Command::Tick);
    assert_eq!(ended(&mut kit), [("system", None), ("user", None)]);
    kit.given(answer(unused, signed("SGN1")));
    assert_eq!(ended(&mut kit), [("success", Some("user"))], "the bank signed it all the same");
    kit.given(cancel(unused));
    // What became of a code is not known; a day later that counts by itself.
    let asked = kit.requests(payer, "e");
    kit.given(bring(asked));
    kit.restore();
    assert_eq!(channel::unknown(&kit.state, date("2026-03-05")).count(), 0, "not before the next day");
    let late: Vec<_> = channel::unknown(&kit.state, date("2026-03-06")).map(|key| (key.direction, key.bank)).collect();
    assert_eq!(late, [(Direction::SignUp, "102".to_string())]);
    assert!(ended(&mut kit).is_empty());
    kit.given(cancel(asked));
    assert_eq!(channel::unknown(&kit.state, date("2026-03-06")).count(), 0);
}
