//! Agreements signed over the API, with EPCC in the sandbox: the code is read where the holder's phone would be.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client};
use crate::epcc::Epcc;
use crate::open::{customer, text, user};
use crate::orders::Market;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::staff::client_of;

pub(crate) const CARD: &str = "6222020200112233445";
/// The market's payer.
pub(crate) const NAME: &str = "钱七";
pub(crate) const NUMBER: &str = "110105194912310062";

/// A landlord's client, which encrypts what is personal, on a platform with EPCC in the sandbox.
pub(crate) struct Shop {
    pub(crate) epcc: Epcc,
    pub(crate) server: Server,
    pub(crate) market: Market,
    pub(crate) client: Client,
    pub(crate) theirs: Theirs,
}

impl Shop {
    /// `None` without a sandbox or an `openssl` that encrypts, which is said.
    pub(crate) fn open() -> Option<Self> {
        let epcc = Epcc::start()?;
        let server = epcc.platform();
        Self::at(epcc, server)
    }

    /// The same on this platform.
    pub(crate) fn at(epcc: Epcc, server: Server) -> Option<Self> {
        let market = Market::open(&server);
        let client = client_of(&server, &text(&market.landlord, "/id"));
        let theirs = Theirs::of(&client, "SM2-DER");
        theirs.seal(b"1")?;
        Some(Self { epcc, server, market, client, theirs })
    }

    pub(crate) fn seal(&self, text: &str) -> String {
        self.theirs.seal(text.as_bytes()).unwrap()
    }

    /// What the bank compares of the market's payer, whom the request calls `who`.
    pub(crate) fn elements(&self, who: &str, account: &str) -> Value {
        json!({
            who: self.market.payer, "bank": "102100099996", "account": self.seal(account), "name": self.seal(NAME),
            "certificate": self.seal(NUMBER), "phone": self.seal("13800138000"),
        })
    }

    pub(crate) fn request(&self, key: &str, account: &str) -> Answer {
        self.theirs.post(&self.client, "/v1/sign-ups", key, &self.elements("payer", account))
    }

    pub(crate) fn confirm(&self, id: &str, key: &str, code: &str) -> Answer {
        let body = json!({"code": self.seal(code)});
        self.theirs.post(&self.client, &format!("/v1/sign-ups/{id}/confirm"), key, &body)
    }

    pub(crate) fn code(&self, sign_up: &Value) -> String {
        let path = format!("/sandbox/epcc/sms?transaction={}", text(sign_up, "/serial"));
        text(&self.epcc.asked("GET", &path, &Value::Null), "/code")
    }

    fn pays(&self, number: &str, agreement: &str) -> Answer {
        let order = text(&self.market.order(number, 500_000).ok(), "/id");
        let mask = "622202******3445";
        let card = json!({"type": "card", "agreement": agreement, "mask": mask, "rail": "epcc", "amount": 500_000});
        self.client.post(&format!("/v1/orders/{order}/pay?wait=30"), &json!({"instruments": [card]}))
    }
}

fn other(code: &str) -> &'static str {
    if code == "111111" { "222222" } else { "111111" }
}

