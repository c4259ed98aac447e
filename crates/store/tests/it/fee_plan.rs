//! Order fees: versions of a plan that come back, lists by merchant, and an order that keeps its version.

use domain::customer::CustomerKind;
use domain::fee_plan::{FeeOf, FeeOnRefund, FeeOwner, FeePayer, FeeTier, SetFeePlan};
use domain::ids::{FeePlanId, MerchantId, OrderId};
use domain::merchant::MerchantKind;
use domain::money::{Currency, Rounding};
use domain::order::{CreateOrder, Item, ItemKind};
use domain::{Command, Reply};
use store::fee_plan::FeePlanFilter;
use store::list;

use crate::place::{Place, on_both};
use crate::world::{World, date};

on_both! {
    plans_are_listed_by_merchant_and_orders_keep_theirs
}

impl World {
    /// Two versions of a merchant's plan, one of another's, one of a product's withdrawals, and an order by the first.
    pub(crate) fn priced(&mut self) -> (MerchantId, OrderId) {
        let (one, other) = (self.merchant(MerchantKind::Landlord, "甲"), self.merchant(MerchantKind::Landlord, "乙"));
        let today = self.state.days.posting_date(None).unwrap();
        let product = FeeOwner::Product("priced".into());
        for (owner, from, of) in [
            (one.into(), today, FeeOf::Order),
            (one.into(), date(12, 31), FeeOf::Order),
            (other.into(), today, FeeOf::Order),
            (product, today, FeeOf::Withdrawal),
        ] {
            let tiers =
                vec![FeeTier { from: 0, rate: 6_000, fixed: 0 }, FeeTier { from: 100_000, rate: 5_000, fixed: 100 }];
            let (least, cap, payer, rounding) = (Some(50), Some(8_000), FeePayer::Merchant, Rounding::Up);
            let on_refund = FeeOnRefund::AsAsked;
            let set = SetFeePlan { owner, from, tiers, least, cap, payer, rounding, of, on_refund };
            self.as_approved(Command::SetFeePlan(set));
        }
        let customer = self.customer(CustomerKind::Person);
        let payer = self.user(customer, "priced");
        let order = CreateOrder {
            merchant: one,
            out_trade_no: "priced".into(),
            payer,
            items: vec![Item { kind: ItemKind::Rent, amount: 100_001 }],
            currency: Currency::Cny,
            destination: None,
            tries_allowed: 1,
            expires_at: None,
            instruments: Vec::new(),
        };
        let Reply::Order(order) = self.given(Command::CreateOrder(order)) else { panic!("not an order") };
        (one, order)
    }
}

fn plans_are_listed_by_merchant_and_orders_keep_theirs(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    let (merchant, order) = world.priced();
    world.store(&database);
    let found = |merchant| list(&database, &FeePlanFilter { merchant }, None, 10).unwrap().data;
    let of_one = found(Some(merchant));
    assert_eq!(of_one.iter().map(|plan| plan.id).collect::<Vec<_>>(), [FeePlanId(1), FeePlanId(2)]);
    assert_eq!(Some(&of_one[0]), world.state.fee_plan_on(merchant.into(), FeeOf::Order, date(3, 5)), "as it was set");
    let all = found(None);
    assert_eq!((all.len(), found(Some(MerchantId(99))).len()), (4, 0));
    let users = FeeOwner::Product("priced".into());
    assert_eq!(Some(&all[3]), world.state.fee_plan_on(users, FeeOf::Withdrawal, date(3, 5)), "no merchant's");
    let order = store::get::<domain::order::Order>(&database, order).unwrap().unwrap();
    assert_eq!((order.fee, order.fee_plan), (601, Some(FeePlanId(1))), "500.005, up, and 100");
}
