//! Orders, cards, funds and clearing files for tests.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::{Kit, date, success};
use crate::account::Owner;
use crate::agreement::CreateAgreement;
use crate::attempt::{AttemptStatus, Outcome, Rail};
use crate::book::Book;
use crate::clearing::{ClearingLine, LineKind, TakeClearingFile};
use crate::command::{Command, Reply};
use crate::ids::{AccountId, ClearingId, MerchantId, OrderId, RefundId};
use crate::leg::{Instrument, LegStatus, OnPart};
use crate::limit::Factors;
use crate::money::{Currency, Minor};
use crate::order::{CreateOrder, Item, ItemKind, OrderStatus};
use crate::receiver::{ReceiverCommand, RegisterReceiver, Relation};
use crate::refund::{CreateRefund, RefundStatus};

/// A debit card on EPCC.
pub(crate) fn card(amount: Minor) -> Instrument {
    Instrument::Card {
        agreement: String::from("agreement-1"),
        mask: String::from("622202******1234"),
        rail: Rail::Epcc,
        amount,
        credit: false,
        bank: None,
        alternatives: Vec::new(),
        channel: None,
    }
}

/// Provident fund at a centre that holds first.
pub(crate) fn fund(amount: Minor) -> Instrument {
    Instrument::Fund { contract: String::from("lease-1"), amount, holds: true, monthly: None, on_part: None }
}

/// Provident fund at a centre that pays at once.
pub(crate) fn fund_at_once(amount: Minor) -> Instrument {
    Instrument::Fund { contract: String::from("lease-1"), amount, holds: false, monthly: None, on_part: None }
}

/// Provident fund at a centre that holds first, and may pay a part.
pub(crate) fn fund_in_part(amount: Minor, on_part: OnPart) -> Instrument {
    Instrument::Fund { contract: String::from("lease-1"), amount, holds: true, monthly: None, on_part: Some(on_part) }
}

/// UnionPay's page.
pub(crate) fn redirect(amount: Minor) -> Instrument {
    Instrument::Redirect { rail: Rail::UnionPay, amount, return_url: None, channel: None }
}

/// An account of the payer's, proved by two factors with certificate, which no day bounds.
pub(crate) fn balance(account: AccountId, amount: Minor) -> Instrument {
    Instrument::Balance { account, amount, factors: Factors::TwoWithCertificate }
}

impl Kit {
    /// An agreement account in RESERVE that pays one merchant.
    pub(crate) fn agreement_account(&mut self) -> AccountId {
        let (party, seller) = (self.user(), self.landlord());
        let receivers = vec![self.state.merchant(seller).expect("just opened").available];
        let create = CreateAgreement {
            number: format!("contract-{party}"),
            party: Owner::User(party),
            purpose: String::from("earnest money"),
            book: Book::Reserve,
            currency: Currency::Cny,
            receivers,
        };
        let Reply::Agreement(id) = self.given(Command::CreateAgreement(create)) else {
            panic!("the reply names what was made")
        };
        self.state.agreements.get(id.0).expect("just created").account
    }

    /// The command that creates an order of these items with one try.
    pub(crate) fn create_order(&mut self, merchant: MerchantId, items: &[(ItemKind, Minor)]) -> CreateOrder {
        let payer = self.user();
        CreateOrder {
            merchant,
            out_trade_no: format!("trade-{payer}"),
            payer,
            items: items.iter().map(|(kind, amount)| Item { kind: *kind, amount: *amount }).collect(),
            currency: Currency::Cny,
            destination: None,
            tries_allowed: 1,
            expires_at: None,
            instruments: Vec::new(),
        }
    }

