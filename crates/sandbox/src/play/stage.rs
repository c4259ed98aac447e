//! The stage: the two processes, the callers, and what the player says while it plays.

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Play;
use super::browser::Browser;
use super::card_stage::CardStage;
use super::{network, sub_accounts};
use crate::api::Api;
use crate::bank::{SANDBOX_KEY_HEX, UnionPaySign};
use crate::bench::connection::Signer;
use crate::process::{Launch, Platform, Process, lintel_binary};

/// The accounting day that is played: a Thursday before a working Friday.
pub(crate) const DAY: &str = "2026-03-05";
/// The next working day.
pub(crate) const NEXT_DAY: &str = "2026-03-06";
/// The day after it.
pub(super) const DAY_AFTER: &str = "2026-03-07";

/// Where notifications go until the bank is told where the platform listens: nobody does there (the discard port).
const NOWHERE: &str = "http://127.0.0.1:9/v1/channels/unionpay/notify";

/// What the player says: one line a phase, and a bar while it works.
#[derive(Debug)]
pub struct Talk {
    began: Instant,
}

impl Default for Talk {
    fn default() -> Self {
        Self::new()
    }
}

impl Talk {
    /// Begins.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Says a line.
    pub fn line(&mut self, text: &str) {
        // A closed pipe must not end the day.
        drop(writeln!(std::io::stdout(), "{text}"));
    }

    /// Says what a phase brought about.
    pub fn phase(&mut self, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.line(&format!("[{seconds:6.1} s] {text}"));
    }

    /// A bar of `length` steps; on a terminal only.
    pub(super) fn bar(&self, length: u64, what: &'static str) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg:<24} {bar:40} {pos:>6}/{len} {per_sec:>12} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(length).with_style(style).with_message(what)
    }
}

/// What a stage is raised from.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Where the platform keeps its data: a directory without books.
    pub(crate) data_dir: PathBuf,
    /// The bank's seed.
    pub(crate) seed: u64,
    /// What goes wrong at the bank: `default`, `none` or a file.
    pub(crate) faults: &'static str,
    /// Whether EPCC is spoken as it is, at two sites; else the sandbox bank's own messages go its way.
    pub(crate) epcc: bool,
    /// Whether UnionPay's forms are signed with RSA (signMethod 01); else with a secret (12).
    pub(crate) unionpay_rsa: bool,
    /// How many requests are under way at once.
    pub(crate) concurrency: usize,
    /// The program `lintel`, if it is not beside this one.
    pub(crate) lintel: Option<PathBuf>,
    /// Further settings of the platform, as KEY=VALUE.
    pub(crate) sets: Vec<String>,
}

/// The two processes and who speaks to them.
#[derive(Debug)]
pub struct Stage {
    launch: Launch,
    platform: Arc<Mutex<Option<Platform>>>,
    bank: Process,
    bank_base: String,
    /// The card network, where there is one.
    cards: Option<CardStage>,
    http: reqwest::Client,
    /// The institution's own caller.
    pub(crate) operator: Api,
    /// How many requests are under way at once.
    pub(super) concurrency: usize,
}

impl Stage {
    /// Starts the bank and the platform for a day.
    ///
    /// # Errors
    /// If either does not start.
    pub(super) fn raise(play: &Play, talk: &mut Talk) -> Result<Self> {
        let temporary = std::env::temp_dir().join(format!("lintel-demo-{}", std::process::id()));
        let setting = Setting {
            data_dir: play.data_dir.clone().unwrap_or(temporary),
            seed: play.seed,
            faults: "default",
            epcc: true,
            unionpay_rsa: play.unionpay_sign_method == "01",
            concurrency: play.concurrency,
            lintel: play.lintel.clone(),
            sets: play.sets.clone(),
        };
        let cards = CardStage::raise(play.seed, &setting.data_dir)?;
        let stage = Self::with(setting, Some(cards))?;
        talk.phase(&format!("platform at {}, sandbox bank at {}, seed {}", stage.base(), stage.bank_base, play.seed));
        Ok(stage)
    }

    /// Starts the bank and the platform on new books.
    ///
    /// # Errors
    /// If either does not start, or there are books already.
    pub(crate) fn of(setting: Setting) -> Result<Self> {
        Self::with(setting, None)
    }

