//! Keys that left memory: their filters are built from the store, kept in it, and come back at the start; single keys are
//! looked up in it, and so are rows that left memory.
//!
//! ```text
//!  engine ─ a span is due ─► build ─ the checkpoint is behind it ─► from the store's keys ─► keep ─► engine installs it
//!                              └ not yet, or asked to stop ─► later
//!  engine ─ a parked request ─► look_up ─► engine resumes it
//!  start  ─► load: the filters that were kept, and the keys behind the last of them
//! ```
//! A filter is never built from what memory holds: what may leave memory is what the store proves to have.

use engine::keys::filter::hash;
use engine::{FilterError, KeyFilter, Keys, LookedUp, Parked, Span};
use store::recall::Told;
use store::{Database, FilterRow, KeyRow, StoreError};

use crate::projector::key_binding;

/// Keys that a filter must know before it is relied on: it may be of a version that hashes otherwise.
const TRIED: u32 = 64;

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The tables.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys themselves.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// It is not needed any more.
    #[error("building a filter of keys was stopped")]
    Stopped,
}

/// What the store says of a parked request's keys, and of the rows that it asks for; `None` if the store is behind what left
/// memory, as after a crash that cost it its last commits: ask again.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] for a key or a row that is damaged.
pub fn look_up(store: &Database, parked: &Parked) -> Result<Option<LookedUp>, StoreError> {
    let told = store::recall::look_up(store, parked.scope(), parked.keys(), parked.rows(), parked.least())?;
    let Some(Told { position, keys, rows }) = told else { return Ok(None) };
    let bound = keys.into_iter().map(key_binding).collect::<Result<_, _>>()?;
    Ok(Some(LookedUp { through: position, bound, rows }))
}

/// Builds the filter of a span and keeps it; `None` if the store's checkpoint does not reach its end yet. `goes_on` is
/// asked now and then whether it is still wanted.
///
/// # Errors
/// [`KeysError`]; the keys then stay where they are.
pub fn build(store: &Database, span: Span, goes_on: impl Fn() -> bool) -> Result<Option<KeyFilter>, KeysError> {
    let checkpoint = store::checkpoint::latest(store)?.map_or(0, |checkpoint| checkpoint.position);
    if checkpoint < span.through {
        return Ok(None);
    }
    let mut hashes = Vec::new();
    store::key::each(store, span.after, span.through, |row| {
        hashes.push(hash(&row.scope, &row.key));
        if goes_on() { Ok(()) } else { Err(KeysError::Stopped) }
    })?;
    let filter = KeyFilter::build(span, hashes)?;
    let Span { after, through } = span;
    let row = FilterRow { after, through, keys: filter.keys(), filter: filter.to_bytes() };
    store::key_filter::replace(store, &row)?;
    Ok(Some(filter))
}

/// The keys at the store's checkpoint, which is at `position`, `run` of them in a run. Filters that are missing are built
/// on the way, so that memory never holds all keys. Beside them the end of the span of a filter that was there and is not to be
/// relied on, if there was one: it is damaged, or of a version that hashes otherwise.
///
/// # Errors
/// The store's; and as for [`build`].
pub fn load(store: &Database, position: u64, run: usize) -> Result<(Keys, Option<u64>), KeysError> {
    let mut filters = Vec::new();
    let (sound, mut refused) = store::key_filter::sound(store)?;
    for row in sound {
        // It and those behind it are built again.
        match proved(store, &row)? {
            Some(filter) if row.through <= position => filters.push(filter),
            Some(_) => break,
            None => {
                refused = Some(row.through);
                break;
            }
        }
    }
    let mut keys = Keys::behind(filters);
    keys.set_run_keys(run);
    let mut merges = Vec::new();
    store::key::each(store, keys.filtered_through(), position, |row| {
        keys.bind(key_binding(row)?);
        while let Some(span) = keys.take_due() {
            // A start waits for what keeps memory small, and for nothing else.
            if span.after < keys.filtered_through() {
                merges.push(span);
            } else if let Some(filter) = build(store, span, || true)? {
                drop(keys.install(filter));
            }
        }
        Ok::<(), KeysError>(())
    })?;
    merges.into_iter().for_each(|span| keys.put_back(span));
    Ok((keys, refused))
}

/// The filter, if it knows the first keys of its span.
fn proved(store: &Database, row: &FilterRow) -> Result<Option<KeyFilter>, StoreError> {
    let span = Span { after: row.after, through: row.through };
    let Ok(filter) = KeyFilter::from_bytes(span, row.keys, &row.filter) else { return Ok(None) };
    let first = store::key::first(store, row.after, row.through, TRIED)?;
    let knows = |key: &KeyRow| filter.may_contain(hash(&key.scope, &key.key));
    let proved = !first.is_empty() && first.iter().all(knows);
    Ok(proved.then_some(filter))
}
