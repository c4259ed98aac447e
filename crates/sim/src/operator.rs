//! The operator: cuts and closes days, fetches clearing files and returns, settles merchants. One chore at a time, each
//! asked for under a key until it is answered, as the server's shell and its timers would.

use std::collections::{BTreeSet, VecDeque};

use domain::approval::ApprovalCommand;
use domain::attempt::{Purpose, Rail, attempt_of_serial};
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::clearing::{ClearingLine, LineKind, MAX_LINES, TakeClearingFile};
use domain::ids::{ApprovalId, FundBatchId, MerchantId, PayoutId};
use domain::money::Currency;
use domain::payout::PayoutStatus;
use domain::reserve_line::ReserveLineCommand;
use domain::task::TaskOf;
use domain::{Actor, Command, RefusalCode};
use engine::{Answer, Request};
use node::close;
use serde_json::Value;

use crate::by_hand;
use crate::check::{Checked, broken};
use crate::client;
use crate::commands;
use crate::network::Network;
use crate::node::Output;
use crate::sessions::CLEARED;
use crate::world::{CLIENTS, Event, World};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Any command.
    Ask(Box<Command>),
    /// A command in the name of a person.
    AskAs(&'static str, Box<Command>),
    /// Cut the day; the banks' date goes on with it.
    Cut,
    /// Take a rail's clearing file, from this part on.
    Fetch(Rail, Date, u32),
    /// Take the line of the statement that a rail's session of a date awaits.
    Line(Rail, Date),
    /// Book the payments that came back on a date.
    Returns(Date),
    /// Settle a merchant.
    Settle(MerchantId),
    /// Close the fund's month and carry its batches to their results.
    Batches,
    /// Act on what channels refused: ask again, or settle it by two people.
    ByHand,
    /// Seal a day.
    Seal(Date),
    /// Check a sealed day and close it.
    Close(Date),
}

/// The operator's list.
#[derive(Debug, Default)]
pub(crate) struct Operator {
    /// What is left to do, the first under way.
    pub(crate) chores: VecDeque<Chore>,
    /// The sessions whose line is taken later.
    pub(crate) owed: Vec<(Rail, Date)>,
    /// The batches about which the centre was asked once more when all was answered.
    pub(crate) asked_again: BTreeSet<FundBatchId>,
    /// The tasks on which somebody acted: each once.
    pub(crate) acted: BTreeSet<TaskOf>,
    /// The proposals that could not be carried out any more.
    pub(crate) given_up: BTreeSet<ApprovalId>,
}

impl World {
    /// Puts a chore at the end of the list and wakes the operator if it slept.
    pub(crate) fn chore(&mut self, chore: Chore) {
        self.operator.chores.push_back(chore);
        if self.operator.chores.len() == 1 {
            self.soon(1, 100, Event::Operates);
        }
    }

    /// The operator's next step.
    pub(crate) fn operates(&mut self) -> Checked {
        if self.clients[CLIENTS].outstanding.is_some() {
            return Ok(());
        }
        let Some(chore) = self.operator.chores.front().cloned() else { return Ok(()) };
        let command = match chore {
            Chore::Ask(command) => Some(*command),
            Chore::AskAs(login, command) => {
                self.asks_as(Some(login), *command);
                return Ok(());
            }
            Chore::Batches => self.batches()?,
            Chore::ByHand => return self.acts_by_hand(),
            Chore::Cut => Some(Command::CutDay { next: None }),
            Chore::Fetch(rail, date, part) => self.fetch(rail, date, part)?,
            Chore::Line(rail, date) => {
                let line = self.line(rail, date);
                if line.is_none() {
                    self.done_with_chore();
                    return Ok(());
                }
                line
            }
            Chore::Returns(date) => self.returns(date)?,
            Chore::Settle(merchant) => {
                let today = Date::in_shanghai(domain::envelope::Time(self.now));
                Some(Command::Settle { merchant, today })
            }
            Chore::Seal(date) => {
                let sealed = self.follower.state().days.get(date).is_some_and(|day| day.sealed.is_some());
                if sealed {
                    self.done_with_chore();
                    return Ok(());
                }
                Some(Command::SealDay(date))
            }
            Chore::Close(date) => return self.close(date),
        };
        match command {
            Some(command) => self.asks(command),
            // No answer, or nothing left of it: the list says.
            None => self.soon(200, 1_500, Event::Operates),
        }
        Ok(())
    }

    fn asks(&mut self, command: Command) {
        self.asks_as(None, command);
    }

    /// Asks in the name of a person, or in that of the operator's programs.
    pub(crate) fn asks_as(&mut self, login: Option<&str>, command: Command) {
        let mut request = client::request(CLIENTS, self.next_number(), command);
        if let Some(login) = login {
            request.meta.actor = Actor::Operator(login.to_owned());
        }
        let outstanding = self.outstanding(request, false);
        let called = client::name(&outstanding.request.command);
        let number = outstanding.number;
        self.say("operator", format_args!("asks {number}: {called}"));
        self.clients[CLIENTS].outstanding = Some(outstanding);
        self.after(0, Event::Wakes(CLIENTS));
    }

