//! A terminal's life, its binding, what smells of fraud.

use super::*;
use crate::command::Command;
use crate::merchant::SettlementAccount;
use crate::testkit::cards::{HOME, Shop, terms};
use crate::testkit::{Kit, sealed};

fn of(command: TerminalCommand) -> Command {
    Command::Terminal(command)
}

fn status(kit: &Kit, id: TerminalId) -> TerminalStatus {
    kit.state.terminal(id).unwrap().status
}

fn load_key(terminal: TerminalId) -> Command {
    of(TerminalCommand::LoadKey { terminal, name: "terminal/1/master".into(), check_value: "861E83E31FAEBF10".into() })
}

/// Two merchants who take cards.
fn two_merchants(kit: &mut Kit) -> (AcquiringId, AcquiringId) {
    kit.card_prices();
    let (one, two) = (kit.landlord(), kit.landlord());
    (kit.acquired(one, terms()), kit.acquired(two, terms()))
}

#[test]
fn a_terminal_lives_from_stock_to_scrap() {
    let mut kit = Kit::new();
    let (one, two) = two_merchants(&mut kit);
    let register = of(TerminalCommand::Register { serial: "N500012345".into(), model: "N5".into() });
    let Reply::Terminal(id) = kit.given(register) else { panic!("a terminal") };
    assert_eq!(
        (status(&kit, id), kit.state.terminal(id).unwrap().number()),
        (TerminalStatus::Stock, "00000001".into())
    );
    kit.given(load_key(id));
    assert_eq!(status(&kit, id), TerminalStatus::KeysLoaded);
    let bind = kit.bind(id, one);
    kit.given(bind);
    assert_eq!((status(&kit, id), kit.state.terminal(id).unwrap().batch), (TerminalStatus::Bound, 1));
    kit.given(kit.sign_in(id));
    assert_eq!(status(&kit, id), TerminalStatus::Online);
    kit.given(of(TerminalCommand::SignOut(id)));
    assert_eq!(status(&kit, id), TerminalStatus::Bound, "it takes no card until it signs in");
    kit.given(kit.sign_in(id));
    kit.given(of(TerminalCommand::Suspend { terminal: id, reason: "broken".into() }));
    kit.restore();
    assert_eq!(status(&kit, id), TerminalStatus::Suspended);
    kit.given(of(TerminalCommand::Resume(id)));
    assert_eq!(status(&kit, id), TerminalStatus::Bound, "it signs in again");
    kit.given(of(TerminalCommand::Recover(id)));
    let row = kit.state.terminal(id).unwrap();
    assert_eq!((row.status, &row.key, &row.binding), (TerminalStatus::Recovered, &None, &None));
    kit.given(load_key(id));
    let bind = kit.bind(id, two);
    kit.given(bind);
    assert_eq!(kit.state.terminal(id).unwrap().batch, 2, "with its next merchant it is in another batch");
    kit.given(of(TerminalCommand::Recover(id)));
    kit.given(of(TerminalCommand::Scrap(id)));
    kit.restore();
    assert_eq!(
        (status(&kit, id), kit.state.terminal(id).unwrap().allowed_actions()),
        (TerminalStatus::Scrapped, [].as_slice())
    );
    kit.refused(load_key(id), RefusalCode::TerminalState);
}

#[test]
fn a_serial_is_registered_once_and_serves_one_merchant() {
    let mut kit = Kit::new();
    let (one, two) = two_merchants(&mut kit);
    let id = kit.keyed_terminal();
    let serial = kit.state.terminal(id).unwrap().serial.clone();
    kit.refused(of(TerminalCommand::Register { serial, model: "N5".into() }), RefusalCode::AlreadyExists);
    let bind = kit.bind(id, one);
    kit.given(bind.clone());
    kit.refused(bind, RefusalCode::TerminalBound);
    let shared = kit.bind(id, two);
    kit.refused(shared, RefusalCode::TerminalBound);
    let row = kit.state.terminal(id).unwrap();
    let merchant = kit.state.merchant(row.binding.as_ref().unwrap().merchant).unwrap();
    let binding = row.binding.as_ref().unwrap();
    assert_eq!((binding.registration, &binding.settlement), (merchant.customer, &merchant.settlement));
}

#[test]
fn a_merchant_settled_elsewhere_needs_its_terminals_bound_anew() {
    let mut kit = Kit::new();
    let Shop { merchant, terminal, acquiring, .. } = kit.shop();
    kit.given(Command::VerifySettlementAccount { merchant, replacement: None });
    kit.given(kit.sign_in(terminal));
    let other = SettlementAccount { account: sealed("6222**********0009"), name: sealed("*四") };
    kit.given(Command::VerifySettlementAccount { merchant, replacement: Some(other) });
    kit.refused(kit.sign_in(terminal), RefusalCode::TerminalState);
    kit.given(of(TerminalCommand::Recover(terminal)));
    kit.given(load_key(terminal));
    let bind = kit.bind(terminal, acquiring);
    kit.given(bind);
    kit.given(kit.sign_in(terminal));
    assert_eq!(status(&kit, terminal), TerminalStatus::Online);
}

