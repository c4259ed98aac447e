//! Store-and-forward over a real link, from books in memory: what an epoch left unanswered is settled by the next one.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use ark::financial::TerminalCipher;
use ark::{Secret, Vault};
use domain::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, CardRules, OpenAcquiring};
use domain::approval::{ApprovalCommand, Proposal, Propose};
use domain::calendar::{Calendar, Date, Year};
use domain::card_fee::{CardFeeCommand, CardRate, CardScheme, CardType, SetCardCost, SetCardFeePlan};
use domain::card_transaction::{
    Card, CardAnswer, CardKind, CardStatus, CardTransaction, CardTransactionCommand, OriginalRef, ReportScripts,
    RequestCardTransaction, TraceKey, reference,
};
use domain::customer::{Customer, CustomerKind};
use domain::ids::{CardTransactionId, CustomerId, MerchantId, TerminalId};
use domain::initialise::Genesis;
use domain::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use domain::operator::{OperatorCommand, Role};
use domain::sealed::{DataClass, Sealed};
use domain::terminal::{BindTerminal, Place, SignIn, TerminalCommand};
use domain::{Actor, Command, Origin, Reply, State};
use engine::{Engine, Keys, Meta, Request};
use store::Database;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::*;
use super::host::{Heard, Host, Mac, NOW, PATIENCE};
use super::{CARD, stands};
use crate::pos::forward::{Forward, Pace};
use crate::shell::lease::Leadership;
use crate::shell::{Input, Platform};

const HOME: Place = Place { latitude: 39_908_722, longitude: 116_397_499 };
const TERMINAL: TerminalId = TerminalId(1);

/// Books in memory with a terminal, a vault with its card, and the links that answer for both.
struct Books {
    platform: Platform,
    network: Arc<Network>,
    token: String,
    host: Host,
    _behind: watch::Sender<u64>,
    _stop: watch::Sender<bool>,
    _directories: [TempDir; 2],
}

impl Books {
    /// Books whose epoch is this one, with everything done that `before` asks for in epoch 1.
    async fn of_epoch(epoch: u64, before: &[(CardKind, u32, Option<u32>, Option<CardAnswer>)]) -> (Self, Heard) {
        let directory = TempDir::new().unwrap();
        let vault = Arc::new(Vault::open_with_key_file(directory.path()).unwrap());
        let token = vault.keep_card(&Secret::new(CARD.to_owned())).unwrap();
        let clock = Clock::manual(NOW);
        let store = Arc::new(Database::sqlite(&directory.path().join("store.db")).unwrap());
        let (sender, inputs) = mpsc::channel();
        let (behind, follows) = watch::channel(0);
        let platform = Platform::new(sender, Leadership::new(None), epoch, follows);
        let writes = clock.clone();
        std::thread::spawn(move || write(&inputs, &writes));
        let host = Host::listening(1, TerminalCipher::Sm4).await;
        let (network, late, keys) = host.network("answer_timeout_ms = 1000\n");
        let stop = watch::Sender::new(false);
        let (network, books) = (Arc::clone(&network), platform.clone());
        open(&books).await;
        for (kind, trace, original, answer) in before {
            let id = asks(&books, &token, *kind, *trace, *original).await;
            if let Some(answer) = answer {
                let answer = CardTransactionCommand::Answer { transaction: id, answer: answer.clone() };
                given(&books, Command::CardTransaction(answer)).await;
            }
        }
        let forward = Arc::new(Forward {
            platform: platform.clone(),
            store: Arc::clone(&store),
            clock: clock.clone(),
            network: Arc::clone(&network),
            vault,
            pace: Pace {
                every: Duration::from_millis(20),
                longest: Duration::from_millis(80),
                answer: Duration::from_millis(1_000),
            },
            traces: network.traces(),
        });
        let heard = host.with_keys(0).await;
        stands(&network, 0, "up").await;
        tokio::spawn(forward.run(stop.subscribe()));
        tokio::spawn(late.run(platform.clone(), store, clock));
        let books =
            Self { platform, network, token, host, _behind: behind, _stop: stop, _directories: [directory, keys] };
        (books, heard)
    }

    async fn row(&self, id: u64) -> CardTransaction {
        let look = move |state: &State| state.card_transaction(CardTransactionId(id)).unwrap().clone();
        self.platform.read(look).await.unwrap().0
    }

