//! Settings: defaults, then the file, then the environment (`LINTEL_…`), then the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ark::keys::Home;
use domain::calendar::{Calendar, Date, Year};
use serde::Deserialize;

pub(crate) use self::channel::{ChannelConfig, ExecutorConfig, SiteConfig};
pub(crate) use self::history::HistoryConfig;
pub(crate) use self::journal_config::JournalConfig;
pub(crate) use self::public_url::PublicUrl;
pub(crate) use self::webhook::WebhooksConfig;
pub(crate) use self::working_day::WorkingDayConfig;
use crate::log::LogFormat;
use crate::pos::link::settings::NetworkConfig;

mod channel;
mod history;
mod journal_config;
mod public_url;
pub(crate) mod webhook;
mod working_day;

/// The documented default configuration; `lintel config` prints it.
pub(crate) const DEFAULT: &str = include_str!("../lintel.toml");

/// The most rows of the vault that move a second: more than a disk writes.
const MOST_REWRAPPED: u32 = 1_000_000;

/// The longest overlap of the platform's signing keys: thirty days, in seconds.
const LONGEST_OVERLAP: u32 = 30 * 86_400;

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: PublicUrl,
    pub(crate) data_dir: PathBuf,
    pub(crate) institution: String,
    pub(crate) first_day: String,
    pub(crate) sandbox: bool,
    pub(crate) clock: ClockKind,
    pub(crate) log: LogFormat,
    pub(crate) personal_fields: PersonalFields,
    pub(crate) journal: JournalConfig,
    pub(crate) store: Place,
    pub(crate) calendar: BTreeMap<String, WireYear>,
    #[serde(default)]
    pub(crate) channels: Vec<ChannelConfig>,
    pub(crate) executor: ExecutorConfig,
    pub(crate) keys: KeysConfig,
    pub(crate) history: HistoryConfig,
    pub(crate) ark: ArkConfig,
    /// Addresses that hold a password and stand in a file or on the command line, by their names.
    #[serde(skip)]
    pub(crate) clear_passwords: Vec<String>,
    pub(crate) pos: PosConfig,
    pub(crate) webhooks: WebhooksConfig,
    pub(crate) routing: RoutingConfig,
    pub(crate) working_day: WorkingDayConfig,
    #[serde(default)]
    pub(crate) split_plans: Vec<crate::http::split_plan::SettingsPlan>,
}

/// Where time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClockKind {
    Wall,
    Manual,
}

/// How merchants send personal texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PersonalFields {
    Either,
    Encrypted,
}

/// What a place is called that is the embedded default.
const EMBEDDED: &str = "embedded";

/// `embedded`, or how PostgreSQL is reached, with a password perhaps: it is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct PlaceUrl(String);

impl PlaceUrl {
    /// True on the embedded default.
    pub(crate) fn is_embedded(&self) -> bool {
        self.0 == EMBEDDED
    }

    /// The address, for whoever connects.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlaceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_embedded() { EMBEDDED } else { "(not shown)" })
    }
}

/// Where the store, or what the key service keeps, lies: `embedded`, or a PostgreSQL address and a schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) url: PlaceUrl,
    pub(crate) schema: String,
}

impl Place {
    /// True on the embedded default.
    pub(crate) fn is_embedded(&self) -> bool {
        self.url.is_embedded()
    }
}

/// One year's holidays and make-up days.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireYear {
    holidays: Vec<String>,
    make_up_days: Vec<String>,
}

/// How many keys of requests stay in memory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysConfig {
    pub(crate) run: usize,
}

/// The key service: this process's own, or another's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArkConfig {
    pub(crate) profile: ArkProfile,
    pub(crate) mode: ArkMode,
    pub(crate) unseal: ArkUnseal,
    pub(crate) provider: ArkProvider,
    pub(crate) provider_file: PathBuf,
    pub(crate) place: Place,
    pub(crate) rewrap_per_second: u32,
    pub(crate) signing_overlap_seconds: u32,
    pub(crate) remote: ArkRemote,
    pub(crate) serve: ArkServe,
}

