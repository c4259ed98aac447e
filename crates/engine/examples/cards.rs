//! What card sales cost in memory, with and without leaving it.
//!
//! ```text
//! cargo run -p engine --example cards -- [DAYS [SALES_A_DAY [stay]]]
//! ```
//! One terminal's sales, each asked for and approved; in the evening its batch is closed, the next day the network's file
//! comes and the merchant is settled. Every thousand sales the store is at what was sealed.

use domain::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, CardRules, OpenAcquiring};
use domain::approval::{ApprovalCommand, Proposal, Propose};
use domain::batch_close::{BatchCloseCommand, BatchTotals, Totals};
use domain::calendar::{Calendar, Date, Year};
use domain::card_clearing::{CardLine, CardLineKind, TakeCardFile};
use domain::card_fee::{CardFeeCommand, CardRate, CardScheme, CardType, SetCardCost, SetCardFeePlan};
use domain::card_transaction::{Card, CardAnswer, CardKind, CardTransactionCommand, RequestCardTransaction, TraceKey};
use domain::clearing::MAX_LINES;
use domain::customer::{Customer, CustomerKind};
use domain::envelope::Time;
use domain::ids::{AcquiringId, CustomerId, MerchantId, TerminalId};
use domain::initialise::Genesis;
use domain::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use domain::operator::{OperatorCommand, Role};
use domain::sealed::{DataClass, Sealed};
use domain::terminal::{BindTerminal, Place, SignIn, TerminalCommand};
use domain::{Actor, Command, Origin, Reply, State};
use engine::engine::checkpoint;
use engine::{Engine, Keys, Meta, Request};

type Failure = Box<dyn std::error::Error>;

/// Sales of a batch of the journal.
const BATCH: u64 = 1_000;
/// Nine o'clock on the first day, a Thursday.
const NOW: Time = Time(1_772_672_400_000);
const DAY_MS: i64 = 24 * 3_600_000;
const TERMINAL: TerminalId = TerminalId(1);
const MERCHANT: MerchantId = MerchantId(1);

/// Books with a terminal, and their time.
struct World {
    engine: Engine,
    now: Time,
    leaves: bool,
}

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn main() -> Result<(), Failure> {
    let number = |at, or| std::env::args().nth(at).map_or(Ok(or), |argument| argument.parse::<u64>());
    let (days, sales) = (number(1, 10)?, number(2, 20_000)?);
    // One of both a process: what one frees the other would use again.
    let leaves = !std::env::args().any(|argument| argument == "stay");
    let mut world = World::begin(leaves)?;
    let before = resident();
    let mut grown = Vec::new();
    for _ in 0..days {
        world.day(sales)?;
        grown.push(format!("{:.1}", resident().saturating_sub(before) as f64 / 1e6));
    }
    let rows = world.engine.state().card_transactions.len();
    let each = resident().saturating_sub(before) as f64 / (days * sales) as f64;
    println!(
        "{}: {days} days of {sales} sales, {rows} in memory, {each:.0} bytes a sale; MB more resident after each day: {}",
        if leaves { "what is over leaves" } else { "all stay" },
        grown.join(" ")
    );
    Ok(())
}

impl World {
    fn given_by(&mut self, login: &str, command: Command) -> Result<Reply, Failure> {
        let meta = Meta::unkeyed(Actor::Operator(login.into()), Origin::Cli);
        Ok(self.engine.submit(Request { command, meta }, self.now)?.result?)
    }

    fn given(&mut self, command: Command) -> Result<Reply, Failure> {
        self.given_by("example", command)
    }

    fn decided(&mut self, (maker, checker): (&str, &str), totp_step: u64, proposal: Proposal) -> Result<(), Failure> {
        let propose = Propose { proposal, reason: "as agreed".into(), evidence: None };
        let propose = Command::Approval(ApprovalCommand::Propose(Box::new(propose)));
        let Reply::Approval(approval) = self.given_by(maker, propose)? else { return Err("no proposal".into()) };
        let approve = ApprovalCommand::Approve { approval, totp_step, remark: None };
        self.given_by(checker, Command::Approval(approve))?;
        Ok(())
    }

