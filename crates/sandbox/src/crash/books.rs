//! One set of books under load: what is on them, who works on them, and one round of kill, start and check.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::check;
use super::feeder::Feeder;
use super::model::{Effect, Model};
use super::moment::Moments;
use super::posting::Form;
use super::teller::{Desk, Kept, Teller};
use crate::api::Api;
use crate::bench::numbers::Numbers;
use crate::play::open::{person_name, register};
use crate::play::stage::{DAY, Setting, Stage, each, text};
use crate::process::{Launch, Platform};

/// Who sends keyed commands, one under way each.
const TELLERS: usize = 10;
/// Who is paid for orders.
const MERCHANTS: usize = 4;
/// Custody sub-accounts that tellers and feeders post between.
const ACCOUNTS: usize = 60;
/// What each teller's wallet begins with, in fen.
const FUNDS: i64 = 1_000_000_000_000;
/// The feeders: form and most vouchers of a posting.
const FEEDERS: [(Form, u64); 3] = [(Form::Cbor, 1_500), (Form::Cbor, 40), (Form::Json, 200)];
/// The day is cut in one round of so many; with the days that these leave open no more than seven are.
const CUT_EVERY: u64 = 4;

/// A merchant and its account of money to be settled.
#[derive(Debug, Clone)]
pub(super) struct Seller {
    /// Its id.
    pub(super) id: String,
    /// 2202.
    pub(super) pending: String,
}

/// What one round came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    /// Commands that were answered before the kill; a bulk posting is one.
    pub(super) acknowledged: u64,
    /// Vouchers of the bulk postings among them.
    pub(super) vouchers: u64,
    /// Sent, no answer, found done.
    pub(super) done: u64,
    /// Sent, no answer, found not done.
    pub(super) not_done: u64,
    /// How long the start took.
    pub(super) recovery: Duration,
}

/// A set of books.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) stage: Stage,
    pub(super) model: Model,
    /// The accounts that postings go between.
    pub(super) accounts: Arc<[u64]>,
    pub(super) sellers: Vec<Seller>,
    tellers: Vec<Teller>,
    feeders: Vec<Feeder>,
    /// Acknowledged in earlier rounds.
    pub(super) kept: Vec<Kept>,
    /// The accounting days, the open one last.
    pub(super) days: Vec<Date>,
    /// Custody sub-accounts there must be.
    pub(super) opened: u64,
    /// Orders there must be.
    pub(super) orders: BTreeSet<String>,
    rounds: u64,
}

/// Those at work, each with what came of it at the end.
type Working<T> = Vec<JoinHandle<Result<T>>>;

/// The number in an account's id.
fn number(account: &str) -> Result<u64> {
    let digits = account.strip_prefix("acc_").and_then(|digits| digits.parse().ok());
    digits.with_context(|| format!("{account} is no account's id"))
}

fn day(text: &str) -> Result<Date> {
    text.parse().map_err(|error| anyhow!("{text} is no date: {error}"))
}

impl Books {
    /// New books with everything on them that the load needs.
    ///
    /// # Errors
    /// If the platform does not start or refuses any of it.
    pub(super) async fn open(data_dir: PathBuf, seed: u64, lintel: Option<PathBuf>, sets: Vec<String>) -> Result<Self> {
        let stage = Stage::of(Setting {
            data_dir,
            seed,
            faults: "default",
            epcc: false,
            unionpay_rsa: false,
            concurrency: 32,
            lintel,
            sets,
        })?;
        let mut model = Model::default();
        let accounts = custody_accounts(&stage.operator, ACCOUNTS).await?;
        accounts.iter().for_each(|account| model.open(*account));
        let customers = register(&stage, TELLERS + MERCHANTS).await?;
        let (users, owners) = customers.split_at(TELLERS);
        let sellers = sellers(&stage, owners).await?;
        let wallets = wallets(&stage, users).await?;
        for (_, wallet) in &wallets {
            model.open(*wallet);
            model.add([Effect::entry(*wallet, FUNDS)])?;
        }
        let tellers = wallets.iter().enumerate().map(|(number, (user, wallet))| {
            let next = wallets.get((number + 1) % wallets.len()).map_or(*wallet, |(_, wallet)| *wallet);
            let merchant = sellers.get(number % sellers.len()).map(|seller| seller.id.clone()).unwrap_or_default();
            Teller::new(Desk { number, user: user.clone(), wallet: *wallet, receiver: next, merchant }, seed)
        });
        let feeder = |(number, (form, most)): (usize, &(Form, u64))| {
            Feeder::new(format!("feeder-{number}"), *form, seed ^ ((number as u64 + 1) << 40), *most)
        };
        Ok(Self {
            tellers: tellers.collect(),
            feeders: FEEDERS.iter().enumerate().map(feeder).collect(),
            stage,
            model,
            accounts: accounts.into(),
            sellers,
            kept: Vec::new(),
            days: vec![day(DAY)?],
            opened: ACCOUNTS as u64,
            orders: BTreeSet::new(),
            rounds: 0,
        })
    }

