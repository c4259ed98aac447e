//! Manual vouchers (手工凭证): what no business step books, by a template, for a reason, with evidence, by two people.
//!
//! ```text
//!  set a template ─► ACTIVE ⇄ set again │ retire ─► RETIRED         (two people)
//!  post by it: dated the open day                                   (two people)
//!  adjust by it: dated D while D is CUTTING, and D's seal is off    (two people)
//! ```
//! A template says which sides of which subjects its vouchers may touch. No manual voucher touches 1101, takes money from
//! an agreement's account or debits 2241, and what it moves between 2291 and 1291, 2292 and 1151 must mirror. Its business
//! number is its approval's, which keeps reason, evidence and both names.
//!
//! An adjustment comes later in the journal than entries of later days and is dated earlier. EOD(D) = EOD(D − 1) + Σ
//! entries dated D holds as it counts in D's own column; so no account may be overdrawn by it at the end of D, of any day
//! since, or now. Seals of D and of days after it no longer say what their days hold: they come off, and waived breaks
//! with them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::approval::{self, check_text};
use crate::book::{Side, Subject};
use crate::business_day::{self, DayStatus};
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{ApprovalId, TemplateId, VoucherId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{self, BusinessKind, BusinessNumber, Dimensions, Entry, EventCode, Voucher};
use crate::{agreement, suspense};

#[cfg(test)]
mod tests;

/// The most lines of a template.
pub const MAX_LINES: usize = 32;

/// One side of one subject that a template's vouchers may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct TemplateLine {
    /// The subject.
    #[n(0)]
    pub subject: Subject,
    /// Debit or credit.
    #[n(1)]
    pub side: Side,
}

/// Whether vouchers are made by a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum TemplateStatus {
    /// They are.
    #[n(0)]
    Active,
    /// No more.
    #[n(1)]
    Retired,
}

impl TemplateStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// What manual vouchers of one kind may touch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VoucherTemplate {
    /// Its id.
    #[n(0)]
    pub id: TemplateId,
    /// What makers name it by: 3 to 32 of `a-z0-9._-`.
    #[n(1)]
    pub code: String,
    /// What it is for.
    #[n(2)]
    pub title: String,
    /// The event code of its vouchers.
    #[n(3)]
    pub event: EventCode,
    /// What they may touch, in order.
    #[n(4)]
    pub lines: Vec<TemplateLine>,
    /// Whether it is in use.
    #[n(5)]
    pub status: TemplateStatus,
    /// When it was set or retired last.
    #[n(6)]
    pub changed_at: Time,
    /// Who wanted that, by login.
    #[n(7)]
    pub changed_by: String,
    /// Who approved that, by login.
    #[n(8)]
    pub approved_by: Option<String>,
}

/// What is wanted of a template.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TemplateCommand {
    /// Set one; one of the same code is replaced and active again.
    #[n(0)]
    Set {
        /// What makers name it by.
        #[n(0)]
        code: String,
        /// What it is for.
        #[n(1)]
        title: String,
        /// The event code of its vouchers.
        #[n(2)]
        event: EventCode,
        /// What they may touch.
        #[n(3)]
        lines: Vec<TemplateLine>,
    },
    /// Let no more vouchers be made by it.
    #[n(1)]
    Retire(#[n(0)] TemplateId),
}

/// A voucher by a template.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ManualVoucher {
    /// The template's code.
    #[n(0)]
    pub template: String,
    /// Two or more.
    #[n(1)]
    pub entries: Vec<Entry>,
    /// The voucher that it undoes.
    #[n(2)]
    pub contra_of: Option<VoucherId>,
    /// What it is counted under.
    #[n(3)]
    pub dimensions: Option<Box<Dimensions>>,
}

/// A voucher dated a day that was cut and is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Adjustment {
    /// The day.
    #[n(0)]
    pub date: Date,
    /// The voucher.
    #[n(1)]
    pub voucher: ManualVoucher,
}

