//! Receivers of splits: registered by the payee, paid up to their share, removed.

use serde_json::{Value, json};

use crate::client::Client;
use crate::open::{balance, text};
use crate::orders::Market;
use crate::server::Server;

/// A merchant's own caller.
fn caller(server: &Server, operator: &Client, merchant: &str) -> Client {
    let key = operator.post(&format!("/v1/merchants/{merchant}/key"), &json!({})).ok();
    Client::new(server.address(), merchant, ark::MacKey::from_hex(&text(&key, "/secret")).unwrap())
}

fn split(number: &str, receiver: &str, amount: i64) -> Value {
    json!({"out_split_no": number, "parts": [{"merchant": receiver, "amount": amount}]})
}

/// What `lintel receiver` answers.
fn command(server: &Server, arguments: &[&str]) -> Value {
    let output = server.lintel(&[&["receiver"][..], arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_split_pays_whom_the_payee_registered_and_no_more_than_its_share() {
    let server = Server::start();
    let market = Market::open(&server);
    let (operator, payee, agent) = (&market.operator, text(&market.landlord, "/id"), text(market.agent(), "/id"));
    let (own, stranger) = (caller(&server, operator, &payee), caller(&server, operator, &agent));
    let order = format!("/v1/orders/{}", text(&market.paid(), "/id"));
    let (splits, receivers) = (format!("{order}/splits"), format!("/v1/merchants/{payee}/receivers"));

    let refused = own.post(&splits, &split("S1", &agent, 99_000));
    assert_eq!(refused.error(), (422, "receiver_not_registered".into(), "parts".into()));
    let message = text(&refused.json(), "/error/message");
    assert!(message.contains(&agent) && message.contains("register"), "{message}");

    let registration = json!({"receiver": agent, "relation": "agent", "max_share": 200_000});
    assert_eq!(stranger.post(&receivers, &registration).error().1, "not_permitted");
    let answer = own.post(&receivers, &registration);
    let registered = answer.ok();
    let shown = |key: &str| text(&registered, key);
    assert_eq!(
        [shown("/payee"), shown("/receiver"), shown("/relation")],
        [payee.clone(), agent.clone(), "agent".into()]
    );
    assert_eq!([shown("/status"), shown("/registered_by")], ["registered".into(), payee.clone()]);
    let one = format!("/v1/receivers/{}", shown("/id"));
    assert_eq!(own.get(&one).ok(), registered);
    assert_eq!(stranger.get(&one).error().1, "not_permitted");
    assert_eq!(stranger.post(&format!("{one}/remove"), &json!({})).error().1, "not_permitted");

    // A fifth of 500,000, over all splits.
    assert_eq!(own.post(&splits, &split("S2", &agent, 100_001)).error().1, "split_amount");
    own.post(&splits, &split("S3", &agent, 99_000)).ok();
    assert_eq!(own.post(&splits, &split("S4", &agent, 1_001)).error().1, "split_amount");

    let listed = own.get(&format!("/v1/receivers?removed=false&min_position={}", answer.position())).ok();
    assert_eq!(listed["data"], json!([registered]));
    let removed = own.post(&format!("{one}/remove"), &json!({})).ok();
    assert_eq!((text(&removed, "/status"), &removed["allowed_actions"]), ("removed".into(), &json!([])));
    assert_eq!(own.post(&format!("{one}/remove"), &json!({})).error().1, "receiver_not_registered");
    assert_eq!(own.post(&splits, &split("S5", &agent, 1)).error().1, "receiver_not_registered");
    // What was split is there, and a refund takes it back.
    let pending = text(market.agent(), "/pending");
    assert_eq!(balance(operator, &pending), 99_000);
    own.post(&format!("{order}/refunds"), &json!({"out_refund_no": "F1", "amount": 10_000, "return_fee": false})).ok();
    assert_eq!(balance(operator, &pending), 89_000);
}

#[test]
fn a_receiver_is_another_merchant_in_a_known_relation_and_is_registered_on_the_command_line() {
    let server = Server::start();
    let market = Market::open(&server);
    let (operator, payee, agent) = (&market.operator, text(&market.landlord, "/id"), text(market.agent(), "/id"));
    let receivers = format!("/v1/merchants/{payee}/receivers");
    for (body, status, code, param) in [
        (json!({"receiver": payee, "relation": "store"}), 422, "receiver_not_allowed", "receiver"),
        (json!({"receiver": "mch_99", "relation": "store"}), 404, "merchant_unknown", "merchant"),
        (json!({"receiver": agent, "relation": "cousin"}), 400, "field_malformed", "relation"),
        (json!({"receiver": agent, "relation": "store", "max_share": 0}), 422, "value_invalid", "max_share"),
    ] {
        assert_eq!(operator.post(&receivers, &body).error(), (status, code.into(), param.into()));
    }
    assert_eq!(operator.get("/v1/receivers/rcv_1").error().1, "receiver_unknown");
    let registered = command(&server, &["register", &payee, &agent, "--relation", "partner"]);
    assert_eq!((text(&registered, "/id"), text(&registered, "/relation")), ("rcv_1".into(), "partner".into()));
    assert_eq!(command(&server, &["show", "rcv_1"]), registered);
    assert_eq!(text(&command(&server, &["remove", "rcv_1"]), "/status"), "removed");
    // Registered again it is the same receiver, as it is said now.
    let again = command(&server, &["register", &payee, &agent, "--relation", "store", "--max-share", "500000"]);
    assert_eq!((text(&again, "/id"), text(&again, "/relation")), ("rcv_1".into(), "store".into()));
    assert_eq!((text(&again, "/status"), &again["max_share"]), ("registered".into(), &json!(500_000)));
}

#[test]
fn a_receiver_gives_its_part_back_once_for_a_number_and_never_more_than_it_got() {
    let server = Server::start();
    let market = Market::open(&server);
    let (operator, payee, agent) = (&market.operator, text(&market.landlord, "/id"), text(market.agent(), "/id"));
    let (own, receiver) = (&caller(&server, operator, &payee), &caller(&server, operator, &agent));
    let order = format!("/v1/orders/{}", text(&market.paid(), "/id"));
    let registration = json!({"receiver": agent, "relation": "agent"});
    own.post(&format!("/v1/merchants/{payee}/receivers"), &registration).ok();
    let made = own.post(&format!("{order}/splits"), &split("S1", &agent, 99_000)).ok();
    assert_eq!((&made["returns"], &made["allowed_actions"]), (&json!([]), &json!(["return"])));
    let one = format!("/v1/splits/{}", text(&made, "/id"));
    let path = &format!("{one}/returns");
    let back = |number: &str, amount: i64| json!({"out_return_no": number, "receiver": agent, "amount": amount});

    // It is the receiver's money: the payee does not take it.
    assert_eq!(own.post(path, &back("R0", 1)).error().1, "not_permitted");
    let answer = receiver.post(path, &back("R1", 40_001));
    let given = answer.ok();
    assert_eq!((text(&given, "/receiver"), &given["amount"]), (agent.clone(), &json!(40_001)));
    let again = receiver.post(path, &back("R1", 40_001));
    assert!(again.repeated());
    assert_eq!(again.ok(), given);
    assert_eq!(receiver.post(path, &back("R1", 1)).error().1, "key_reused");
    let (pending, of_payee) = (text(market.agent(), "/pending"), text(&market.landlord, "/pending"));
    assert_eq!((balance(operator, &pending), balance(operator, &of_payee)), (58_999, 440_001));

    let codes: Vec<String> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let body = back(&format!("T{number}"), 10_000);
            scope.spawn(move || receiver.post(path, &body))
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        let answers = asked.into_iter().map(|thread| thread.join().unwrap());
        answers.map(|answer| if answer.status == 200 { "taken".to_owned() } else { answer.error().1 }).collect()
    });
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("taken"), count("split_amount")), (5, 3), "{codes:?}");
    operator.post(path, &back("R2", 8_999)).ok();
    assert_eq!((balance(operator, &pending), balance(operator, &of_payee)), (0, 499_000));
    let whole = own.get(&one).ok();
    assert_eq!((whole["returns"].as_array().unwrap().len(), &whole["allowed_actions"]), (7, &json!([])));
    assert_eq!(whole["returns"][0], given);
}
