//! The checks at close (总分核对) that the state alone can answer. `node` adds those that history answers.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::book::{Book, Subject};
use crate::business_day::CheckResult;
use crate::calendar::Date;
use crate::freeze::{self, FreezeStatus};
use crate::hold::{HoldDirection, HoldStatus};
use crate::money::Currency;
use crate::state::State;
use crate::trial_balance::TrialBalance;
use crate::{suspense, tree};

/// Runs the checks of a day that is not closed; empty for others.
#[must_use]
pub fn run(state: &State, date: Date) -> Vec<CheckResult> {
    let Some(trial) = TrialBalance::of(state, date) else {
        return Vec::new();
    };
    vec![
        balanced(&trial),
        subjects_equal_accounts(state, &trial),
        mirrored(&trial, Subject::DueToOwn, Subject::DueFromReserve),
        mirrored(&trial, Subject::OwnClaims, Subject::Advances),
        never_overdrawn(state, date),
        holds(state),
        freezes(state),
        roll_ups(state, date),
        covered(&trial),
        equals_statement(state, date, &trial),
        listed(
            state,
            Subject::Advances,
            "open advances",
            state.advances.iter().map(|(_, it)| (it.currency, it.outstanding())),
        ),
        listed(state, Subject::Arrears, "arrears", state.arrears.iter().map(|(_, it)| (it.currency, it.left()))),
        suspense_items(state, &trial),
    ]
}

fn result(name: &str, breaks: &[String], held: String) -> CheckResult {
    let detail = if breaks.is_empty() { held } else { breaks.join("; ") };
    CheckResult { name: name.to_string(), holds: breaks.is_empty(), detail, vouchers: Vec::new(), waived: None }
}

fn balanced(trial: &TrialBalance) -> CheckResult {
    let mut breaks = Vec::new();
    let (mut turnover, mut pairs) = (0_i128, 0_usize);
    for book in Book::ALL {
        for currency in Currency::ALL {
            let (debits, credits) = trial.totals(book, currency);
            if debits != credits {
                breaks.push(format!("{} {}: debits {debits}, credits {credits}", book.name(), currency.code()));
            }
            pairs += usize::from(debits != 0);
        }
    }
    for line in &trial.lines {
        turnover += line.debit - line.credit;
    }
    if turnover != 0 {
        breaks.push(format!("the day's debits and credits differ by {turnover}"));
    }
    result("trial_balance", &breaks, format!("debits equal credits in {pairs} books and currencies"))
}

/// Each subject of the general ledger equals the sum of its accounts.
fn subjects_equal_accounts(state: &State, trial: &TrialBalance) -> CheckResult {
    let mut sums: BTreeMap<(Subject, Currency), i128> = BTreeMap::new();
    let mut accounts = 0_usize;
    for (_, account) in state.accounts.iter() {
        let closing = state.days.closing(account, trial.date).unwrap_or_default();
        *sums.entry((account.subject, account.currency)).or_default() += i128::from(closing);
        accounts += 1;
    }
    let breaks: Vec<String> = sums
        .iter()
        .filter(|((subject, currency), sum)| trial.closing(*subject, *currency) != **sum)
        .map(|((subject, currency), sum)| {
            format!(
                "{} {}: ledger {}, accounts {sum}",
                subject.code(),
                currency.code(),
                trial.closing(*subject, *currency)
            )
        })
        .collect();
    result("subjects_equal_accounts", &breaks, format!("{} subjects over {accounts} accounts", sums.len()))
}

fn mirrored(trial: &TrialBalance, reserve: Subject, own: Subject) -> CheckResult {
    let mut breaks = Vec::new();
    for currency in Currency::ALL {
        let (left, right) = (trial.closing(reserve, currency), trial.closing(own, currency));
        if left != right {
            breaks.push(format!("{} {left}, {} {right} in {}", reserve.code(), own.code(), currency.code()));
        }
    }
    let name = format!("{}_equals_{}", reserve.code(), own.code());
    result(&name, &breaks, each_currency(trial, |currency| trial.closing(reserve, currency).to_string()))
}

fn never_overdrawn(state: &State, date: Date) -> CheckResult {
    let mut breaks = Vec::new();
    for (_, account) in state.accounts.iter().filter(|(_, account)| !account.overdraft) {
        let closing = state.days.closing(account, date).unwrap_or_default();
        if closing < 0 || account.balance < 0 {
            breaks.push(format!("{} ({}) stands at {closing}", account.id, account.subject.code()));
        }
    }
    result("never_overdrawn", &breaks, String::from("no account that may not be overdrawn is"))
}

