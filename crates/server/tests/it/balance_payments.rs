//! Orders paid from the payer's own balance: at once, by whom the payer let, and back at once. No channel is configured.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::open::{account, balance, customer, number, own, text, trial_balance, user, voucher};
use crate::orders::Market;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::staff::client_of;

/// A market whose payer has 1,000 yuan in a wallet.
fn open(server: &Server) -> (Market, String) {
    let market = Market::open(server);
    let operator = &market.operator;
    let wallet = account(operator, 2201, "CNY", &market.payer);
    operator.post("/v1/vouchers", &voucher("opening", &own(operator, 1121), &wallet, 100_000)).ok();
    (market, wallet)
}

fn from(wallet: &str, amount: i64) -> Value {
    json!({"type": "balance", "account": wallet, "amount": amount})
}

fn pay(client: &Client, order: &str, instruments: &Value) -> Answer {
    client.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": instruments}))
}

#[track_caller]
fn is(answer: &Answer, status: u16, code: &str) {
    let (found, named, _) = answer.error();
    assert_eq!((found, named.as_str()), (status, code), "{}", answer.text());
}

#[test]
fn an_order_is_paid_from_the_balance_and_refunded_to_it_at_once() {
    let server = Server::start();
    let (market, wallet) = &open(&server);
    let operator = &market.operator;
    let order = text(&market.order("T1", 50_000).ok(), "/id");
    let mut instrument = from(wallet, 50_000);
    instrument["factors"] = json!("two");
    let paid = pay(operator, &order, &json!([instrument])).ok();
    assert_eq!((text(&paid, "/status"), text(&paid, "/due")), ("success".into(), "2026-03-06".into()), "{paid}");
    assert_eq!((number(&paid, "/fee"), number(&paid, "/net")), (100, 49_900));
    let leg = &paid["legs"][0];
    assert_eq!(
        (text(leg, "/type"), text(leg, "/rail"), text(leg, "/status")),
        ("balance".into(), "balance".into(), "captured".into())
    );
    assert_eq!((&leg["open_attempt"], &leg["clearing_date"]), (&Value::Null, &Value::Null));
    assert_eq!(balance(operator, wallet), 50_000);

    let refund = json!({"out_refund_no": "F1", "amount": 20_000, "return_fee": true});
    let refund = operator.post(&format!("/v1/orders/{order}/refunds"), &refund).ok();
    assert_eq!((text(&refund, "/status"), number(&refund, "/succeeded")), ("success".into(), 20_000), "{refund}");
    assert_eq!((number(&refund, "/fee"), text(&refund, "/parts/0/rail")), (40, "balance".into()));
    assert_eq!(refund["parts"][0]["attempt"], Value::Null);
    assert_eq!(balance(operator, wallet), 70_000);
    for object in [&order, &text(&refund, "/id")] {
        operator.get(&format!("/v1/receipts/{object}")).ok();
    }
    assert_eq!(trial_balance(operator, "2026-03-05")["cover"]["holds"], true);
    let rates = operator.get("/v1/rates").ok();
    assert_eq!((number(&rates, "/first_try/numerator"), number(&rates, "/first_try/denominator")), (1, 1));
}

#[test]
fn a_balance_that_may_not_pay_is_refused_by_name() {
    let server = Server::start();
    let (market, wallet) = &open(&server);
    let operator = &market.operator;
    let stranger = user(operator, &customer(operator, "孙八", "110105194912310070"));
    let other = account(operator, 2201, "CNY", &stranger);
    let order = text(&market.order("T1", 50_000).ok(), "/id");
    let card = json!({"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": 25_000});
    is(&pay(operator, &order, &json!([from(&other, 50_000)])), 422, "account_not_own");
    is(&pay(operator, &order, &json!([from("acc_999999", 50_000)])), 404, "account_unknown");
    is(&pay(operator, &order, &json!([from("wallet", 50_000)])), 400, "field_malformed");
    is(&pay(operator, &order, &json!([from(wallet, 25_000), card])), 422, "instrument_not_allowed");
    is(&pay(operator, &order, &json!([from(wallet, 49_999)])), 422, "order_amount");
    let mut proved = from(wallet, 50_000);
    proved["factors"] = json!("three");
    is(&pay(operator, &order, &json!([proved])), 400, "field_malformed");
    let dear = text(&market.order("T2", 100_001).ok(), "/id");
    is(&pay(operator, &dear, &json!([from(wallet, 100_001)])), 422, "limit_exceeded");
    proved["amount"] = json!(100_001);
    proved["factors"] = json!("two");
    is(&pay(operator, &dear, &json!([proved])), 422, "insufficient_funds");
    assert_eq!(balance(operator, wallet), 100_000);
    assert_eq!(text(&operator.get(&format!("/v1/orders/{order}")).ok(), "/status"), "created");
}

#[test]
fn a_balance_asks_for_the_pay_password_and_a_merchant_takes_none_without() {
    let server = Server::start();
    let (market, wallet) = &open(&server);
    let operator = &market.operator;
    let merchant = client_of(&server, &text(&market.landlord, "/id"));
    let theirs = Theirs::of(operator, "SM2-DER");
    let Some(right) = theirs.seal(b"135790") else { return };
    let wrong = theirs.seal(b"135791").unwrap();
    let instruments = json!([from(wallet, 10_000)]);
    let order = |number: &str| text(&market.order(number, 10_000).ok(), "/id");
    let with = |client: &Client, order: &str, key: &str, password: &str| {
        let body = json!({"instruments": instruments, "pay_password": password});
        theirs.post(client, &format!("/v1/orders/{order}/pay"), key, &body)
    };
    // The institution's programs vouch for a payer without a password; a merchant cannot.
    let first = order("T1");
    is(&pay(&merchant, &first, &instruments), 404, "pay_password_unknown");
    assert_eq!(text(&pay(operator, &first, &instruments).ok(), "/status"), "success");

    let set = json!({"password": right, "agreements": false});
    theirs.post(operator, &format!("/v1/users/{}/pay-password", market.payer), "set", &set).ok();
    let second = order("T2");
    let required = pay(operator, &second, &instruments);
    assert_eq!(required.error().1, "pay_password_required", "{}", required.text());
    let required = pay(&merchant, &second, &instruments);
    assert_eq!(required.error().1, "pay_password_required", "{}", required.text());
    assert_eq!(with(&merchant, &second, "1", &wrong).error().1, "pay_password_wrong");
    assert_eq!(balance(operator, wallet), 90_000);
    assert_eq!(text(&with(&merchant, &second, "2", &right).ok(), "/status"), "success");
    let third = order("T3");
    let mut proved = from(wallet, 10_000);
    proved["factors"] = json!("two_with_certificate");
    is(&pay(&merchant, &third, &json!([proved])), 403, "not_permitted");
    assert_eq!(text(&with(operator, &third, "3", &right).ok(), "/status"), "success");
    assert_eq!(balance(operator, wallet), 70_000);
}
