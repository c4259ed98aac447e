//! The trial balance (试算平衡) of an open or sealed day, by book and subject, and what covers customers' money.

use alloc::vec::Vec;

use crate::book::{Book, Side, Subject};
use crate::calendar::Date;
use crate::money::Currency;
use crate::state::State;

/// One line: a subject in one currency. Balances and turnovers count in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialLine {
    /// The subject.
    pub subject: Subject,
    /// The currency.
    pub currency: Currency,
    /// Debits of the day.
    pub debit: i128,
    /// Credits of the day.
    pub credit: i128,
    /// Balance at the day's end, on the side on which the subject grows.
    pub closing: i128,
}

/// The trial balance of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialBalance {
    /// The day.
    pub date: Date,
    /// Lines of subjects that ever moved, by book and code.
    pub lines: Vec<TrialLine>,
}

/// What stands against what the institution owes its customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cover {
    /// Sum of customer liabilities.
    pub liabilities: i128,
    /// The reserve at the central bank.
    pub central_bank: i128,
    /// On its way from clearing houses, banks and provident funds.
    pub in_clearing: i128,
    /// Due to own funds, which must be left over.
    pub due_to_own: i128,
}

impl Cover {
    /// True if what there is covers what is owed, to the cent.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.central_bank.saturating_add(self.in_clearing) == self.liabilities.saturating_add(self.due_to_own)
    }
}

impl TrialBalance {
    /// The trial balance of a day that is not closed; `None` for others.
    #[must_use]
    pub fn of(state: &State, date: Date) -> Option<Self> {
        let mut lines = Vec::new();
        for book in Book::ALL {
            for subject in Subject::ALL.iter().copied().filter(|subject| subject.book() == book) {
                for currency in Currency::ALL {
                    let (debits, day) = state.days.ledger(subject, currency, date)?;
                    let closing = match subject.side() {
                        Side::Debit => debits,
                        Side::Credit => -debits,
                    };
                    if closing != 0 || day.debit != 0 || day.credit != 0 {
                        lines.push(TrialLine { subject, currency, debit: day.debit, credit: day.credit, closing });
                    }
                }
            }
        }
        Some(Self { date, lines })
    }

    /// Debit and credit balances of a book in a currency: equal if the books are right.
    #[must_use]
    pub fn totals(&self, book: Book, currency: Currency) -> (i128, i128) {
        let lines = self.lines.iter().filter(|line| line.subject.book() == book && line.currency == currency);
        lines.fold((0, 0), |(debits, credits), line| match line.subject.side() {
            Side::Debit => (debits + line.closing, credits),
            Side::Credit => (debits, credits + line.closing),
        })
    }

    /// The closing balance of a subject in a currency.
    #[must_use]
    pub fn closing(&self, subject: Subject, currency: Currency) -> i128 {
        let mut lines = self.lines.iter().filter(|line| line.subject == subject && line.currency == currency);
        lines.next().map_or(0, |line| line.closing)
    }

    /// What covers customers' money in a currency.
    #[must_use]
    pub fn cover(&self, currency: Currency) -> Cover {
        let reserve =
            self.lines.iter().filter(|line| line.currency == currency && line.subject.book() == Book::Reserve);
        let mut cover = Cover::default();
        for line in reserve {
            if line.subject.is_customer_liability() {
                cover.liabilities += line.closing;
            } else if line.subject == Subject::CentralBank {
                cover.central_bank += line.closing;
            } else if line.subject.side() == Side::Debit {
                cover.in_clearing += line.closing;
            } else {
                cover.due_to_own += line.closing;
            }
        }
        cover
    }
}
