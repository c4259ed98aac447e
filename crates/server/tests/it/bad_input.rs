//! Bad input costs its sender a clear error and the platform nothing: each refusal has a stable code, names the parameter
//! and says what would be right, and the trial balance stays as it was.

use ark::signing::Stamp;
use serde_json::{Value, json};

use crate::client::{Answer, exchange, now};
use crate::keys::metric;
use crate::open::{Books, account, balance, entry, trial_balance, user, voucher};
use crate::server::Server;

const TODAY: &str = "2026-03-05";

struct Case {
    books: Books,
    before: Value,
}

impl Case {
    fn new(server: &Server) -> Self {
        let books = Books::open(server);
        let before = trial_balance(&books.operator, TODAY);
        Self { books, before }
    }

    /// The answer is this refusal, and the books are as they were.
    #[track_caller]
    fn refused(&self, answer: &Answer, status: u16, code: &str, param: &str) {
        assert_eq!(answer.error(), (status, code.to_owned(), param.to_owned()), "{}", answer.text());
        assert_eq!(trial_balance(&self.books.operator, TODAY)["lines"], self.before["lines"]);
    }

    /// Posts entries by themselves.
    fn entries(&self, number: &str, entries: &[Value]) -> Answer {
        self.books.operator.post("/v1/vouchers", &json!({"business_number": number, "entries": entries}))
    }

    fn voucher(&self, number: &str, debit: &str, credit: &str, amount: impl Into<Value> + Clone) -> Answer {
        self.books.operator.post("/v1/vouchers", &voucher(number, debit, credit, amount))
    }
}

#[test]
fn entries_that_do_not_fit_the_accounts() {
    let server = Server::start();
    let case = Case::new(&server);
    let Books { operator, clearing, rich, poor } = &case.books;
    let dollars = json!({"account": rich, "side": "debit", "amount": 5, "currency": "USD"});
    let unknown = json!({"account": rich, "side": "debit", "amount": 5, "currency": "XAU"});
    let income = crate::open::own(operator, 5001);

    case.refused(&case.voucher("1", "acc_999999", poor, 5), 404, "account_unknown", "account");
    case.refused(&case.voucher("2", "konto-7", poor, 5), 400, "field_malformed", "entries[0].account");
    let answer = case.entries("3", &[dollars, entry(poor, "credit", 5)]);
    case.refused(&answer, 422, "currency_mismatch", "currency");
    let answer = case.entries("4", &[unknown, entry(poor, "credit", 5)]);
    case.refused(&answer, 422, "currency_unknown", "entries[0].currency");
    let answer = case.entries("5", &[entry(rich, "debit", 5), entry(poor, "credit", 6)]);
    case.refused(&answer, 422, "voucher_unbalanced", "entries");
    let answer = case.voucher("6", rich, &income, 5);
    case.refused(&answer, 422, "voucher_unbalanced", "entries");
    case.refused(&case.entries("7", &[entry(rich, "debit", 5)]), 422, "voucher_too_short", "entries");
    case.refused(&case.voucher("8", rich, poor, 0), 422, "amount_not_positive", "amount");
    case.refused(&case.voucher("9", rich, poor, -5), 422, "amount_not_positive", "amount");
    case.refused(&case.voucher("10", clearing, rich, i64::MAX), 422, "amount_overflow", "amount");
    case.refused(&case.voucher("11", poor, rich, 1), 422, "insufficient_funds", "amount");
    case.refused(&case.voucher("12", rich, poor, 100_001), 422, "insufficient_funds", "amount");
    let reserve = crate::open::own(operator, 1101);
    case.refused(&case.voucher("13", &reserve, poor, 5), 422, "subject_not_allowed", "account");
}

#[test]
fn two_currencies_do_not_balance_each_other() {
    let server = Server::start();
    let case = Case::new(&server);
    let operator = &case.books.operator;
    let owner = crate::open::text(&operator.get(&format!("/v1/accounts/{}", case.books.rich)).ok(), "/owner");
    let dollars = account(operator, 2201, "USD", &owner);
    let credit = json!({"account": dollars, "side": "credit", "amount": 5, "currency": "USD"});
    let answer = case.entries("1", &[entry(&case.books.rich, "debit", 5), credit]);
    case.refused(&answer, 422, "voucher_currencies", "entries");
}

