//! What an account's entries come to, counted twice: from the replayed journal and from history's files.

use domain::State;
use domain::account::Account;
use domain::book::Side;
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::voucher::PostedEntry;
use history::{History, HistoryError, Movement};
use store::{SegmentKind, SegmentRow};

use super::{Damage, Part};
use crate::balances::at;

/// The entries of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    entries: u64,
    /// The highest number, and the balance after that entry.
    last: u64,
    balance: i64,
    /// Debits less credits.
    debits: i128,
    /// A sum over all of them, so that in whatever order they come one that differs is seen.
    digest: u64,
}

/// Those of every account.
#[derive(Debug, Default)]
pub(super) struct Tallies(Vec<Tally>);

impl Tallies {
    /// Takes what a batch posted.
    pub(super) fn take(&mut self, posted: &[PostedEntry]) {
        posted.iter().for_each(|entry| self.add(&Movement::from(entry), entry.date));
    }

    /// Takes the files of entries.
    pub(super) fn of_files(history: &History, files: &[SegmentRow]) -> Result<Self, HistoryError> {
        let mut tallies = Self::default();
        for row in files.iter().filter(|row| row.kind == SegmentKind::Entries) {
            for movement in history.movements(row)? {
                tallies.add(&movement?, row.date);
            }
        }
        Ok(tallies)
    }

    fn add(&mut self, movement: &Movement, date: Date) {
        let Movement { account, number, voucher, side, amount, balance } = *movement;
        let tally = at(&mut self.0, account);
        tally.entries += 1;
        if number >= tally.last {
            (tally.last, tally.balance) = (number, balance);
        }
        let change = i128::from(amount);
        tally.debits += if side == Side::Debit { change } else { -change };
        let parts = [number, voucher.0, date.0.cast_unsigned().into(), u64::from(side == Side::Debit)];
        let amounts = [amount.cast_unsigned(), balance.cast_unsigned()];
        let mixed = parts.into_iter().chain(amounts).fold(account.0, |mixed, part| mix(mixed ^ part));
        tally.digest = tally.digest.wrapping_add(mixed);
    }

    fn get(&self, account: AccountId) -> Tally {
        usize::try_from(account.0).ok().and_then(|slot| self.0.get(slot)).copied().unwrap_or_default()
    }

    /// Compares what the journal posted, and the state it led to, with what the files hold.
    pub(super) fn compare(&self, files: &Self, state: &State) -> Vec<Damage> {
        let mut damages = Vec::new();
        for slot in 0..self.0.len().max(files.0.len()) {
            let account = AccountId(slot as u64);
            let (own, found) = (self.get(account), files.get(account));
            let known = state.accounts.get(account.0);
            if let Some(what) = own.differs(&found, known) {
                damages.push(Damage { id: Some(account.to_string()), ..Damage::new(Part::Account, "history", what) });
            }
        }
        damages
    }
}

impl Tally {
    fn differs(&self, found: &Self, account: Option<&Account>) -> Option<String> {
        let shown = |tally: &Self| {
            let Self { entries, last, balance, .. } = tally;
            format!("{entries} entries, the last number {last} with a balance of {balance} minor units")
        };
        if (self.entries, self.last, self.balance) != (found.entries, found.last, found.balance) {
            return Some(format!("history has {}; the journal gives {}", shown(found), shown(self)));
        }
        if self != found {
            return Some(
                "an entry in history has another voucher, date, side or amount than in the journal".to_owned(),
            );
        }
        let account = account?;
        let debits = match account.subject.side() {
            Side::Debit => found.debits,
            Side::Credit => -found.debits,
        };
        if (found.entries, debits) == (account.entries, i128::from(account.balance)) {
            return None;
        }
        let Account { entries, balance, .. } = account;
        Some(format!(
            "history's entries come to {debits} in {} entries; the state has {balance} in {entries}",
            found.entries
        ))
    }
}

/// SplitMix64's last step: every bit of the input changes half of the output's.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