impl ArkConfig {
    /// Where this process's own key service lies: in a schema of PostgreSQL if one is set, what belongs to no database below the data
    /// directory.
    pub(crate) fn home(&self, directory: &Path) -> Home {
        let Place { url, schema } = &self.place;
        let schema = (!url.is_embedded()).then(|| ark::keys::PostgresConfig::new(url.expose(), schema));
        Home::new(directory, schema)
    }

    /// Rows of the vault that are moved a second at most, after a rotation of its key.
    ///
    /// # Errors
    /// A rate that moves nothing, or more than any disk does.
    pub(crate) fn rewrap_rate(&self) -> Result<u32> {
        match self.rewrap_per_second {
            rate @ 1..=MOST_REWRAPPED => Ok(rate),
            rate => bail!("ark.rewrap_per_second is {rate}: use 1 to {MOST_REWRAPPED} rows a second"),
        }
    }

    /// How long a next version of the platform's signing keys waits before it signs, in milliseconds.
    ///
    /// # Errors
    /// More than thirty days.
    pub(crate) fn signing_overlap_ms(&self) -> Result<i64> {
        match self.signing_overlap_seconds {
            seconds @ ..=LONGEST_OVERLAP => Ok(i64::from(seconds) * 1_000),
            seconds => bail!("ark.signing_overlap_seconds is {seconds}: use 0 to {LONGEST_OVERLAP}, thirty days"),
        }
    }
}

/// What holds the root key, or the financial keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArkProvider {
    /// This process, under a root key dealt to custodians.
    Soft,
    /// Devices of GM/T 0018 keep the root key.
    Sdf,
    /// Tokens of PKCS #11 keep the root key.
    Pkcs11,
    /// Financial modules keep terminals' keys; everything else is as with `soft`.
    Fhsm,
}

/// A key service that is a process of its own, and how this one shows who it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArkRemote {
    pub(crate) url: String,
    pub(crate) certificate: PathBuf,
    pub(crate) certificate_key: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) timeout_ms: u64,
}

/// Where `lintel ark serve` listens, and how it and its callers show who they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArkServe {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) certificate_key: PathBuf,
    pub(crate) ca: PathBuf,
}

/// What the keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArkProfile {
    /// Development and sandboxes: everything goes.
    Development,
    /// Money of customers: no root key in a file, no key of a channel in the settings, PIN and terminal keys in financial modules.
    Production,
}

/// Which algorithms the key service has, after GM/T 0028.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArkMode {
    /// All of them.
    Any,
    /// SM2, SM3 and SM4 alone.
    Approved,
}

/// What the key service opens with at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArkUnseal {
    /// Nothing: custodians bring their shares.
    Shares,
    /// The root key in the file `ark.key`, made where there is no key service yet, for development; custodians where one has
    /// none.
    File,
}

/// Where terminals connect, and what they may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PosConfig {
    listen: String,
    tls_listen: String,
    pub(crate) certificate: PathBuf,
    pub(crate) certificate_key: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) acquirer: PathBuf,
    bins: PathBuf,
    terminal_ca: PathBuf,
    pub(crate) connections: u32,
    pub(crate) queue: usize,
    pub(crate) read_timeout_ms: u64,
    pub(crate) write_timeout_ms: u64,
    pub(crate) idle_timeout_ms: u64,
    pub(crate) drain_ms: u64,
    pub(crate) network: NetworkConfig,
}

impl PosConfig {
    /// The file that says whose cards are, if there is one.
    pub(crate) fn bins(&self) -> Option<&Path> {
        Some(self.bins.as_path()).filter(|file| !file.as_os_str().is_empty())
    }

    /// The file of the CAs that say whose a terminal's public key is, if there is one.
    pub(crate) fn terminal_ca(&self) -> Option<&Path> {
        Some(self.terminal_ca.as_path()).filter(|file| !file.as_os_str().is_empty())
    }

    /// Lets no terminal in and connects to no network.
    pub(crate) fn listen_nowhere(&mut self) {
        self.network.connect_nowhere();
        self.listen.clear();
        self.tls_listen.clear();
    }

