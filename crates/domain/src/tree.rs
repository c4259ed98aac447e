//! Parent and child accounts (母子账户): accounts of one book in a tree, looked at together, pooled and limited.
//!
//! ```text
//!  link ─► LINKED ─ unlink ─► ENDED            an account has at most one parent at a time
//!            ├ rule: sweep all │ sweep above │ top up to     run by command, or each day at a time
//!            ├ quota: single, day, month                     what may leave the child
//!            └ sweep (归集) child ─► parent, allocate (下拨) parent ─► child, by command
//! ```
//! - A link holds from the accounting day on which it was made until the one on which it ended, that one not included, so
//!   the tree of a day is the tree at its end, and is fixed once the day is cut.
//! - Roll-up = own + Σ children's roll-ups, by (subject, currency): children may be of other subjects and currencies.
//!   See `roll_up.rs`.
//! - Links form a forest: no cycle, at most [`MAX_DEPTH`] levels, [`MAX_CHILDREN`] children and [`MAX_ACCOUNTS`] accounts.
//! - Parent and child are of one customer. Another customer's account becomes a child only by an agreement whose text the
//!   link keeps, and by two people: a property group pools the 2206 of its branches so.
//! - Money moves between parent and child of one currency and only where the subjects allow it, see `sweep.rs`.
//! - An account with a parent or children does not close.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, HoldId, QuotaChargeId, TreeLinkId, TreeRunId, VoucherId};
use crate::money::Minor;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod links;
pub(crate) mod quota;
pub(crate) mod roll_up;
mod sweep;
#[cfg(test)]
mod tests;

pub(crate) use links::refuse_linked;
pub use links::{Node, walk};
pub use roll_up::{Figures, Sums, own_at_end, roll_up};
pub(crate) use sweep::{run_due, timer};

/// The most levels of a tree; a root alone has one.
pub const MAX_DEPTH: usize = 8;
/// The most children of one account.
pub const MAX_CHILDREN: usize = 1_000;
/// The most accounts of one tree.
pub const MAX_ACCOUNTS: usize = 10_000;
/// The most bytes of an agreement's text.
const MAX_TEXT: usize = 512;
/// The most bytes of a run's number.
const MAX_NUMBER: usize = 64;

/// Who did it and when.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Signed {
    /// Who did it, by name.
    #[n(0)]
    pub operator: String,
    /// Who approved it, where that was needed.
    #[n(1)]
    pub approver: Option<String>,
    /// When.
    #[n(2)]
    pub at: Time,
}

impl Signed {
    pub(crate) fn of(draft: &Draft<'_>) -> Self {
        Self { operator: draft.operator(), approver: draft.approver(), at: draft.context.now }
    }
}

/// A child under its parent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TreeLink {
    /// Its id.
    #[n(0)]
    pub id: TreeLinkId,
    /// The account above.
    #[n(1)]
    pub parent: AccountId,
    /// The account below.
    #[n(2)]
    pub child: AccountId,
    /// The first accounting day at whose end it holds.
    #[n(3)]
    pub from: Date,
    /// The first accounting day at whose end it no longer holds.
    #[n(4)]
    pub until: Option<Date>,
    /// The agreement by which the owner of the child lets another customer pool it.
    #[n(5)]
    pub agreement: Option<String>,
    /// Who made it.
    #[n(6)]
    pub made: Signed,
    /// Who ended it.
    #[n(7)]
    pub ended: Option<Signed>,
    /// How money moves by itself.
    #[n(8)]
    pub rule: Option<SweepRule>,
    /// When the rule falls due next, if it names a time of day.
    #[n(9)]
    pub due: Option<Time>,
    /// Who set or removed the rule last.
    #[n(10)]
    pub rule_set: Option<Signed>,
    /// What may leave the child.
    #[n(11)]
    pub quota: Option<Quota>,
    /// What has left it.
    #[n(12)]
    pub used: Option<QuotaUse>,
    /// Who set or removed the quota last.
    #[n(13)]
    pub quota_set: Option<Signed>,
}