    pub(crate) fn done_with_chore(&mut self) {
        self.operator.chores.pop_front();
        self.soon(1, 200, Event::Operates);
    }

    /// What the operator does with an answer.
    pub(crate) fn operator_hears(&mut self, request: &Request, answer: &Answer) -> Checked {
        let chore = self.operator.chores.front().cloned();
        if let Err(refusal) = &answer.result
            && !may_be_refused(&request.command, refusal.code)
        {
            let asked = client::name(&request.command);
            return broken("the operator's work can be done", format!("{asked} is refused: {refusal}"));
        }
        match (&request.command, chore) {
            (Command::CutDay { .. }, Some(Chore::Cut)) => {
                let next = self.network.bank.clearing_date().tomorrow().expect("years before 9999");
                let moved = self.network.bank.set_clearing_date(next);
                moved.or_else(|error| broken("the operator's work can be done", error.to_string()))?;
                self.say("bank", format_args!("is on {next}"));
                self.done_with_chore();
            }
            (Command::TakeClearingFile(file), Some(Chore::Fetch(rail, date, part))) if !file.last => {
                self.operator.chores.pop_front();
                self.operator.chores.push_front(Chore::Fetch(rail, date, part + 1));
                self.soon(1, 100, Event::Operates);
            }
            (Command::ReserveLine(ReserveLineCommand::TakeLine(line)), Some(Chore::Line(rail, date))) => {
                self.line_is_heard(line, (rail, date), answer.result.is_err());
            }
            // One of several: the list is asked for again.
            (Command::ReturnPayout { .. }, Some(Chore::Returns(_)))
            | (Command::FundBatch(_), Some(Chore::Batches))
            | (Command::Task(_), Some(Chore::ByHand)) => self.soon(1, 100, Event::Operates),
            (Command::Approval(decided), Some(Chore::ByHand)) => {
                if let (ApprovalCommand::Approve { approval, .. }, Err(_)) = (decided, &answer.result) {
                    self.operator.given_up.insert(*approval);
                }
                self.soon(1, 100, Event::Operates);
            }
            (Command::CloseDay { date, .. }, Some(Chore::Close(_))) => {
                let closed = self.follower.state().days.get(*date).map(|day| day.status);
                if closed != Some(DayStatus::Closed) {
                    return broken("checks of the day", format!("{date} did not close: {closed:?}"));
                }
                self.done_with_chore();
            }
            (_, _) => self.done_with_chore(),
        }
        Ok(())
    }

    /// The command that takes a part of a clearing file; nothing if no answer came.
    fn fetch(&mut self, rail: Rail, date: Date, number: u32) -> Checked<Option<Command>> {
        let nonce = format!("{:016x}{:016x}", self.random.next(), self.random.next());
        let Some(channel) = self.network.channel(rail) else { return Ok(None) };
        if self.random.chance(self.weather.lost) {
            self.say("operator", format_args!("gets no clearing file of {}", rail.name()));
            return Ok(None);
        }
        let law = "a bank's file is believed";
        if !channel.manifest().statement {
            return self.lines(rail, date, number).map(Some);
        }
        let request = channel.build_statement(date, number, &nonce).or_else(|error| broken(law, error.to_string()))?;
        let response = self.network.exchange(&request);
        let part = channel.statement(&response.body).or_else(|error| broken(law, error.to_string()))?.into_inner();
        let last = number >= part.parts;
        let lines = part.lines.iter().map(ClearingLine::from).collect();
        Ok(Some(Command::TakeClearingFile(TakeClearingFile { rail, date, part: number, last, lines, channel: None })))
    }

    /// The same of a channel without a file: an operator brings the lines that the network shows.
    fn lines(&self, rail: Rail, date: Date, number: u32) -> Checked<Command> {
        let law = "a bank's file is believed";
        let civil = date.to_string().parse().expect("a date is a date");
        let Some(lines) = self.network.bank.lines(civil) else { return broken(law, format!("{date} is not over")) };
        let first = usize::try_from(number.saturating_sub(1)).expect("parts are few").saturating_mul(MAX_LINES);
        let line = |line: &Value| {
            let text = |name: &str| line.get(name).and_then(Value::as_str);
            let (serial, amount) = (text("serial")?.to_owned(), line.get("amount")?.as_i64()?);
            let (kind, currency) = (LineKind::parse(text("kind")?)?, Currency::parse(text("currency")?).ok()?);
            Some(ClearingLine { serial, kind, amount, currency, reference: None })
        };
        let part: Option<Vec<_>> = lines.iter().skip(first).take(MAX_LINES).map(line).collect();
        let Some(part_lines) = part else { return broken(law, format!("a line of {date} is none")) };
        let last = first.saturating_add(MAX_LINES) >= lines.len();
        let file = TakeClearingFile { rail, date, part: number, last, lines: part_lines, channel: None };
        Ok(Command::TakeClearingFile(file))
    }

