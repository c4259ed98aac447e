//! Agreements with conditions, rules and an end: each refusal and each transition.

use super::*;
use crate::book::Side;
use crate::testkit::date;
use crate::voucher::BusinessKind;

/// A house sale: buyer's money for the seller, the agency and the mortgage bank's customer, back to the buyer at the end.
struct House {
    kit: Kit,
    buyer: Owner,
    seller: Owner,
    to_seller: AccountId,
    to_agency: AccountId,
    back: AccountId,
}

const DOCUMENT: [u8; 32] = [0xd0; 32];

fn house() -> House {
    let mut kit = Kit::new();
    let (buyer, seller) = (Owner::User(kit.user()), Owner::User(kit.user()));
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let [to_seller, back] = [seller, buyer].map(|owner| kit.account(Subject::Personal, owner));
    let to_agency = kit.state.merchant(agency).unwrap().company.unwrap();
    House { kit, buyer, seller, to_seller, to_agency, back }
}

fn rule(receiver: AccountId, purpose: &str, cap: Option<Minor>, conditions: &[u16]) -> RuleTerms {
    let purpose = String::from(purpose);
    RuleTerms { receiver, purpose, cap, conditions: conditions.to_vec(), not_before: None }
}

impl House {
    /// Conditions: 1 title transfer, 2 buyer and seller confirm, 3 the day 2026-03-10 is reached.
    /// Rules: 1 the price 1,000,000 to the seller after 1 and 2, 2 the agency's commission without cap after 1,
    /// 3 a key deposit of 500 to the seller after 3.
    fn terms(&self) -> NewAgreement {
        NewAgreement {
            agreement: CreateAgreement {
                number: String::from("HS-7"),
                party: self.buyer,
                purpose: String::from("house price"),
                book: Book::Reserve,
                currency: Currency::Cny,
                receivers: vec![self.to_seller, self.to_agency, self.back],
            },
            conditions: vec![
                ConditionKind::TitleTransfer,
                ConditionKind::PartiesConfirm(vec![self.buyer, self.seller]),
                ConditionKind::DateReached(date("2026-03-10")),
            ],
            rules: vec![
                rule(self.to_seller, "price", Some(1_000_000), &[1, 2]),
                rule(self.to_agency, "commission", None, &[1]),
                rule(self.to_seller, "key deposit", Some(500), &[3]),
            ],
            closing: Some(Closing { rest_to: self.back, ends_on: Some(date("2026-03-12")) }),
            document: Some(DOCUMENT.into()),
        }
    }

    #[track_caller]
    fn create(&mut self, new: NewAgreement) -> Agreement {
        let Reply::Agreement(id) = self.kit.given(create_with(new)) else { panic!("an agreement was created") };
        self.kit.state.agreement(id).unwrap().clone()
    }

    /// The agreement of [`Self::terms`] with 1,100,000 on its account.
    fn funded(&mut self) -> Agreement {
        let terms = self.terms();
        let agreement = self.create(terms);
        self.kit.fund(agreement.account, 1_100_000);
        agreement
    }

    #[track_caller]
    fn row(&self) -> &Agreement {
        self.kit.state.agreement(AgreementId(1)).unwrap()
    }

    fn actions(&self) -> Vec<&'static str> {
        self.row().allowed_actions(self.kit.now)
    }
}

fn create_with(new: NewAgreement) -> Command {
    Command::Agreement(AgreementCommand::Create(new))
}

fn pay(rule: u16, amount: Minor) -> Command {
    Command::Agreement(AgreementCommand::Pay(PayByRule { agreement: AgreementId(1), rule, amount }))
}

fn fulfil(condition: u16, party: Option<Owner>) -> Command {
    Command::Agreement(AgreementCommand::Fulfil(FulfilCondition {
        agreement: AgreementId(1),
        condition,
        document: [condition.to_le_bytes()[0]; 32].into(),
        said_by: String::from("housing authority"),
        party,
    }))
}

fn amend(changes: Vec<AgreementChange>) -> Command {
    let (agreement, document) = (AgreementId(1), [9; 32].into());
    Command::Agreement(AgreementCommand::Amend(AmendAgreement { agreement, document, changes }))
}

