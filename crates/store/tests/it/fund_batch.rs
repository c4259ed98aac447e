//! Monthly batches of a provident-fund centre: a row that comes back, and lists by month and by what is open.

use domain::fund_batch::{FundBatchCommand, FundResult, FundResultRow, FundRoute, Monthly, TakeFundResult};
use domain::leg::Instrument;
use domain::merchant::MerchantKind;
use domain::money::Currency;
use domain::order::expiry::MAX_LIFE_MS;
use domain::order::{CreateOrder, Item, ItemKind};
use domain::{Command, Reply};
use store::fund_batch::FundBatchFilter;
use store::list;

use crate::place::{Place, on_both};
use crate::world::{World, date};

on_both! {
    batches_are_listed_by_month_and_by_what_is_open
}

impl World {
    /// A rent that a fund is to pay, in a batch of March whose centre has said nothing yet; it can be paid for a month.
    pub(crate) fn funded(&mut self) {
        let customer = self.customer(domain::customer::CustomerKind::Person);
        let payer = self.user(customer, "rent");
        let merchant = self.merchant(MerchantKind::Landlord, "房东");
        let period = String::from("2026-03");
        let monthly = Some(Monthly {
            period: period.clone(),
            route: FundRoute::Reserve,
            converts: false,
            cut_off: None,
            quota: None,
        });
        let fund = Instrument::Fund { contract: "L-1".into(), amount: 700, holds: false, monthly, on_part: None };
        self.given(Command::CreateOrder(CreateOrder {
            merchant,
            out_trade_no: format!("fund-{payer}"),
            payer,
            items: vec![Item { kind: ItemKind::Rent, amount: 700 }],
            currency: Currency::Cny,
            destination: None,
            tries_allowed: 1,
            expires_at: Some(self.state.now.plus_ms(MAX_LIFE_MS)),
            instruments: vec![fund],
        }));
        self.given(Command::FundBatch(FundBatchCommand::Close { city: "310000".into(), period }));
    }

    /// The centre paid all of the newest batch.
    fn fund_paid(&mut self) {
        let batch = self.state.open_fund_batches().last().unwrap().clone();
        let row = batch.rows[0].clone();
        let (code, reference) = ("00000000".into(), "F1".into());
        let result = FundResult { paid: row.applied, code, class: None, reference, date: date(3, 5) };
        let rows = vec![FundResultRow {
            serial: row.serial,
            contract: row.contract,
            period: batch.period,
            applied: row.applied,
            result,
        }];
        let file = TakeFundResult { batch: batch.id, city: batch.city, number: batch.number, rows };
        let Reply::FundBatch(_) = self.given(Command::FundBatch(FundBatchCommand::TakeResult(file))) else {
            panic!("not a batch")
        };
    }
}

fn batches_are_listed_by_month_and_by_what_is_open(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    world.funded();
    world.fund_paid();
    world.funded();
    world.store(&database);
    let count = |filter| list(&database, &filter, None, 10).unwrap().data.len();
    let of = |period: Option<&str>, open| FundBatchFilter { period: period.map(String::from), open };
    assert_eq!((count(of(Some("2026-03"), None)), count(of(Some("2026-04"), None))), (2, 0));
    assert_eq!((count(of(None, Some(true))), count(of(None, Some(false)))), (1, 1));
    let page = list(&database, &of(None, Some(false)), None, 10).unwrap();
    assert_eq!((page.data[0].paid(), page.data[0].files), (700, 1));
}
