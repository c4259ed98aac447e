//! Settings of channels, of their sites, and of the executor that carries attempts out over them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use domain::attempt::Rail;
use domain::channel::{ChannelName, MAX_WORD};
use node::site::circuit::CircuitTerms;
use node::site::{BreakerTerms, WEIGHT_MAX};
use serde::Deserialize;

use crate::tls::Files;

/// What the only site of a channel is called that names none.
const ONLY_SITE: &str = "main";
/// The most sites of a channel.
const SITES_MAX: usize = 16;
/// The longest name of a site.
const NAME_MAX: usize = 32;
/// The least that may pass before an attempt without an answer is an alarm.
const ALARM_AFTER_MS_MIN: u64 = 1_000;

/// A channel: its name in the registry, where its sites are, and its own settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelConfig {
    pub(crate) name: String,
    /// What it is called, if it is a further channel of its rail.
    #[serde(default)]
    pub(crate) id: String,
    /// Where it is, if it has one site.
    #[serde(default)]
    pub(crate) url: String,
    /// Where it is, if it has several.
    #[serde(default)]
    pub(crate) sites: Vec<SiteConfig>,
    /// Calls a second that its sites together must be able to carry.
    #[serde(default)]
    pub(crate) peak: u32,
    /// What is asked to see whether a site is there.
    #[serde(default = "probe")]
    pub(crate) probe: String,
    #[serde(default)]
    pub(crate) certificate: PathBuf,
    #[serde(default)]
    pub(crate) certificate_key: PathBuf,
    #[serde(default)]
    pub(crate) ca: PathBuf,
    /// Outside a sandbox: that it is spoken to without TLS is meant so.
    #[serde(default)]
    pub(crate) plain_http: bool,
    /// Outside a sandbox: that it is shown no certificate of this side is meant so.
    #[serde(default)]
    pub(crate) no_client_certificate: bool,
    #[serde(default)]
    pub(crate) settings: serde_json::Value,
}

/// A site of a channel. What is zero or empty is as for the channel, or the executor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteConfig {
    pub(crate) name: String,
    pub(crate) url: String,
    #[serde(default = "one")]
    pub(crate) weight: u32,
    #[serde(default)]
    pub(crate) capacity: u32,
    #[serde(default)]
    pub(crate) connections: u32,
    #[serde(default)]
    pub(crate) timeout_ms: u64,
    #[serde(default)]
    pub(crate) connect_timeout_ms: u64,
    #[serde(default)]
    pub(crate) certificate: PathBuf,
    #[serde(default)]
    pub(crate) certificate_key: PathBuf,
    #[serde(default)]
    pub(crate) ca: PathBuf,
}

/// How attempts are carried out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecutorConfig {
    pub(crate) timeout_ms: u64,
    pub(crate) connect_timeout_ms: u64,
    pub(crate) query_first_ms: u64,
    pub(crate) query_max_ms: u64,
    pub(crate) concurrency: u32,
    pub(crate) alarm_after_ms: u64,
    pub(crate) breaker: BreakerConfig,
}

/// When sites are taken out and come back, and when a channel is let alone.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakerConfig {
    pub(crate) probe_every_ms: u64,
    pub(crate) probe_failures: u32,
    pub(crate) probe_answers: u32,
    pub(crate) window_ms: u64,
    pub(crate) calls_min: u32,
    pub(crate) confirm_percent: u32,
    pub(crate) trip_percent: u32,
    pub(crate) hold_down_ms: u64,
    pub(crate) hold_down_max_ms: u64,
    pub(crate) ramp_step_ms: u64,
    pub(crate) channel_percent: u32,
    pub(crate) channel_open_ms: u64,
    pub(crate) channel_trial_ms: u64,
    pub(crate) channel_answers: u32,
}

fn one() -> u32 {
    1
}

fn probe() -> String {
    "/".to_owned()
}

impl ChannelConfig {
    /// The settings that name files with a private key, its own and its sites'; some name none.
    pub(super) fn key_files(&self) -> impl Iterator<Item = (String, &Path)> {
        let of_site = |site: &SiteConfig| format!("certificate_key of site {} of channel {}", site.name, self.name);
        let sites = self.sites.iter().map(move |site| (of_site(site), site.certificate_key.as_path()));
        let own = (format!("certificate_key of channel {}", self.name), self.certificate_key.as_path());
        std::iter::once(own).chain(sites)
    }

