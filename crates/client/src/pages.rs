//! Lists, page by page: each row once, in the order of the list, from a cursor that may be kept.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::Error;

/// Rows a page.
const PAGE: usize = 200;

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

/// The rows of a list. A page is asked for when its first row is wanted.
#[derive(Debug)]
pub struct Pages<T> {
    client: Client,
    target: String,
    rows: VecDeque<T>,
    cursor: Option<String>,
    ended: bool,
}

impl<T: DeserializeOwned> Pages<T> {
    pub(crate) fn new(client: Client, target: &str) -> Self {
        Self { client, target: target.to_owned(), rows: VecDeque::new(), cursor: None, ended: false }
    }

    /// From where an earlier walk stood.
    #[must_use]
    pub fn after(mut self, cursor: &str) -> Self {
        self.cursor = Some(cursor.to_owned());
        self
    }

    /// What [`Pages::after`] takes to go on behind the page that was read last.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The next row; nothing at the end.
    ///
    /// # Errors
    /// [`Error`]; asked again, it goes on where it stood.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        while self.rows.is_empty() && !self.ended {
            let join = if self.target.contains('?') { '&' } else { '?' };
            let after = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page: Page<T> = self.client.get(&format!("{}{join}limit={PAGE}{after}", self.target)).await?;
            self.rows = page.data.into();
            self.ended = page.next_cursor.is_none();
            self.cursor = page.next_cursor.or_else(|| self.cursor.take());
        }
        Ok(self.rows.pop_front())
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        while let Some(row) = self.next().await? {
            rows.push(row);
        }
        Ok(rows)
    }
}