    /// The addresses for TCP and for TLS.
    ///
    /// # Errors
    /// A text that is no address.
    pub(crate) fn listens(&self) -> Result<(Option<SocketAddr>, Option<SocketAddr>)> {
        let address = |name: &str, text: &str| {
            let parsed = (!text.is_empty()).then(|| text.parse()).transpose();
            parsed.with_context(|| format!("{name} is \"{text}\": use an address and a port, such as \"0.0.0.0:7890\""))
        };
        Ok((address("pos.listen", &self.listen)?, address("pos.tls_listen", &self.tls_listen)?))
    }
}

/// Which channel a payment goes to where several may carry it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoutingConfig {
    pub(crate) file: PathBuf,
    pub(crate) success_days: i32,
}

impl Config {
    /// The settings that name files with a private key, and the files.
    pub(crate) fn key_files(&self) -> Vec<(String, &Path)> {
        let sections = [
            ("ark.remote.certificate_key", &self.ark.remote.certificate_key),
            ("ark.serve.certificate_key", &self.ark.serve.certificate_key),
            ("pos.certificate_key", &self.pos.certificate_key),
        ];
        let channels = self.channels.iter().flat_map(ChannelConfig::key_files);
        let sections = sections.into_iter().map(|(name, path)| (name.to_owned(), path.as_path()));
        sections.chain(channels).filter(|(_, path)| !path.as_os_str().is_empty()).collect()
    }

    /// Reads the settings; `overrides` are TOML lines of the command line.
    ///
    /// # Errors
    /// A file that does not read or a setting that does not exist, named.
    pub(crate) fn load(file: Option<&Path>, overrides: &[String]) -> Result<Self> {
        let mut table: toml::Table = DEFAULT.parse().context("the built-in configuration")?;
        let mut clear = Vec::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            let own: toml::Table = text.parse().map_err(|error| not_toml(path, &text, &error))?;
            clear.extend(with_password("", &own));
            merge(&mut table, own);
        }
        for (name, value) in std::env::vars() {
            if let Some(key) = name.strip_prefix("LINTEL_SET_") {
                set(&mut table, &key.to_lowercase().replace("__", "."), &value)?;
            }
        }
        for line in overrides {
            let (key, value) = line.split_once('=').with_context(|| format!("'{line}' is not KEY=VALUE"))?;
            set(&mut table, key, value)?;
            clear.extend(holds_password(value).then(|| key.to_owned()));
        }
        let mut config: Self = table.try_into().context("the configuration")?;
        config.clear_passwords = clear;
        config.history.merges()?;
        config.refuse_ark_place()?;
        config.ark.rewrap_rate()?;
        config.ark.signing_overlap_ms()?;
        config.pos.listens()?;
        config.pos.network.check()?;
        config.executor.check()?;
        config.journal.check()?;
        config.webhooks.terms()?;
        config.working_day.schedule()?;
        Ok(config)
    }

    /// Refuses a place of the key service that is another's.
    fn refuse_ark_place(&self) -> Result<()> {
        let (place, ark) = (&self.ark.place, &self.ark);
        if place.is_embedded() {
            return Ok(());
        }
        if !ark.remote.url.is_empty() {
            bail!(
                "ark.remote.url and ark.place.url are set: the keys are in another process, or in this one's schema; leave one of \
                 them out"
            );
        }
        let taken =
            [("journal", &self.journal.url, &self.journal.schema), ("store", &self.store.url, &self.store.schema)];
        for (name, url, schema) in taken {
            if (url, schema) == (&place.url, &place.schema) {
                bail!("ark.place.schema is `{schema}`, which is {name}.schema too: name a schema of its own");
            }
        }
        Ok(())
    }

    /// Where this process's own key service lies.
    pub(crate) fn ark_home(&self) -> Home {
        self.ark.home(&self.data_dir)
    }

    /// The working days it knows.
    ///
    /// # Errors
    /// A year or date that does not read, named.
    pub(crate) fn calendar(&self) -> Result<Calendar> {
        let dates = |texts: &[String]| -> Result<Vec<Date>> {
            texts.iter().map(|text| text.parse::<Date>().with_context(|| "in [calendar]".to_owned())).collect()
        };
        let mut years = BTreeMap::new();
        for (year, days) in &self.calendar {
            let number = year.parse().with_context(|| format!("[calendar.{year}] is not a year"))?;
            let (holidays, make_up_days) = (dates(&days.holidays)?, dates(&days.make_up_days)?);
            years.insert(number, Year { holidays, make_up_days, ..Year::default() });
        }
        Ok(Calendar { years })
    }
}

