//! The laws of the books, asked of the state after every step.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};

use domain::State;
use domain::account::AccountStatus;
use domain::book::{Book, Side, Subject};
use domain::calendar::Date;
use domain::checks;
use domain::ids::AccountId;
use domain::money::Currency;
use domain::payout::PayoutStatus;
use domain::tree::{self, Figures};
use domain::trial_balance::TrialBalance;

use crate::model::Model;

/// Hashes what is written to it.
struct Digest(DefaultHasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A digest of all that the state holds. Lists of what changed lately must have been taken before.
pub(crate) fn digest(state: &State) -> u64 {
    let mut digest = Digest(DefaultHasher::new());
    write!(digest, "{state:?}").expect("a digest takes everything");
    digest.0.finish()
}

/// Holds every law that needs the state alone.
pub(crate) fn assert_sound(state: &State) {
    assert_balanced(state);
    for day in state.days.open_days() {
        let trial = TrialBalance::of(state, day).expect("the day is open");
        for book in Book::ALL {
            for currency in Currency::ALL {
                let (debits, credits) = trial.totals(book, currency);
                assert_eq!(debits, credits, "trial balance of {day} in {} {}", book.name(), currency.code());
            }
        }
        for check in checks::run(state, day) {
            assert!(check.holds, "{} of {day}: {}", check.name, check.detail);
        }
    }
    for (_, account) in state.accounts.iter().filter(|(_, account)| !account.overdraft) {
        assert!(account.available() >= 0, "{} has {} available", account.id, account.available());
        assert!(account.balance >= 0, "{} stands at {}", account.id, account.balance);
    }
    let open = state.payouts.iter().map(|(_, payout)| payout);
    let on_their_way = open.filter(|payout| matches!(payout.status, PayoutStatus::Sent | PayoutStatus::Unknown));
    let transit = state.institution(Subject::PayoutTransit, Currency::Cny).expect("genesis opened it");
    let transit = state.account(transit, "account").expect("it is there").balance;
    assert_eq!(transit, on_their_way.map(|payout| payout.total()).sum::<i64>(), "2212 is what is on its way");
}

/// Σ debits = Σ credits per book and currency, over all accounts.
fn assert_balanced(state: &State) {
    let mut sums: BTreeMap<(Book, Currency), i128> = BTreeMap::new();
    for (_, account) in state.accounts.iter() {
        let balance = i128::from(account.balance);
        *sums.entry((account.subject.book(), account.currency)).or_default() += match account.subject.side() {
            Side::Debit => balance,
            Side::Credit => -balance,
        };
    }
    assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
}

/// The state shows what the model shows.
pub(crate) fn assert_agree(state: &State, model: &Model) {
    assert_eq!(state.days.current(), Some(model.today));
    assert_eq!(state.accounts.iter().count(), model.accounts.len());
    for (id, line) in &model.accounts {
        let account = state.account(*id, "account").expect("the model knows it");
        let shown = (
            i128::from(account.balance),
            i128::from(account.held_out),
            i128::from(account.rare.held_in),
            i128::from(account.rare.frozen),
            i128::from(state.available(account)),
            account.status == AccountStatus::Closed,
            account.restriction.in_barred,
            account.restriction.out_barred,
        );
        let (held, frozen, available) = (model.held(*id), model.frozen(*id), model.available(*id));
        let held_in = model.held_in(*id);
        let expected = (line.balance, held, held_in, frozen, available, line.closed, line.in_barred, line.out_barred);
        assert_eq!(shown, expected, "{id} ({}): state, then model", line.subject.code());
        assert_days_agree(state, model, *id);
        assert_roll_ups_agree(state, model, *id);
    }
}

fn assert_days_agree(state: &State, model: &Model, id: AccountId) {
    let account = state.account(id, "account").expect("the model knows it");
    for day in state.days.open_days() {
        let turnover = state.days.turnover(id, day).expect("the day is open");
        let shown = (i128::from(turnover.debit), i128::from(turnover.credit));
        assert_eq!(shown, model.turnover.get(&(day, id)).copied().unwrap_or_default(), "{id} on {day}");
        let end = match model.ends.get(&day) {
            // An account opened after the cut stood at zero.
            Some(balances) => balances.get(&id).copied().unwrap_or_default(),
            None => model.accounts.get(&id).expect("the model knows it").balance,
        };
        assert_eq!(state.days.closing(account, day).map(i128::from), Some(end), "{id} at the end of {day}");
    }
}

/// What an account and all below it hold, now and at the end of each day that is not closed.
fn assert_roll_ups_agree(state: &State, model: &Model, id: AccountId) {
    let balance = |id: AccountId| model.accounts.get(&id).map(|line| line.balance);
    let figures = |id: AccountId| {
        let account = state.account(id, "account").ok()?;
        Some(((account.subject, account.currency), Figures::now(state, account)))
    };
    let expected = model.rolled_up(id, None, &balance);
    assert_eq!(rolled_up(state, id, None, &figures), expected, "{id} and below it");
    for day in state.days.open_days() {
        let end = |id: AccountId| match model.ends.get(&day) {
            // An account opened after the cut stood at zero.
            Some(balances) => Some(balances.get(&id).copied().unwrap_or_default()),
            None => balance(id),
        };
        let expected = model.rolled_up(id, Some(day), &end);
        let shown = rolled_up(state, id, Some(day), &|id| tree::own_at_end(state, id, day));
        assert_eq!(shown, expected, "{id} and below it at the end of {day}");
    }
}

/// The balances of a roll-up by subject and currency.
fn rolled_up(
    state: &State,
    id: AccountId,
    date: Option<Date>,
    own: &dyn Fn(AccountId) -> Option<((Subject, Currency), Figures)>,
) -> BTreeMap<(Subject, Currency), i128> {
    let sums = tree::roll_up(&tree::walk(state, id, date), own);
    sums.into_iter().next().unwrap_or_default().into_iter().map(|(key, figures)| (key, figures.balance)).collect()
}