/// What is wanted by hand. Each takes two people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManualVoucherCommand {
    /// Set or retire a template.
    Template(TemplateCommand),
    /// Post on the open day.
    Post(ManualVoucher),
    /// Post on a day that is cut.
    Adjust(Adjustment),
}

impl From<TemplateCommand> for Command {
    fn from(command: TemplateCommand) -> Self {
        Self::ManualVoucher(ManualVoucherCommand::Template(command))
    }
}

impl From<ManualVoucher> for Command {
    fn from(voucher: ManualVoucher) -> Self {
        Self::ManualVoucher(ManualVoucherCommand::Post(voucher))
    }
}

impl From<Adjustment> for Command {
    fn from(adjustment: Adjustment) -> Self {
        Self::ManualVoucher(ManualVoucherCommand::Adjust(adjustment))
    }
}

/// What was done by hand.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ManualVoucherEvent {
    /// A template was set or retired: its new image.
    #[n(0)]
    TemplateSet(#[n(0)] VoucherTemplate),
    /// A cut day got a voucher after its cut: its seal and those of later days are off.
    #[n(1)]
    DayAdjusted {
        /// The day.
        #[n(0)]
        date: Date,
        /// The voucher.
        #[n(1)]
        voucher: VoucherId,
        /// Whose decision it was.
        #[n(2)]
        approval: ApprovalId,
    },
}

/// Sets a template, posts or adjusts.
///
/// # Errors
/// `approval_required`, `template_unknown`, `template_mismatch`, `value_invalid`, `subject_not_allowed`,
/// `mirror_broken`, `day_state`, `insufficient_funds` also at the end of a day, and those of the voucher.
pub fn decide(draft: &mut Draft<'_>, command: ManualVoucherCommand) -> Result<Reply, Refusal> {
    match command {
        ManualVoucherCommand::Template(TemplateCommand::Set { code, title, event, lines }) => {
            decide_template(draft, code, title, event, lines)
        }
        ManualVoucherCommand::Template(TemplateCommand::Retire(id)) => decide_retire(draft, id),
        ManualVoucherCommand::Post(voucher) => post(draft, voucher).map(Reply::Voucher),
        ManualVoucherCommand::Adjust(adjustment) => decide_adjust(draft, adjustment),
    }
}

fn decide_template(
    draft: &mut Draft<'_>,
    code: String,
    title: String,
    event: EventCode,
    mut lines: Vec<TemplateLine>,
) -> Result<Reply, Refusal> {
    approval::require(draft, "setting a template of manual vouchers")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    if !(3..=32).contains(&code.len()) || !code.bytes().all(plain) {
        let message = format!("'{code:.64}' is no code; use 3 to 32 of a-z, 0-9, '.', '_', '-'");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "code", message));
    }
    check_text(&title, "title")?;
    lines.sort_unstable();
    lines.dedup();
    if !(2..=MAX_LINES).contains(&lines.len()) {
        let message = format!("the template has {} lines; name 2 to {MAX_LINES}", lines.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "lines", message));
    }
    for line in &lines {
        refuse_subject(line.subject, line.side, "lines")?;
    }
    let existing = draft.state.template_codes.get(&code).copied();
    let id = existing.unwrap_or(TemplateId(draft.state.voucher_templates.next_id()));
    let (changed_at, changed_by, approved_by) = (draft.context.now, draft.operator(), draft.approver());
    let status = TemplateStatus::Active;
    let template = VoucherTemplate { id, code, title, event, lines, status, changed_at, changed_by, approved_by };
    draft.emit(Event::ManualVoucher(ManualVoucherEvent::TemplateSet(template)));
    Ok(Reply::Template(id))
}