impl TreeLink {
    /// Whether it is part of the tree now.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.until.is_none()
    }

    /// Whether it is part of the tree at the end of an accounting day.
    #[must_use]
    pub fn holds_on(&self, date: Date) -> bool {
        self.from <= date && self.until.is_none_or(|until| date < until)
    }

    /// The name of where it stands, in API and files.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.is_current() { "linked" } else { "ended" }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum RuleKind {
    /// Child to parent: all that is available.
    #[n(0)]
    SweepAll,
    /// Child to parent: what is available above this; zero or more.
    #[n(1)]
    SweepAbove(#[n(0)] Minor),
    /// Parent to child: what the child's balance less its holds lacks to this. Frozen money counts, else a run a day would
    /// feed the parent's money into a freeze for ever.
    #[n(2)]
    TopUpTo(#[n(0)] Minor),
}

impl RuleKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SweepAll => "sweep_all",
            Self::SweepAbove(_) => "sweep_above",
            Self::TopUpTo(_) => "top_up_to",
        }
    }

    /// Which way it moves money.
    #[must_use]
    pub const fn way(self) -> Way {
        match self {
            Self::SweepAll | Self::SweepAbove(_) => Way::Up,
            Self::TopUpTo(_) => Way::Down,
        }
    }
}

/// A rule on a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SweepRule {
    /// What it does.
    #[n(0)]
    pub kind: RuleKind,
    /// Less than this does not move; 1 or more.
    #[n(1)]
    pub minimum: Minor,
    /// The time of day in Shanghai at which it runs by itself, in minutes since midnight; by command alone if none.
    #[n(2)]
    pub minute_of_day: Option<u16>,
}

/// Up to the parent or down to the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Way {
    /// Child to parent (归集).
    #[n(0)]
    Up,
    /// Parent to child (下拨).
    #[n(1)]
    Down,
}

impl Way {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "sweep",
            Self::Down => "allocate",
        }
    }
}

/// What may leave a child, in minor units of its currency (子账户额度).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Quota {
    /// The most of one payment.
    #[n(0)]
    pub single: Option<Minor>,
    /// The most of one accounting day.
    #[n(1)]
    pub day: Option<Minor>,
    /// The most of the accounting days of one calendar month.
    #[n(2)]
    pub month: Option<Minor>,
}

/// What has left a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct QuotaUse {
    /// The accounting day of the last use.
    #[n(0)]
    pub date: Date,
    /// On that day.
    #[n(1)]
    pub day: Minor,
    /// In its month.
    #[n(2)]
    pub month: Minor,
}

/// What one hold used of a quota, and what of it was not given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct QuotaCharge {
    /// Its id.
    #[n(0)]
    pub id: QuotaChargeId,
    /// The link whose quota it is.
    #[n(1)]
    pub link: TreeLinkId,
    /// The hold, by hand or of a payout.
    #[n(2)]
    pub hold: HoldId,
    /// The accounting day that counts it.
    #[n(3)]
    pub date: Date,
    /// Minor units that count.
    #[n(4)]
    pub amount: Minor,
}

/// Why nothing moved between a parent and a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Skipped {
    /// The rule asks for nothing now.
    #[n(0)]
    NothingToMove,
    /// Less than the rule's minimum.
    #[n(1)]
    BelowMinimum,
    /// The parent has nothing available.
    #[n(2)]
    ParentEmpty,
    /// The voucher was refused.
    #[n(3)]
    Refused(#[n(0)] RefusalCode),
}

impl Skipped {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NothingToMove => "nothing_to_move",
            Self::BelowMinimum => "below_minimum",
            Self::ParentEmpty => "parent_empty",
            Self::Refused(code) => code.name(),
        }
    }
}

/// What a run did with one child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RunLine {
    /// The link.
    #[n(0)]
    pub link: TreeLinkId,
    /// The child.
    #[n(1)]
    pub child: AccountId,
    /// Which way.
    #[n(2)]
    pub way: Way,
    /// Minor units that moved; 0 if none did.
    #[n(3)]
    pub amount: Minor,
    /// The voucher that moved them.
    #[n(4)]
    pub voucher: Option<VoucherId>,
    /// Why none moved.
    #[n(5)]
    pub skipped: Option<Skipped>,
}

