//! The other side of a link, for tests: each word of it is said by the test, with keys of its own.

use std::sync::Arc;
use std::time::Duration;

use ark::ceremony::RootKey;
use ark::financial::{Purpose as Duty, TerminalCipher, TerminalMac};
use ark::keys::{Birth, By, KeyAt, Purpose, Spec};
use ark::{KeyService, Soft};
use domain::envelope::Time;
use iso8583::Profile;
use iso8583::profile::HOST_LINK;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::line::code;
use super::super::mux::answer_type;
use super::super::settings::NetworkConfig;
use super::super::wire::{self, Incoming, MAC, Wire};
use super::super::zone::ZoneKey;
use super::super::{Late, Network};
use crate::pos::network::Fields;
use crate::shell::Clock;

/// Nothing here takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// 2026-03-05, nine in the morning in Shanghai.
pub(super) const NOW: Time = Time(1_772_672_400_000);

const BY: By<'_> = By::new("test", "", 1_800_000_000_000);
const MASTER: [u8; 16] = *b"zone master key!";

/// How a message's MAC is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mac {
    Right,
    Wrong,
    Missing,
}

/// A key service with the zone's master key.
pub(super) fn keys(cipher: TerminalCipher) -> (TempDir, Arc<KeyService>) {
    let directory = TempDir::new().unwrap();
    let (soft, root) = (Arc::new(Soft::new().unwrap()), RootKey::generate().unwrap());
    let keys = KeyService::init(directory.path(), soft, &root, &BY).unwrap();
    let spec = Spec::new("zone/test/master", cipher, Purpose::Zone(Duty::Master));
    keys.begin_terminal_key(&BY, &spec, Birth::Key, 2).unwrap();
    let one = [0x5A; 16];
    let other: Vec<u8> = MASTER.iter().zip(one).map(|(byte, one)| byte ^ one).collect();
    for (caller, component) in [("one", &one[..]), ("two", &other)] {
        keys.bring_component(&By::new(caller, "", BY.now), "zone/test/master", component).unwrap();
    }
    (directory, Arc::new(keys))
}

/// The network's centre.
pub(super) struct Host {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) keys: Arc<KeyService>,
    cipher: TerminalCipher,
    wire: Wire,
    _directory: TempDir,
}

/// A connection that came.
pub(super) struct Heard {
    pub(super) stream: TcpStream,
}

