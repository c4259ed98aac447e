//! Plans: who may have one, what may be done with it, and what it would take.

use super::*;
use crate::command::Command;
use crate::merchant::MerchantKind;
use crate::testkit::Kit;
use crate::testkit::wallets::own_card;

const TERMS: PlanTerms = PlanTerms { keep: 0, minimum: 1, fee: 0 };

fn creates(account: AccountId, to: PlanTo, terms: PlanTerms) -> Command {
    Command::WithdrawalPlan(WithdrawalPlanCommand::Create(CreateWithdrawalPlan { account, to, terms }))
}

fn card(own: bool) -> PlanTo {
    PlanTo::Bank(Receiver { own, ..own_card("card-1") })
}

#[test]
fn who_may_have_a_plan_and_to_where() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let merchant = kit.state.merchant(agency).unwrap().clone();
    let (pending, available, company) = (merchant.pending, merchant.available, merchant.company.unwrap());
    let personal = kit.wallet(0);
    let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
    let ours = kit.account(Subject::Company, Owner::Institution);
    let (closed, receiver, subject) =
        (kit.wallet(0), Some(RefusalCode::ReceiverNotAllowed), Some(RefusalCode::SubjectNotAllowed));
    kit.given(Command::CloseAccount(closed));
    let table = [
        (personal, card(false), receiver),
        (personal, PlanTo::Settlement, receiver),
        (available, card(true), receiver),
        (company, card(false), receiver),
        (pending, PlanTo::Settlement, subject),
        (clearing, PlanTo::Settlement, subject),
        (ours, card(true), subject),
        (ours, PlanTo::Settlement, receiver),
        (closed, card(true), Some(RefusalCode::AccountClosed)),
        (AccountId(9_999), card(true), Some(RefusalCode::AccountUnknown)),
        (personal, card(true), None),
        (available, PlanTo::Settlement, None),
        (company, PlanTo::Settlement, None),
        (company, card(true), Some(RefusalCode::AlreadyExists)),
    ];
    for (account, to, refusal) in table {
        let what = format!("{account} {to:?}");
        let result = kit.when(creates(account, to, TERMS));
        assert_eq!(result.err().map(|refusal| refusal.code), refusal, "{what}");
    }
}

#[test]
fn a_plan_in_another_currency_is_refused() {
    let mut kit = Kit::new();
    let owner = Owner::User(kit.user());
    let open =
        crate::account::OpenAccount { subject: Subject::Personal, currency: Currency::Usd, owner, overdraft: false };
    let Reply::Account(dollars) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
    kit.refused(creates(dollars, card(true), TERMS), RefusalCode::CurrencyMismatch);
}

#[test]
fn terms_must_make_sense() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let table = [
        (PlanTerms { minimum: 0, ..TERMS }, RefusalCode::AmountNotPositive),
        (PlanTerms { keep: -1, ..TERMS }, RefusalCode::ValueInvalid),
        (PlanTerms { fee: -1, ..TERMS }, RefusalCode::ValueInvalid),
    ];
    for (terms, code) in table {
        kit.refused(creates(account, card(true), terms), code);
    }
    let plan = kit.plan(account);
    for (terms, code) in table {
        kit.refused(Command::WithdrawalPlan(WithdrawalPlanCommand::Change { plan, terms }), code);
    }
}

#[test]
fn it_takes_what_is_available_less_what_it_keeps_and_its_fee_from_its_minimum_on() {
    let mut kit = Kit::new();
    let account = kit.wallet(10_000);
    let plan = kit.plan(account);
    let mut takes = |keep, minimum, fee| {
        let terms = PlanTerms { keep, minimum, fee };
        kit.given(Command::WithdrawalPlan(WithdrawalPlanCommand::Change { plan, terms }));
        let account = kit.state.account(account, "account").unwrap();
        kit.state.withdrawal_plan(plan).unwrap().takes(&kit.state, account).map(|takes| takes.amount)
    };
    assert_eq!(takes(0, 1, 0), Some(10_000));
    assert_eq!(takes(2_000, 7_990, 10), Some(7_990));
    assert_eq!(takes(2_000, 7_991, 10), None);
    assert_eq!(takes(10_000, 1, 0), None);
    assert_eq!(takes(Minor::MAX, 1, Minor::MAX), None);
}

type Wanted = fn(WithdrawalPlanId) -> WithdrawalPlanCommand;

#[test]
fn allowed_actions_are_what_decide_takes() {
    let actions: [(PlanAction, Wanted); 4] = [
        (PlanAction::Change, |plan| WithdrawalPlanCommand::Change { plan, terms: TERMS }),
        (PlanAction::Suspend, WithdrawalPlanCommand::Suspend),
        (PlanAction::Resume, WithdrawalPlanCommand::Resume),
        (PlanAction::End, WithdrawalPlanCommand::End),
    ];
    let states: [(&[Wanted], PlanStatus); 4] = [
        (&[], PlanStatus::Active),
        (&[WithdrawalPlanCommand::Suspend], PlanStatus::Suspended),
        (&[WithdrawalPlanCommand::Suspend, WithdrawalPlanCommand::Resume], PlanStatus::Active),
        (&[WithdrawalPlanCommand::End], PlanStatus::Ended),
    ];
    for (before, status) in states {
        for (action, command) in actions {
            let mut kit = Kit::new();
            let account = kit.wallet(0);
            let plan = kit.plan(account);
            for step in before {
                kit.given(Command::WithdrawalPlan(step(plan)));
            }
            kit.restore();
            let row = kit.state.withdrawal_plan(plan).unwrap();
            assert_eq!((row.status, row.changed_by.as_str()), (status, "tester"));
            let allowed = row.allowed_actions().contains(&action);
            match kit.when(Command::WithdrawalPlan(command(plan))) {
                Ok(_) => assert!(allowed, "{status:?} {action:?}"),
                Err(refusal) => {
                    assert!(!allowed, "{status:?} {action:?}");
                    assert_eq!(refusal.code, RefusalCode::WithdrawalPlanState);
                }
            }
        }
    }
}

#[test]
fn an_ended_plan_makes_room_for_another() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    let plan = kit.plan(account);
    kit.given(Command::WithdrawalPlan(WithdrawalPlanCommand::End(plan)));
    kit.restore();
    let second = kit.plan(account);
    assert_eq!((plan, second), (WithdrawalPlanId(1), WithdrawalPlanId(2)));
    let unknown = WithdrawalPlanCommand::End(WithdrawalPlanId(3));
    kit.refused(Command::WithdrawalPlan(unknown), RefusalCode::WithdrawalPlanUnknown);
}