/// What began a run.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum RunCause {
    /// One sweep or allocation by command.
    #[n(0)]
    Command,
    /// The rules of a parent, by command under this number.
    #[n(1)]
    Number(#[n(0)] String),
    /// The time of day that rules name.
    #[n(2)]
    Timer,
}

impl RunCause {
    /// The name in API and files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Number(_) => "rules",
            Self::Timer => "timer",
        }
    }
}

/// A run: what moved between a parent and its children, and what did not and why.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TreeRun {
    /// Its id.
    #[n(0)]
    pub id: TreeRunId,
    /// The parent.
    #[n(1)]
    pub parent: AccountId,
    /// What began it.
    #[n(2)]
    pub cause: RunCause,
    /// The accounting day of its vouchers.
    #[n(3)]
    pub date: Date,
    /// Who began it.
    #[n(4)]
    pub made: Signed,
    /// A line for each child that it looked at.
    #[n(5)]
    pub lines: Vec<RunLine>,
}

impl TreeRun {
    /// What moved one way, in minor units. The children are of the parent's currency where money moves.
    #[must_use]
    pub fn moved(&self, way: Way) -> i128 {
        self.lines.iter().filter(|line| line.way == way).map(|line| i128::from(line.amount)).sum()
    }
}

/// Puts an account under another.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LinkAccounts {
    /// The account above.
    #[n(0)]
    pub parent: AccountId,
    /// The account below.
    #[n(1)]
    pub child: AccountId,
    /// The agreement, where the two are of different customers.
    #[n(2)]
    pub agreement: Option<String>,
}

/// One sweep or allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// Exactly this much, child to parent.
    Sweep(Minor),
    /// Exactly this much, parent to child.
    Allocate(Minor),
    /// As a rule of this kind would.
    Rule(RuleKind),
}

/// What someone wants done with a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeCommand {
    /// Put an account under another.
    Link(LinkAccounts),
    /// End a link.
    Unlink(TreeLinkId),
    /// Set or remove a child's rule.
    SetRule {
        /// The link.
        link: TreeLinkId,
        /// The rule from now on.
        rule: Option<SweepRule>,
    },
    /// Set or remove a child's quota.
    SetQuota {
        /// The link.
        link: TreeLinkId,
        /// The quota from now on.
        quota: Option<Quota>,
    },
    /// Move money between a child and its parent.
    Move {
        /// The link.
        link: TreeLinkId,
        /// How much and which way.
        movement: Movement,
    },
    /// Run the rules of a parent's children, once for each number.
    RunRules {
        /// The parent.
        parent: AccountId,
        /// The caller's number of the run.
        number: String,
    },
}

impl TreeCommand {
    /// The command that puts an account under another.
    #[must_use]
    pub const fn link(command: LinkAccounts) -> Command {
        Command::Tree(Self::Link(command))
    }
}

/// What happened to a tree.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TreeEvent {
    /// An account came under another.
    #[n(0)]
    Linked(#[n(0)] Box<TreeLink>),
    /// A link ended.
    #[n(1)]
    Unlinked {
        /// The link.
        #[n(0)]
        link: TreeLinkId,
        /// The first accounting day at whose end it no longer holds.
        #[n(1)]
        until: Date,
        /// Who ended it.
        #[n(2)]
        ended: Signed,
    },
    /// A child's rule was set or removed.
    #[n(2)]
    RuleSet {
        /// The link.
        #[n(0)]
        link: TreeLinkId,
        /// The rule.
        #[n(1)]
        rule: Option<SweepRule>,
        /// When it falls due first, if it names a time of day.
        #[n(2)]
        due: Option<Time>,
        /// Who set it.
        #[n(3)]
        set: Signed,
    },
    /// A child's quota was set or removed.
    #[n(3)]
    QuotaSet {
        /// The link.
        #[n(0)]
        link: TreeLinkId,
        /// The quota.
        #[n(1)]
        quota: Option<Quota>,
        /// Who set it.
        #[n(2)]
        set: Signed,
    },
    /// Money moved between a parent and its children; the vouchers were posted before.
    #[n(4)]
    RunDone {
        /// The run.
        #[n(0)]
        run: TreeRun,
        /// The rules that had fallen due, and when they do again.
        #[n(1)]
        next: Vec<(TreeLinkId, Time)>,
    },
}