    /// What it is called: its rail's first channel, or by its id a further one.
    ///
    /// # Errors
    /// An id that no channel of the rail may have, and what would be right.
    pub(crate) fn called(&self, rail: Rail) -> Result<ChannelName> {
        let (id, first) = (&self.id, rail.name());
        if id.is_empty() {
            return Ok(ChannelName::from(rail));
        }
        if !rail.has_further() {
            bail!("its id is '{id}', and one channel alone carries {first}: leave the id out");
        }
        ChannelName::parse(id).filter(|name| name.rail == rail).with_context(|| {
            format!(
                "its id is '{id}'; a channel that carries {first} is called {first}, or {first}_ and 1 to {MAX_WORD} small letters, \
                 digits, '-' or '_'"
            )
        })
    }

    /// Its sites, whole: what they leave out is the channel's or the executor's.
    ///
    /// # Errors
    /// What is missing, doubled or impossible, by name.
    pub(crate) fn sites(&self, executor: &ExecutorConfig) -> Result<Vec<SiteConfig>> {
        let mut sites = self.sites.clone();
        match (self.url.is_empty(), sites.is_empty()) {
            (false, true) => sites.push(self.only_site()),
            (true, false) => {}
            (true, true) => bail!("it needs a url, or [[channels.sites]] with a url each"),
            (false, false) => {
                bail!("it has a url and [[channels.sites]]; the sites have a url each, so leave the other out")
            }
        }
        if sites.len() > SITES_MAX {
            bail!("it has {} sites; at most {SITES_MAX} are possible", sites.len());
        }
        let mut names = BTreeSet::new();
        for site in &mut sites {
            self.complete(site, executor).with_context(|| format!("site '{}'", site.name))?;
            if !names.insert(site.name.clone()) {
                bail!("two of its sites are called '{}'", site.name);
            }
        }
        if sites.iter().all(|site| site.weight == 0) {
            bail!("all of its sites have weight 0; give one a weight of 1 to {WEIGHT_MAX}");
        }
        Ok(sites)
    }

    /// Refuses ways to a site that anybody on the path could read or take, unless the settings say by name that they are meant so.
    ///
    /// # Errors
    /// The site, and what is missing; those of [`Self::sites`].
    pub(crate) fn refuse_open_ways(&self, executor: &ExecutorConfig) -> Result<()> {
        for site in self.sites(executor)? {
            let (name, is_tls) = (&site.name, site.url.starts_with("https://"));
            if !is_tls && !self.plain_http {
                bail!(
                    "site '{name}' is at {}, and this is no sandbox: it takes https://, or `plain_http = true` in the channel's table \
                     where something else protects the way",
                    site.url
                );
            }
            if is_tls && site.certificate.as_os_str().is_empty() && !self.no_client_certificate {
                bail!(
                    "site '{name}' is shown no certificate, and this is no sandbox: name certificate, certificate_key and ca, or \
                     `no_client_certificate = true` in the channel's table where the channel asks for none"
                );
            }
        }
        Ok(())
    }

    fn only_site(&self) -> SiteConfig {
        let (certificate, certificate_key, ca) = (PathBuf::new(), PathBuf::new(), PathBuf::new());
        SiteConfig {
            name: ONLY_SITE.to_owned(),
            url: self.url.clone(),
            weight: 1,
            capacity: 0,
            connections: 0,
            timeout_ms: 0,
            connect_timeout_ms: 0,
            certificate,
            certificate_key,
            ca,
        }
    }

