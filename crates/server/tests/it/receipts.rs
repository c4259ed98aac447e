//! Electronic receipts: `openssl` verifies what the platform signed, anyone has a receipt verified, and what happens to its
//! object later is told and changes nothing of it.

use serde_json::{Value, json};

use crate::card_losses::{sell, signed_in};
use crate::card_network::{Network, has_key};
use crate::certificates::{Pair, SM2};
use crate::client::exchange;
use crate::open::{merchant, number, text};
use crate::orders::Market;
use crate::server::Server;
use crate::staff::client_of;

/// What anyone is told of a receipt, without a signature of its own.
pub(crate) fn verified(server: &Server, receipt: &Value) -> Value {
    let held = json!({
        "content": receipt["content"], "serial_no": receipt["serial_no"], "signature": receipt["signature"],
    });
    let headers = [("Content-Type", "application/json")];
    let body = held.to_string();
    exchange(server.address(), "POST", "/v1/receipts/verify", &headers, body.as_bytes()).unwrap().ok()
}

fn changed(receipt: &Value, field: &str, from: &str, to: &str) -> Value {
    let mut other = receipt.clone();
    let before = text(receipt, &format!("/{field}"));
    let after = before.replace(from, to);
    assert_ne!(after, before);
    other[field] = json!(after);
    other
}

/// A payout of 1,000.00 that arrived.
fn arrived(market: &Market) -> String {
    let operator = &market.operator;
    let body = json!({
        "account": text(&market.landlord, "/available"), "to": {"type": "settlement"}, "amount": 100_000,
        "currency": "CNY", "send_now": true,
    });
    let sent = operator.post("/v1/payouts", &body).ok();
    assert_eq!(operator.get(&format!("/v1/receipts/{}", text(&sent, "/id"))).error().1, "receipt_not_yet");
    market.cleared("2026-03-06", 1, &market.serial(&text(&sent, "/attempt")), "pay", 100_000);
    text(&sent, "/id")
}

#[test]
fn a_receipt_is_the_same_for_ever_and_says_how_its_object_stands_now() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    let unpaid = text(&market.order("T0", 5_000).ok(), "/id");
    let refused = operator.get(&format!("/v1/receipts/{unpaid}"));
    assert_eq!(refused.error().1, "receipt_not_yet");
    assert_eq!(operator.get("/v1/receipts/acc_1").error(), (400, "field_malformed".into(), "id".into()));
    assert_eq!(operator.get("/v1/receipts/ord_999").status, 404);

    let order = text(&market.paid(), "/id");
    let path = format!("/v1/receipts/{order}");
    let receipt = operator.get(&path).ok();
    let said = &receipt["receipt"];
    assert_eq!(
        (number(said, "/amount"), text(said, "/number"), text(said, "/kind")),
        (500_000, "T1".into(), "order".into())
    );
    assert_eq!((text(said, "/payer/name"), text(said, "/payee/name")), ("钱*".into(), text(&market.landlord, "/name")));
    assert_eq!(operator.get(&path).ok()["content"], receipt["content"]);
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "success", "given_back": 0}));

    // Openssl verifies it by the platform's key alone, and makes the same digest.
    if let Some(openssl) = Pair::new(SM2) {
        let keys = operator.get("/v1/platform-keys").ok();
        let key = keys["data"].as_array().unwrap().iter().find(|key| key["serial_no"] == receipt["serial_no"]).unwrap();
        let (content, signature) = (text(&receipt, "/content"), text(&receipt, "/signature"));
        assert!(openssl.verifies(&text(key, "/public_key"), content.as_bytes(), &signature));
        assert!(!openssl.verifies(
            &text(key, "/public_key"),
            content.replace("500000", "500001").as_bytes(),
            &signature
        ));
    }

    // A refund changes no receipt, and is told.
    let refund = json!({"out_refund_no": "F1", "amount": 250_000});
    let refund = operator.post(&format!("/v1/orders/{order}/refunds"), &refund).ok();
    market.cleared("2026-03-05", 2, &market.serial(&text(&refund, "/parts/0/attempt")), "refund", 250_000);
    assert_eq!(operator.get(&path).ok()["content"], receipt["content"]);
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "success", "given_back": 250_000}));
    let back = operator.get(&format!("/v1/receipts/{}", text(&refund, "/id"))).ok();
    assert_eq!((text(&back, "/receipt/about"), text(&back, "/receipt/payee/name")), (order, "钱*".into()));
}