#[test]
fn accounts_closed_restricted_or_not_empty() {
    let server = Server::start();
    let case = Case::new(&server);
    let Books { operator, rich, poor, .. } = &case.books;
    let restrict = |in_barred: bool, out_barred: bool| {
        let body = json!({"in_barred": in_barred, "out_barred": out_barred});
        operator.post(&format!("/v1/accounts/{rich}/restriction"), &body).ok();
    };
    restrict(false, true);
    case.refused(&case.voucher("1", rich, poor, 5), 422, "account_restricted", "account");
    restrict(true, false);
    case.refused(&case.voucher("2", &case.books.clearing, rich, 5), 422, "account_restricted", "account");
    restrict(false, false);
    case.refused(
        &operator.post(&format!("/v1/accounts/{rich}/close"), &json!({})),
        422,
        "account_not_empty",
        "account",
    );
    operator.post(&format!("/v1/accounts/{poor}/close"), &json!({})).ok();
    case.refused(&case.voucher("3", rich, poor, 5), 422, "account_closed", "account");
}

#[test]
fn days_that_take_no_postings() {
    let server = Server::start();
    let case = Case::new(&server);
    let Books { operator, rich, poor, .. } = &case.books;
    let dated = |number: &str, date: &str| {
        let mut body = voucher(number, rich, poor, 5);
        body["date"] = date.into();
        operator.post("/v1/vouchers", &body)
    };
    case.refused(&dated("1", "2026-03-06"), 422, "day_not_open", "date");
    case.refused(&dated("2", "2026-02-30"), 400, "field_malformed", "date");
    operator.post("/v1/days/cut", &json!({})).ok();
    case.refused(&dated("3", TODAY), 422, "day_closed", "date");
    case.refused(&operator.post("/v1/days/cut", &json!({"next": TODAY})), 422, "day_state", "next");
    dated("4", "2026-03-06").ok();
}

#[test]
fn keys_used_again_with_other_content() {
    let server = Server::start();
    let case = Case::new(&server);
    let Books { operator, rich, poor, .. } = &case.books;
    let path = "/v1/vouchers";
    let refused = operator.post_keyed(path, "k-refused", &voucher("r", poor, rich, 5));
    case.refused(&refused, 422, "insufficient_funds", "amount");
    // A refusal that hangs on the state binds its key: it is answered again even once there is money.
    let accepted = operator.post_keyed(path, "k-1", &voucher("n-1", rich, poor, 10)).ok();
    let case = Case { before: trial_balance(operator, TODAY), books: case.books };
    let Books { operator, rich, poor, .. } = &case.books;
    let again = operator.post_keyed(path, "k-refused", &voucher("r", poor, rich, 5));
    assert!(!again.text().is_empty());
    case.refused(&again, 422, "insufficient_funds", "amount");

    let again = operator.post_keyed(path, "k-1", &voucher("n-1", rich, poor, 10));
    assert_eq!(again.ok(), accepted);
    assert!(again.repeated());
    let other = operator.post_keyed(path, "k-1", &voucher("n-1", rich, poor, 11));
    case.refused(&other, 409, "key_reused", "Idempotency-Key");
    // The business number binds by itself, whatever the Idempotency-Key.
    assert_eq!(operator.post_keyed(path, "k-2", &voucher("n-1", rich, poor, 10)).ok(), accepted);
    let other = operator.post_keyed(path, "k-3", &voucher("n-1", rich, poor, 11));
    case.refused(&other, 409, "key_reused", "business_number");
    let missing = operator.send("POST", path, &[], voucher("n-2", rich, poor, 5).to_string().as_bytes());
    case.refused(&missing, 400, "idempotency_key_missing", "Idempotency-Key");
    let long = "x".repeat(129);
    let wrong = operator.post_keyed(path, &long, &voucher("n-3", rich, poor, 5));
    case.refused(&wrong, 400, "idempotency_key_malformed", "Idempotency-Key");
}

#[test]
fn numbers_of_a_stream_used_again() {
    let server = Server::start();
    let books = Books::open(&server);
    let posting = |number: u64, amount: i64| {
        let entries = [entry(&books.rich, "debit", amount), entry(&books.poor, "credit", amount)];
        let body = json!({"stream": "rent", "number": number, "vouchers": [{"entries": entries}]});
        books.operator.send("POST", "/v1/postings", &[], body.to_string().as_bytes())
    };
    let first = posting(1, 1).ok();
    assert_eq!(posting(1, 1).ok(), first);
    for number in 2..=20 {
        posting(number, 1).ok();
    }
    let case = Case { before: trial_balance(&books.operator, TODAY), books };
    let posting = |number: u64, amount: i64| {
        let entries = [entry(&case.books.rich, "debit", amount), entry(&case.books.poor, "credit", amount)];
        let body = json!({"stream": "rent", "number": number, "vouchers": [{"entries": entries}]});
        case.books.operator.send("POST", "/v1/postings", &[], body.to_string().as_bytes())
    };
    case.refused(&posting(20, 2), 409, "key_reused", "number");
    case.refused(&posting(1, 1), 409, "number_expired", "number");
    assert_eq!(balance(&case.books.operator, &case.books.poor), 20);
}

