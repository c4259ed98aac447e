//! People of the institution: each with a key and one-time codes of its own.

use std::cell::Cell;

use ark::{MacKey, TotpSecret};
use serde_json::{Value, json};

use crate::client::{Answer, Client, now};
use crate::open::text;
use crate::server::Server;

/// An operator who has enrolled its one-time codes.
pub(crate) struct Person {
    pub(crate) client: Client,
    secret: TotpSecret,
    /// The step of its last code.
    used: Cell<u64>,
}

/// Two administrators, who registered two accountants.
pub(crate) struct Staff {
    pub(crate) first: Person,
    pub(crate) second: Person,
    pub(crate) maker: Person,
    pub(crate) checker: Person,
}

/// The client of an operator, with the key that the command line prints.
pub(crate) fn client_of(server: &Server, id: &str) -> Client {
    let output = server.lintel(&["key", id]);
    assert!(output.status.success(), "{output:?}");
    let key = MacKey::from_hex(String::from_utf8(output.stdout).unwrap().trim()).unwrap();
    Client::new(server.address(), id, key)
}

impl Person {
    /// Its first act: it enrols its codes.
    pub(crate) fn enrol(server: &Server, id: &str) -> Self {
        let client = client_of(server, id);
        let made = client.post(&format!("/v1/operators/{id}/totp"), &json!({})).ok();
        Self { client, secret: TotpSecret::from_uri(&text(&made, "/uri")).unwrap(), used: Cell::new(0) }
    }

    /// The same person at a server that started again.
    pub(crate) fn at(self, server: &Server, id: &str) -> Self {
        Self { client: client_of(server, id), ..self }
    }

    /// A code that it did not use yet: of now or the next step, so a test takes at most two of a person. (The step before
    /// would be taken too, unless the clock moves on before the server looks.)
    pub(crate) fn code(&self) -> String {
        let step = (now() / ark::totp::STEP_SECONDS).max(self.used.get() + 1);
        self.used.set(step);
        self.secret.code(step)
    }

    /// The code that it used last.
    pub(crate) fn code_again(&self) -> String {
        self.secret.code(self.used.get())
    }

    /// Six digits that are no code of these minutes.
    pub(crate) fn wrong_code(&self) -> String {
        let step = now() / ark::totp::STEP_SECONDS;
        let near: Vec<String> = (step - 3..=step + 3).map(|step| self.secret.code(step)).collect();
        (0..).map(|guess| format!("{guess:06}")).find(|guess| !near.contains(guess)).unwrap()
    }

    pub(crate) fn propose(&self, proposal: &Value) -> Answer {
        self.client.post("/v1/approvals", &json!({"proposal": proposal, "reason": "as agreed"}))
    }

    /// Proposes with the evidence that manual vouchers need.
    pub(crate) fn propose_shown(&self, proposal: &Value) -> Answer {
        let evidence = json!({"name": "statement.pdf", "algorithm": "SM3", "digest": "66".repeat(32)});
        self.client.post("/v1/approvals", &json!({"proposal": proposal, "reason": "as agreed", "evidence": evidence}))
    }

    /// Approves with a code that is right.
    pub(crate) fn approve(&self, approval: &str) -> Answer {
        self.approve_by(approval, &self.code())
    }

    pub(crate) fn approve_by(&self, approval: &str, code: &str) -> Answer {
        self.client.post(&format!("/v1/approvals/{approval}/approve"), &json!({"totp": code}))
    }
}

impl Staff {
    /// Registers them: the first two by the institution's programs, the others by the first two.
    pub(crate) fn hire(server: &Server) -> Self {
        let programs = server.operator();
        for login in ["admin.one", "admin.two"] {
            programs.post("/v1/operators", &json!({"login": login, "roles": ["administrator"]})).ok();
        }
        let [first, second] = ["opr_1", "opr_2"].map(|id| Person::enrol(server, id));
        for (login, id, by, of) in [("maker", "opr_3", &first, &second), ("checker", "opr_4", &second, &first)] {
            let register = json!({"kind": "operator", "action": "register", "login": login, "roles": ["accountant"]});
            let proposed = by.propose(&register).ok();
            let approved = of.approve(&text(&proposed, "/id")).ok();
            assert_eq!(text(&approved, "/outcome"), id);
        }
        let [maker, checker] = ["opr_3", "opr_4"].map(|id| Person::enrol(server, id));
        Self { first, second, maker, checker }
    }

    /// Has the accountants decide on it: what came of it.
    #[track_caller]
    pub(crate) fn decided(&self, proposal: &Value) -> String {
        let proposed = self.maker.propose_shown(proposal).ok();
        text(&self.checker.approve(&text(&proposed, "/id")).ok(), "/outcome")
    }
}
