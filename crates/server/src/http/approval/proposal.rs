//! What can be proposed, on the wire: a line a kind, named as the domain names it. The body of a kind lies with its feature.

use domain::approval::Proposal;
use domain::freeze::ReleaseFreeze;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::manual_voucher::{AdjustmentBody, ManualVoucherBody, TemplateChange};
use crate::http::operator::OperatorChange;
use crate::http::suspense::AllocationBody;
use crate::http::waiver::WaiverBody;
use crate::http::wire::{Amount, parse};

/// The body of a kind of proposal: it is sent and shown in the same form.
pub(crate) trait Wire: Sized {
    /// What the domain knows it as.
    type Of;

    /// Reads what was sent.
    fn read(self) -> Result<Self::Of, ApiError>;

    /// Shows what is proposed.
    fn show(of: &Self::Of) -> Self;
}

macro_rules! kinds {
    ($($name:ident($body:ty) $text:literal)*) => {
        /// What two people decide on: `kind` and what that kind needs.
        #[derive(Debug, Serialize, Deserialize, ToSchema)]
        #[serde(tag = "kind")]
        pub(crate) enum WireProposal {
            $(#[doc = $text] #[serde(rename = $text)] $name($body),)*
        }

        impl WireProposal {
            pub(crate) fn read(self) -> Result<Proposal, ApiError> {
                Ok(match self { $(Self::$name(body) => Proposal::$name(body.read()?),)* })
            }

            pub(crate) fn show(proposal: &Proposal) -> Self {
                match proposal { $(Proposal::$name(of) => Self::$name(<$body>::show(of)),)* }
            }
        }

        #[cfg(test)]
        const KINDS: &[&str] = &[$($text,)*];
    };
}

kinds! {
    Operator(OperatorChange) "operator"
    VoucherTemplate(TemplateChange) "voucher_template"
    ManualVoucher(ManualVoucherBody) "manual_voucher"
    Adjustment(AdjustmentBody) "adjustment"
    SuspenseAllocation(AllocationBody) "suspense_allocation"
    CheckWaiver(WaiverBody) "check_waiver"
    ReleaseFreeze(FreezeRelease) "release_freeze"
}

/// What of a freeze to release.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeRelease {
    /// The freeze.
    #[schema(example = "frz_2")]
    freeze: String,
    /// Who orders the release: the authority that froze.
    authority: String,
    /// All that is still frozen unless said.
    amount: Option<Amount>,
}

impl Wire for FreezeRelease {
    type Of = ReleaseFreeze;

    fn read(self) -> Result<ReleaseFreeze, ApiError> {
        let freeze = parse(&self.freeze, "freeze")?;
        Ok(ReleaseFreeze { freeze, authority: self.authority, amount: self.amount.map(|amount| amount.0) })
    }

    fn show(of: &ReleaseFreeze) -> Self {
        let (freeze, authority) = (of.freeze.to_string(), of.authority.clone());
        Self { freeze, authority, amount: of.amount.map(Amount) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A body of each kind, as it is sent and shown.
    fn bodies() -> Vec<Value> {
        let entries = json!([
            {"account": "acc_1", "side": "debit", "amount": 5, "currency": "CNY"},
            {"account": "acc_2", "side": "credit", "amount": 5, "currency": "CNY"},
        ]);
        let voucher = json!({"template": "gift", "entries": entries, "contra_of": "vch_9",
            "dimensions": {"product": "rent", "merchant": "mch_3", "clearing_date": "2026-03-05"}});
        let mut adjustment = voucher.clone();
        adjustment["date"] = json!("2026-03-05");
        [
            ("operator", json!({"action": "register", "login": "li.wei", "roles": ["administrator", "auditor"]})),
            ("operator", json!({"action": "change_roles", "operator": "opr_2", "roles": ["risk"]})),
            ("operator", json!({"action": "suspend", "operator": "opr_2"})),
            ("operator", json!({"action": "resume", "operator": "opr_2"})),
            ("operator", json!({"action": "renew_totp", "operator": "opr_2"})),
            (
                "voucher_template",
                json!({"action": "set", "code": "gift", "title": "Gifts", "event": "manual_voucher",
                    "lines": [{"subject": 1121, "side": "debit"}, {"subject": 2201, "side": "credit"}]}),
            ),
            ("voucher_template", json!({"action": "retire", "template": "tpl_4"})),
            ("manual_voucher", voucher),
            ("adjustment", adjustment),
            ("suspense_allocation", json!({"item": "sus_3", "to": "acc_7", "amount": 40})),
            ("check_waiver", json!({"date": "2026-03-05", "position": 1042, "checks": ["cover"]})),
            ("release_freeze", json!({"freeze": "frz_2", "authority": "court", "amount": 8})),
        ]
        .into_iter()
        .map(|(kind, mut body)| {
            body["kind"] = json!(kind);
            body
        })
        .collect()
    }

    /// What is said, without what is left out.
    fn said(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                map.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, said(value))).collect()
            }
            Value::Array(list) => list.into_iter().map(said).collect(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
        }
    }

    #[test]
    fn what_is_sent_is_shown_as_it_was_sent() {
        for body in bodies() {
            let wire: WireProposal =
                serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{error}: {body}"));
            let proposal = wire.read().unwrap_or_else(|error| panic!("{error:?}: {body}"));
            assert_eq!(proposal.kind(), body["kind"]);
            assert_eq!(said(serde_json::to_value(WireProposal::show(&proposal)).unwrap()), body);
        }
    }

    #[test]
    fn every_kind_of_the_domain_has_its_body() {
        let mut bodies: Vec<_> = bodies().iter().map(|body| body["kind"].as_str().unwrap().to_owned()).collect();
        bodies.dedup();
        assert_eq!(KINDS, Proposal::KINDS);
        assert_eq!(bodies, KINDS);
    }

    #[test]
    fn a_field_too_many_is_refused_in_every_kind() {
        for mut body in bodies() {
            body["extra"] = json!(1);
            let error = serde_json::from_value::<WireProposal>(body.clone()).map(|_| body).unwrap_err();
            assert!(error.to_string().contains("extra"), "{error}");
        }
    }
}
