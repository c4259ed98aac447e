//! `lintel-sandbox card-network`: the sandbox's card network as a process, until Ctrl-C or SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use sandbox::card_network::{self, CardNetwork, CardPlan, SANDBOX_ZONE_MASTER, Settings};
use sandbox::cipher::{CipherName, MacForm};
use tokio::net::TcpListener;

use super::bank::{stop, write_whole};

const EXAMPLES: &str = "\
Examples:
  lintel-sandbox card-network --listen 127.0.0.1:7800 --listen 127.0.0.1:7801 --control 127.0.0.1:7802
  curl http://127.0.0.1:7802/file/48021000      the daily file of a member, as of now
  curl http://127.0.0.1:7802/books              what the network's books hold
  curl http://127.0.0.1:7802/transactions       each transaction, by its reference, and how it stands
  curl -X POST http://127.0.0.1:7802/code/6230606601007726888   a one-time code of a card, for one QR sale within a minute
  lintel-sandbox card-network --tls-certificate network.pem --tls-key network.key --tls-ca ca.pem
  curl -X POST http://127.0.0.1:7802/cut        cut every link

Every card has an account, and its last six digits as its PIN. docs/pos.md says how a platform is connected to it.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MacName {
    Ecb,
    Cbc,
}

/// Run the sandbox card network, with its issuers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where members connect; port 0 takes a free one.
    #[arg(long = "listen", value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: Vec<SocketAddr>,
    /// Where the daily file and the books are asked for over HTTP, and links are cut.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// What goes wrong: `none`, or a plan in TOML.
    #[arg(long, default_value = "none", value_name = "none|FILE")]
    faults: String,
    /// The cipher of the zone's keys.
    #[arg(long, value_enum, default_value = "sm4")]
    cipher: CipherName,
    /// How field 128 is made.
    #[arg(long, value_enum, default_value = "cbc")]
    mac: MacName,
    /// The zone's master key, 32 hexadecimal digits. The default is a known one.
    #[arg(long, env = "LINTEL_SANDBOX_ZONE_MASTER", hide_env_values = true, default_value = SANDBOX_ZONE_MASTER, hide_default_value = true)]
    master: String,
    /// The clearing date, e.g. 2026-03-05; today in China unless given.
    #[arg(long, value_parser = date)]
    date: Option<Date>,
    /// What each card's account holds at first, in fen.
    #[arg(long, default_value_t = 100_000_000)]
    balance: i64,
    /// Serve links by TLS with this certificate and its chain, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Let only members in that have a certificate of this CA.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_ca: Option<PathBuf>,
    /// Write the addresses to this file, one a line, once it listens; the last is that of --control.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let plan = match arguments.faults.as_str() {
        "none" => CardPlan::default(),
        path => {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading the plan {path}"))?;
            toml::from_str(&text).with_context(|| format!("the plan {path}"))?
        }
    };
    let network = CardNetwork::new(Settings {
        plan,
        cipher: arguments.cipher.into(),
        mac: match arguments.mac {
            MacName::Ecb => MacForm::Ecb,
            MacName::Cbc => MacForm::Cbc,
        },
        master: arguments.master.clone(),
        date: arguments.date.unwrap_or_else(sandbox::bank::today),
        balance: arguments.balance,
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(arguments, network))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: &Arguments, network: Arc<CardNetwork>) -> anyhow::Result<()> {
    let stop = stop()?;
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for address in arguments.listen.iter().chain([&arguments.control]) {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        addresses.push(listener.local_addr().context("asking for the address of a listener")?.to_string());
        listeners.push(listener);
    }
    let control = listeners.pop().context("a listener")?;
    if let Some(path) = &arguments.port_file {
        write_whole(path, &addresses.join("\n"))?;
    }
    println!("lintel-sandbox card-network: {}", addresses.join(", "));
    let router = Router::new()
        .route("/file/{member}", get(file))
        .route("/books", get(books))
        .route("/transactions", get(transactions))
        .route("/balance/{card}", get(balance))
        .route("/code/{card}", post(code))
        .route("/cut", post(cut))
        .with_state(Arc::clone(&network));
    let asked = tokio::spawn(async move { axum::serve(control, router).await });
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(card_network::acceptor(certificate, key, arguments.tls_ca.as_deref())?),
        (None, _) | (_, None) => None,
    };
    card_network::serve_by(listeners, network, tls, stop).await;
    asked.abort();
    Ok(())
}

async fn file(State(network): State<Arc<CardNetwork>>, Path(member): Path<String>) -> String {
    network.file(&member)
}

async fn books(State(network): State<Arc<CardNetwork>>) -> axum::Json<card_network::Totals> {
    axum::Json(network.totals())
}

async fn transactions(State(network): State<Arc<CardNetwork>>) -> axum::Json<Vec<card_network::Shown>> {
    axum::Json(network.transactions())
}

async fn balance(State(network): State<Arc<CardNetwork>>, Path(card): Path<String>) -> String {
    network.balance(&card).to_string()
}

async fn code(State(network): State<Arc<CardNetwork>>, Path(card): Path<String>) -> String {
    network.show_code(&card)
}

async fn cut(State(network): State<Arc<CardNetwork>>) {
    network.drop_links();
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| String::from("dates look like 2026-03-05"))
}
