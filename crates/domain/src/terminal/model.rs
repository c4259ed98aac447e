//! What a terminal is: where it stands, its key, what it is bound with.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::Place;
use crate::acquiring::MerchantNumber;
use crate::envelope::Time;
use crate::ids::{AcquiringId, CustomerId, MerchantId, TerminalId};
use crate::merchant::SettlementAccount;
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;
use crate::terminal_parameter::ParameterPart;

/// Where a terminal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum TerminalStatus {
    /// Bought, empty.
    #[n(0)]
    Stock,
    /// Its master key is in it.
    #[n(1)]
    KeysLoaded,
    /// With a merchant.
    #[n(2)]
    Bound,
    /// Signed in: it takes cards.
    #[n(3)]
    Online,
    /// It takes nothing for now.
    #[n(4)]
    Suspended,
    /// Back from its merchant.
    #[n(5)]
    Recovered,
    /// Gone for good.
    #[n(6)]
    Scrapped,
}

impl TerminalStatus {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Stock, Self::KeysLoaded, Self::Bound, Self::Online, Self::Suspended, Self::Recovered, Self::Scrapped];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::KeysLoaded => "keys_loaded",
            Self::Bound => "bound",
            Self::Online => "online",
            Self::Suspended => "suspended",
            Self::Recovered => "recovered",
            Self::Scrapped => "scrapped",
        }
    }
}

/// The terminal's master key, by its name in the key service: no key is here.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TerminalKey {
    /// Its name there.
    #[n(0)]
    pub name: String,
    /// Its check value, 8 or 16 hexadecimal digits.
    #[n(1)]
    pub check_value: String,
    /// When it was loaded.
    #[n(2)]
    pub loaded_at: Time,
}

/// What a terminal goes with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Binding {
    /// The merchant's acquiring.
    #[n(0)]
    pub acquiring: AcquiringId,
    /// The merchant.
    #[n(1)]
    pub merchant: MerchantId,
    /// Acquirer and merchant in one number.
    #[n(2)]
    pub number: MerchantNumber,
    /// Who is registered.
    #[n(3)]
    pub registration: CustomerId,
    /// Where the merchant was settled to when it was bound.
    #[n(4)]
    pub settlement: SettlementAccount,
    /// Where it stands.
    #[n(5)]
    pub address: Sealed,
    /// The same on the map.
    #[n(6)]
    pub place: Place,
    /// How far from there it may report itself, in metres.
    #[n(7)]
    pub tolerance_m: u32,
    /// When it was bound.
    #[n(8)]
    pub bound_at: Time,
    /// Who bound it.
    #[n(9)]
    pub bound_by: String,
}

/// Where a terminal says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LocationReport {
    /// The place.
    #[n(0)]
    pub place: Place,
    /// How far that is from its address, in metres.
    #[n(1)]
    pub distance_m: u32,
    /// When it said so.
    #[n(2)]
    pub at: Time,
}

/// Why a terminal takes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SuspensionReason {
    /// Someone asked for it.
    #[n(0)]
    Asked(#[n(0)] String),
    /// It reported a place too far from its address.
    #[n(1)]
    Moved {
        /// How far, in metres.
        #[n(0)]
        distance_m: u32,
    },
    /// Another serial signed in for it.
    #[n(2)]
    ForeignSerial,
    /// It signed in for another merchant's number.
    #[n(3)]
    ForeignMerchant,
}

impl SuspensionReason {
    /// The name in API and files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Asked(_) => "asked",
            Self::Moved { .. } => "moved",
            Self::ForeignSerial => "foreign_serial",
            Self::ForeignMerchant => "foreign_merchant",
        }
    }
}

/// A suspension of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TerminalSuspension {
    /// Why.
    #[n(0)]
    pub reason: SuspensionReason,
    /// When.
    #[n(1)]
    pub at: Time,
    /// Who.
    #[n(2)]
    pub by: String,
}

