//! `lintel tree`: parent and child accounts (母子账户): the tree as a drawing with its roll-ups, links, sweeps, rules, quotas.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, amount, money, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel tree show acc_42 --date 2026-03-05
  lintel tree link --parent acc_42 --child acc_43
  lintel tree rule lnk_3 --kind sweep_above --keep 1000000 --at 23:00
  lintel tree sweep lnk_3 --keep 1000000
  lintel tree run acc_42 --number 2026-03-05";

/// Parent and child accounts. Amounts are given in minor units.
#[derive(Debug, Subcommand)]
pub(crate) enum Tree {
    /// An account and all below it, with balances and roll-ups.
    Show {
        /// The account's id, such as acc_42.
        id: String,
        /// At the end of this accounting day; now unless said.
        #[arg(long, value_name = "DATE")]
        date: Option<String>,
    },
    /// Links, oldest first.
    Links {
        /// Under this account.
        #[arg(long, value_name = "ID")]
        parent: Option<String>,
        /// Of this account.
        #[arg(long, value_name = "ID")]
        child: Option<String>,
        /// linked or ended.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Put an account under another of the same customer; for two customers propose it as an approval.
    Link {
        /// The account above.
        #[arg(long, value_name = "ID")]
        parent: String,
        /// The account below.
        #[arg(long, value_name = "ID")]
        child: String,
    },
    /// End a link.
    Unlink {
        /// Its id, such as lnk_3.
        id: String,
    },
    /// Set or take away a child's rule.
    Rule(Rule),
    /// Set or take away what may leave a child.
    Quota(Quota),
    /// Sweep money of a child to its parent: all that is available unless said.
    Sweep {
        /// The link's id.
        id: String,
        /// Exactly this much.
        #[arg(long, value_name = "MINOR", conflicts_with = "keep")]
        amount: Option<i64>,
        /// What is available above this.
        #[arg(long, value_name = "MINOR")]
        keep: Option<i64>,
    },
    /// Allocate money of a parent to its child.
    Allocate {
        /// The link's id.
        id: String,
        /// Exactly this much.
        #[arg(long, value_name = "MINOR", conflicts_with = "target", required_unless_present = "target")]
        amount: Option<i64>,
        /// What the child lacks to this.
        #[arg(long, value_name = "MINOR")]
        target: Option<i64>,
    },
    /// Run the rules of an account's children, once for each number.
    Run {
        /// The account's id.
        id: String,
        /// Your number of the run.
        #[arg(long, value_name = "TEXT")]
        number: String,
    },
    /// Runs of sweeps and allocations, oldest first.
    Runs {
        /// Of this account's children.
        #[arg(long, value_name = "ID")]
        parent: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

/// A child's rule.
#[derive(Debug, Args)]
pub(crate) struct Rule {
    /// The link's id.
    id: String,
    /// sweep_all, sweep_above or top_up_to.
    #[arg(long, required_unless_present = "remove")]
    kind: Option<String>,
    /// Of sweep_above: what stays available on the child.
    #[arg(long, value_name = "MINOR")]
    keep: Option<i64>,
    /// Of top_up_to: what the child shall hold.
    #[arg(long, value_name = "MINOR")]
    target: Option<i64>,
    /// Less than this does not move.
    #[arg(long, value_name = "MINOR")]
    minimum: Option<i64>,
    /// The time of day in Shanghai at which it runs by itself, such as 23:00.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Take the rule away.
    #[arg(long, conflicts_with_all = ["kind", "keep", "target", "minimum", "at"])]
    remove: bool,
}

/// What may leave a child.
#[derive(Debug, Args)]
pub(crate) struct Quota {
    /// The link's id.
    id: String,
    /// The most of one payment.
    #[arg(long, value_name = "MINOR")]
    single: Option<i64>,
    /// The most of one accounting day.
    #[arg(long, value_name = "MINOR")]
    day: Option<i64>,
    /// The most of the accounting days of one month.
    #[arg(long, value_name = "MINOR")]
    month: Option<i64>,
    /// Take the quota away.
    #[arg(long, conflicts_with_all = ["single", "day", "month"])]
    remove: bool,
}

const LINK: [Field; 14] = [
    text("id"),
    text("parent"),
    text("child"),
    text("from"),
    text("until"),
    text("agreement"),
    text("status"),
    text("made/operator"),
    text("made/approver"),
    text("rule/kind"),
    text("rule/at"),
    text("rule/due"),
    text("quota_set/operator"),
    text("allowed_actions"),
];
const LINKS: [Field; 7] =
    [text("id"), text("parent"), text("child"), text("from"), text("until"), text("status"), text("rule/kind")];
const RUN: [Field; 6] =
    [text("id"), text("parent"), text("cause"), text("number"), text("date"), text("made/operator")];
const LINES: [Field; 5] = [text("child"), text("way"), money("amount"), text("voucher"), text("skipped")];

impl Tree {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id, date } => {
                let query = [("date", date.as_deref()), ("tree", Some("true"))];
                let roll_up = client.get(&target(&["v1", "accounts", id, "roll-up"], &query))?;
                let text = drawing(&roll_up);
                Ok(Answer::new(roll_up, text))
            }
            Self::Links { parent, child, status, page: wanted } => {
                let filters =
                    [("parent", parent.as_deref()), ("child", child.as_deref()), ("status", status.as_deref())];
                let links = client.get(&wanted.target(&["v1", "tree-links"], &filters))?;
                let text = page(&LINKS, &links, None);
                Ok(Answer::new(links, text))
            }
            Self::Link { parent, child } => {
                let body = json!({ "parent": parent, "child": child });
                Ok(link(client.post(&target(&["v1", "tree-links"], &[]), &body)?))
            }
            Self::Unlink { id } => Ok(link(client.post(&target(&["v1", "tree-links", id, "end"], &[]), &json!({}))?)),
            Self::Rule(rule) => rule.ask(client),
            Self::Quota(quota) => quota.ask(client),
            Self::Sweep { id, amount, keep } => {
                let body = said(&[("amount", *amount), ("keep", *keep)]);
                run(client, client.post(&target(&["v1", "tree-links", id, "sweep"], &[]), &body)?)
            }
            Self::Allocate { id, amount, target: to } => {
                let body = said(&[("amount", *amount), ("target", *to)]);
                run(client, client.post(&target(&["v1", "tree-links", id, "allocate"], &[]), &body)?)
            }
            Self::Run { id, number } => {
                let body = json!({ "number": number });
                run(client, client.post(&target(&["v1", "accounts", id, "tree-runs"], &[]), &body)?)
            }
            Self::Runs { parent, page: wanted } => {
                let runs = client.get(&wanted.target(&["v1", "tree-runs"], &[("parent", parent.as_deref())]))?;
                let text = page(&RUN, &runs, None);
                Ok(Answer::new(runs, text))
            }
        }
    }
}