    /// Waits until it stands so.
    async fn becomes(&self, id: u64, status: CardStatus) -> CardTransaction {
        let looking = async {
            loop {
                let row = self.row(id).await;
                if row.status == status {
                    return row;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap()
    }

    async fn owes_only(&self, id: u64) {
        let look = |state: &State| state.cards_in_outbox().map(|row| row.id.0).collect::<Vec<_>>();
        assert_eq!(self.platform.read(look).await.unwrap().0, [id]);
    }

    async fn owes_nothing(&self) {
        let count = self.platform.read(|state| state.cards_in_outbox().count()).await.unwrap().0;
        assert_eq!((count, self.network.status().waiting), (0, 0));
    }
}

/// The writer, with a journal that is always durable.
fn write(inputs: &mpsc::Receiver<Input>, clock: &Clock) {
    let mut engine = Engine::new(State::default(), Keys::default(), 1);
    for input in inputs {
        match input {
            Input::Request(request, after) => {
                let answer = engine.submit(*request, clock.now()).unwrap();
                drop(engine.seal());
                after(engine.state(), answer)();
            }
            Input::Read(step) => step(&mut engine)(),
            Input::Unless(..)
            | Input::LookedUp(..)
            | Input::Filter(_)
            | Input::Rows(_)
            | Input::Durable(_)
            | Input::Failed(_)
            | Input::Tick
            | Input::Stop => return,
        }
    }
}

async fn given(platform: &Platform, command: Command) -> Reply {
    given_by(platform, "test", command).await
}

async fn given_by(platform: &Platform, login: &str, command: Command) -> Reply {
    let meta = Meta::unkeyed(Actor::Operator(login.into()), Origin::Cli);
    platform.submit(Request { command, meta }).await.unwrap().result.unwrap()
}

async fn decided(platform: &Platform, (maker, checker): (&str, &str), step: u64, proposal: Proposal) {
    let propose = Propose { proposal, reason: "as agreed".into(), evidence: None };
    let propose = Command::Approval(ApprovalCommand::Propose(Box::new(propose)));
    let Reply::Approval(approval) = given_by(platform, maker, propose).await else { panic!("it was proposed") };
    let approve = ApprovalCommand::Approve { approval, totp_step: step, remark: None };
    given_by(platform, checker, Command::Approval(approve)).await;
}

fn sealed() -> Sealed {
    Sealed { ciphertext: vec![7; 24], key: 1, mask: "6222**********0001".into(), class: DataClass::C2 }
}

/// A merchant, prices, acquiring and a terminal that signed in.
async fn open(platform: &Platform) {
    let first_day = Date::in_shanghai(NOW);
    let year = Year::default();
    let (institution, calendar) = ("Test Pay".into(), Calendar { years: [(2026, year)].into() });
    given(platform, Command::Initialise(Genesis { institution, first_day, calendar, sandbox: true })).await;
    let (id, kind) = (CustomerId(1), CustomerKind::Person);
    let customer = Customer { id, kind, name: sealed(), certificate: sealed(), phone: None, verification: None };
    given(platform, Command::RegisterCustomer(customer)).await;
    let settlement = SettlementAccount { account: sealed(), name: sealed() };
    let (kind, name) = (MerchantKind::Agency, "Homes".into());
    given(platform, Command::OpenMerchant(OpenMerchant { customer: id, kind, name, fee_rate: 2_000, settlement }))
        .await;
    for login in ["one", "two"] {
        let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Administrator] };
        given(platform, Command::Operator(register)).await;
    }
    for (step, login) in [(1, "treasurer-1"), (2, "treasurer-2")] {
        let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Treasurer] };
        decided(platform, ("one", "two"), step, Proposal::Operator(register)).await;
    }
    let (rate, from) = (|rate, cap| CardRate { rate, cap }, first_day);
    let (debit, credit) = (rate(5_000, None), rate(6_000, None));
    let plan = CardFeeCommand::SetPlan(SetCardFeePlan { code: "standard".into(), from, debit, credit });
    let (debit, credit, network) = (rate(3_500, Some(1_300)), rate(4_500, None), rate(325, Some(325)));
    let cost = CardFeeCommand::SetCost(SetCardCost { scheme: CardScheme::UnionPay, from, debit, credit, network });
    for (step, command) in [(3, plan), (4, cost)] {
        decided(platform, ("treasurer-1", "treasurer-2"), step, Proposal::CardFee(command)).await;
    }
    let limit = CardLimit { single: None, daily: Some(9_000_000) };
    let (fee_plan, rules) = ("standard".into(), CardRules::default());
    let terms = AcquiringTerms { fee_plan, debit: limit, credit: limit, rules };
    let opening = OpenAcquiring { merchant: MerchantId(1), acquirer: 898, area: 1_100, category: 6_513, terms };
    let opening = Command::Acquiring(AcquiringCommand::Open(opening));
    let Reply::Acquiring(acquiring) = given(platform, opening).await else { panic!("acquiring was opened") };
    let number = platform.read(move |state| state.acquiring(acquiring).unwrap().number).await.unwrap().0;
    let serial = || "N500000001".to_owned();
    for command in [
        TerminalCommand::Register { serial: serial(), model: "N5".into() },
        TerminalCommand::LoadKey { terminal: TERMINAL, name: "terminal/1".into(), check_value: "861E83E3".into() },
        TerminalCommand::Bind(BindTerminal {
            terminal: TERMINAL,
            acquiring,
            address: sealed(),
            place: HOME,
            tolerance_m: 500,
        }),
        TerminalCommand::SignIn(SignIn { terminal: TERMINAL, serial: serial(), number }),
    ] {
        given(platform, Command::Terminal(command)).await;
    }
}

