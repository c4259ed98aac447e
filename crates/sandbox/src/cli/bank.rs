//! `lintel-sandbox bank`: the sandbox bank as a process, until Ctrl-C or SIGTERM.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use ark::MacKey;
use clap::Args;
use jiff::civil::Date;
use sandbox::bank::{
    self, Bank, DEFAULT_PLAN, EpccKeys, EpccSettings, PingAnSettings, Plan, SANDBOX_KEY_HEX, SANDBOX_UNIONPAY_SECRET,
    Settings, UnionPaySign,
};
use tokio::net::TcpListener;

/// Arguments of `lintel-sandbox bank`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one. Several are the bank's sites, each of which can go down.
    #[arg(long = "listen", value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: Vec<SocketAddr>,
    /// Decides, with a serial number, what goes wrong with it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What goes wrong: `default`, `none`, or a plan in TOML.
    #[arg(long, default_value = "default", value_name = "default|none|FILE")]
    faults: String,
    /// The HMAC-SM3 key shared with the platform, 64 hexadecimal digits. The default is a known one.
    #[arg(long, env = "LINTEL_SANDBOX_KEY", hide_env_values = true, default_value = SANDBOX_KEY_HEX, hide_default_value = true)]
    key: String,
    /// The secret that UnionPay's forms are signed with, both ways (signMethod 12). The default is a known one.
    #[arg(long, env = "LINTEL_SANDBOX_UNIONPAY_SECRET", hide_env_values = true, default_value = SANDBOX_UNIONPAY_SECRET, hide_default_value = true)]
    unionpay_secret: String,
    /// How UnionPay's forms are signed: `12`, SM3 with the secret, or `01`, RSA with the keys.
    #[arg(long, default_value = "12", value_parser = ["12", "01"], value_name = "12|01")]
    unionpay_sign_method: String,
    /// UnionPay's private RSA-2048 key, PKCS #8 in hexadecimal (signMethod 01). The default is a known one.
    #[arg(long, env = "LINTEL_SANDBOX_UNIONPAY_KEY", hide_env_values = true, requires = "unionpay_peer_key")]
    unionpay_key: Option<String>,
    /// The platform's public RSA key towards UnionPay, in base64 as `openssl pkey -pubout` prints it. The default is a known one.
    #[arg(long, value_name = "BASE64", requires = "unionpay_key")]
    unionpay_peer_key: Option<String>,
    /// How EPCC's messages are signed: `sm2` or `rsa`.
    #[arg(long, default_value = "sm2", value_name = "sm2|rsa", requires = "epcc_key")]
    epcc_sign_method: String,
    /// EPCC's private key in hexadecimal: SM2 32 bytes, RSA-2048 PKCS #8. The default is a known one.
    #[arg(long, env = "LINTEL_SANDBOX_EPCC_KEY", hide_env_values = true, requires = "epcc_peer_key")]
    epcc_key: Option<String>,
    /// The platform's public key towards EPCC, in base64 as `openssl pkey -pubout` prints it. The default is a known one.
    #[arg(long, value_name = "BASE64", requires = "epcc_key")]
    epcc_peer_key: Option<String>,
    /// Where EPCC's notifications are posted; without it none are sent.
    #[arg(long, value_name = "URL")]
    epcc_notify: Option<String>,
    /// Where Ping An's notifications are posted; without it none are sent.
    #[arg(long, value_name = "URL")]
    pingan_notify: Option<String>,
    /// The first clearing date, e.g. 2026-03-05; today in China unless given.
    #[arg(long, value_parser = date)]
    date: Option<Date>,
    /// Where to post notifications; without it none are sent.
    #[arg(long, value_name = "URL")]
    notify: Option<String>,
    /// Write the addresses to this file, one a line, once the bank listens.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Threads that serve.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings {
        plan: plan(&arguments.faults)?,
        seed: arguments.seed,
        key: MacKey::from_hex(&arguments.key).context("reading --key")?,
        date: arguments.date.unwrap_or_else(bank::today),
        notify_url: arguments.notify.clone(),
        unionpay: unionpay(arguments)?,
        epcc: epcc(arguments)?,
        pingan: PingAnSettings { notify_url: arguments.pingan_notify.clone(), ..PingAnSettings::default() },
    };
    let mut builder = match arguments.threads {
        // Nothing is passed from thread to thread then, and none is woken for another.
        1 => tokio::runtime::Builder::new_current_thread(),
        threads => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(usize::from(threads));
            builder
        }
    };
    let runtime = builder.enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(arguments, settings))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: &Arguments, settings: Settings) -> anyhow::Result<()> {
    let stop = stop()?;
    let mut listeners = Vec::new();
    for address in &arguments.listen {
        listeners.push(TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?);
    }
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<std::io::Result<Vec<_>>>();
    let addresses = addresses.context("asking for the address of a listener")?;
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if let Some(path) = &arguments.port_file {
        write_whole(path, &texts.join("\n"))?;
    }
    let urls = texts.join(", http://");
    println!("lintel-sandbox bank: http://{urls} (clearing date {}, seed {})", settings.date, settings.seed);
    bank::serve_sites(listeners, Bank::new(settings), stop).await.context("serving the bank")
}

fn unionpay(arguments: &Arguments) -> anyhow::Result<UnionPaySign> {
    match (arguments.unionpay_sign_method.as_str(), &arguments.unionpay_key, &arguments.unionpay_peer_key) {
        ("01", Some(private), Some(public)) => {
            UnionPaySign::rsa(private, public).context("reading the keys of UnionPay")
        }
        ("01", ..) => Ok(UnionPaySign::sandbox_rsa()),
        _ => Ok(UnionPaySign::secret(&arguments.unionpay_secret)),
    }
}

fn epcc(arguments: &Arguments) -> anyhow::Result<EpccSettings> {
    let keys = match (&arguments.epcc_key, &arguments.epcc_peer_key) {
        (Some(private), Some(public)) => {
            EpccKeys::read(&arguments.epcc_sign_method, private, public).context("reading the keys of EPCC")?
        }
        (Some(_), None) | (None, Some(_) | None) => EpccKeys::sandbox(),
    };
    Ok(EpccSettings { keys, notify_url: arguments.epcc_notify.clone() })
}

fn plan(name: &str) -> anyhow::Result<Plan> {
    match name {
        "none" => Ok(Plan::default()),
        "default" => Plan::parse(DEFAULT_PLAN).context("reading the default plan"),
        path => {
            let text = fs::read_to_string(path).with_context(|| format!("reading the fault plan {path}"))?;
            Plan::parse(&text).with_context(|| format!("reading the fault plan {path}"))
        }
    }
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| String::from("dates look like 2026-03-05"))
}

/// Whoever waits for the file never sees half of it.
pub(super) fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::write(&beside, text).with_context(|| format!("writing {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("renaming {} to {}", beside.display(), path.display()))
}

/// Ends at Ctrl-C or SIGTERM, from when this is called and not from when it is first waited for: who was answered may stop it.
#[cfg(unix)]
pub(super) fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).context("listening for signals");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends at Ctrl-C.
#[cfg(not(unix))]
pub(super) fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
