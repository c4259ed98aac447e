//! The cashier: a merchant opens a session, and a payer without any key looks, chooses, proves and pays by the token alone.

use serde_json::{Value, json};

use crate::client::{Answer, Client, exchange};
use crate::epcc::Epcc;
use crate::front_page::{form_of, posted};
use crate::keys::metric;
use crate::open::{account, balance, holds_digits, own, text, voucher};
use crate::orders::Market;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::staff::client_of;

/// The market's payer.
const NAME: &str = "钱七";
const NUMBER: &str = "110105194912310062";
const PHONE: &str = "13800138000";

/// Who has the token of an order.
pub(crate) struct Payer {
    address: String,
    order: String,
    token: String,
}

impl Payer {
    /// The session that a merchant's server opens for this many seconds.
    pub(crate) fn of(server: &Server, merchant: &Client, order: &str, seconds: i64) -> Self {
        let body = json!({ "expires_in_seconds": seconds });
        let session = merchant.post(&format!("/v1/orders/{order}/cashier-sessions"), &body).ok();
        assert_eq!(text(&session, "/order"), order);
        Self { address: server.address().to_owned(), order: order.to_owned(), token: text(&session, "/token") }
    }

    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let authorization = format!("LINTEL-CASHIER token=\"{}\"", self.token);
        let headers: Vec<_> = headers.iter().copied().chain([("authorization", authorization.as_str())]).collect();
        exchange(&self.address, method, target, &headers, body).expect("the server answers")
    }

    fn path(&self) -> String {
        format!("/v1/cashier/orders/{}", self.order)
    }

    pub(crate) fn get(&self, rest: &str) -> Answer {
        self.send("GET", &format!("{}{rest}", self.path()), &[], b"")
    }

    pub(crate) fn pay(&self, key: &str, serial: &str, body: &Value) -> Answer {
        let headers = [("idempotency-key", key), ("lintel-encryption-serial", serial)];
        let headers = if serial.is_empty() { &headers[..1] } else { &headers[..] };
        self.send("POST", &format!("{}/pay?wait=30", self.path()), headers, body.to_string().as_bytes())
    }
}

#[track_caller]
pub(crate) fn is(answer: &Answer, status: u16, code: &str) {
    let (found, name, _) = answer.error();
    assert_eq!((found, name.as_str()), (status, code), "{}", answer.text());
}

/// The institution's money at EPCC.
fn clearing(operator: &Client) -> i64 {
    balance(operator, &own(operator, 1121))
}

/// Has a card of the market's payer signed at EPCC, which is this channel; its id.
pub(crate) fn signed(
    (epcc, channel): (&Epcc, &str),
    theirs: &Theirs,
    client: &Client,
    payer: &str,
    account: &str,
) -> String {
    signed_as((epcc, channel), theirs, client, payer, (account, false))
}

/// The same of a card that is a credit card, or is not.
pub(crate) fn signed_as(
    (epcc, channel): (&Epcc, &str),
    theirs: &Theirs,
    client: &Client,
    payer: &str,
    (account, credit): (&str, bool),
) -> String {
    let seal = |text: &str| theirs.seal(text.as_bytes()).unwrap();
    let elements = json!({
        "payer": payer, "rail": channel, "bank": "102100099996", "credit": credit, "account": seal(account),
        "name": seal(NAME), "certificate": seal(NUMBER), "phone": seal(PHONE),
    });
    let signing = theirs.post(client, "/v1/sign-ups", &format!("{channel}-{account}"), &elements).ok();
    let id = text(&signing, "/id");
    let path = format!("/sandbox/epcc/sms?transaction={}", text(&signing, "/serial"));
    let code = text(&epcc.asked("GET", &path, &Value::Null), "/code");
    let done = theirs.post(client, &format!("/v1/sign-ups/{id}/confirm"), &id, &json!({"code": seal(&code)})).ok();
    assert_eq!(text(&done, "/status"), "signed");
    id
}

