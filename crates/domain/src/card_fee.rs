//! Card fees (银行卡手续费): what a merchant pays for a card payment, and what the card's issuer and the network keep of it.
//!
//! ```text
//!  amount ─┬─ merchant's fee (商户手续费), by the plan of the merchant ─► 5001
//!          │    └─ of it: interchange (发卡行服务费) + network fee (网络服务费), by the card's scheme ─► 6001
//!          └─ amount − merchant's fee ─► 2202
//!  the network pays amount − interchange − network fee ─► 1122; the margin between both is the institution's ─► 2291
//! ```
//! Plans and costs are data: a version holds from its first day until a later one does, and is never edited. Each fee is
//! rounded half up to the fen for itself, after its cap. Two people set a version. What the network's file takes otherwise
//! is a rounding difference of the institution, see [`crate::card_clearing`].
//!
//! A prepaid card counts as a debit card and a quasi-credit card (准贷记卡) as a credit card.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{CardCostId, CardFeePlanId};
use crate::money::{Minor, RATE_WHOLE, add, fee};
use crate::order::name_fits;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// What kind of card pays, which decides the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum CardType {
    /// 借记卡.
    #[n(0)]
    Debit,
    /// 贷记卡.
    #[n(1)]
    Credit,
}

impl CardType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::Debit, Self::Credit];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// Whose brand the card bears (卡组织).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum CardScheme {
    /// 银联, the domestic scheme.
    #[n(0)]
    UnionPay,
    /// Visa.
    #[n(1)]
    Visa,
    /// Mastercard.
    #[n(2)]
    Mastercard,
    /// American Express.
    #[n(3)]
    AmericanExpress,
    /// JCB.
    #[n(4)]
    Jcb,
    /// Diners Club.
    #[n(5)]
    DinersClub,
}

impl CardScheme {
    /// Every scheme.
    pub const ALL: [Self; 6] =
        [Self::UnionPay, Self::Visa, Self::Mastercard, Self::AmericanExpress, Self::Jcb, Self::DinersClub];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnionPay => "unionpay",
            Self::Visa => "visa",
            Self::Mastercard => "mastercard",
            Self::AmericanExpress => "american_express",
            Self::Jcb => "jcb",
            Self::DinersClub => "diners_club",
        }
    }

    /// Whether a terminal counts it as domestic (内卡) in its batch close; the others are foreign (外卡).
    #[must_use]
    pub const fn is_domestic(self) -> bool {
        match self {
            Self::UnionPay => true,
            Self::Visa | Self::Mastercard | Self::AmericanExpress | Self::Jcb | Self::DinersClub => false,
        }
    }
}

/// A rate with a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CardRate {
    /// In parts of [`RATE_WHOLE`]: 0.60 % is 6,000.
    #[n(0)]
    pub rate: Minor,
    /// The most it comes to, in fen; none for no cap.
    #[n(1)]
    pub cap: Option<Minor>,
}

impl CardRate {
    /// The fee of an amount in fen, half up, at most the cap.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn of(self, amount: Minor) -> Result<Minor, Refusal> {
        let fee = fee(amount, self.rate)?;
        Ok(self.cap.map_or(fee, |cap| fee.min(cap)))
    }

    fn check(self, param: &'static str) -> Result<(), Refusal> {
        if !(0..RATE_WHOLE).contains(&self.rate) {
            let message = format!("{} is not a rate; use 0 to 999,999 millionths (0.60 % is 6000)", self.rate);
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
        if let Some(cap) = self.cap.filter(|cap| *cap <= 0) {
            let message = format!("a cap of {cap} is none; name fen above zero, or leave it out");
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
        Ok(())
    }
}

/// A version of what the merchants of a plan pay.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CardFeePlan {
    /// Its id.
    #[n(0)]
    pub id: CardFeePlanId,
    /// The plan's name, the same in all its versions.
    #[n(1)]
    pub code: String,
    /// The first day on which it holds.
    #[n(2)]
    pub from: Date,
    /// For debit cards.
    #[n(3)]
    pub debit: CardRate,
    /// For credit cards.
    #[n(4)]
    pub credit: CardRate,
    /// When it was set.
    #[n(5)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(6)]
    pub set_by: String,
    /// Who approved it.
    #[n(7)]
    pub approver: Option<String>,
}

