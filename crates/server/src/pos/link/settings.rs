//! `[pos.network]`: which card network, by which links, and how patient.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ark::financial::TerminalMac;
use iso8583::Profile;
use iso8583::profile::HOST_LINK;
use rustls::ClientConfig;
use serde::Deserialize;

use crate::tls;

/// Fields that the link itself sets or reads.
const NEEDED: [u8; 11] = [7, 11, 32, 33, 37, 39, 48, 53, 70, 96, 128];

/// A connection that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkConfig {
    pub(crate) name: String,
    /// Host and port.
    pub(crate) address: String,
    /// Its share of what goes out; 0 takes it out.
    pub(crate) weight: u32,
}

/// The settings of `[pos.network]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkConfig {
    pub(crate) name: String,
    pub(crate) member: String,
    pub(crate) centre: String,
    pub(crate) links: Vec<LinkConfig>,
    ca: PathBuf,
    certificate: PathBuf,
    certificate_key: PathBuf,
    pub(crate) messages: PathBuf,
    pin_block_bytes: u8,
    mac: String,
    pub(crate) tracks_encrypted: bool,
    pub(crate) queue: usize,
    pub(crate) answer_timeout_ms: u64,
    pub(crate) connect_timeout_ms: u64,
    pub(crate) write_timeout_ms: u64,
    pub(crate) echo_ms: u64,
    pub(crate) reconnect_ms: u64,
    pub(crate) reconnect_max_ms: u64,
    pub(crate) forward_ms: u64,
    pub(crate) forward_max_ms: u64,
    pub(crate) drain_ms: u64,
}

impl NetworkConfig {
    /// Whether there is a network at all.
    pub(crate) fn is_on(&self) -> bool {
        !self.name.is_empty()
    }

    /// Connects nowhere.
    pub(crate) fn connect_nowhere(&mut self) {
        self.name.clear();
    }

    /// How links shake hands by TLS; nothing where they go by TCP.
    ///
    /// # Errors
    /// A file that does not read, a private key that others may read, or a certificate without a CA.
    pub(crate) fn tls(&self) -> Result<Option<Arc<ClientConfig>>> {
        let named = |path: &PathBuf| !path.as_os_str().is_empty();
        let own = match (named(&self.certificate), named(&self.certificate_key)) {
            (true, true) => Some((self.certificate.as_path(), self.certificate_key.as_path())),
            (false, false) => None,
            (true, false) | (false, true) => {
                bail!("pos.network.certificate and pos.network.certificate_key belong together: name both, or neither")
            }
        };
        if !named(&self.ca) {
            if own.is_some() {
                bail!("pos.network.certificate needs pos.network.ca, whose certificate the network shows");
            }
            return Ok(None);
        }
        if let Some((_, key)) = own {
            let metadata = std::fs::metadata(key);
            let metadata =
                metadata.with_context(|| format!("reading pos.network.certificate_key {}", key.display()))?;
            if let Some(mode) = ark::key_file::shared_mode(&metadata) {
                bail!(
                    "pos.network.certificate_key {} has mode {mode:04o}: others may read it; chmod 600 it",
                    key.display()
                );
            }
        }
        tls::to_network(&self.ca, own).map(Some).context("the links' TLS")
    }

    /// How the zone's MACs are made.
    ///
    /// # Errors
    /// A name that no form has.
    pub(crate) fn mac(&self) -> Result<TerminalMac> {
        let names = TerminalMac::ALL.map(TerminalMac::name).join(", ");
        let found = TerminalMac::ALL.into_iter().find(|form| form.name() == self.mac);
        found.with_context(|| format!("pos.network.mac is \"{}\": use one of {names}", self.mac))
    }

