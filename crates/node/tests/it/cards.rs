//! A terminal's shift: sales, a void, a completion, silence and its reversal, a refund, a batch close, the network's file,
//! the settlement, a chargeback, a refund of what left memory. The node is killed after every step; what it finds again is what it had, and
//! every answer is the same. And many sales, with steps, checkpoints and crashes at random.

use std::path::Path;

use domain::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, CardRules, OpenAcquiring};
use domain::approval::{ApprovalCommand, Proposal, Propose};
use domain::batch_close::{BatchCloseCommand, BatchCloseStatus, BatchTotals, Totals, UploadedRecord};
use domain::book::Subject;
use domain::card_clearing::{CardLine, CardLineKind, TakeCardFile};
use domain::card_fee::{CardFeeCommand, CardRate, CardScheme, CardType, SetCardCost, SetCardFeePlan};
use domain::card_transaction::{
    Card, CardAnswer, CardKind, CardStatus, CardTransactionCommand, CreditAdjustment, OriginalRef,
    RequestCardTransaction, ReversalReason, ReverseCardTransaction, Reverser, TraceKey,
};
use domain::chargeback::{ChargebackCommand, ReceiveCardChargeback};
use domain::ids::{ApprovalId, CardTransactionId, MerchantId, TerminalId};
use domain::money::{Currency, Minor};
use domain::operator::{OperatorCommand, Role};
use domain::reserve_line::{LineDirection, ReserveLineCommand, TakeReserveLine};
use domain::sealed::{DataClass, Sealed};
use domain::terminal::{BindTerminal, Place, SignIn, TerminalCommand};
use domain::{Command, Reply};

use crate::crash_world::Node;

const SERIAL: &str = "N500000001";
const HOME: Place = Place { latitude: 39_908_722, longitude: 116_397_499 };
const TERMINAL: TerminalId = TerminalId(1);

/// A node that is killed and started again after every step, every third time behind a checkpoint.
struct Shift<'d> {
    directory: &'d Path,
    node: Option<Node>,
    steps: u32,
}

impl Shift<'_> {
    fn node(&mut self) -> &mut Node {
        self.node.as_mut().expect("it runs")
    }

    fn crash(&mut self) {
        let mut node = self.node.take().expect("it runs");
        node.flush();
        self.steps += 1;
        if self.steps.is_multiple_of(3) {
            node.checkpoint();
            node.flush();
        }
        let now = node.today();
        drop(node);
        let node = Node::start(self.directory, 1);
        assert_eq!(node.today(), now);
        self.node = Some(node);
    }

    /// All that is closed leaves memory, and the node is killed behind it.
    fn let_go(&mut self) {
        for _ in 0..2 {
            self.node().flush();
            self.node().checkpoint();
        }
        self.crash();
    }

    fn in_memory(&mut self) -> Vec<u64> {
        self.node().engine.state().card_transactions.iter().map(|(id, _)| id).collect()
    }

    fn given(&mut self, command: Command) -> Reply {
        let reply = self.node().given(command);
        self.crash();
        reply
    }

    fn decided(&mut self, maker: &str, checker: &str, proposal: Proposal) {
        let propose = Propose { proposal, reason: "as agreed".into(), evidence: None };
        let propose = Command::Approval(ApprovalCommand::Propose(Box::new(propose)));
        let Reply::Approval(approval) = self.node().given_by(maker, propose) else { panic!("it was proposed") };
        self.approved(checker, approval);
        self.crash();
    }

    fn approved(&mut self, checker: &str, approval: ApprovalId) {
        let state = self.node().engine.state();
        let step = state.operators.iter().map(|(_, it)| it.last_totp_step).max().unwrap_or_default() + 1;
        let approve = ApprovalCommand::Approve { approval, totp_step: step, remark: None };
        self.node().given_by(checker, Command::Approval(approve));
    }

    fn card(&mut self, kind: CardKind, trace: u32, amount: Minor, original: Option<u32>) -> CardTransactionId {
        let batch = self.node().engine.state().terminal(TERMINAL).unwrap().batch;
        self.card_of(kind, trace, amount, original.map(|trace| OriginalRef::Trace { batch, trace }))
    }

    fn card_of(
        &mut self,
        kind: CardKind,
        trace: u32,
        amount: Minor,
        original: Option<OriginalRef>,
    ) -> CardTransactionId {
        let batch = self.node().engine.state().terminal(TERMINAL).unwrap().batch;
        let key = TraceKey { terminal: TERMINAL, batch, trace };
        let (token, mask) = ("tok-1".into(), "625912******0002".into());
        let card = Card { token, mask, kind: CardType::Credit, scheme: CardScheme::UnionPay };
        let (local_date, authorisation) = (self.node().today(), None);
        let request = RequestCardTransaction { kind, key, local_date, card, amount, original, authorisation };
        let command = Command::CardTransaction(CardTransactionCommand::Request(Box::new(request)));
        let reply = self.given(command.clone());
        // The terminal asks again after the crash, and it is the same transaction.
        assert_eq!(self.given(command), reply);
        let Reply::CardTransaction(id) = reply else { panic!("a card transaction") };
        id
    }

    fn answer(&mut self, transaction: CardTransactionId, answer: CardAnswer) {
        self.given(Command::CardTransaction(CardTransactionCommand::Answer { transaction, answer }));
    }

    fn yes(&mut self, transaction: CardTransactionId) {
        let clearing_date = self.node().today();
        self.answer(transaction, CardAnswer::Approved { authorisation: Some("A00001".into()), clearing_date });
    }

    fn sold(&mut self, kind: CardKind, trace: u32, amount: Minor, original: Option<u32>) -> CardTransactionId {
        let id = self.card(kind, trace, amount, original);
        self.yes(id);
        id
    }

    fn books(&mut self) -> [Minor; 4] {
        let state = self.node().engine.state();
        let own = |subject| state.institution(subject, Currency::Cny).and_then(|id| state.account(id, "account"));
        let merchant = state.merchant(MerchantId(1)).unwrap();
        let of = |id| state.account(id, "account").unwrap().balance;
        [
            own(Subject::ClearingUnionPay).unwrap().balance,
            of(merchant.pending),
            of(merchant.available),
            own(Subject::DueToOwn).unwrap().balance,
        ]
    }
}

