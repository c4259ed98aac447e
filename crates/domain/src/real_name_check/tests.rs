//! Real-name checks: what an answer says of a person, what none says, and what is kept with the customer.

use super::*;
use crate::block_list::Blocked;
use crate::command::Command;
use crate::customer::Customer;
use crate::rates::channel::{self, Direction};
use crate::testkit::{Kit, date, sealed};

fn asks(user: UserId, token: &str) -> RequestRealNameCheck {
    RequestRealNameCheck {
        merchant: None,
        user,
        rail: Rail::Epcc,
        bank: String::from("102100099996"),
        credit: false,
        account: sealed("622202******2230"),
        token: String::from(token),
        phone: Some(sealed("138****1234")),
    }
}

fn request(command: RequestRealNameCheck) -> Command {
    Command::RealNameCheck(RealNameCheckCommand::Request(Box::new(command)))
}

fn answer(check: RealNameCheckId, answer: RealNameAnswer) -> Command {
    Command::RealNameCheck(RealNameCheckCommand::Answer { check, answer })
}

fn refused(class: FailureClass, code: &str) -> RealNameAnswer {
    RealNameAnswer::Refused(RealNameFailure { class, code: String::from(code) })
}

impl Kit {
    fn checks(&mut self, command: RequestRealNameCheck) -> RealNameCheckId {
        let Reply::RealNameCheck(id) = self.given(request(command)) else { panic!("a check was asked for") };
        id
    }

    /// Where it stands, in memory and after a restart.
    fn check_stands(&mut self, id: RealNameCheckId) -> RealNameCheckStatus {
        self.restore();
        self.state.real_name_check(id).unwrap().status
    }

    /// How many elements of a user's customer a bank found to match, and which check says so.
    fn level(&mut self, user: UserId) -> Option<(u8, RealNameCheckId)> {
        self.restore();
        let customer = self.state.user(user).unwrap().customer;
        let verification = self.state.customer(customer).unwrap().verification;
        verification.map(|verification| (verification.elements.count(), verification.check))
    }
}

#[test]
fn what_matches_is_the_customers_level() {
    let mut kit = Kit::new();
    let user = kit.user();
    let id = kit.checks(asks(user, "tok"));
    assert_eq!(kit.check_stands(id), RealNameCheckStatus::Requested);
    let row = kit.state.real_name_check(id).unwrap();
    let serial = row.serial();
    assert_eq!((serial.len(), &serial[8..9]), (31, "8"), "{serial}");
    assert_eq!(row.send_before, row.requested_at.plus_ms(SEND_WITHIN_MS));
    assert_eq!(kit.level(user), None);
    kit.later(1_000);
    kit.given(answer(id, RealNameAnswer::Matched));
    assert_eq!(kit.check_stands(id), RealNameCheckStatus::Matched);
    assert_eq!(kit.level(user), Some((4, id)));
    let row = kit.state.real_name_check(id).unwrap();
    assert_eq!((&row.failure, row.ended_at), (&None, Some(kit.now)));
    let verification = kit.state.customer(row.customer).unwrap().verification.unwrap();
    assert_eq!((verification.rail, verification.at), (Rail::Epcc, kit.now));
}

#[test]
fn three_elements_are_less_than_four_and_the_newest_of_a_level_counts() {
    let mut kit = Kit::new();
    let user = kit.user();
    let three = || RequestRealNameCheck { phone: None, ..asks(user, "tok") };
    let matched = |kit: &mut Kit, command| {
        let id = kit.checks(command);
        kit.given(answer(id, RealNameAnswer::Matched));
        id
    };
    let first = matched(&mut kit, three());
    assert_eq!(kit.level(user), Some((3, first)));
    let second = matched(&mut kit, three());
    assert_eq!(kit.level(user), Some((3, second)));
    let third = matched(&mut kit, asks(user, "tok"));
    assert_eq!(kit.level(user), Some((4, third)));
    let fourth = matched(&mut kit, three());
    assert_eq!(kit.level(user), Some((4, third)), "fewer elements take nothing back");
    assert_eq!(kit.check_stands(fourth), RealNameCheckStatus::Matched);
    // A card that is another's says nothing against the one that is the person's own.
    let fifth = kit.checks(asks(user, "other"));
    kit.given(answer(fifth, refused(FailureClass::User, "PB100003")));
    assert_eq!(kit.level(user), Some((4, third)));
    let sixth = matched(&mut kit, asks(user, "tok"));
    assert_eq!(kit.level(user), Some((4, sixth)));
}

