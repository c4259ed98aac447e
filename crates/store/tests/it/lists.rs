//! Lists and look-ups: pages, filters, the position they show.

use domain::Command;
use domain::account::{Account, AccountStatus, Owner};
use domain::approval::ApprovalStatus;
use domain::attempt::{Purpose, Rail};
use domain::book::Subject;
use domain::business_day::{Day, DayStatus};
use domain::clearing::difference::{DifferenceId, SettleDifference};
use domain::clearing::{ClearingLine, LineKind, TakeClearingFile};
use domain::customer::CustomerKind;
use domain::freeze::{FreezeKind, FreezeStatus};
use domain::hold::{HoldDirection, HoldStatus};
use domain::ids::{
    AccountId, AgreementId, ClearingId, CustomerId, ExchangeRateId, HoldId, MerchantId, OperatorId, OrderId, PayoutId,
    UserId,
};
use domain::manual_voucher::TemplateStatus;
use domain::merchant::MerchantKind;
use domain::money::Currency;
use domain::operator::OperatorStatus;
use domain::order::OrderStatus;
use domain::payout::{PayoutKind, PayoutStatus};
use domain::refund::RefundStatus;
use domain::suspense::SuspenseStatus;
use store::account::AccountFilter;
use store::agreement::{AgreementFilter, AgreementPaymentFilter};
use store::approval::ApprovalFilter;
use store::attempt::{AttemptFilter, AttemptStands};
use store::bulk::StreamFilter;
use store::business_day::DayFilter;
use store::clearing::{self, ClearingFilter, DifferenceFilter};
use store::conversion::ConversionFilter;
use store::customer::CustomerFilter;
use store::exchange_rate::ExchangeRateFilter;
use store::freeze::FreezeFilter;
use store::hold::HoldFilter;
use store::leg::LegFilter;
use store::manual_voucher::TemplateFilter;
use store::merchant::MerchantFilter;
use store::operator::OperatorFilter;
use store::order::OrderFilter;
use store::payout::PayoutFilter;
use store::refund::RefundFilter;
use store::settlement::SettlementFilter;
use store::split::SplitFilter;
use store::suspense::SuspenseFilter;
use store::tree::{TreeLinkFilter, TreeRunFilter};
use store::user::UserFilter;
use store::{Cursor, Database, Filter, get, list};

use crate::place::{Place, on_both};
use crate::world::{World, date};

on_both! {
    pages_follow_each_other_without_gap_or_double
    an_empty_store_gives_an_empty_page
    filters_narrow_each_list
    filters_narrow_the_list_of_freezes
    rows_are_found_by_id
    texts_that_sql_could_mistake_are_only_texts
    differences_follow_each_other_over_files_and_are_narrowed
}

fn pages_follow_each_other_without_gap_or_double(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    for number in 0..25 {
        world.customer(if number % 5 == 0 { CustomerKind::Company } else { CustomerKind::Person });
    }
    world.store(&database);
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = list(&database, &CustomerFilter::default(), cursor, 10).unwrap();
        assert_eq!(page.position, world.state.position);
        sizes.push(page.data.len());
        seen.extend(page.data.iter().map(|customer| customer.id.0));
        let Some(next) = page.next_cursor else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());

    let companies = CustomerFilter { kind: Some(CustomerKind::Company) };
    let page = list(&database, &companies, None, 5).unwrap();
    assert_eq!(page.data.iter().map(|customer| customer.id.0).collect::<Vec<_>>(), [1, 6, 11, 16, 21]);
    assert_eq!(page.next_cursor, None, "a full last page has no next one");
}

fn an_empty_store_gives_an_empty_page(place: &Place) {
    let database = place.open();
    let page = list(&database, &HoldFilter::default(), None, 10).unwrap();
    assert_eq!((page.data.len(), page.next_cursor, page.position), (0, None, 0));
    let mut world = World::new();
    world.store(&database);
    let page = list(&database, &HoldFilter::default(), None, 10).unwrap();
    assert_eq!((page.data.len(), page.position), (0, world.state.position));
}