impl Host {
    /// Listens at so many addresses, with a PIN and a MAC key of its own.
    pub(super) async fn listening(links: usize, cipher: TerminalCipher) -> Self {
        let (directory, keys) = keys(cipher);
        let mut listeners = Vec::new();
        for _ in 0..links {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let wire = Wire::new(Profile::parse(HOST_LINK).unwrap(), "00010000", "48021000");
        let host = Self { listeners, keys, cipher, wire, _directory: directory };
        host.make(ZoneKey::Mac, Birth::Key);
        host.make(ZoneKey::Pin, Birth::Key);
        host
    }

    fn name(key: ZoneKey) -> String {
        format!("zone/test/{}", key.name())
    }

    /// Makes a key, or its next version.
    pub(super) fn make(&self, key: ZoneKey, birth: Birth) {
        let duty = if key == ZoneKey::Pin { Duty::Pin } else { Duty::Mac };
        let name = Self::name(key);
        let spec = Spec { exportable: true, ..Spec::new(&name, self.cipher, Purpose::Zone(duty)) };
        self.keys.generate_terminal_key(&BY, &spec, birth).unwrap();
    }

    /// The settings of a platform that connects here.
    pub(super) fn settings(&self, more: &str) -> NetworkConfig {
        let mut table: toml::Table = crate::config::DEFAULT.parse().unwrap();
        let network = &mut table["pos"]["network"];
        let links: Vec<String> = self
            .listeners
            .iter()
            .enumerate()
            .map(|(at, listener)| {
                let address = listener.local_addr().unwrap();
                format!("{{ name = \"{}\", address = \"{address}\", weight = {} }}", ["a", "b"][at], [3, 1][at])
            })
            .collect();
        let text = format!(
            "name = \"test\"\nmember = \"48021000\"\nreconnect_ms = 20\nanswer_timeout_ms = 5000\nmac = \"ecb\"\n\
             links = [{}]\n",
            links.join(", ")
        );
        for text in [text.as_str(), more] {
            network.as_table_mut().unwrap().extend(text.parse::<toml::Table>().unwrap());
        }
        network.clone().try_into().unwrap()
    }

    /// A platform's side, with an empty zone, that connects here.
    pub(super) fn network(&self, more: &str) -> (Arc<Network>, Late, TempDir) {
        let (directory, keys) = keys(self.cipher);
        let (network, late) = Network::start(&self.settings(more), &Clock::manual(NOW), keys).unwrap();
        (network, late, directory)
    }

    /// The next connection, not signed on.
    pub(super) async fn accept(&self, link: usize) -> Heard {
        let (stream, _) = timeout(PATIENCE, self.listeners[link].accept()).await.unwrap().unwrap();
        Heard { stream }
    }

    /// The next connection, signed on.
    pub(super) async fn signed_on(&self, link: usize) -> Heard {
        let mut heard = self.accept(link).await;
        let sign_on = self.read(&mut heard).await;
        assert_eq!((sign_on.mti, sign_on.fields.text(70)), (*b"0820", Some(code::SIGN_ON)));
        self.answer(&mut heard, &sign_on, "00", Mac::Missing).await;
        heard
    }

    /// The next connection of a platform that has no keys: signed on, and given them.
    pub(super) async fn with_keys(&self, link: usize) -> Heard {
        let mut heard = self.signed_on(link).await;
        self.give_keys(&mut heard).await;
        heard
    }

    /// Answers a platform that asks for both keys, then brings them.
    pub(super) async fn give_keys(&self, heard: &mut Heard) {
        for key in [ZoneKey::Mac, ZoneKey::Pin] {
            let asked = self.read(heard).await;
            assert_eq!(asked.fields.text(70), Some(code::KEY_RESET));
            assert_eq!(asked.fields.text(53).and_then(ZoneKey::of), Some(key));
            self.answer(heard, &asked, "00", Mac::Missing).await;
        }
        for key in [ZoneKey::Mac, ZoneKey::Pin] {
            assert_eq!(self.reset(heard, key, Mac::Right).await, "00");
        }
    }

    /// Brings a key's current version and says what the platform answers.
    pub(super) async fn reset(&self, heard: &mut Heard, key: ZoneKey, mac: Mac) -> String {
        let frame = self.reset_frame(key, mac);
        heard.stream.write_all(&frame).await.unwrap();
        let told = self.read(heard).await;
        assert_eq!((told.mti, told.fields.text(11)), (*b"0810", Some("000077")));
        if told.fields.text(39) == Some("00") {
            assert!(self.believes(&told));
        }
        told.fields.text(39).unwrap().to_owned()
    }

    /// The bytes that bring it.
    pub(super) fn reset_frame(&self, key: ZoneKey, mac: Mac) -> Vec<u8> {
        let name = Self::name(key);
        let exported = self.keys.export_terminal_key(&BY, KeyAt::current(&name), "zone/test/master").unwrap();
        let mut fields = Fields::default();
        fields.set(7, "0305090000").set(11, "000077").set(33, "48021000").set(70, code::KEY_RESET);
        fields.set(53, format!("{}600000000000000", key.digit()));
        fields.set(48, format!("NK{}", hex::encode_upper(&exported.encrypted))).set(96, exported.check_value);
        self.frame(*b"0800", &fields, mac)
    }

    /// What the platform says next.
    pub(super) async fn read(&self, heard: &mut Heard) -> Incoming {
        let frame = timeout(PATIENCE, wire::next(&mut heard.stream)).await.unwrap().unwrap();
        self.wire.read(&frame).unwrap().unwrap()
    }

    /// Whether its MAC is right, by the current key.
    pub(super) fn believes(&self, message: &Incoming) -> bool {
        let name = Self::name(ZoneKey::Mac);
        let (covered, mac) = (message.covered.as_ref().unwrap(), message.fields.get(MAC).unwrap());
        self.keys.verify_terminal_mac(&BY, KeyAt::current(&name), TerminalMac::Ecb, covered, mac).is_ok()
    }

    /// Answers with the request's own fields but what no answer has.
    pub(super) async fn answer(&self, heard: &mut Heard, asked: &Incoming, told: &str, mac: Mac) {
        let fields = self.fields_of(asked, told);
        self.say(heard, answer_type(asked.mti), &fields, mac).await;
    }

    /// The fields of such an answer.
    pub(super) fn fields_of(&self, asked: &Incoming, told: &str) -> Fields {
        let mut fields = Fields::default();
        for (number, content) in asked.fields.iter().filter(|(number, _)| ![52, 53, MAC].contains(number)) {
            fields.set(number, content);
        }
        fields.set(39, told);
        fields
    }

    /// Says something.
    pub(super) async fn say(&self, heard: &mut Heard, mti: [u8; 4], fields: &Fields, mac: Mac) {
        let frame = self.frame(mti, fields, mac);
        heard.stream.write_all(&frame).await.unwrap();
    }

    /// The bytes of a message.
    pub(super) fn frame(&self, mti: [u8; 4], fields: &Fields, mac: Mac) -> Vec<u8> {
        let made = self.wire.message(mti, fields, mac != Mac::Missing).unwrap();
        let name = Self::name(ZoneKey::Mac);
        let tag = match mac {
            Mac::Right => self.keys.terminal_mac(&BY, KeyAt::current(&name), TerminalMac::Ecb, made.covered()).unwrap(),
            Mac::Wrong | Mac::Missing => *b"00000000",
        };
        self.wire.frame(&made.with(tag)).unwrap().to_vec()
    }
}
