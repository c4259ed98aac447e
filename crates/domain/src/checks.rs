//! The checks at close (总分核对) that the state alone can answer. `node` adds those that history answers.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::book::{Book, Subject};
use crate::business_day::CheckResult;
use crate::calendar::Date;
use crate::hold::HoldStatus;
use crate::money::Currency;
use crate::state::State;
use crate::trial_balance::TrialBalance;

/// Runs the checks of a day that is not closed; empty for others.
#[must_use]
pub fn run(state: &State, date: Date) -> Vec<CheckResult> {
    let Some(trial) = TrialBalance::of(state, date) else {
        return Vec::new();
    };
    let mut results = Vec::new();
    results.push(balanced(&trial));
    results.push(subjects_equal_accounts(state, &trial));
    results.push(mirrored(&trial, Subject::DueToOwn, Subject::DueFromReserve));
    results.push(mirrored(&trial, Subject::OwnClaims, Subject::Advances));
    results.push(never_overdrawn(state, date));
    results.push(holds(state));
    results.push(covered(&trial));
    results
}

fn result(name: &str, breaks: &[String], held: String) -> CheckResult {
    let detail = if breaks.is_empty() { held } else { breaks.join("; ") };
    CheckResult { name: name.to_string(), holds: breaks.is_empty(), detail, vouchers: Vec::new() }
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
    result(&name, &breaks, trial.closing(reserve, Currency::Cny).to_string())
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
    let mut sums: BTreeMap<u64, i64> = BTreeMap::new();
    let mut open = 0_usize;
    for (_, hold) in state.holds.iter().filter(|(_, hold)| hold.status == HoldStatus::Open) {
        open += 1;
        let sum = sums.entry(hold.account.0).or_default();
        *sum = sum.saturating_add(hold.held());
        if hold.expires_at <= state.now {
            breaks.push(format!("{} is past its expiry", hold.id));
        }
    }
    for (id, account) in state.accounts.iter() {
        let held = sums.get(&id).copied().unwrap_or_default();
        if account.held_out != held {
            breaks.push(format!("{} holds {}, its holds {held}", account.id, account.held_out));
        }
    }
    result("holds", &breaks, format!("{open} open holds, none past its expiry"))
}

fn covered(trial: &TrialBalance) -> CheckResult {
    let mut breaks = Vec::new();
    for currency in Currency::ALL {
        let cover = trial.cover(currency);
        if !cover.holds() {
            breaks.push(format!("{}: {cover:?}", currency.code()));
        }
    }
    let cover = trial.cover(Currency::Cny);
    let held = format!(
        "customers are owed {}, covered by {} at the central bank and {} in clearing, of which {} is the institution's",
        cover.liabilities, cover.central_bank, cover.in_clearing, cover.due_to_own
    );
    result("cover", &breaks, held)
}
