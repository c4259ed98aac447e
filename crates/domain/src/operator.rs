//! Operators (操作员): the people of the institution who decide, each with roles and a one-time code of their own.
//!
//! ```text
//!  register ─► ACTIVE ⇄ suspend / resume ⇄ SUSPENDED
//!                └ change roles, renew the one-time code
//! ```
//! Each of these takes two administrators, see [`crate::approval`], but for the beginning: while fewer than two
//! administrators are active, the institution's own programs register administrators directly. No change may leave fewer
//! than two, so that way does not open again. A login is never used twice: journal and rows name people by it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::{Actor, Time};
use crate::event::Event;
use crate::ids::{MerchantId, OperatorId, UserId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// How many administrators must stay active.
pub const MIN_ADMINISTRATORS: usize = 2;

/// Names that the journal uses for what is no person.
const RESERVED: [&str; 5] = ["operator", "timer", "channel", "serve", "executor"];

/// What an operator may make or check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Registers and changes operators.
    #[n(0)]
    Administrator,
    /// Manual vouchers, adjustments, waivers, suspense.
    #[n(1)]
    Accountant,
    /// Own money, channels, outflow.
    #[n(2)]
    Treasurer,
    /// Freezes, limits, lists.
    #[n(3)]
    Risk,
    /// Reads.
    #[n(4)]
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Administrator, Self::Accountant, Self::Treasurer, Self::Risk, Self::Auditor];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Accountant => "accountant",
            Self::Treasurer => "treasurer",
            Self::Risk => "risk",
            Self::Auditor => "auditor",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Whether an operator may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OperatorStatus {
    /// May.
    #[n(0)]
    Active,
    /// May not.
    #[n(1)]
    Suspended,
}

impl OperatorStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Operator {
    /// Its id.
    #[n(0)]
    pub id: OperatorId,
    /// What journal and rows know it by: 3 to 32 of `a-z0-9._-`, for ever.
    #[n(1)]
    pub login: String,
    /// One or more, in their order.
    #[n(2)]
    pub roles: Vec<Role>,
    /// Whether it may act.
    #[n(3)]
    pub status: OperatorStatus,
    /// When it was registered.
    #[n(4)]
    pub created_at: Time,
    /// The time step of the last one-time code that was used; only a later one counts.
    #[n(5)]
    pub last_totp_step: u64,
    /// Which secret makes its one-time codes, from 1; a renewal counts up.
    #[n(6)]
    pub totp_serial: u32,
    /// When it was changed last.
    #[n(7)]
    pub changed_at: Time,
    /// Who wanted the last change, by login.
    #[n(8)]
    pub changed_by: String,
    /// Who approved it, by login; none for what the institution's programs began with.
    #[n(9)]
    pub approved_by: Option<String>,
}

impl Operator {
    /// Whether it has one of these roles.
    #[must_use]
    pub fn has_any(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }

    /// Whether it may act.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == OperatorStatus::Active
    }

    fn is_administrator(&self) -> bool {
        self.is_active() && self.roles.contains(&Role::Administrator)
    }
}

