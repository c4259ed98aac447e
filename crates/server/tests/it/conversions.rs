//! No conversion without a rate on record. Setting a rate takes two people and has no endpoint of its own.

use serde_json::json;

use crate::open::{Books, account, text};
use crate::server::Server;

#[test]
fn nothing_converts_without_a_rate() {
    let server = Server::start();
    let Books { operator, rich, .. } = &Books::open(&server);
    let owner = text(&operator.get(&format!("/v1/accounts/{rich}")).ok(), "/owner");
    let dollars = account(operator, 2201, "USD", &owner);
    let convert = json!({"rate": "fxr_1", "from": rich, "to": dollars, "amount": 71_234});
    assert_eq!(
        operator.post("/v1/conversions", &convert).error(),
        (404, "exchange_rate_unknown".into(), "rate".into())
    );
    let withdraw = operator.post("/v1/exchange-rates/fxr_1/withdraw", &json!({}));
    assert_eq!(withdraw.error(), (404, "exchange_rate_unknown".into(), "rate".into()));
    assert_eq!(operator.get("/v1/conversions/cnv_1").error().1, "conversion_unknown");
    for list in ["/v1/exchange-rates?sold=USD&bought=CNY", "/v1/conversions?status=done"] {
        assert_eq!(operator.get(list).ok()["data"], json!([]), "{list}");
    }
    assert_eq!(operator.get("/v1/exchange-rates?sold=EURO").error().1, "currency_unknown");
}
