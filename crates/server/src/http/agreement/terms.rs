//! What agreements say beside their receivers, on the wire: conditions with their evidence, payment rules, the end, what
//! was amended.

use domain::agreement::{
    Agreement, AgreementChange, AmendAgreement, Amendment, Closing, Condition, ConditionKind, Evidence, Rule, RuleTerms,
};
use domain::calendar::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::approval::Wire;
use crate::http::error::ApiError;
use crate::http::wire::{Amount, date_text, digest, owner, owner_text, parse, parse_some, time_text};

/// What has to be shown before money leaves.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireCondition {
    /// `title_transfer`, `mortgage_released`, `tax_paid`, `loan_paid_out`, `parties_confirm`, `government_order`,
    /// `date_reached` or `other`.
    #[schema(example = "title_transfer")]
    kind: String,
    /// Who has to confirm, each once; of `parties_confirm` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    parties: Option<Vec<String>>,
    /// The day in Shanghai; of `date_reached` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// What it is; of `other` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl WireCondition {
    fn kind(&self) -> Result<ConditionKind, ApiError> {
        let Self { kind, parties, date, name } = self;
        let kind = match (kind.as_str(), parties, date, name) {
            ("title_transfer", None, None, None) => ConditionKind::TitleTransfer,
            ("mortgage_released", None, None, None) => ConditionKind::MortgageReleased,
            ("tax_paid", None, None, None) => ConditionKind::TaxPaid,
            ("loan_paid_out", None, None, None) => ConditionKind::LoanPaidOut,
            ("government_order", None, None, None) => ConditionKind::GovernmentOrder,
            ("parties_confirm", Some(parties), None, None) => {
                let parties = parties.iter().map(|text| owner(text, "parties"));
                ConditionKind::PartiesConfirm(parties.collect::<Result<_, _>>()?)
            }
            ("date_reached", None, Some(date), None) => ConditionKind::DateReached(parse(date, "date")?),
            ("other", None, None, Some(name)) => ConditionKind::Other(name.clone()),
            (text, ..) => {
                let message = format!(
                    "'{text:.64}' is no kind of condition, or has not what is its own: parties_confirm has parties, \
                     date_reached a date, other a name; title_transfer, mortgage_released, tax_paid, loan_paid_out and \
                     government_order have none of these"
                );
                return Err(ApiError::malformed("kind", message));
            }
        };
        Ok(kind)
    }

    fn of(kind: &ConditionKind) -> Self {
        let (parties, date, name) = match kind {
            ConditionKind::PartiesConfirm(parties) => {
                (Some(parties.iter().map(|party| owner_text(*party)).collect()), None, None)
            }
            ConditionKind::DateReached(date) => (None, Some(date_text(*date)), None),
            ConditionKind::Other(name) => (None, None, Some(name.clone())),
            ConditionKind::TitleTransfer
            | ConditionKind::MortgageReleased
            | ConditionKind::TaxPaid
            | ConditionKind::LoanPaidOut
            | ConditionKind::GovernmentOrder => (None, None, None),
        };
        Self { kind: kind.name().to_owned(), parties, date, name }
    }
}

/// Reads conditions; an error names which.
pub(super) fn conditions(wire: &[WireCondition]) -> Result<Vec<ConditionKind>, ApiError> {
    let kind = |(at, condition): (usize, &WireCondition)| {
        condition.kind().map_err(|error| error.within(&format!("conditions[{at}]")))
    };
    wire.iter().enumerate().map(kind).collect()
}

/// A payment rule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireRule {
    /// Who is paid: one of the agreement's receivers.
    #[schema(example = "acc_43")]
    receiver: String,
    /// What for.
    #[schema(example = "price of the home")]
    purpose: String,
    /// Minor units it pays in all, at most; as much as there is unless said.
    cap: Option<Amount>,
    /// The numbers of the conditions it needs, all of them.
    #[serde(default)]
    #[schema(example = json!([1]))]
    conditions: Vec<u16>,
    /// The first day in Shanghai on which it pays.
    #[schema(example = "2026-03-09")]
    not_before: Option<String>,
}

