//! Terminals (POS 终端): where cards are taken, each bound to one merchant at one place.
//!
//! ```text
//!  register ─► STOCK ─ keys ─► KEYS_LOADED ─ bind ─► BOUND ─ sign in ─► ONLINE ─┐ (signs in again as often as it likes)
//!                ▲ │              ▲   │ │              ▲ ▲│  ◄─ sign out ─┤ ◄───┘
//!                │ │        keys  │   └─┼── recover ◄──┼──┴────────────────┤ suspend: asked, moved, foreign serial
//!                │ │              │     │     │        │ resume            ▼
//!                │ └─ scrap ─┐  RECOVERED ◄───┴────────┴────────────── SUSPENDED
//!                │           ▼    │ scrap
//!                │        SCRAPPED ◄
//! ```
//! **Binding (五要素绑定, 银发〔2021〕259号).** A terminal's serial goes with exactly one acquirer, merchant, registration,
//! settlement account and address. So a serial is registered once; a bound terminal is bound to nobody else before it is
//! recovered; and once the merchant's settlement account is another than the one it was bound with, it takes nothing until
//! it is recovered and bound again. Its number at the network is our id in 8 digits.
//!
//! **Fraud.** Who signs in for this terminal with another serial or another merchant's number, whose message shows another
//! device's serial, and a terminal that reports a place too far from its address, is suspended on the spot: not refused, so that it stands in the journal.
//!
//! **Batch and trace.** The batch number is the platform's and changes at a batch close ([`crate::batch_close`]); the trace
//! (流水号) is the terminal's.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::acquiring::{Acquiring, MerchantNumber};
use crate::approval::check_text;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AcquiringId, TerminalId};
use crate::order::name_fits;
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;
use crate::terminal_parameter::ParameterPart;

mod download;
mod model;
pub mod place;
#[cfg(test)]
mod tests;

use download::{issue_key, register_public_key, took_parameters, use_parameters};
pub use model::{
    Binding, IssuedKey, LocationReport, SuspensionReason, Terminal, TerminalKey, TerminalParameters, TerminalStatus,
    TerminalSuspension,
};
pub use place::Place;

/// The highest number of a batch or a trace; 1 follows on it.
pub const LAST_NUMBER: u32 = 999_999;

/// Binds a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindTerminal {
    /// The terminal.
    pub terminal: TerminalId,
    /// With whose acquiring.
    pub acquiring: AcquiringId,
    /// Where it will stand.
    pub address: Sealed,
    /// The same on the map.
    pub place: Place,
    /// How far from there it may report itself, in metres above zero.
    pub tolerance_m: u32,
}

/// A terminal says that it begins to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The terminal, by its number.
    pub terminal: TerminalId,
    /// The serial that it gives.
    pub serial: String,
    /// The merchant number that it gives.
    pub number: MerchantNumber,
}

/// What is wanted of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalCommand {
    /// A terminal was bought.
    Register {
        /// Its maker's serial; 1 to 64 bytes.
        serial: String,
        /// Its maker's name for the model; 1 to 64 bytes.
        model: String,
    },
    /// Its master key was loaded, the first or another.
    LoadKey {
        /// The terminal.
        terminal: TerminalId,
        /// The key's name in the key service.
        name: String,
        /// Its check value.
        check_value: String,
    },
    /// Bind it to a merchant.
    Bind(BindTerminal),
    /// It begins to work.
    SignIn(SignIn),
    /// It says where it is.
    ReportLocation {
        /// The terminal.
        terminal: TerminalId,
        /// The place.
        place: Place,
    },
    /// Take nothing from it.
    Suspend {
        /// The terminal.
        terminal: TerminalId,
        /// Why; 1 to 512 bytes.
        reason: String,
    },
    /// It stops working for now: it takes cards again once it has signed in.
    SignOut(TerminalId),
    /// It uses a set of parameters.
    UseParameters {
        /// The terminal.
        terminal: TerminalId,
        /// The set's name.
        set: String,
    },
    /// It downloaded a part of them.
    TookParameters {
        /// The terminal.
        terminal: TerminalId,
        /// The part.
        part: ParameterPart,
        /// Which version of the set it was.
        version: u32,
    },
    /// It has a public key of SM2, to which a master key can be issued.
    RegisterPublicKey {
        /// The terminal.
        terminal: TerminalId,
        /// `04 ‖ x ‖ y`, 65 bytes; whoever registers it has looked at it.
        point: Vec<u8>,
    },
    /// A master key was made for its public key.
    IssueKey {
        /// The terminal.
        terminal: TerminalId,
        /// The key's name in the key service.
        name: String,
        /// As it goes to the terminal.
        issued: IssuedKey,
    },
    /// A message of it showed another device's serial, or one that it could not prove.
    ForeignSerial(TerminalId),
    /// Let it sign in again.
    Resume(TerminalId),
    /// It is back from its merchant; its key and binding are over.
    Recover(TerminalId),
    /// It is gone.
    Scrap(TerminalId),
}