#[test]
fn a_merchant_has_a_card_signed_by_the_code_and_it_pays() {
    let Some(mut shop) = Shop::open() else { return };
    let asked = shop.request("one", CARD);
    let signing = asked.ok();
    let id = text(&signing, "/id");
    assert_eq!(text(&signing, "/status"), "code_sent");
    assert_eq!((&signing["verdict"]["matched"], &signing["verdict"]["code"]), (&json!(true), &Value::Null));
    assert_eq!(
        (text(&signing, "/account"), text(&signing, "/phone")),
        ("622202*********3445".into(), "138****8000".into())
    );
    let again = shop.request("one", CARD);
    assert!(again.repeated() && text(&again.ok(), "/id") == id, "encrypted anew it is the same request");

    let code = shop.code(&signing);
    let wrong = shop.confirm(&id, "w", other(&code)).ok();
    assert_eq!((text(&wrong, "/status"), &wrong["wrong_codes"]), ("code_sent".into(), &json!(1)));
    assert_eq!(text(&wrong, "/failure/code"), "PB100005");
    // What it waits for outlives the server.
    shop.server.kill();
    shop.server.start_again();
    let landlord = text(&shop.market.landlord, "/id");
    shop.client = client_of(&shop.server, &landlord);
    shop.market.operator = shop.server.operator();
    let done = shop.confirm(&id, "c", &code);
    assert_eq!((text(&done.ok(), "/status"), &done.ok()["verdict"]["matched"]), ("signed".into(), &json!(true)));
    let agreement = text(&done.ok(), "/agreement");
    assert_eq!(agreement, format!("SGN{}", text(&signing, "/serial")));
    let repeated = shop.confirm(&id, "c", &code);
    assert!(repeated.repeated() && text(&repeated.ok(), "/status") == "signed", "{}", repeated.text());

    assert_eq!(text(&shop.pays("T1", &agreement).ok(), "/status"), "success");
    let twice = shop.request("twice", CARD);
    assert_eq!(twice.error(), (422, "sign_up_exists".into(), "account".into()));
    let list = format!("/v1/sign-ups?status=signed&payer={}&min_position={}", shop.market.payer, done.position());
    assert_eq!(shop.client.get(&list).ok()["data"].as_array().unwrap().len(), 1);

    let cancelled = shop.client.post(&format!("/v1/sign-ups/{id}/cancel"), &json!({})).ok();
    assert_eq!((text(&cancelled, "/status"), &cancelled["agreement"]), ("cancelled".into(), &Value::Null));
    assert_eq!(shop.pays("T2", &agreement).error().1, "sign_up_state");
    let metrics = shop.client.get("/metrics").text();
    assert!(metrics.contains("lintel_sign_ups_total{step=\"confirm\",outcome=\"signed\"}"), "{metrics}");
    let log = shop.server.log();
    assert!([CARD, NAME, "13800138000"].iter().all(|secret| !log.contains(secret)), "{log}");
}

#[test]
fn wrong_codes_end_it_and_what_the_bank_refuses_is_a_verdict() {
    let Some(shop) = Shop::open() else { return };
    let signing = shop.request("one", CARD).ok();
    let (id, code) = (text(&signing, "/id"), shop.code(&signing));
    let statuses = ["1", "2", "3"].map(|key| text(&shop.confirm(&id, key, other(&code)).ok(), "/status"));
    assert_eq!(statuses, ["code_sent", "code_sent", "failed"]);
    assert_eq!(shop.confirm(&id, "4", &code).error().1, "sign_up_state");
    let refused = shop.request("two", "6222020200110000").ok();
    assert_eq!((text(&refused, "/status"), &refused["verdict"]["matched"]), ("failed".into(), &json!(false)));
    assert_eq!(text(&refused, "/verdict/code"), "PB100002");
}

#[test]
fn a_bank_that_does_not_answer_leaves_it_open_and_nothing_is_asked_twice() {
    let Some(mut shop) = Shop::open() else { return };
    let signing = shop.request("one", CARD).ok();
    let (id, code) = (text(&signing, "/id"), shop.code(&signing));
    shop.epcc.0.kill();
    let confirming = shop.confirm(&id, "c", &code).ok();
    assert_eq!((text(&confirming, "/status"), &confirming["failure"]), ("confirming".into(), &Value::Null));
    assert_eq!(confirming["allowed_actions"], json!(["confirm", "cancel"]));
    let requested = shop.request("two", "6222020200119988776").ok();
    assert_eq!((text(&requested, "/status"), &requested["verdict"]), ("requested".into(), &Value::Null));
    let again = shop.request("two", "6222020200119988776");
    assert!(again.repeated(), "{}", again.text());
    shop.server.kill();
    shop.server.start_again();
    let operator = shop.server.operator();
    let status = |id: &str| text(&operator.get(&format!("/v1/sign-ups/{id}")).ok(), "/status");
    assert_eq!((status(&id), status(&text(&requested, "/id"))), ("confirming".into(), "requested".into()));
}