fn count<F: Filter>(database: &Database, filter: F) -> usize {
    list(database, &filter, None, 100).unwrap().data.len()
}

fn filters_narrow_each_list(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let (user, merchant) = (Owner::User(UserId(1)), Owner::Merchant(MerchantId(1)));
    assert_eq!(count(&database, AccountFilter { owner: Some(user), ..Default::default() }), 2, "in yuan and in yen");
    assert_eq!(count(&database, AccountFilter { owner: Some(merchant), ..Default::default() }), 4);
    let company = AccountFilter { subject: Some(Subject::Company), ..Default::default() };
    let company = list(&database, &company, None, 10).unwrap().data.remove(0);
    assert_eq!(count(&database, AccountFilter { status: Some(AccountStatus::Closed), ..Default::default() }), 0);

    let account = Some(AccountId(world.state.holds.get(1).unwrap().account.0));
    assert_eq!(count(&database, HoldFilter { account, status: Some(HoldStatus::Open), ..Default::default() }), 2);
    assert_eq!(count(&database, HoldFilter { account, status: Some(HoldStatus::Expired), ..Default::default() }), 0);
    assert_eq!(count(&database, UserFilter { product: Some("wallet".into()), ..Default::default() }), 1);
    assert_eq!(count(&database, UserFilter { customer: Some(CustomerId(2)), ..Default::default() }), 0);
    assert_eq!(count(&database, MerchantFilter { kind: Some(MerchantKind::Agency), ..Default::default() }), 1);
    assert_eq!(count(&database, MerchantFilter { name: Some("安居房产".into()), ..Default::default() }), 1);
    assert_eq!(count(&database, StreamFilter { name: Some("opening".into()) }), 1);
    assert_eq!(count(&database, StreamFilter { name: Some("other".into()) }), 0);

    let purpose = Some(Purpose::Payout(PayoutId(1)));
    let status = Some(AttemptStands::Unknown);
    assert_eq!(count(&database, AttemptFilter { purpose, status, ..Default::default() }), 1);
    let payouts = PayoutFilter { account: Some(company.id), status: Some(PayoutStatus::Unknown), ..Default::default() };
    assert_eq!(count(&database, payouts), 1);
    let early = PayoutFilter { created_to: Some(date(3, 4)), ..Default::default() };
    assert_eq!(count(&database, early), 0);
    assert_eq!(count(&database, PayoutFilter { kind: Some(PayoutKind::Withdrawal), ..Default::default() }), 1);
    let stuck = |needs| PayoutFilter { needs_person: Some(needs), ..Default::default() };
    assert_eq!((count(&database, stuck(true)), count(&database, stuck(false)) > 0), (0, true));
    assert_eq!(count(&database, AgreementFilter { party: Some(merchant), ..Default::default() }), 1);

    trees_are_narrowed(&database, &world, company.id);
    decisions_are_narrowed(&database);

    announcements_and_conversions(&database, account, company.id);
    orders_and_what_follows_them(&database);
}

/// `account` gave what was converted, `company` was paid from the agreement.
fn announcements_and_conversions(database: &Database, account: Option<AccountId>, company: AccountId) {
    let announced = HoldFilter { direction: Some(HoldDirection::In), ..Default::default() };
    let announced = list(database, &announced, None, 10).unwrap().data;
    assert_eq!(announced.iter().map(|hold| hold.id).collect::<Vec<_>>(), [HoldId(2)]);
    assert_eq!(count(database, HoldFilter { reference: Some("合同 7".into()), ..Default::default() }), 1);
    assert_eq!(count(database, HoldFilter { reference: Some("合同".into()), ..Default::default() }), 0);
    let paid = AgreementPaymentFilter { agreement: Some(AgreementId(1)), ..Default::default() };
    assert_eq!(count(database, paid), 1);
    assert_eq!(count(database, AgreementPaymentFilter { rule: Some(1), ..paid }), 0);
    assert_eq!(count(database, AgreementPaymentFilter { to: Some(company), ..paid }), 1);
    assert_eq!(count(database, AgreementPaymentFilter { to: account, ..paid }), 0);
    let rates = |sold, bought| ExchangeRateFilter { sold: Some(sold), bought: Some(bought) };
    assert_eq!(count(database, rates(Currency::Cny, Currency::Jpy)), 1);
    assert_eq!(count(database, rates(Currency::Jpy, Currency::Cny)), 0);
    let made = ConversionFilter { from: account, status: Some("done"), ..Default::default() };
    assert_eq!(count(database, made), 1);
    assert_eq!(count(database, ConversionFilter { rate: Some(ExchangeRateId(1)), ..made }), 1);
    for other in [
        ConversionFilter { rate: Some(ExchangeRateId(2)), ..made },
        ConversionFilter { to: account, ..made },
        ConversionFilter { status: Some("reversed"), ..made },
    ] {
        assert_eq!(count(database, other), 0, "{other:?}");
    }
}