#[test]
fn bodies_that_do_not_read() {
    let server = Server::start();
    let case = Case::new(&server);
    let Books { operator, rich, poor, .. } = &case.books;
    case.refused(&case.voucher("1", rich, poor, 12.5), 400, "amount_not_whole", "entries[0].amount");
    case.refused(&case.voucher("2", rich, poor, 5.0), 400, "amount_not_whole", "entries[0].amount");
    case.refused(&case.voucher("3", rich, poor, "5"), 400, "amount_not_whole", "entries[0].amount");
    case.refused(&case.voucher("4", rich, poor, u64::MAX), 400, "amount_overflow", "entries[0].amount");
    let mut body = voucher("5", rich, poor, 5);
    body["entries"][1]["memo"] = "rent".into();
    case.refused(&operator.post("/v1/vouchers", &body), 400, "field_unknown", "entries[1].memo");
    let body = json!({"business_number": "6"});
    case.refused(&operator.post("/v1/vouchers", &body), 400, "field_missing", "entries");
    let key = [("idempotency-key", "raw")];
    let twice = format!("{0}{0}", voucher("7", rich, poor, 5));
    for body in ["", "{", "[1,", "{\"entries\": nope}", &twice] {
        let answer = operator.send("POST", "/v1/vouchers", &key, body.as_bytes());
        case.refused(&answer, 400, "json_malformed", "body");
    }
    case.refused(&operator.get("/v1/holds?state=open"), 400, "field_unknown", "state");
    case.refused(&operator.get("/v1/holds?limit=0"), 400, "field_malformed", "limit");
    case.refused(&operator.get("/v1/holds?limit=many"), 400, "field_malformed", "limit");
    case.refused(&operator.get(&format!("/v1/accounts/{rich}/statement?from=2026-03-05")), 400, "field_missing", "to");
    case.refused(&operator.get("/v1/holds?cursor=7"), 400, "cursor_malformed", "cursor");
    case.refused(&operator.get("/v1/accounts/ord_7"), 400, "field_malformed", "id");
}

#[test]
fn postings_in_cbor_that_do_not_read() {
    let server = Server::start();
    let case = Case::new(&server);
    let send =
        |body: &[u8]| case.books.operator.send("POST", "/v1/postings", &[("content-type", "application/cbor")], body);
    let whole = minicbor::to_vec(("rent", 1_u64, false, [(0_u8, [(2_u64, 0_u8, 5_i64, 0_u8); 2])])).unwrap();
    let mut long = whole.clone();
    long.push(0);
    let decimals = minicbor::to_vec(("rent", 1_u64, false, [(0_u8, [(2_u64, 0_u8, 5.5_f64, 0_u8); 2])])).unwrap();
    for body in [b"".as_slice(), b"\xff", b"{}", &whole[..whole.len() - 1], &long, &decimals] {
        case.refused(&send(body), 400, "cbor_malformed", "body");
    }
}

#[test]
fn bodies_over_the_limit() {
    let server = Server::start();
    let case = Case::new(&server);
    let operator = &case.books.operator;
    // Who says so beforehand hears it before sending anything.
    let header = operator.authorization(Stamp::random(now()).unwrap(), "POST", "/v1/vouchers", b"");
    let headers = [("authorization", header.as_str()), ("content-length", "33554433")];
    let answer = exchange(server.address(), "POST", "/v1/vouchers", &headers, b"").unwrap();
    case.refused(&answer, 413, "body_too_large", "body");
}

