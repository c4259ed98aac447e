//! Operators of each role, and what two of them decide.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;

use super::Kit;
use crate::approval::{ApprovalCommand, Evidence, Proposal, Propose};
use crate::command::{Command, Reply};
use crate::ids::{ApprovalId, OperatorId};
use crate::operator::{OperatorCommand, Role};
use crate::refusal::{Refusal, RefusalCode};

impl Kit {
    /// Two operators of each role but the auditor: `administrator-1`, `administrator-2`, `accountant-1`, …
    pub(crate) fn people(&mut self) {
        for role in [Role::Administrator, Role::Accountant, Role::Treasurer, Role::Risk] {
            for number in 1..=2 {
                let login = format!("{}-{number}", role.name());
                let register = OperatorCommand::Register { login, roles: vec![role] };
                if self.state.administrators() < 2 {
                    self.given(Command::Operator(register));
                } else {
                    self.decided("administrator", Proposal::Operator(register));
                }
            }
        }
    }

    /// The operator of a login.
    #[track_caller]
    pub(crate) fn operator(&self, login: &str) -> OperatorId {
        *self.state.operator_logins.get(login).expect("the operator is registered")
    }

    /// Tries to propose.
    pub(crate) fn when_proposed(&mut self, maker: &str, proposal: Proposal) -> Result<Reply, Refusal> {
        self.when_proposed_with(maker, proposal, None)
    }

    /// Tries to propose with evidence.
    pub(crate) fn when_proposed_with(
        &mut self,
        maker: &str,
        proposal: Proposal,
        evidence: Option<Evidence>,
    ) -> Result<Reply, Refusal> {
        let propose = Propose { proposal, reason: String::from("as agreed"), evidence };
        self.when_by(maker, Command::Approval(ApprovalCommand::Propose(Box::new(propose))))
    }

    /// Proposes.
    #[track_caller]
    pub(crate) fn proposed(&mut self, maker: &str, proposal: Proposal) -> ApprovalId {
        match self.when_proposed(maker, proposal) {
            Ok(Reply::Approval(id)) => id,
            other => panic!("{other:?} in place of an approval"),
        }
    }

    /// Tries to approve with a fresh one-time code.
    pub(crate) fn when_checked(&mut self, checker: &str, approval: ApprovalId) -> Result<Reply, Refusal> {
        let operator = self.state.operator_logins.get(checker).and_then(|id| self.state.operators.get(id.0));
        let totp_step = operator.map_or(1, |operator| operator.last_totp_step + 1);
        self.when_by(checker, Command::Approval(ApprovalCommand::Approve { approval, totp_step, remark: None }))
    }

    /// Approves.
    #[track_caller]
    pub(crate) fn checked(&mut self, checker: &str, approval: ApprovalId) {
        self.when_checked(checker, approval).unwrap_or_else(|refusal| panic!("{refusal} for {approval}"));
    }

    /// The first of a role proposes and the second approves; gives what came of it.
    #[track_caller]
    pub(crate) fn decided(&mut self, role: &str, proposal: Proposal) -> Reply {
        let id = self.proposed(&format!("{role}-1"), proposal);
        self.checked(&format!("{role}-2"), id);
        self.state.approval(id).expect("it was proposed").outcome.clone().expect("it was carried out")
    }

    /// Asserts the code of a refusal.
    #[track_caller]
    pub(crate) fn code(result: Result<Reply, Refusal>) -> RefusalCode {
        match result {
            Ok(reply) => panic!("{reply:?} in place of a refusal"),
            Err(refusal) => refusal.code,
        }
    }

    /// A command in the name of an operator that must be refused with this code.
    #[track_caller]
    pub(crate) fn refused_by(&mut self, login: &str, command: Command, code: RefusalCode) {
        let what = format!("{command:?}");
        let found = Self::code(self.when_by(login, command));
        assert_eq!(found, code, "for {what}");
    }
}
