//! What left memory, for readers: whatever a view asks for and that is away is read from the store, once that is where it left,
//! and the view is made again as if it had never left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::State;
use domain::recall::{Row, RowId};
use store::recall::Told;
use store::{Database, StoreError};

use super::{Platform, Unavailable};

/// How often a store that is behind is asked again, and how many times: about five seconds.
const LOOK_AGAIN: (Duration, u32) = (Duration::from_millis(5), 1_000);
/// How often a view may ask for more: for an order, then its legs, then the attempts of those.
const ROUNDS: u32 = 20;

/// Why rows that left memory were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// One is not what was written, or not there.
    Corrupt,
    /// Whatever else; the same may succeed later.
    Other(Unavailable),
}

impl From<Unread> for Unavailable {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Corrupt => Self::Damaged,
            Unread::Other(other) => other,
        }
    }
}

/// A view of the state and its position, made of rows in memory and of such as left it.
pub(crate) async fn see<T: Send + 'static>(
    platform: &Platform,
    store: &Arc<Database>,
    look: impl FnMut(&State) -> T + Send + 'static,
) -> Result<(T, u64), Unavailable> {
    seen(platform, store, None, look).await
}

/// The same without the rows that are damaged, which join `damaged`: the view does not find those, and says what it can of the others. For
/// whoever watches everything, so that one row silences no alarm.
pub(crate) async fn see_around<T: Send + 'static>(
    platform: &Platform,
    store: &Arc<Database>,
    damaged: &mut BTreeSet<RowId>,
    look: impl FnMut(&State) -> T + Send + 'static,
) -> Result<(T, u64), Unavailable> {
    seen(platform, store, Some(damaged), look).await
}

async fn seen<T: Send + 'static>(
    platform: &Platform,
    store: &Arc<Database>,
    mut damaged: Option<&mut BTreeSet<RowId>>,
    mut look: impl FnMut(&State) -> T + Send + 'static,
) -> Result<(T, u64), Unavailable> {
    let (mut asked, mut told) = (BTreeSet::new(), (0, Vec::new()));
    for _ in 0..ROUNDS {
        let (as_of, rows) = told;
        let step = move |state: &State| {
            state.forget_missed();
            let seen = look(state);
            (look, seen, state.missed(), state.checkpointed)
        };
        let ((back, seen, missed, least), position) = platform.read_with(as_of, rows, step).await?;
        let given_up = |row: &RowId| damaged.as_deref().is_some_and(|damaged| damaged.contains(row));
        let missed: Vec<RowId> = missed.into_iter().filter(|row| !given_up(row)).collect();
        if missed.is_empty() {
            return Ok((seen, position));
        }
        look = back;
        asked.extend(missed);
        told = match damaged.as_deref_mut() {
            None => recalled(store, asked.iter().copied().collect(), least).await?,
            Some(damaged) => readable(store, &mut asked, damaged, least).await?,
        };
    }
    Err(Unavailable::Elsewhere)
}

/// What can be read of these rows; what cannot is damaged, and asked for no more.
async fn readable(
    store: &Arc<Database>,
    asked: &mut BTreeSet<RowId>,
    damaged: &mut BTreeSet<RowId>,
    least: u64,
) -> Result<(u64, Vec<Row>), Unread> {
    match recalled(store, asked.iter().copied().collect(), least).await {
        Err(Unread::Corrupt) => {}
        told => return told,
    }
    for row in asked.clone() {
        if recalled(store, vec![row], least).await == Err(Unread::Corrupt) {
            tracing::error!(table = row.kind.name(), id = row.id, "a row that left memory is damaged and left out");
            damaged.insert(row);
            asked.remove(&row);
        }
    }
    recalled(store, asked.iter().copied().collect(), least).await
}

/// Rows that are away, of a state whose rows left at `least` or before, and where the store was.
async fn recalled(store: &Arc<Database>, rows: Vec<RowId>, least: u64) -> Result<(u64, Vec<Row>), Unread> {
    for _ in 0..LOOK_AGAIN.1 {
        let (store, rows) = (store.clone(), rows.clone());
        let look_up = move || store::recall::look_up(&store, "", &[], &rows, least);
        match tokio::task::spawn_blocking(look_up).await {
            Ok(Ok(Some(Told { position, keys: _, rows }))) => return Ok((position, rows)),
            Ok(Ok(None)) => tokio::time::sleep(LOOK_AGAIN.0).await,
            Ok(Err(error @ StoreError::Corrupt { .. })) => {
                failed(&error);
                return Err(Unread::Corrupt);
            }
            Ok(Err(error)) => return Err(Unread::Other(failed(&error))),
            Err(error) => return Err(Unread::Other(failed(&error))),
        }
    }
    Err(Unread::Other(Unavailable::Elsewhere))
}

fn failed(error: &dyn std::error::Error) -> Unavailable {
    tracing::error!(%error, "what left memory could not be read");
    Unavailable::Damaged
}

#[cfg(test)]
mod tests {
    use domain::ids::{LegId, OrderId};

    use super::*;

    #[tokio::test]
    async fn a_damaged_row_is_left_out_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Database::sqlite(&directory.path().join("store.sqlite")).unwrap());
        // Nothing was ever written there, so a row that should be away is not what was written.
        let (order, leg) = (RowId::from(OrderId(7)), RowId::from(LegId(9)));
        assert_eq!(recalled(&store, vec![order, leg], 0).await, Err(Unread::Corrupt));
        assert_eq!(Unavailable::from(Unread::Corrupt), Unavailable::Damaged);
        let (mut asked, mut damaged) = (BTreeSet::from([order, leg]), BTreeSet::new());
        assert_eq!(readable(&store, &mut asked, &mut damaged, 0).await, Ok((0, Vec::new())));
        assert_eq!((asked.len(), damaged), (0, BTreeSet::from([order, leg])));
    }
}