/// What happened to a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TerminalEvent {
    /// It was bought.
    #[n(0)]
    Registered(#[n(0)] Box<Terminal>),
    /// Its master key was loaded.
    #[n(1)]
    KeyLoaded {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// The key.
        #[n(1)]
        key: TerminalKey,
    },
    /// It was bound; its first batch is 1.
    #[n(2)]
    Bound {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// What it goes with.
        #[n(1)]
        binding: Box<Binding>,
    },
    /// It began to work.
    #[n(3)]
    SignedIn(#[n(0)] TerminalId),
    /// It said where it is.
    #[n(4)]
    Located {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// What it said.
        #[n(1)]
        report: LocationReport,
    },
    /// It takes nothing.
    #[n(5)]
    Suspended {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// Why.
        #[n(1)]
        suspension: TerminalSuspension,
    },
    /// It may sign in again.
    #[n(6)]
    Resumed {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// Who said so.
        #[n(1)]
        by: String,
    },
    /// It is back.
    #[n(7)]
    Recovered {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// Who took it back.
        #[n(1)]
        by: String,
    },
    /// It is gone.
    #[n(8)]
    Scrapped {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// Who said so.
        #[n(1)]
        by: String,
    },
    /// It stopped working for now.
    #[n(9)]
    SignedOut(#[n(0)] TerminalId),
    /// It uses these parameters from now on, and has none of them yet.
    #[n(10)]
    ParametersUsed {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// The set's name.
        #[n(1)]
        set: String,
    },
    /// It downloaded a part of its parameters.
    #[n(11)]
    ParametersTaken {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// The part.
        #[n(1)]
        part: ParameterPart,
        /// Which version of the set.
        #[n(2)]
        version: u32,
    },
    /// It has this public key.
    #[n(12)]
    PublicKeyRegistered {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// `04 ‖ x ‖ y`.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        point: Vec<u8>,
    },
    /// A new master key may be fetched by it.
    #[n(13)]
    KeyIssued {
        /// The terminal.
        #[n(0)]
        terminal: TerminalId,
        /// The key.
        #[n(1)]
        key: TerminalKey,
        /// As it goes to the terminal.
        #[n(2)]
        issued: IssuedKey,
    },
}

/// Decides a step of a terminal's life.
///
/// # Errors
/// `terminal_unknown`, `terminal_state`, `already_exists` for a serial that is registered, `terminal_bound` for one that is
/// with a merchant, `acquiring_unknown`, `acquiring_state`, `value_invalid`.
pub fn decide(draft: &mut Draft<'_>, command: TerminalCommand) -> Result<Reply, Refusal> {
    match command {
        TerminalCommand::Register { serial, model } => register(draft, serial, model),
        TerminalCommand::LoadKey { terminal, name, check_value } => load_key(draft, terminal, name, check_value),
        TerminalCommand::Bind(command) => bind(draft, command),
        TerminalCommand::SignIn(command) => sign_in(draft, &command),
        TerminalCommand::ReportLocation { terminal, place } => report_location(draft, terminal, place),
        TerminalCommand::Suspend { terminal, reason } => {
            draft.state.terminal(terminal)?.require("suspend")?;
            check_text(&reason, "reason")?;
            Ok(suspend(draft, terminal, SuspensionReason::Asked(reason)))
        }
        TerminalCommand::ForeignSerial(terminal) => {
            draft.state.terminal(terminal)?.require("suspend")?;
            Ok(suspend(draft, terminal, SuspensionReason::ForeignSerial))
        }
        TerminalCommand::UseParameters { terminal, set } => use_parameters(draft, terminal, set),
        TerminalCommand::TookParameters { terminal, part, version } => took_parameters(draft, terminal, part, version),
        TerminalCommand::RegisterPublicKey { terminal, point } => register_public_key(draft, terminal, point),
        TerminalCommand::IssueKey { terminal, name, issued } => issue_key(draft, terminal, name, issued),
        TerminalCommand::SignOut(terminal) => {
            draft.state.terminal(terminal)?.require("sign_out")?;
            Ok(emit(draft, terminal, TerminalEvent::SignedOut(terminal)))
        }
        TerminalCommand::Resume(terminal) => {
            draft.state.terminal(terminal)?.require("resume")?;
            let by = draft.operator();
            Ok(emit(draft, terminal, TerminalEvent::Resumed { terminal, by }))
        }
        TerminalCommand::Recover(terminal) => {
            draft.state.terminal(terminal)?.require("recover")?;
            let by = draft.operator();
            Ok(emit(draft, terminal, TerminalEvent::Recovered { terminal, by }))
        }
        TerminalCommand::Scrap(terminal) => {
            draft.state.terminal(terminal)?.require("scrap")?;
            let by = draft.operator();
            Ok(emit(draft, terminal, TerminalEvent::Scrapped { terminal, by }))
        }
    }
}

fn emit(draft: &mut Draft<'_>, terminal: TerminalId, event: TerminalEvent) -> Reply {
    draft.emit(Event::Terminal(event));
    Reply::Terminal(terminal)
}

fn register(draft: &mut Draft<'_>, serial: String, model: String) -> Result<Reply, Refusal> {
    name_fits(&serial, "serial")?;
    name_fits(&model, "model")?;
    if let Some(known) = draft.state.terminal_serials.get(&serial) {
        let message = format!("serial {serial} is {known}; a terminal is registered once");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "serial", message));
    }
    let id = TerminalId(draft.state.terminals.next_id());
    let terminal = Terminal {
        id,
        serial,
        model,
        status: TerminalStatus::Stock,
        key: None,
        binding: None,
        batch: 0,
        trace: 0,
        location: None,
        suspended: None,
        signed_in_at: None,
        registered_at: draft.context.now,
        parameters: None,
        public_key: None,
        issued: None,
    };
    Ok(emit(draft, id, TerminalEvent::Registered(terminal.into())))
}

