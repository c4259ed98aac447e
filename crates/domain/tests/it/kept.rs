//! What a store and history would hold of a walk: merged rows, and sums of the posted entries.

use std::collections::BTreeMap;

use domain::State;
use domain::book::Side;
use domain::business_day::Turnover;
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::restore::{Core, RestoredAccount};
use domain::state::Changes;

/// The rows and the sums so far.
#[derive(Default)]
pub(crate) struct Kept {
    rows: Changes,
    turnovers: BTreeMap<(Date, AccountId), Turnover>,
    entries: BTreeMap<AccountId, u64>,
}

impl Kept {
    /// Takes what changed lately; the entries are only looked at.
    pub(crate) fn take(&mut self, state: &mut State) {
        self.rows.extend(state.take_changes());
        self.rows.keep_last();
        for entry in &state.posted {
            let turnover = self.turnovers.entry((entry.date, entry.account)).or_default();
            match entry.side {
                Side::Debit => turnover.debit += entry.amount,
                Side::Credit => turnover.credit += entry.amount,
            }
            self.entries.insert(entry.account, entry.number);
        }
    }

    /// The state again. Of `live` only subjects of accounts, open days and the core are looked at; the core goes through
    /// CBOR.
    pub(crate) fn restore(&self, live: &State) -> State {
        let core = minicbor::to_vec(live.core()).expect("a core encodes");
        let core: Core = minicbor::decode(&core).expect("a core decodes");
        let balance = |(&account, &entries): (&AccountId, &u64)| {
            let debits = self.turnovers.iter().filter(|((_, of), _)| *of == account);
            let debits: i64 = debits.map(|(_, turnover)| turnover.debit - turnover.credit).sum();
            let row = live.account(account, "account").expect("it has entries");
            let balance = if row.grows_on(Side::Debit) { debits } else { -debits };
            RestoredAccount { account, balance, entries }
        };
        let open: Vec<Date> = live.days.open_days().collect();
        let turnovers = self.turnovers.iter().map(|((date, account), turnover)| (*date, *account, *turnover));
        let turnovers = turnovers.filter(|(date, _, _)| open.contains(date));
        State::restore(core, self.rows.clone(), &[], self.entries.iter().map(balance), turnovers)
            .expect("it fits together")
    }
}