impl Rule {
    fn ask(&self, client: &Client) -> Result<Answer> {
        let id = self.id.as_str();
        if self.remove {
            return Ok(link(client.post(&target(&["v1", "tree-links", id, "rule", "remove"], &[]), &json!({}))?));
        }
        let mut body = said(&[("keep", self.keep), ("target", self.target), ("minimum", self.minimum)]);
        for (name, value) in [("kind", &self.kind), ("at", &self.at)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        Ok(link(client.post(&target(&["v1", "tree-links", id, "rule"], &[]), &body)?))
    }
}

impl Quota {
    fn ask(&self, client: &Client) -> Result<Answer> {
        let id = self.id.as_str();
        if self.remove {
            return Ok(link(client.post(&target(&["v1", "tree-links", id, "quota", "remove"], &[]), &json!({}))?));
        }
        let body = said(&[("single", self.single), ("day", self.day), ("month", self.month)]);
        Ok(link(client.post(&target(&["v1", "tree-links", id, "quota"], &[]), &body)?))
    }
}

/// An object of what was said.
fn said(fields: &[(&str, Option<i64>)]) -> Value {
    fields.iter().filter_map(|(name, value)| Some(((*name).to_owned(), json!((*value)?)))).collect()
}

fn link(link: Value) -> Answer {
    let mut text = record(&LINK, &link);
    let quota = &link["quota"];
    if !quota.is_null() {
        let of = |name: &str| if quota[name].is_null() { "none".to_owned() } else { quota[name].to_string() };
        text.push_str(&format!(
            "quota in minor units: single {}, day {} (used {}), month {} (used {})\n",
            of("single"),
            of("day"),
            of("used_today"),
            of("month"),
            of("used_this_month")
        ));
    }
    Answer::new(link, text)
}

/// A run with its lines, in the currency of its parent: money moves between accounts of one currency only.
fn run(client: &Client, run: Value) -> Result<Answer> {
    let parent = run["parent"].as_str().unwrap_or_default();
    let account = client.get(&target(&["v1", "accounts", parent], &[]))?;
    let lines = table(&LINES, &run["lines"], account["currency"].as_str());
    let text = format!("{}\n{lines}", record(&RUN, &run));
    Ok(Answer::new(run, text))
}

/// The tree: each account with what it holds, and what it and all below it hold where that is more than itself.
fn drawing(roll_up: &Value) -> String {
    let nodes = roll_up["tree"].as_array().map_or(&[][..], Vec::as_slice);
    let depth = |at: usize| nodes.get(at).and_then(|node| node["depth"].as_u64()).unwrap_or_default();
    let mut out = match roll_up["date"].as_str() {
        Some(date) => format!("at the end of {date} ({})\n", roll_up["status"].as_str().unwrap_or_default()),
        None => String::from("now\n"),
    };
    for (at, node) in nodes.iter().enumerate() {
        // A line goes on below an account at each level at which another child of the same parent is still to come.
        let goes_on = |level: u64| {
            let later = (at + 1..nodes.len()).map(depth).find(|depth| *depth <= level);
            later == Some(level)
        };
        for level in 1..depth(at) {
            out.push_str(if goes_on(level) { "│  " } else { "   " });
        }
        if depth(at) > 0 {
            out.push_str(if goes_on(depth(at)) { "├─ " } else { "└─ " });
        }
        let own = &node["own"];
        out.push_str(&format!("{} {} {}", plain(&node["account"]), own["subject"], amount(own, "balance")));
        let sums = node["roll_up"].as_array().map_or(&[][..], Vec::as_slice);
        let has_children = depth(at + 1) > depth(at);
        if has_children {
            let sum = |sum: &Value| format!("{} {}", sum["subject"], amount(sum, "balance"));
            out.push_str(&format!("   Σ {}", sums.iter().map(sum).collect::<Vec<_>>().join(", ")));
        }
        for name in ["held", "frozen"] {
            if own[name].as_i64().is_some_and(|amount| amount != 0) {
                out.push_str(&format!("   {name} {}", amount(own, name)));
            }
        }
        out.push('\n');
    }
    out
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(account: &str, depth: u64, subject: u16, balance: i64, sums: &[(u16, i64)]) -> Value {
        let roll_up: Vec<_> = sums
            .iter()
            .map(|(subject, balance)| json!({"subject": subject, "currency": "CNY", "balance": balance}))
            .collect();
        let frozen = if account == "acc_4" { 50 } else { 0 };
        let own = json!({"subject": subject, "currency": "CNY", "balance": balance, "held": 7 * i64::from(depth == 3), "frozen": frozen});
        json!({"account": account, "depth": depth, "own": own, "roll_up": roll_up})
    }

    #[test]
    fn a_tree_is_drawn_with_the_roll_ups_of_those_that_have_children() {
        let tree = json!({"date": null, "status": "now", "tree": [
            node("acc_1", 0, 2206, 100_000, &[(2203, 7_000), (2206, 180_000)]),
            node("acc_2", 1, 2206, 50_000, &[(2203, 7_000), (2206, 50_000)]),
            node("acc_3", 2, 2203, 7_000, &[(2203, 7_000)]),
            node("acc_5", 3, 2203, 0, &[]),
            node("acc_4", 1, 2206, 30_000, &[(2206, 30_000)]),
        ]});
        assert_eq!(
            drawing(&tree),
            "now\n\
             acc_1 2206 1000.00 CNY   Σ 2203 70.00 CNY, 2206 1800.00 CNY\n\
             ├─ acc_2 2206 500.00 CNY   Σ 2203 70.00 CNY, 2206 500.00 CNY\n\
             │  └─ acc_3 2203 70.00 CNY   Σ 2203 70.00 CNY\n\
             │     └─ acc_5 2203 0.00 CNY   held 0.07 CNY\n\
             └─ acc_4 2206 300.00 CNY   frozen 0.50 CNY\n"
        );
        let past = json!({"date": "2026-03-05", "status": "closed", "tree": []});
        assert_eq!(drawing(&past), "at the end of 2026-03-05 (closed)\n");
    }

    #[test]
    fn only_what_was_said_is_sent() {
        assert_eq!(said(&[("amount", Some(5)), ("keep", None)]), json!({"amount": 5}));
    }
}