    fn complete(&self, site: &mut SiteConfig, executor: &ExecutorConfig) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if site.name.is_empty() || site.name.len() > NAME_MAX || !site.name.bytes().all(plain) {
            bail!("a site's name is 1 to {NAME_MAX} small letters, digits, '-' or '_'");
        }
        if site.weight > WEIGHT_MAX {
            bail!("its weight is {}; at most {WEIGHT_MAX} is possible", site.weight);
        }
        site.url = site.url.trim_end_matches('/').to_owned();
        if !site.url.starts_with("http://") && !site.url.starts_with("https://") {
            bail!("its url is '{}'; it begins with https:// (or http:// for a sandbox)", site.url);
        }
        let or = |own: u64, other: u64| if own == 0 { other } else { own };
        site.timeout_ms = or(site.timeout_ms, executor.timeout_ms);
        // The executor's goes with its own time-out: where an answer is waited for less long, so is a connection.
        let connect_timeout_ms = executor.connect_timeout_ms.min((site.timeout_ms / 2).max(1));
        site.connect_timeout_ms = or(site.connect_timeout_ms, connect_timeout_ms);
        if site.connect_timeout_ms >= site.timeout_ms {
            // Else nobody could tell a connection that was never made from a request that was lost.
            bail!(
                "connect_timeout_ms is {} and timeout_ms {}; a connection must be given up sooner than an answer",
                site.connect_timeout_ms,
                site.timeout_ms
            );
        }
        if site.connections == 0 {
            site.connections = executor.concurrency.max(1);
        }
        if site.certificate.as_os_str().is_empty() && site.certificate_key.as_os_str().is_empty() {
            (site.certificate, site.certificate_key) = (self.certificate.clone(), self.certificate_key.clone());
            if site.ca.as_os_str().is_empty() {
                site.ca = self.ca.clone();
            }
        }
        Ok(())
    }

    /// When its sites are taken out and come back.
    pub(crate) fn breaker(&self, breaker: &BreakerConfig) -> BreakerTerms {
        BreakerTerms {
            probe_every_ms: breaker.probe_every_ms,
            probe_failures: breaker.probe_failures,
            probe_answers: breaker.probe_answers,
            window_ms: breaker.window_ms,
            calls_min: breaker.calls_min,
            confirm_percent: breaker.confirm_percent,
            trip_percent: breaker.trip_percent,
            hold_down_ms: breaker.hold_down_ms,
            hold_down_max_ms: breaker.hold_down_max_ms,
            ramp_step_ms: breaker.ramp_step_ms,
            peak: self.peak,
            circuit: CircuitTerms {
                percent: breaker.channel_percent,
                open_ms: breaker.channel_open_ms,
                trial_ms: breaker.channel_trial_ms,
                answers: breaker.channel_answers,
            },
        }
    }
}

impl SiteConfig {
    /// By what it and this side show each other who they are, if they do.
    ///
    /// # Errors
    /// If some of the three files are missing, or they are named for a URL without TLS.
    pub(crate) fn certificates(&self) -> Result<Option<Files>> {
        let files = Files::of(&self.certificate, &self.certificate_key, &self.ca)?;
        if files.is_some() && !self.url.starts_with("https://") {
            bail!("it has certificates and the url {}; they are shown over https:// alone", self.url);
        }
        Ok(files)
    }
}

impl ExecutorConfig {
    /// Refuses an alarm before an answer can have come, and what [`BreakerConfig::check`] refuses.
    ///
    /// # Errors
    /// The setting, by name, and what would be right.
    pub(crate) fn check(&self) -> Result<()> {
        if self.alarm_after_ms < ALARM_AFTER_MS_MIN {
            bail!("executor.alarm_after_ms is {}; it is at least {ALARM_AFTER_MS_MIN}", self.alarm_after_ms);
        }
        self.breaker.check()
    }
}