#[test]
fn a_payer_sees_its_cards_proves_itself_and_pays_once() {
    let Some(epcc) = Epcc::start() else { return };
    let server = epcc.platform();
    let market = Market::open(&server);
    let operator = &market.operator;
    let theirs = Theirs::of(operator, "SM2-DER");
    if theirs.seal(b"1").is_none() {
        return;
    }
    let seal = |text: &str| theirs.seal(text.as_bytes()).unwrap();
    let landlord = client_of(&server, &text(&market.landlord, "/id"));
    let agent = client_of(&server, &text(market.agent(), "/id"));
    let at = (&epcc, "epcc");
    let card = signed(at, &theirs, &landlord, &market.payer, "6222020200112233445");
    let of_another = signed(at, &theirs, &agent, &market.payer, "6222020200119988776");
    let password = json!({"password": seal("135790"), "agreements": true});
    theirs.post(operator, &format!("/v1/users/{}/pay-password", market.payer), "set", &password).ok();

    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let payer = Payer::of(&server, &landlord, &order, 600);
    let seen = payer.get("");
    let shown = seen.ok();
    assert_eq!((text(&shown, "/status"), &shown["amount"]), ("created".into(), &json!(500_000)));
    assert_eq!((&shown["payable"], &shown["fee"]), (&json!(500_000), &json!(0)), "the merchant bears the fee");
    assert_eq!(shown["items"], json!([{"kind": "rent", "amount": 500_000}]));
    assert_eq!(shown["allowed_actions"], json!(["pay"]));
    assert_eq!(text(&shown, "/session_expires_at"), "2026-03-05T01:10:00Z");
    let listed = payer.get("/instruments");
    let list = listed.ok();
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|one| text(one, "/id")).collect();
    assert_eq!(ids, [card.as_str(), "page_epcc"], "what was signed for another merchant is not shown");
    let first = &list["data"][0];
    assert_eq!((text(first, "/mask"), &first["needs"]), ("622202*********3445".into(), &json!(["pay_password"])));
    let keys = list["encryption_keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["serial_no"] == theirs.serial.as_str()), "{list}");
    for (answer, body) in [(&seen, seen.text()), (&listed, list["data"].to_string())] {
        assert!([NAME, NUMBER, PHONE, "SGN", "usr_"].iter().all(|personal| !body.contains(personal)), "{body}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!((answer.header("cache-control"), answer.header("lintel-signature")), (Some("no-store"), None));
    }

    let pay = |key: &str, id: &str, password: Option<&str>| {
        let mut body = json!({"instruments": [{ "id": id }]});
        if let Some(password) = password {
            body["pay_password"] = json!(seal(password));
        }
        payer.pay(key, &theirs.serial, &body)
    };
    is(&pay("0", &of_another, Some("135790")), 404, "cashier_instrument_unknown");
    is(&pay("1", &card, None), 403, "pay_password_required");
    is(&pay("1", &card, Some("246801")), 403, "pay_password_wrong");
    assert_eq!(clearing(operator), 0);
    let paid = pay("1", &card, Some("135790"));
    assert_eq!((text(&paid.ok(), "/status"), paid.repeated()), ("success".into(), false));
    // The same key is the same payment, by another token of the order too; another key finds the order ended.
    let again = pay("1", &card, Some("135790"));
    assert!(again.repeated() && text(&again.ok(), "/status") == "success", "{}", again.text());
    is(&pay("2", &card, Some("135790")), 409, "cashier_order_ended");
    is(&payer.get("/instruments"), 409, "cashier_order_ended");
    is(&payer.get("/front-page"), 409, "cashier_order_ended");
    assert_eq!(text(&payer.get("?wait=5").ok(), "/legs/0/status"), "captured", "its end can still be seen");
    is(&landlord.post(&format!("/v1/orders/{order}/cashier-sessions"), &json!({})), 422, "order_state");
    assert_eq!(clearing(operator), 500_000);
    let (log, rows) = (server.log(), operator.get("/v1/journal?limit=500").text());
    assert!(!log.contains(&payer.token) && !rows.contains(&payer.token), "the token");
    for password in ["135790", "246801"] {
        assert!(!holds_digits(&log, password) && !holds_digits(&rows, password), "{password}");
    }
}

#[test]
fn a_payer_is_led_to_the_channels_page_and_waits_for_its_word() {
    let Some(epcc) = Epcc::start() else { return };
    let server = epcc.platform();
    let market = Market::open(&server);
    let landlord = client_of(&server, &text(&market.landlord, "/id"));
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let payer = Payer::of(&server, &landlord, &order, 3_600);
    let body = json!({"instruments": [{"id": "page_epcc", "return_url": "https://shop.example/T1?a=1"}]});
    let pay = |key: &str| {
        let headers = [("idempotency-key", key)];
        payer.send("POST", &format!("{}/pay", payer.path()), &headers, body.to_string().as_bytes())
    };
    is(&payer.get("/front-page"), 422, "order_state");
    let paying = pay("1").ok();
    assert_eq!((text(&paying, "/legs/0/type"), &paying["trying"]), ("redirect".into(), &json!(true)));
    assert_eq!(paying["allowed_actions"], json!(["front_page"]));
    // Another session of the order, and the same key: one payment, and no second beside it.
    let second = Payer::of(&server, &landlord, &order, 60);
    let headers = [("idempotency-key", "1")];
    let repeated = second.send("POST", &format!("{}/pay", second.path()), &headers, body.to_string().as_bytes());
    assert!(repeated.repeated() && repeated.ok()["legs"].as_array().unwrap().len() == 1, "{}", repeated.text());
    is(&pay("2"), 422, "order_state");

    let page = payer.send("GET", &format!("{}/front-page", payer.path()), &[("accept", "text/html")], b"");
    let (action, fields) = form_of(&page.text());
    assert_eq!(action, format!("http://{}/gateway", epcc.0.addresses[0]));
    let serial = text(&payer.get("/front-page").ok(), "/serial");
    let browse = |target: &str, fields: &[(String, String)]| {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        exchange(&epcc.0.addresses[0], "POST", target, &headers, posted(fields).as_bytes()).unwrap()
    };
    assert!(browse("/gateway", &fields).text().contains("5000.00"));
    let click = [("transaction".to_owned(), serial), ("action".to_owned(), "pay".to_owned())];
    assert!(browse("/gateway/pay", &click).text().contains("https://shop.example/T1?a=1"));
    assert_eq!(text(&payer.get("?wait=30").ok(), "/status"), "success");
    assert_eq!(clearing(&market.operator), 500_000);
}

/// What does not fit is refused by name, and nothing was begun.
fn refused_by_name(payer: &Payer, body: &Value) {
    is(
        &payer.send("POST", &format!("{}/pay", payer.path()), &[], body.to_string().as_bytes()),
        400,
        "idempotency_key_missing",
    );
    for (part, status, code) in [
        (json!({"id": "sgn_1"}), 404, "cashier_instrument_unknown"),
        (json!({"id": "page_epcc"}), 404, "cashier_instrument_unknown"),
        (json!({"id": "fund", "contract": "L1"}), 404, "cashier_instrument_unknown"),
        (json!({"id": "sgn_1", "contract": "L1"}), 400, "field_malformed"),
        (json!({"id": "sgn_1", "agreement": "A1"}), 400, "field_unknown"),
    ] {
        is(&payer.pay("1", "", &json!({"instruments": [part]})), status, code);
    }
    let listed = payer.get("/instruments").ok();
    assert_eq!(listed["data"], json!([]), "no channel is configured");
}

/// A page of any origin may ask; what it may send is said before.
fn open_to_browsers(address: &str, payer: &Payer, forged: &Payer) {
    let asked = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
    let allowed = exchange(address, "OPTIONS", &format!("{}/pay", payer.path()), &asked, b"").unwrap();
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some("*")));
    let headers = allowed.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("authorization") && headers.contains("idempotency-key"), "{headers}");
    let refused = forged.get("");
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"), "a browser reads errors too");
}

