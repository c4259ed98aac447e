//! Transfers: their entries and every refusal but those of limits and lists, which stand there.

use alloc::string::ToString;

use super::*;
use crate::book::Side;
use crate::command::Command;
use crate::merchant::MerchantKind;
use crate::restriction::Restriction;
use crate::testkit::Kit;
use crate::testkit::wallets::{makes, transfer};

const YUAN: Minor = 100;

#[test]
fn a_transfer_moves_money_at_once() {
    let mut kit = Kit::new();
    let (from, to) = (kit.wallet(1_000 * YUAN), kit.wallet(0));
    let note = Some("for the deposit".to_string());
    let command = MakeTransfer { note: note.clone(), ..transfer(from, to, 300 * YUAN) };
    let Reply::Transfer(id) = kit.given(makes(command)) else { panic!("a transfer was made") };
    assert_eq!(kit.last_voucher(), [(from, Side::Debit, 300 * YUAN), (to, Side::Credit, 300 * YUAN)]);
    let voucher = kit.posted().last().unwrap();
    assert_eq!((voucher.event, voucher.business.to_string().as_str()), (EventCode::AccountTransfer, "trf_1"));
    kit.restore();
    let row = kit.state.transfer(id).unwrap();
    assert_eq!((row.amount, &row.note, row.factors), (300 * YUAN, &note, Factors::TwoWithCertificate));
    assert_eq!((kit.balance(from), kit.balance(to)), (700 * YUAN, 300 * YUAN));
    kit.books(&[(1121, 1_000 * YUAN)]);
}

#[test]
fn company_accounts_pay_and_are_paid() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let company = kit.state.merchant(agency).unwrap().company.unwrap();
    let person = kit.wallet(1_000 * YUAN);
    kit.given(makes(transfer(person, company, 1_000 * YUAN)));
    kit.given(makes(transfer(company, person, 400 * YUAN)));
    assert_eq!((kit.balance(company), kit.balance(person)), (600 * YUAN, 400 * YUAN));
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let mut kit = Kit::new();
    let (from, to, closed, barred_in, barred_out) =
        (kit.wallet(1_000), kit.wallet(0), kit.wallet(0), kit.wallet(0), kit.wallet(1_000));
    let owner = kit.state.account(from, "account").unwrap().owner;
    let twin = kit.account(Subject::Personal, owner);
    kit.given(Command::CloseAccount(closed));
    for (account, in_barred) in [(barred_in, true), (barred_out, false)] {
        let restriction = Restriction { in_barred, out_barred: !in_barred };
        kit.given(Command::RestrictAccount { account, restriction });
    }
    let landlord = kit.landlord();
    let available = kit.state.merchant(landlord).unwrap().available;
    let good = || transfer(from, to, 100);
    let table = [
        (MakeTransfer { amount: 0, ..good() }, RefusalCode::AmountNotPositive),
        (MakeTransfer { amount: 1_001, ..good() }, RefusalCode::InsufficientFunds),
        (MakeTransfer { note: Some("x".repeat(129)), ..good() }, RefusalCode::ValueInvalid),
        (MakeTransfer { currency: Currency::Usd, ..good() }, RefusalCode::CurrencyMismatch),
        (MakeTransfer { from: AccountId(9_999), ..good() }, RefusalCode::AccountUnknown),
        (MakeTransfer { to: closed, ..good() }, RefusalCode::AccountClosed),
        (MakeTransfer { to: barred_in, ..good() }, RefusalCode::AccountRestricted),
        (MakeTransfer { from: barred_out, ..good() }, RefusalCode::AccountRestricted),
        (MakeTransfer { to: from, ..good() }, RefusalCode::ReceiverNotAllowed),
        (MakeTransfer { to: twin, ..good() }, RefusalCode::ReceiverNotAllowed),
        (MakeTransfer { to: available, ..good() }, RefusalCode::SubjectNotAllowed),
        (MakeTransfer { from: available, ..good() }, RefusalCode::SubjectNotAllowed),
    ];
    let events = kit.events.len();
    for (command, code) in table {
        kit.refused(makes(command), code);
    }
    assert_eq!((kit.events.len(), kit.state.account_limits.iter().count()), (events, 0));
    assert_eq!(kit.state.transfer(TransferId(1)).unwrap_err().code, RefusalCode::TransferUnknown);
}