fn orders_and_what_follows_them(database: &Database) {
    let orders = |filter: OrderFilter| list(database, &filter, None, 10).unwrap().data.len();
    let seller = Some(MerchantId(1));
    let day = Some(date(3, 5));
    assert_eq!(orders(OrderFilter { merchant: seller, created_from: day, created_to: day, ..Default::default() }), 1);
    assert_eq!(orders(OrderFilter { merchant: Some(MerchantId(2)), ..Default::default() }), 0);
    assert_eq!(orders(OrderFilter { created_from: Some(date(3, 6)), ..Default::default() }), 0);
    assert_eq!(orders(OrderFilter { created_to: Some(date(3, 4)), ..Default::default() }), 0);
    assert_eq!(orders(OrderFilter { status: Some(OrderStatus::Success), ..Default::default() }), 1);
    assert_eq!(orders(OrderFilter { out_trade_no: Some("R-1".into()), ..Default::default() }), 1);
    let order = Some(OrderId(1));
    assert_eq!(count(database, LegFilter { order, needs_person: Some(false), ..Default::default() }), 1);
    assert_eq!(count(database, LegFilter { needs_person: Some(true), ..Default::default() }), 0);
    assert_eq!(count(database, SplitFilter { order, payee: seller, ..Default::default() }), 1);
    assert_eq!(count(database, RefundFilter { order, status: Some(RefundStatus::Success), ..Default::default() }), 1);
    let stuck = |needs| RefundFilter { order, needs_person: Some(needs), ..Default::default() };
    assert_eq!((count(database, stuck(false)), count(database, stuck(true))), (1, 0));
    assert_eq!(count(database, ClearingFilter { rail: Some(Rail::Epcc), date: day }), 1);
    assert_eq!(count(database, ClearingFilter { rail: Some(Rail::Fund), date: day }), 0);
    assert_eq!(count(database, SettlementFilter { merchant: seller, from: Some(date(3, 6)), ..Default::default() }), 1);
    assert_eq!(count(database, SettlementFilter { to: day, ..Default::default() }), 0);
    let days = list(database, &DayFilter { status: Some(DayStatus::Cutting) }, None, 10).unwrap();
    assert_eq!(days.data.iter().map(|day| day.date).collect::<Vec<_>>(), [date(3, 5)]);
}