    /// The same, with a card network or without.
    fn with(setting: Setting, cards: Option<CardStage>) -> Result<Self> {
        std::fs::create_dir_all(&setting.data_dir).with_context(|| format!("making {}", setting.data_dir.display()))?;
        ensure!(
            !setting.data_dir.join("journal.db").exists(),
            "{} holds books already; the day begins with new ones: name an empty directory",
            setting.data_dir.display()
        );
        let (bank, addresses) = start_bank(&setting)?;
        let bank_base = format!("http://{}", addresses.first().context("the bank listens nowhere")?);
        let config = write_config(&setting, &bank_base, &addresses)?;
        let Setting { data_dir, concurrency, lintel, mut sets, .. } = setting;
        sets.splice(0..0, cards.iter().flat_map(CardStage::settings));
        let mut args = vec!["--config".to_owned(), config.display().to_string()];
        args.extend(["--sandbox", "--clock", "manual", "--set"].map(str::to_owned));
        args.push(format!("first_day={DAY}"));
        args.extend(sets.into_iter().flat_map(|set| ["--set".to_owned(), set]));
        let binary = lintel_binary(lintel)?;
        let mut launch = Launch { binary, data_dir, listen: "127.0.0.1:0".to_owned(), args, own_group: false };
        let platform = launch.start()?;
        launch.listen = platform.base.trim_start_matches("http://").to_owned();
        let operator = launch.api(&platform, "operator")?;
        let http = reqwest::Client::builder().no_proxy().build().context("making an HTTP client")?;
        let (platform, concurrency) = (Arc::new(Mutex::new(Some(platform))), concurrency.max(1));
        Ok(Self { launch, platform, bank, bank_base, cards, http, operator, concurrency })
    }

    /// Where the platform is.
    pub(super) fn base(&self) -> String {
        format!("http://{}", self.launch.listen)
    }