/// A version of what a scheme's issuers and its network keep.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CardCost {
    /// Its id.
    #[n(0)]
    pub id: CardCostId,
    /// The scheme.
    #[n(1)]
    pub scheme: CardScheme,
    /// The first day on which it holds.
    #[n(2)]
    pub from: Date,
    /// The issuer's, for debit cards.
    #[n(3)]
    pub debit: CardRate,
    /// The issuer's, for credit cards.
    #[n(4)]
    pub credit: CardRate,
    /// The network's, on the acquirer's side.
    #[n(5)]
    pub network: CardRate,
    /// When it was set.
    #[n(6)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(7)]
    pub set_by: String,
    /// Who approved it.
    #[n(8)]
    pub approver: Option<String>,
}

/// The fees of one amount, in fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct CardFees {
    /// What the merchant pays.
    #[n(0)]
    pub merchant: Minor,
    /// What the issuer keeps.
    #[n(1)]
    pub interchange: Minor,
    /// What the network keeps.
    #[n(2)]
    pub network: Minor,
}

impl CardFees {
    /// What issuer and network keep together.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn cost(self) -> Result<Minor, Refusal> {
        add(self.interchange, self.network, "amount")
    }
}

/// Sets what merchants of a plan pay from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetCardFeePlan {
    /// The plan's name; 1 to 64 bytes.
    #[n(0)]
    pub code: String,
    /// The first day on which it holds; not one that has passed.
    #[n(1)]
    pub from: Date,
    /// For debit cards.
    #[n(2)]
    pub debit: CardRate,
    /// For credit cards.
    #[n(3)]
    pub credit: CardRate,
}

/// Sets what a scheme costs from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetCardCost {
    /// The scheme.
    #[n(0)]
    pub scheme: CardScheme,
    /// The first day on which it holds; not one that has passed.
    #[n(1)]
    pub from: Date,
    /// The issuer's, for debit cards.
    #[n(2)]
    pub debit: CardRate,
    /// The issuer's, for credit cards.
    #[n(3)]
    pub credit: CardRate,
    /// The network's.
    #[n(4)]
    pub network: CardRate,
}

/// What is wanted of card fees; two people each.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CardFeeCommand {
    /// Set what merchants of a plan pay.
    #[n(0)]
    SetPlan(#[n(0)] SetCardFeePlan),
    /// Set what a scheme costs.
    #[n(1)]
    SetCost(#[n(0)] SetCardCost),
}

impl From<CardFeeCommand> for Command {
    fn from(command: CardFeeCommand) -> Self {
        Self::CardFee(command)
    }
}

/// What happened to card fees.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CardFeeEvent {
    /// What merchants of a plan pay was set.
    #[n(0)]
    PlanSet(#[n(0)] CardFeePlan),
    /// What a scheme costs was set.
    #[n(1)]
    CostSet(#[n(0)] CardCost),
}

/// Sets a version of a plan, or of a scheme's cost.
///
/// # Errors
/// `approval_required`; `value_invalid` for a name, a rate, a cap or a day that has passed; `already_exists` for a second
/// version of the same day.
pub fn decide(draft: &mut Draft<'_>, command: CardFeeCommand) -> Result<Reply, Refusal> {
    approval::require(draft, "setting card fees")?;
    match command {
        CardFeeCommand::SetPlan(command) => set_plan(draft, command),
        CardFeeCommand::SetCost(command) => set_cost(draft, &command),
    }
}

fn set_plan(draft: &mut Draft<'_>, command: SetCardFeePlan) -> Result<Reply, Refusal> {
    let SetCardFeePlan { code, from, debit, credit } = command;
    name_fits(&code, "code")?;
    not_passed(draft, from)?;
    debit.check("debit")?;
    credit.check("credit")?;
    if let Some(known) = draft.state.card_fee_plan_codes.get(&(code.clone(), from)) {
        return Err(twice(&format!("{known} says from {from} on what plan '{code}' pays")));
    }
    let id = CardFeePlanId(draft.state.card_fee_plans.next_id());
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    let plan = CardFeePlan { id, code, from, debit, credit, set_at, set_by, approver };
    draft.emit(Event::CardFee(CardFeeEvent::PlanSet(plan)));
    Ok(Reply::CardFeePlan(id))
}

fn set_cost(draft: &mut Draft<'_>, command: &SetCardCost) -> Result<Reply, Refusal> {
    let SetCardCost { scheme, from, debit, credit, network } = *command;
    not_passed(draft, from)?;
    debit.check("debit")?;
    credit.check("credit")?;
    network.check("network")?;
    if debit.rate.max(credit.rate).saturating_add(network.rate) >= RATE_WHOLE {
        let message = "issuer and network together keep all there is; rates are in millionths (0.45 % is 4500)";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "network", message));
    }
    if let Some(known) = draft.state.card_cost_days.get(&(scheme, from)) {
        return Err(twice(&format!("{known} says from {from} on what {} costs", scheme.name())));
    }
    let id = CardCostId(draft.state.card_costs.next_id());
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    let cost = CardCost { id, scheme, from, debit, credit, network, set_at, set_by, approver };
    draft.emit(Event::CardFee(CardFeeEvent::CostSet(cost)));
    Ok(Reply::CardCost(id))
}

