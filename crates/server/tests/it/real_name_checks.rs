//! Real-name checks over the API, with EPCC in the sandbox, whose bank says by the card's last digits what it finds.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Answer;
use crate::command_line::{json_of, printed};
use crate::keys::becomes;
use crate::open::{number, text};
use crate::orders::Market;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::sign_ups::{CARD, NAME, NUMBER, Shop};
use crate::staff::client_of;

const NO_CARD: &str = "6222020200110000";
const ANOTHERS: &str = "6222020200110001";
pub(crate) const LATER: &str = "6222020200110002";
const LOST: &str = "6222020200110003";

impl Shop {
    pub(crate) fn check(&self, key: &str, account: &str, wait: u32) -> Answer {
        self.theirs.post(
            &self.client,
            &format!("/v1/real-name-checks?wait={wait}"),
            key,
            &self.elements("user", account),
        )
    }

    /// How often the bank was sent it.
    pub(crate) fn times(&self, check: &Value) -> i64 {
        let path = format!("/sandbox/epcc/checks?transaction={}", text(check, "/serial"));
        number(&self.epcc.asked("GET", &path, &Value::Null), "/times")
    }

    /// What is kept of the user's customer.
    pub(crate) fn verification(&self) -> Value {
        let user = self.market.operator.get(&format!("/v1/users/{}", self.market.payer)).ok();
        self.market.operator.get(&format!("/v1/customers/{}", text(&user, "/customer"))).ok()["verification"].clone()
    }
}

#[test]
fn a_merchant_has_a_person_checked_and_the_level_is_kept() {
    let Some(mut desk) = Shop::open() else { return };
    assert_eq!(desk.verification(), Value::Null);
    let mut three = desk.elements("user", CARD);
    three.as_object_mut().unwrap().remove("phone");
    let first = desk.theirs.post(&desk.client, "/v1/real-name-checks?wait=30", "three", &three).ok();
    assert_eq!(
        (text(&first, "/status"), &first["elements"], &first["phone"]),
        ("matched".into(), &json!(3), &json!(null))
    );
    assert_eq!(desk.verification()["elements"], 3);

    let asked = desk.check("four", CARD, 30);
    let check = asked.ok();
    assert_eq!((text(&check, "/status"), &check["failure"]), ("matched".into(), &Value::Null));
    let shown = (text(&check, "/account"), text(&check, "/phone"), number(&check, "/elements"));
    assert_eq!(shown, ("622202*********3445".into(), "138****8000".into(), 4));
    let again = desk.check("four", CARD, 0);
    assert!(
        again.repeated() && again.ok()["id"] == check["id"],
        "encrypted anew, with another wait, it is the same request"
    );
    assert_eq!(desk.times(&check), 1);
    let kept = desk.verification();
    assert_eq!((&kept["elements"], &kept["check"], &kept["rail"]), (&json!(4), &check["id"], &json!("epcc")));

    let metrics = desk.client.get("/metrics").text();
    let labels = "direction=\"check\",channel=\"epcc\",product=\"rent\",bank=\"102\",outcome=\"success\"";
    becomes(&desk.client, &format!("lintel_channel_tries_total{{{labels}}}"), |count| count > 1.5);
    assert!(metrics.contains("lintel_real_name_checks_total{step=\"send\",outcome=\"matched\"} 2"), "{metrics}");
    let log = desk.server.log();
    assert!([CARD, NAME, NUMBER, "13800138000"].iter().all(|secret| !log.contains(secret)), "{log}");

    desk.server.kill();
    desk.server.start_again();
    desk.market.operator = desk.server.operator();
    assert_eq!(desk.verification(), kept);
}

#[test]
fn what_the_bank_refuses_is_a_mismatch_and_takes_no_level_away() {
    let Some(desk) = Shop::open() else { return };
    desk.check("good", CARD, 30).ok();
    let kept = desk.verification();
    for (account, code) in [(ANOTHERS, "PB100003"), (NO_CARD, "PB100002")] {
        let refused = desk.check(code, account, 30).ok();
        assert_eq!(text(&refused, "/status"), "mismatched");
        assert_eq!((text(&refused, "/failure/class"), text(&refused, "/failure/code")), ("user".into(), code.into()));
    }
    assert_eq!(desk.verification(), kept);
}

#[test]
fn what_is_not_answered_is_asked_about_and_never_sent_again() {
    let Some(desk) = Shop::open() else { return };
    for (key, account) in [("later", LATER), ("lost", LOST)] {
        let asked = desk.check(key, account, 0).ok();
        assert!(["requested", "unknown"].contains(&text(&asked, "/status").as_str()), "{asked}");
        assert_eq!(asked["failure"], Value::Null, "no failure");
        let found = desk.client.get(&format!("/v1/real-name-checks/{}?wait=30", text(&asked, "/id"))).ok();
        assert_eq!(text(&found, "/status"), "matched", "{found}");
        assert_eq!(desk.times(&found), 1);
    }
    let metrics = desk.client.get("/metrics").text();
    assert!(metrics.contains("lintel_real_name_checks_total{step=\"send\",outcome=\"unknown\"} 2"), "{metrics}");
    assert!(metrics.contains("lintel_real_name_checks_total{step=\"query\",outcome=\"matched\"} 2"), "{metrics}");
}

