//! People of the institution: administrators, and those they register by two, each with a key and one-time codes of its own.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Stage;
use super::stage::text;
use crate::person::Person;

/// Everyone, by login.
pub(super) struct Staff {
    people: BTreeMap<&'static str, Person>,
}

impl Staff {
    /// Registers two administrators, and by them two officers who decide on freezes.
    pub(super) async fn hire(stage: &Stage) -> Result<Self> {
        let mut staff = Self { people: BTreeMap::new() };
        for login in ["admin.one", "admin.two"] {
            let body = json!({ "login": login, "roles": ["administrator"] });
            let id = text(&stage.done("/v1/operators", &format!("hire-{login}"), body).await?, "id")?;
            staff.people.insert(login, Person::enrol(stage.caller(&id)?, &id).await?);
        }
        for (login, maker, checker) in [("risk.one", "admin.one", "admin.two"), ("risk.two", "admin.two", "admin.one")]
        {
            let proposal = json!({ "kind": "operator", "action": "register", "login": login, "roles": ["risk"] });
            let maker = staff.person(maker)?;
            let proposed = maker.propose(&format!("hire-{login}"), &proposal, "an officer for freezes").await?;
            let id = staff.approve(checker, &proposed).await?;
            staff.people.insert(login, Person::enrol(stage.caller(&id)?, &id).await?);
        }
        Ok(staff)
    }

    /// The two administrators, who have hired whom they were to hire.
    pub(super) fn administrators(&mut self) -> Result<[Person; 2]> {
        let mut take = |login| self.people.remove(login).with_context(|| format!("{login} is elsewhere"));
        Ok([take("admin.one")?, take("admin.two")?])
    }

    /// One of them.
    pub(super) fn person(&self, login: &str) -> Result<&Person> {
        self.people.get(login).with_context(|| format!("nobody is called {login}"))
    }

    /// Has a proposal approved; the id of what came of it.
    pub(super) async fn approve(&mut self, login: &str, proposed: &Value) -> Result<String> {
        let person = self.people.get_mut(login).with_context(|| format!("nobody is called {login}"))?;
        person.approve(proposed).await
    }

    /// Has a proposal approved of which no object comes.
    pub(super) async fn decide(&mut self, login: &str, proposed: &Value) -> Result<Value> {
        let person = self.people.get_mut(login).with_context(|| format!("nobody is called {login}"))?;
        person.decide(proposed).await
    }
}