/// Two treasurers, prices, acquiring, a terminal that signed in.
fn opened(shift: &mut Shift<'_>) {
    for (login, role) in [("one", Role::Administrator), ("two", Role::Administrator)] {
        let register = OperatorCommand::Register { login: login.into(), roles: vec![role] };
        shift.given(Command::Operator(register));
    }
    for login in ["treasurer-1", "treasurer-2"] {
        let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Treasurer] };
        shift.decided("one", "two", Proposal::Operator(register));
    }
    let (rate, from) = (|rate, cap| CardRate { rate, cap }, shift.node().today());
    let (code, debit, credit) = ("standard".into(), rate(5_000, None), rate(6_000, None));
    let plan = CardFeeCommand::SetPlan(SetCardFeePlan { code, from, debit, credit });
    let (debit, credit, network) = (rate(3_500, Some(1_300)), rate(4_500, None), rate(325, Some(325)));
    let cost = CardFeeCommand::SetCost(SetCardCost { scheme: CardScheme::UnionPay, from, debit, credit, network });
    for command in [plan, cost] {
        shift.decided("treasurer-1", "treasurer-2", Proposal::CardFee(command));
    }
    let unbound = CardLimit { single: None, daily: Some(9_000_000) };
    let terms =
        AcquiringTerms { fee_plan: "standard".into(), debit: unbound, credit: unbound, rules: CardRules::default() };
    let open = OpenAcquiring { merchant: MerchantId(1), acquirer: 898, area: 1_100, category: 6_513, terms };
    let Reply::Acquiring(acquiring) = shift.given(Command::Acquiring(AcquiringCommand::Open(open))) else {
        panic!("acquiring was opened")
    };
    let mask = "北京市***".into();
    let address = Sealed { ciphertext: vec![7; 24], key: 1, mask, class: DataClass::C2 };
    let number = shift.node().engine.state().acquiring(acquiring).unwrap().number;
    for command in [
        TerminalCommand::Register { serial: SERIAL.into(), model: "N5".into() },
        TerminalCommand::LoadKey { terminal: TERMINAL, name: "terminal/1".into(), check_value: "861E83E3".into() },
        TerminalCommand::Bind(BindTerminal { terminal: TERMINAL, acquiring, address, place: HOME, tolerance_m: 500 }),
        TerminalCommand::SignIn(SignIn { terminal: TERMINAL, serial: SERIAL.into(), number }),
        TerminalCommand::ReportLocation { terminal: TERMINAL, place: HOME },
        TerminalCommand::Suspend { terminal: TERMINAL, reason: "a check".into() },
        TerminalCommand::Resume(TERMINAL),
        TerminalCommand::SignIn(SignIn { terminal: TERMINAL, serial: SERIAL.into(), number }),
    ] {
        shift.given(Command::Terminal(command));
    }
}

