//! What left memory, for readers: whatever a view asks for and that is away is read from the store, once that is where it left,
//! and the view is made again as if it had never left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::State;
use domain::recall::{Row, RowId};
use store::Database;
use store::recall::Told;

use super::{Platform, Unavailable};

/// How often a store that is behind is asked again, and how many times: about five seconds.
const LOOK_AGAIN: (Duration, u32) = (Duration::from_millis(5), 1_000);
/// How often a view may ask for more: for an order, then its legs, then the attempts of those.
const ROUNDS: u32 = 20;

/// A view of the state and its position, made of rows in memory and of such as left it.
pub(crate) async fn see<T: Send + 'static>(
    platform: &Platform,
    store: &Arc<Database>,
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
        if missed.is_empty() {
            return Ok((seen, position));
        }
        look = back;
        asked.extend(missed);
        told = recalled(store, asked.iter().copied().collect(), least).await?;
    }
    Err(Unavailable::Elsewhere)
}

/// Rows that are away, of a state whose rows left at `least` or before, and where the store was.
async fn recalled(store: &Arc<Database>, rows: Vec<RowId>, least: u64) -> Result<(u64, Vec<Row>), Unavailable> {
    for _ in 0..LOOK_AGAIN.1 {
        let (store, rows) = (store.clone(), rows.clone());
        let look_up = move || store::recall::look_up(&store, "", &[], &rows, least);
        let found = tokio::task::spawn_blocking(look_up).await.map_err(|error| failed(&error))?;
        if let Some(Told { position, keys: _, rows }) = found.map_err(|error| failed(&error))? {
            return Ok((position, rows));
        }
        tokio::time::sleep(LOOK_AGAIN.0).await;
    }
    Err(Unavailable::Elsewhere)
}

fn failed(error: &dyn std::error::Error) -> Unavailable {
    tracing::error!(%error, "what left memory could not be read");
    Unavailable::Damaged
}
