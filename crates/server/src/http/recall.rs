//! What left memory, for readers: its row is read from the store, once that is where the row left.

use std::time::Duration;

use domain::recall::{Row, RowId};
use store::StoreError;

use super::App;
use super::error::ApiError;

/// How often a store that is behind is asked again, and how many times: about five seconds.
const LOOK_AGAIN: (Duration, u32) = (Duration::from_millis(5), 1_000);

impl App {
    /// A row that is away, of a state whose rows left at `least` or before.
    pub(crate) async fn recalled(&self, row: RowId, least: u64) -> Result<Row, ApiError> {
        let failed = |error: StoreError| ApiError::internal("reading what left memory", &error);
        for _ in 0..LOOK_AGAIN.1 {
            let store = self.books.store.clone();
            let found = self.blocking(move || store::recall::find(&store, row, least).map_err(failed)).await?;
            if let Some(row) = found {
                return Ok(row);
            }
            tokio::time::sleep(LOOK_AGAIN.0).await;
        }
        let message = format!("tables do not show position {least} yet, from which this is read; try again shortly");
        Err(ApiError::new("unavailable", None, message))
    }
}
