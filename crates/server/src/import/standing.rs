//! Where the books stand against the plan: what of it they hold, and that they hold nothing else.
//!
//! Every voucher of the books is read back and compared with the row that its number in the stream stands for: date, event,
//! amount, way, account, dimensions. So a changed file or format, another import or any voucher of anyone else is found
//! before a thing is changed; and the accounts that the books opened for the other system's are known again.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use domain::calendar::Date;
use serde::Deserialize;

use super::file::{Row, Way};
use super::format::Format;
use super::plan::Plan;
use crate::cli::client::{Client, target};
use crate::cli::day_vouchers::{self, Days, Dimensions, Page, Voucher};

/// Where the books stand.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The highest posting of the stream that was answered.
    pub(crate) mark: usize,
    /// The day that takes the postings.
    pub(crate) current: Date,
    /// Days cut and not closed, oldest first.
    pub(crate) cutting: Vec<Date>,
    /// Our account of each of the plan's, where the books tell it.
    pub(crate) accounts: Vec<Option<String>>,
    /// The institution's account on the other side, where the books tell it.
    pub(crate) contra: Option<String>,
    /// The voucher of each row; 0 where there is none.
    pub(crate) vouchers: Vec<u64>,
    /// How many days are closed.
    pub(crate) closed: usize,
}

#[derive(Deserialize)]
struct Stream {
    stream: Option<String>,
    mark: usize,
}

impl Standing {
    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// Books that hold another voucher than the plan's, or whose open day is later than the next row's.
    pub(crate) fn look(client: &Client, format: &Format, plan: &Plan) -> Result<Self> {
        let stream: Stream = client.get_as(&target(&["v1", "postings", &format.stream], &[]))?;
        let Days { current, data } = day_vouchers::days(client)?;
        let current: Date = current.context("the books have no open day")?.parse().context("the open day")?;
        let mut standing = Self {
            mark: stream.mark,
            current,
            cutting: Vec::new(),
            accounts: vec![None; plan.accounts.len()],
            contra: None,
            vouchers: vec![0; plan.rows.len()],
            closed: data.iter().filter(|day| day.status == "closed").count(),
        };
        if standing.mark > plan.postings.len() {
            bail!(
                "the books have {} postings of the stream {} and this file makes {}: they are of another file or format",
                standing.mark,
                format.stream,
                plan.postings.len()
            );
        }
        let is_done = standing.is_done(plan);
        let mut check = Check { format, plan, stream: stream.stream, owners: HashMap::new(), standing: &mut standing };
        for day in &data {
            let date = day.date()?;
            if day.status == "cutting" {
                check.standing.cutting.push(date);
            }
            // What came after a finished import is not its concern.
            if !(is_done && plan.last_date().is_some_and(|last| date > last)) {
                day_vouchers::pages(client, date, |page| check.page(&page))?;
            }
        }
        standing.refuse_later_day(plan)?;
        Ok(standing)
    }

    /// Whether everything is posted and every day of it closed.
    pub(crate) fn is_done(&self, plan: &Plan) -> bool {
        let last = plan.last_date();
        let past = last.is_none_or(|last| self.current > last && self.cutting.iter().all(|cut| *cut > last));
        self.mark == plan.postings.len() && past
    }

    fn refuse_later_day(&self, plan: &Plan) -> Result<()> {
        let next = plan.postings.get(self.mark).and_then(|posting| plan.date_of(posting));
        match next {
            Some(next) if self.current > next => bail!(
                "the open day of the books is {} and the next row's date {next}: a day that is over takes no more rows; begin \
                 new books, whose first day is the format's",
                self.current
            ),
            Some(_) | None => Ok(()),
        }
    }
}

struct Check<'a> {
    format: &'a Format,
    plan: &'a Plan,
    /// The stream's id, if it has begun.
    stream: Option<String>,
    /// Which of the plan's accounts each of ours is.
    owners: HashMap<String, usize>,
    standing: &'a mut Standing,
}

