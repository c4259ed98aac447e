//! What can be proposed, on the wire: a line a kind, named as the domain names it. The body of a kind lies with its feature.

use domain::approval::Proposal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::advance::AdvancePolicyBody;
use crate::http::agreement::terms::AmendmentBody;
use crate::http::arrears::CoveredRefundBody;
use crate::http::block_list::RemovalBody;
use crate::http::calendar::CalendarBody;
use crate::http::card_fee::CardFeeChange;
use crate::http::card_transaction::CreditAdjustmentBody;
use crate::http::clearing::difference::DifferenceSettlementBody;
use crate::http::conversion::ReversalBody;
use crate::http::error::ApiError;
use crate::http::exchange_rate::ExchangeRateBody;
use crate::http::fee_plan::FeePlanBody;
use crate::http::freeze::proposal::{DeductionBody, ReleaseBody};
use crate::http::limit::LimitPolicyBody;
use crate::http::manual_voucher::{AdjustmentBody, ManualVoucherBody, TemplateChange};
use crate::http::operator::OperatorChange;
use crate::http::outflow::{OutflowBoundBody, ResumptionBody};
use crate::http::own_transfer::InstructionBody;
use crate::http::site_weight::SiteWeightsBody;
use crate::http::split_plan::SplitPlanBody;
use crate::http::suspense::AllocationBody;
use crate::http::task::TaskSettlementBody;
use crate::http::tree::LinkBody;
use crate::http::waiver::WaiverBody;

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
    SettleTask(TaskSettlementBody) "settle_task"
    SettleDifference(DifferenceSettlementBody) "settle_difference"
    ReleaseFreeze(ReleaseBody) "release_freeze"
    DeductFreeze(DeductionBody) "deduct_freeze"
    LinkAccounts(LinkBody) "link_accounts"
    AmendAgreement(AmendmentBody) "amend_agreement"
    SetExchangeRate(ExchangeRateBody) "set_exchange_rate"
    ReverseConversion(ReversalBody) "reverse_conversion"
    SweepIncome(InstructionBody) "sweep_income"
    InjectOwn(InstructionBody) "inject_own_money"
    CoverRefund(CoveredRefundBody) "cover_refund"
    AdvancePolicy(AdvancePolicyBody) "advance_policy"
    LimitPolicy(LimitPolicyBody) "limit_policy"
    RemoveBlock(RemovalBody) "remove_block"
    SiteWeights(SiteWeightsBody) "site_weights"
    OutflowBound(OutflowBoundBody) "outflow_bound"
    ResumeOutflow(ResumptionBody) "resume_outflow"
    Calendar(CalendarBody) "calendar"
    CardFee(CardFeeChange) "card_fee"
    CreditAdjustment(CreditAdjustmentBody) "credit_adjustment"
    FeePlan(FeePlanBody) "fee_plan"
    SplitPlan(SplitPlanBody) "split_plan"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Bodies of people, vouchers, suspense and days.
    fn bodies_of_books() -> Vec<(&'static str, Value)> {
        let entries = json!([
            {"account": "acc_1", "side": "debit", "amount": 5, "currency": "CNY"},
            {"account": "acc_2", "side": "credit", "amount": 5, "currency": "CNY"},
        ]);
        let voucher = json!({"template": "gift", "entries": entries, "contra_of": "vch_9",
            "dimensions": {"product": "rent", "merchant": "mch_3", "clearing_date": "2026-03-05"}});
        let mut adjustment = voucher.clone();
        adjustment["date"] = json!("2026-03-05");
        vec![
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
            ("manual_voucher", voucher.clone()),
            ("adjustment", adjustment),
            ("suspense_allocation", json!({"item": "sus_3", "to": "acc_7", "amount": 40})),
            (
                "suspense_allocation",
                json!({"item": "sus_3", "to": "acc_7", "clearing": {"rail": "epcc", "date": "2026-03-05"}}),
            ),
            ("check_waiver", json!({"date": "2026-03-05", "position": 1042, "checks": ["cover"]})),
            ("settle_task", json!({"task": "leg_9", "voucher": voucher})),
            ("settle_task", json!({"task": "rfd_3", "amount": 500})),
            ("settle_difference", json!({"difference": "clr_3_17", "accepted": true, "voucher": voucher})),
            ("settle_difference", json!({"difference": "clr_3_1", "accepted": false})),
        ]
    }

    /// Bodies of freezes, trees, agreements, currencies, own money, limits and block lists.
    fn bodies_of_money() -> Vec<(&'static str, Value)> {
        let rule = json!({"receiver": "acc_7", "purpose": "price", "cap": 900, "conditions": [1],
            "not_before": "2026-03-09"});
        let changes = json!([
            {"change": "add_receiver", "receiver": "acc_7"},
            {"change": "add_condition", "condition": {"kind": "date_reached", "date": "2026-03-09"}},
            {"change": "add_rule", "rule": rule.clone()},
            {"change": "change_rule", "number": 1, "rule": rule},
            {"change": "end_rule", "number": 2},
        ]);
        vec![
            (
                "release_freeze",
                json!({"freeze": "frz_2", "authority": "court", "amount": 8, "document": "7", "group": false}),
            ),
            ("release_freeze", json!({"freeze": "frz_2", "authority": "court", "document": "7", "group": true})),
            ("link_accounts", json!({"parent": "acc_1", "child": "acc_2", "agreement": "pool 7"})),
            ("amend_agreement", json!({"agreement": "agr_3", "document": "ab".repeat(32), "changes": changes})),
            (
                "set_exchange_rate",
                json!({"base": "USD", "quote": "CNY", "direction": "base_to_quote", "value": 71_234, "decimals": 4,
                    "source": "bank", "document": "ab".repeat(32), "valid_from": "2026-03-05T01:30:00Z",
                    "valid_until": "2026-03-06T01:30:00Z"}),
            ),
            ("reverse_conversion", json!({"conversion": "cnv_3", "reason": "the rate was of the day before"})),
            ("sweep_income", json!({"amount": 1_000, "currency": "CNY"})),
            ("inject_own_money", json!({"amount": 600_000, "currency": "CNY"})),
            (
                "cover_refund",
                json!({"order": "ord_7", "out_refund_no": "F1", "amount": 500, "return_fee": true,
                    "take_from": [{"merchant": "mch_4", "amount": 100}], "items": [{"item": 1, "amount": 500}],
                    "legs": [{"leg": "leg_9", "amount": 500}]}),
            ),
            (
                "advance_policy",
                json!({"fee_rate": 0, "merchant_quota": 1_000_000, "total_quota": 9_000_000, "min_days": 90,
                    "min_trading_days": 30}),
            ),
            (
                "limit_policy",
                json!({"from": "2026-04-01", "limits": {"class_one": 50_000, "class_two": 5_000_000,
                    "class_three": 9_000_000, "two_factors": 300_000, "fewer_factors": 40_000}}),
            ),
            ("remove_block", json!({"entry": "blk_4", "reason": "mistaken identity"})),
            ("site_weights", json!({"channel": "epcc", "weights": {"bj": 8, "sh": 0}})),
            ("outflow_bound", json!({"channel": "epcc", "currency": "CNY", "floor": 50_000_000, "percent": 300})),
            ("resume_outflow", json!({"channel": "epcc", "currency": "CNY", "waiting": "refuse"})),
            (
                "calendar",
                json!({"year": 2026, "holidays": ["2026-10-01", "2026-10-02"], "make_up_days": ["2026-10-10"]}),
            ),
        ]
    }

    /// Bodies of cards.
    fn bodies_of_cards() -> Vec<(&'static str, Value)> {
        let (debit, credit) = (json!({"rate": 3_500, "cap": 1_300}), json!({"rate": 4_500}));
        vec![
            (
                "card_fee",
                json!({"action": "set_plan", "code": "standard", "from": "2026-04-01", "debit": debit, "credit": credit}),
            ),
            (
                "card_fee",
                json!({"action": "set_cost", "scheme": "unionpay", "from": "2026-04-01", "debit": debit,
                    "credit": credit, "network": {"rate": 325, "cap": 325}}),
            ),
            ("credit_adjustment", json!({"transaction": "ctx_42", "amount": 500, "case_number": "CA-1"})),
            (
                "fee_plan",
                json!({"product": "rent", "of": "withdrawal", "from": "2026-04-01",
                    "tiers": [{"from": 0, "rate": 1_000, "fixed": 0}], "rounding": "half_up"}),
            ),
            (
                "fee_plan",
                json!({"merchant": "mch_3", "of": "order", "from": "2026-04-01", "tiers": [
                    {"from": 0, "rate": 6_000, "fixed": 0}, {"from": 100_000, "rate": 5_000, "fixed": 100}],
                    "least": 50, "cap": 8_000, "payer": "merchant", "rounding": "up", "on_refund": "kept"}),
            ),
            (
                "split_plan",
                json!({"name": "agent_network", "from": "2026-04-01", "roles": [
                    {"name": "listing", "rate": 300_000}, {"name": "closing", "rate": 700_000}],
                    "remainder_to": "closing", "return_order": ["closing", "listing"]}),
            ),
        ]
    }

    /// A body of each kind, as it is sent and shown.
    fn bodies() -> Vec<Value> {
        let all = bodies_of_books().into_iter().chain(bodies_of_money()).chain(bodies_of_cards());
        all.map(|(kind, mut body)| {
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
    fn the_bodies_of_a_channels_invoice_are_read_as_the_page_has_them() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let page = std::fs::read_to_string(page).unwrap();
        let bodies = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
        let bodies = bodies.map(|body| serde_json::from_str::<Value>(body).unwrap());
        let bodies: Vec<Value> = bodies.filter(|body| body["kind"].is_string()).collect();
        let kinds: Vec<&Value> = bodies.iter().map(|body| &body["kind"]).collect();
        assert_eq!(kinds, ["voucher_template", "manual_voucher"]);
        for body in bodies {
            let wire: WireProposal = serde_json::from_value(body.clone()).unwrap();
            let proposal = wire.read().unwrap_or_else(|error| panic!("{error:?}: {body}"));
            assert_eq!(said(serde_json::to_value(WireProposal::show(&proposal)).unwrap()), body);
        }
    }

    #[test]
    fn every_kind_of_the_domain_has_its_body() {
        let mut bodies: Vec<_> = bodies().iter().map(|body| body["kind"].as_str().unwrap().to_owned()).collect();
        bodies.dedup();
        assert_eq!(KINDS, Proposal::KINDS);
        // A deduction names a bank account, which is sealed at once: it has an endpoint of its own.
        let of_its_own = KINDS.iter().filter(|kind| **kind != "deduct_freeze").copied().collect::<Vec<_>>();
        assert_eq!(bodies, of_its_own);
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
