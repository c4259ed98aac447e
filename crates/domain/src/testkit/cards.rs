//! Acquiring for tests: prices, merchants, terminals, card transactions.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Kit, date, sealed};
use crate::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, CardRules, MerchantNumber, OpenAcquiring};
use crate::attempt::Rail;
use crate::calendar::Date;
use crate::card_clearing::{CardLine, CardLineKind, TakeCardFile};
use crate::card_fee::{CardFeeCommand, CardRate, CardScheme, CardType, SetCardCost, SetCardFeePlan};
use crate::card_transaction::{
    Card, CardAnswer, CardKind, CardTransaction, CardTransactionCommand, OriginalRef, RequestCardTransaction,
    ReversalReason, ReverseCardTransaction, Reverser, TraceKey, reference,
};
use crate::command::{Command, Reply};
use crate::ids::{AcquiringId, CardClearingId, CardTransactionId, MerchantId, TerminalId};
use crate::money::Minor;
use crate::refusal::RefusalCode;
use crate::terminal::{BindTerminal, Place, SignIn, TerminalCommand};

/// The plan of domain.md's fee tests: 0.50 % of debit and 0.60 % of credit cards.
pub(crate) const STANDARD: &str = "standard";

/// 2026-03-05, when the tests' books begin.
const FIRST_DAY: Date = Date(20_517);

/// What issuers and the network keep: 0.35 % up to 13, 0.45 %, and 0.0325 % up to 3.25.
pub(crate) const UNIONPAY: SetCardCost = SetCardCost {
    scheme: CardScheme::UnionPay,
    from: FIRST_DAY,
    debit: CardRate { rate: 3_500, cap: Some(1_300) },
    credit: CardRate { rate: 4_500, cap: None },
    network: CardRate { rate: 325, cap: Some(325) },
};

impl Kit {
    /// Sets the plan and the cost of domain.md's fee tests.
    pub(crate) fn card_prices(&mut self) {
        assert_eq!(FIRST_DAY, date("2026-03-05"));
        let rate = |rate| CardRate { rate, cap: None };
        let plan = SetCardFeePlan { code: STANDARD.into(), from: FIRST_DAY, debit: rate(5_000), credit: rate(6_000) };
        self.approved(CardFeeCommand::SetPlan(plan).into());
        self.approved(CardFeeCommand::SetCost(UNIONPAY).into());
    }
}

/// Where the tests' terminals stand.
pub(crate) const HOME: Place = Place { latitude: 39_908_722, longitude: 116_397_499 };

/// A merchant who takes cards, and its terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    pub(crate) merchant: MerchantId,
    pub(crate) acquiring: AcquiringId,
    pub(crate) terminal: TerminalId,
    pub(crate) number: MerchantNumber,
}

/// A card of UnionPay.
pub(crate) fn card(kind: CardType) -> Card {
    let (token, mask) = match kind {
        CardType::Debit => ("tok-debit-1", "622202******0001"),
        CardType::Credit => ("tok-credit-1", "625912******0002"),
    };
    Card { token: token.into(), mask: mask.into(), kind, scheme: CardScheme::UnionPay }
}

/// What a merchant takes under: the standard plan, without bounds.
pub(crate) fn terms() -> AcquiringTerms {
    let unbound = CardLimit::default();
    AcquiringTerms { fee_plan: STANDARD.into(), debit: unbound, credit: unbound, rules: CardRules::default() }
}

/// Yes, with an authorisation and a clearing date.
pub(crate) fn approved(day: &str) -> CardAnswer {
    CardAnswer::Approved { authorisation: Some(String::from("A00001")), clearing_date: date(day) }
}

/// A step of a card transaction as a command.
pub(crate) const fn of_card(command: CardTransactionCommand) -> Command {
    Command::CardTransaction(command)
}

impl Kit {
    /// A merchant who takes cards under these terms.
    pub(crate) fn acquired(&mut self, merchant: MerchantId, terms: AcquiringTerms) -> AcquiringId {
        let open = OpenAcquiring { merchant, acquirer: 898, area: 1_100, category: 6_513, terms };
        let Reply::Acquiring(id) = self.given(Command::Acquiring(AcquiringCommand::Open(open))) else {
            panic!("acquiring was opened")
        };
        id
    }

    /// A terminal with its key.
    pub(crate) fn keyed_terminal(&mut self) -> TerminalId {
        let serial = format!("N5000{:05}", self.state.terminals.next_id());
        let register = TerminalCommand::Register { serial, model: String::from("N5") };
        let Reply::Terminal(terminal) = self.given(Command::Terminal(register)) else { panic!("a terminal") };
        let (name, check_value) = (format!("terminal/{terminal}/master"), String::from("861E83E3"));
        self.given(Command::Terminal(TerminalCommand::LoadKey { terminal, name, check_value }));
        terminal
    }

    /// Binds a terminal at [`HOME`], with 500 m around it.
    pub(crate) fn bind(&mut self, terminal: TerminalId, acquiring: AcquiringId) -> Command {
        let address = sealed("北京市东城区***");
        let bind = BindTerminal { terminal, acquiring, address, place: HOME, tolerance_m: 500 };
        Command::Terminal(TerminalCommand::Bind(bind))
    }

