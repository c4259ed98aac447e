//! The trial balance (试算平衡) of a day, by book and subject, and what covers customers' money. A day that is not closed has
//! it in the state, a closed one in its end-of-day file.

use alloc::collections::BTreeMap;
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

    /// The trial balance of a day whose accounts are told one by one, in any order: `accounts` has a line for each.
    #[must_use]
    pub fn of_accounts(date: Date, accounts: impl IntoIterator<Item = TrialLine>) -> Self {
        let mut sums: BTreeMap<(usize, usize), TrialLine> = BTreeMap::new();
        for account in accounts {
            let TrialLine { subject, currency, debit, credit, closing } = account;
            let empty = TrialLine { subject, currency, debit: 0, credit: 0, closing: 0 };
            // The chart lists its subjects by book and code.
            let sum = sums.entry((subject.ordinal(), currency as usize)).or_insert(empty);
            sum.debit += debit;
            sum.credit += credit;
            sum.closing += closing;
        }
        let moved = |line: &TrialLine| line.closing != 0 || line.debit != 0 || line.credit != 0;
        Self { date, lines: sums.into_values().filter(moved).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{OpenAccount, Owner};
    use crate::command::{Command, Reply};
    use crate::testkit::{Kit, date};
    use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
    use alloc::vec;

    const DAY: &str = "2026-03-05";

    fn line(subject: Subject, debit: i128, credit: i128, closing: i128) -> TrialLine {
        TrialLine { subject, currency: Currency::Cny, debit, credit, closing }
    }

    /// Rent 5,000 with a fee of 10, as one voucher over two books.
    fn rent() -> Kit {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let pending = kit.state.merchant(merchant).unwrap().pending;
        let own = |subject| kit.state.institution(subject, Currency::Cny).unwrap();
        let entries = vec![
            Entry::debit(own(Subject::ClearingEpcc), 500_000, Currency::Cny),
            Entry::credit(pending, 499_000, Currency::Cny),
            Entry::credit(own(Subject::DueToOwn), 1_000, Currency::Cny),
            Entry::debit(own(Subject::DueFromReserve), 1_000, Currency::Cny),
            Entry::credit(own(Subject::FeeIncome), 1_000, Currency::Cny),
        ];
        kit.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("rent".into()),
            event: EventCode::PaymentCaptured,
            date: None,
            entries,
            dimensions: None,
        }));
        kit
    }

    #[test]
    fn lines_stand_by_book_and_code_with_turnover_and_closing_on_the_side_that_grows() {
        let kit = rent();
        let trial = TrialBalance::of(&kit.state, date(DAY)).unwrap();
        assert_eq!(
            trial.lines,
            [
                line(Subject::ClearingEpcc, 500_000, 0, 500_000),
                line(Subject::MerchantPending, 0, 499_000, 499_000),
                line(Subject::DueToOwn, 0, 1_000, 1_000),
                line(Subject::DueFromReserve, 1_000, 0, 1_000),
                line(Subject::FeeIncome, 0, 1_000, 1_000),
            ]
        );
        assert_eq!(trial.totals(Book::Reserve, Currency::Cny), (500_000, 500_000));
        assert_eq!(trial.totals(Book::Own, Currency::Cny), (1_000, 1_000));
        assert_eq!(trial.totals(Book::Custody, Currency::Cny), (0, 0));
    }

    #[test]
    fn customers_money_is_covered_and_the_institutions_part_is_shown() {
        let kit = rent();
        let cover = TrialBalance::of(&kit.state, date(DAY)).unwrap().cover(Currency::Cny);
        let expected = Cover { liabilities: 499_000, central_bank: 0, in_clearing: 500_000, due_to_own: 1_000 };
        assert_eq!((cover, cover.holds()), (expected, true));
        assert!(!Cover { in_clearing: 499_999, ..expected }.holds());
    }

    #[test]
    fn the_accounts_told_one_by_one_make_the_same_trial_balance() {
        let kit = rent();
        let line = |account: &crate::account::Account| {
            let turnover = kit.state.days.turnover(account.id, date(DAY)).unwrap();
            TrialLine {
                subject: account.subject,
                currency: account.currency,
                debit: turnover.debit.into(),
                credit: turnover.credit.into(),
                closing: kit.state.days.closing(account, date(DAY)).unwrap().into(),
            }
        };
        let mut lines: Vec<TrialLine> = kit.state.accounts.iter().map(|(_, account)| line(account)).collect();
        lines.reverse();
        let told = TrialBalance::of_accounts(date(DAY), lines);
        assert_eq!(Some(told), TrialBalance::of(&kit.state, date(DAY)));
    }

    #[test]
    fn currencies_have_lines_of_their_own() {
        let mut kit = rent();
        let owner = Owner::User(kit.user());
        let open = OpenAccount { subject: Subject::Personal, currency: Currency::Jpy, owner, overdraft: false };
        let Reply::Account(account) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
        let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Jpy).unwrap();
        kit.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("yen".into()),
            event: EventCode::TopUp,
            date: None,
            entries: vec![Entry::debit(clearing, 80, Currency::Jpy), Entry::credit(account, 80, Currency::Jpy)],
            dimensions: None,
        }));
        let trial = TrialBalance::of(&kit.state, date(DAY)).unwrap();
        assert_eq!(trial.totals(Book::Reserve, Currency::Jpy), (80, 80));
        assert_eq!(trial.totals(Book::Reserve, Currency::Cny), (500_000, 500_000));
        assert_eq!(trial.closing(Subject::ClearingEpcc, Currency::Jpy), 80);
    }
}