#[test]
fn only_what_is_the_holders_says_that_the_elements_do_not_match() {
    let mut kit = Kit::new();
    let user = kit.user();
    for (class, status) in [
        (FailureClass::User, RealNameCheckStatus::Mismatched),
        (FailureClass::Risk, RealNameCheckStatus::Failed),
        (FailureClass::Bank, RealNameCheckStatus::Failed),
        (FailureClass::System, RealNameCheckStatus::Failed),
    ] {
        let id = kit.checks(asks(user, "tok"));
        kit.given(answer(id, refused(class, "PB100003")));
        assert_eq!(kit.check_stands(id), status, "{class:?}");
        let failure = kit.state.real_name_check(id).unwrap().failure.clone().unwrap();
        assert_eq!((failure.class, failure.code.as_str()), (class, "PB100003"));
    }
    assert_eq!(kit.level(user), None);
}

#[test]
fn an_answer_that_does_not_come_is_no_failure() {
    let mut kit = Kit::new();
    let user = kit.user();
    let id = kit.checks(asks(user, "tok"));
    kit.given(answer(id, RealNameAnswer::Unknown));
    let said = kit.events.len();
    kit.given(answer(id, RealNameAnswer::Unknown));
    assert_eq!(kit.events.len(), said, "that nothing is known is written once");
    // Time ends it as little as silence.
    kit.later(30 * 86_400_000);
    kit.given(Command::Tick);
    assert_eq!(kit.check_stands(id), RealNameCheckStatus::Unknown);
    assert_eq!(kit.state.open_real_name_checks().map(|row| row.id).collect::<alloc::vec::Vec<_>>(), [id]);
    kit.given(answer(id, RealNameAnswer::Matched));
    assert_eq!(kit.check_stands(id), RealNameCheckStatus::Matched);
    assert_eq!(kit.state.open_real_name_checks().count(), 0);

    let lost = kit.checks(asks(user, "tok"));
    kit.given(answer(lost, RealNameAnswer::Unknown));
    kit.given(answer(lost, RealNameAnswer::NotFound));
    assert_eq!(kit.check_stands(lost), RealNameCheckStatus::NotFound);
}

#[test]
fn the_first_answer_is_the_last() {
    let mut kit = Kit::new();
    let user = kit.user();
    for first in [RealNameAnswer::Matched, refused(FailureClass::User, "PB100003"), RealNameAnswer::NotFound] {
        let id = kit.checks(asks(user, "tok"));
        kit.given(answer(id, first));
        let before = kit.check_stands(id);
        for late in [
            RealNameAnswer::Matched,
            refused(FailureClass::Bank, "PB200001"),
            RealNameAnswer::NotFound,
            RealNameAnswer::Unknown,
        ] {
            kit.refused(answer(id, late), RefusalCode::RealNameCheckState);
        }
        assert_eq!(kit.check_stands(id), before);
    }
}