fn load_key(draft: &mut Draft<'_>, id: TerminalId, name: String, check_value: String) -> Result<Reply, Refusal> {
    draft.state.terminal(id)?.require("load_key")?;
    name_fits(&name, "name")?;
    let is_hexadecimal = check_value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !matches!(check_value.len(), 8 | 16) || !is_hexadecimal {
        let message = format!("a check value of {} characters; give 8 or 16 hexadecimal digits", check_value.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "check_value", message));
    }
    let key = TerminalKey { name, check_value, loaded_at: draft.context.now };
    Ok(emit(draft, id, TerminalEvent::KeyLoaded { terminal: id, key }))
}

fn bind(draft: &mut Draft<'_>, command: BindTerminal) -> Result<Reply, Refusal> {
    let BindTerminal { terminal: id, acquiring, address, place, tolerance_m } = command;
    let terminal = draft.state.terminal(id)?;
    if let Some(binding) = &terminal.binding {
        let message = format!(
            "{id} is with {} under {}; one terminal serves one merchant at one place: recover it first",
            binding.merchant, binding.number
        );
        return Err(Refusal::new(RefusalCode::TerminalBound, "terminal", message));
    }
    terminal.require("bind")?;
    place.check()?;
    if tolerance_m == 0 {
        let message = "a tolerance of 0 m would suspend it at its first report; name metres above zero";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "tolerance_m", message));
    }
    let acquiring = draft.state.acquiring(acquiring)?;
    acquiring.require_active()?;
    let merchant = draft.state.merchant(acquiring.merchant)?;
    let binding = Binding {
        acquiring: acquiring.id,
        merchant: merchant.id,
        number: acquiring.number,
        registration: merchant.customer,
        settlement: merchant.settlement.clone(),
        address,
        place,
        tolerance_m,
        bound_at: draft.context.now,
        bound_by: draft.operator(),
    };
    Ok(emit(draft, id, TerminalEvent::Bound { terminal: id, binding: binding.into() }))
}