/// A terminal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Terminal {
    /// Its id; in 8 digits its number at the network.
    #[n(0)]
    pub id: TerminalId,
    /// Its maker's serial.
    #[n(1)]
    pub serial: String,
    /// Its maker's name for the model.
    #[n(2)]
    pub model: String,
    /// Where it stands.
    #[n(3)]
    pub status: TerminalStatus,
    /// Its master key, from KEYS_LOADED until it is recovered.
    #[n(4)]
    pub key: Option<TerminalKey>,
    /// What it goes with, from BOUND until it is recovered.
    #[n(5)]
    pub binding: Option<Binding>,
    /// The batch that it takes cards in.
    #[n(6)]
    pub batch: u32,
    /// The trace of the last transaction that was asked for.
    #[n(7)]
    pub trace: u32,
    /// Where it last said that it is.
    #[n(8)]
    pub location: Option<LocationReport>,
    /// Why it takes nothing.
    #[n(9)]
    pub suspended: Option<TerminalSuspension>,
    /// When it last signed in.
    #[n(10)]
    pub signed_in_at: Option<Time>,
    /// When it was registered.
    #[n(11)]
    pub registered_at: Time,
    /// Which parameters it uses, and what it has of them.
    #[n(12)]
    pub parameters: Option<TerminalParameters>,
    /// Its own public key of SM2: `04 ‖ x ‖ y`.
    #[n(13)]
    #[cbor(with = "minicbor::bytes")]
    pub public_key: Option<Vec<u8>>,
    /// The master key that it may fetch: nobody opens it but who has the private key.
    #[n(14)]
    pub issued: Option<IssuedKey>,
}

/// Which parameters a terminal uses, and the version that it has of each part; 0 of none.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TerminalParameters {
    /// The set's name.
    #[n(0)]
    pub set: String,
    /// Of the public keys.
    #[n(1)]
    pub public_keys: u32,
    /// Of the applications.
    #[n(2)]
    pub applications: u32,
    /// Of the settings.
    #[n(3)]
    pub settings: u32,
}

impl TerminalParameters {
    /// The version of a part that the terminal has.
    #[must_use]
    pub const fn taken(&self, part: ParameterPart) -> u32 {
        match part {
            ParameterPart::PublicKeys => self.public_keys,
            ParameterPart::Applications => self.applications,
            ParameterPart::Settings => self.settings,
        }
    }
}

/// A master key as it goes to its terminal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IssuedKey {
    /// Encrypted by SM2 under the terminal's public key.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub encrypted: Vec<u8>,
    /// Its check value, 16 hexadecimal digits.
    #[n(1)]
    pub check_value: String,
}

impl Terminal {
    /// The first part of its parameters that it lacks the version in force of.
    #[must_use]
    pub fn parameters_missing(&self, state: &State) -> Option<ParameterPart> {
        let uses = self.parameters.as_ref()?;
        let set = state.parameters_of(&uses.set)?;
        ParameterPart::ALL.into_iter().find(|part| set.has(*part) && uses.taken(*part) != set.version)
    }

    /// Its number at the network (终端号), 8 digits.
    #[must_use]
    pub fn number(&self) -> String {
        format!("{:08}", self.id.0)
    }

    /// What may be done with it now; `decide` goes by the same list.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            TerminalStatus::Stock | TerminalStatus::Recovered => &["load_key", "scrap"],
            TerminalStatus::KeysLoaded => &["load_key", "bind", "recover"],
            TerminalStatus::Bound => &["load_key", "sign_in", "report_location", "suspend", "recover"],
            TerminalStatus::Online => &["load_key", "sign_in", "sign_out", "report_location", "suspend", "recover"],
            TerminalStatus::Suspended => &["resume", "recover"],
            TerminalStatus::Scrapped => &[],
        }
    }

    pub(super) fn require(&self, action: &'static str) -> Result<(), Refusal> {
        if self.allowed_actions().contains(&action) {
            return Ok(());
        }
        let message = format!("{} is {} and cannot {action} now", self.id, self.status.name());
        Err(Refusal::new(RefusalCode::TerminalState, "terminal", message))
    }

    /// What it goes with, if it may take a card now.
    ///
    /// # Errors
    /// `terminal_state` unless it is signed in.
    pub(crate) fn require_online(&self) -> Result<&Binding, Refusal> {
        match (self.status, &self.binding) {
            (TerminalStatus::Online, Some(binding)) => Ok(binding),
            (status, _) => {
                let message = format!("{} is {}; it takes cards once it is online", self.id, status.name());
                Err(Refusal::new(RefusalCode::TerminalState, "terminal", message))
            }
        }
    }
}
