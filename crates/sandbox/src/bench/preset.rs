//! The shapes of load: each preset is a [`Plan`], and every field of a plan can be set on the command line.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

/// The most transfers of one posting that the platform takes.
const BATCH_MAX: u64 = 100_000;
/// The largest share of two-phase operations; the rest are postings, so that there is a mix.
const TWO_PHASE_MAX: u8 = 90;

/// A shape of load by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// 10 M transfers between 10,000 accounts, batches of 8,189, one client: what the other shapes are compared with
    Uniform,
    /// One account in every transfer: what a ledger that locks rows is worst at
    Hot,
    /// Accounts that may not go below zero, funded first: every transfer has its balance checked
    Strict,
    /// As strict, and 30 % of the operations are a hold that is then confirmed
    TwoPhase,
    /// Batches of 50 from 16 clients
    Small,
    /// One transfer in a request, from 16 clients
    Single,
    /// 10 M accounts; ends with a restart, whose time is measured
    ManyAccounts,
    /// 100 M transfers, measured slice by slice: does it slow down, does memory grow?
    Grown,
    /// JSON in place of CBOR
    Json,
    /// Journal and store on PostgreSQL: a throw-away cluster, or --postgres URL
    Postgres,
}

/// Which accounts a transfer goes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Any two, each as likely as the next
    Uniform,
    /// One account on one side of every transfer, any other on the other side
    Hot,
}

/// How a posting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// Arrays in `application/cbor`
    Cbor,
    /// `application/json`
    Json,
}

/// Where journal and store lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// SQLite in the data directory
    Embedded,
    /// PostgreSQL
    Postgres,
}

/// A shape of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Accounts that transfers go between.
    pub accounts: u64,
    /// Transfers in all.
    pub transfers: u64,
    /// Transfers in one request.
    pub batch: u64,
    /// Connections, each with one request under way.
    pub clients: u64,
    /// Which accounts.
    pub spread: Spread,
    /// Whether accounts may go below zero; if not, they are funded first.
    pub overdraft: bool,
    /// How many of 100 transfers are a hold and its confirm.
    pub two_phase: u8,
    /// How postings are written.
    pub codec: Codec,
    /// Where journal and store lie.
    pub storage: Storage,
    /// In how many parts the run is measured.
    pub slices: u64,
    /// Whether the server is stopped and started at the end, and its start timed.
    pub restart: bool,
}

const UNIFORM: Plan = Plan {
    accounts: 10_000,
    transfers: 10_000_000,
    batch: 8_189,
    clients: 1,
    spread: Spread::Uniform,
    overdraft: true,
    two_phase: 0,
    codec: Codec::Cbor,
    storage: Storage::Embedded,
    slices: 10,
    restart: false,
};