/// A sign-in that gives another serial or merchant suspends the terminal; whoever asks sees that by its status.
fn sign_in(draft: &mut Draft<'_>, command: &SignIn) -> Result<Reply, Refusal> {
    let terminal = draft.state.terminal(command.terminal)?;
    terminal.require("sign_in")?;
    let foreign_serial = terminal.serial != command.serial;
    let foreign_merchant = terminal.binding.as_ref().is_none_or(|binding| binding.number != command.number);
    let id = terminal.id;
    if foreign_serial {
        return Ok(suspend(draft, id, SuspensionReason::ForeignSerial));
    }
    if foreign_merchant {
        return Ok(suspend(draft, id, SuspensionReason::ForeignMerchant));
    }
    draft.state.bound_acquiring(draft.state.terminal(id)?)?;
    Ok(emit(draft, id, TerminalEvent::SignedIn(id)))
}

fn report_location(draft: &mut Draft<'_>, id: TerminalId, place: Place) -> Result<Reply, Refusal> {
    let terminal = draft.state.terminal(id)?;
    terminal.require("report_location")?;
    place.check()?;
    let home = terminal.binding.as_ref().map(|binding| (binding.place, binding.tolerance_m));
    let (home, tolerance_m) = home.expect("a terminal that is bound or online has a binding");
    let report = LocationReport { place, distance_m: home.distance_m(place), at: draft.context.now };
    let reply = emit(draft, id, TerminalEvent::Located { terminal: id, report });
    if report.distance_m > tolerance_m {
        return Ok(suspend(draft, id, SuspensionReason::Moved { distance_m: report.distance_m }));
    }
    Ok(reply)
}

fn suspend(draft: &mut Draft<'_>, terminal: TerminalId, reason: SuspensionReason) -> Reply {
    let suspension = TerminalSuspension { reason, at: draft.context.now, by: draft.operator() };
    emit(draft, terminal, TerminalEvent::Suspended { terminal, suspension })
}

impl State {
    /// The terminal.
    ///
    /// # Errors
    /// `terminal_unknown`.
    pub fn terminal(&self, id: TerminalId) -> Result<&Terminal, Refusal> {
        let unknown = || Refusal::new(RefusalCode::TerminalUnknown, "terminal", format!("there is no terminal {id}"));
        self.terminals.get(id.0).ok_or_else(unknown)
    }

    /// The acquiring that a terminal is bound to, if all that it was bound with still holds.
    ///
    /// # Errors
    /// `terminal_state` without a binding, or with a merchant that is settled elsewhere now.
    pub(crate) fn bound_acquiring(&self, terminal: &Terminal) -> Result<&Acquiring, Refusal> {
        let Some(binding) = &terminal.binding else {
            let message = format!("{} is {} and with nobody", terminal.id, terminal.status.name());
            return Err(Refusal::new(RefusalCode::TerminalState, "terminal", message));
        };
        let acquiring = self.acquiring(binding.acquiring)?;
        if self.merchant(binding.merchant)?.settlement != binding.settlement {
            let message = format!(
                "{} was bound when {} was settled to another account; recover it and bind it again",
                terminal.id, binding.merchant
            );
            return Err(Refusal::new(RefusalCode::TerminalState, "terminal", message));
        }
        Ok(acquiring)
    }
}