#[test]
fn what_is_forged_expired_or_of_another_order_opens_nothing() {
    let mut server = Server::start();
    let market = Market::open(&server);
    let landlord = client_of(&server, &text(&market.landlord, "/id"));
    let agent = client_of(&server, &text(market.agent(), "/id"));
    let [order, other] = ["T1", "T2"].map(|number| text(&market.order(number, 500_000).ok(), "/id"));
    let mut payer = Payer::of(&server, &landlord, &order, 1_800);
    let short = Payer::of(&server, &landlord, &other, 60);
    assert_ne!(payer.token, Payer::of(&server, &landlord, &order, 1_800).token);

    let sessions = format!("/v1/orders/{order}/cashier-sessions");
    is(&agent.post(&sessions, &json!({})), 403, "not_permitted");
    for seconds in [0, 59, 86_401, -1, i64::MAX] {
        is(&landlord.post(&sessions, &json!({ "expires_in_seconds": seconds })), 400, "field_malformed");
    }
    // The token at routes that ask for signatures, and a signature where a token is asked for.
    for target in [format!("/v1/orders/{order}"), "/v1/orders".to_owned(), "/v1/platform-keys".to_owned()] {
        is(&payer.send("GET", &target, &[], b""), 401, "signature_malformed");
    }
    let body = json!({"instruments": [{"id": "sgn_1"}]});
    let at = format!("/v1/orders/{order}/pay");
    let keyed = [("idempotency-key", "1")];
    is(&payer.send("POST", &at, &keyed, body.to_string().as_bytes()), 401, "signature_malformed");
    is(&landlord.get(&payer.path()), 401, "cashier_token_missing");
    is(&landlord.get(&format!("{}?token={}", payer.path(), payer.token)), 401, "cashier_token_missing");

    let with = |order: &str, token: &str| Payer {
        address: server.address().to_owned(),
        order: order.to_owned(),
        token: token.to_owned(),
    };
    let letter = if payer.token[20..].starts_with('A') { 'B' } else { 'A' };
    let touched = format!("{}{letter}{}", &payer.token[..20], &payer.token[21..]);
    for forged in [touched.as_str(), "", "x", &payer.token[1..], &payer.token[..80]] {
        is(&with(&order, forged).get(""), 401, "cashier_token_invalid");
    }
    for rest in ["", "/instruments", "/front-page"] {
        is(&with(&other, &payer.token).get(rest), 403, "cashier_token_other_order");
    }
    is(&with(&other, &payer.token).pay("1", "", &body), 403, "cashier_token_other_order");

    refused_by_name(&payer, &body);
    open_to_browsers(server.address(), &payer, &with(&order, "x"));

    // Its time is over by the books' clock; and a restart changes nothing of what is not.
    short.get("").ok();
    market.operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T09:01:00+08:00"})).ok();
    is(&short.get(""), 401, "cashier_token_expired");
    let metrics = market.operator.get("/metrics").text();
    for reason in ["missing", "invalid", "expired", "other_order"] {
        let line = format!("lintel_cashier_tokens_refused_total{{reason=\"cashier_token_{reason}\"}}");
        assert!(metric(&market.operator, &line) > 0.5, "{line} is not in\n{metrics}");
    }
    assert!(metric(&market.operator, "lintel_cashier_sessions_total") > 2.5, "{metrics}");
    assert!(!server.log().contains(&payer.token), "the token is in the log");
    server.kill();
    server.start_again();
    server.address().clone_into(&mut payer.address);
    assert_eq!(text(&payer.get("").ok(), "/status"), "created");
    server.operator().post(&format!("/v1/orders/{order}/close"), &json!({})).ok();
    assert_eq!(text(&payer.get("").ok(), "/status"), "closed");
    is(&payer.get("/instruments"), 409, "cashier_order_ended");
    is(&server.operator().post(&sessions, &json!({})), 422, "order_state");
}

