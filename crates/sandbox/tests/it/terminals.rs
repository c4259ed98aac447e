//! Simulated terminals over TCP against a real platform, which is a process, and the sandbox's card network in this one.
//!
//! The platform is the `lintel` beside this crate's program, as a build of the workspace puts it there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::api::Api;
use sandbox::card_network::{self, CardNetwork, CardPlan, SANDBOX_ZONE_MASTER, Settings};
use sandbox::cipher::{CardCipher, MacForm};
use sandbox::process::{Launch, Platform};
use sandbox::terminal::register::{Fleet, Office, known};
use sandbox::terminal::{Card, Dialect, Identity, Outcome, Receipt, Shift, Terminal, Transaction, Watch, Way, fleet};
use serde_json::Value;
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(30);
/// What each card's account holds at first.
const AT_FIRST: i64 = 100_000_000;

/// A directory that goes with this value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A platform with a card network, and terminals that are opened there.
struct House {
    network: Arc<CardNetwork>,
    launch: Launch,
    platform: Platform,
    api: Api,
    way: Way,
    terminals: Vec<Identity>,
    _folder: Folder,
}

impl House {
    /// `None`, after a line that says what to do, where the platform was not built. With `LINTEL_CI` set, that is a failure.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    async fn open(name: &str, cipher: CardCipher, count: usize, sets: &[&str]) -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_lintel-sandbox"));
        let binary = program.with_file_name(format!("lintel{}", std::env::consts::EXE_SUFFIX));
        if !binary.exists() {
            let skip = format!("SKIP {name}: build the server first (cargo build --package server)");
            assert!(std::env::var_os("LINTEL_CI").is_none(), "{skip}");
            eprintln!("{skip}");
            return None;
        }
        let folder = Folder(std::env::temp_dir().join(format!("lintel-terminals-test-{name}-{}", std::process::id())));
        let network = network();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = listener.local_addr().unwrap();
        tokio::spawn(card_network::serve(vec![listener], Arc::clone(&network), std::future::pending()));
        let address = free_address();
        let links = format!("pos.network.links=[{{name=\"a\",address=\"{link}\",weight=1}}]");
        let own = [
            "name=unionpay",
            "member=48021000",
            "pin_block_bytes=16",
            "echo_ms=100",
            "reconnect_ms=20",
            "forward_ms=20",
        ];
        let own = own.iter().map(|set| format!("pos.network.{set}"));
        let rest = [links, "ark.unseal=file".into(), format!("pos.listen={address}"), "first_day=2026-03-05".into()];
        let sets = own.chain(rest).chain(sets.iter().map(|set| (*set).to_owned()));
        let mut args: Vec<String> = ["--sandbox", "--clock", "manual"].map(str::to_owned).into();
        args.extend(sets.flat_map(|set| ["--set".to_owned(), set]));
        let listen = "127.0.0.1:0".to_owned();
        let launch = Launch { binary, data_dir: folder.0.join("data"), listen, args, own_group: false };
        let platform = launch.start().unwrap();
        let api = launch.api(&platform, "operator").unwrap();
        let mut office = Office::hire(api.clone(), launch.clone()).await.unwrap();
        let terminals = office.open(Fleet { count, merchants: 1, cipher, width: 4 }).await.unwrap();
        let way = Way { address, patience: PATIENCE };
        Some(Self { network, launch, platform, api, way, terminals, _folder: folder })
    }

    fn terminal(&self, at: usize) -> Terminal {
        Terminal::new(self.terminals[at].clone(), &Dialect::new().unwrap(), self.way)
    }

    /// Kills the platform and starts it again.
    fn power_cut(&mut self) {
        self.platform.process.kill().unwrap();
        self.platform = self.launch.start().unwrap();
        self.api = self.launch.api(&self.platform, "operator").unwrap();
    }

    /// The transactions that stand so.
    async fn standing(&self, status: &str) -> Vec<Value> {
        let position = self.api.read("/v1/card-network", "application/json").await.unwrap();
        assert_eq!(position.status, 200);
        let path = format!("/v1/card-transactions?status={status}&limit=500");
        self.api.get(&path).await.unwrap()["data"].as_array().unwrap().clone()
    }

    /// Waits until the network owes no answer and the store shows as many transactions as there were.
    async fn settled(&self, count: usize) {
        let began = Instant::now();
        loop {
            let mut open = 0;
            for status in ["requested", "unknown", "reversing"] {
                open += self.standing(status).await.len();
            }
            let all = self.api.get("/v1/card-transactions?limit=500").await.unwrap()["data"].as_array().unwrap().len();
            if (open, all) == (0, count) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{open} open of {all}, {count} expected");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn network() -> Arc<CardNetwork> {
    CardNetwork::new(Settings {
        plan: CardPlan::default(),
        cipher: CardCipher::Sm4,
        mac: MacForm::Cbc,
        master: SANDBOX_ZONE_MASTER.to_owned(),
        date: jiff::civil::date(2026, 3, 5),
        balance: AT_FIRST,
    })
    .unwrap()
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A transaction that must be approved.
#[track_caller]
fn approved(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Approved(receipt) => receipt,
        other @ (Outcome::Declined(_) | Outcome::Unheard(_)) => panic!("{other:?}"),
    }
}

async fn done(terminal: &mut Terminal, asked: Transaction<'_>) -> Receipt {
    approved(terminal.transact(&asked).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_does_every_kind_of_transaction_and_its_batch_balances() {
    for cipher in [CardCipher::Sm4, CardCipher::TripleDes] {
        let Some(house) = House::open(cipher.name(), cipher, 1, &[]).await else { return };
        let mut terminal = house.terminal(0);
        let card = Card::made_up(7);
        let balance = done(&mut terminal, Transaction::Balance(&card)).await;
        assert_eq!(balance.balance, Some(AT_FIRST));
        let sale = done(&mut terminal, Transaction::Sale(&card, 10_000)).await;
        assert_eq!((sale.date.as_str(), sale.reference.len()), ("0305", 12));
        done(&mut terminal, Transaction::Tip(&sale, 1_000)).await;
        let second = done(&mut terminal, Transaction::Sale(&card, 20_000)).await;
        done(&mut terminal, Transaction::Void(&second)).await;
        done(&mut terminal, Transaction::Refund(&sale, 4_000)).await;
        done(&mut terminal, Transaction::Offline(&card, 3_000)).await;
        let held = done(&mut terminal, Transaction::PreAuthorisation(&card, 50_000)).await;
        let completed = done(&mut terminal, Transaction::Completion(&held, 51_000)).await;
        done(&mut terminal, Transaction::CompletionVoid(&completed)).await;
        let held = done(&mut terminal, Transaction::PreAuthorisation(&card, 50_000)).await;
        done(&mut terminal, Transaction::PreAuthorisationCancel(&held)).await;
        let held = done(&mut terminal, Transaction::PreAuthorisation(&card, 60_000)).await;
        done(&mut terminal, Transaction::CompletionAdvice(&held, 60_000)).await;
        let wrong = terminal.transact(&Transaction::Sale(&card.with_wrong_pin(), 5_000)).await.unwrap();
        assert!(matches!(&wrong, Outcome::Declined(code) if code == "55"), "{wrong:?}");

        // 110.00 with its tip, 200.00, 30.00, 510.00 and 600.00 paid; 200.00, 40.00 and 510.00 went back.
        let settled = terminal.settle().await.unwrap();
        let totals = settled.totals;
        assert_eq!((settled.balanced, settled.batch), (true, 1));
        assert_eq!((totals.debit, totals.debit_count, totals.credit, totals.credit_count), (145_000, 5, 75_000, 3));
        assert_eq!(house.network.balance(card.number()), AT_FIRST - 70_000);
        terminal.sign_out().await.unwrap();
        done(&mut terminal, Transaction::Sale(&card, 100)).await;
        assert_eq!((terminal.counts().sign_ins, terminal.totals().debit), (2, 100));
        let again = known(&house.api, cipher).await.unwrap();
        assert_eq!(again.len(), 1, "who asks for the same terminals gets them");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_at_any_step_is_taken_back_before_the_next_sale() {
    let Some(mut house) = House::open("cut-off", CardCipher::Sm4, 1, &[]).await else { return };
    let mut terminal = house.terminal(0);
    let card = Card::made_up(3);
    terminal.be_ready().await.unwrap();

    // The cable is pulled before anything is sent, and after it was.
    terminal.begin(&Transaction::Sale(&card, 1_000)).unwrap();
    terminal.hang_up();
    done(&mut terminal, Transaction::Sale(&card, 100)).await;
    assert_eq!((terminal.counts().reversed, terminal.counts().reversals_of_nothing), (0, 1));
    let request = terminal.begin(&Transaction::Sale(&card, 2_000)).unwrap();
    terminal.send(&request).await.unwrap();
    house.settled(2).await;
    terminal.hang_up();
    done(&mut terminal, Transaction::Sale(&card, 200)).await;
    assert_eq!(terminal.counts().reversed, 1);

    // The platform dies with a sale under way, and with an answer that was not heard.
    let request = terminal.begin(&Transaction::Sale(&card, 3_000)).unwrap();
    terminal.send(&request).await.unwrap();
    house.power_cut();
    let heard = terminal.hear(&request).await;
    assert!(matches!(terminal.conclude(&request, heard), Outcome::Unheard(_)));
    assert_eq!(terminal.owes().map(sandbox::terminal::Request::trace), Some(request.trace()));
    done(&mut terminal, Transaction::Sale(&card, 300)).await;

    house.settled(usize::try_from(terminal.counts().reversed).unwrap() + 3).await;
    assert_eq!(house.network.balance(card.number()), AT_FIRST - 600);
    let settled = terminal.settle().await.unwrap();
    assert_eq!((settled.balanced, settled.totals.debit, settled.totals.debit_count), (true, 600, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_full_of_terminals_works_its_shifts_and_every_batch_balances() {
    let Some(house) = House::open("shifts", CardCipher::Sm4, 4, &[]).await else { return };
    let terminals = (0..4).map(|at| house.terminal(at)).collect();
    let shift = Shift { transactions: 40, seed: 3, cards: 20, pause: Duration::ZERO };
    let summary = fleet::work(terminals, 2, shift, Arc::new(Watch::default())).await;
    assert_eq!((summary.transactions(), summary.unheard), (4 * 2 * 40, 0), "{summary}");
    assert_eq!((summary.batches_balanced, summary.batches_unbalanced), (8, 0), "{summary}");
    assert!(summary.gave_up.is_empty() && summary.approved.len() > 8, "{summary}");
    assert!(summary.declined.keys().all(|code| code == "55"), "only a wrong PIN is declined: {summary}");
    assert_eq!(summary.object()["transactions"], 320);
}
