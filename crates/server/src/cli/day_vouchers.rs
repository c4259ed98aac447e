//! Days and their vouchers as a program of ours reads them back over the API: an import before it goes on, an export.

use anyhow::{Context, Result, bail};
use domain::calendar::Date;
use domain::money::Minor;
use serde::Deserialize;

use super::client::{Client, target};

/// Vouchers asked for at once.
const PAGE: &str = "10000";

/// The accounting days.
#[derive(Debug, Deserialize)]
pub(crate) struct Days {
    /// The day that takes the postings.
    pub(crate) current: Option<String>,
    /// Oldest first.
    pub(crate) data: Vec<Day>,
}

/// An accounting day.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Day {
    /// Its date.
    pub(crate) date: String,
    /// `open`, `cutting` or `closed`.
    pub(crate) status: String,
    /// The position behind which no voucher bears its date.
    pub(crate) sealed: Option<u64>,
}

impl Day {
    /// Its date.
    ///
    /// # Errors
    /// A text that is none.
    pub(crate) fn date(&self) -> Result<Date> {
        self.date.parse().context("a day of the books")
    }
}

/// A page of a day's vouchers.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    /// `open`, `cutting` or `closed`.
    pub(crate) status: String,
    /// What it shows.
    pub(crate) journal: JournalPlace,
    /// By id.
    pub(crate) data: Vec<Voucher>,
    next_cursor: Option<String>,
}

/// A place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(crate) struct JournalPlace {
    /// The last event's position.
    pub(crate) position: u64,
    /// The chain's hash there.
    pub(crate) hash: String,
}

/// A voucher.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Voucher {
    pub(crate) id: String,
    pub(crate) date: String,
    pub(crate) posted_at: String,
    pub(crate) event: String,
    pub(crate) business: String,
    pub(crate) dimensions: Option<Dimensions>,
    pub(crate) entries: Vec<Entry>,
}

/// What a voucher is counted under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Dimensions {
    pub(crate) legal_entity: Option<u16>,
    pub(crate) product: Option<String>,
    pub(crate) region: Option<u32>,
    pub(crate) channel: Option<String>,
    pub(crate) merchant: Option<String>,
    pub(crate) clearing_date: Option<String>,
}

/// An entry of a voucher.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    pub(crate) account: String,
    pub(crate) subject: u16,
    pub(crate) book: String,
    pub(crate) owner: String,
    pub(crate) currency: String,
    pub(crate) side: String,
    pub(crate) amount: Minor,
    pub(crate) number: u64,
    pub(crate) balance: Minor,
}

/// The accounting days of the books.
///
/// # Errors
/// As [`Client::get`].
pub(crate) fn days(client: &Client) -> Result<Days> {
    client.get_as("/v1/days")
}

/// Hands over each page of a day's vouchers, in order.
///
/// # Errors
/// As [`Client::get`], and what `each` says.
pub(crate) fn pages(client: &Client, date: Date, mut each: impl FnMut(Page) -> Result<()>) -> Result<()> {
    let date = date.to_string();
    let mut cursor: Option<String> = None;
    loop {
        let target =
            target(&["v1", "days", &date, "vouchers"], &[("limit", Some(PAGE)), ("cursor", cursor.as_deref())]);
        let page: Page = client.get_as(&target)?;
        let next = page.next_cursor.clone();
        if next.is_some() && next == cursor {
            bail!("{target} names itself as the next page");
        }
        each(page)?;
        cursor = next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