fn differences_follow_each_other_over_files_and_are_narrowed(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    let line = |number: usize| {
        let (serial, kind, currency) = (format!("none-{number}"), LineKind::Debit, Currency::Cny);
        ClearingLine { serial, kind, amount: 100, currency, reference: None }
    };
    for (rail, part, count) in [(Rail::Epcc, 1, 3), (Rail::Fund, 1, 0), (Rail::Epcc, 2, 2), (Rail::UnionPay, 1, 1)] {
        let (lines, channel) = ((0..count).map(line).collect(), None);
        let file = TakeClearingFile { rail, date: date(3, 5), part, last: false, lines, channel };
        world.given(Command::TakeClearingFile(file));
    }
    let id = |clearing, number| DifferenceId { clearing: ClearingId(clearing), number };
    world.as_approved(Command::SettleDifference(SettleDifference {
        difference: id(1, 2),
        accepted: false,
        voucher: None,
    }));
    world.store(&database);
    let pages = |filter: DifferenceFilter, limit| {
        let (mut pages, mut cursor): (Vec<Vec<DifferenceId>>, Option<Cursor>) = (Vec::new(), None);
        loop {
            let page = clearing::differences(&database, &filter, cursor, limit).unwrap();
            assert_eq!(page.position, world.state.position);
            pages.push(page.data.iter().map(|found| found.id).collect());
            let Some(next) = page.next_cursor else { return pages };
            cursor = Some(next.to_string().parse().unwrap());
        }
    };
    let of = |rail, open| DifferenceFilter { rail, open };
    let open = [id(1, 1), id(1, 3), id(3, 1), id(3, 2), id(4, 1)];
    assert_eq!(pages(of(None, Some(true)), 2), [&open[..2], &open[2..4], &open[4..]]);
    assert_eq!(pages(of(None, Some(true)), 5), [&open[..]], "a full last page has no next one");
    assert_eq!(pages(of(Some(Rail::Epcc), Some(true)), 10), [&open[..4]]);
    assert_eq!(pages(of(None, Some(false)), 10), [[id(1, 2)]]);
    assert_eq!(pages(of(None, None), 4).concat().len(), 6);
    assert!(pages(of(Some(Rail::Fund), None), 4).concat().is_empty());
    let found = clearing::differences(&database, &of(Some(Rail::UnionPay), None), None, 1).unwrap().data.remove(0);
    assert_eq!((found.channel, found.date), (Rail::UnionPay.into(), date(3, 5)));
    assert_eq!((found.difference.serial.as_str(), found.difference.amount), ("none-0", 100));
}

fn trees_are_narrowed(database: &Database, world: &World, company: AccountId) {
    let links = |filter: TreeLinkFilter| count(database, filter);
    let (parent, child) = (Some(company), world.state.merchant(MerchantId(1)).map(|it| it.available).ok());
    assert_eq!(links(TreeLinkFilter { parent, child, status: Some("linked") }), 1);
    assert_eq!(links(TreeLinkFilter { parent, status: Some("ended"), ..Default::default() }), 0);
    assert_eq!(links(TreeLinkFilter { child: parent, ..Default::default() }), 0);
    assert_eq!(links(TreeLinkFilter { parent: child, ..Default::default() }), 0);
    let runs = |filter: TreeRunFilter| count(database, filter);
    let (from, to) = (Some(date(3, 6)), Some(date(3, 6)));
    assert_eq!(runs(TreeRunFilter { parent, cause: Some("rules"), from, to }), 1);
    assert_eq!(runs(TreeRunFilter { parent: child, ..Default::default() }), 0);
    assert_eq!(runs(TreeRunFilter { cause: Some("timer"), ..Default::default() }), 0);
    assert_eq!(runs(TreeRunFilter { from: Some(date(3, 7)), ..Default::default() }), 0);
    assert_eq!(runs(TreeRunFilter { to: Some(date(3, 5)), ..Default::default() }), 0);
}

fn filters_narrow_the_list_of_freezes(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let account = Some(AccountId(world.state.holds.get(1).unwrap().account.0));
    assert_eq!(count(&database, FreezeFilter { account, ..Default::default() }), 1);
    let police = || FreezeFilter { authority: Some("police".into()), ..Default::default() };
    let (stops, customer) = (Some(FreezeKind::StopPayment), Some(CustomerId(1)));
    assert_eq!(count(&database, FreezeFilter { kind: stops, customer, ..police() }), 1);
    assert_eq!(count(&database, FreezeFilter { kind: Some(FreezeKind::Whole), ..police() }), 0);
    assert_eq!(count(&database, FreezeFilter { customer: Some(CustomerId(2)), ..Default::default() }), 0);
    assert_eq!(count(&database, FreezeFilter { document: Some("S-1".into()), ..Default::default() }), 1);
    let status = Some(FreezeStatus::Lapsed);
    assert_eq!(count(&database, FreezeFilter { status, ..Default::default() }), 0);
}