#[test]
fn a_foreign_serial_or_merchant_suspends_the_terminal_it_signs_in_for() {
    let mut kit = Kit::new();
    let one = kit.shop();
    let two = kit.shop();
    let sign_in = |terminal, serial: &str, number| {
        of(TerminalCommand::SignIn(SignIn { terminal, serial: serial.into(), number }))
    };
    let serial = kit.state.terminal(one.terminal).unwrap().serial.clone();
    kit.given(sign_in(one.terminal, "N599999999", one.number));
    let row = kit.state.terminal(one.terminal).unwrap();
    assert_eq!(row.suspended.as_ref().map(|it| it.reason.clone()), Some(SuspensionReason::ForeignSerial));
    kit.refused(sign_in(one.terminal, &serial, one.number), RefusalCode::TerminalState);
    let serial = kit.state.terminal(two.terminal).unwrap().serial.clone();
    kit.given(sign_in(two.terminal, &serial, one.number));
    let row = kit.state.terminal(two.terminal).unwrap();
    assert_eq!(row.suspended.as_ref().map(|it| it.reason.name()), Some("foreign_merchant"));
}

#[test]
fn a_terminal_that_was_moved_is_suspended_where_it_reports_itself() {
    let mut kit = Kit::new();
    let Shop { terminal, .. } = kit.shop();
    let report = |place| of(TerminalCommand::ReportLocation { terminal, place });
    kit.given(report(Place { latitude: HOME.latitude + 4_000, ..HOME }));
    assert_eq!(kit.state.terminal(terminal).unwrap().location.map(|report| report.distance_m), Some(444));
    assert_eq!(status(&kit, terminal), TerminalStatus::Online, "444 m of 500");
    kit.given(report(Place { latitude: HOME.latitude + 5_000, ..HOME }));
    let row = kit.state.terminal(terminal).unwrap();
    let reason = row.suspended.as_ref().map(|it| it.reason.clone());
    assert_eq!(reason, Some(SuspensionReason::Moved { distance_m: 555 }));
    kit.refused(report(HOME), RefusalCode::TerminalState);
    kit.restore();
    kit.given(of(TerminalCommand::Resume(terminal)));
    kit.given(report(HOME));
    kit.refused(report(Place { latitude: 91_000_000, longitude: 0 }), RefusalCode::ValueInvalid);
}

#[test]
fn bad_steps_are_refused() {
    let mut kit = Kit::new();
    let (one, _) = two_merchants(&mut kit);
    let id = kit.keyed_terminal();
    let key = |name: &str, check_value: &str| {
        of(TerminalCommand::LoadKey { terminal: id, name: name.into(), check_value: check_value.into() })
    };
    let bind = |place, tolerance_m| {
        let address = sealed("北京市东城区***");
        of(TerminalCommand::Bind(BindTerminal { terminal: id, acquiring: one, address, place, tolerance_m }))
    };
    let table = [
        (key("", "861E83E3"), RefusalCode::ValueInvalid),
        (key("k", "861E83"), RefusalCode::ValueInvalid),
        (key("k", "861E83EX"), RefusalCode::ValueInvalid),
        (bind(Place { latitude: 0, longitude: 180_000_001 }, 500), RefusalCode::ValueInvalid),
        (bind(HOME, 0), RefusalCode::ValueInvalid),
        (of(TerminalCommand::Scrap(id)), RefusalCode::TerminalState),
        (of(TerminalCommand::Resume(id)), RefusalCode::TerminalState),
        (of(TerminalCommand::Suspend { terminal: id, reason: "x".into() }), RefusalCode::TerminalState),
        (of(TerminalCommand::Recover(TerminalId(99))), RefusalCode::TerminalUnknown),
        (of(TerminalCommand::Register { serial: String::new(), model: "N5".into() }), RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        kit.refused(command, code);
    }
    assert_eq!((next_number(1), next_number(LAST_NUMBER)), (2, 1));
}

#[test]
fn a_key_is_issued_to_the_terminals_public_key_and_to_none_else() {
    let mut kit = Kit::new();
    let register = TerminalCommand::Register { serial: "N900-77".into(), model: "N900".into() };
    let Reply::Terminal(terminal) = kit.when(Command::Terminal(register)).unwrap() else { panic!("a terminal") };
    let issued = || IssuedKey { encrypted: alloc::vec![4; 113], check_value: "861E83E31FAEBF10".into() };
    let issue = || {
        let name = alloc::format!("terminal/{}/master", terminal.0);
        Command::Terminal(TerminalCommand::IssueKey { terminal, name, issued: issued() })
    };
    assert_eq!(kit.when(issue()).unwrap_err().code, RefusalCode::PublicKeyMissing);
    let public =
        |point: &[u8]| Command::Terminal(TerminalCommand::RegisterPublicKey { terminal, point: point.to_vec() });
    for wrong in [&[4; 64][..], &[2; 65]] {
        assert_eq!(kit.when(public(wrong)).unwrap_err().code, RefusalCode::ValueInvalid);
    }
    kit.when(public(&[4; 65])).unwrap();
    kit.when(issue()).unwrap();
    let row = kit.state.terminal(terminal).unwrap();
    assert_eq!((row.status, row.issued.clone()), (TerminalStatus::KeysLoaded, Some(issued())));
    assert_eq!(row.key.as_ref().unwrap().check_value, "861E83E31FAEBF10");
    kit.restore();
    assert_eq!(kit.state.terminal(terminal).unwrap().issued, Some(issued()));
}
