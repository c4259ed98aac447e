//! The trial balance of a day, by book and subject, and what covers customers' money. Of a day that is not closed it comes
//! from the engine, of a closed one from its end-of-day file.

use axum::extract::{Path, State};
use domain::book::Book;
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::money::Currency;
use domain::trial_balance::{Cover, TrialBalance, TrialLine};
use serde::{Serialize, Serializer};
use store::SegmentKind;
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::business_day::{day, status_name};
use super::error::ApiError;
use super::wire::{date_text, parse};

/// A sum of minor units over many accounts; it may leave 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64, example = 500_000)]
pub(crate) struct Sum(pub(crate) i128);

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(sum) => serializer.serialize_i64(sum),
            Err(_) => serializer.serialize_i128(self.0),
        }
    }
}

/// The trial balance of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialBalanceView {
    #[schema(example = "2026-03-05")]
    date: String,
    /// Where the day stands: `open`, `cutting` or `closed`. The figures of an open day still move.
    status: &'static str,
    /// Whether every book and currency balances and customers' money is covered.
    balanced: bool,
    /// By book and subject; subjects that never moved are left out.
    lines: Vec<TrialLineView>,
    /// By book and currency.
    totals: Vec<TotalView>,
    cover: CoverView,
}

/// A subject in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialLineView {
    /// RESERVE, OWN or CUSTODY.
    #[schema(example = "RESERVE")]
    book: &'static str,
    /// The subject's code.
    #[schema(example = 2202)]
    subject: u16,
    #[schema(example = "merchant, to be settled")]
    name: &'static str,
    #[schema(example = "商户待结算")]
    name_zh: &'static str,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Debits of the day.
    debit: Sum,
    /// Credits of the day.
    credit: Sum,
    /// Balance at the day's end, on the side on which the subject grows.
    closing: Sum,
}

/// Debit and credit balances of a book in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalView {
    #[schema(example = "RESERVE")]
    book: &'static str,
    #[schema(example = "CNY")]
    currency: &'static str,
    debit: Sum,
    credit: Sum,
    /// Whether they are equal.
    balanced: bool,
}

/// What covers customers' money, in CNY: central_bank + in_clearing = liabilities + due_to_own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CoverView {
    /// Owed to customers.
    liabilities: Sum,
    /// The reserve at the central bank.
    central_bank: Sum,
    /// On its way from clearing houses, banks and provident funds.
    in_clearing: Sum,
    /// The institution's own part of it.
    due_to_own: Sum,
    /// Whether what there is covers what is owed, to the cent.
    holds: bool,
}

impl TrialBalanceView {
    fn of(trial: &TrialBalance, status: DayStatus) -> Self {
        let pairs = Book::ALL.into_iter().flat_map(|book| Currency::ALL.map(|currency| (book, currency)));
        let used = |(book, currency): &(Book, Currency)| {
            trial.lines.iter().any(|line| line.subject.book() == *book && line.currency == *currency)
        };
        let total = |(book, currency): (Book, Currency)| {
            let (debit, credit) = trial.totals(book, currency);
            let balanced = debit == credit;
            TotalView { book: book.name(), currency: currency.code(), debit: Sum(debit), credit: Sum(credit), balanced }
        };
        let totals: Vec<TotalView> = pairs.filter(used).map(total).collect();
        let covered = Currency::ALL.into_iter().all(|currency| trial.cover(currency).holds());
        Self {
            date: date_text(trial.date),
            status: status_name(status),
            balanced: covered && totals.iter().all(|total| total.balanced),
            lines: trial.lines.iter().map(TrialLineView::of).collect(),
            totals,
            cover: CoverView::of(trial.cover(Currency::Cny)),
        }
    }
}

impl CoverView {
    fn of(cover: Cover) -> Self {
        let holds = cover.holds();
        let Cover { liabilities, central_bank, in_clearing, due_to_own } = cover;
        let (liabilities, central_bank) = (Sum(liabilities), Sum(central_bank));
        Self { liabilities, central_bank, in_clearing: Sum(in_clearing), due_to_own: Sum(due_to_own), holds }
    }
}