/// A sale voided, a pre-authorisation completed, a silence reversed, a no; two sales stay.
fn sold(shift: &mut Shift<'_>) -> [CardTransactionId; 2] {
    let kept = shift.sold(CardKind::Sale, 1, 1_000_000, None);
    shift.sold(CardKind::Sale, 2, 10_000, None);
    shift.sold(CardKind::Void, 3, 10_000, Some(2));
    shift.sold(CardKind::PreAuthorisation, 4, 900_000, None);
    let completed = shift.sold(CardKind::Completion, 5, 1_000_000, Some(4));
    let silent = shift.card(CardKind::Sale, 6, 500, None);
    shift.answer(silent, CardAnswer::NotAnswered);
    let (local_date, batch) = (shift.node().today(), 1);
    let reverse = ReverseCardTransaction {
        key: TraceKey { terminal: TERMINAL, batch, trace: 6 },
        local_date,
        amount: 500,
        reason: ReversalReason::NoAnswer,
        by: Reverser::Terminal,
    };
    shift.given(Command::CardTransaction(CardTransactionCommand::Reverse(reverse)));
    shift.yes(silent);
    for code in ["96", "00"] {
        let answer = CardTransactionCommand::AnswerReversal { transaction: silent, code: code.into() };
        shift.given(Command::CardTransaction(answer));
    }
    assert_eq!(shift.node().engine.state().card_transaction(silent).unwrap().status, CardStatus::Reversed);
    let declined = shift.card(CardKind::Sale, 7, 700, None);
    shift.answer(declined, CardAnswer::Declined { code: "51".into() });
    [kept, completed]
}