fn decide_retire(draft: &mut Draft<'_>, id: TemplateId) -> Result<Reply, Refusal> {
    approval::require(draft, "retiring a template of manual vouchers")?;
    let mut template = draft.state.voucher_template(id)?.clone();
    active(&template)?;
    template.status = TemplateStatus::Retired;
    template.changed_at = draft.context.now;
    template.changed_by = draft.operator();
    template.approved_by = draft.approver();
    draft.emit(Event::ManualVoucher(ManualVoucherEvent::TemplateSet(template)));
    Ok(Reply::Template(id))
}

/// Posts on the open day: what two people decided on, by itself or as a part of another step.
///
/// # Errors
/// As [`decide`].
pub(crate) fn post(draft: &mut Draft<'_>, voucher: ManualVoucher) -> Result<VoucherId, Refusal> {
    let date = draft.state.days.posting_date(None)?;
    decide_voucher(draft, date, voucher)
}

fn decide_voucher(draft: &mut Draft<'_>, date: Date, command: ManualVoucher) -> Result<VoucherId, Refusal> {
    let approval = approval::require(draft, "a manual voucher")?.id;
    let ManualVoucher { template, entries, contra_of, dimensions } = command;
    let state = &*draft.state;
    let template = state.template_of(&template)?;
    active(template)?;
    if let Some(undone) = contra_of.filter(|undone| !(1..=state.position).contains(&undone.0)) {
        let message = format!("{undone} is not in the journal; name a voucher that was posted");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "contra_of", message));
    }
    for entry in &entries {
        let account = state.account(entry.account, "account")?;
        let line = TemplateLine { subject: account.subject, side: entry.side };
        if !template.lines.contains(&line) {
            let message = format!(
                "{} is {} and '{}' has no {} of it",
                account.id,
                account.subject.code(),
                template.code,
                entry.side.name()
            );
            return Err(Refusal::new(RefusalCode::TemplateMismatch, "entries", message));
        }
        refuse_entry(account, entry.side)?;
    }
    mirrors(state, &entries)?;
    let business = BusinessNumber::object(BusinessKind::Approval, approval.0);
    // Checked as if it undid nothing: a contra of a business step may bring money to a barred account, this one may not.
    let voucher = Voucher { business, event: template.event, date, entries, dimensions, contra_of: None };
    voucher::check(state, &voucher)?;
    stays_covered(state, &voucher)?;
    let voucher = Voucher { contra_of, ..voucher };
    let id = draft.emit_voucher(&voucher);
    suspense::follow(draft, id, &voucher);
    Ok(id)
}

fn decide_adjust(draft: &mut Draft<'_>, adjustment: Adjustment) -> Result<Reply, Refusal> {
    let Adjustment { date, voucher } = adjustment;
    let approval = approval::require(draft, "an adjustment")?.id;
    let status = draft.state.days.get(date).map(|day| day.status);
    if status != Some(DayStatus::Cutting) {
        let message = match status {
            Some(DayStatus::Open) => format!("{date} is the open day; post a manual voucher in place of an adjustment"),
            Some(DayStatus::Closed) => format!("{date} is closed for ever; post a manual voucher on the open day"),
            Some(DayStatus::Cutting) | None => format!("{date} is not an accounting day of these books"),
        };
        return Err(Refusal::new(RefusalCode::DayState, "date", message));
    }
    let voucher = decide_voucher(draft, date, voucher)?;
    draft.emit(Event::ManualVoucher(ManualVoucherEvent::DayAdjusted { date, voucher, approval }));
    Ok(Reply::Voucher(voucher))
}

/// What no manual voucher touches, whatever its template.
fn refuse_entry(account: &Account, side: Side) -> Result<(), Refusal> {
    refuse_subject(account.subject, side, "account")?;
    if account.grows_on(side) { Ok(()) } else { agreement::refuse_by_hand(account) }
}

