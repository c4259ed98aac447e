//! Requests that are not signed or not in their form: refused, and nothing is kept.

use serde_json::{Value, json};

use crate::support::{World, serial};

#[tokio::test]
async fn a_request_that_was_touched_is_refused() {
    let world = World::start("").await;
    let body = json!({ "serial": serial(1), "rail": "epcc", "agreement": "A", "amount": 5, "currency": "CNY" });
    let body = body.to_string();
    let sign = |method: &str, target: &str, nonce: &str, body: &str| {
        hex::encode(crate::support::key().tag(format!("{method}\n{target}\n{nonce}\n{body}").as_bytes()))
    };
    let (target, nonce) = ("/bank/v1/debit", serial(1));
    let good = sign("POST", target, &nonce, &body);
    let wrong = [
        sign("PUT", target, &nonce, &body),
        sign("POST", "/bank/v1/pay", &nonce, &body),
        sign("POST", target, &serial(2), &body),
        sign("POST", target, &nonce, &body.replace('5', "6")),
        good[2..].to_owned(),
        String::from("not hexadecimal"),
    ];
    let send = |signature: Option<String>, institution: bool| {
        let mut request = world.client.post(format!("{}{target}", world.url)).header("x-nonce", &nonce);
        if let Some(signature) = signature {
            request = request.header("x-signature", signature);
        }
        if institution {
            request = request.header("x-institution", "lintel");
        }
        let request = request.body(body.clone());
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for signature in wrong {
        assert_eq!(send(Some(signature), true).await, 401);
    }
    assert_eq!(send(None, true).await, 401);
    assert_eq!(send(Some(good.clone()), false).await, 401);
    assert_eq!(world.state(1).await, "00000003");
    assert_eq!(world.bank.report().unsigned, 8);
    assert_eq!(send(Some(good), true).await, 200);
}

#[tokio::test]
async fn a_request_in_another_form_is_refused_by_its_field() {
    let world = World::start("").await;
    let send = |body: Value| {
        let world = world.clone();
        async move {
            let reply = world.send("POST", "/bank/v1/debit", &serial(1), &body.to_string()).await.unwrap();
            (reply.status, reply.json()["message"].as_str().unwrap_or_default().to_owned())
        }
    };
    let good = json!({ "serial": serial(1), "rail": "epcc", "agreement": "A", "amount": 5, "currency": "CNY" });
    for (field, value) in [
        ("serial", json!("42")),
        ("rail", json!("fund")),
        ("amount", json!(0)),
        ("agreement", json!("")),
        ("agreement", Value::Null),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let (status, message) = send(body).await;
        assert!(status == 400 && message.contains(field), "{field}: {status} {message}");
    }
    for body in [json!([]), json!({ "serial": serial(1) }), json!({ "note": "new" })] {
        assert_eq!(send(body).await.0, 400);
    }
    assert_eq!((world.state(1).await, world.bank.report().malformed), (String::from("00000003"), 8));

    let mut dollars = good;
    dollars["currency"] = json!("USD");
    let reply = world.send("POST", "/bank/v1/debit", &serial(1), &dollars.to_string()).await.unwrap();
    assert_eq!(reply.code(), "40000004");
}

#[tokio::test]
async fn what_is_not_offered_is_not_found() {
    let world = World::start("").await;
    for target in ["/bank/v1/hold", "/fund/v1/debit", "/fund/v1/pay", "/bank/v1/gift", "/shop/v1/debit"] {
        assert_eq!(world.send("POST", target, &serial(1), "{}").await.unwrap().status, 404, "{target}");
    }
    let huge = "x".repeat(20_000);
    assert_eq!(world.send("POST", "/bank/v1/debit", &serial(1), &huge).await.unwrap().status, 413);
    for query in ["date=today&rail=epcc", "date=2026-03-05&rail=fund", "date=2026-03-05&rail=swift"] {
        assert_eq!(world.get(&format!("/bank/v1/clearing?{query}")).await.status, 400, "{query}");
        assert_eq!(world.get(&format!("/bank/v1/returns?{query}")).await.status, 400, "{query}");
    }
    // No network clears the platform's own account; what comes back to it is listed.
    let own = "date=2026-03-05&rail=own_bank";
    assert_eq!(world.get(&format!("/bank/v1/clearing?{own}")).await.status, 400);
    assert_eq!(world.get(&format!("/bank/v1/returns?{own}")).await.status, 200);
}