impl BreakerConfig {
    /// Refuses what would never find anything, or everything.
    ///
    /// # Errors
    /// The setting, by name, and what would be right.
    fn check(&self) -> Result<()> {
        let percents = [
            ("confirm_percent", self.confirm_percent),
            ("trip_percent", self.trip_percent),
            ("channel_percent", self.channel_percent),
        ];
        if let Some((name, found)) = percents.into_iter().find(|(_, percent)| !(1..=100).contains(percent)) {
            bail!("executor.breaker.{name} is {found}; it is 1 to 100 percent");
        }
        let least = [
            ("probe_every_ms", self.probe_every_ms, 100),
            ("window_ms", self.window_ms, 1_000),
            ("probe_failures", u64::from(self.probe_failures), 1),
            ("probe_answers", u64::from(self.probe_answers), 1),
            ("calls_min", u64::from(self.calls_min), 1),
            ("channel_answers", u64::from(self.channel_answers), 1),
        ];
        match least.into_iter().find(|(_, found, least)| found < least) {
            Some((name, found, least)) => bail!("executor.breaker.{name} is {found}; it is at least {least}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::attempt::Rail;

    use crate::config::Config;

    /// The sites of the first channel of these settings.
    fn sites(channel: &str) -> anyhow::Result<Vec<super::SiteConfig>> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lintel.toml");
        std::fs::write(&file, format!("[[channels]]\nname = \"sandbox_bank\"\n{channel}")).unwrap();
        let config = Config::load(Some(&file), &[])?;
        config.channels[0].sites(&config.executor)
    }

    #[test]
    fn a_url_is_one_site_and_sites_take_what_they_leave_out_from_channel_and_executor() {
        let one = sites("url = \"https://bank.example/\"").unwrap();
        assert_eq!((one.len(), one[0].name.as_str(), one[0].url.as_str()), (1, "main", "https://bank.example"));
        let two = sites(
            "certificate = \"own.pem\"\ncertificate_key = \"own.key\"\nca = \"bank.pem\"\n\
             [[channels.sites]]\nname = \"bj\"\nurl = \"https://a.example\"\nweight = 8\n\
             [[channels.sites]]\nname = \"sh\"\nurl = \"https://b.example\"\ntimeout_ms = 1500\nca = \"sh.pem\"\n",
        )
        .unwrap();
        assert_eq!((two[0].weight, two[0].timeout_ms, two[0].connections), (8, 2_000, 64));
        assert_eq!((two[1].weight, two[1].timeout_ms), (1, 1_500));
        let files = |at: usize| two[at].certificates().unwrap().unwrap();
        assert_eq!((files(0).ca.to_str(), files(1).ca.to_str()), (Some("bank.pem"), Some("sh.pem")));
        assert_eq!(files(1).key.to_str(), Some("own.key"));
    }

    #[test]
    fn sites_that_cannot_be_are_refused_by_name() {
        let site = |name: &str, more: &str| {
            format!("[[channels.sites]]\nname = \"{name}\"\nurl = \"https://a.example\"\n{more}\n")
        };
        let cases = [
            (String::new(), "needs a url"),
            (format!("url = \"https://a.example\"\n{}", site("a", "")), "leave the other out"),
            (site("a", "") + &site("a", ""), "are called 'a'"),
            (site("A b", ""), "site 'A b'"),
            (site("a", "weight = 1001"), "its weight is 1001"),
            (site("a", "weight = 0"), "all of its sites have weight 0"),
            (site("a", "connect_timeout_ms = 2000"), "connect_timeout_ms is 2000"),
            (site("a", "wait = 1"), "wait"),
            ("url = \"bank.example\"".to_owned(), "begins with https://"),
        ];
        for (channel, expected) in cases {
            let error = format!("{:#}", sites(&channel).unwrap_err());
            assert!(error.contains(expected), "{channel}: {error}");
        }
    }

    #[test]
    fn a_further_channel_is_called_by_its_rail_and_a_word() {
        let called = |id: &str, rail: Rail| {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("lintel.toml");
            std::fs::write(&file, format!("[[channels]]\nname = \"sandbox_bank\"\nid = \"{id}\"\n")).unwrap();
            let config = Config::load(Some(&file), &[]).unwrap();
            config.channels[0].called(rail).map(|name| name.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(called("", Rail::OwnBank), Ok("own_bank".to_owned()));
        assert_eq!(called("unionpay", Rail::UnionPay), Ok("unionpay".to_owned()));
        assert_eq!(called("unionpay_acme", Rail::UnionPay), Ok("unionpay_acme".to_owned()));
        for (id, rail, says) in [
            ("unionpay_acme", Rail::Epcc, "called epcc, or epcc_"),
            ("acme", Rail::UnionPay, "called unionpay, or unionpay_"),
            ("unionpay_", Rail::UnionPay, "1 to 16 small letters"),
            ("own_bank_b", Rail::OwnBank, "leave the id out"),
        ] {
            let refused = called(id, rail).unwrap_err();
            assert!(refused.contains(says), "{id}: {refused}");
        }
    }

    #[test]
    fn a_breaker_that_finds_nothing_or_everything_is_refused_by_name() {
        let check = |line: &str| Config::load(None, &[format!("executor.breaker.{line}")]);
        check("trip_percent=60").unwrap();
        for wrong in ["trip_percent=0", "confirm_percent=101", "calls_min=0", "probe_every_ms=5"] {
            let error = format!("{:#}", check(wrong).unwrap_err());
            assert!(error.contains(wrong.split('=').next().unwrap()), "{error}");
        }
    }
}