#[test]
fn every_end_counts_for_its_channel_and_a_missing_one_the_day_after() {
    let mut kit = Kit::new();
    let user = kit.user();
    let ends = [
        (RealNameAnswer::Matched, "success"),
        (refused(FailureClass::User, "PB100003"), "user"),
        (refused(FailureClass::System, "PS400001"), "system"),
        (RealNameAnswer::NotFound, "not_found"),
    ];
    for (said, end) in ends {
        let id = kit.checks(asks(user, "tok"));
        kit.given(answer(id, RealNameAnswer::Unknown));
        assert!(kit.ended_tries.is_empty(), "nothing is known yet");
        kit.given(answer(id, said));
        let ended = kit.ended_tries.pop().unwrap();
        assert_eq!((ended.end.name(), ended.before, ended.first), (end, None, false));
        let key = (ended.key.direction, ended.key.channel.rail, ended.key.product.as_str(), ended.key.bank.as_str());
        assert_eq!(key, (Direction::Check, Rail::Epcc, "rent", "102"));
        assert_eq!(ended.key.date, date("2026-03-05"));
    }
    kit.checks(asks(user, "tok"));
    kit.later(86_400_000);
    assert_eq!(channel::unknown(&kit.state, date("2026-03-05")).count(), 0);
    let late: alloc::vec::Vec<_> = channel::unknown(&kit.state, date("2026-03-06")).collect();
    assert_eq!(late.iter().map(|key| key.direction).collect::<alloc::vec::Vec<_>>(), [Direction::Check]);
}

#[test]
fn few_of_a_customers_wait_at_once() {
    let mut kit = Kit::new();
    let (user, other) = (kit.user(), kit.user());
    let first = kit.checks(asks(user, "tok"));
    for _ in 1..MAX_OPEN {
        kit.checks(asks(user, "tok"));
    }
    kit.refused(request(asks(user, "tok")), RefusalCode::RealNameCheckState);
    kit.checks(asks(other, "tok"));
    kit.given(answer(first, RealNameAnswer::Unknown));
    kit.refused(request(asks(user, "tok")), RefusalCode::RealNameCheckState);
    kit.given(answer(first, RealNameAnswer::NotFound));
    kit.restore();
    kit.checks(asks(user, "tok"));
}

#[test]
fn bad_requests_are_refused_by_name() {
    let mut kit = Kit::new();
    let user = kit.user();
    for bank in ["", "102", "10210009999x", "1021000999961"] {
        let command = RequestRealNameCheck { bank: bank.into(), ..asks(user, "tok") };
        kit.refused(request(command), RefusalCode::ValueInvalid);
    }
    for rail in [Rail::Fund, Rail::OwnBank, Rail::PingAn] {
        let command = RequestRealNameCheck { rail, ..asks(user, "tok") };
        kit.refused(request(command), RefusalCode::InstrumentNotAllowed);
    }
    kit.refused(request(asks(UserId(99), "tok")), RefusalCode::UserUnknown);
    let merchant = Some(MerchantId(99));
    kit.refused(request(RequestRealNameCheck { merchant, ..asks(user, "tok") }), RefusalCode::MerchantUnknown);
    kit.refused(answer(RealNameCheckId(9), RealNameAnswer::Matched), RefusalCode::RealNameCheckUnknown);
    let (id, kind) = (CustomerId(kit.state.customers.next_id()), CustomerKind::Company);
    let (name, certificate) = (sealed("*三"), sealed("9131**********1234"));
    let company = Customer { id, kind, name, certificate, phone: None, verification: None };
    kit.given(Command::RegisterCustomer(company));
    let opens = Command::OpenUser { customer: id, product: String::from("rent") };
    let Reply::User(company) = kit.given(opens) else { panic!("the reply names what was made") };
    kit.refused(request(asks(company, "tok")), RefusalCode::ValueInvalid);
    kit.blocks(Blocked::Card(String::from("barred")));
    kit.refused(request(asks(user, "barred")), RefusalCode::Blocked);
}

#[test]
fn nobody_is_registered_as_verified() {
    let mut kit = Kit::new();
    let id = CustomerId(kit.state.customers.next_id());
    let (elements, check) = (Elements::Four, RealNameCheckId(1));
    let verification = Some(Verification { elements, check, rail: Rail::Epcc, at: kit.now });
    let (kind, name, certificate) = (CustomerKind::Person, sealed("*三"), sealed("1101**********1234"));
    kit.given(Command::RegisterCustomer(Customer { id, kind, name, certificate, phone: None, verification }));
    assert_eq!(kit.state.customer(id).unwrap().verification, None);
}