fn decisions_are_narrowed(database: &Database) {
    assert_eq!(count(database, OperatorFilter { login: Some("auditor-1".into()), ..Default::default() }), 1);
    assert_eq!(count(database, OperatorFilter { status: Some(OperatorStatus::Active), ..Default::default() }), 5);
    assert_eq!(count(database, OperatorFilter { status: Some(OperatorStatus::Suspended), ..Default::default() }), 0);
    let pending = ApprovalFilter { status: Some(ApprovalStatus::Pending), ..Default::default() };
    assert_eq!(count(database, pending), 1);
    assert_eq!(count(database, ApprovalFilter { kind: Some("operator".into()), ..Default::default() }), 4);
    assert_eq!(count(database, ApprovalFilter { kind: Some("release_freeze".into()), ..Default::default() }), 0);
    assert_eq!(count(database, ApprovalFilter { maker: Some(OperatorId(1)), ..Default::default() }), 4);
    assert_eq!(count(database, ApprovalFilter { maker: Some(OperatorId(2)), ..Default::default() }), 0);
    assert_eq!(count(database, TemplateFilter { code: Some("unknown".into()), ..Default::default() }), 1);
    assert_eq!(count(database, TemplateFilter { status: Some(TemplateStatus::Retired), ..Default::default() }), 0);
    assert_eq!(count(database, SuspenseFilter { status: Some(SuspenseStatus::Open), ..Default::default() }), 1);
    assert_eq!(count(database, SuspenseFilter { source: Some("apr_6".into()), ..Default::default() }), 1);
    assert_eq!(count(database, SuspenseFilter { currency: Some(Currency::Usd), ..Default::default() }), 0);
    assert_eq!(count(database, SuspenseFilter { needs_person: Some(true), ..Default::default() }), 0);
}

fn rows_are_found_by_id(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    let day = get::<Day>(&database, date(3, 6)).unwrap();
    assert_eq!(day.as_ref(), world.state.days.get(date(3, 6)));
    let account = get::<Account>(&database, AccountId(1)).unwrap().unwrap();
    assert_eq!((account.id, account.balance, account.entries), (AccountId(1), 0, 0));
    for id in [0, 99, u64::MAX] {
        assert_eq!(get::<domain::hold::Hold>(&database, HoldId(id)), Ok(None));
        assert_eq!(count(&database, HoldFilter { account: Some(AccountId(id)), ..Default::default() }), 0);
    }
}

fn texts_that_sql_could_mistake_are_only_texts(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    let names = ["'; DROP TABLE users; --", "nul\0byte", "$1", "\u{1f3e0}", "%"];
    for name in names {
        world.merchant(MerchantKind::Landlord, name);
    }
    world.store(&database);
    for (name, id) in names.iter().zip(1..) {
        let filter = MerchantFilter { name: Some((*name).into()), ..Default::default() };
        let page = list(&database, &filter, None, 10).unwrap();
        assert_eq!(
            page.data.iter().map(|merchant| (merchant.id.0, merchant.name.as_str())).collect::<Vec<_>>(),
            [(id, *name)]
        );
    }
}

/// Lists stay fast as tables grow only if each filter walks an index that is in the order of the ids.
#[test]
fn lists_by_merchant_walk_its_index() {
    let place = Place::sqlite();
    let database = place.open();
    let plan = |conditions: &str| {
        let sql = format!("EXPLAIN QUERY PLAN SELECT id, blob FROM orders WHERE {conditions} ORDER BY id LIMIT 10");
        let steps = database.query(&sql, &[]).unwrap();
        steps.iter().map(|step| step.text(3).unwrap().to_owned()).collect::<Vec<_>>().join("; ")
    };
    for conditions in [
        "id > 7 AND merchant = 1",
        "id > 7 AND merchant = 1 AND status = 'SUCCESS'",
        "id > 7 AND merchant = 1 AND status = 'SUCCESS' AND created_at >= 5 AND created_at < 9",
    ] {
        let plan = plan(conditions);
        assert!(plan.contains("orders_by_merchant (merchant=? AND id>?)") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}
