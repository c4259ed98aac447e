//! The digest of a state: equal for equal states, whatever they were made by.

use ark::Sm3;
use domain::State;

/// SM3 over the state: its core, every row of every table as the store writes it, and what of accounts is no row: balance,
/// number of entries, and the turnovers of the days that are not closed.
#[must_use]
pub fn of(state: &State) -> [u8; 32] {
    let core = minicbor::to_vec(state.core()).expect("writing CBOR to memory does not fail");
    let mut hash = item(Sm3::new(), "core", 1, &core);
    store::audit::rows(state, &mut |table, id, bytes| hash = item(std::mem::take(&mut hash), table, id, bytes));
    let days: Vec<_> = state.days.open_days().collect();
    for (_, account) in state.accounts.iter() {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(account.balance.to_be_bytes());
        bytes.extend(account.entries.to_be_bytes());
        for turnover in days.iter().filter_map(|date| state.days.turnover(account.id, *date)) {
            bytes.extend(turnover.debit.to_be_bytes());
            bytes.extend(turnover.credit.to_be_bytes());
        }
        hash = item(hash, "balance", account.id.0.cast_signed(), &bytes);
    }
    hash.finish()
}

/// Each item says how long it is, so that no two lists of items give the same bytes.
fn item(hash: Sm3, kind: &str, id: i64, bytes: &[u8]) -> Sm3 {
    let length = |bytes: &[u8]| (bytes.len() as u64).to_be_bytes();
    hash.update(&length(kind.as_bytes()))
        .update(kind.as_bytes())
        .update(&id.to_be_bytes())
        .update(&length(bytes))
        .update(bytes)
}
