//! Links between parent and child accounts, runs of sweeps and what holds used of quotas, as rows.

use domain::calendar::Date;
use domain::ids::{AccountId, QuotaChargeId, TreeLinkId, TreeRunId};
use domain::tree::{QuotaCharge, TreeLink, TreeRun};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for TreeLink {
    type Id = TreeLinkId;
    const TABLE: &'static str = "tree_links";
    const COLUMNS: &'static [&'static str] = &["parent", "child", "status"];

    fn id(&self) -> TreeLinkId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.parent.0.into(), self.child.0.into(), self.status().into()]
    }
}

impl Stored for TreeRun {
    type Id = TreeRunId;
    const TABLE: &'static str = "tree_runs";
    const COLUMNS: &'static [&'static str] = &["parent", "cause", "date"];

    fn id(&self) -> TreeRunId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.parent.0.into(), self.cause.name().into(), i64::from(self.date.0).into()]
    }
}

impl Stored for QuotaCharge {
    type Id = QuotaChargeId;
    const TABLE: &'static str = "quota_charges";
    const COLUMNS: &'static [&'static str] = &[];

    fn id(&self) -> QuotaChargeId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// What lists of links may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct TreeLinkFilter {
    /// Under this account.
    pub parent: Option<AccountId>,
    /// Of this account.
    pub child: Option<AccountId>,
    /// `linked` or `ended`, see [`TreeLink::status`].
    pub status: Option<&'static str>,
}

impl Filter for TreeLinkFilter {
    type Of = TreeLink;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.parent.map(|parent| Term::equal("parent", parent.0)),
            self.child.map(|child| Term::equal("child", child.0)),
            self.status.map(|status| Term::equal("status", status)),
        ]
    }
}

/// What lists of runs may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct TreeRunFilter {
    /// Of this account's children.
    pub parent: Option<AccountId>,
    /// `command`, `rules` or `timer`, see [`domain::tree::RunCause::name`].
    pub cause: Option<&'static str>,
    /// On that accounting day or later.
    pub from: Option<Date>,
    /// On that accounting day or earlier.
    pub to: Option<Date>,
}

impl Filter for TreeRunFilter {
    type Of = TreeRun;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.parent.map(|parent| Term::equal("parent", parent.0)),
            self.cause.map(|cause| Term::equal("cause", cause)),
            self.from.map(|date| Term::from("date", i64::from(date.0))),
            self.to.map(|date| Term::to("date", i64::from(date.0))),
        ]
    }
}