fn holds(state: &State) -> CheckResult {
    let mut breaks = Vec::new();
    let mut sums: BTreeMap<(u64, HoldDirection), i64> = BTreeMap::new();
    let mut open = 0_usize;
    for (_, hold) in state.holds.iter().filter(|(_, hold)| hold.status == HoldStatus::Open) {
        open += 1;
        let sum = sums.entry((hold.account.0, hold.direction)).or_default();
        *sum = sum.saturating_add(hold.held());
        if hold.expires_at <= state.now {
            breaks.push(format!("{} is past its expiry", hold.id));
        }
    }
    for (id, account) in state.accounts.iter() {
        let way = [(HoldDirection::Out, account.held_out), (HoldDirection::In, account.rare.held_in)];
        for (direction, kept) in way {
            let held = sums.get(&(id, direction)).copied().unwrap_or_default();
            if kept != held {
                breaks.push(format!("{} holds {kept} {}, its holds {held}", account.id, direction.name()));
            }
        }
    }
    result("holds", &breaks, format!("{open} open holds, none past its expiry"))
}

/// Freezes in force are those of the index, none is past its expiry, and accounts and customers count what lies on them.
fn freezes(state: &State) -> CheckResult {
    let mut breaks = Vec::new();
    let mut sums: BTreeMap<u64, i64> = BTreeMap::new();
    let in_force = || state.freezes.iter().map(|(_, freeze)| freeze).filter(|it| it.status == FreezeStatus::InForce);
    for freeze in in_force() {
        if let Some(account) = freeze.account {
            let sum = sums.entry(account.0).or_default();
            *sum = sum.saturating_add(freeze.frozen());
        }
        if freeze.expires_at.is_some_and(|at| at <= state.now) {
            breaks.push(format!("{} is past its expiry", freeze.id));
        }
        if state.freezes_in_force.get(&(freeze.scope(), freeze.id)).is_none() {
            breaks.push(format!("{} is in force and not among those in force", freeze.id));
        }
    }
    let count = in_force().count();
    if state.freezes_in_force.len() != count {
        breaks.push(format!("{count} freezes are in force, {} are counted", state.freezes_in_force.len()));
    }
    for (id, account) in state.accounts.iter() {
        let frozen = sums.get(&id).copied().unwrap_or_default();
        if account.rare.frozen != frozen {
            breaks.push(format!("{} is frozen for {}, its freezes for {frozen}", account.id, account.rare.frozen));
        }
        let bars = state.counted_bars(account);
        if account.rare.freezes != bars {
            breaks.push(format!("{} counts {:?}, its freezes bar {bars:?}", account.id, account.rare.freezes));
        }
    }
    if !freeze::customer_sums(in_force()).iter().eq(state.customer_frozen.iter()) {
        breaks.push(String::from("the freezes of a customer do not add up to what is counted"));
    }
    result("freezes", &breaks, format!("{count} freezes in force, none past its expiry"))
}

/// What parents show of their children is what the accounts hold.
fn roll_ups(state: &State, date: Date) -> CheckResult {
    let (breaks, held) = tree::roll_up::check(state, date);
    result("roll_ups", &breaks, held)
}

fn covered(trial: &TrialBalance) -> CheckResult {
    let mut breaks = Vec::new();
    for currency in Currency::ALL {
        let cover = trial.cover(currency);
        if !cover.holds() {
            breaks.push(format!("{}: {cover:?}", currency.code()));
        }
    }
    let held = each_currency(trial, |currency| {
        let cover = trial.cover(currency);
        format!(
            "customers are owed {}, covered by {} at the central bank and {} in clearing, of which {} is the institution's",
            cover.liabilities, cover.central_bank, cover.in_clearing, cover.due_to_own
        )
    });
    result("cover", &breaks, held)
}

/// 1101 is what the central bank's statement says, where a closing balance of the day was taken.
fn equals_statement(state: &State, date: Date, trial: &TrialBalance) -> CheckResult {
    let (mut breaks, mut compared) = (Vec::new(), Vec::new());
    for currency in Currency::ALL {
        let taken = state.statement_balances.get(&(date, currency)).and_then(|id| state.reserve_balances.get(id.0));
        let Some(taken) = taken else { continue };
        let booked = trial.closing(Subject::CentralBank, currency);
        if booked == i128::from(taken.balance) {
            compared.push(format!("{booked} {}", currency.code()));
        } else {
            breaks.push(format!("1101 {booked}, statement {} in {}", taken.balance, currency.code()));
        }
    }
    let held = if compared.is_empty() {
        format!("not compared: no closing balance of the central bank was taken for {date}")
    } else {
        compared.join(", ")
    };
    result("1101_equals_statement", &breaks, held)
}