#[test]
fn what_was_changed_or_is_no_receipt_is_not_authentic_and_tells_nothing() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.paid(), "/id");
    let receipt = market.operator.get(&format!("/v1/receipts/{order}")).ok();
    for other in [
        changed(&receipt, "content", "500000", "500001"),
        changed(&receipt, "content", "\"kind\":\"order\"", "\"kind\": \"order\""),
        changed(&receipt, "serial_no", "1", "2"),
        changed(&receipt, "serial_no", "SM2", "RSA"),
        changed(&receipt, "signature", "M", "N"),
        json!({"content": receipt["content"], "serial_no": receipt["serial_no"], "signature": ""}),
        json!({"content": "", "serial_no": receipt["serial_no"], "signature": receipt["signature"]}),
    ] {
        let told = verified(&server, &other);
        assert_eq!((&told["authentic"], &told["now"]), (&json!(false), &Value::Null), "{other}");
    }
    let endless = json!({"content": " ".repeat(9_000), "serial_no": "PLATFORM-SM2-1", "signature": ""});
    let asked = exchange(server.address(), "POST", "/v1/receipts/verify", &[], endless.to_string().as_bytes()).unwrap();
    assert_eq!(asked.error(), (400, "field_malformed".into(), "content".into()));
    assert_eq!(verified(&server, &receipt)["authentic"], true);
}

#[test]
fn a_merchant_takes_its_own_receipts_and_prints_them_and_a_return_is_told() {
    let server = Server::start();
    let market = Market::open(&server);
    market.paid();
    market.next_day();
    market.settle(&market.landlord, "2026-03-06").ok();
    let payout = arrived(&market);
    let path = format!("/v1/receipts/{payout}");
    let own = client_of(&server, &text(&market.landlord, "/id"));
    let receipt = own.get(&path).ok();
    assert_eq!((text(&receipt, "/receipt/kind"), number(&receipt, "/receipt/amount")), ("withdrawal".into(), 100_000));
    let other = merchant(&market.operator, "agent", "孙八", "110105194912310089");
    assert_eq!(client_of(&server, &text(&other, "/id")).get(&path).status, 403);

    let page = own.get(&format!("{path}/page")).text();
    for part in ["电子回单", "1,000.00 CNY", &text(&receipt, "/digest"), "SM2 PLATFORM-SM2-1: M"] {
        assert!(page.contains(part), "{part}: {page}");
    }

    let back = json!({"reference": "RT1", "date": "2026-03-06"});
    market.operator.post(&format!("/v1/payouts/{payout}/return"), &back).ok();
    assert_eq!(own.get(&path).ok()["content"], receipt["content"], "it had arrived");
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "returned", "given_back": 100_000}));

    // The command line takes, prints and verifies.
    let sheet = server.directory().join("receipt.html");
    let url = format!("http://{}", server.address());
    let shown = ["receipt", "show", &payout, "--url", &url, "--json", "--page", sheet.to_str().unwrap()];
    let shown = server.lintel(&shown);
    assert!(shown.status.success(), "{shown:?}");
    assert!(std::fs::read_to_string(&sheet).unwrap().contains(&text(&receipt, "/digest")));
    let file = server.directory().join("receipt.json");
    std::fs::write(&file, &shown.stdout).unwrap();
    let told = server.lintel(&["receipt", "verify", file.to_str().unwrap(), "--url", &url]);
    let said = String::from_utf8(told.stdout).unwrap();
    assert!(said.contains("authentic") && said.contains("yes") && said.contains("returned"), "{said}");
}

/// What a receipt says of kind and amount, of the parties' accounts, and of what it is about.
fn said(receipt: &Value) -> (String, i64, [Value; 3]) {
    let said = &receipt["receipt"];
    let named = [&said["payer"]["account"], &said["payee"]["account"], &said["about"]];
    (text(said, "/kind"), number(said, "/amount"), named.map(Value::clone))
}