fn refuse_subject(subject: Subject, side: Side, param: &'static str) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(RefusalCode::SubjectNotAllowed, param, message));
    if subject == Subject::CentralBank {
        return refuse("1101 moves only on a statement line of the central bank");
    }
    if subject == Subject::Suspense && side == Side::Debit {
        return refuse("2241 is debited only by allocating one of its items");
    }
    Ok(())
}

/// What moves on 2291 moves on 1291, and what moves on 2292 on 1151: else no check at close holds any more.
fn mirrors(state: &State, entries: &[Entry]) -> Result<(), Refusal> {
    let change = |wanted: Subject, currency: Currency| {
        entries.iter().filter(|entry| entry.currency == currency).fold(0_i128, |sum, entry| {
            let amount = i128::from(entry.amount);
            match state.accounts.get(entry.account.0).filter(|account| account.subject == wanted) {
                Some(account) if account.grows_on(entry.side) => sum.saturating_add(amount),
                Some(_) => sum.saturating_sub(amount),
                None => sum,
            }
        })
    };
    for currency in Currency::ALL {
        for (reserve, own) in [(Subject::DueToOwn, Subject::DueFromReserve), (Subject::OwnClaims, Subject::Advances)] {
            let (left, right) = (change(reserve, currency), change(own, currency));
            if left != right {
                let (reserve, own) = (reserve.code(), own.code());
                let message = format!("{reserve} moves by {left} and its mirror {own} by {right}; make them equal");
                return Err(Refusal::new(RefusalCode::MirrorBroken, "entries", message));
            }
        }
    }
    Ok(())
}

/// No account that may not be overdrawn is below zero at the end of the voucher's day or of a later one.
fn stays_covered(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    for entry in &voucher.entries {
        let account = state.account(entry.account, "account")?;
        let change = voucher.entries.iter().filter(|other| other.account == account.id).fold(0, |sum: Minor, other| {
            if account.grows_on(other.side) {
                sum.saturating_add(other.amount)
            } else {
                sum.saturating_sub(other.amount)
            }
        });
        if account.overdraft || change >= 0 {
            continue;
        }
        for date in state.days.open_days().filter(|date| *date >= voucher.date) {
            let closing = state.days.closing(account, date).unwrap_or_default();
            if closing.saturating_add(change) < 0 {
                let message =
                    format!("{} stood at {closing} at the end of {date}; the voucher takes {}", account.id, -change);
                return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
            }
        }
    }
    Ok(())
}

fn active(template: &VoucherTemplate) -> Result<(), Refusal> {
    match template.status {
        TemplateStatus::Active => Ok(()),
        TemplateStatus::Retired => {
            let message = format!("'{}' is retired; set it again or use another", template.code);
            Err(Refusal::new(RefusalCode::TemplateUnknown, "template", message))
        }
    }
}

impl State {
    /// The template of an id.
    ///
    /// # Errors
    /// `template_unknown`.
    pub fn voucher_template(&self, id: TemplateId) -> Result<&VoucherTemplate, Refusal> {
        let unknown = || Refusal::new(RefusalCode::TemplateUnknown, "template", format!("there is no template {id}"));
        self.voucher_templates.get(id.0).ok_or_else(unknown)
    }

    fn template_of(&self, code: &str) -> Result<&VoucherTemplate, Refusal> {
        let found = self.template_codes.get(code).and_then(|id| self.voucher_templates.get(id.0));
        found.ok_or_else(|| {
            let message = format!("there is no template '{code:.64}'; two people must set it first");
            Refusal::new(RefusalCode::TemplateUnknown, "template", message)
        })
    }
}

/// Folds what was done by hand into the state.
pub(crate) fn apply(state: &mut State, event: &ManualVoucherEvent) {
    match event {
        ManualVoucherEvent::TemplateSet(template) => {
            state.template_codes.insert(template.code.clone(), template.id);
            state.voucher_templates.insert(template.id.0, template.clone());
        }
        ManualVoucherEvent::DayAdjusted { date, .. } => business_day::apply_adjusted(state, *date),
    }
}