    /// A merchant, prices, acquiring and a terminal that signed in.
    fn begin(leaves: bool) -> Result<Self, Failure> {
        let mut world = Self { engine: Engine::new(State::default(), Keys::default(), 1), now: NOW, leaves };
        let first_day = Date::in_shanghai(NOW);
        let year = Year::default();
        let (institution, calendar) = ("Example".into(), Calendar { years: [(2026, year)].into() });
        world.given(Command::Initialise(Genesis { institution, first_day, calendar, sandbox: true }))?;
        let (id, kind) = (CustomerId(1), CustomerKind::Company);
        let customer = Customer { id, kind, name: sealed(), certificate: sealed(), phone: None, verification: None };
        world.given(Command::RegisterCustomer(customer))?;
        let settlement = SettlementAccount { account: sealed(), name: sealed() };
        let (kind, name) = (MerchantKind::Agency, "Homes".into());
        world.given(Command::OpenMerchant(OpenMerchant { customer: id, kind, name, fee_rate: 2_000, settlement }))?;
        for login in ["one", "two"] {
            let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Administrator] };
            world.given(Command::Operator(register))?;
        }
        for (step, login) in [(1, "three"), (2, "four")] {
            let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Treasurer] };
            world.decided(("one", "two"), step, Proposal::Operator(register))?;
        }
        let rate = |rate| CardRate { rate, cap: None };
        let (code, from) = ("standard".into(), first_day);
        let plan = SetCardFeePlan { code, from, debit: rate(5_000), credit: rate(6_000) };
        let (scheme, network) = (CardScheme::UnionPay, rate(325));
        let cost = SetCardCost { scheme, from, debit: rate(3_500), credit: rate(4_500), network };
        for (step, set) in [(3, CardFeeCommand::SetPlan(plan)), (4, CardFeeCommand::SetCost(cost))] {
            world.decided(("three", "four"), step, Proposal::CardFee(set))?;
        }
        world.terminal()?;
        world.seal()?;
        Ok(world)
    }

    fn terminal(&mut self) -> Result<(), Failure> {
        let (bound, fee_plan) = (CardLimit::default(), "standard".into());
        let terms = AcquiringTerms { fee_plan, debit: bound, credit: bound, rules: CardRules::default() };
        let open = OpenAcquiring { merchant: MERCHANT, acquirer: 898, area: 1_100, category: 6_513, terms };
        self.given(Command::Acquiring(AcquiringCommand::Open(open)))?;
        let (serial, acquiring) = (|| "N500000001".to_owned(), AcquiringId(1));
        let number = self.engine.state().acquiring(acquiring)?.number;
        let place = Place { latitude: 39_908_722, longitude: 116_397_499 };
        let bind = BindTerminal { terminal: TERMINAL, acquiring, address: sealed(), place, tolerance_m: 500 };
        for command in [
            TerminalCommand::Register { serial: serial(), model: "N5".into() },
            TerminalCommand::LoadKey { terminal: TERMINAL, name: "key".into(), check_value: "861E83E3".into() },
            TerminalCommand::Bind(bind),
            TerminalCommand::SignIn(SignIn { terminal: TERMINAL, serial: serial(), number }),
        ] {
            self.given(Command::Terminal(command))?;
        }
        Ok(())
    }

    /// The store is at what was decided.
    fn seal(&mut self) -> Result<(), Failure> {
        drop(self.engine.seal());
        if self.leaves {
            let position = self.engine.state().position;
            self.engine.submit(checkpoint(position), self.now)?.result?;
        }
        Ok(())
    }

    /// A day's sales, its close, its file and its settlement.
    fn day(&mut self, sales: u64) -> Result<(), Failure> {
        let batch = self.engine.state().terminal(TERMINAL)?.batch;
        for trace in 1..=sales {
            self.sale(batch, u32::try_from(trace)?)?;
            if trace.is_multiple_of(BATCH) {
                self.seal()?;
            }
        }
        let theirs = BatchTotals { foreign: Totals { debit: 1, ..Totals::default() }, ..BatchTotals::default() };
        let close = |step| Command::BatchClose(step);
        self.given(close(BatchCloseCommand::Close { terminal: TERMINAL, batch, theirs }))?;
        self.given(close(BatchCloseCommand::EndUpload { terminal: TERMINAL, count: 0 }))?;
        self.seal()?;
        let date = Date::in_shanghai(self.now);
        let lines: Vec<CardLine> = self
            .engine
            .state()
            .uncleared_cards
            .iter()
            .map(|((_, id), ())| {
                let row = self.engine.state().card_transaction(*id)?;
                let (reference, amount, cost) = (row.reference(), row.amount, row.money.cost);
                Ok(CardLine { reference, kind: CardLineKind::In, amount, cost })
            })
            .collect::<Result<_, Failure>>()?;
        for (part, lines) in (1..).zip(lines.chunks(MAX_LINES)) {
            let file = TakeCardFile { date, part, last: false, lines: lines.to_vec() };
            self.given(Command::TakeCardFile(file))?;
            self.seal()?;
        }
        // The next day; behind a weekend what was paid on Friday is due on Monday.
        self.now = self.now.plus_ms(4 * DAY_MS);
        let today = Date::in_shanghai(self.now);
        while self.given(Command::Settle { merchant: MERCHANT, today }).is_ok() {
            self.seal()?;
        }
        Ok(())
    }

    fn sale(&mut self, batch: u32, trace: u32) -> Result<(), Failure> {
        let key = TraceKey { terminal: TERMINAL, batch, trace };
        let (token, mask) = (format!("crd_{trace:032x}"), "625912******0002".into());
        let card = Card { token, mask, kind: CardType::Credit, scheme: CardScheme::UnionPay };
        let (kind, local_date) = (CardKind::Sale, Date::in_shanghai(self.now));
        let (original, authorisation) = (None, None);
        let request = RequestCardTransaction { kind, key, local_date, card, amount: 10_000, original, authorisation };
        let of = Command::CardTransaction;
        let asked = self.given(of(CardTransactionCommand::Request(Box::new(request))))?;
        let Reply::CardTransaction(transaction) = asked else { return Err("no sale".into()) };
        let answer = CardAnswer::Approved { authorisation: Some("A00001".into()), clearing_date: local_date };
        self.given(of(CardTransactionCommand::Answer { transaction, answer }))?;
        Ok(())
    }
}

fn sealed() -> Sealed {
    Sealed { ciphertext: vec![7; 24], key: 1, mask: "6222**********0001".into(), class: DataClass::C2 }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}