impl TrialLineView {
    fn of(line: &TrialLine) -> Self {
        let TrialLine { subject, currency, debit, credit, closing } = *line;
        Self {
            book: subject.book().name(),
            subject: subject.code(),
            name: subject.name(),
            name_zh: subject.name_zh(),
            currency: currency.code(),
            debit: Sum(debit),
            credit: Sum(credit),
            closing: Sum(closing),
        }
    }
}

/// Look at a day's trial balance (试算平衡)
#[utoipa::path(
    get, path = "/v1/days/{date}/trial-balance", tag = "trial_balance",
    params(("date" = String, Path, example = "2026-03-05")), responses((status = OK, body = TrialBalanceView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(date): Path<String>,
) -> Answered<TrialBalanceView> {
    caller.operator()?;
    let date: Date = parse(&date, "date")?;
    let look = move |state: &domain::State| Ok((day(state, date)?.status, TrialBalance::of(state, date)));
    let Answer { view: (status, trial), position, repeated } = app.look(look).await?;
    let trial = match trial {
        Some(trial) => trial,
        None => of_closed(&app, date).await?,
    };
    Ok(Answer { view: TrialBalanceView::of(&trial, status), position, repeated })
}

/// The file stands before the day is closed, so a closed day has one.
async fn of_closed(app: &App, date: Date) -> Result<TrialBalance, ApiError> {
    let books = app.books.clone();
    app.blocking(move || {
        let rows = store::run::segments(&books.store, Some(SegmentKind::EndOfDay), Some(date), Some(date), None)
            .map_err(|error| ApiError::internal("finding the end-of-day file", &error))?;
        let end = node::close::end_of_day(&rows, date).ok_or_else(|| {
            let message = format!("{date} is closed and no end-of-day file of it is committed");
            ApiError::new("internal", Some("date"), message)
        })?;
        node::close::trial_balance(&books.history, end)
            .map_err(|error| ApiError::internal("reading the end-of-day file", &error))
    })
    .await
}

#[cfg(test)]
mod tests {
    use domain::book::Subject;

    use super::*;

    fn line(subject: Subject, currency: Currency, closing: i128) -> TrialLine {
        TrialLine { subject, currency, debit: 0, credit: 0, closing }
    }

    #[test]
    fn a_sum_is_a_whole_number_however_large() {
        let text = |sum| serde_json::to_string(&Sum(sum)).unwrap();
        assert_eq!(text(-5), "-5");
        assert_eq!(text(i128::from(i64::MAX)), "9223372036854775807");
        assert_eq!(text(i128::from(i64::MAX) + 1), "9223372036854775808");
        assert_eq!(text(i128::MIN), "-170141183460469231731687303715884105728");
    }

    #[test]
    fn totals_stand_for_the_books_and_currencies_in_use() {
        let lines = vec![
            line(Subject::CentralBank, Currency::Cny, 700),
            line(Subject::Personal, Currency::Cny, 690),
            line(Subject::DueToOwn, Currency::Cny, 10),
            line(Subject::DueFromReserve, Currency::Cny, 10),
            line(Subject::ClearingEpcc, Currency::Jpy, 3),
        ];
        let trial = TrialBalance { date: Date(20_000), lines };
        let view = TrialBalanceView::of(&trial, DayStatus::Cutting);
        let totals: Vec<_> = view.totals.iter().map(|total| (total.book, total.currency, total.balanced)).collect();
        assert_eq!(totals, [("RESERVE", "CNY", true), ("RESERVE", "JPY", false), ("OWN", "CNY", false)]);
        assert_eq!((view.status, view.lines.len(), view.cover.holds, view.balanced), ("cutting", 5, true, false));
        assert_eq!((view.cover.liabilities, view.cover.due_to_own), (Sum(690), Sum(10)));
        assert_eq!((view.lines[1].subject, view.lines[1].name_zh), (2201, "个人支付账户"));
    }
}