#[test]
fn each_receiver_of_a_split_has_a_receipt_that_it_and_the_payee_see_and_so_has_a_return() {
    let server = Server::start();
    let market = Market::open(&server);
    let (operator, payee, agent) = (&market.operator, text(&market.landlord, "/id"), text(market.agent(), "/id"));
    let third = text(&merchant(operator, "agent", "孙八", "110105194912310089"), "/id");
    for receiver in [&agent, &third] {
        market.receives(receiver);
    }
    let order = text(&market.paid(), "/id");
    let parts = json!([{"merchant": agent, "amount": 99_000}, {"merchant": third, "amount": 1_000}]);
    let new = json!({"out_split_no": "S1", "parts": parts});
    let split = text(&operator.post(&format!("/v1/orders/{order}/splits"), &new).ok(), "/id");
    let [own, receiver, stranger] = [&payee, &agent, &third].map(|id| client_of(&server, id));
    let [of_payee, of_agent] = [&market.landlord, market.agent()].map(|merchant| merchant["pending"].clone());

    let path = format!("/v1/receipts/{split}-{agent}");
    let receipt = receiver.get(&path).ok();
    assert_eq!(said(&receipt), ("split".into(), 99_000, [of_payee.clone(), of_agent.clone(), json!(order)]));
    assert_eq!((text(&receipt, "/receipt/number"), &receipt["receipt"]["fee"]), ("S1".into(), &json!(0)));
    assert_eq!(own.get(&path).ok()["content"], receipt["content"]);
    assert_eq!(stranger.get(&path).error().1, "not_permitted", "each sees its own part");
    assert_eq!(number(&stranger.get(&format!("/v1/receipts/{split}-{third}")).ok(), "/receipt/amount"), 1_000);
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "success", "given_back": 0}));
    for none in [format!("{split}-{payee}"), format!("{split}-vch_1"), format!("spl_99-{agent}")] {
        assert_eq!(operator.get(&format!("/v1/receipts/{none}")).error().1, "split_unknown", "{none}");
    }
    // Who else has a part of it is told to no receiver: neither yes nor no.
    for none in [format!("{split}-{payee}"), format!("{split}-mch_99"), format!("{split}-vch_1")] {
        let path = format!("/v1/receipts/{none}");
        assert_eq!(stranger.get(&path).error().1, "not_permitted", "{none}");
        assert_eq!(own.get(&path).error().1, "split_unknown", "{none}");
    }
    for malformed in [split.clone(), format!("{split}-"), format!("{split}-acc_1"), format!("{order}-{agent}")] {
        let refused = operator.get(&format!("/v1/receipts/{malformed}")).error();
        assert_eq!(refused, (400, "field_malformed".into(), "id".into()), "{malformed}");
    }

    let back = json!({"out_return_no": "R1", "receiver": agent, "amount": 40_000});
    let given = receiver.post(&format!("/v1/splits/{split}/returns"), &back).ok();
    let back = format!("/v1/receipts/{split}-{}", text(&given, "/voucher"));
    let returned = own.get(&back).ok();
    assert_eq!(said(&returned), ("split_return".into(), 40_000, [of_agent, of_payee, json!(order)]));
    assert_eq!(text(&returned, "/receipt/number"), "R1");
    assert_eq!(receiver.get(&back).ok()["content"], returned["content"]);
    assert_eq!(stranger.get(&back).error().1, "not_permitted");
    assert_eq!(verified(&server, &returned)["now"], json!({"status": "success", "given_back": 0}));
    assert!(own.get(&format!("{back}/page")).text().contains("分账回退 · Return of a split"));
    assert!(pdf::texts(&own.get(&format!("{path}/pdf")).body).contains("人民币玖佰玖拾元整"));

    // What came back and what a refund takes is told of the part, and changes no receipt: the last part gives first.
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "success", "given_back": 40_000}));
    let refund = json!({"out_refund_no": "F1", "amount": 10_000, "return_fee": false});
    operator.post(&format!("/v1/orders/{order}/refunds"), &refund).ok();
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "success", "given_back": 49_000}));
    assert_eq!(receiver.get(&path).ok()["content"], receipt["content"]);

    // Of two parts of one order all that refunds took is counted against the later.
    let new = json!({"out_split_no": "S2", "parts": [{"merchant": agent, "amount": 20_000}]});
    let further = text(&operator.post(&format!("/v1/orders/{order}/splits"), &new).ok(), "/id");
    let later = receiver.get(&format!("/v1/receipts/{further}-{agent}")).ok();
    let refund = json!({"out_refund_no": "F2", "amount": 5_000, "return_fee": false});
    operator.post(&format!("/v1/orders/{order}/refunds"), &refund).ok();
    for (receipt, given_back) in [(&receipt, 40_000), (&later, 14_000)] {
        assert_eq!(verified(&server, receipt)["now"], json!({"status": "success", "given_back": given_back}));
    }
}

