//! Own money, statement lines and advances for tests.

use alloc::vec::Vec;
use alloc::{format, vec};

use super::{Kit, date, success};
use crate::advance::{AdvanceCommand, RequestAdvance, SetAdvancePolicy};
use crate::arrears::Arrears;
use crate::attempt::Rail;
use crate::book::Subject;
use crate::business_day::CheckResult;
use crate::calendar::Date;
use crate::clearing::ClearingLine;
use crate::command::{Command, Reply};
use crate::ids::{AdvanceId, ClearingId, LegId, MerchantId, OrderId, OwnTransferId, ReserveLineId};
use crate::leg::Instrument;
use crate::money::{Currency, Minor};
use crate::order::ItemKind;
use crate::own_transfer::{InstructTransfer, OwnTransferCommand};
use crate::reserve_line::{LineDirection, LineTarget, ReserveLineCommand, TakeReserveLine};
use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};

/// A debit card on UnionPay.
pub(crate) fn union_card(amount: Minor) -> Instrument {
    let (agreement, mask) =
        (alloc::string::String::from("agreement-2"), alloc::string::String::from("622202******5678"));
    Instrument::Card {
        agreement,
        mask,
        rail: Rail::UnionPay,
        amount,
        credit: false,
        bank: None,
        alternatives: Vec::new(),
        channel: None,
    }
}

impl Kit {
    /// Capital comes in: Dr 1103 / Cr 3001.
    pub(crate) fn capital(&mut self, amount: Minor) {
        let account = |subject| self.state.institution(subject, Currency::Cny).expect("genesis opened it");
        let (bank, capital) = (account(Subject::OwnBank), account(Subject::Capital));
        let number = format!("capital-{}", self.events.len());
        self.approved(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text(number.into_boxed_str()),
            event: EventCode::Transfer,
            date: None,
            entries: vec![Entry::debit(bank, amount, Currency::Cny), Entry::credit(capital, amount, Currency::Cny)],
            dimensions: None,
        }));
    }

    /// Instructs an income sweep with two people.
    #[track_caller]
    pub(crate) fn sweep(&mut self, amount: Minor) -> OwnTransferId {
        let command = OwnTransferCommand::SweepIncome(InstructTransfer { amount, currency: Currency::Cny });
        let Reply::OwnTransfer(id) = self.approved(Command::OwnTransfer(command)) else { panic!("a transfer") };
        id
    }

    /// Instructs an injection with two people.
    #[track_caller]
    pub(crate) fn inject(&mut self, amount: Minor) -> OwnTransferId {
        let command = OwnTransferCommand::Inject(InstructTransfer { amount, currency: Currency::Cny });
        let Reply::OwnTransfer(id) = self.approved(Command::OwnTransfer(command)) else { panic!("a transfer") };
        id
    }

    /// A line of today's statement.
    pub(crate) fn line(&self, reference: &str, direction: LineDirection, amount: Minor) -> TakeReserveLine {
        let (date, currency) = (Date::in_shanghai(self.now), Currency::Cny);
        TakeReserveLine {
            reference: reference.into(),
            date,
            direction,
            amount,
            currency,
            target: None,
            suspense: false,
        }
    }

    /// Takes a line of the statement.
    #[track_caller]
    pub(crate) fn take_line(&mut self, line: TakeReserveLine) -> ReserveLineId {
        let command = Command::ReserveLine(ReserveLineCommand::TakeLine(line));
        let Reply::ReserveLine(id) = self.given(command) else { panic!("a line") };
        id
    }

    /// Takes a clearing file of one part as level 17 did: it books what it brings before the statement's line.
    #[track_caller]
    pub(crate) fn take_file_of_before(&mut self, rail: Rail, day: &str, lines: Vec<ClearingLine>) -> ClearingId {
        // As if something of the session were booked already.
        self.state.booked_sessions.insert((rail, date(day)), 0);
        self.take_file_alone(rail, day, lines)
    }

    /// Takes the line of the statement that a clearing session awaits, if it awaits one.
    #[track_caller]
    pub(crate) fn take_session(&mut self, rail: Rail, day: &str) {
        let date = date(day);
        let Some(amount) = self.state.awaited_sessions.get(&(rail, date)).copied() else { return };
        let direction = if amount > 0 { LineDirection::In } else { LineDirection::Out };
        let line = self.line(&format!("session-{}", self.events.len()), direction, amount.saturating_abs());
        self.take_line(TakeReserveLine { target: Some(LineTarget::Clearing { rail, date }), ..line });
    }

    /// Capital, an injection and its line: own money for a shortfall.
    #[track_caller]
    pub(crate) fn injected(&mut self, amount: Minor) {
        self.capital(amount);
        self.inject(amount);
        let line = self.line(&format!("injected-{}", self.events.len()), LineDirection::In, amount);
        self.take_line(line);
    }

    /// The checks of the open day, of which one has a break; the day stays cut.
    pub(crate) fn broken_day(&mut self) {
        let day = self.state.days.current().expect("a day is open");
        self.given(Command::CutDay { next: None });
        self.fail_checks(day, false);
    }

    /// Seals a cut day and takes one check of it.
    pub(crate) fn fail_checks(&mut self, date: Date, holds: bool) {
        self.given(Command::SealDay(date));
        let position = self.state.days.get(date).and_then(|day| day.sealed).expect("it was sealed");
        let check = CheckResult {
            name: "cover".into(),
            holds,
            detail: "1 is not 2".into(),
            vouchers: Vec::new(),
            waived: None,
        };
        self.given(Command::CloseDay { date, position, checks: vec![check] });
    }

    /// Rent paid by a card on UnionPay, with the clearing date 2026-03-05, and its leg.
    #[track_caller]
    pub(crate) fn paid_by_union_card(&mut self, merchant: MerchantId, amount: Minor) -> (OrderId, LegId) {
        let order = self.order(merchant, &[(ItemKind::Rent, amount)]);
        self.pay(order, vec![union_card(amount)]);
        self.answered(success("2026-03-05"));
        let leg = self.state.order(order).expect("it was paid").legs.first().copied().expect("it has a leg");
        (order, leg)
    }

    /// Rules for advances that any merchant meets, without a fee.
    pub(crate) fn open_policy(&mut self) -> SetAdvancePolicy {
        let policy = SetAdvancePolicy {
            fee_rate: 0,
            merchant_quota: 10_000,
            total_quota: 20_000,
            min_days: 0,
            min_trading_days: 1,
        };
        self.approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
        policy
    }

    /// Asks for an advance.
    #[track_caller]
    pub(crate) fn advance(&mut self, merchant: MerchantId, orders: &[OrderId]) -> AdvanceId {
        let command = AdvanceCommand::Request(RequestAdvance { merchant, orders: orders.to_vec() });
        let Reply::Advance(id) = self.given(Command::Advance(command)) else { panic!("an advance") };
        id
    }

    /// What a merchant owes, as (amount, left).
    pub(crate) fn owes(&self, merchant: MerchantId) -> Vec<(Minor, Minor)> {
        self.state.arrears_of(merchant).map(|it: &Arrears| (it.amount, it.left())).collect()
    }
}