#[test]
fn the_fund_is_listed_for_rent_and_takes_its_lease() {
    let Some(centre) = crate::fund_batches::centre("result_after = 1") else { return };
    let server = crate::fund_batches::platform(&centre.addresses[0], "");
    let market = Market::open(&server);
    let landlord = client_of(&server, &text(&market.landlord, "/id"));
    let order = text(&market.order("T1", 5_000).ok(), "/id");
    let payer = Payer::of(&server, &landlord, &order, 600);
    let listed = payer.get("/instruments").ok();
    let fund = listed["data"].as_array().unwrap().iter().find(|one| one["id"] == "fund").expect("the fund is listed");
    assert_eq!((&fund["amount_max"], &fund["needs"]), (&json!(5_000), &json!(["contract"])));
    let pay = |part: Value| payer.pay("1", "", &json!({"instruments": [part]}));
    assert_eq!(pay(json!({"id": "fund"})).error(), (400, "field_missing".into(), "instruments[0].contract".into()));
    is(&pay(json!({"id": "fund", "contract": "L1", "return_url": "https://shop.example/"})), 400, "field_malformed");
    let two = json!({"instruments": [{"id": "fund", "contract": "L1"}, {"id": "fund", "contract": "L2"}]});
    assert_eq!(payer.pay("1", "", &two).error(), (400, "field_missing".into(), "instruments[0].amount".into()));
    let paying = pay(json!({"id": "fund", "contract": "L1"})).ok();
    assert_eq!((text(&paying, "/legs/0/type"), &paying["legs"][0]["amount"]), ("fund".into(), &json!(5_000)));
}

