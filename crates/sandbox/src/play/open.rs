//! Phase 1: customers, users, merchants and agreements. Everyone here is made up from the seedless series of their number.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::stage::{each, text};
use super::{Stage, Talk};

/// How many people pay.
const PAYERS: usize = 200;
/// How many landlords are paid.
const LANDLORDS: usize = 21;
/// How many branches there are.
const BRANCHES: usize = 3;
/// How many agents a branch has.
pub(super) const AGENTS: usize = 12;
/// How many customers are registered at once.
const BATCH: usize = 100;

/// A merchant as the player needs it.
#[derive(Debug, Clone)]
pub(super) struct Merchant {
    pub(super) id: String,
    /// 2202.
    pub(super) pending: String,
    /// 2203.
    pub(super) available: String,
}

/// A branch: its company and its agents.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) company: Merchant,
    pub(super) agents: Vec<Merchant>,
    /// The agreement account that holds earnest money.
    pub(super) earnest: String,
}

/// Everyone on stage.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    /// Users.
    pub(super) payers: Vec<String>,
    pub(super) landlords: Vec<Merchant>,
    pub(super) branches: Vec<Branch>,
}

impl Cast {
    /// Every merchant.
    pub(super) fn merchants(&self) -> impl Iterator<Item = &Merchant> {
        let branches = self.branches.iter().flat_map(|branch| std::iter::once(&branch.company).chain(&branch.agents));
        self.landlords.iter().chain(branches)
    }
}

/// Opens everyone.
pub(super) async fn open(stage: &Stage, talk: &mut Talk) -> Result<Cast> {
    let merchants = LANDLORDS + BRANCHES * (1 + AGENTS);
    let customers = register(stage, PAYERS + merchants).await?;
    let (payers, owners) = customers.split_at(PAYERS);
    let payers = each(payers.to_vec(), stage.concurrency, |at, customer| {
        let api = stage.operator.clone();
        async move {
            let body = json!({ "customer": customer, "product": "rent" });
            text(&api.post("/v1/users", &format!("user-{at}"), &body).await?.json()?, "id")
        }
    })
    .await?;
    let kinds = kinds();
    let opened =
        each(owners.iter().cloned().zip(kinds).collect(), stage.concurrency, |at, (customer, (kind, name))| {
            let api = stage.operator.clone();
            async move {
                let body = json!({
                    "customer": customer, "kind": kind, "name": name, "fee_rate": 2_000,
                    "settlement": { "account": format!("62220210{at:011}"), "holder": person_name(PAYERS + at) },
                });
                let answer = api.post("/v1/merchants", &format!("merchant-{at}"), &body).await?.json()?;
                merchant(&answer)
            }
        })
        .await?;
    let cast = cast(stage, payers, opened).await?;
    register_receivers(stage, &cast).await?;
    talk.phase(&format!(
        "1 opened {PAYERS} customers, {merchants} merchants ({LANDLORDS} landlords, {BRANCHES} branches of {AGENTS} agents)"
    ));
    Ok(cast)
}

fn merchant(answer: &Value) -> Result<Merchant> {
    Ok(Merchant { id: text(answer, "id")?, pending: text(answer, "pending")?, available: text(answer, "available")? })
}

fn kinds() -> Vec<(&'static str, String)> {
    let landlords = (1..=LANDLORDS).map(|number| ("landlord", format!("Landlord {number}")));
    let branches = (1..=BRANCHES).flat_map(|branch| {
        let agents = (1..=AGENTS).map(move |agent| ("agent", format!("Agent {branch}-{agent}")));
        std::iter::once(("agency", format!("Branch {branch}"))).chain(agents)
    });
    landlords.chain(branches).collect()
}

/// Registers made-up people; their ids.
pub(crate) async fn register(stage: &Stage, count: usize) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for first in (0..count).step_by(BATCH) {
        let customers: Vec<Value> = (first..count.min(first + BATCH)).map(person).collect();
        let body = json!({ "customers": customers });
        let answer = stage.done("/v1/customers/batch", &format!("customers-{first}"), body).await?;
        let data = answer.get("data").and_then(Value::as_array).context("an answer without 'data'")?;
        for customer in data {
            ids.push(text(customer, "id")?);
        }
    }
    Ok(ids)
}

/// The name of a made-up person.
pub(crate) fn person_name(number: usize) -> String {
    format!("客户{number}")
}

/// A made-up person; number and phone have the right form and belong to nobody.
fn person(number: usize) -> Value {
    json!({
        "kind": "person",
        "name": person_name(number),
        "certificate": { "type": "passport", "number": format!("E{number:08}") },
        "phone": format!("199{number:08}"),
    })
}

/// Each branch registers its agents: commissions are shared among three of them or more, so none has more than a third.
async fn register_receivers(stage: &Stage, cast: &Cast) -> Result<()> {
    let pairs = cast.branches.iter().flat_map(|branch| {
        branch.agents.iter().map(|agent| (branch.company.id.clone(), agent.id.clone())).collect::<Vec<_>>()
    });
    each(pairs.collect(), stage.concurrency, |at, (payee, receiver)| {
        let api = stage.operator.clone();
        async move {
            let body = json!({ "receiver": receiver, "relation": "agent", "max_share": 333_333 });
            api.post(&format!("/v1/merchants/{payee}/receivers"), &format!("receiver-{at}"), &body).await?.json()
        }
    })
    .await?;
    Ok(())
}

async fn cast(stage: &Stage, payers: Vec<String>, merchants: Vec<Merchant>) -> Result<Cast> {
    let mut merchants = merchants.into_iter();
    let landlords: Vec<Merchant> = merchants.by_ref().take(LANDLORDS).collect();
    let mut branches = Vec::new();
    for number in 1..=BRANCHES {
        let company = merchants.next().context("a branch has a company")?;
        let agents: Vec<Merchant> = merchants.by_ref().take(AGENTS).collect();
        let body = json!({
            "number": format!("EARNEST-{number}"), "party": company.id, "purpose": "earnest money of house sales",
            "book": "RESERVE", "currency": "CNY", "receivers": [company.pending],
        });
        let agreement = stage.done("/v1/agreements", &format!("agreement-{number}"), body).await?;
        branches.push(Branch { company, agents, earnest: text(&agreement, "account")? });
    }
    Ok(Cast { payers, landlords, branches })
}
