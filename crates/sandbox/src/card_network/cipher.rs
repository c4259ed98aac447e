//! The zone's keys on the network's side: under the master key for the platform, and for MACs and PIN blocks.

use std::fmt;

use anyhow::{Context as _, Result};
use ark::Soft;
use ark::provider::Provider as _;

use crate::cipher::{CardCipher, CardKey, MacForm};

/// Bytes of a key.
const KEY: usize = 16;

/// A key of the zone, and how the platform gets it.
struct Brought {
    key: CardKey,
    encrypted: Vec<u8>,
}

/// The keys of a zone.
pub(super) struct Zone {
    form: MacForm,
    mac: Brought,
    pin: Brought,
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("cipher", &self.mac.key.cipher()).finish_non_exhaustive()
    }
}

impl Zone {
    /// A zone with a MAC key and a PIN key of its own under this master key.
    pub(super) fn new(cipher: CardCipher, form: MacForm, master: &str) -> Result<Self> {
        let master = hex::decode(master).context("the master key in hexadecimal")?;
        let master = CardKey::new(cipher, &master).context("the master key")?;
        let chance = Soft::new().context("a source of keys")?;
        let make = || -> Result<Brought> {
            let mut bytes = [0; KEY];
            chance.random(&mut bytes).context("a key")?;
            let key = CardKey::new(cipher, &bytes).context("a key")?;
            Ok(Brought { key, encrypted: master.encrypt(&bytes) })
        };
        Ok(Self { form, mac: make()?, pin: make()? })
    }

    /// A key as a reset brings it, by the first digit of F53: the key under the master key, and its check value.
    pub(super) fn brought(&self, which: u8) -> Option<(&[u8], [u8; 8])> {
        let brought = match which {
            b'1' => &self.pin,
            b'2' => &self.mac,
            _ => return None,
        };
        Some((&brought.encrypted, brought.key.check_value()))
    }

    /// The MAC of a message.
    pub(super) fn tag(&self, message: &[u8]) -> [u8; 8] {
        self.mac.key.mac(self.form, message)
    }

    /// The PIN of a block, if it is one of this card's.
    pub(super) fn pin(&self, block: &[u8], card: &str) -> Option<String> {
        self.pin.key.pin(block, card)
    }
}