    /// Where it keeps its data.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.launch.data_dir
    }

    /// How to start the platform, and whose keys its data directory has.
    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The card network.
    ///
    /// # Errors
    /// If this stage was raised without one.
    pub(super) fn cards(&self) -> Result<&CardStage> {
        self.cards.as_ref().context("this stage has no card network")
    }

    /// What restarts the platform: for power cuts.
    pub(crate) fn power(&self) -> (Launch, Arc<Mutex<Option<Platform>>>) {
        (self.launch.clone(), self.platform.clone())
    }

    /// The process ids of platform and bank.
    pub(crate) fn processes(&self) -> (u32, u32) {
        let platform = self.platform.lock().unwrap_or_else(PoisonError::into_inner);
        (platform.as_ref().map_or(0, |platform| platform.process.id()), self.bank.id())
    }

    /// Whole requests signed for a caller, for a load.
    pub(crate) fn signer(&self, id: &str) -> Result<Signer> {
        Ok(Signer::new(&self.base(), id, self.launch.key(id)?))
    }

    /// Another caller of the platform, with the key that whoever reads its data directory has.
    pub(super) fn caller(&self, id: &str) -> Result<Api> {
        Ok(self.operator.with_caller(id, self.launch.key(id)?))
    }

    /// Asks the bank something.
    pub(crate) async fn bank(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let method = method.parse().with_context(|| format!("{method} is no HTTP method"))?;
        let mut request = self.http.request(method, format!("{}{path}", self.bank_base));
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| format!("asking the bank for {path}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| format!("reading the bank's {path}"))?;
        ensure!(status.is_success(), "the bank answers {path} with {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Lets the notifications of UnionPay, EPCC and Ping An reach the platform, which stays at its address through every restart.
    pub(super) async fn route_notifications(&self) -> Result<()> {
        let url = format!("{}/v1/channels/unionpay/notify", self.base());
        self.bank("POST", "/sandbox/unionpay/route", &json!({ "url": url })).await?;
        let url = format!("{}/v1/channels/epcc/notify", self.base());
        self.bank("POST", "/sandbox/epcc/route", &json!({ "url": url })).await?;
        sub_accounts::route_notifications(self).await
    }

    /// A payer's browser.
    pub(super) fn browser(&self) -> Browser {
        Browser(self.http.clone())
    }

    /// Moves the clocks of the platform and the bank to nine o'clock of a day.
    pub(crate) async fn move_clocks(&self, day: &str) -> Result<()> {
        self.bank("POST", "/sandbox/clock", &json!({ "date": day })).await?;
        let now = json!({ "now": format!("{day}T09:00:00+08:00") });
        self.operator.post("/v1/sandbox/clock", &format!("clock-{day}"), &now).await?.json()?;
        Ok(())
    }

    /// Has something done by the institution; the platform's answer.
    pub(crate) async fn done(&self, path: &str, key: &str, body: Value) -> Result<Value> {
        self.operator.post(path, key, &body).await?.json().with_context(|| format!("POST {path}"))
    }

    /// All pages of a list.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let after = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.operator.get(&format!("{path}{join}limit=500{after}")).await?;
            rows.extend(page.get("data").and_then(Value::as_array).cloned().unwrap_or_default());
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(rows),
            }
        }
    }

    /// Waits until nothing is on its way to the bank but what no answer has settled yet.
    pub(crate) async fn settle_down(&self, patience: Duration) -> Result<u64> {
        let until = Instant::now() + patience;
        let mut before = (u64::MAX, Instant::now());
        loop {
            let outbox = self.operator.get("/v1/attempts?limit=1").await?;
            let open = outbox.get("outbox").and_then(Value::as_u64).unwrap_or_default();
            if open != before.0 {
                before = (open, Instant::now());
            }
            if open == 0 || before.1.elapsed() > Duration::from_secs(3) {
                return Ok(open);
            }
            if Instant::now() > until {
                bail!("{open} attempts are still under way after {} s", patience.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops both processes.
    ///
    /// # Errors
    /// If the platform does not stop well.
    pub(crate) fn strike(self, remove: bool) -> Result<()> {
        let platform = self.platform.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(platform) = platform {
            platform.process.stop()?;
        }
        drop((self.bank, self.cards));
        if remove {
            std::fs::remove_dir_all(&self.launch.data_dir).context("removing the temporary data")?;
        }
        Ok(())
    }
}

/// The bank's addresses: the first, and EPCC's sites.
fn start_bank(setting: &Setting) -> Result<(Process, Vec<String>)> {
    let Setting { data_dir, seed, faults, epcc, unionpay_rsa, .. } = setting;
    let port_file = data_dir.join("bank-address");
    let own = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(own);
    command.args(["bank", "--key", SANDBOX_KEY_HEX, "--date", DAY]);
    for _ in 0..if *epcc { network::ADDRESSES } else { 1 } {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    let plan = if *epcc { network::plan(data_dir)? } else { PathBuf::from(faults) };
    command.arg("--faults").arg(plan);
    command.args(["--unionpay-sign-method", if *unionpay_rsa { "01" } else { "12" }]);
    command.args(["--seed", &seed.to_string(), "--port-file"]).arg(&port_file).stdout(std::process::Stdio::null());
    let mut process = Process::start("the sandbox bank", &mut command)?;
    let addresses = process.address(&port_file)?.lines().map(str::to_owned).collect();
    Ok((process, addresses))
}

fn write_config(setting: &Setting, bank: &str, addresses: &[String]) -> Result<PathBuf> {
    let (data_dir, signs) = (setting.data_dir.as_path(), UnionPaySign::platform_settings(setting.unionpay_rsa));
    let epcc = setting.epcc.then_some(addresses);
    let unionpay = format!(
        "[[channels]]\nname = \"unionpay_online\"\nurl = \"{bank}\"\n[channels.settings]\n\
         merchant = \"777290058110048\"\n{signs}\
         tr_id = \"62000000001\"\nfront_url = \"http://127.0.0.1:9/shop\"\nback_url = \"{NOWHERE}\"\n\n"
    );
    let channel = |name: &str, settings: &str| {
        format!(
            "[[channels]]\nname = \"{name}\"\nurl = \"{bank}\"\n[channels.settings]\n{settings}institution = \"lintel\"\nkey = \"{SANDBOX_KEY_HEX}\"\n\n"
        )
    };
    let text = [
        "# Written by the day player: the sandbox bank's channels, and patience to match it.\n".to_owned(),
        format!("[executor]\ntimeout_ms = {}\nquery_first_ms = 50\nquery_max_ms = 1000\n\n", network::TIMEOUT_MS),
        match epcc {
            Some(addresses) => network::settings(data_dir, addresses)?,
            None => channel("sandbox_bank", "rail = \"epcc\"\n"),
        },
        unionpay,
        epcc.map(|_| sub_accounts::settings(bank)).unwrap_or_default(),
        // The institution's own account, from which it advances.
        epcc.map(|_| channel("sandbox_bank", "rail = \"own_bank\"\n")).unwrap_or_default(),
        channel("sandbox_fund", ""),
    ]
    .concat();
    let path = data_dir.join("lintel.toml");
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// Runs `work` on each item, `width` at a time; results in the order of the items.
pub(crate) async fn each<T, R, F>(items: Vec<T>, width: usize, mut work: impl FnMut(usize, T) -> F) -> Result<Vec<R>>
where
    F: Future<Output = Result<R>> + Send + 'static,
    R: Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut results = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let future = work(at, item);
        tasks.spawn(async move { (at, future.await) });
        if tasks.len() >= width {
            results.extend(tasks.join_next().await);
        }
    }
    while let Some(done) = tasks.join_next().await {
        results.push(done);
    }
    let mut sorted = results.into_iter().collect::<Result<Vec<_>, _>>().context("a task of the player failed")?;
    sorted.sort_by_key(|(at, _)| *at);
    sorted.into_iter().map(|(_, result)| result).collect()
}

/// The text at a key of a JSON object.
pub(crate) fn text(value: &Value, key: &str) -> Result<String> {
    let found = value.get(key).and_then(Value::as_str).map(str::to_owned);
    found.with_context(|| format!("an answer without '{key}': {value}"))
}