    /// Loads, kills at the moments, starts again and checks.
    ///
    /// # Errors
    /// Whatever does not hold.
    pub(super) async fn round(&mut self, moments: &Moments, numbers: &mut Numbers, usual: Duration) -> Result<Round> {
        self.rounds += 1;
        if self.rounds.is_multiple_of(CUT_EVERY)
            && let (Some(today), Some(teller)) = (self.days.last().copied(), self.tellers.first_mut())
        {
            let next = today.tomorrow().map_err(|error| anyhow!("the day after {today}: {error}"))?;
            teller.cut_to(next.to_string());
        }
        let (tellers, feeders) = self.begin();
        let (power, moments, data_dir) = (self.stage.power(), moments.clone(), self.stage.data_dir().to_owned());
        let recovery = tokio::task::spawn_blocking(move || -> Result<Duration> {
            moments.wait(&data_dir);
            let (launch, place) = power;
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(mut running) = place.take() {
                running.process.kill()?;
            }
            let (platform, recovery) = start_again(&launch, &moments, usual)?;
            *place = Some(platform);
            Ok(recovery)
        });
        // The load ends with the connections, long before the platform is there again.
        self.end(tellers, feeders).await?;
        let mut round = Round { recovery: recovery.await.context("killing the platform")??, ..Round::default() };
        self.resolve(&mut round).await?;
        check::after_a_round(self, numbers).await?;
        Ok(round)
    }

    fn begin(&mut self) -> (Working<Teller>, Working<Feeder>) {
        let (api, accounts) = (&self.stage.operator, &self.accounts);
        let tellers = self.tellers.drain(..).map(|teller| tokio::spawn(teller.run(api.clone(), accounts.clone())));
        let tellers = tellers.collect();
        let feeders = self.feeders.drain(..).map(|feeder| tokio::spawn(feeder.run(api.clone(), accounts.clone())));
        (tellers, feeders.collect())
    }

    async fn end(&mut self, tellers: Working<Teller>, feeders: Working<Feeder>) -> Result<()> {
        for teller in tellers {
            self.tellers.push(teller.await.context("a teller failed")??);
        }
        for feeder in feeders {
            self.feeders.push(feeder.await.context("a feeder failed")??);
        }
        Ok(())
    }

    /// Finds out what became of every command in doubt, and adds everything to the model.
    async fn resolve(&mut self, round: &mut Round) -> Result<()> {
        let api = &self.stage.operator;
        let mut fresh = Vec::new();
        let mut count = |outcome: Option<bool>| match outcome {
            Some(true) => round.done += 1,
            Some(false) => round.not_done += 1,
            None => {}
        };
        for teller in &mut self.tellers {
            round.acknowledged += teller.kept.len() as u64;
            count(teller.resolve(api).await?);
            fresh.append(&mut teller.kept);
            self.model.add(teller.effects.drain(..))?;
            self.opened += std::mem::take(&mut teller.opened);
            self.orders.extend(teller.orders.drain(..));
        }
        for feeder in &mut self.feeders {
            round.acknowledged += std::mem::take(&mut feeder.acknowledged);
            round.vouchers += std::mem::take(&mut feeder.vouchers);
            count(feeder.resolve(api, &self.accounts).await?);
            // What was in doubt was not acknowledged before the kill.
            (feeder.acknowledged, feeder.vouchers) = (0, 0);
            self.model.add(feeder.effects.drain(..))?;
        }
        check::again(api, fresh.clone()).await?;
        for feeder in &self.feeders {
            feeder.again(api, &self.accounts).await?;
        }
        self.kept.extend(fresh);
        let seen = api.get("/v1/days").await?;
        let today = day(&text(&seen, "current")?)?;
        if self.days.last() != Some(&today) {
            self.days.push(today);
        }
        Ok(())
    }