/// A subject's account equals the sum of the objects behind it, in each currency, as they are now.
fn listed(state: &State, subject: Subject, what: &str, objects: impl Iterator<Item = (Currency, i64)>) -> CheckResult {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for (currency, amount) in objects {
        *sums.entry(currency).or_default() += i128::from(amount);
    }
    let mut breaks = Vec::new();
    for currency in Currency::ALL {
        let account = state.institution.get(&(subject, currency)).and_then(|id| state.accounts.get(id.0));
        let (balance, sum) = (
            account.map_or(0, |account| i128::from(account.balance)),
            sums.get(&currency).copied().unwrap_or_default(),
        );
        if balance != sum {
            breaks.push(format!("{} {balance}, {what} {sum} in {}", subject.code(), currency.code()));
        }
    }
    let name = format!("{}_equals_{}", subject.code(), what.replace(' ', "_"));
    result(&name, &breaks, sums.get(&Currency::Cny).copied().unwrap_or_default().to_string())
}

fn suspense_items(state: &State, trial: &TrialBalance) -> CheckResult {
    match suspense::compare(state, trial) {
        Ok(held) => result("suspense_items", &[], held),
        Err(breaks) => result("suspense_items", &breaks, String::new()),
    }
}

/// What is to be told of each currency with a line in the trial balance, in minor units; of yuan always.
fn each_currency(trial: &TrialBalance, tell: impl Fn(Currency) -> String) -> String {
    let used = |currency| trial.lines.iter().any(|line| line.currency == currency);
    let currencies = Currency::ALL.into_iter().filter(|currency| *currency == Currency::Cny || used(*currency));
    let told: Vec<String> = currencies.map(|currency| format!("{}: {}", currency.code(), tell(currency))).collect();
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Owner;
    use crate::book::Side::{self, Credit, Debit};
    use crate::draft::Draft;
    use crate::envelope::{Actor, Context, Origin};
    use crate::event::Event;
    use crate::freeze::{FreezeScope, PlaceFreeze};
    use crate::ids::{AccountId, FreezeId};
    use crate::index::Index;
    use crate::money::Minor;
    use crate::testkit::{Kit, court, date};
    use crate::voucher::{BusinessNumber, Entry, EventCode, Voucher};

    const DAY: &str = "2026-03-05";

    /// Books with 1,000 on one account and a hold of 100 on it.
    fn world() -> (Kit, AccountId) {
        let mut kit = Kit::new();
        let user = kit.user();
        let account = kit.account(Subject::Personal, Owner::User(user));
        kit.fund(account, 1_000);
        let expires_at = kit.now.plus_ms(1_000);
        let place = crate::hold::PlaceHold { account, amount: 100, currency: Currency::Cny, expires_at };
        kit.given(crate::Command::PlaceHold(place));
        (kit, account)
    }

    fn broken(state: &State) -> Vec<String> {
        run(state, date(DAY)).into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
    }

    /// Posts without asking whether it may be.
    fn force(kit: &mut Kit, entries: &[(Subject, Side, Minor)]) {
        let entry = |(subject, side, amount): &(Subject, Side, Minor)| Entry {
            account: kit.state.institution(*subject, Currency::Cny).unwrap(),
            side: *side,
            amount: *amount,
            currency: Currency::Cny,
        };
        let entries = entries.iter().map(entry).collect();
        let (business, event) = (BusinessNumber::Text("forced".into()), EventCode::Transfer);
        let context = Context { now: kit.now, actor: Actor::Timer, approval: None, origin: Origin::Timer, epoch: 1 };
        let mut draft = Draft::begin(&mut kit.state, &context, true);
        let voucher = Voucher { business, event, date: date(DAY), entries, dimensions: None, contra_of: None };
        draft.emit(Event::VoucherPosted(voucher));
        drop(draft.commit());
    }

    #[test]
    fn every_check_holds_in_sound_books_and_says_what_it_compared() {
        let (kit, _) = world();
        let results = run(&kit.state, date(DAY));
        let names: Vec<_> = results.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "trial_balance",
                "subjects_equal_accounts",
                "2291_equals_1291",
                "2292_equals_1151",
                "never_overdrawn",
                "holds",
                "freezes",
                "roll_ups",
                "cover",
                "1101_equals_statement",
                "1151_equals_open_advances",
                "1152_equals_arrears",
                "suspense_items"
            ]
        );
        assert!(results.iter().all(|check| check.holds && !check.detail.is_empty()), "{results:?}");
    }

    #[test]
    fn debits_without_credits_break_the_trial_balance_and_the_cover() {
        let (mut kit, _) = world();
        force(&mut kit, &[(Subject::ClearingEpcc, Debit, 5)]);
        assert_eq!(broken(&kit.state), ["trial_balance", "cover"]);
    }

    #[test]
    fn an_account_that_left_its_subject_is_found() {
        let (mut kit, account) = world();
        kit.state.account_row(account).balance += 1;
        assert_eq!(broken(&kit.state), ["subjects_equal_accounts"]);
        let check = run(&kit.state, date(DAY)).swap_remove(1);
        assert_eq!(check.detail, "2201 CNY: ledger 1000, accounts 1001");
    }

    #[test]
    fn what_reserve_owes_must_be_mirrored_in_own_books() {
        for (reserve, own, against, name, listed) in [
            (Subject::DueToOwn, Subject::DueFromReserve, Subject::FeeIncome, "2291_equals_1291", None),
            // An advance without an object behind it is a break of its own.
            (
                Subject::OwnClaims,
                Subject::Advances,
                Subject::Capital,
                "2292_equals_1151",
                Some("1151_equals_open_advances"),
            ),
        ] {
            let (mut kit, _) = world();
            force(&mut kit, &[(Subject::ClearingEpcc, Debit, 7), (reserve, Credit, 7)]);
            assert_eq!(broken(&kit.state), [name]);
            force(&mut kit, &[(own, Debit, 7), (against, Credit, 7)]);
            assert_eq!(broken(&kit.state), Vec::from_iter(listed));
        }
    }

    #[test]
    fn arrears_without_an_object_behind_them_are_found() {
        let (mut kit, _) = world();
        force(&mut kit, &[(Subject::Arrears, Debit, 7), (Subject::Capital, Credit, 7)]);
        assert_eq!(broken(&kit.state), ["1152_equals_arrears"]);
        let check = run(&kit.state, date(DAY)).into_iter().find(|check| check.name == "1152_equals_arrears").unwrap();
        assert_eq!(check.detail, "1152 7, arrears 0 in CNY");
    }

    #[test]
    fn an_account_below_zero_is_found() {
        let (mut kit, _) = world();
        force(&mut kit, &[(Subject::Suspense, Debit, 7), (Subject::ClearingEpcc, Credit, 7)]);
        assert_eq!(broken(&kit.state), ["never_overdrawn", "suspense_items"]);
    }

    #[test]
    fn holds_that_do_not_add_up_or_are_late_are_found() {
        let (mut kit, account) = world();
        kit.state.account_row(account).held_out += 1;
        assert_eq!(broken(&kit.state), ["holds"]);
        kit.state.account_row(account).held_out -= 1;
        assert_eq!(broken(&kit.state), [""; 0]);
        kit.state.now = kit.now.plus_ms(1_000);
        assert_eq!(broken(&kit.state), ["holds"]);
    }

    #[test]
    fn freezes_that_do_not_add_up_or_are_late_are_found() {
        let (mut kit, account) = world();
        let expires_at = Some(kit.now.plus_ms(10));
        let customer = kit.state.customer_of(kit.state.account(account, "account").unwrap().owner).unwrap();
        let of_customer = court(FreezeScope::Customer(customer), 5);
        for place in [PlaceFreeze { expires_at, ..court(account, 30) }, of_customer] {
            kit.given(crate::Command::PlaceFreeze(place));
        }
        assert_eq!(broken(&kit.state), [""; 0]);
        let sound = kit.state.clone();
        let unsound: [fn(&mut State, AccountId); 5] = [
            |state, account| state.account_row(account).rare.frozen = 29,
            |state, account| state.account_row(account).rare.freezes.ways_in = 1,
            |state, account| state.freezes_in_force.remove(&(FreezeScope::Account(account), FreezeId(1))),
            |state, _| state.freezes_in_force.insert((FreezeScope::Account(AccountId(1)), FreezeId(9)), ()),
            |state, _| state.customer_frozen = Index::default(),
        ];
        for unsound in unsound {
            kit.state = sound.clone();
            unsound(&mut kit.state, account);
            assert_eq!(broken(&kit.state), ["freezes"]);
        }
        kit.state = sound;
        kit.state.now = kit.now.plus_ms(10);
        assert_eq!(broken(&kit.state), ["freezes"]);
    }
}