#[test]
fn bad_input_is_refused_by_name_before_any_code_is_sent() {
    let Some(shop) = Shop::open() else { return };
    let refused = |change: &dyn Fn(&mut Value), status: u16, code: &str, param: &str| {
        let mut body = shop.elements("payer", CARD);
        change(&mut body);
        let answer = shop.theirs.post(&shop.client, "/v1/sign-ups", code, &body);
        assert_eq!(answer.error(), (status, code.into(), param.into()), "{}", answer.text());
        assert!(!answer.text().contains(CARD), "{}", answer.text());
    };
    for field in ["account", "name", "certificate", "phone"] {
        refused(&|body| body[field] = json!("13800138000"), 400, "encryption_required", field);
    }
    refused(&|body| body["name"] = json!(shop.seal("李四")), 422, "holder_mismatch", "name");
    refused(
        &|body| body["certificate"] = json!(shop.seal("110105194912310046")),
        422,
        "holder_mismatch",
        "certificate",
    );
    refused(&|body| body["account"] = json!(shop.seal("12ab")), 400, "field_malformed", "account");
    refused(&|body| body["bank"] = json!("102"), 422, "value_invalid", "bank");
    refused(&|body| body["payer"] = json!("usr_999"), 404, "user_unknown", "user");
    refused(&|body| body["rail"] = json!("unionpay"), 404, "channel_unknown", "rail");
    let signing = shop.request("good", CARD).ok();
    assert_eq!(text(&signing, "/id"), "sgn_1", "nothing of that was begun");
    let id = text(&signing, "/id");
    assert_eq!(shop.confirm(&id, "letters", "12ab").error(), (400, "field_malformed".into(), "code".into()));
    let clear = shop.client.post(&format!("/v1/sign-ups/{id}/confirm"), &json!({"code": "123456"}));
    assert_eq!(clear.error().1, "encryption_required");
    // Another merchant's eyes, and another customer's money.
    let agent = client_of(&shop.server, &text(shop.market.agent(), "/id"));
    assert_eq!(agent.get(&format!("/v1/sign-ups/{id}")).error().1, "not_permitted");
    assert_eq!(agent.post(&format!("/v1/sign-ups/{id}/cancel"), &json!({})).error().1, "not_permitted");
    let stranger = user(&shop.market.operator, &customer(&shop.market.operator, "孙八", "110105194912310070"));
    let done = shop.confirm(&id, "c", &shop.code(&signing)).ok();
    let account = crate::open::account(&shop.market.operator, 2201, "CNY", &stranger);
    let agreement = text(&done, "/agreement");
    let top_up =
        json!({"account": account, "agreement": agreement, "mask": "622202******3445", "amount": 1, "currency": "CNY"});
    assert_eq!(shop.market.operator.post("/v1/top-ups", &top_up).error().1, "agreement_not_own");
}

#[test]
fn a_channel_that_signs_nothing_says_so() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let key = "5a".repeat(32);
    let text_of = format!(
        "[[channels]]\nname = \"sandbox_bank\"\nurl = \"http://127.0.0.1:9\"\n[channels.settings]\nrail = \"epcc\"\n\
         institution = \"lintel\"\nkey = \"{key}\"\n"
    );
    std::fs::write(&path, text_of).unwrap();
    let server = Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
    let market = Market::open(&server);
    let theirs = Theirs::of(&market.operator, "SM2-DER");
    let Some(account) = theirs.seal(CARD.as_bytes()) else { return };
    let [name, certificate, phone] = [NAME, NUMBER, "13800138000"].map(|text| theirs.seal(text.as_bytes()).unwrap());
    let body = json!({
        "payer": market.payer, "bank": "102100099996", "account": account, "name": name, "certificate": certificate,
        "phone": phone,
    });
    let answer = theirs.post(&market.operator, "/v1/sign-ups", "one", &body);
    assert_eq!(answer.error(), (422, "channel_no_sign_up".into(), "rail".into()), "{}", answer.text());
    assert!(market.operator.get("/v1/sign-ups?min_position=1").ok()["data"].as_array().unwrap().is_empty());
}