impl Preset {
    /// What it stands for.
    #[must_use]
    pub const fn plan(self) -> Plan {
        match self {
            Self::Uniform => UNIFORM,
            Self::Hot => Plan { spread: Spread::Hot, ..UNIFORM },
            Self::Strict => Plan { overdraft: false, ..UNIFORM },
            Self::TwoPhase => Plan { overdraft: false, two_phase: 30, transfers: 4_000_000, ..UNIFORM },
            Self::Small => Plan { batch: 50, clients: 16, transfers: 3_000_000, ..UNIFORM },
            Self::Single => Plan { batch: 1, clients: 16, transfers: 300_000, ..UNIFORM },
            Self::ManyAccounts => Plan { accounts: 10_000_000, restart: true, ..UNIFORM },
            Self::Grown => Plan { transfers: 100_000_000, slices: 20, restart: true, ..UNIFORM },
            Self::Json => Plan { codec: Codec::Json, ..UNIFORM },
            Self::Postgres => Plan { storage: Storage::Postgres, transfers: 2_000_000, ..UNIFORM },
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What of a preset's plan to do otherwise.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Shape of the load (each overrides the preset)")]
pub struct Overrides {
    /// Accounts that transfers go between, 2 or more
    #[arg(long)]
    pub accounts: Option<u64>,
    /// Transfers in all
    #[arg(long)]
    pub transfers: Option<u64>,
    /// Transfers in one request, 1 to 100,000
    #[arg(long)]
    pub batch: Option<u64>,
    /// Connections, each with one request under way
    #[arg(long)]
    pub clients: Option<u64>,
    /// Which accounts a transfer goes between
    #[arg(long, value_enum)]
    pub spread: Option<Spread>,
    /// Whether accounts may go below zero; with false they are funded first
    #[arg(long)]
    pub overdraft: Option<bool>,
    /// How many of 100 transfers are a hold and its confirm, 0 to 90
    #[arg(long, value_name = "PERCENT")]
    pub two_phase: Option<u8>,
    /// How postings are written
    #[arg(long, value_enum)]
    pub codec: Option<Codec>,
    /// Where journal and store lie
    #[arg(long, value_enum)]
    pub storage: Option<Storage>,
    /// In how many parts rate, memory and disk are measured
    #[arg(long)]
    pub slices: Option<u64>,
    /// Whether to stop and start the server at the end and time its start
    #[arg(long)]
    pub restart: Option<bool>,
}

impl Overrides {
    /// The plan with what is named here in place of its own.
    ///
    /// # Errors
    /// A value that no load can be made of, named.
    pub fn over(&self, plan: Plan) -> Result<Plan> {
        let plan = Plan {
            accounts: self.accounts.unwrap_or(plan.accounts),
            transfers: self.transfers.unwrap_or(plan.transfers),
            batch: self.batch.unwrap_or(plan.batch),
            clients: self.clients.unwrap_or(plan.clients),
            spread: self.spread.unwrap_or(plan.spread),
            overdraft: self.overdraft.unwrap_or(plan.overdraft),
            two_phase: self.two_phase.unwrap_or(plan.two_phase),
            codec: self.codec.unwrap_or(plan.codec),
            storage: self.storage.unwrap_or(plan.storage),
            slices: self.slices.unwrap_or(plan.slices),
            restart: self.restart.unwrap_or(plan.restart),
        };
        plan.checked()
    }
}

impl Plan {
    fn checked(self) -> Result<Self> {
        ensure!(self.accounts >= 2, "a transfer needs two accounts; give --accounts 2 or more");
        ensure!(
            (1..=BATCH_MAX).contains(&self.batch),
            "--batch {} is no size of a posting; give 1 to {BATCH_MAX}",
            self.batch
        );
        ensure!(self.transfers >= 1, "there is nothing to measure; give --transfers 1 or more");
        ensure!(
            (1..=1_024).contains(&self.clients),
            "--clients {} cannot be driven from one thread; give 1 to 1024",
            self.clients
        );
        ensure!(
            self.two_phase <= TWO_PHASE_MAX,
            "--two-phase {} leaves too few postings; give 0 to {TWO_PHASE_MAX}",
            self.two_phase
        );
        ensure!(
            self.slices >= 1 && self.slices <= self.transfers,
            "--slices {} must be 1 to the number of transfers",
            self.slices
        );
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_plan_that_can_be_run() {
        for preset in Preset::value_variants() {
            assert_eq!(Overrides::default().over(preset.plan()).unwrap(), preset.plan(), "{}", preset.name());
        }
    }

    #[test]
    fn presets_differ_from_uniform_and_have_the_names_of_the_issue() {
        let names: Vec<String> = Preset::value_variants().iter().map(|preset| preset.name()).collect();
        let expected =
            ["uniform", "hot", "strict", "two-phase", "small", "single", "many-accounts", "grown", "json", "postgres"];
        assert_eq!(names, expected);
        let alike = Preset::value_variants().iter().filter(|preset| preset.plan() == UNIFORM);
        assert_eq!(alike.count(), 1);
    }

    #[test]
    fn a_flag_overrides_its_field_and_no_other() {
        let overrides = Overrides { batch: Some(7), overdraft: Some(false), ..Overrides::default() };
        let plan = overrides.over(UNIFORM).unwrap();
        assert_eq!(plan, Plan { batch: 7, overdraft: false, ..UNIFORM });
    }

    #[test]
    fn impossible_plans_are_refused_with_the_flag_that_is_wrong() {
        let one = |change: fn(&mut Overrides), flag: &str| {
            let mut overrides = Overrides::default();
            change(&mut overrides);
            let error = overrides.over(UNIFORM).unwrap_err().to_string();
            assert!(error.contains(flag), "{error}");
        };
        one(|of| of.accounts = Some(1), "--accounts");
        one(|of| of.batch = Some(0), "--batch");
        one(|of| of.batch = Some(100_001), "--batch");
        one(|of| of.transfers = Some(0), "--transfers");
        one(|of| of.clients = Some(0), "--clients");
        one(|of| of.two_phase = Some(91), "--two-phase");
        one(|of| of.slices = Some(0), "--slices");
    }
}