impl WireRule {
    fn terms(&self) -> Result<RuleTerms, ApiError> {
        Ok(RuleTerms {
            receiver: parse(&self.receiver, "receiver")?,
            purpose: self.purpose.clone(),
            cap: self.cap.map(|cap| cap.0),
            conditions: self.conditions.clone(),
            not_before: parse_some(self.not_before.as_deref(), "not_before")?,
        })
    }

    fn of(terms: &RuleTerms) -> Self {
        Self {
            receiver: terms.receiver.to_string(),
            purpose: terms.purpose.clone(),
            cap: terms.cap.map(Amount),
            conditions: terms.conditions.clone(),
            not_before: terms.not_before.map(date_text),
        }
    }
}

/// Reads rules; an error names which.
pub(super) fn rules(wire: &[WireRule]) -> Result<Vec<RuleTerms>, ApiError> {
    let terms = |(at, rule): (usize, &WireRule)| rule.terms().map_err(|error| error.within(&format!("rules[{at}]")));
    wire.iter().enumerate().map(terms).collect()
}

/// What happens with the rest.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireClosing {
    /// The account of the party that gets it: one of the receivers.
    #[schema(example = "acc_42")]
    rest_to: String,
    /// The last day in Shanghai on which anything else is paid.
    #[schema(example = "2026-09-30")]
    ends_on: Option<String>,
}

impl WireClosing {
    /// What it stands for.
    pub(super) fn closing(&self) -> Result<Closing, ApiError> {
        let rest_to = parse(&self.rest_to, "rest_to").map_err(|error| error.within("closing"))?;
        let ends_on = parse_some(self.ends_on.as_deref(), "ends_on").map_err(|error| error.within("closing"))?;
        Ok(Closing { rest_to, ends_on })
    }
}

/// What happens with the rest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClosingView {
    #[schema(example = "acc_42")]
    rest_to: String,
    #[schema(example = "2026-09-30")]
    ends_on: Option<String>,
}

impl ClosingView {
    /// As callers see it.
    pub(super) fn of(closing: Closing) -> Self {
        Self { rest_to: closing.rest_to.to_string(), ends_on: closing.ends_on.map(date_text) }
    }
}

/// A condition and what was shown for it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConditionView {
    #[schema(example = 1)]
    number: u16,
    #[serde(flatten)]
    condition: WireCondition,
    fulfilled: bool,
    evidence: Vec<EvidenceView>,
}

impl ConditionView {
    /// As callers see it on a day.
    pub(super) fn of(condition: &Condition, today: Date) -> Self {
        Self {
            number: condition.number,
            condition: WireCondition::of(&condition.kind),
            fulfilled: condition.is_fulfilled(today),
            evidence: condition.evidence.iter().map(EvidenceView::of).collect(),
        }
    }
}

/// A document that fulfils a condition, or a party's share of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvidenceView {
    /// Its SHA-256.
    document: String,
    said_by: String,
    /// The party that confirmed.
    party: Option<String>,
    /// Who took it in.
    operator: String,
    approver: Option<String>,
    at: String,
}

impl EvidenceView {
    fn of(evidence: &Evidence) -> Self {
        Self {
            document: hex::encode(*evidence.document),
            said_by: evidence.said_by.clone(),
            party: evidence.party.map(owner_text),
            operator: evidence.operator.clone(),
            approver: evidence.approver.clone(),
            at: time_text(evidence.at),
        }
    }
}

/// A payment rule and what it has paid.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgreementRuleView)]
pub(crate) struct RuleView {
    #[schema(example = 1)]
    number: u16,
    #[serde(flatten)]
    rule: WireRule,
    paid: Amount,
    payments: u32,
    /// Ended by an amendment.
    ended: bool,
    /// Why it does not pay today; null if it does.
    waits: Option<String>,
}

