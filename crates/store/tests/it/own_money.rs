//! Rows of own money: the statement of the reserve account, transfers, chargebacks, arrears, advances.

use domain::advance::{AdvanceCommand, AdvanceStatus, RequestAdvance, SetAdvancePolicy};
use domain::attempt::{Outcome, Rail};
use domain::book::Subject;
use domain::chargeback::{ChargebackCommand, ChargebackStatus, ReceiveChargeback};
use domain::ids::{AdvanceId, MerchantId, OrderId};
use domain::leg::Instrument;
use domain::merchant::MerchantKind;
use domain::money::Currency;
use domain::order::{CreateOrder, Item, ItemKind};
use domain::own_transfer::{InstructTransfer, OwnTransferCommand, OwnTransferStatus};
use domain::reserve_line::{LineDirection, ReserveLineCommand, TakeReserveBalance, TakeReserveLine};
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
use domain::{Command, Reply};
use store::advance::{AdvanceFilter, AdvancePolicyFilter};
use store::arrears::ArrearsFilter;
use store::attempt::AttemptFilter;
use store::chargeback::ChargebackFilter;
use store::own_transfer::OwnTransferFilter;
use store::reserve_line::{ReserveBalanceFilter, ReserveLineFilter};
use store::{Filter, list};

use crate::place::{Place, on_both};
use crate::world::{World, date};

on_both! {
    filters_narrow_each_list_of_own_money
}

impl World {
    /// Own money injected; a chargeback that it pays for; an advance that is on its way. From an empty world or behind a
    /// full one.
    pub(crate) fn own_money(&mut self) -> MerchantId {
        let (day, currency) = (self.state.days.posting_date(None).unwrap(), Currency::Cny);
        let own = |subject| self.state.institution(subject, currency).unwrap();
        let (bank, capital) = (own(Subject::OwnBank), own(Subject::Capital));
        self.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("capital".into()),
            event: EventCode::Transfer,
            date: None,
            entries: vec![Entry::debit(bank, 1_000_000, currency), Entry::credit(capital, 1_000_000, currency)],
            dimensions: None,
        }));
        let inject = OwnTransferCommand::Inject(InstructTransfer { amount: 60_000, currency });
        self.as_approved(Command::OwnTransfer(inject));
        for (reference, amount) in [("injected", 60_000), ("stray", 7)] {
            let (reference, direction) = (reference.into(), LineDirection::In);
            let line =
                TakeReserveLine { reference, date: day, direction, amount, currency, target: None, suspense: false };
            self.given(Command::ReserveLine(ReserveLineCommand::TakeLine(line)));
        }
        let balance = TakeReserveBalance { date: day, balance: 60_007, currency };
        self.given(Command::ReserveLine(ReserveLineCommand::TakeBalance(balance)));

        // Two payments: the first is charged back and its merchant has been paid it out of the bank's reach by the advance.
        let merchant = self.merchant(MerchantKind::Landlord, "李*");
        let policy = SetAdvancePolicy {
            fee_rate: 0,
            merchant_quota: 1_000_000,
            total_quota: 1_000_000,
            min_days: 0,
            min_trading_days: 1,
        };
        self.as_approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
        let order = self.paid_by_union_card(merchant);
        let request = RequestAdvance { merchant, orders: vec![order] };
        self.given(Command::Advance(AdvanceCommand::Request(request)));
        let leg = self.state.order(order).unwrap().legs[0];
        let (case_number, reason) = ("C-1".into(), "4853".into());
        let receive = ReceiveChargeback { leg, case_number, reason, amount: 50_000, currency };
        let reply = self.given(Command::Chargeback(ChargebackCommand::Receive(receive)));
        let Reply::Chargeback(chargeback) = reply else { panic!("not a chargeback") };
        self.given(Command::Chargeback(ChargebackCommand::Book(chargeback)));
        merchant
    }

    fn paid_by_union_card(&mut self, merchant: MerchantId) -> OrderId {
        let payer_customer = self.customer(domain::customer::CustomerKind::Person);
        let payer = self.user(payer_customer, "cards");
        let (out_trade_no, currency, amount) = ("U-1".into(), Currency::Cny, 50_000);
        let items = vec![Item { kind: ItemKind::Rent, amount }];
        let create = CreateOrder {
            merchant,
            out_trade_no,
            payer,
            items,
            currency,
            destination: None,
            tries_allowed: 1,
            expires_at: None,
            instruments: Vec::new(),
        };
        let Reply::Order(order) = self.given(Command::CreateOrder(create)) else { panic!("not an order") };
        let (agreement, mask) = ("AG-2".into(), "622202******0002".into());
        let card = Instrument::Card {
            agreement,
            mask,
            rail: Rail::UnionPay,
            amount,
            credit: false,
            bank: None,
            alternatives: Vec::new(),
            channel: None,
        };
        self.given(Command::PayOrder { order, instruments: vec![card] });
        self.answered(&Outcome::Success { reference: "ref".into(), clearing_date: date(3, 5), part: None });
        order
    }
}