fn return_rest() -> Command {
    Command::Agreement(AgreementCommand::ReturnRest(AgreementId(1)))
}

#[test]
fn money_leaves_only_by_a_rule_whose_conditions_are_all_fulfilled() {
    let mut house = house();
    let (buyer, seller) = (house.buyer, house.seller);
    let account = house.funded().account;
    let waits = RefusalCode::ConditionNotFulfilled;
    // (step, what it is refused with)
    let table = [
        (pay(1, 1_000_000), Some(waits)),
        (pay(2, 20_000), Some(waits)),
        (pay(3, 500), Some(waits)),
        (fulfil(2, Some(buyer)), None),
        (fulfil(1, None), None),
        (pay(2, 20_000), None),
        (pay(1, 1_000_000), Some(waits)),
        (fulfil(2, Some(seller)), None),
        (pay(1, 1_000_001), Some(RefusalCode::RuleExceeded)),
        (pay(1, 400_000), None),
        (pay(1, 0), Some(RefusalCode::AmountNotPositive)),
        (pay(1, 600_001), Some(RefusalCode::RuleExceeded)),
        (pay(1, Minor::MAX), Some(RefusalCode::AmountOverflow)),
        (pay(1, 600_000), None),
        (pay(1, 1), Some(RefusalCode::RuleExceeded)),
        (pay(2, 80_001), Some(RefusalCode::InsufficientFunds)),
        (pay(9, 1), Some(RefusalCode::RuleUnknown)),
    ];
    for (command, refused) in table {
        match refused {
            None => drop(house.kit.given(command)),
            Some(code) => house.kit.refused(command, code),
        }
        house.kit.restore();
    }
    assert_eq!(house.kit.balance(account), 80_000);
    assert_eq!((house.kit.balance(house.to_seller), house.kit.balance(house.to_agency)), (1_000_000, 20_000));
    let rules: Vec<_> = house.row().rules.iter().map(|rule| (rule.paid, rule.payments, rule.is_used_up())).collect();
    assert_eq!(rules, [(1_000_000, 2, true), (20_000, 1, false), (0, 0, false)]);
    assert_eq!((house.row().document, house.row().operator.as_deref()), (Some(DOCUMENT.into()), Some("tester")));
}

#[test]
fn each_payment_carries_its_purpose_its_number_and_its_voucher() {
    let mut house = house();
    let account = house.funded().account;
    house.kit.given(fulfil(1, None));
    house.kit.given(pay(2, 7));
    house.kit.on("2026-03-10");
    house.kit.given(pay(3, 500));
    let debit_credit = |to, amount| [(account, Side::Debit, amount), (to, Side::Credit, amount)];
    assert_eq!(house.kit.last_voucher(), debit_credit(house.to_seller, 500));
    let kept: Vec<_> = house.kit.state.agreement_payments.iter().map(|(_, it)| it.clone()).collect();
    let told: Vec<_> = kept.iter().map(|it| (it.number, it.rule, it.purpose.as_str(), it.amount, it.to)).collect();
    let expected = [(1, Some(2), "commission", 7, house.to_agency), (2, Some(3), "key deposit", 500, house.to_seller)];
    assert_eq!(told, expected);
    let numbers: Vec<_> = house.kit.posted().filter(|it| it.event == EventCode::AgreementPayment).collect();
    assert_eq!(numbers[1].business, BusinessNumber::step(BusinessKind::Agreement, 1, 2));
    assert!(kept.iter().all(|it| it.operator == "tester" && it.agreement == AgreementId(1)));
    assert!(kept[0].voucher < kept[1].voucher);
}

#[test]
fn days_are_those_of_shanghai() {
    let mut house = house();
    let mut terms = house.terms();
    terms.rules[2].not_before = Some(date("2026-03-11"));
    let agreement = house.create(terms);
    house.kit.fund(agreement.account, 500);
    // Midnight in Shanghai, to the millisecond.
    house.kit.now = date("2026-03-10").starts_at().plus_ms(-1);
    assert!(!house.row().conditions[2].is_fulfilled(Date::in_shanghai(house.kit.now)));
    house.kit.later(1);
    assert!(house.row().conditions[2].is_fulfilled(Date::in_shanghai(house.kit.now)));
    let refusal = house.kit.when(pay(3, 500)).unwrap_err();
    assert!(refusal.code == RefusalCode::ConditionNotFulfilled && refusal.message.contains("2026-03-11"), "{refusal}");
    house.kit.now = date("2026-03-11").starts_at();
    house.kit.given(pay(3, 500));
}