#[test]
fn a_balance_is_listed_where_a_password_can_prove_it_and_pays_at_once() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    let theirs = Theirs::of(operator, "SM2-DER");
    let (Some(right), Some(wrong)) = (theirs.seal(b"135790"), theirs.seal(b"246801")) else { return };
    let landlord = client_of(&server, &text(&market.landlord, "/id"));
    let session = |number: &str, amount: i64| {
        let order = text(&market.order(number, amount).ok(), "/id");
        Payer::of(&server, &landlord, &order, 600)
    };
    let pay = |payer: &Payer, key: &str, password: Option<&str>| {
        let mut body = json!({"instruments": [{"id": "balance"}]});
        if let Some(password) = password {
            body["pay_password"] = json!(password);
        }
        payer.pay(key, &theirs.serial, &body)
    };
    let payer = session("T1", 50_000);
    let listed = |payer: &Payer| payer.get("/instruments").ok()["data"].clone();
    let wallet = account(operator, 2201, "CNY", &market.payer);
    operator.post("/v1/vouchers", &voucher("opening", &own(operator, 1121), &wallet, 61_234)).ok();
    assert_eq!(listed(&payer), json!([]), "nothing could prove that it is the payer who asks");
    is(&pay(&payer, "0", None), 404, "cashier_instrument_unknown");

    let set = json!({"password": right, "agreements": false});
    theirs.post(operator, &format!("/v1/users/{}/pay-password", market.payer), "set", &set).ok();
    let offered = listed(&payer);
    let one = &offered[0];
    assert_eq!(offered.as_array().unwrap().len(), 1);
    assert_eq!((&one["id"], &one["type"], &one["rail"]), (&json!("balance"), &json!("balance"), &json!("balance")));
    assert_eq!((&one["amount_max"], &one["needs"]), (&json!(50_000), &json!(["pay_password"])));
    assert!(!offered.to_string().contains(&wallet) && !offered.to_string().contains("61234"), "{offered}");
    is(&pay(&payer, "1", None), 403, "pay_password_required");
    is(&pay(&payer, "1", Some(&wrong)), 403, "pay_password_wrong");
    let with = json!({"instruments": [{"id": "balance", "contract": "L1"}], "pay_password": right});
    is(&payer.pay("1", &theirs.serial, &with), 400, "field_malformed");
    assert_eq!(balance(operator, &wallet), 61_234);
    let paid = pay(&payer, "2", Some(&right));
    assert_eq!((text(&paid.ok(), "/status"), paid.repeated()), ("success".into(), false));
    // Its answer was lost: the same again is the same payment, though there is not so much left.
    let again = pay(&payer, "2", Some(&right));
    assert!(again.repeated() && text(&again.ok(), "/status") == "success", "{}", again.text());
    assert_eq!(balance(operator, &wallet), 11_234);

    // The list does not tell how much there is; who proves to be the payer hears that it is too little.
    let dear = session("T2", 11_235);
    assert_eq!(listed(&dear)[0]["amount_max"], json!(11_235));
    is(&pay(&dear, "3", None), 403, "pay_password_required");
    is(&pay(&dear, "3", Some(&right)), 422, "insufficient_funds");
    assert_eq!((balance(operator, &wallet), text(&dear.get("").ok(), "/status")), (11_234, "created".into()));
}

#[test]
fn the_command_line_opens_a_session() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let output = server.lintel(&["order", "cashier", &order, "--seconds", "60", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let session: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(text(&session, "/expires_at"), "2026-03-05T01:01:00Z");
    let payer = Payer { address: server.address().to_owned(), order, token: text(&session, "/token") };
    assert_eq!(text(&payer.get("").ok(), "/status"), "created");
}