    /// Creates an order.
    #[track_caller]
    pub(crate) fn order_of(&mut self, command: CreateOrder) -> OrderId {
        let Reply::Order(id) = self.given(Command::CreateOrder(command)) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// An order of these items with one try.
    #[track_caller]
    pub(crate) fn order(&mut self, merchant: MerchantId, items: &[(ItemKind, Minor)]) -> OrderId {
        let command = self.create_order(merchant, items);
        self.order_of(command)
    }

    /// Lets a merchant receive from splits of the payee's orders, as much as there is.
    #[track_caller]
    pub(crate) fn receives(&mut self, payee: MerchantId, receiver: MerchantId) {
        let register = RegisterReceiver { payee, receiver, relation: Relation::Agent, max_share: None };
        self.given(Command::Receiver(ReceiverCommand::Register(register)));
    }

    /// Tries to pay an order.
    #[track_caller]
    pub(crate) fn pay(&mut self, order: OrderId, instruments: Vec<Instrument>) {
        self.given(Command::PayOrder { order, instruments });
    }

    /// Rent paid by card, with the clearing date 2026-03-05.
    #[track_caller]
    pub(crate) fn paid_rent(&mut self, merchant: MerchantId, amount: Minor) -> OrderId {
        let order = self.order(merchant, &[(ItemKind::Rent, amount)]);
        self.pay(order, vec![card(amount)]);
        self.answered(success("2026-03-05"));
        order
    }

    /// Rent 3,000 and deposit 3,200, to be paid by 3,000 of a fund that holds and 3,200 of a card.
    #[track_caller]
    pub(crate) fn combined(&mut self, merchant: MerchantId) -> OrderId {
        let order = self.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
        self.pay(order, vec![card(3_200), fund(3_000)]);
        order
    }

    /// Where an order stands.
    #[track_caller]
    pub(crate) fn status(&self, order: OrderId) -> OrderStatus {
        self.state.order(order).expect("the order is there").status
    }

    /// Where the legs of an order stand, in the order of the instruments.
    #[track_caller]
    pub(crate) fn legs(&self, order: OrderId) -> Vec<LegStatus> {
        let order = self.state.order(order).expect("the order is there");
        order.legs.iter().map(|leg| self.state.leg(*leg).expect("the leg is there").status).collect()
    }

    /// What may be done with an order.
    #[track_caller]
    pub(crate) fn actions(&self, order: OrderId) -> Vec<&'static str> {
        self.state.order(order).expect("the order is there").allowed_actions(&self.state)
    }

    /// The command that refunds an order.
    pub(crate) fn create_refund(&self, order: OrderId, amount: Minor, return_fee: bool) -> CreateRefund {
        let out_refund_no = format!("refund-{}", self.state.refunds.next_id());
        let (take_from, items, legs) = (Vec::new(), Vec::new(), Vec::new());
        CreateRefund { order, out_refund_no, amount, return_fee, take_from, items, legs }
    }

    /// Starts a refund.
    #[track_caller]
    pub(crate) fn refund(&mut self, order: OrderId, amount: Minor, return_fee: bool) -> RefundId {
        let command = self.create_refund(order, amount, return_fee);
        let Reply::Refund(id) = self.given(Command::CreateRefund(command)) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// Where a refund stands.
    #[track_caller]
    pub(crate) fn refund_status(&self, refund: RefundId) -> RefundStatus {
        self.state.refund(refund).expect("the refund is there").status
    }

    /// The lines of a clearing file with all that succeeded on a rail up to a date and was not cleared yet.
    pub(crate) fn clearing_lines(&self, rail: Rail, day: &str) -> Vec<ClearingLine> {
        let attempts = self.state.attempts.iter().map(|(_, attempt)| attempt);
        let done = attempts.filter(|attempt| attempt.rail == rail && attempt.cleared.is_none()).filter(|attempt| {
            matches!(&attempt.status, AttemptStatus::Settled(Outcome::Success { clearing_date, .. })
                if *clearing_date <= date(day))
        });
        done.filter_map(|attempt| {
            let kind = LineKind::of(&attempt.operation)?;
            let (amount, currency) = attempt.operation.money();
            Some(ClearingLine { serial: attempt.serial().to_string(), kind, amount, currency, reference: None })
        })
        .collect()
    }

    /// Takes a clearing file of one part, and what its session awaits of the statement.
    #[track_caller]
    pub(crate) fn take_file(&mut self, rail: Rail, day: &str, lines: Vec<ClearingLine>) -> ClearingId {
        let id = self.take_file_alone(rail, day, lines);
        self.take_session(rail, day);
        id
    }

    /// Takes a clearing file of one part; its session awaits its line.
    #[track_caller]
    pub(crate) fn take_file_alone(&mut self, rail: Rail, day: &str, lines: Vec<ClearingLine>) -> ClearingId {
        let file = TakeClearingFile { rail, date: date(day), part: 1, last: true, lines, channel: None };
        let Reply::Clearing(id) = self.given(Command::TakeClearingFile(file)) else {
            panic!("the reply names what was made")
        };
        id
    }

    /// Takes a file that matches everything of a rail, and the session's line of the statement.
    #[track_caller]
    pub(crate) fn clear(&mut self, rail: Rail, day: &str) -> ClearingId {
        let lines = self.clearing_lines(rail, day);
        self.take_file(rail, day, lines)
    }

    /// Settles what is due to a merchant today.
    #[track_caller]
    pub(crate) fn settle(&mut self, merchant: MerchantId) {
        let today = crate::calendar::Date::in_shanghai(self.now);
        self.given(Command::Settle { merchant, today });
    }
}