#[test]
fn a_shift_that_is_killed_after_every_step_ends_like_one_that_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let node = Some(Node::begin(directory.path(), 1));
    let mut shift = Shift { directory: directory.path(), node, steps: 0 };
    opened(&mut shift);
    let [kept, completed] = sold(&mut shift);
    // Twice a credit card of 10,000.00 at 0.60 %.
    assert_eq!(shift.books(), [1_990_350, 1_988_000, 0, 2_350]);
    let close = |shift: &mut Shift<'_>, batch, debit_count| {
        let domestic = Totals { debit: 2_010_000, debit_count, credit: 10_000, credit_count: 1 };
        let theirs = BatchTotals { domestic, foreign: Totals::default() };
        let command = BatchCloseCommand::Close { terminal: TERMINAL, batch, theirs };
        let Reply::BatchClose(id) = shift.given(Command::BatchClose(command)) else { panic!("a batch close") };
        shift.node().engine.state().batch_close(id).unwrap().status
    };
    assert_eq!(close(&mut shift, 1, 2), BatchCloseStatus::Unbalanced);
    let records = vec![UploadedRecord { trace: 1, amount: 1_000_000 }];
    shift.given(Command::BatchClose(BatchCloseCommand::Upload { terminal: TERMINAL, records }));
    assert_eq!(close(&mut shift, 1, 3), BatchCloseStatus::Balanced);
    let line = |id, more: Minor| {
        let reference = domain::card_transaction::reference(id);
        CardLine { reference, kind: CardLineKind::In, amount: 1_000_000, cost: 4_825 + more }
    };
    let (date, lines) = (shift.node().today(), vec![line(kept, 2), line(completed, 0)]);
    shift.given(Command::TakeCardFile(TakeCardFile { date, part: 1, last: true, lines }));
    assert_eq!(shift.books(), [1_990_348, 1_988_000, 0, 2_348], "the network's own cost; its session awaits its line");
    let (direction, amount, currency) = (LineDirection::In, 1_990_348, Currency::Cny);
    let reference = "line-1".into();
    let line = TakeReserveLine { reference, date, direction, amount, currency, target: None, suspense: false };
    shift.given(Command::ReserveLine(ReserveLineCommand::TakeLine(line)));
    assert_eq!(shift.books(), [0, 1_988_000, 0, 2_348]);
    shift.node().later(24 * 3_600_000);
    let today = shift.node().today();
    shift.given(Command::Settle { merchant: MerchantId(1), today });
    assert_eq!(shift.books(), [0, 0, 1_988_000, 2_348]);
    let totals = BatchTotals::default();
    shift.given(Command::BatchClose(BatchCloseCommand::Close { terminal: TERMINAL, batch: 2, theirs: totals }));
    shift.let_go();
    assert_eq!(shift.in_memory(), [0; 0], "all of it is over");
    let credit = CreditAdjustment { transaction: completed, amount: 1_000_000, case_number: "case-1".into() };
    shift.decided("treasurer-1", "treasurer-2", Proposal::CreditAdjustment(credit));
    assert_eq!(shift.books(), [-995_175, 0, 994_000, 1_173]);
    charged_back(&mut shift, kept);
    assert_eq!(shift.books(), [-1_095_175, 0, 894_000, 1_173]);
    shift.let_go();
    assert_eq!(shift.in_memory(), [8], "the credit adjustment awaits the network's file");
    let refund = shift.card_of(CardKind::Refund, 8, 500_000, Some(OriginalRef::Reference("000000000001".into())));
    shift.let_go();
    assert_eq!(shift.in_memory(), [8, 9], "what is refunded left again");
    shift.yes(refund);
    assert_eq!(shift.books(), [-1_095_175 - 497_587, 0, 894_000 - 497_000, 1_173 - 587]);
}

/// The bank of the card takes a part of a sale back.
fn charged_back(shift: &mut Shift<'_>, transaction: CardTransactionId) {
    let (case_number, reason, currency) = ("case-2".into(), "4853".into(), Currency::Cny);
    let received = ReceiveCardChargeback { transaction, case_number, reason, amount: 100_000, currency };
    let received = Command::Chargeback(ChargebackCommand::ReceiveCard(received));
    let Reply::Chargeback(chargeback) = shift.given(received) else { panic!("a chargeback") };
    shift.given(Command::Chargeback(ChargebackCommand::Book(chargeback)));
}

