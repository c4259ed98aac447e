//! `agreement`, `pay-listed`, `pay-rule`, `fulfil`, `amend`, `rest`, `close-agreement`: see [`crate::agreement`].
//!
//! An agreement's terms stand as `to=B,C rest=B ends=2026-03-10 if=title,date:2026-03-07,parties:u1+u2 rule=B/1000/1+2`,
//! a rule as receiver, cap and the numbers of its conditions, `-` for none; its account is known as `NAME.account`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Read, Script, Step, minor};
use crate::agreement::{
    AgreementChange, AgreementCommand, AmendAgreement, Closing, ConditionKind, CreateAgreement, FulfilCondition,
    NewAgreement, PayByRule, PayFromAgreement, RuleTerms,
};
use crate::book::Book;
use crate::command::Command;
use crate::ids::AgreementId;
use crate::money::Currency;
use crate::testkit::date;

/// Reads a verb of agreements.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let agreement = |name: &str| AgreementId(script.id(name));
    let command = match *words {
        ["agreement", name, number, party, purpose, book, ref terms @ ..] => {
            let new = new(script, [number, party, purpose, book], terms);
            let account = script.kit.state.accounts.next_id();
            script.bind(&format!("{name}.account"), account);
            return Some(Step::named(name, Command::Agreement(AgreementCommand::Create(new))));
        }
        ["pay-listed", name, to, amount] => {
            let (agreement, to, amount) = (agreement(name), script.account(to), minor(amount));
            Command::PayFromAgreement(PayFromAgreement { agreement, to, amount })
        }
        ["pay-rule", name, rule, amount] => {
            let (agreement, rule, amount) = (agreement(name), number(rule), minor(amount));
            Command::Agreement(AgreementCommand::Pay(PayByRule { agreement, rule, amount }))
        }
        ["fulfil", name, condition, ref party @ ..] => {
            let fulfil = FulfilCondition {
                agreement: agreement(name),
                condition: number(condition),
                document: [8; 32].into(),
                said_by: String::from("the registry"),
                party: party.first().map(|party| script.owner(party)),
            };
            Command::Agreement(AgreementCommand::Fulfil(fulfil))
        }
        ["amend", name, ref changes @ ..] => {
            let (agreement, document) = (agreement(name), [9; 32].into());
            let changes = changes.iter().map(|change| change_of(script, change)).collect();
            AmendAgreement { agreement, document, changes }.into()
        }
        ["rest", name] => Command::Agreement(AgreementCommand::ReturnRest(agreement(name))),
        ["close-agreement", name] => Command::CloseAgreement(agreement(name)),
        _ => return None,
    };
    Some(Step::of(command))
}

fn new(script: &Script, [number, party, purpose, book]: [&str; 4], terms: &[&str]) -> NewAgreement {
    let term = |key: &str| terms.iter().find_map(|term| term.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')));
    let list = |key: &str| -> Vec<&str> { term(key).into_iter().flat_map(|list| list.split(',')).collect() };
    let (book, currency) =
        if book == "custody" { (Book::Custody, Currency::Cny) } else { (Book::Reserve, Currency::Cny) };
    let agreement = CreateAgreement {
        number: number.to_string(),
        party: script.owner(party),
        purpose: purpose.to_string(),
        book,
        currency,
        receivers: list("to").into_iter().map(|account| script.account(account)).collect(),
    };
    let closing = term("rest").map(|rest| Closing { rest_to: script.account(rest), ends_on: term("ends").map(date) });
    NewAgreement {
        agreement,
        conditions: list("if").into_iter().map(|text| condition(script, text)).collect(),
        rules: terms.iter().filter_map(|term| term.strip_prefix("rule=")).map(|text| rule(script, text)).collect(),
        closing,
        document: None,
    }
}

fn condition(script: &Script, text: &str) -> ConditionKind {
    match text.split_once(':') {
        Some(("date", day)) => ConditionKind::DateReached(date(day)),
        Some(("parties", parties)) => {
            ConditionKind::PartiesConfirm(parties.split('+').map(|party| script.owner(party)).collect())
        }
        Some(_) => panic!("{text} is no condition"),
        None if text == "title" => ConditionKind::TitleTransfer,
        None => ConditionKind::Other(text.to_string()),
    }
}

fn rule(script: &Script, text: &str) -> RuleTerms {
    let mut parts = text.split('/');
    let mut part = || parts.next().filter(|part| *part != "-");
    RuleTerms {
        receiver: script.account(part().expect("a rule names who is paid")),
        cap: part().map(minor),
        conditions: part().into_iter().flat_map(|numbers| numbers.split('+')).map(number).collect(),
        not_before: part().map(date),
        purpose: String::from("as agreed"),
    }
}

fn change_of(script: &Script, text: &str) -> AgreementChange {
    let (what, of) = text.split_once('=').unwrap_or((text, ""));
    match what {
        "receiver" => AgreementChange::AddReceiver(script.account(of)),
        "if" => AgreementChange::AddCondition(condition(script, of)),
        "rule" => AgreementChange::AddRule(rule(script, of)),
        "end-rule" => AgreementChange::EndRule(number(of)),
        _ => {
            let changed = number(what.strip_prefix("rule-").expect("receiver, if, rule, rule-N or end-rule"));
            AgreementChange::ChangeRule { rule: changed, terms: rule(script, of) }
        }
    }
}

fn number(text: &str) -> u16 {
    text.parse().unwrap_or_else(|_| panic!("'{text}' is no number of a rule or condition"))
}