/// Names the line that does not read and shows nothing of it: it may hold a password.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    anyhow::anyhow!("{} is not TOML: line {line}: {}", path.display(), error.message())
}

fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(own)) => merge(inner, own),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Names of the addresses in a table that hold a password.
fn with_password(place: &str, table: &toml::Table) -> Vec<String> {
    let of = |(key, value): (&String, &toml::Value)| {
        let name = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        if let toml::Value::Table(inner) = value {
            return with_password(&name, inner);
        }
        let holds = key == "url" && value.as_str().is_some_and(holds_password);
        if holds { vec![name] } else { Vec::new() }
    };
    table.iter().flat_map(of).collect()
}

/// Whether an address of PostgreSQL holds a password: `password=…` between others or behind `?`, or `://user:password@`.
fn holds_password(address: &str) -> bool {
    let named = |(at, word): (usize, &str)| address[at + word.len()..].trim_start().starts_with('=');
    let authority = address.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    address.match_indices("password").any(named) || user.is_some_and(|user| user.contains(':'))
}

/// Sets one dotted key; the value is read as the kind that the default has.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<()> {
    let (last, parents) = key
        .split('.')
        .collect::<Vec<_>>()
        .split_last()
        .map(|(last, parents)| (last.to_string(), parents.to_vec()))
        .context("a setting has a name")?;
    let mut table = table;
    for parent in parents {
        table = table
            .get_mut(parent)
            .and_then(toml::Value::as_table_mut)
            .with_context(|| format!("there is no setting '{key}'"))?;
    }
    let Some(slot) = table.get_mut(&last) else { bail!("there is no setting '{key}'; see `lintel config`") };
    *slot = match slot {
        toml::Value::Boolean(_) => {
            toml::Value::Boolean(value.parse().with_context(|| format!("{key} is true or false, not '{value}'"))?)
        }
        toml::Value::Integer(_) => {
            toml::Value::Integer(value.parse().with_context(|| format!("{key} is a number, not '{value}'"))?)
        }
        toml::Value::String(_) => toml::Value::String(value.to_owned()),
        toml::Value::Array(_) | toml::Value::Table(_) | toml::Value::Float(_) | toml::Value::Datetime(_) => {
            let wrapped: toml::Table =
                format!("value = {value}").parse().with_context(|| format!("{key} is TOML, not '{value}'"))?;
            wrapped.get("value").cloned().context("wrapped above")?
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_reads() {
        let config = Config::load(None, &[]).unwrap();
        assert!(config.journal.is_embedded());
        assert!(config.calendar().unwrap().years.contains_key(&2026));
    }

    #[test]
    fn the_keys_lie_in_a_schema_that_is_nobody_elses() {
        let load = |lines: &[&str]| Config::load(None, &lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>());
        let url = "ark.place.url=postgresql://ark:Zitrone-7@127.0.0.1/keys";
        assert!(!load(&[]).unwrap().ark_home().is_in_postgres());
        let config = load(&[url]).unwrap();
        assert_eq!(config.ark_home().name().to_str(), Some("schema lintel_ark"));
        assert!(!format!("{config:?}{:?}", config.ark_home()).contains("Zitrone"), "a password is never shown");
        let refused = |lines: &[&str]| format!("{:#}", load(lines).unwrap_err());
        assert!(refused(&[url, "ark.remote.url=https://ark.example:7882"]).contains("ark.remote.url"));
        let shared = ["store.url=postgresql://ark:Zitrone-7@127.0.0.1/keys", "store.schema=lintel_ark"];
        let told = refused(&[url, shared[0], shared[1]]);
        assert!(told.contains("store.schema") && !told.contains("Zitrone"), "{told}");
    }

    #[test]
    fn a_file_that_does_not_read_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lintel.toml");
        std::fs::write(&path, "log = \"text\"\n[ark.place]\nurl = \"postgresql://ark:Zitrone-7@127.0.0.1/keys\n")
            .unwrap();
        let told = format!("{:#}", Config::load(Some(&path), &[]).unwrap_err());
        assert!(told.contains("line 3") && !told.contains("Zitrone"), "{told}");
    }

    #[test]
    fn a_rate_that_moves_nothing_is_refused_by_name() {
        let rate = |line: &str| Config::load(None, &[line.to_owned()]).and_then(|config| config.ark.rewrap_rate());
        assert_eq!(rate("log=text").unwrap(), 2_000);
        assert_eq!(rate("ark.rewrap_per_second=1").unwrap(), 1);
        for wrong in ["ark.rewrap_per_second=0", "ark.rewrap_per_second=1000001"] {
            assert!(format!("{:#}", rate(wrong).unwrap_err()).contains("ark.rewrap_per_second is"));
        }
    }

    #[test]
    fn an_overlap_of_more_than_thirty_days_is_refused_by_name() {
        let overlap = |line: &str| Config::load(None, &[line.to_owned()]).map(|config| config.ark.signing_overlap_ms());
        assert_eq!(overlap("log=text").unwrap().unwrap(), 172_800_000);
        assert_eq!(overlap("ark.signing_overlap_seconds=0").unwrap().unwrap(), 0);
        assert_eq!(overlap("ark.signing_overlap_seconds=2592000").unwrap().unwrap(), 2_592_000_000);
        let told = format!("{:#}", overlap("ark.signing_overlap_seconds=2592001").unwrap_err());
        assert!(told.contains("ark.signing_overlap_seconds is 2592001"), "{told}");
    }

    #[test]
    fn a_password_in_an_address_is_known_by_the_name_of_its_setting() {
        for (address, holds) in [
            ("host=/run/postgresql dbname=lintel", false),
            ("host=db user=lintel password=secret dbname=lintel", true),
            ("host=db password = 'a secret'", true),
            ("postgresql://lintel@db/lintel?sslmode=require", false),
            ("postgresql://lintel:secret@db:5432/lintel", true),
            ("postgresql://db/lintel?user=lintel&password=secret", true),
            ("host=db dbname=passwords", false),
        ] {
            assert_eq!(holds_password(address), holds, "{address}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lintel.toml");
        std::fs::write(&path, "[journal]\nurl = \"postgresql://lintel:secret@db/lintel\"\n").unwrap();
        let clear = |file: Option<&Path>, line: &str| Config::load(file, &[line.to_owned()]).unwrap().clear_passwords;
        assert_eq!(clear(Some(&path), "log=text"), ["journal.url"]);
        assert_eq!(clear(None, "store.url=host=db password=secret"), ["store.url"]);
        assert_eq!(clear(None, "log=text"), Vec::<String>::new());
    }

    #[test]
    fn overrides_set_what_exists_and_name_what_does_not() {
        let set = |line: &str| Config::load(None, &[line.to_owned()]);
        assert_eq!(set("executor.timeout_ms=7").unwrap().executor.timeout_ms, 7);
        assert!(format!("{:#}", set("executor.timeoutms=7").unwrap_err()).contains("executor.timeoutms"));
        assert!(format!("{:#}", set("executor.timeout_ms=soon").unwrap_err()).contains("soon"));
        let early = format!("{:#}", set("executor.alarm_after_ms=0").unwrap_err());
        assert!(early.contains("executor.alarm_after_ms is 0; it is at least 1000"), "{early}");
        assert!(format!("{:#}", set("executor.breaker.trip_percent=0").unwrap_err()).contains("trip_percent is 0"));
        assert_eq!(set("log=json").unwrap().log, LogFormat::Json);
        assert!(format!("{:#}", set("log=xml").unwrap_err()).contains("xml"));
    }
}