fn not_passed(draft: &Draft<'_>, from: Date) -> Result<(), Refusal> {
    let today = Date::in_shanghai(draft.context.now);
    if from >= today {
        return Ok(());
    }
    let message = format!("{from} has passed; fees are set from {today} on or later");
    Err(Refusal::new(RefusalCode::ValueInvalid, "from", message))
}

fn twice(what: &str) -> Refusal {
    Refusal::new(RefusalCode::AlreadyExists, "from", format!("{what}; set another day's"))
}

impl State {
    /// What merchants of a plan pay on a day.
    ///
    /// # Errors
    /// `card_fee_unknown` before the first version of the plan.
    pub fn card_fee_plan(&self, code: &str, on: Date) -> Result<&CardFeePlan, Refusal> {
        let all = (String::from(code), Date(i32::MIN))..=(String::from(code), on);
        let version = self.card_fee_plan_codes.range(all).next_back().map(|(_, id)| *id);
        version.and_then(|id| self.card_fee_plans.get(id.0)).ok_or_else(|| {
            let message = format!("no plan '{code:.64}' of card fees holds on {on}");
            Refusal::new(RefusalCode::CardFeeUnknown, "fee_plan", message)
        })
    }

    /// What a scheme costs on a day.
    ///
    /// # Errors
    /// `card_fee_unknown` before the first version.
    pub fn card_cost(&self, scheme: CardScheme, on: Date) -> Result<&CardCost, Refusal> {
        let version = self.card_cost_days.range((scheme, Date(i32::MIN))..=(scheme, on)).next_back().map(|(_, id)| *id);
        version.and_then(|id| self.card_costs.get(id.0)).ok_or_else(|| {
            let message = format!("nobody said what {} costs on {on}", scheme.name());
            Refusal::new(RefusalCode::CardFeeUnknown, "scheme", message)
        })
    }

    /// The fees of an amount in fen by the versions that hold on a day.
    ///
    /// # Errors
    /// `card_fee_unknown`, `amount_overflow`.
    pub fn card_fees(
        &self,
        plan: &str,
        scheme: CardScheme,
        kind: CardType,
        amount: Minor,
        on: Date,
    ) -> Result<CardFees, Refusal> {
        let (plan, cost) = (self.card_fee_plan(plan, on)?, self.card_cost(scheme, on)?);
        let (merchant, interchange) = match kind {
            CardType::Debit => (plan.debit, cost.debit),
            CardType::Credit => (plan.credit, cost.credit),
        };
        Ok(CardFees {
            merchant: merchant.of(amount)?,
            interchange: interchange.of(amount)?,
            network: cost.network.of(amount)?,
        })
    }
}

/// Folds what happened to card fees into the state.
pub(crate) fn apply(state: &mut State, event: &CardFeeEvent) {
    match event {
        CardFeeEvent::PlanSet(plan) => {
            state.card_fee_plan_codes.insert((plan.code.clone(), plan.from), plan.id);
            state.card_fee_plans.insert(plan.id.0, plan.clone());
        }
        CardFeeEvent::CostSet(cost) => {
            state.card_cost_days.insert((cost.scheme, cost.from), cost.id);
            state.card_costs.insert(cost.id.0, cost.clone());
        }
    }
}