/// A transaction of 100.00.
async fn asks(
    platform: &Platform,
    token: &str,
    kind: CardKind,
    trace: u32,
    original: Option<u32>,
) -> CardTransactionId {
    let key = TraceKey { terminal: TERMINAL, batch: 1, trace };
    let (token, mask) = (token.to_owned(), "623060*********6888".into());
    let card = Card { token, mask, kind: CardType::Credit, scheme: CardScheme::UnionPay };
    let original = original.map(|trace| OriginalRef::Trace { batch: 1, trace });
    let local_date = Date::in_shanghai(NOW);
    let request = RequestCardTransaction { kind, key, local_date, card, amount: 10_000, original, authorisation: None };
    let command = Command::CardTransaction(CardTransactionCommand::Request(Box::new(request)));
    let Reply::CardTransaction(id) = given(platform, command).await else { panic!("a card transaction") };
    id
}

fn yes() -> CardAnswer {
    CardAnswer::Approved { authorisation: Some("A00001".into()), clearing_date: Date::in_shanghai(NOW) }
}

/// F90 of the first transaction: its type, trace, time, and the member twice.
const FIRST: &str = "020000000203050900000004802100000048021000";

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_epoch_left_unanswered_is_reversed_once_and_without_anything_of_the_card_but_its_number() {
    let (books, mut heard) = Books::of_epoch(2, &[(CardKind::Sale, 1, None, None)]).await;
    let asked = books.host.read(&mut heard).await;
    assert!(books.host.believes(&asked));
    assert_eq!((asked.mti, asked.fields.text(90)), (*b"0420", Some(FIRST)));
    let named = asked.fields.iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(named, [2, 3, 4, 7, 11, 13, 18, 22, 25, 32, 33, 37, 39, 41, 42, 49, 90, 128]);
    for (number, content) in
        [(2, CARD), (3, "000000"), (4, "000000010000"), (13, "0305"), (37, "000000000001"), (39, "98"), (18, "6513")]
    {
        assert_eq!(asked.fields.text(number), Some(content), "{number}");
    }
    books.host.answer(&mut heard, &asked, "00", Mac::Right).await;
    let row = books.becomes(1, CardStatus::Reversed).await;
    assert_eq!(row.reversal.unwrap().begun, 1);
    books.owes_nothing().await;
    // The same answer once more changes nothing.
    books.host.answer(&mut heard, &asked, "00", Mac::Right).await;
    let next = asks(&books.platform, &books.token, CardKind::Sale, 2, None).await;
    let asked = books.host.read(&mut heard).await;
    assert_eq!(asked.fields.text(37), Some(reference(next).as_str()));
    assert_eq!(books.row(1).await.reversal.unwrap().begun, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_goes_out_until_the_network_takes_it_across_refusals_silence_and_broken_links() {
    let (books, mut heard) = Books::of_epoch(2, &[(CardKind::Sale, 1, None, None)]).await;
    let first = books.host.read(&mut heard).await;
    books.host.answer(&mut heard, &first, "96", Mac::Right).await;
    let second = books.host.read(&mut heard).await;
    assert_eq!((first.mti, second.mti), (*b"0420", *b"0421"));
    drop(heard);
    let mut heard = books.host.signed_on(0).await;
    // Silence about the third, too.
    let third = books.host.read(&mut heard).await;
    let fourth = books.host.read(&mut heard).await;
    for again in [&second, &third, &fourth] {
        assert_eq!((again.mti, again.fields.text(90)), (*b"0421", Some(FIRST)));
    }
    assert_ne!(third.fields.text(11), fourth.fields.text(11));
    books.host.answer(&mut heard, &fourth, "25", Mac::Right).await;
    books.becomes(1, CardStatus::Reversed).await;
    books.owes_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_comes_before_no_such_transaction_has_the_reversal_sent_again() {
    let (books, mut heard) = Books::of_epoch(2, &[(CardKind::Sale, 1, None, None)]).await;
    let first = books.host.read(&mut heard).await;
    // The network took the reversal first, and the sale after it; its yes comes before its "no such transaction".
    let mut late = books.host.fields_of(&first, "00");
    late.set(7, "0305090000").set(11, "000002").set(38, "A00001").set(15, "0305");
    books.host.say(&mut heard, *b"0210", &late, Mac::Right).await;
    let told = async {
        while books.row(1).await.code.is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, told).await.unwrap();
    books.host.answer(&mut heard, &first, "25", Mac::Right).await;
    let second = books.host.read(&mut heard).await;
    assert_eq!(second.fields.text(90), Some(FIRST));
    books.host.answer(&mut heard, &second, "00", Mac::Right).await;
    let row = books.becomes(1, CardStatus::Reversed).await;
    assert_eq!(row.reversal.unwrap().begun, 2);
    books.owes_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_comes_after_its_reversal_is_reversed_again() {
    let (books, mut heard) = Books::of_epoch(2, &[(CardKind::Sale, 1, None, None)]).await;
    let first = books.host.read(&mut heard).await;
    books.host.answer(&mut heard, &first, "25", Mac::Right).await;
    books.becomes(1, CardStatus::Reversed).await;
    // Another amount is not its own.
    let mut late = books.host.fields_of(&first, "00");
    late.set(7, "0305090000").set(11, "000002").set(38, "A00001").set(15, "0305").set(4, "000000010001");
    books.host.say(&mut heard, *b"0210", &late, Mac::Right).await;
    late.set(4, "000000010000");
    books.host.say(&mut heard, *b"0210", &late, Mac::Right).await;
    let second = books.host.read(&mut heard).await;
    assert_eq!((second.fields.text(39), second.fields.text(38)), (Some("06"), Some("A00001")));
    books.host.answer(&mut heard, &second, "00", Mac::Right).await;
    let row = books.becomes(1, CardStatus::Reversed).await;
    assert_eq!(row.reversal.unwrap().begun, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_without_an_answer_is_sent_again_under_its_own_names_until_it_has_one() {
    let before =
        [(CardKind::Sale, 1, None, Some(yes())), (CardKind::Refund, 2, Some(1), Some(CardAnswer::NotAnswered))];
    let (books, mut heard) = Books::of_epoch(2, &before).await;
    let first = books.host.read(&mut heard).await;
    assert_eq!((first.mti, first.fields.text(90)), (*b"0221", Some(FIRST)));
    assert_eq!((first.fields.text(7), first.fields.text(11)), (Some("0305090000"), Some("000003")));
    drop(heard);
    let mut heard = books.host.signed_on(0).await;
    let second = books.host.read(&mut heard).await;
    assert_eq!(second.fields.text(11), Some("000003"));
    books.host.answer(&mut heard, &second, "00", Mac::Right).await;
    books.becomes(2, CardStatus::Approved).await;
    books.owes_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_scripts_go_out_until_the_network_has_them_and_name_what_they_are_about() {
    let (books, mut heard) = Books::of_epoch(1, &[(CardKind::Sale, 1, None, Some(yes()))]).await;
    books.owes_nothing().await;
    let of = OriginalRef::Trace { batch: 1, trace: 1 };
    let report = ReportScripts { terminal: TERMINAL, of, results: vec![0x20, 0, 0, 0, 1] };
    given(&books.platform, Command::CardTransaction(CardTransactionCommand::ReportScripts(report))).await;
    let first = books.host.read(&mut heard).await;
    assert!(books.host.believes(&first));
    assert_eq!((first.mti, first.fields.text(90)), (*b"0620", Some(FIRST)));
    assert_eq!(first.fields.get(55), Some(&[0xDF, 0x31, 5, 0x20, 0, 0, 0, 1][..]));
    let named = first.fields.iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(named, [2, 3, 4, 7, 11, 13, 18, 22, 25, 32, 33, 37, 38, 41, 42, 49, 55, 90, 128]);
    books.host.answer(&mut heard, &first, "91", Mac::Right).await;
    let second = books.host.read(&mut heard).await;
    drop(heard);
    let mut heard = books.host.signed_on(0).await;
    let third = books.host.read(&mut heard).await;
    for again in [&second, &third] {
        assert_eq!((again.mti, again.fields.text(90)), (*b"0621", Some(FIRST)));
        assert_eq!(again.fields.get(55), first.fields.get(55));
    }
    books.host.answer(&mut heard, &third, "00", Mac::Right).await;
    let taken = async {
        while books.row(1).await.scripts.unwrap().taken_at.is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, taken).await.unwrap();
    books.owes_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_epoch_asked_for_is_left_to_whoever_asked() {
    let before = [(CardKind::Sale, 1, None, None), (CardKind::Sale, 2, None, Some(CardAnswer::NotAnswered))];
    let (books, mut heard) = Books::of_epoch(1, &before).await;
    let asked = books.host.read(&mut heard).await;
    assert_eq!(asked.fields.text(37), Some("000000000002"));
    books.host.answer(&mut heard, &asked, "00", Mac::Right).await;
    books.becomes(2, CardStatus::Reversed).await;
    assert_eq!(books.row(1).await.status, CardStatus::Requested);
    books.owes_only(1).await;
}
