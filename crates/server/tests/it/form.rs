//! The form of every answer: request ids, errors, health, metrics, the document.

use crate::client::{Answer, exchange};
use crate::server::Server;

fn ask(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    exchange(server.address(), method, target, headers, b"").unwrap()
}

#[test]
fn errors_of_the_router_have_the_form_of_all_errors() {
    let server = Server::start();
    let of = |method: &str, target: &str| ask(&server, method, target, &[]).error();
    assert_eq!(of("GET", "/v1/nothing"), (404, "route_unknown".into(), "path".into()));
    assert_eq!(of("GET", "/"), (404, "route_unknown".into(), "path".into()));
    assert_eq!(of("DELETE", "/v1/orders"), (405, "method_not_allowed".into(), "method".into()));
    assert_eq!(of("GET", "/v1/orders").1, "signature_missing");
}

#[test]
fn a_well_formed_request_id_is_taken_over() {
    let server = Server::start();
    let of = |id: &str| {
        let answer = ask(&server, "GET", "/v1/nothing", &[("lintel-request-id", id)]);
        answer.error();
        answer.header("lintel-request-id").unwrap().to_owned()
    };
    assert_eq!(of("trace-17.a"), "trace-17.a");
    assert!(of("<script>").starts_with("req_"));
    assert_ne!(of("a b"), of("a b"));
}

#[test]
fn health_and_metrics_are_asked_without_a_signature() {
    let server = Server::start();
    assert_eq!(ask(&server, "GET", "/health/live", &[]).ok()["status"], "live");
    let ready = ask(&server, "GET", "/health/ready", &[]).ok();
    assert_eq!(ready["status"], "ready");
    assert!(ready["position"].as_u64().unwrap() > 0);
    ask(&server, "GET", "/v1/nothing", &[]);
    let metrics = ask(&server, "GET", "/metrics", &[]).text();
    for line in [
        "lintel_http_requests_total{method=\"GET\",route=\"/health/live\",status=\"200\"} 1",
        "lintel_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "lintel_http_request_seconds_bucket{method=\"GET\",route=\"/health/live\",status=\"200\",le=\"",
        "lintel_queue_waiting 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn the_document_is_served_as_it_is_committed() {
    let server = Server::start();
    let served = ask(&server, "GET", "/openapi.json", &[]).ok();
    let committed = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json")).unwrap();
    assert_eq!(served, serde_json::from_slice::<serde_json::Value>(&committed).unwrap());
    let page = ask(&server, "GET", "/docs/", &[]);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("swagger"), "{}", page.text());
}

/// The version that the document describes is served, named in answers, good and bad, and spoken by the merchants' client; no other
/// date is, and who asks for one is told so under a signature.
#[test]
fn a_dated_version_is_served_as_it_is_named_and_no_other_is() {
    let server = Server::start();
    let operator = server.operator();
    let version = ask(&server, "GET", "/openapi.json", &[]).ok()["info"]["version"].as_str().unwrap().to_owned();
    assert_eq!(version, ::client::API_VERSION);
    for (target, status) in [("/v1/codes", 200), ("/v1/orders/ord_9", 404)] {
        let [named, unnamed] = [operator.get_with(target, ("lintel-version", &version)), operator.get(target)];
        for answer in [named, unnamed] {
            assert_eq!((answer.status, answer.header("lintel-version")), (status, Some(version.as_str())), "{target}");
        }
    }
    let refused = operator.get_with("/v1/codes", ("lintel-version", "2019-01-01"));
    assert_eq!(refused.error(), (400, "version_unknown".into(), "Lintel-Version".into()));
    assert!(refused.text().contains(&version), "{}", refused.text());
    assert!(refused.header("lintel-signature").is_some() && refused.header("lintel-version").is_none());
    let unsigned = ask(&server, "GET", "/v1/codes", &[("lintel-version", "2019-01-01")]);
    assert_eq!(unsigned.error().1, "signature_missing", "who asks comes first");
}

#[test]
fn every_path_of_the_document_is_there_and_signed() {
    let server = Server::start();
    let document = ask(&server, "GET", "/openapi.json", &[]).ok();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|_| path.starts_with("/v1/")) {
            // What custodians do while no signature can be checked, what channels sign in their own way, and what anyone may ask.
            if item[method]["security"].is_null() {
                let unsigned = [
                    "/v1/ark/seal-status",
                    "/v1/ark/unseal",
                    "/v1/channels/{rail}/notify",
                    "/v1/receipts/verify",
                    "/v1/receipts/{id}/verify",
                ];
                assert!(unsigned.contains(&path.as_str()), "{path}");
                continue;
            }
            let target = path.replace("{id}", "1").replace("{name}", "orders").replace("{date}", "2026-03-05");
            let (status, code, _) = ask(&server, &method.to_uppercase(), &target, &[]).error();
            // Payers bring a token in a signature's place.
            let missing = if path.starts_with("/v1/cashier/") { "cashier_token_missing" } else { "signature_missing" };
            assert_eq!((status, code.as_str()), (401, missing), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
}