/// The number behind a batch's or a trace's.
#[must_use]
pub const fn next_number(number: u32) -> u32 {
    if number >= LAST_NUMBER { 1 } else { number.saturating_add(1) }
}

/// Folds what happened to a terminal into the state.
pub(crate) fn apply(state: &mut State, event: &TerminalEvent) {
    match event {
        TerminalEvent::Registered(terminal) => {
            state.terminal_serials.insert(terminal.serial.clone(), terminal.id);
            state.terminals.insert(terminal.id.0, (**terminal).clone());
        }
        TerminalEvent::KeyLoaded { terminal, key } => {
            let terminal = row(state, *terminal);
            terminal.key = Some(key.clone());
            if terminal.binding.is_none() {
                terminal.status = TerminalStatus::KeysLoaded;
            }
        }
        TerminalEvent::Bound { terminal, binding } => {
            let terminal = row(state, *terminal);
            terminal.binding = Some((**binding).clone());
            terminal.batch = next_number(terminal.batch);
            terminal.location = None;
            terminal.status = TerminalStatus::Bound;
        }
        TerminalEvent::SignedIn(id) => {
            let now = state.now;
            let terminal = row(state, *id);
            terminal.signed_in_at = Some(now);
            terminal.status = TerminalStatus::Online;
        }
        TerminalEvent::SignedOut(id) => row(state, *id).status = TerminalStatus::Bound,
        TerminalEvent::Located { terminal, report } => row(state, *terminal).location = Some(*report),
        TerminalEvent::Suspended { terminal, suspension } => {
            let terminal = row(state, *terminal);
            terminal.suspended = Some(suspension.clone());
            terminal.status = TerminalStatus::Suspended;
        }
        TerminalEvent::Resumed { terminal, .. } => {
            let terminal = row(state, *terminal);
            terminal.suspended = None;
            terminal.status = TerminalStatus::Bound;
        }
        TerminalEvent::Recovered { terminal, .. } => {
            let terminal = row(state, *terminal);
            (terminal.key, terminal.binding, terminal.suspended) = (None, None, None);
            (terminal.parameters, terminal.issued) = (None, None);
            terminal.status = TerminalStatus::Recovered;
        }
        TerminalEvent::ParametersUsed { terminal, set } => {
            let parameters = TerminalParameters { set: set.clone(), public_keys: 0, applications: 0, settings: 0 };
            row(state, *terminal).parameters = Some(parameters);
        }
        TerminalEvent::ParametersTaken { terminal, part, version } => {
            if let Some(parameters) = &mut row(state, *terminal).parameters {
                match part {
                    ParameterPart::PublicKeys => parameters.public_keys = *version,
                    ParameterPart::Applications => parameters.applications = *version,
                    ParameterPart::Settings => parameters.settings = *version,
                }
            }
        }
        TerminalEvent::PublicKeyRegistered { terminal, point } => {
            row(state, *terminal).public_key = Some(point.clone());
        }
        TerminalEvent::KeyIssued { terminal, key, issued } => {
            let terminal = row(state, *terminal);
            (terminal.key, terminal.issued) = (Some(key.clone()), Some(issued.clone()));
            if terminal.binding.is_none() {
                terminal.status = TerminalStatus::KeysLoaded;
            }
        }
        TerminalEvent::Scrapped { terminal, .. } => row(state, *terminal).status = TerminalStatus::Scrapped,
    }
}

/// A terminal's row; whoever asks has checked that it is there.
pub(crate) fn row(state: &mut State, id: TerminalId) -> &mut Terminal {
    state.terminals.get_mut(id.0).expect("decide checked the terminal")
}
