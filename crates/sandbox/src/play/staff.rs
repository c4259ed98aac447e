//! People of the institution: administrators, and those they register by two, each with a key and one-time codes of its own.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use ark::TotpSecret;
use serde_json::{Value, json};

use super::Stage;
use super::stage::text;
use crate::api::Api;

/// An operator with its key and its codes.
pub(super) struct Person {
    /// It signs with its own key.
    pub(super) api: Api,
    secret: TotpSecret,
    /// The last step whose code was used; a code is used once.
    used: u64,
}

/// Everyone, by login.
pub(super) struct Staff {
    people: BTreeMap<&'static str, Person>,
}

impl Person {
    /// Its first act: it enrols its codes.
    async fn enrol(stage: &Stage, id: &str) -> Result<Self> {
        let api = stage.caller(id)?;
        let made = api.post(&format!("/v1/operators/{id}/totp"), &format!("totp-{id}"), &json!({})).await?.json()?;
        let secret = TotpSecret::from_uri(&text(&made, "uri")?).context("the platform's link holds no secret")?;
        Ok(Self { api, secret, used: 0 })
    }

    /// A code of its own that was not used yet: of the step before, now or the next one, which is what the platform takes.
    fn code(&mut self) -> String {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let step = (seconds / ark::totp::STEP_SECONDS).max(self.used + 1);
        self.used = step;
        self.secret.code(step)
    }
}

impl Staff {
    /// Registers two administrators, and by them two officers who decide on freezes.
    pub(super) async fn hire(stage: &Stage) -> Result<Self> {
        let mut staff = Self { people: BTreeMap::new() };
        for login in ["admin.one", "admin.two"] {
            let body = json!({ "login": login, "roles": ["administrator"] });
            let id = text(&stage.done("/v1/operators", &format!("hire-{login}"), body).await?, "id")?;
            staff.people.insert(login, Person::enrol(stage, &id).await?);
        }
        for (login, maker, checker) in [("risk.one", "admin.one", "admin.two"), ("risk.two", "admin.two", "admin.one")]
        {
            let proposal = json!({ "kind": "operator", "action": "register", "login": login, "roles": ["risk"] });
            let body = json!({ "proposal": proposal, "reason": "an officer for freezes" });
            let proposed =
                staff.person(maker)?.api.post("/v1/approvals", &format!("hire-{login}"), &body).await?.json()?;
            let id = staff.approve(checker, &proposed).await?;
            staff.people.insert(login, Person::enrol(stage, &id).await?);
        }
        Ok(staff)
    }

    /// One of them.
    pub(super) fn person(&self, login: &str) -> Result<&Person> {
        self.people.get(login).with_context(|| format!("nobody is called {login}"))
    }

    /// Has a proposal approved; the id of what came of it.
    pub(super) async fn approve(&mut self, login: &str, proposed: &Value) -> Result<String> {
        let approval = text(proposed, "id")?;
        let person = self.people.get_mut(login).with_context(|| format!("nobody is called {login}"))?;
        let body = json!({ "totp": person.code() });
        let path = format!("/v1/approvals/{approval}/approve");
        let approved = person.api.post(&path, &format!("approve-{approval}"), &body).await?.json()?;
        text(&approved, "outcome")
    }
}