fn filters_narrow_each_list_of_own_money(place: &Place) {
    fn count<F: Filter>(database: &store::Database, filter: F) -> usize {
        list(database, &filter, None, 10).unwrap().data.len()
    }
    let database = place.open();
    let mut world = World::new();
    let merchant = world.own_money();
    world.store(&database);
    let db = &database;
    let (day, next) = (Some(date(3, 5)), Some(date(3, 6)));
    for (filter, found) in [
        (ReserveLineFilter { reference: Some("stray".into()), suspended: Some(true), ..Default::default() }, 1),
        (ReserveLineFilter { reference: Some("injected".into()), suspended: Some(true), ..Default::default() }, 0),
        (ReserveLineFilter { date: day, direction: Some(LineDirection::In), ..Default::default() }, 2),
        (ReserveLineFilter { direction: Some(LineDirection::Out), ..Default::default() }, 0),
        (ReserveLineFilter { date: next, ..Default::default() }, 0),
    ] {
        assert_eq!(count(db, filter.clone()), found, "{filter:?}");
    }
    assert_eq!(count(db, ReserveBalanceFilter { date: day }), 1);
    assert_eq!(count(db, ReserveBalanceFilter { date: next }), 0);
    let done = Some(OwnTransferStatus::Done);
    assert_eq!(count(db, OwnTransferFilter { kind: Some("injection"), status: done }), 1);
    assert_eq!(count(db, OwnTransferFilter { kind: Some("income_sweep"), status: None }), 0);
    assert_eq!(count(db, OwnTransferFilter { kind: None, status: Some(OwnTransferStatus::Open) }), 0);
    assert_eq!(count(db, ArrearsFilter { merchant: Some(merchant), status: Some("open") }), 1);
    assert_eq!(count(db, ArrearsFilter { merchant: Some(merchant), status: Some("settled") }), 0);
    for (filter, found) in [
        (ChargebackFilter { merchant: Some(merchant), order: Some(OrderId(1)), ..Default::default() }, 1),
        (ChargebackFilter { case_number: Some("C-1".into()), ..Default::default() }, 1),
        (ChargebackFilter { case_number: Some("C-2".into()), ..Default::default() }, 0),
        (ChargebackFilter { status: Some(ChargebackStatus::Received), ..Default::default() }, 0),
    ] {
        assert_eq!(count(db, filter.clone()), found, "{filter:?}");
    }
    for (filter, found) in [
        (
            AdvanceFilter {
                merchant: Some(merchant),
                status: Some(AdvanceStatus::Sent),
                date: day,
                ..Default::default()
            },
            1,
        ),
        (AdvanceFilter { status: Some(AdvanceStatus::Repaid), ..Default::default() }, 0),
        (AdvanceFilter { date: next, ..Default::default() }, 0),
        (AdvanceFilter { needs_person: Some(false), ..Default::default() }, 1),
        (AdvanceFilter { needs_person: Some(true), ..Default::default() }, 0),
    ] {
        assert_eq!(count(db, filter), found, "{filter:?}");
    }
    assert_eq!(count(db, AdvancePolicyFilter), 1);
    let purpose = Some(domain::attempt::Purpose::Advance(AdvanceId(1)));
    assert_eq!(count(db, AttemptFilter { purpose, ..Default::default() }), 1);
}