impl RuleView {
    /// As callers see it on a day.
    pub(super) fn of(agreement: &Agreement, rule: &Rule, today: Date) -> Self {
        Self {
            number: rule.number,
            rule: WireRule::of(&rule.terms),
            paid: Amount(rule.paid),
            payments: rule.payments,
            ended: rule.ended,
            waits: rule.ready(agreement, today).err().map(|refusal| refusal.message),
        }
    }
}

/// What was changed after an agreement's birth.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AmendmentView {
    #[schema(example = 1)]
    number: u16,
    /// The SHA-256 of its document.
    document: String,
    changes: Vec<WireChange>,
    /// Who proposed it.
    operator: String,
    /// Who approved it.
    approver: Option<String>,
    at: String,
}

impl AmendmentView {
    /// As callers see it.
    pub(super) fn of(amendment: &Amendment) -> Self {
        Self {
            number: amendment.number,
            document: hex::encode(*amendment.document),
            changes: amendment.changes.iter().map(WireChange::of).collect(),
            operator: amendment.operator.clone(),
            approver: amendment.approver.clone(),
            at: time_text(amendment.at),
        }
    }
}

/// One change of an agreement.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WireChange {
    /// Another account may receive.
    AddReceiver { receiver: String },
    /// Another condition, under the next number.
    AddCondition { condition: WireCondition },
    /// Another rule, under the next number.
    AddRule { rule: WireRule },
    /// A rule says something else from then on.
    ChangeRule { number: u16, rule: WireRule },
    /// A rule pays no more.
    EndRule { number: u16 },
}

impl WireChange {
    fn read(&self) -> Result<AgreementChange, ApiError> {
        Ok(match self {
            Self::AddReceiver { receiver } => AgreementChange::AddReceiver(parse(receiver, "receiver")?),
            Self::AddCondition { condition } => AgreementChange::AddCondition(condition.kind()?),
            Self::AddRule { rule } => AgreementChange::AddRule(rule.terms()?),
            Self::ChangeRule { number, rule } => AgreementChange::ChangeRule { rule: *number, terms: rule.terms()? },
            Self::EndRule { number } => AgreementChange::EndRule(*number),
        })
    }

    fn of(change: &AgreementChange) -> Self {
        match change {
            AgreementChange::AddReceiver(account) => Self::AddReceiver { receiver: account.to_string() },
            AgreementChange::AddCondition(kind) => Self::AddCondition { condition: WireCondition::of(kind) },
            AgreementChange::AddRule(terms) => Self::AddRule { rule: WireRule::of(terms) },
            AgreementChange::ChangeRule { rule, terms } => {
                Self::ChangeRule { number: *rule, rule: WireRule::of(terms) }
            }
            AgreementChange::EndRule(rule) => Self::EndRule { number: *rule },
        }
    }
}

/// What to amend, as two people decide it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmendmentBody {
    /// The agreement.
    #[schema(example = "agr_3")]
    agreement: String,
    /// The SHA-256 of the amendment's document.
    document: String,
    /// What changes, in this order; all of it or nothing.
    changes: Vec<WireChange>,
}

impl Wire for AmendmentBody {
    type Of = AmendAgreement;

    fn read(self) -> Result<AmendAgreement, ApiError> {
        let change =
            |(at, change): (usize, &WireChange)| change.read().map_err(|error| error.within(&format!("changes[{at}]")));
        Ok(AmendAgreement {
            agreement: parse(&self.agreement, "agreement")?,
            document: digest(&self.document, "document")?,
            changes: self.changes.iter().enumerate().map(change).collect::<Result<_, _>>()?,
        })
    }

    fn show(of: &AmendAgreement) -> Self {
        let AmendAgreement { agreement, document, changes } = of;
        Self {
            agreement: agreement.to_string(),
            document: hex::encode(**document),
            changes: changes.iter().map(WireChange::of).collect(),
        }
    }
}