/// Decides what someone wants done with a tree.
///
/// # Errors
/// Those of the single commands.
pub fn decide(draft: &mut Draft<'_>, command: TreeCommand) -> Result<Reply, Refusal> {
    match command {
        TreeCommand::Link(command) => links::decide_link(draft, command),
        TreeCommand::Unlink(link) => links::decide_unlink(draft, link),
        TreeCommand::SetRule { link, rule } => sweep::decide_set_rule(draft, link, rule),
        TreeCommand::SetQuota { link, quota } => quota::decide_set(draft, link, quota),
        TreeCommand::Move { link, movement } => sweep::decide_move(draft, link, movement),
        TreeCommand::RunRules { parent, number } => sweep::decide_run(draft, parent, number),
    }
}

/// Something happened to a tree.
pub(crate) fn apply(state: &mut State, event: &TreeEvent) {
    match event {
        TreeEvent::Linked(link) => links::apply_linked(state, link),
        TreeEvent::Unlinked { link, until, ended } => links::apply_unlinked(state, *link, *until, ended),
        TreeEvent::RuleSet { link, rule, due, set } => sweep::apply_rule_set(state, *link, *rule, *due, set),
        TreeEvent::QuotaSet { link, quota, set } => quota::apply_set(state, *link, *quota, set),
        TreeEvent::RunDone { run, next } => sweep::apply_run(state, run, next),
    }
}

impl Draft<'_> {
    fn emit_tree(&mut self, event: TreeEvent) {
        self.emit(Event::Tree(event));
    }
}

impl State {
    /// The link, current or ended.
    ///
    /// # Errors
    /// `tree_link_unknown`.
    pub fn tree_link(&self, id: TreeLinkId) -> Result<&TreeLink, Refusal> {
        let unknown = || {
            let message = alloc::format!("there is no link {id} between accounts");
            Refusal::new(RefusalCode::TreeLinkUnknown, "link", message)
        };
        self.tree_links.get(id.0).ok_or_else(unknown)
    }

    /// The link, if it has not ended.
    pub(crate) fn current_link(&self, id: TreeLinkId) -> Result<&TreeLink, Refusal> {
        let link = self.tree_link(id)?;
        if link.is_current() {
            return Ok(link);
        }
        let message = alloc::format!("{id} has ended; link {} again first", link.child);
        Err(Refusal::new(RefusalCode::TreeLinkEnded, "link", message))
    }

    /// The link by which the account is a child now.
    #[must_use]
    pub fn link_above(&self, child: AccountId) -> Option<&TreeLink> {
        self.tree_parents.get(&child).and_then(|id| self.tree_links.get(id.0))
    }

    /// The links of the account's children now, by child.
    pub fn links_below(&self, parent: AccountId) -> impl Iterator<Item = &TreeLink> {
        let all = (parent, AccountId(0))..=(parent, AccountId(u64::MAX));
        self.tree_children.range(all).filter_map(|(_, id)| self.tree_links.get(id.0))
    }

    /// The run.
    ///
    /// # Errors
    /// `tree_run_unknown`.
    pub fn tree_run(&self, id: TreeRunId) -> Result<&TreeRun, Refusal> {
        let unknown = || Refusal::new(RefusalCode::TreeRunUnknown, "run", alloc::format!("there is no run {id}"));
        self.tree_runs.get(id.0).ok_or_else(unknown)
    }

    fn link_row(&mut self, id: TreeLinkId) -> &mut TreeLink {
        self.tree_links.get_mut(id.0).expect("decide checked the link before it emitted the event")
    }
}
