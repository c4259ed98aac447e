//! Lists: pages from the store, in the order of the ids, with the position they show. What a view says of balances and
//! allowed actions comes from the engine.

use std::time::Duration;

use domain::State;
use serde::Serialize;
use store::{Cursor, Database, Filter, Page, StoreError};
use utoipa::ToSchema;

use super::App;
use super::error::ApiError;
use super::wire::parse_some;

/// The rows of a page unless the caller says how many.
const LIMIT: u32 = 50;
/// The most rows of a page.
const LIMIT_MAX: u32 = 500;
/// How often a list that does not show `min_position` yet is looked at again, and how many times: about five seconds.
const LOOK_AGAIN: (Duration, u32) = (Duration::from_millis(50), 100);

/// What a list's handler returns.
pub(crate) type ListAnswer<T> = Result<axum::Json<PageView<T>>, ApiError>;

/// Which page.
#[derive(Debug)]
pub(crate) struct PageQuery {
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
    pub(crate) min_position: Option<u64>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageView<T> {
    /// In the order of the ids.
    data: Vec<T>,
    /// Where the next page begins; null on the last one.
    #[schema(example = "000000000000002a")]
    next_cursor: Option<String>,
    /// The journal position that the list shows.
    #[schema(example = 1042)]
    position: u64,
}

/// Declares the query of a list: filters of its own, all texts, and which page.
macro_rules! list_query {
    ($(#[$doc:meta])* pub(crate) struct $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_doc])* $field: Option<String>,)*
            /// 1 to 500; 50 unless said.
            limit: Option<u32>,
            /// `next_cursor` of the page before.
            cursor: Option<String>,
            /// Wait until the list shows this journal position: the `Lintel-Position` of your own change.
            min_position: Option<u64>,
        }

        impl $name {
            fn page(&self) -> $crate::http::list::PageQuery {
                let (limit, cursor, min_position) = (self.limit, self.cursor.clone(), self.min_position);
                $crate::http::list::PageQuery { limit, cursor, min_position }
            }
        }
    };
}
pub(crate) use list_query;

impl PageQuery {
    fn limit(&self) -> Result<u32, ApiError> {
        match self.limit {
            None => Ok(LIMIT),
            Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
            Some(limit) => {
                Err(ApiError::malformed("limit", format!("{limit} rows are not a page; use 1 to {LIMIT_MAX}")))
            }
        }
    }

    fn cursor(&self) -> Result<Option<Cursor>, ApiError> {
        parse_some(self.cursor.as_deref(), "cursor").map_err(|_| {
            let message = "this is no cursor; pass next_cursor of the page before, unchanged";
            ApiError::new("cursor_malformed", Some("cursor"), message)
        })
    }
}

impl App {
    /// One page of what the filter takes.
    pub(crate) async fn list<F, T>(
        &self,
        filter: F,
        query: PageQuery,
        view: impl Fn(&State, &F::Of) -> T + Send + 'static,
    ) -> ListAnswer<T>
    where
        F: Filter + Clone + Send + 'static,
        F::Of: Send + 'static,
        T: Send + 'static,
    {
        let read = move |store: &Database, cursor, limit| store::list(store, &filter, cursor, limit);
        let Page { data: rows, next_cursor, position } = self.page(query, read).await?;
        let see = move |state: &State| rows.iter().map(|row| view(state, row)).collect();
        let (data, _) = self.see(see).await?;
        Ok(axum::Json(PageView { data, next_cursor: next_cursor.map(|cursor| cursor.to_string()), position }))
    }

    /// One page of what `read` finds in the store, once that shows the position asked for, each row as it is shown.
    pub(crate) async fn list_read<R, T>(
        &self,
        query: PageQuery,
        read: impl Fn(&Database, Option<Cursor>, u32) -> Result<Page<R>, StoreError> + Clone + Send + 'static,
        view: impl Fn(&R) -> T,
    ) -> ListAnswer<T>
    where
        R: Send + 'static,
    {
        let Page { data, next_cursor, position } = self.page(query, read).await?;
        let (data, next_cursor) = (data.iter().map(view).collect(), next_cursor.map(|cursor| cursor.to_string()));
        Ok(axum::Json(PageView { data, next_cursor, position }))
    }

    async fn page<R: Send + 'static>(
        &self,
        query: PageQuery,
        read: impl Fn(&Database, Option<Cursor>, u32) -> Result<Page<R>, StoreError> + Clone + Send + 'static,
    ) -> Result<Page<R>, ApiError> {
        let (limit, cursor) = (query.limit()?, query.cursor()?);
        let min_position = query.min_position.unwrap_or_default();
        let mut page = self.page_now(read.clone(), cursor, limit).await?;
        for _ in 0..LOOK_AGAIN.1 {
            if page.position >= min_position {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN.0).await;
            page = self.page_now(read.clone(), cursor, limit).await?;
        }
        if page.position < min_position {
            let position = page.position;
            let message = format!("lists show position {position}, not {min_position} yet; try again shortly");
            return Err(ApiError::new("unavailable", Some("min_position"), message));
        }
        Ok(page)
    }

    async fn page_now<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Database, Option<Cursor>, u32) -> Result<Page<R>, StoreError> + Send + 'static,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<R>, ApiError> {
        let store = self.books.store.clone();
        let failed = |error: StoreError| ApiError::internal("reading the list", &error);
        self.blocking(move || read(&store, cursor, limit).map_err(failed)).await
    }
}
