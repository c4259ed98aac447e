//! Kinds and purposes of named keys, fixed at birth.
//!
//! ```text
//!  general         encrypt, decrypt, sign, mac, wrap              kinds of the provider
//!  of a terminal   terminal-master ─ wraps ─► terminal-pin, terminal-mac, terminal-track     DES (MACs), triple DES, SM4
//!  of a zone       zone-master     ─ wraps ─► zone-pin, zone-mac, zone-track                 the same
//!  …-derive        makes keys of its own side from factors, and does nothing else
//! ```
//!
//! Invariants: a key of a terminal or zone has no general operation and the other way round; keys pass in and out under a
//! master key of their own side only.

use std::fmt;

use crate::{
    financial::{Purpose as Duty, TerminalCipher},
    provider::KeyKind,
};

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A general key.
    General(KeyKind),
    /// A key of a terminal or zone, by its cipher.
    Financial(TerminalCipher),
}

impl Kind {
    /// Its name, for ever. Of the two sorts with the same name the purpose says which.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::General(kind) => kind.name(),
            Self::Financial(cipher) => cipher.name(),
        }
    }

    /// The kind of this name that a key for `purpose` can have.
    #[must_use]
    pub fn of(name: &str, purpose: Purpose) -> Option<Self> {
        match purpose.duty() {
            None => KeyKind::ALL.into_iter().find(|kind| kind.name() == name).map(Self::General),
            Some(_) => TerminalCipher::ALL.into_iter().find(|cipher| cipher.name() == name).map(Self::Financial),
        }
    }

    /// Whether it is a national algorithm (SM2, SM3, SM4), which is all that the approved mode of GM/T 0028 has.
    #[must_use]
    pub const fn is_approved(self) -> bool {
        match self {
            Self::General(KeyKind::Sm2 | KeyKind::Sm4 | KeyKind::HmacSm3) | Self::Financial(TerminalCipher::Sm4) => {
                true
            }
            Self::General(
                KeyKind::Aes128
                | KeyKind::Aes256
                | KeyKind::TripleDes2
                | KeyKind::TripleDes3
                | KeyKind::Rsa2048
                | KeyKind::Rsa3072
                | KeyKind::P256
                | KeyKind::Ed25519,
            )
            | Self::Financial(TerminalCipher::Des | TerminalCipher::TripleDes2) => false,
        }
    }

    /// Whether it is this general kind.
    #[must_use]
    pub fn is(self, kind: KeyKind) -> bool {
        self == Self::General(kind)
    }
}

impl From<KeyKind> for Kind {
    fn from(kind: KeyKind) -> Self {
        Self::General(kind)
    }
}

impl From<TerminalCipher> for Kind {
    fn from(cipher: TerminalCipher) -> Self {
        Self::Financial(cipher)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a key is for, from birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Encrypt, decrypt, data keys: SM4 and AES.
    Encrypt,
    /// Decrypt what others encrypted for the public key: SM2, RSA. Such a pair never signs.
    Decrypt,
    /// Sign and verify: SM2, RSA, P-256, Ed25519.
    Sign,
    /// Tags: HMAC-SM3, CMAC of SM4 and AES.
    Mac,
    /// Wraps other keys for export and import: SM4 and AES.
    Wrap,
    /// A terminal's key: TMK, PIK, MAK, TDK.
    Terminal(Duty),
    /// A key shared with a network (区域密钥): ZMK, ZPK, ZAK.
    Zone(Duty),
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 15] = [
        Self::Encrypt,
        Self::Decrypt,
        Self::Sign,
        Self::Mac,
        Self::Wrap,
        Self::Terminal(Duty::Master),
        Self::Terminal(Duty::Pin),
        Self::Terminal(Duty::Mac),
        Self::Terminal(Duty::Data),
        Self::Terminal(Duty::Derive),
        Self::Zone(Duty::Master),
        Self::Zone(Duty::Pin),
        Self::Zone(Duty::Mac),
        Self::Zone(Duty::Data),
        Self::Zone(Duty::Derive),
    ];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::Mac => "mac",
            Self::Wrap => "wrap",
            Self::Terminal(Duty::Master) => "terminal-master",
            Self::Terminal(Duty::Pin) => "terminal-pin",
            Self::Terminal(Duty::Mac) => "terminal-mac",
            Self::Terminal(Duty::Data) => "terminal-track",
            Self::Terminal(Duty::Derive) => "terminal-derive",
            Self::Zone(Duty::Master) => "zone-master",
            Self::Zone(Duty::Pin) => "zone-pin",
            Self::Zone(Duty::Mac) => "zone-mac",
            Self::Zone(Duty::Data) => "zone-track",
            Self::Zone(Duty::Derive) => "zone-derive",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// What a key of a terminal or zone is for; `None` for general keys.
    #[must_use]
    pub const fn duty(self) -> Option<Duty> {
        match self {
            Self::Terminal(duty) | Self::Zone(duty) => Some(duty),
            Self::Encrypt | Self::Decrypt | Self::Sign | Self::Mac | Self::Wrap => None,
        }
    }

    /// The purpose on the same side with another duty; general purposes have no side.
    pub(super) const fn beside(self, duty: Duty) -> Self {
        match self {
            Self::Terminal(_) => Self::Terminal(duty),
            Self::Zone(_) => Self::Zone(duty),
            Self::Encrypt | Self::Decrypt | Self::Sign | Self::Mac | Self::Wrap => self,
        }
    }

    /// Whether a key of this kind can serve it.
    #[must_use]
    pub fn takes(self, kind: impl Into<Kind>) -> bool {
        match (self, kind.into()) {
            (Self::Terminal(duty) | Self::Zone(duty), Kind::Financial(cipher)) => duty.allows(cipher).is_ok(),
            (Self::Encrypt | Self::Decrypt | Self::Sign | Self::Mac | Self::Wrap, Kind::General(kind)) => {
                self.takes_general(kind)
            }
            (Self::Terminal(_) | Self::Zone(_), Kind::General(_))
            | (Self::Encrypt | Self::Decrypt | Self::Sign | Self::Mac | Self::Wrap, Kind::Financial(_)) => false,
        }
    }

    fn takes_general(self, kind: KeyKind) -> bool {
        match kind {
            KeyKind::Sm4 | KeyKind::Aes128 | KeyKind::Aes256 => !matches!(self, Self::Sign | Self::Decrypt),
            KeyKind::HmacSm3 => self == Self::Mac,
            KeyKind::Sm2 | KeyKind::Rsa2048 | KeyKind::Rsa3072 => matches!(self, Self::Sign | Self::Decrypt),
            KeyKind::P256 | KeyKind::Ed25519 => self == Self::Sign,
            KeyKind::TripleDes2 | KeyKind::TripleDes3 => false,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