#[test]
fn a_settlement_has_a_receipt_that_its_merchant_sees() {
    let server = Server::start();
    let market = Market::open(&server);
    market.paid();
    market.next_day();
    let settlement = market.settle(&market.landlord, "2026-03-06").ok();
    let path = format!("/v1/receipts/{}", text(&settlement, "/id"));
    let [own, stranger] = [&market.landlord, market.agent()].map(|merchant| client_of(&server, &text(merchant, "/id")));
    let receipt = own.get(&path).ok();
    let [from, to] = ["pending", "available"].map(|account| market.landlord[account].clone());
    assert_eq!(said(&receipt), ("settlement".into(), 499_000, [from, to, Value::Null]));
    assert_eq!(receipt["receipt"]["at"], settlement["created_at"]);
    assert_eq!(stranger.get(&path).error().1, "not_permitted");
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "success", "given_back": 0}));
    assert!(own.get(&format!("{path}/page")).text().contains("结算 · Settlement"));
    let sheet = pdf::texts(&own.get(&format!("{path}/pdf")).body);
    assert!(sheet.contains("结算") && sheet.contains("人民币肆仟玖佰玖拾元整"), "{sheet}");
}

#[test]
fn a_chargeback_has_a_receipt_once_it_is_booked_and_one_that_was_won_is_told() {
    let server = Server::start();
    let market = Market::open(&server);
    let (operator, order) = (&market.operator, market.paid());
    let new = json!({
        "leg": text(&order, "/legs/0/id"), "case_number": "CB-1", "reason": "4853", "amount": 200_000, "currency": "CNY",
    });
    let chargeback = text(&operator.post("/v1/chargebacks", &new).ok(), "/id");
    let (path, own) = (format!("/v1/receipts/{chargeback}"), client_of(&server, &text(&market.landlord, "/id")));
    assert_eq!(own.get(&path).error().1, "receipt_not_yet");
    operator.post(&format!("/v1/chargebacks/{chargeback}/book"), &json!({})).ok();
    let receipt = own.get(&path).ok();
    assert_eq!(said(&receipt), ("chargeback".into(), 200_000, [Value::Null, Value::Null, order["id"].clone()]));
    let names = ["payer", "payee"].map(|side| receipt["receipt"][side]["name"].clone());
    assert_eq!(names, [market.landlord["name"].clone(), json!("钱*")]);
    assert_eq!(text(&receipt, "/receipt/reference"), "CB-1");
    assert_eq!(client_of(&server, &text(market.agent(), "/id")).get(&path).error().1, "not_permitted");
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "booked", "given_back": 0}));
    operator.post(&format!("/v1/chargebacks/{chargeback}/win"), &json!({})).ok();
    assert_eq!(verified(&server, &receipt)["now"], json!({"status": "won", "given_back": 200_000}));
    assert_eq!(own.get(&path).ok()["content"], receipt["content"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chargeback_of_a_sale_at_a_terminal_has_a_receipt_that_names_the_card() {
    let Some(network) = Network::start(&[]) else { return };
    let (server, mut device) = signed_in(&network, &[]).await;
    has_key(&server.operator(), "zone/unionpay/mac");
    assert_eq!(sell(&mut device, 10_000, "726888", true).await.as_deref(), Some("00"));
    let operator = server.operator();
    let sale = operator.get("/v1/card-transactions/ctx_1").ok();
    let merchant = text(&sale, "/merchant");
    let own = client_of(&server, &merchant);
    let sold = own.get("/v1/receipts/ctx_1").ok();
    assert_eq!((text(&sold, "/receipt/kind"), number(&sold, "/receipt/amount")), ("sale".into(), 10_000));
    let now = |receipt: &Value| verified(&server, receipt)["now"].clone();
    assert_eq!(now(&sold), json!({"status": "approved", "given_back": 0}));

    let new = json!({
        "card_transaction": "ctx_1", "case_number": "CB-7", "reason": "4853", "amount": 4_000, "currency": "CNY",
    });
    let chargeback = text(&operator.post("/v1/chargebacks", &new).ok(), "/id");
    let path = format!("/v1/receipts/{chargeback}");
    assert_eq!(own.get(&path).error().1, "receipt_not_yet");
    operator.post(&format!("/v1/chargebacks/{chargeback}/book"), &json!({})).ok();
    let receipt = own.get(&path).ok();
    let card = [Value::Null, json!("623060*********6888"), json!("ctx_1")];
    assert_eq!(said(&receipt), ("chargeback".into(), 4_000, card));
    let shop = operator.get(&format!("/v1/merchants/{merchant}")).ok();
    let names = ["payer", "payee"].map(|side| receipt["receipt"][side]["name"].clone());
    assert_eq!(names, [shop["name"].clone(), json!("unionpay")]);
    assert_eq!(text(&receipt, "/receipt/reference"), "CB-7");
    assert_eq!(now(&receipt), json!({"status": "booked", "given_back": 0}));
    // The sale's own receipt is the same, and tells what was charged back of it.
    assert_eq!(own.get("/v1/receipts/ctx_1").ok()["content"], sold["content"]);
    assert_eq!(now(&sold), json!({"status": "approved", "given_back": 4_000}));

    operator.post(&format!("/v1/chargebacks/{chargeback}/win"), &json!({})).ok();
    assert_eq!(now(&receipt), json!({"status": "won", "given_back": 4_000}));
    assert_eq!(now(&sold), json!({"status": "approved", "given_back": 0}));
}

/// What a PDF says, by a reader of its own: every object where its table of objects has it, and the texts of the page as they are
/// drawn, letters of the Chinese font from UTF-16.
mod pdf {
    pub(super) fn at(file: &[u8], mark: &[u8]) -> Option<usize> {
        file.windows(mark.len()).position(|window| window == mark)
    }

    /// Fails unless the table of objects at the file's end is right.
    pub(super) fn check_objects(file: &[u8]) {
        let tail = String::from_utf8_lossy(&file[file.len() - 40..]).into_owned();
        let table: usize = tail.split("startxref").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        let table = String::from_utf8_lossy(&file[table..]).into_owned();
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("xref"));
        let count: usize = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut seen = 0;
        for (number, line) in lines.take(count).enumerate().filter(|(_, line)| line.contains(" n")) {
            let offset: usize = line[..10].parse().unwrap();
            assert!(file[offset..].starts_with(format!("{number} 0 obj").as_bytes()), "{number}: {line}");
            seen += 1;
        }
        assert!(seen >= 12, "{table}");
    }

    /// The texts, one after the other.
    pub(super) fn texts(file: &[u8]) -> String {
        let page = &file[at(file, b"BT\n").unwrap()..];
        let page = &page[..at(page, b"endstream").unwrap()];
        let (mut said, mut operand, mut font, mut index) = (String::new(), Vec::new(), b'L', 0);
        while index < page.len() {
            match page[index] {
                b'(' => (operand, index) = literal(page, index + 1),
                b'<' => {
                    let end = index + at(&page[index..], b">").unwrap();
                    operand = hex::decode(&page[index + 1..end]).unwrap();
                    index = end + 1;
                }
                b'/' => {
                    font = page[index + 1];
                    index += 2;
                }
                b'T' if page[index..].starts_with(b"Tj") => {
                    if font == b'C' {
                        let codes: Vec<u16> =
                            operand.chunks(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
                        said.push_str(&String::from_utf16(&codes).unwrap());
                    } else {
                        said.push_str(std::str::from_utf8(&operand).unwrap());
                    }
                    index += 2;
                }
                _ => index += 1,
            }
        }
        said
    }

    /// A text in brackets, and what is behind it.
    fn literal(page: &[u8], mut index: usize) -> (Vec<u8>, usize) {
        let (mut text, mut depth) = (Vec::new(), 1);
        loop {
            match page[index] {
                b'\\' => {
                    index += 1;
                    text.push(match page[index] {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'f' => 12,
                        other => other,
                    });
                }
                b')' if depth == 1 => return (text, index + 1),
                byte => {
                    depth += i32::from(byte == b'(') - i32::from(byte == b')');
                    text.push(byte);
                }
            }
            index += 1;
        }
    }
}

#[test]
fn a_receipt_is_handed_over_as_a_pdf_that_proves_itself() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.paid(), "/id");
    let path = format!("/v1/receipts/{order}");
    let answer = market.operator.get(&format!("{path}/pdf"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/pdf")));
    let unpaid = text(&market.order("T0", 5_000).ok(), "/id");
    assert_eq!(market.operator.get(&format!("/v1/receipts/{unpaid}/pdf")).error().1, "receipt_not_yet");
    let stranger = exchange(server.address(), "GET", &format!("{path}/pdf"), &[], b"").unwrap();
    assert_eq!(stranger.status, 401);

    pdf::check_objects(&answer.body);
    let said = pdf::texts(&answer.body);
    let receipt = market.operator.get(&path).ok();
    let words =
        ["电子回单", "订单支付", "付款方", "钱*", "人民币伍仟元整", "CNY 5,000.00", "PLATFORM-SM2-1", "扫码验真"];
    let landlord = text(&market.landlord, "/name");
    for part in words.into_iter().chain([order.as_str(), &landlord, "T1", &text(&receipt, "/digest")]) {
        assert!(said.replace(' ', "").contains(&part.replace(' ', "")), "{part}: {said}");
    }

    // The command line takes it and verifies what is attached.
    let sheet = server.directory().join("receipt.pdf");
    let url = format!("http://{}", server.address());
    let shown = ["receipt", "show", &order, "--url", &url, "--pdf", sheet.to_str().unwrap()];
    let shown = server.lintel(&shown);
    assert!(shown.status.success(), "{shown:?}");
    let verify = |file: &std::path::Path| {
        let told = server.lintel(&["receipt", "verify", file.to_str().unwrap(), "--url", &url, "--json"]);
        assert!(told.status.success(), "{told:?}");
        serde_json::from_slice::<Value>(&told.stdout).unwrap()
    };
    assert_eq!(verify(&sheet)["authentic"], true);
    let mut file = std::fs::read(&sheet).unwrap();
    let amount = pdf::at(&file, br#"\"amount\":500000"#).unwrap();
    file[amount + 11] = b'6';
    std::fs::write(&sheet, &file).unwrap();
    assert_eq!(verify(&sheet)["authentic"], false);
}

#[test]
fn the_address_on_a_receipt_tells_anyone_who_has_its_signature_and_nobody_else() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.paid(), "/id");
    let receipt = market.operator.get(&format!("/v1/receipts/{order}")).ok();
    let signature = text(&receipt, "/signature").replace('+', "-").replace('/', "_").replace('=', "");
    let other = market.order("T0", 5_000).ok();
    let ask = |object: &str, serial: &str, signature: &str| {
        let target = format!("/v1/receipts/{object}/verify?serial_no={serial}&signature={signature}");
        exchange(server.address(), "GET", &target, &[], b"").unwrap().text()
    };
    let page = ask(&order, "PLATFORM-SM2-1", &signature);
    for part in ["真实 · Authentic", "Now: success", "5,000.00 CNY", &text(&receipt, "/digest")] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let changed = format!("N{}", &signature[1..]);
    let other = text(&other, "/id");
    for (object, serial, signature) in [
        (order.as_str(), "PLATFORM-SM2-1", changed.as_str()),
        (&order, "PLATFORM-SM2-2", &signature),
        (&order, "PLATFORM-RSA-1", &signature),
        (&order, "PLATFORM-SM2-1", "%3Cb%3E"),
        (&order, "PLATFORM-SM2-1", ""),
        (&other, "PLATFORM-SM2-1", &signature),
        ("ord_999", "PLATFORM-SM2-1", &signature),
    ] {
        let page = ask(object, serial, signature);
        assert!(page.contains("Not authentic") && !page.contains("5,000.00"), "{object} {serial} {signature}: {page}");
    }
    let unnamed = exchange(server.address(), "GET", &format!("/v1/receipts/{order}/verify"), &[], b"").unwrap();
    assert_eq!(unnamed.error().0, 400);
}