/// What is wanted of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OperatorCommand {
    /// Register one.
    #[n(0)]
    Register {
        /// 3 to 32 of `a-z0-9._-`.
        #[n(0)]
        login: String,
        /// One or more.
        #[n(1)]
        roles: Vec<Role>,
    },
    /// Give other roles.
    #[n(1)]
    ChangeRoles {
        /// To whom.
        #[n(0)]
        operator: OperatorId,
        /// All of them from now on.
        #[n(1)]
        roles: Vec<Role>,
    },
    /// Let it act no more.
    #[n(2)]
    Suspend(#[n(0)] OperatorId),
    /// Let it act again.
    #[n(3)]
    Resume(#[n(0)] OperatorId),
    /// Let it enrol a new secret for its one-time codes.
    #[n(4)]
    RenewTotp(#[n(0)] OperatorId),
}

impl OperatorCommand {
    /// Whose rights change, unless it is new.
    #[must_use]
    pub const fn concerns(&self) -> Option<OperatorId> {
        match self {
            Self::Register { .. } => None,
            Self::ChangeRoles { operator: id, .. } | Self::Suspend(id) | Self::Resume(id) | Self::RenewTotp(id) => {
                Some(*id)
            }
        }
    }
}

/// What happened to an operator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OperatorEvent {
    /// It was registered.
    #[n(0)]
    Registered(#[n(0)] Operator),
    /// It was changed: its new image.
    #[n(1)]
    Changed(#[n(0)] Operator),
}

/// Registers or changes an operator.
///
/// # Errors
/// `approval_required`, `value_invalid` for login or roles, `already_exists`, `operator_unknown`, `operator_state`,
/// `administrators_too_few`.
pub fn decide(draft: &mut Draft<'_>, command: OperatorCommand) -> Result<Reply, Refusal> {
    use OperatorStatus::{Active, Suspended};
    match command {
        OperatorCommand::Register { login, roles } => decide_register(draft, login, roles),
        OperatorCommand::ChangeRoles { operator, roles } => {
            let roles = sorted(roles)?;
            decide_change(draft, operator, None, |operator| operator.roles = roles)
        }
        OperatorCommand::Suspend(id) => decide_change(draft, id, Some(Active), |operator| operator.status = Suspended),
        OperatorCommand::Resume(id) => decide_change(draft, id, Some(Suspended), |operator| operator.status = Active),
        OperatorCommand::RenewTotp(id) => decide_change(draft, id, None, |operator| {
            operator.totp_serial = operator.totp_serial.saturating_add(1);
        }),
    }
}

fn decide_register(draft: &mut Draft<'_>, login: String, roles: Vec<Role>) -> Result<Reply, Refusal> {
    let beginning = draft.approved.is_none()
        && draft.state.administrators() < MIN_ADMINISTRATORS
        && roles.contains(&Role::Administrator)
        && is_program(draft.state, &draft.context.actor);
    if !beginning {
        approval::require(draft, "registering an operator")?;
    }
    check_login(&login)?;
    let roles = sorted(roles)?;
    if let Some(existing) = draft.state.operator_logins.get(&login) {
        let message = format!("'{login}' is {existing}; a login is never used twice");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "login", message));
    }
    let id = OperatorId(draft.state.operators.next_id());
    let now = draft.context.now;
    let operator = Operator {
        id,
        login,
        roles,
        status: OperatorStatus::Active,
        created_at: now,
        last_totp_step: 0,
        totp_serial: 1,
        changed_at: now,
        changed_by: draft.operator(),
        approved_by: draft.approver(),
    };
    draft.emit(Event::Operator(OperatorEvent::Registered(operator)));
    Ok(Reply::Operator(id))
}

/// Changes an operator who stands as the change needs.
fn decide_change(
    draft: &mut Draft<'_>,
    id: OperatorId,
    needs: Option<OperatorStatus>,
    change: impl FnOnce(&mut Operator),
) -> Result<Reply, Refusal> {
    approval::require(draft, "changing an operator")?;
    let before = draft.state.operator(id)?;
    if let Some(needed) = needs.filter(|needed| before.status != *needed) {
        let message = format!("{id} is {}; this needs one that is {}", before.status.name(), needed.name());
        return Err(Refusal::new(RefusalCode::OperatorState, "operator", message));
    }
    let mut operator = before.clone();
    change(&mut operator);
    let leaves = before.is_administrator() && !operator.is_administrator();
    if leaves && draft.state.administrators() <= MIN_ADMINISTRATORS {
        let message = format!("{MIN_ADMINISTRATORS} active administrators must stay; register another first");
        return Err(Refusal::new(RefusalCode::AdministratorsTooFew, "operator", message));
    }
    operator.changed_at = draft.context.now;
    operator.changed_by = draft.operator();
    operator.approved_by = draft.approver();
    draft.emit(Event::Operator(OperatorEvent::Changed(operator)));
    Ok(Reply::Operator(id))
}

fn check_login(login: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    let taken = RESERVED.contains(&login)
        || login.parse::<UserId>().is_ok()
        || login.parse::<MerchantId>().is_ok()
        || login.parse::<OperatorId>().is_ok();
    if (3..=32).contains(&login.len()) && login.bytes().all(plain) && !taken {
        return Ok(());
    }
    let message = format!(
        "'{login:.64}' is no login; use 3 to 32 of a-z, 0-9, '.', '_', '-', and no name that the platform itself uses"
    );
    Err(Refusal::new(RefusalCode::ValueInvalid, "login", message))
}

fn sorted(mut roles: Vec<Role>) -> Result<Vec<Role>, Refusal> {
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Err(Refusal::new(RefusalCode::ValueInvalid, "roles", "no role is named; name one or more"));
    }
    Ok(roles)
}

/// Whether the institution's own programs ask: an operator's name that no person bears.
fn is_program(state: &State, actor: &Actor) -> bool {
    match actor {
        Actor::Operator(login) => state.operator_logins.get(login).is_none(),
        Actor::User(_) | Actor::Merchant { .. } | Actor::Timer | Actor::Channel(_) => false,
    }
}

impl State {
    /// The operator.
    ///
    /// # Errors
    /// `operator_unknown`.
    pub fn operator(&self, id: OperatorId) -> Result<&Operator, Refusal> {
        let unknown = || Refusal::new(RefusalCode::OperatorUnknown, "operator", format!("there is no operator {id}"));
        self.operators.get(id.0).ok_or_else(unknown)
    }

    /// The operator who acts: registered and not suspended.
    ///
    /// # Errors
    /// `not_an_operator` for programs, merchants and the platform itself; `operator_state` for a suspended one.
    pub fn acting_operator(&self, actor: &Actor) -> Result<&Operator, Refusal> {
        let login = match actor {
            Actor::Operator(login) => Some(login),
            Actor::User(_) | Actor::Merchant { .. } | Actor::Timer | Actor::Channel(_) => None,
        };
        let id = login.and_then(|login| self.operator_logins.get(login)).ok_or_else(|| {
            let message = "a person decides this: sign with the key of a registered operator";
            Refusal::new(RefusalCode::NotAnOperator, "operator", message)
        })?;
        let operator = self.operator(*id)?;
        if operator.is_active() {
            return Ok(operator);
        }
        let message = format!("{id} is suspended; an administrator must resume it first");
        Err(Refusal::new(RefusalCode::OperatorState, "operator", message))
    }

    /// How many administrators are active.
    #[must_use]
    pub fn administrators(&self) -> usize {
        self.operators.iter().filter(|(_, operator)| operator.is_administrator()).count()
    }
}

/// Folds what happened to an operator into the state.
pub(crate) fn apply(state: &mut State, event: &OperatorEvent) {
    match event {
        OperatorEvent::Registered(operator) => {
            state.operator_logins.insert(operator.login.clone(), operator.id);
            state.operators.insert(operator.id.0, operator.clone());
        }
        OperatorEvent::Changed(operator) => state.operators.insert(operator.id.0, operator.clone()),
    }
}

#[cfg(test)]
mod tests;