    /// A terminal signs in with its own serial and its merchant's number.
    pub(crate) fn sign_in(&self, terminal: TerminalId) -> Command {
        let row = self.state.terminal(terminal).expect("it is registered");
        let number = row.binding.as_ref().expect("it is bound").number;
        Command::Terminal(TerminalCommand::SignIn(SignIn { terminal, serial: row.serial.clone(), number }))
    }

    /// A bound terminal of an acquiring that signed in.
    pub(crate) fn online(&mut self, acquiring: AcquiringId) -> Shop {
        let terminal = self.keyed_terminal();
        let bind = self.bind(terminal, acquiring);
        self.given(bind);
        self.given(self.sign_in(terminal));
        let acquiring = self.state.acquiring(acquiring).expect("it was opened");
        Shop { merchant: acquiring.merchant, acquiring: acquiring.id, terminal, number: acquiring.number }
    }

    /// Prices, a merchant and its terminal.
    pub(crate) fn shop(&mut self) -> Shop {
        if self.state.card_costs.is_empty() {
            self.card_prices();
        }
        let merchant = self.landlord();
        let acquiring = self.acquired(merchant, terms());
        self.online(acquiring)
    }

    /// A request in the terminal's batch, under its next trace.
    pub(crate) fn asks(
        &self,
        shop: Shop,
        kind: CardKind,
        card: Card,
        amount: Minor,
        original: Option<CardTransactionId>,
    ) -> RequestCardTransaction {
        let row = self.state.terminal(shop.terminal).expect("it is registered");
        let key = TraceKey { terminal: shop.terminal, batch: row.batch, trace: row.trace + 1 };
        let original = original.map(|id| OriginalRef::Reference(reference(id)));
        let local_date = Date::in_shanghai(self.now);
        RequestCardTransaction { kind, key, local_date, card, amount, original, authorisation: None }
    }

    /// Asks, and says which transaction it is.
    #[track_caller]
    pub(crate) fn asked(&mut self, request: RequestCardTransaction) -> CardTransactionId {
        let command = of_card(CardTransactionCommand::Request(Box::new(request)));
        let Reply::CardTransaction(id) = self.given(command) else { panic!("a card transaction") };
        id
    }

    /// Asks what must be refused with this code.
    #[track_caller]
    pub(crate) fn refused_card(&mut self, request: RequestCardTransaction, code: RefusalCode) {
        self.refused(of_card(CardTransactionCommand::Request(Box::new(request))), code);
    }

    /// The network's answer.
    #[track_caller]
    pub(crate) fn card_answer(&mut self, transaction: CardTransactionId, answer: CardAnswer) {
        self.given(of_card(CardTransactionCommand::Answer { transaction, answer }));
    }

    /// Asks and is approved.
    #[track_caller]
    pub(crate) fn carded(
        &mut self,
        shop: Shop,
        kind: CardKind,
        card_type: CardType,
        amount: Minor,
        original: Option<CardTransactionId>,
    ) -> CardTransactionId {
        let id = self.asked(self.asks(shop, kind, card(card_type), amount, original));
        let day = format!("{}", Date::in_shanghai(self.now));
        self.card_answer(id, approved(&day));
        id
    }

    /// What the terminal sends to take a transaction back.
    pub(crate) fn reverses(&self, transaction: CardTransactionId) -> ReverseCardTransaction {
        let row = self.card(transaction);
        let key = row.key.expect("a terminal asked for it");
        let (reason, by) = (ReversalReason::NoAnswer, Reverser::Terminal);
        ReverseCardTransaction { key, local_date: row.local_date, amount: row.amount, reason, by }
    }

    /// The network's answer to a reversal.
    #[track_caller]
    pub(crate) fn reversal_answer(&mut self, transaction: CardTransactionId, code: &str) {
        let code = code.into();
        self.given(of_card(CardTransactionCommand::AnswerReversal { transaction, code }));
    }

    /// A card transaction.
    #[track_caller]
    pub(crate) fn card(&self, id: CardTransactionId) -> &CardTransaction {
        self.state.card_transaction(id).expect("it was asked for")
    }

    /// The line of the network's file for a transaction, with the cost that we booked.
    pub(crate) fn card_line(&self, id: CardTransactionId) -> CardLine {
        let row = self.card(id);
        let (kind, cost) = match &row.taken {
            Some(taken) => (CardLineKind::Out, taken.cost),
            None => (CardLineKind::In, row.money.cost),
        };
        CardLine { reference: row.reference(), kind, amount: row.amount, cost }
    }

    /// Takes a file of cards in one part, and what its session awaits of the statement.
    #[track_caller]
    pub(crate) fn card_file(&mut self, day: &str, lines: Vec<CardLine>) -> CardClearingId {
        let id = self.card_file_alone(day, lines);
        self.take_session(Rail::UnionPay, day);
        id
    }

    /// Takes a file of cards in one part; its session awaits its line.
    #[track_caller]
    pub(crate) fn card_file_alone(&mut self, day: &str, lines: Vec<CardLine>) -> CardClearingId {
        let file = TakeCardFile { date: date(day), part: 1, last: true, lines };
        let Reply::CardClearing(id) = self.given(Command::TakeCardFile(file)) else { panic!("a file of cards") };
        id
    }
}