    /// The command that books the next payment that came back; nothing, and the chore is done, if there is none.
    fn returns(&mut self, date: Date) -> Checked<Option<Command>> {
        let law = "a bank's file is believed";
        for rail in [Rail::Epcc, Rail::UnionPay] {
            let nonce = format!("{:016x}{:016x}", self.random.next(), self.random.next());
            let channel = self.network.channel(rail).filter(|channel| channel.manifest().lists_returns);
            let Some(channel) = channel else { continue };
            let request = channel.build_returns(date, &nonce).or_else(|error| broken(law, error.to_string()))?;
            let response: channels::Response = Network::exchange(&self.network, &request);
            let returns = channel.returns(&request, &response).or_else(|error| broken(law, error.to_string()))?;
            for back in returns.into_inner() {
                if let Some(payout) = self.to_be_returned(&back.serial) {
                    let (reference, date) = (back.reference, back.return_date);
                    return Ok(Some(Command::ReturnPayout { payout, reference, date }));
                }
            }
        }
        self.operator.chores.pop_front();
        Ok(None)
    }

    fn to_be_returned(&self, serial: &str) -> Option<PayoutId> {
        let state = self.follower.state();
        let attempt = attempt_of_serial(serial).and_then(|id| state.attempts.get(id.0))?;
        let Purpose::Payout(id) = attempt.purpose else { return None };
        state.payouts.get(id.0).filter(|payout| payout.status == PayoutStatus::Success).map(|payout| payout.id)
    }

    /// Looks at a sealed day; the rest follows once the projector has it. A crash in between begins it anew.
    fn close(&mut self, date: Date) -> Checked {
        // What is due happens first, else the check of holds finds it.
        self.soon(2_500, 5_000, Event::Operates);
        let clock = self.clock();
        let Some(node) = &self.node else { return Ok(()) };
        if node.closing.is_some() || node.engine.is_due(clock) {
            return Ok(());
        }
        let snapshot = close::snapshot(node.engine.state(), date);
        let snapshot = snapshot.or_else(|refusal| broken("the operator's work can be done", refusal.to_string()))?;
        let position = snapshot.position;
        self.say("operator", format_args!("looks at {date} at {position}"));
        self.give(Output::Snapshot(Box::new(snapshot)))?;
        self.close_if_projected()
    }

    /// The checks of a day are done and are to be told to the engine.
    pub(crate) fn operator_closes(&mut self, command: Command) {
        if self.clients[CLIENTS].outstanding.is_none() {
            self.asks(command);
        }
    }

    /// Everything that a cut day still needs: lines of the statement that were put off, its files, their lines, what
    /// came back, its merchants, its seal and its close.
    pub(crate) fn finish_day(&mut self, date: Date) {
        self.takes_owed_lines();
        for rail in CLEARED {
            self.chore(Chore::Fetch(rail, date, 1));
        }
        let after_close = self.draws_lines(date);
        self.chore(Chore::Returns(date));
        self.chore(Chore::Seal(date));
        self.chore(Chore::Close(date));
        for (rail, date) in after_close {
            self.chore(Chore::Line(rail, date));
        }
    }

    /// The opening: every command once, in fair weather.
    pub(crate) fn opens(&mut self, institution: &str) {
        for command in commands::opening(institution) {
            self.chore(Chore::Ask(Box::new(command)));
        }
        for (login, command) in by_hand::opening() {
            self.chore(Chore::AskAs(login, Box::new(command)));
        }
    }
}

/// What the operator may hear: that nothing is due to a merchant, that a line takes out what those of other sessions
/// have not brought to 1101 yet, that a payout came back already or cannot any more, that an order which waited for a
/// batch was closed, that a task is none any more or the balance where its money was to go takes none.
fn may_be_refused(command: &Command, code: RefusalCode) -> bool {
    matches!(
        (command, code),
        (Command::Settle { .. }, RefusalCode::NotCleared | RefusalCode::InsufficientFunds)
            | (Command::Settle { .. }, RefusalCode::AccountRestricted)
            | (Command::ReserveLine(_), RefusalCode::InsufficientFunds)
            | (Command::ReturnPayout { .. }, RefusalCode::PayoutState)
            | (Command::FundBatch(_), RefusalCode::FundBatchEmpty)
            | (Command::Task(_) | Command::Approval(_), RefusalCode::TaskState)
            | (Command::Approval(_), RefusalCode::TaskVoucher)
            | (Command::Approval(_), RefusalCode::AccountRestricted | RefusalCode::AccountClosed)
    )
}