#[test]
fn a_condition_is_fulfilled_once_by_whom_it_names() {
    let mut house = house();
    let (buyer, agency) = (house.buyer, Owner::Merchant(MerchantId(1)));
    house.funded();
    let table = [
        (fulfil(3, None), RefusalCode::AgreementState),
        (fulfil(4, None), RefusalCode::RuleUnknown),
        (fulfil(2, None), RefusalCode::ValueInvalid),
        (fulfil(2, Some(agency)), RefusalCode::ValueInvalid),
        (fulfil(1, Some(buyer)), RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        house.kit.refused(command, code);
    }
    house.kit.given(fulfil(1, None));
    house.kit.given(fulfil(2, Some(buyer)));
    for (condition, party) in [(1, None), (2, Some(buyer))] {
        house.kit.refused(fulfil(condition, party), RefusalCode::AgreementState);
    }
    let Command::Agreement(AgreementCommand::Fulfil(good)) = fulfil(2, Some(house.seller)) else { panic!("it is one") };
    for said_by in [String::from(" "), "x".repeat(129)] {
        let command = AgreementCommand::Fulfil(FulfilCondition { said_by, ..good.clone() });
        house.kit.refused(Command::Agreement(command), RefusalCode::ValueInvalid);
    }
    let evidence = &house.row().conditions[0].evidence[0];
    assert_eq!((evidence.document, evidence.said_by.as_str()), ([1; 32].into(), "housing authority"));
    assert_eq!(
        (evidence.operator.as_str(), evidence.approver.as_deref(), evidence.at),
        ("tester", None, house.kit.now)
    );
    assert_eq!(house.row().conditions[1].evidence[0].party, Some(buyer));
}

#[test]
fn every_kind_of_condition_holds_its_rule_back_until_it_is_shown() {
    for kind in [
        ConditionKind::TitleTransfer,
        ConditionKind::MortgageReleased,
        ConditionKind::TaxPaid,
        ConditionKind::LoanPaidOut,
        ConditionKind::GovernmentOrder,
        ConditionKind::Other(String::from("keys handed over")),
    ] {
        let mut house = house();
        let name = kind.name();
        let terms = house.terms();
        let rules = vec![rule(house.to_seller, "price", None, &[1])];
        let agreement = house.create(NewAgreement { conditions: vec![kind], rules, ..terms });
        house.kit.fund(agreement.account, 10);
        let refusal = house.kit.when(pay(1, 10)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::ConditionNotFulfilled);
        assert!(refusal.message.contains(name), "{refusal}");
        house.kit.given(fulfil(1, None));
        house.kit.given(pay(1, 10));
    }
}

#[test]
fn an_agreement_with_rules_pays_no_other_way() {
    let mut house = house();
    house.funded();
    let simple = PayFromAgreement { agreement: AgreementId(1), to: house.to_seller, amount: 1 };
    house.kit.refused(Command::PayFromAgreement(simple), RefusalCode::AgreementState);
    house.kit.refused(return_rest(), RefusalCode::AgreementState);
}

#[test]
fn custody_is_born_and_pays_in_custody() {
    let mut house = house();
    let [from_custody, back] = [house.seller, house.buyer].map(|owner| house.kit.account(Subject::CustodySub, owner));
    let mut terms = house.terms();
    terms.agreement.book = Book::Custody;
    house.kit.refused(create_with(terms.clone()), RefusalCode::ReceiverNotAllowed);
    terms.agreement.receivers = vec![from_custody, back];
    terms.rules = vec![rule(from_custody, "price", None, &[1])];
    terms.closing = Some(Closing { rest_to: back, ends_on: None });
    let agreement = house.create(terms);
    let row = house.kit.state.account(agreement.account, "account").unwrap();
    assert_eq!((row.subject, row.subject.book()), (Subject::CustodySub, Book::Custody));
    let bank = house.kit.state.institution(Subject::CustodyBank, Currency::Cny).unwrap();
    let (debit, credit) = (Entry::debit(bank, 70, Currency::Cny), Entry::credit(agreement.account, 70, Currency::Cny));
    house.kit.given(post(vec![debit, credit]));
    house.kit.given(fulfil(1, None));
    house.kit.given(pay(1, 70));
    let to_seller = [(agreement.account, Side::Debit, 70), (from_custody, Side::Credit, 70)];
    assert_eq!(house.kit.last_voucher(), to_seller);
    let in_reserve = amend(vec![AgreementChange::AddReceiver(house.back)]);
    assert_eq!(house.kit.when_approved(in_reserve).unwrap_err().code, RefusalCode::ReceiverNotAllowed);
}

#[test]
fn after_its_end_only_the_rest_goes_and_then_it_closes() {
    let mut house = house();
    let account = house.funded().account;
    house.kit.given(fulfil(1, None));
    house.kit.refused(return_rest(), RefusalCode::AgreementState);
    house.kit.on("2026-03-12");
    house.kit.given(pay(2, 100_000));
    assert_eq!(house.actions(), ["pay", "close", "fulfil", "amend"]);
    house.kit.on("2026-03-13");
    house.kit.restore();
    house.kit.refused(pay(2, 1), RefusalCode::AgreementState);
    assert_eq!(house.actions(), ["close", "fulfil", "amend", "return_rest"]);
    house.kit.refused(Command::CloseAgreement(AgreementId(1)), RefusalCode::AccountNotEmpty);
    house.kit.given(return_rest());
    assert_eq!(house.kit.last_voucher(), [(account, Side::Debit, 1_000_000), (house.back, Side::Credit, 1_000_000)]);
    let last = house.kit.posted().last().unwrap();
    assert_eq!(
        (last.event, last.business.clone()),
        (EventCode::AgreementRest, BusinessNumber::step(BusinessKind::Agreement, 1, 2))
    );
    house.kit.refused(return_rest(), RefusalCode::InsufficientFunds);
    house.kit.given(Command::CloseAgreement(AgreementId(1)));
    assert!(house.actions().is_empty());
    for command in [pay(2, 1), return_rest(), fulfil(2, Some(house.buyer)), amend(vec![AgreementChange::EndRule(1)])] {
        house.kit.refused(command, RefusalCode::AgreementState);
    }
}

#[test]
fn the_rest_returns_once_every_rule_is_used_up_or_ended() {
    let mut house = house();
    house.funded();
    house.kit.given(fulfil(1, None));
    for party in [house.buyer, house.seller] {
        house.kit.given(fulfil(2, Some(party)));
    }
    house.kit.given(pay(1, 1_000_000));
    house.kit.refused(return_rest(), RefusalCode::AgreementState);
    house.kit.approved(amend(vec![AgreementChange::EndRule(2), AgreementChange::EndRule(3)]));
    assert_eq!(house.actions(), ["close", "amend", "return_rest"]);
    house.kit.refused(pay(2, 1), RefusalCode::AgreementState);
    house.kit.given(return_rest());
    assert_eq!(house.kit.balance(house.back), 100_000);
    let mut silent = self::house();
    let mut terms = silent.terms();
    terms.closing = None;
    silent.create(terms);
    silent.kit.refused(return_rest(), RefusalCode::AgreementState);
}

#[test]
fn what_is_frozen_of_the_rest_stays() {
    let mut house = house();
    let account = house.funded().account;
    house.kit.given(Command::PlaceFreeze(crate::freeze::PlaceFreeze {
        scope: account.into(),
        measure: crate::freeze::Measure::Amount { amount: 1_000_000, currency: Currency::Cny },
        reason: String::from("case 7"),
        authority: String::from("district court"),
        document: String::from("2026-0001"),
        source: None,
        priority: 100,
        expires_at: None,
    }));
    house.kit.on("2026-03-13");
    house.kit.given(return_rest());
    assert_eq!((house.kit.balance(house.back), house.kit.balance(account)), (100_000, 1_000_000));
    house.kit.refused(return_rest(), RefusalCode::InsufficientFunds);
    house.kit.refused(Command::CloseAgreement(AgreementId(1)), RefusalCode::AccountNotEmpty);
}

#[test]
fn an_amendment_takes_two_people_and_a_document() {
    let mut house = house();
    house.funded();
    let bank = house.kit.account(Subject::Personal, house.seller);
    let changes = vec![
        AgreementChange::AddReceiver(bank),
        AgreementChange::AddCondition(ConditionKind::MortgageReleased),
        AgreementChange::AddRule(rule(bank, "mortgage", Some(300), &[4])),
        AgreementChange::ChangeRule { rule: 1, terms: rule(house.to_seller, "price", Some(999_700), &[1]) },
        AgreementChange::EndRule(3),
    ];
    house.kit.refused(amend(changes.clone()), RefusalCode::ApprovalRequired);
    house.kit.approved(amend(changes.clone()));
    house.kit.restore();
    let row = house.row();
    assert_eq!((row.receivers.len(), row.conditions.len(), row.rules.len()), (4, 4, 4));
    let kept = &row.amendments[0];
    assert_eq!((kept.number, kept.document, &kept.changes), (1, [9; 32].into(), &changes));
    assert_eq!((kept.operator.as_str(), kept.approver.as_deref()), ("maker", Some("checker")));
    house.kit.refused(pay(4, 300), RefusalCode::ConditionNotFulfilled);
    house.kit.refused(pay(3, 1), RefusalCode::AgreementState);
    house.kit.given(fulfil(4, None));
    house.kit.given(pay(4, 300));
    house.kit.given(fulfil(1, None));
    house.kit.given(pay(1, 999_700));
    house.kit.refused(pay(1, 1), RefusalCode::RuleExceeded);
}

#[test]
fn an_amendment_that_cannot_be_kept_changes_nothing() {
    let mut house = house();
    house.funded();
    house.kit.given(fulfil(1, None));
    house.kit.given(pay(2, 300));
    house.kit.approved(amend(vec![AgreementChange::EndRule(3)]));
    let stranger = house.kit.account(Subject::Personal, house.seller);
    let to = house.to_agency;
    let change = |terms| AgreementChange::ChangeRule { rule: 2, terms };
    let fee = |cap, conditions: &[u16]| rule(to, "commission", cap, conditions);
    let own = house.kit.state.institution(Subject::Suspense, Currency::Cny).unwrap();
    let table = [
        (vec![], RefusalCode::ValueInvalid),
        (vec![AgreementChange::EndRule(1); 101], RefusalCode::ValueInvalid),
        (vec![AgreementChange::AddReceiver(to)], RefusalCode::AlreadyExists),
        (vec![AgreementChange::AddReceiver(own)], RefusalCode::ReceiverNotAllowed),
        (vec![AgreementChange::AddReceiver(AccountId(999))], RefusalCode::AccountUnknown),
        (vec![AgreementChange::AddRule(rule(stranger, "x", None, &[]))], RefusalCode::ReceiverNotListed),
        (vec![AgreementChange::AddRule(rule(to, " ", None, &[]))], RefusalCode::ValueInvalid),
        (vec![AgreementChange::AddRule(fee(Some(0), &[]))], RefusalCode::AmountNotPositive),
        (vec![AgreementChange::AddRule(fee(None, &[4]))], RefusalCode::RuleUnknown),
        (vec![AgreementChange::AddRule(fee(None, &[1, 1]))], RefusalCode::ValueInvalid),
        (vec![change(fee(Some(299), &[1]))], RefusalCode::ValueInvalid),
        (vec![AgreementChange::ChangeRule { rule: 9, terms: fee(None, &[]) }], RefusalCode::RuleUnknown),
        (vec![AgreementChange::EndRule(9)], RefusalCode::RuleUnknown),
        (vec![AgreementChange::EndRule(3)], RefusalCode::AgreementState),
        (vec![AgreementChange::EndRule(1), AgreementChange::EndRule(1)], RefusalCode::AgreementState),
        (vec![AgreementChange::AddCondition(ConditionKind::Other(String::new()))], RefusalCode::ValueInvalid),
    ];
    let before = house.row().clone();
    for (changes, code) in table {
        let refusal = house.kit.when_approved(amend(changes.clone())).unwrap_err();
        assert_eq!(refusal.code, code, "{refusal} for {changes:?}");
        assert_eq!(house.row(), &before);
    }
    // A cap at what was paid is the lowest there is.
    house.kit.approved(amend(vec![change(fee(Some(300), &[1]))]));
    house.kit.refused(pay(2, 1), RefusalCode::RuleExceeded);
}

#[test]
fn a_simple_agreement_gets_its_first_rule_by_an_amendment() {
    let mut house = house();
    let simple = house.terms().agreement;
    let Reply::Agreement(id) = house.kit.given(Command::CreateAgreement(simple)) else { panic!("it was created") };
    let account = house.kit.state.agreement(id).unwrap().account;
    house.kit.fund(account, 1_000);
    assert_eq!(house.actions(), ["pay", "close", "amend"]);
    let listed = PayFromAgreement { agreement: id, to: house.to_seller, amount: 400 };
    house.kit.given(Command::PayFromAgreement(listed.clone()));
    let kept = house.kit.state.agreement_payments.get(1).unwrap();
    assert_eq!((kept.rule, kept.purpose.as_str(), kept.amount), (None, "house price", 400));
    house.kit.approved(amend(vec![AgreementChange::AddRule(rule(house.to_agency, "commission", None, &[]))]));
    house.kit.refused(Command::PayFromAgreement(listed), RefusalCode::AgreementState);
    house.kit.given(pay(1, 600));
    house.kit.given(Command::CloseAgreement(id));
}

#[test]
fn what_an_agreement_cannot_say_at_birth_is_refused() {
    let mut house = house();
    let good = house.terms();
    let (buyer, seller) = (house.buyer, house.seller);
    let closing = |rest_to, ends_on| NewAgreement { closing: Some(Closing { rest_to, ends_on }), ..good.clone() };
    let confirmed_by = |parties: Vec<Owner>| NewAgreement {
        conditions: vec![ConditionKind::PartiesConfirm(parties)],
        rules: Vec::new(),
        ..good.clone()
    };
    let unlisted = house.kit.account(Subject::Personal, buyer);
    let ghost = Owner::User(crate::ids::UserId(99));
    let table = [
        (closing(unlisted, None), RefusalCode::ReceiverNotListed),
        (closing(house.to_seller, None), RefusalCode::ReceiverNotAllowed),
        (closing(house.back, Some(date("2026-03-04"))), RefusalCode::ValueInvalid),
        (confirmed_by(vec![buyer]), RefusalCode::ValueInvalid),
        (confirmed_by(vec![buyer, buyer]), RefusalCode::ValueInvalid),
        (confirmed_by(vec![buyer, Owner::Institution]), RefusalCode::ValueInvalid),
        (confirmed_by(vec![buyer, ghost]), RefusalCode::UserUnknown),
        (confirmed_by(vec![buyer, seller]), RefusalCode::AlreadyExists),
    ];
    let twin = good.agreement.clone();
    for (new, code) in table {
        if code == RefusalCode::AlreadyExists {
            house.kit.given(Command::CreateAgreement(twin.clone()));
        }
        house.kit.refused(create_with(new), code);
    }
    let many = NewAgreement {
        conditions: vec![ConditionKind::TaxPaid; 101],
        rules: Vec::new(),
        agreement: CreateAgreement { number: String::from("HS-8"), ..good.agreement.clone() },
        ..good.clone()
    };
    house.kit.refused(create_with(many), RefusalCode::ValueInvalid);
    let ends_today = NewAgreement {
        agreement: CreateAgreement { number: String::from("HS-9"), ..good.agreement.clone() },
        ..closing(house.back, Some(date("2026-03-05")))
    };
    house.kit.given(create_with(ends_today));
}

#[test]
fn two_accountants_amend_by_an_approval() {
    let mut house = house();
    house.funded();
    house.kit.people();
    let changes = vec![AgreementChange::EndRule(2)];
    let amend = AmendAgreement { agreement: AgreementId(1), document: [9; 32].into(), changes };
    let reply = house.kit.decided("accountant", crate::approval::Proposal::AmendAgreement(amend));
    assert_eq!(reply, Reply::Agreement(AgreementId(1)));
    let kept = &house.row().amendments[0];
    assert_eq!((kept.operator.as_str(), kept.approver.as_deref()), ("accountant-1", Some("accountant-2")));
    house.kit.refused(pay(2, 1), RefusalCode::AgreementState);
}