impl Check<'_> {
    fn page(&mut self, page: &Page) -> Result<()> {
        page.data.iter().try_for_each(|voucher| self.voucher(voucher))
    }

    /// Finds the row of a voucher and compares the two.
    fn voucher(&mut self, voucher: &Voucher) -> Result<()> {
        let id = &voucher.id;
        let place = self.place(&voucher.business).with_context(|| {
            let business = &voucher.business;
            format!("the books hold {id} ({business}, {}), which is not of this import: name empty books", voucher.date)
        })?;
        let different = |what: &str| {
            let line = self.plan.rows.get(place).map_or(0, |row| row.line);
            anyhow::anyhow!(
                "{id} stands for line {line} of the file and differs from it in its {what}: the file or the format is another \
                 one than when this import began"
            )
        };
        let row = self.plan.rows.get(place).context("the plan's places are its rows")?;
        let (ours, contra) = self.sides(voucher, row).ok_or_else(|| different("entries"))?;
        if voucher.date != row.date.to_string() {
            return Err(different("date"));
        }
        if voucher.event != self.format.books.event.name() {
            return Err(different("event"));
        }
        if voucher.dimensions.clone().unwrap_or_default() != dimensions(row) {
            return Err(different("dimensions"));
        }
        let external = *self.plan.account_of.get(place).context("each row has its account")?;
        let is_one_to_one = *self.owners.entry(ours.clone()).or_insert(external) == external;
        let known = self.standing.accounts.get_mut(external).context("each row has its account")?;
        if !is_one_to_one || *known.get_or_insert_with(|| ours.clone()) != ours {
            return Err(different("account"));
        }
        if *self.standing.contra.get_or_insert_with(|| contra.clone()) != contra {
            return Err(different("contra account"));
        }
        let number = id.strip_prefix("vch_").and_then(|number| number.parse().ok());
        *self.standing.vouchers.get_mut(place).context("each row has its voucher")? =
            number.context("a voucher's id")?;
        Ok(())
    }

    /// The place in the plan of a business number `str_1/NUMBER/INDEX`.
    fn place(&self, business: &str) -> Option<usize> {
        let (stream, rest) = business.split_once('/')?;
        let (number, index) = rest.split_once('/')?;
        let number: usize = number.parse().ok()?;
        if self.stream.as_deref() != Some(stream) || number > self.standing.mark {
            return None;
        }
        let Range { start, end } = self.plan.postings.get(number.checked_sub(1)?)?.clone();
        let place = start.checked_add(index.parse().ok()?)?;
        (place < end).then_some(place)
    }

    /// Our account and the one on the other side, if the entries are those of the row.
    fn sides(&self, voucher: &Voucher, row: &Row) -> Option<(String, String)> {
        let [debit, credit] = voucher.entries.as_slice() else { return None };
        let books = &self.format.books;
        let (ours, other) = if is_credited(self.format, row.way) { (credit, debit) } else { (debit, credit) };
        let is_right = debit.side == "debit"
            && credit.side == "credit"
            && [debit, credit]
                .iter()
                .all(|entry| entry.amount == row.amount && entry.currency == books.currency.code())
            && ours.subject == books.subject.code()
            && other.subject == books.contra.code();
        is_right.then(|| (ours.account.clone(), other.account.clone()))
    }
}

/// Whether the account is credited when money goes this way.
pub(crate) fn is_credited(format: &Format, way: Way) -> bool {
    let grows = format.books.subject.side() == domain::book::Side::Credit;
    match way {
        Way::In => grows,
        Way::Out => !grows,
    }
}

fn dimensions(row: &Row) -> Dimensions {
    Dimensions {
        product: row.product.as_deref().map(str::to_owned),
        channel: row.channel.as_deref().map(str::to_owned),
        region: row.region,
        ..Dimensions::default()
    }
}