#[test]
fn a_bank_that_is_not_there_fails_nobody() {
    let Some(mut desk) = Shop::open() else { return };
    desk.epcc.0.kill();
    let asked = desk.check("one", CARD, 1).ok();
    assert_eq!((text(&asked, "/status"), &asked["failure"]), ("requested".into(), &Value::Null));
    assert!(desk.check("one", CARD, 0).repeated());
    desk.server.kill();
    desk.server.start_again();
    desk.market.operator = desk.server.operator();
    let after = desk.market.operator.get(&format!("/v1/real-name-checks/{}", text(&asked, "/id"))).ok();
    assert_eq!(text(&after, "/status"), "requested", "{after}");
    assert_eq!(desk.verification(), Value::Null);
}

#[test]
fn checks_are_asked_for_shown_and_listed_by_hand() {
    let Some(desk) = Shop::open() else { return };
    let path = desk.server.directory().join("elements.json");
    let elements = json!({"account": ANOTHERS, "name": NAME, "certificate": NUMBER});
    std::fs::write(&path, elements.to_string()).unwrap();
    let from = path.to_str().unwrap().to_owned();
    let request = ["real-name-check", "request", &desk.market.payer, "--bank", "102100099996", "--from", &from];
    let asked = json_of(&desk.server, &[&request[..], &["--wait", "30"]].concat());
    assert_eq!((text(&asked, "/status"), number(&asked, "/elements")), ("mismatched".into(), 3));
    let id = text(&asked, "/id");
    assert_eq!(json_of(&desk.server, &["real-name-check", "show", &id]), asked);
    assert!(printed(&desk.server.lintel(&["real-name-check", "show", &id])).contains("PB100003"));
    let position = number(&desk.market.operator.get("/health/ready").ok(), "/position");
    let listed = format!("/v1/real-name-checks?status=mismatched&user={}&min_position={position}", desk.market.payer);
    assert_eq!(desk.market.operator.get(&listed).ok()["data"].as_array().unwrap().len(), 1);
    let mine = ["real-name-check", "list", "--user", &desk.market.payer, "--status", "matched"];
    assert!(json_of(&desk.server, &mine)["data"].as_array().unwrap().is_empty());
}

#[test]
fn bad_input_is_refused_by_name_before_any_bank_is_asked() {
    let Some(desk) = Shop::open() else { return };
    let refused = |change: &dyn Fn(&mut Value), status: u16, code: &str, param: &str| {
        let mut body = desk.elements("user", CARD);
        change(&mut body);
        let answer = desk.theirs.post(&desk.client, "/v1/real-name-checks", code, &body);
        assert_eq!(answer.error(), (status, code.into(), param.into()), "{}", answer.text());
        assert!(!answer.text().contains(CARD), "{}", answer.text());
    };
    for field in ["account", "name", "certificate", "phone"] {
        refused(&|body| body[field] = json!("13800138000"), 400, "encryption_required", field);
    }
    refused(&|body| body["name"] = json!(desk.seal("李四")), 422, "holder_mismatch", "name");
    let other = "110105194912310046";
    refused(&|body| body["certificate"] = json!(desk.seal(other)), 422, "holder_mismatch", "certificate");
    refused(&|body| body["account"] = json!(desk.seal("12ab")), 400, "field_malformed", "account");
    refused(&|body| body["bank"] = json!("102"), 422, "value_invalid", "bank");
    refused(&|body| body["user"] = json!("usr_999"), 404, "user_unknown", "user");
    refused(&|body| body["rail"] = json!("unionpay"), 404, "channel_unknown", "rail");
    let long = desk.check("long", CARD, 31);
    assert_eq!(long.error(), (400, "field_malformed".into(), "wait".into()));
    let check = desk.check("good", CARD, 30).ok();
    assert_eq!(text(&check, "/id"), "rnc_1", "nothing of that was begun");
    let unknown = desk.client.get("/v1/real-name-checks/rnc_9").error();
    assert_eq!(unknown, (404, "real_name_check_unknown".into(), "real_name_check".into()));
    // Another merchant's eyes.
    let agent = client_of(&desk.server, &text(desk.market.agent(), "/id"));
    assert_eq!(agent.get("/v1/real-name-checks/rnc_1").error().1, "not_permitted");
}

#[test]
fn a_channel_that_checks_no_names_says_so() {
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
    let [name, certificate] = [NAME, NUMBER].map(|text| theirs.seal(text.as_bytes()).unwrap());
    let body = json!({
        "user": market.payer, "bank": "102100099996", "account": account, "name": name, "certificate": certificate,
    });
    let answer = theirs.post(&market.operator, "/v1/real-name-checks", "one", &body);
    assert_eq!(answer.error(), (422, "channel_no_real_name_check".into(), "rail".into()), "{}", answer.text());
    assert!(market.operator.get("/v1/real-name-checks?min_position=1").ok()["data"].as_array().unwrap().is_empty());
}