    /// The journal, read by itself with the platform down, is intact.
    pub(super) fn verify_journal(launch: &Launch) -> Result<()> {
        let verify =
            Command::new(&launch.binary).args(["journal", "verify", "--data-dir"]).arg(&launch.data_dir).output();
        let output = verify.context("running lintel journal verify")?;
        ensure!(output.status.success(), "the journal does not verify: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Checks the journal as the kill left it, then starts the platform, killing as many starts as the moments say.
fn start_again(launch: &Launch, moments: &Moments, usual: Duration) -> Result<(Platform, Duration)> {
    Books::verify_journal(launch)?;
    for thousandth in &moments.of_starts {
        let mut process = launch.spawn()?;
        std::thread::sleep(usual * u32::try_from(*thousandth).unwrap_or(1_000) / 1_000);
        process.kill()?;
    }
    let began = Instant::now();
    let platform = launch.start()?;
    Ok((platform, began.elapsed()))
}

/// Opens custody sub-accounts that may go below zero; their numbers.
pub(super) async fn custody_accounts(api: &Api, count: usize) -> Result<Vec<u64>> {
    let api = api.clone();
    let opened = each((0..count).collect(), 64, |_, at| {
        let api = api.clone();
        async move {
            let body = json!({ "subject": 9201, "currency": "CNY", "owner": "institution", "overdraft": true });
            number(&text(&api.post("/v1/accounts", &format!("account-{at}"), &body).await?.json()?, "id")?)
        }
    });
    let mut accounts = opened.await?;
    accounts.sort_unstable();
    Ok(accounts)
}

async fn sellers(stage: &Stage, owners: &[String]) -> Result<Vec<Seller>> {
    let mut sellers = Vec::new();
    for (at, customer) in owners.iter().enumerate() {
        let body = json!({
            "customer": customer, "kind": "landlord", "name": format!("Landlord {at}"), "fee_rate": 2_000,
            "settlement": { "account": format!("62220210{at:011}"), "holder": person_name(TELLERS + at) },
        });
        let answer = stage.done("/v1/merchants", &format!("merchant-{at}"), body).await?;
        sellers.push(Seller { id: text(&answer, "id")?, pending: text(&answer, "pending")? });
    }
    Ok(sellers)
}

/// A user and a wallet with money for each customer.
async fn wallets(stage: &Stage, customers: &[String]) -> Result<Vec<(String, u64)>> {
    let own = stage.operator.get("/v1/accounts?owner=institution&subject=1121&min_position=1").await?;
    let own = own.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let yuan = own.iter().find(|account| account.get("currency").is_some_and(|currency| currency == "CNY"));
    let clearing = text(yuan.context("the institution has an account 1121 in CNY")?, "id")?;
    let mut wallets = Vec::new();
    for (at, customer) in customers.iter().enumerate() {
        let user = json!({ "customer": customer, "product": "rent" });
        let user = text(&stage.done("/v1/users", &format!("user-{at}"), user).await?, "id")?;
        let body = json!({ "subject": 2201, "currency": "CNY", "owner": user });
        let wallet = text(&stage.done("/v1/accounts", &format!("wallet-{at}"), body).await?, "id")?;
        let entry =
            |account: &str, side: &str| json!({ "account": account, "side": side, "amount": FUNDS, "currency": "CNY" });
        let entries = [entry(&clearing, "debit"), entry(&wallet, "credit")];
        let body = json!({ "business_number": format!("funds {at}"), "entries": entries });
        stage.done("/v1/vouchers", &format!("funds-{at}"), body).await?;
        wallets.push((user, number(&wallet)?));
    }
    Ok(wallets)
}
