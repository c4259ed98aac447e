//! Rows of acquiring: card fees, merchants' acquiring, terminals, card transactions, batch closes, the network's file.

use domain::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, CardRules, OpenAcquiring};
use domain::batch_close::{BatchCloseCommand, BatchCloseStatus, BatchTotals};
use domain::card_clearing::{CardLine, CardLineKind, TakeCardFile};
use domain::card_fee::{CardFeeCommand, CardRate, CardScheme, CardType, SetCardCost, SetCardFeePlan};
use domain::card_transaction::{
    Card, CardAnswer, CardKind, CardStatus, CardTransactionCommand, OriginalRef, RequestCardTransaction, TraceKey,
};
use domain::ids::{AcquiringId, CardTransactionId, MerchantId, TerminalId};
use domain::merchant::MerchantKind;
use domain::terminal::{BindTerminal, Place as Home, SignIn, TerminalCommand, TerminalStatus};
use domain::terminal_parameter::SetParameters;
use domain::{Command, Reply};
use store::acquiring::AcquiringFilter;
use store::batch_close::BatchCloseFilter;
use store::card_clearing::CardClearingFilter;
use store::card_fee::{CardCostFilter, CardFeePlanFilter};
use store::card_transaction::CardTransactionFilter;
use store::terminal::TerminalFilter;
use store::terminal_parameter::ParameterSetFilter;
use store::{Filter, list};

use crate::place::{Place, on_both};
use crate::world::{World, date, sealed};

on_both! {
    filters_narrow_each_list_of_cards
}

impl World {
    /// A merchant whose terminal sold, asked for a refund, closed a batch and was cleared. From an empty world or behind a
    /// full one.
    pub(crate) fn cards(&mut self) -> (MerchantId, TerminalId) {
        let from = self.state.days.posting_date(None).unwrap();
        let rate = |rate, cap| CardRate { rate, cap };
        let (code, debit, credit) = ("standard".into(), rate(5_000, None), rate(6_000, None));
        let plan = CardFeeCommand::SetPlan(SetCardFeePlan { code, from, debit, credit });
        self.as_approved(Command::CardFee(plan));
        let (debit, credit, network) = (rate(3_500, Some(1_300)), rate(4_500, None), rate(325, Some(325)));
        let cost = SetCardCost { scheme: CardScheme::UnionPay, from, debit, credit, network };
        self.as_approved(Command::CardFee(CardFeeCommand::SetCost(cost)));
        let merchant = self.merchant(MerchantKind::Landlord, "王*");
        let terminal = self.terminal(merchant);
        let (name, settings) = ("standard".into(), "1103".into());
        let set = SetParameters { name, public_keys: Vec::new(), applications: Vec::new(), settings };
        self.given(Command::SetParameters(set));
        let sale = self.card(terminal, CardKind::Sale, 1, 1_000_000, None);
        let clearing_date = from;
        let answer = CardAnswer::Approved { authorisation: Some("A00001".into()), clearing_date };
        self.given(Command::CardTransaction(CardTransactionCommand::Answer { transaction: sale, answer }));
        let original = Some(OriginalRef::Trace { batch: 1, trace: 1 });
        self.card(terminal, CardKind::Refund, 2, 400_000, original);
        let theirs = BatchTotals::default();
        let close = |command| Command::BatchClose(command);
        self.given(close(BatchCloseCommand::Close { terminal, batch: 1, theirs }));
        self.given(close(BatchCloseCommand::EndUpload { terminal, count: 0 }));
        let reference = self.state.card_transaction(sale).unwrap().reference();
        let line = CardLine { reference, kind: CardLineKind::In, amount: 1_000_000, cost: 4_825 };
        let file = TakeCardFile { date: from, part: 1, last: true, lines: vec![line] };
        self.given(Command::TakeCardFile(file));
        (merchant, terminal)
    }

