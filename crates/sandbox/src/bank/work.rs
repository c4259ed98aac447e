//! What becomes of an order: the plan spoils its way, the ledger and the days keep the truth.

use std::sync::Arc;
use std::time::Duration;

use super::Bank;
use super::body::{Answer, CURRENCY_NOT_TAKEN, DUPLICATE, NOT_FOUND, Notification, Return};
use super::days::{ComesBack, Returned};
use super::ledger::{Arrival, Entry, Seen, State};
use super::names::{House, Serial, Verb};
use super::plan::{Fault, Verdict};
use super::stats::count;

/// What the requester gets.
#[derive(Debug)]
pub(crate) enum Reaction {
    Answer(Answer),
    Garbage,
    /// The connection is cut.
    Nothing,
}

const OPEN: State = State::Open { queries_left: None };

impl Bank {
    /// Takes an order, carries it out if it is the first under its serial number, and reacts as the plan wants.
    pub(crate) async fn take(self: &Arc<Self>, entry: Entry) -> Reaction {
        let fault = self.fault(entry.serial, entry.verb);
        let state = match fault {
            Fault::LostBefore | Fault::GarbageBefore => State::Lost,
            Fault::InProgress => State::Open { queries_left: Some(self.plan.in_progress_queries.saturating_sub(1)) },
            Fault::None | Fault::LostAfter | Fault::Late | Fault::GarbageAfter | Fault::Twice => OPEN,
        };
        let counters = self.stats.verb(entry.verb);
        match self.ledger.arrive(entry, state) {
            Arrival::First => {
                count(&counters.received);
                counters.fault(fault);
                self.react(entry, fault).await
            }
            Arrival::AfterLoss => {
                count(&counters.sent_again);
                self.react(entry, Fault::None).await
            }
            Arrival::Again => {
                count(&counters.sent_again);
                Reaction::Answer(Answer::bare(entry.serial, DUPLICATE, self.days.now()))
            }
        }
    }

    async fn react(self: &Arc<Self>, entry: Entry, fault: Fault) -> Reaction {
        let hold = || tokio::time::sleep(Duration::from_millis(self.plan.hold_ms));
        match fault {
            Fault::None => Reaction::Answer(self.settle(&entry)),
            Fault::LostBefore => {
                hold().await;
                Reaction::Nothing
            }
            Fault::LostAfter => {
                self.settle(&entry);
                hold().await;
                Reaction::Nothing
            }
            Fault::Late => self.settle_late(entry).await,
            Fault::InProgress => Reaction::Answer(self.answer(&entry)),
            Fault::GarbageBefore => Reaction::Garbage,
            Fault::GarbageAfter => {
                self.settle(&entry);
                Reaction::Garbage
            }
            Fault::Twice => {
                let answer = self.settle(&entry);
                self.tell(&entry);
                self.tell(&entry);
                Reaction::Answer(answer)
            }
        }
    }

    /// In a task of its own: the bank carries an order out even if nobody waits for the answer any more.
    async fn settle_late(self: &Arc<Self>, entry: Entry) -> Reaction {
        let bank = Arc::clone(self);
        let work = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(bank.plan.late_ms)).await;
            let answer = bank.settle(&entry);
            bank.tell(&entry);
            answer
        });
        work.await.map_or(Reaction::Nothing, Reaction::Answer)
    }

    /// Decides an order for good and books it.
    pub(crate) fn settle(&self, entry: &Entry) -> Answer {
        let decided = self.decide(entry);
        let Entry { serial, verb, amount, .. } = *entry;
        let done = if decided.is_ok() { self.plan.part.done(self.seed, serial, verb, amount) } else { amount };
        let entry = &Entry { amount: done, ..*entry };
        let state = match decided {
            Err(code) => State::Declined { code },
            Ok(()) => {
                if done != amount {
                    self.ledger.did(serial, done);
                }
                let (date, came_back) = self.days.book(entry, |number| self.comes_back(entry.serial, number));
                self.tell_returns(came_back.as_slice());
                State::Done { date }
            }
        };
        let counters = self.stats.verb(entry.verb);
        count(if matches!(state, State::Done { .. }) { &counters.done } else { &counters.declined });
        let answer = Answer::of(entry, &state, self.days.now());
        self.ledger.close(entry.serial, state);
        answer
    }

    fn decide(&self, entry: &Entry) -> Result<(), Box<str>> {
        if !entry.currency_taken {
            return Err(CURRENCY_NOT_TAKEN.into());
        }
        if let Some(code) = self.epcc.refuses(entry) {
            return Err(code.into());
        }
        match self.plan.verdict_on(self.seed, entry.serial, entry.verb, entry.rail) {
            Verdict::Decline(code) => Err(code.into()),
            Verdict::Accept => self.ledger.take(entry).map_err(Into::into),
        }
    }

    fn comes_back(&self, serial: Serial, number: u64) -> Option<ComesBack> {
        let chosen = self.plan.return_nth.contains(&number) || self.plan.returned(self.seed, serial);
        let twice = self.fault(serial, Verb::Pay) == Fault::Twice;
        chosen.then_some(ComesBack { after_days: self.plan.return_after_days, twice })
    }

    /// What became of a serial number.
    pub(crate) fn query(&self, house: House, serial: Serial) -> Answer {
        count(&self.stats.queries);
        match self.ledger.query(house, serial) {
            Seen::Nothing => Answer::bare(serial, NOT_FOUND, self.days.now()),
            Seen::At(entry, state) => Answer::of(&entry, &state, self.days.now()),
            Seen::Settle(entry) => {
                let answer = self.settle(&entry);
                self.tell(&entry);
                answer
            }
        }
    }

    fn answer(&self, entry: &Entry) -> Answer {
        let (entry, state) = self.ledger.at(entry.serial).unwrap_or((*entry, State::Lost));
        Answer::of(&entry, &state, self.days.now())
    }

    pub(crate) fn tell(&self, entry: &Entry) {
        let state = self.ledger.state(entry.serial).unwrap_or(State::Lost);
        let (serial, state) = (entry.serial, &state);
        if self.unionpay.tell(serial, state) || self.epcc.tell(serial, state) || self.pingan.tell(serial, state) {
            return;
        }
        if let Some(notifier) = &self.notifier {
            notifier.send(entry.serial, &Notification::Answered(self.answer(entry)));
        }
    }

    pub(crate) fn tell_returns(&self, came_back: &[Returned]) {
        for back in came_back {
            count(&self.stats.returned);
            for _ in 0..=u8::from(back.twice) {
                if self.epcc.tell_return(back) || self.pingan.tell_return(back) {
                    continue;
                }
                let Some(notifier) = &self.notifier else { continue };
                notifier.send(back.serial, &Notification::Returned(Return::of(back)));
            }
        }
    }
}