#[test]
fn signatures_that_do_not_hold() {
    let server = Server::start();
    let case = Case::new(&server);
    let operator = &case.books.operator;
    let target = "/v1/rates";
    let ask = |authorization: Option<&str>| {
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        exchange(server.address(), "GET", target, &headers, b"").unwrap()
    };
    let signed = |seconds: u64| operator.authorization(Stamp::random(seconds).unwrap(), "GET", target, b"");

    case.refused(&ask(None), 401, "signature_missing", "Authorization");
    case.refused(&ask(Some("Bearer token")), 401, "signature_malformed", "Authorization");
    case.refused(&ask(Some(&signed(now() - 400))), 401, "signature_stale", "timestamp");
    case.refused(&ask(Some(&signed(now() + 400))), 401, "signature_stale", "timestamp");
    let other = operator.authorization(Stamp::random(now()).unwrap(), "GET", "/v1/days", b"");
    case.refused(&ask(Some(&other)), 401, "signature_mismatch", "signature");
    let stranger = crate::client::Client::new(server.address(), "operator", ark::MacKey::generate().unwrap());
    case.refused(&stranger.get(target), 401, "signature_mismatch", "signature");

    let once = signed(now());
    assert_eq!(ask(Some(&once)).status, 200);
    case.refused(&ask(Some(&once)), 401, "nonce_reused", "nonce");

    // Each is counted by its reason, and written down with the id that it claims.
    let reasons = [("missing", 1), ("malformed", 1), ("stale", 2), ("mismatch", 2)];
    for (reason, count) in reasons.map(|(reason, count)| (format!("signature_{reason}"), count)) {
        let name = format!("lintel_signatures_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(operator, &name) as u64, count, "{reason}");
    }
    let name = "lintel_signatures_refused_total{reason=\"nonce_reused\"}";
    assert_eq!(metric(operator, name) as u64, 1);
    let log = server.log();
    for words in ["the signature of a request is refused", "nonce_reused", "signature_mismatch"] {
        assert!(log.contains(words), "{words}");
    }
}

/// Files: one that does not read is refused whole, and what one says besides the books is told line by line.
#[test]
fn files_that_are_wrong_are_alarms() {
    let server = Server::start();
    let case = Case::new(&server);
    let operator = &case.books.operator;
    let answer = operator.post("/v1/card-clearing", &json!({"file": "a file that is cut off"}));
    case.refused(&answer, 400, "field_malformed", "file");
    let refused = "lintel_files_refused_total{rail=\"card_network\",file=\"card_clearing\"}";
    assert_eq!(metric(operator, refused) as u64, 1);

    let line = json!({"serial": "2026030500000000000000420000042", "kind": "debit", "amount": 500, "currency": "CNY"});
    let file = json!({"rail": "epcc", "date": TODAY, "part": 1, "last": true, "lines": [line]});
    let taken = operator.post_keyed("/v1/clearing", "file", &file).ok();
    assert_eq!(taken["differences"][0]["kind"], "unknown_serial");
    assert!(operator.post_keyed("/v1/clearing", "file", &file).repeated());
    let differs = "lintel_clearing_differences_total{rail=\"epcc\",kind=\"unknown_serial\"}";
    assert_eq!(metric(operator, differs) as u64, 1);
    assert_eq!(trial_balance(operator, TODAY)["lines"], case.before["lines"]);
    let log = server.log();
    for words in ["a file is refused; nothing of it is booked", "a clearing file and the books differ"] {
        assert!(log.contains(words), "{words}");
    }
}

#[test]
fn merchants_keep_to_what_is_theirs() {
    let server = Server::start();
    let case = Case::new(&server);
    let operator = &case.books.operator;
    let own = crate::open::merchant(operator, "landlord", "王五", "110105194912310046");
    let other = crate::open::merchant(operator, "landlord", "赵六", "110105194912310054");
    let (own_id, other_id) = (crate::open::text(&own, "/id"), crate::open::text(&other, "/id"));
    let key = operator.post(&format!("/v1/merchants/{own_id}/key"), &json!({})).ok();
    let key = ark::MacKey::from_hex(&crate::open::text(&key, "/secret")).unwrap();
    let merchant = crate::client::Client::new(server.address(), &own_id, key);

    merchant.get(&format!("/v1/merchants/{own_id}")).ok();
    merchant.get(&format!("/v1/accounts/{}", crate::open::text(&own, "/pending"))).ok();
    let payer = user(operator, &crate::open::customer(operator, "钱七", "110105194912310062"));
    let order = |merchant: &str| {
        let items = json!([{"kind": "rent", "amount": 500_000}]);
        json!({"merchant": merchant, "out_trade_no": "T1", "payer": payer, "items": items, "currency": "CNY"})
    };
    merchant.post("/v1/orders", &order(&own_id)).ok();
    let foreign = crate::open::text(&operator.post("/v1/orders", &order(&other_id)).ok(), "/id");
    let account = crate::open::text(&other, "/pending");
    for path in [
        format!("/v1/merchants/{other_id}"),
        format!("/v1/accounts/{account}"),
        format!("/v1/accounts/{account}/statement?from=2026-03-05&to=2026-03-05"),
        format!("/v1/orders/{foreign}"),
        format!("/v1/orders?merchant={other_id}"),
        format!("/v1/accounts?owner={other_id}"),
        "/v1/payouts".to_owned(),
        "/v1/refunds".to_owned(),
        "/v1/days".to_owned(),
        "/v1/attempts".to_owned(),
        "/v1/customers".to_owned(),
    ] {
        case.refused(&merchant.get(&path), 403, "not_permitted", "");
    }
    for (path, body) in [
        (format!("/v1/orders/{foreign}/close"), json!({})),
        (format!("/v1/merchants/{own_id}/key"), json!({})),
        ("/v1/orders".to_owned(), order(&other_id)),
        ("/v1/vouchers".to_owned(), voucher("x", &case.books.rich, &case.books.poor, 5)),
        ("/v1/sandbox/clock".to_owned(), json!({"now": "2026-03-06T09:00:00+08:00"})),
        ("/v1/days/cut".to_owned(), json!({})),
    ] {
        case.refused(&merchant.post(&path, &body), 403, "not_permitted", "");
    }
}
