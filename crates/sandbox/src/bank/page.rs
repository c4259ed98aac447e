//! Pages for payers (网关支付), UnionPay's and EPCC's: where each stands, and what its payer's click comes to. What a page shows
//! and what is told of it are each network's own.
//!
//! ```text
//!  a browser brings an order ─► OPEN ─ the payer confirms ─► CONFIRMED: settled and told by the plan
//!                                └ its time is over, or the platform closes it (关单) ─► ENDED: never paid
//! ```
//! What the plan does to a payment at a page:
//!
//! | fault | the payer sees | told |
//! |---|---|---|
//! | `lost_before`, `garbage_before` | nothing, or an error, where the page should be; posted again it is there | nothing |
//! | `lost_after` | paid | nothing: a query says so |
//! | `garbage_after` | paid | a notification that somebody else signed |
//! | `late` | paid | `late_ms` later |
//! | `in_progress` | paid | when a query was told the outcome |
//! | `twice` | paid | twice |

pub(crate) mod html;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::civil::Date;

use self::html::House;
use super::Bank;
use super::connection::Cutter;
use super::ledger::{Arrival, Entry, State, lock};
use super::names::Serial;
use super::plan::Fault;
use super::stats::count;

/// Where an order at a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The payer may pay.
    Open,
    /// The payer has paid, or was refused.
    Confirmed,
    /// Nobody paid in time.
    Ended,
}

#[derive(Debug)]
struct Standing {
    entry: Entry,
    page: Page,
    /// The date on which it ends, as eight digits.
    ends_on: String,
}

/// Every page.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<BTreeMap<Serial, Standing>>);

/// What a browser gets.
#[derive(Debug)]
pub(crate) enum Shown {
    Page(String),
    Problem(String),
    /// The connection is cut.
    Nothing,
}

/// What is told out of turn, for tests of whoever is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twist {
    /// Another amount than the operation's.
    pub(crate) amount: Option<i64>,
    /// Signed by somebody else.
    pub(crate) forged: bool,
}

impl Shown {
    /// Over HTTP.
    pub(crate) fn answered(self, house: House, cutter: &Cutter) -> Response {
        match self {
            Self::Page(page) => Html(page).into_response(),
            Self::Problem(text) => (StatusCode::BAD_REQUEST, Html(house.says(&text))).into_response(),
            Self::Nothing => {
                cutter.cut();
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}

impl Pages {
    /// Where the page of an order stands, if it has one.
    pub(crate) fn at(&self, serial: Serial) -> Option<Page> {
        lock(&self.0).get(&serial).map(|standing| standing.page)
    }

    /// Moves a page on, if it stands where it is expected; gives what is paid there.
    fn turn(&self, serial: Serial, from: &[Page], to: Page) -> Option<Entry> {
        let mut pages = lock(&self.0);
        let standing = pages.get_mut(&serial).filter(|standing| from.contains(&standing.page))?;
        standing.page = to;
        Some(standing.entry)
    }
}

impl Bank {
    /// A browser brings an order that is new: its page, or what comes in its place.
    ///
    /// # Errors
    /// What is shown, if the page does not come this time.
    pub(crate) async fn open_page(&self, entry: Entry, ends_on: String) -> Result<(), Shown> {
        let fault = self.fault(entry.serial, entry.verb);
        let lost = matches!(fault, Fault::LostBefore | Fault::GarbageBefore);
        let state = if lost { State::Lost } else { State::Open { queries_left: None } };
        let counters = self.stats.verb(entry.verb);
        if self.ledger.arrive(entry, state) == Arrival::First {
            count(&counters.received);
            counters.fault(fault);
            if lost {
                tokio::time::sleep(Duration::from_millis(self.plan.hold_ms)).await;
                let busy = || Shown::Problem(String::from("系统繁忙，请稍后再试 The system is busy."));
                return Err(if fault == Fault::LostBefore { Shown::Nothing } else { busy() });
            }
        }
        lock(&self.pages.0).entry(entry.serial).or_insert(Standing { entry, page: Page::Open, ends_on });
        Ok(())
    }

    /// The payer confirms, once.
    pub(crate) fn confirm_page(self: &Arc<Self>, serial: Serial) {
        if let Some(entry) = self.pages.turn(serial, &[Page::Open], Page::Confirmed) {
            self.pay_page(entry);
        }
    }

    /// Pays at a page as its payer does, even one that has ended: what was confirmed in the last second comes through late.
    pub(crate) fn pay_late(self: &Arc<Self>, serial: Serial) -> bool {
        let entry = self.pages.turn(serial, &[Page::Open, Page::Ended], Page::Confirmed);
        entry.is_some_and(|entry| {
            self.pay_page(entry);
            true
        })
    }

    /// Settles what the payer confirmed, and tells of it as the plan wants.
    fn pay_page(self: &Arc<Self>, entry: Entry) {
        let fault = self.fault(entry.serial, entry.verb);
        let times = match fault {
            Fault::InProgress => {
                let left = self.plan.in_progress_queries.saturating_sub(1);
                return self.ledger.close(entry.serial, State::Open { queries_left: Some(left) });
            }
            Fault::Late => {
                let bank = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(bank.plan.late_ms)).await;
                    bank.settle(&entry);
                    bank.tell(&entry);
                });
                return;
            }
            Fault::LostAfter | Fault::GarbageAfter => 0,
            Fault::None | Fault::LostBefore | Fault::GarbageBefore => 1,
            Fault::Twice => 2,
        };
        self.settle(&entry);
        if fault == Fault::GarbageAfter {
            let forged = Twist { amount: None, forged: true };
            if !self.tell_unionpay_twisted(entry.serial, forged) {
                self.tell_epcc_twisted(entry.serial, forged);
            }
        }
        (0..times).for_each(|_| self.tell(&entry));
    }

    /// Ends a page at which nobody paid; says whether it was open.
    pub(crate) fn end_page(&self, serial: Serial) -> bool {
        let ended = self.pages.turn(serial, &[Page::Open], Page::Ended).is_some();
        if ended {
            self.ledger.close(serial, State::Lost);
        }
        ended
    }

    /// Ends every open page whose time is before the beginning of a date.
    pub(crate) fn end_pages(&self, date: Date) {
        let today = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
        let over = |standing: &Standing| standing.page == Page::Open && standing.ends_on < today;
        let ended: Vec<Serial> =
            lock(&self.pages.0).iter().filter(|(_, standing)| over(standing)).map(|(serial, _)| *serial).collect();
        for serial in ended {
            self.end_page(serial);
        }
    }
}