/// What a terminal and its network do in a walk.
impl Shift<'_> {
    /// Tries a command without a crash.
    fn tries(&mut self, command: CardTransactionCommand) -> Option<CardTransactionId> {
        match self.node().tries(Command::CardTransaction(command)) {
            Ok(Reply::CardTransaction(id)) => Some(id),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    fn number(&mut self, bound: usize) -> usize {
        usize::try_from(self.node().random(bound as u64)).unwrap()
    }

    /// A sale, a pre-authorisation, its completion, or the refund of any sale there ever was; true if that had left memory.
    fn ask(&mut self) -> bool {
        let (random, state) = (self.number(8), self.node().engine.state());
        let (terminal, last) = (state.terminal(TERMINAL).unwrap(), state.card_transactions.next_id() - 1);
        let (batch, trace) = (terminal.batch, terminal.trace % 999_999 + 1);
        let any = CardTransactionId(1 + self.node().random(last.max(1)));
        let gone = self.node().engine.state().is_away(any.into());
        let (kind, amount, original) = match random {
            0..=3 => (CardKind::Sale, 1_000, None),
            4 => (CardKind::PreAuthorisation, 1_000, None),
            5 => (CardKind::Completion, 1_000, Some(OriginalRef::Authorisation("A00001".into()))),
            _ => (CardKind::Refund, 100, Some(OriginalRef::Reference(domain::card_transaction::reference(any)))),
        };
        let (token, mask) = ("tok-1".into(), "625912******0002".into());
        let card = Card { token, mask, kind: CardType::Credit, scheme: CardScheme::UnionPay };
        let (key, local_date) = (TraceKey { terminal: TERMINAL, batch, trace }, self.node().today());
        let request = RequestCardTransaction { kind, key, local_date, card, amount, original, authorisation: None };
        let asked = self.tries(CardTransactionCommand::Request(Box::new(request)));
        asked.is_some() && kind == CardKind::Refund && gone
    }

    /// The network's answer to something that it owes one.
    fn be_answered(&mut self) {
        let open: Vec<_> = self.node().engine.state().cards_in_outbox().map(|row| (row.id, row.status)).collect();
        if open.is_empty() {
            return;
        }
        let ((transaction, status), clearing_date) = (open[self.number(open.len())], self.node().today());
        let command = match (status, self.number(4)) {
            (CardStatus::Reversing, random) => {
                let code = ["00", "25", "96", "00"][random].into();
                CardTransactionCommand::AnswerReversal { transaction, code }
            }
            (_, 0) => CardTransactionCommand::Answer { transaction, answer: CardAnswer::NotAnswered },
            (_, 1) => {
                CardTransactionCommand::Answer { transaction, answer: CardAnswer::Declined { code: "51".into() } }
            }
            _ => {
                let answer = CardAnswer::Approved { authorisation: Some("A00001".into()), clearing_date };
                CardTransactionCommand::Answer { transaction, answer }
            }
        };
        self.tries(command);
    }

    /// The batch is over, whatever it came to.
    fn close_batch(&mut self) {
        let batch = self.node().engine.state().terminal(TERMINAL).unwrap().batch;
        let theirs = BatchTotals { domestic: Totals { debit: 1, ..Totals::default() }, ..BatchTotals::default() };
        for step in [
            BatchCloseCommand::Close { terminal: TERMINAL, batch, theirs },
            BatchCloseCommand::EndUpload { terminal: TERMINAL, count: 0 },
        ] {
            self.node().given(Command::BatchClose(step));
        }
    }

    /// The network's file of all that waits for it, and the settlement of what is due.
    fn clear_and_settle(&mut self) {
        let (date, part) = (self.node().today(), self.steps + 1);
        self.steps += 1;
        let state = self.node().engine.state();
        let line = |id: CardTransactionId| {
            let row = state.card_transaction(id).unwrap();
            let (kind, cost) = match &row.taken {
                Some(taken) => (CardLineKind::Out, taken.cost),
                None => (CardLineKind::In, row.money.cost),
            };
            CardLine { reference: row.reference(), kind, amount: row.amount, cost }
        };
        let lines = state.uncleared_cards.iter().map(|((_, id), ())| line(*id)).collect();
        // More may have gone back than came in.
        drop(self.node().tries(Command::TakeCardFile(TakeCardFile { date, part, last: false, lines })));
        self.node().flush();
        self.node().later(4 * 24 * 3_600_000);
        let today = self.node().today();
        drop(self.node().tries(Command::Settle { merchant: MerchantId(1), today }));
    }
}

#[test]
fn cards_that_left_come_back_wherever_a_node_crashes() {
    let (mut crashes, mut recalled, mut left) = (0, 0, 0);
    for seed in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let mut shift =
            Shift { directory: directory.path(), node: Some(Node::begin(directory.path(), seed)), steps: 0 };
        opened(&mut shift);
        for _ in 0..250 {
            match shift.number(30) {
                0..=9 => recalled += u32::from(shift.ask()),
                10..=19 => shift.be_answered(),
                20 => shift.close_batch(),
                21..=22 => shift.clear_and_settle(),
                23..=25 => shift.node().flush(),
                26..=28 => {
                    shift.node().flush();
                    shift.node().checkpoint();
                }
                _ => {
                    // What no batch made durable is lost, and nothing else.
                    let seed = shift.node().random(u64::MAX);
                    drop(shift.node.take());
                    shift.node = Some(Node::start(shift.directory, seed));
                    crashes += 1;
                }
            }
        }
        let state = shift.node().engine.state();
        left += state.card_transactions.next_id() - 1 - state.card_transactions.len() as u64;
    }
    assert!(crashes > 10 && recalled > 3 && left > 40, "{crashes} crashes, {left} gone, {recalled} refunds of such");
}