    fn terminal(&mut self, merchant: MerchantId) -> TerminalId {
        let unbound = CardLimit::default();
        let terms = AcquiringTerms {
            fee_plan: "standard".into(),
            debit: unbound,
            credit: unbound,
            rules: CardRules::default(),
        };
        let open = OpenAcquiring { merchant, acquirer: 898, area: 1_100, category: 6_513, terms };
        let Reply::Acquiring(acquiring) = self.given(Command::Acquiring(AcquiringCommand::Open(open))) else {
            panic!("not acquiring")
        };
        let of = |command| Command::Terminal(command);
        let register = TerminalCommand::Register { serial: "N500000001".into(), model: "N5".into() };
        let Reply::Terminal(terminal) = self.given(of(register)) else { panic!("not a terminal") };
        let (name, check_value) = ("terminal/1/master".into(), "861E83E3".into());
        self.given(of(TerminalCommand::LoadKey { terminal, name, check_value }));
        let (address, place) = (sealed("北京市***"), Home { latitude: 39_908_722, longitude: 116_397_499 });
        self.given(of(TerminalCommand::Bind(BindTerminal { terminal, acquiring, address, place, tolerance_m: 500 })));
        let number = self.state.acquiring(acquiring).unwrap().number;
        self.given(of(TerminalCommand::SignIn(SignIn { terminal, serial: "N500000001".into(), number })));
        terminal
    }

    fn card(
        &mut self,
        terminal: TerminalId,
        kind: CardKind,
        trace: u32,
        amount: i64,
        original: Option<OriginalRef>,
    ) -> CardTransactionId {
        let (token, mask) = ("tok-1".into(), "625912******0002".into());
        let card = Card { token, mask, kind: CardType::Credit, scheme: CardScheme::UnionPay };
        let (key, local_date) = (TraceKey { terminal, batch: 1, trace }, date(3, 5));
        let request = RequestCardTransaction { kind, key, local_date, card, amount, original, authorisation: None };
        let command = CardTransactionCommand::Request(Box::new(request));
        let Reply::CardTransaction(id) = self.given(Command::CardTransaction(command)) else {
            panic!("not a card transaction")
        };
        id
    }
}

fn filters_narrow_each_list_of_cards(place: &Place) {
    fn count<F: Filter>(database: &store::Database, filter: F) -> usize {
        list(database, &filter, None, 10).unwrap().data.len()
    }
    let database = place.open();
    let mut world = World::new();
    let (merchant, terminal) = world.cards();
    world.store(&database);
    let db = &database;
    let (merchant, terminal) = (Some(merchant), Some(terminal));
    assert_eq!(count(db, ParameterSetFilter { name: Some("standard".into()) }), 1);
    assert_eq!(count(db, ParameterSetFilter { name: Some("small".into()) }), 0);
    assert_eq!(count(db, CardFeePlanFilter { code: Some("standard".into()) }), 1);
    assert_eq!(count(db, CardFeePlanFilter { code: Some("small".into()) }), 0);
    assert_eq!(count(db, CardCostFilter { scheme: Some(CardScheme::UnionPay) }), 1);
    assert_eq!(count(db, CardCostFilter { scheme: Some(CardScheme::Visa) }), 0);
    let number = world.state.acquiring(AcquiringId(1)).unwrap().number;
    assert_eq!(count(db, AcquiringFilter { merchant, number: Some(number), status: Some("active") }), 1);
    assert_eq!(count(db, AcquiringFilter { status: Some("suspended"), ..Default::default() }), 0);
    let online = Some(TerminalStatus::Online);
    assert_eq!(count(db, TerminalFilter { serial: Some("N500000001".into()), status: online, merchant }), 1);
    assert_eq!(count(db, TerminalFilter { serial: Some("N599999999".into()), ..Default::default() }), 0);
    for (filter, found) in [
        (CardTransactionFilter { merchant, terminal, batch: Some(1), ..Default::default() }, 2),
        (CardTransactionFilter { terminal, batch: Some(1), trace: Some(2), ..Default::default() }, 1),
        (
            CardTransactionFilter {
                kind: Some(CardKind::Sale),
                status: Some(CardStatus::Approved),
                ..Default::default()
            },
            1,
        ),
        (CardTransactionFilter { original: Some(CardTransactionId(1)), ..Default::default() }, 1),
        (CardTransactionFilter { status: Some(CardStatus::Reversed), ..Default::default() }, 0),
        (CardTransactionFilter { requested_from: Some(date(3, 6)), ..Default::default() }, 0),
        (CardTransactionFilter { requested_to: Some(date(3, 5)), ..Default::default() }, 2),
    ] {
        assert_eq!(count(db, filter), found, "{filter:?}");
    }
    let uploaded = Some(BatchCloseStatus::Uploaded);
    assert_eq!(count(db, BatchCloseFilter { terminal, batch: Some(1), status: uploaded }), 1);
    assert_eq!(count(db, BatchCloseFilter { batch: Some(2), ..Default::default() }), 0);
    assert_eq!(count(db, CardClearingFilter { date: Some(date(3, 5)) }), 1);
    assert_eq!(count(db, CardClearingFilter { date: Some(date(3, 6)) }), 0);
}
