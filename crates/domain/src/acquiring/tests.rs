//! Merchant numbers, terms, limits.

use alloc::string::ToString;

use super::*;
use crate::command::Command;
use crate::testkit::Kit;
use crate::testkit::cards::terms;

fn open(merchant: MerchantId, category: u16) -> OpenAcquiring {
    OpenAcquiring { merchant, acquirer: 898, area: 1_100, category, terms: terms() }
}

fn of(command: AcquiringCommand) -> Command {
    Command::Acquiring(command)
}

#[test]
fn a_merchant_number_is_acquirer_area_category_and_a_serial_of_ours() {
    let mut kit = Kit::new();
    kit.card_prices();
    let (one, two) = (kit.landlord(), kit.landlord());
    let first = kit.acquired(one, terms());
    let second = kit.acquired(two, terms());
    kit.given(of(AcquiringCommand::Open(open(two, 7_011))));
    let number = |kit: &Kit, id: AcquiringId| kit.state.acquiring(id).unwrap().number.to_string();
    assert_eq!(number(&kit, first), "898110065130001");
    assert_eq!(number(&kit, second), "898110065130002");
    assert_eq!(number(&kit, AcquiringId(3)), "898110070110001", "serials count within acquirer, area and category");
    kit.restore();
    let parsed: MerchantNumber = "898110065130002".parse().unwrap();
    assert_eq!(kit.state.acquiring_by_number(parsed).map(|it| it.merchant), Ok(two));
    assert_eq!((parsed.acquirer(), parsed.category(), parsed.serial()), (898, 6_513, 2));
    kit.refused(of(AcquiringCommand::Open(open(two, 6_513))), RefusalCode::AlreadyExists);
}

#[test]
fn what_is_no_merchant_number_is_refused() {
    for text in ["", "89811006513000", "8981100651300011", "89811006513000x", "+98110065130001"] {
        assert!(text.parse::<MerchantNumber>().is_err(), "{text}");
    }
    assert_eq!(MerchantNumber::of(1, 2, 3, 4).unwrap().to_string(), "001000200030004");
    for (acquirer, area, category, serial) in
        [(1_000, 0, 0, 0), (0, 10_000, 0, 0), (0, 0, 10_000, 0), (0, 0, 0, 10_000)]
    {
        assert_eq!(MerchantNumber::of(acquirer, area, category, serial), None);
    }
    let kit = Kit::new();
    let unknown = kit.state.acquiring_by_number("898110065130001".parse().unwrap()).unwrap_err();
    assert_eq!(unknown.code, RefusalCode::AcquiringUnknown);
}

#[test]
fn bad_terms_and_steps_are_refused() {
    let mut kit = Kit::new();
    kit.card_prices();
    let merchant = kit.landlord();
    let good = open(merchant, 6_513);
    let with = |change: fn(&mut AcquiringTerms)| {
        let mut command = good.clone();
        change(&mut command.terms);
        command
    };
    let table = [
        (OpenAcquiring { merchant: MerchantId(99), ..good.clone() }, RefusalCode::MerchantUnknown),
        (OpenAcquiring { acquirer: 1_000, ..good.clone() }, RefusalCode::ValueInvalid),
        (with(|terms| terms.fee_plan = "none".into()), RefusalCode::CardFeeUnknown),
        (with(|terms| terms.debit.single = Some(0)), RefusalCode::AmountNotPositive),
        (with(|terms| terms.rules.completion_percent = 99), RefusalCode::ValueInvalid),
        (with(|terms| terms.rules.preauthorisation_days = 0), RefusalCode::ValueInvalid),
        (with(|terms| terms.rules.tip_percent = 101), RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        kit.refused(of(AcquiringCommand::Open(command)), code);
    }
    let acquiring = kit.acquired(merchant, terms());
    kit.refused(of(AcquiringCommand::Resume(acquiring)), RefusalCode::AcquiringState);
    let suspend = |reason: &str| of(AcquiringCommand::Suspend { acquiring, reason: reason.into() });
    kit.refused(suspend(" "), RefusalCode::ValueInvalid);
    kit.given(suspend("under review"));
    kit.restore();
    let row = kit.state.acquiring(acquiring).unwrap();
    assert_eq!((row.status(), row.allowed_actions()), ("suspended", ["resume", "change"].as_slice()));
    kit.refused(suspend("again"), RefusalCode::AcquiringState);
    kit.given(of(AcquiringCommand::Resume(acquiring)));
    assert_eq!(kit.state.acquiring(acquiring).unwrap().status(), "active");
}

#[test]
fn limits_bind_one_transaction_and_the_day_by_card_type() {
    let mut kit = Kit::new();
    kit.card_prices();
    let merchant = kit.landlord();
    let credit = CardLimit { single: Some(500), daily: Some(800) };
    let acquiring = kit.acquired(merchant, AcquiringTerms { credit, ..terms() });
    let row = kit.state.acquiring(acquiring).unwrap().clone();
    let today = crate::testkit::date("2026-03-05");
    let take = |row: &Acquiring, card, amount, day| row.take(card, amount, day).map_err(|refusal| refusal.code);
    assert_eq!(take(&row, CardType::Credit, 501, today), Err(RefusalCode::LimitExceeded));
    let used = take(&row, CardType::Credit, 500, today).unwrap();
    let row = Acquiring { used: Some(used), ..row };
    assert_eq!(take(&row, CardType::Credit, 301, today), Err(RefusalCode::LimitExceeded));
    assert!(take(&row, CardType::Credit, 300, today).is_ok());
    assert!(take(&row, CardType::Debit, 900_000, today).is_ok(), "debit cards are not bound");
    assert!(take(&row, CardType::Credit, 500, today.plus_days(1)).is_ok(), "another day");
    assert_eq!(row.give_back(CardType::Credit, 500, today).map(|used| used.credit), Some(0));
    assert_eq!(row.give_back(CardType::Credit, 500, today.plus_days(-1)), None);
}