    /// The layout of messages.
    ///
    /// # Errors
    /// A file that does not read, or that lacks a field which every link needs.
    pub(crate) fn profile(&self) -> Result<Profile> {
        let named = Some(&self.messages).filter(|path| !path.as_os_str().is_empty());
        let place = named.map_or_else(|| "the built-in host_link".to_owned(), |path| path.display().to_string());
        let text = match named {
            Some(path) => std::fs::read_to_string(path as &Path).with_context(|| format!("reading {place}"))?,
            None => HOST_LINK.to_owned(),
        };
        let mut table: toml::Table = text.parse().with_context(|| place.clone())?;
        let pin_block =
            table.get_mut("fields").and_then(|fields| fields.get_mut("52")).and_then(toml::Value::as_table_mut);
        if let Some(pin_block) = pin_block {
            pin_block.insert("size".to_owned(), toml::Value::Integer(i64::from(self.pin_block_bytes)));
        }
        let profile = Profile::parse(&table.to_string()).with_context(|| place.clone())?;
        if let Some(missing) = NEEDED.into_iter().find(|number| profile.field(*number).is_none()) {
            bail!("{place} describes no field {missing}; a host link needs the fields {NEEDED:?}");
        }
        Ok(profile)
    }

    /// Refuses settings that no link can run with. Of a network that is off nothing is asked.
    ///
    /// # Errors
    /// Which one, and what would be right.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.is_on() {
            return Ok(());
        }
        if !self.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            bail!("pos.network.name is \"{}\": use a-z and 0-9; the names of its keys have it", self.name);
        }
        for (setting, code) in [("member", &self.member), ("centre", &self.centre)] {
            if !(1..=11).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
                bail!("pos.network.{setting} is \"{code}\": use 1 to 11 digits, such as \"48021000\"");
            }
        }
        if self.links.is_empty() {
            bail!("pos.network.links is empty: give each link a name, an address and a weight");
        }
        for (at, link) in self.links.iter().enumerate() {
            let port = link.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none() {
                bail!("the address of link \"{}\" is \"{}\": use host:port", link.name, link.address);
            }
            if link.name.is_empty() || self.links.iter().take(at).any(|other| other.name == link.name) {
                bail!("pos.network.links has \"{}\" twice, or without a name", link.name);
            }
        }
        let times = [
            ("queue", u64::try_from(self.queue).unwrap_or(u64::MAX)),
            ("answer_timeout_ms", self.answer_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("write_timeout_ms", self.write_timeout_ms),
            ("echo_ms", self.echo_ms),
            ("reconnect_ms", self.reconnect_ms),
            ("forward_ms", self.forward_ms),
        ];
        if let Some((setting, _)) = times.iter().find(|(_, value)| *value == 0) {
            bail!("pos.network.{setting} is 0: use at least 1");
        }
        if ![8, 16].contains(&self.pin_block_bytes) {
            bail!("pos.network.pin_block_bytes is {}: use 8, or 16 in a zone of SM4", self.pin_block_bytes);
        }
        self.mac()?;
        self.profile().map(drop)
    }

    /// How long an answer is waited for, unless a request says otherwise.
    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Config;

    fn config(more: &[(&str, &str)]) -> Result<NetworkConfig> {
        let lines = more.iter().map(|(setting, value)| format!("pos.network.{setting}={value}")).collect::<Vec<_>>();
        Config::load(None, &lines).map(|config| config.pos.network)
    }

    #[test]
    fn tls_needs_a_ca_and_a_private_key_that_is_ones_own() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("platform.key");
        std::fs::write(&key, "no key").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let key = key.display().to_string();
        let told = |more: &[(&str, &str)]| match config(more).unwrap().tls() {
            Ok(tls) => tls.map_or_else(String::new, |_| "TLS".to_owned()),
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(told(&[]), "");
        assert!(told(&[("certificate", "a.pem")]).contains("belong together"));
        assert!(told(&[("certificate", "a.pem"), ("certificate_key", &key)]).contains("needs pos.network.ca"));
        let all = [("ca", "ca.pem"), ("certificate", "a.pem"), ("certificate_key", key.as_str())];
        assert!(told(&all).contains("has mode 0644"), "{}", told(&all));
        assert!(told(&[("ca", "/nowhere/ca.pem")]).contains("/nowhere/ca.pem"));
    }
}
