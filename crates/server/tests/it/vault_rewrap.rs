//! The vault after a rotation of its key: the platform moves it by itself, under load, and tells how far it is.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::ark_service::refused;
use crate::backup::said;
use crate::client::Client;
use crate::open::text;
use crate::server::Server;
use crate::staff::Staff;

const PATIENCE: Duration = Duration::from_secs(60);
const ROTATE: &str = "/v1/ark/keys/platform%2Fvault/rotate?reason=yearly";
const STEP: &str = "/v1/ark/keys/platform%2Fvault/step";

/// Somebody with a passport of this number.
fn traveller(number: usize) -> Value {
    let certificate = json!({"type": "passport", "number": format!("E{number:08}")});
    json!({"kind": "person", "name": "张三", "certificate": certificate, "phone": "13800001234"})
}

fn register(operator: &Client, numbers: std::ops::Range<usize>) {
    let customers: Vec<_> = numbers.map(traveller).collect();
    operator.post("/v1/customers/batch", &json!({"customers": customers})).ok();
}

fn standing(operator: &Client) -> Value {
    operator.get("/v1/ark/rewrap-vault").ok()
}

/// Waits until it is so; the rewrapper has its own time.
fn until(server: &Server, so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let now = standing(&server.operator());
        if so(&now) {
            return now;
        }
        assert!(began.elapsed() < PATIENCE, "{now}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn after_a_rotation_every_row_moves_and_reads_while_requests_go_on() {
    let mut server = Server::start_with(&["ark.unseal=file", "ark.rewrap_per_second=150"]);
    let operator = server.operator();
    let staff = Staff::hire(&server);
    register(&operator, 0..120);
    // The MAC root, people, secrets of one-time codes.
    let rows = 1 + 120 + 4;
    assert_eq!(until(&server, |now| now["complete"] == true)["version"], 1);

    operator.post(ROTATE, &json!({})).ok();
    let mut asked = 0;
    while standing(&operator)["complete"] != true {
        // Somebody known, whose key seals anew, and somebody new, who lies under the new version at once.
        let known = operator.post("/v1/customers", &traveller(asked % 120)).ok();
        assert_eq!(text(&known, "/id"), format!("cus_{}", asked % 120 + 1));
        operator.post("/v1/customers", &traveller(1_000 + asked)).ok();
        asked += 1;
        assert!(asked < 10_000, "it does not end:\n{}", server.log());
    }
    assert!(asked > 5, "requests went on meanwhile: {asked}");
    let now = standing(&operator);
    let told = ["version", "moved", "left", "refused", "state", "trouble"].map(|name| now[name].clone());
    assert_eq!(json!(told), json!([2, rows, 0, 0, "resting", null]), "{now}");
    let metrics = operator.get("/metrics").text();
    assert!(metrics.contains(&format!("lintel_vault_rewrapped_total {rows}")), "{metrics}");
    assert!(metrics.contains("lintel_vault_rewrap_left 0"), "{metrics}");
    let log = server.log();
    assert!(log.contains("the vault moves under") && log.contains("the vault was moved"), "{log}");

    // Nothing needs the old version: gone, people and codes are there.
    operator.post(STEP, &json!({"version": 1, "step": "compromise"})).ok();
    for number in 0..120 {
        let known = operator.post("/v1/customers", &traveller(number)).ok();
        assert_eq!(text(&known, "/id"), format!("cus_{}", number + 1));
    }
    let register = json!({"kind": "operator", "action": "register", "login": "later", "roles": ["accountant"]});
    let proposed = staff.first.propose(&register).ok();
    assert_eq!(text(&staff.second.approve(&text(&proposed, "/id")).ok(), "/outcome"), "opr_5");
    assert!(server.stop().success());
    said(&server.lintel(&["verify"]));
    server.start_again();
    assert_eq!(until(&server, |now| now["complete"] == true)["moved"], 0);
}

#[test]
fn a_version_that_rows_lie_under_is_not_taken_from_them() {
    let mut server = Server::start_with(&["ark.unseal=file", "ark.rewrap_per_second=10"]);
    let operator = server.operator();
    register(&operator, 0..40);
    operator.post(ROTATE, &json!({})).ok();
    until(&server, |now| now["state"] == "moving");
    for step in ["compromise", "suspend", "schedule-destruction"] {
        let answer = operator.post(STEP, &json!({"version": 1, "step": step}));
        refused(&answer, 409, "key_needed");
        assert!(answer.text().contains("rewrap-vault"), "{}", answer.text());
    }
    // Told to stop it stops, and the next start moves the rest.
    let began = Instant::now();
    assert!(server.stop().success());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    said(&server.lintel(&["verify"]));
    server.start_again();
    let done = until(&server, |now| now["complete"] == true);
    assert_eq!((&done["version"], &done["left"]), (&json!(2), &json!(0)));
    server.operator().post(STEP, &json!({"version": 1, "step": "compromise"})).ok();
}

#[test]
fn the_command_line_follows_it_and_says_what_does_not_move() {
    let mut server = Server::start_with(&["ark.unseal=file", "ark.rewrap_per_second=100000"]);
    register(&server.operator(), 0..5);
    server.operator().post(ROTATE, &json!({})).ok();
    let done: Value = serde_json::from_str(&said(&server.lintel(&["ark", "rewrap-vault", "--json"]))).unwrap();
    assert_eq!((&done["complete"], &done["version"], &done["left"]), (&json!(true), &json!(2), &json!(0)));
    let shown = said(&server.lintel(&["ark", "rewrap-vault", "--show"]));
    assert!(shown.contains("complete") && shown.contains("per second"), "{shown}");
    let help = said(&server.lintel(&["ark", "rewrap-vault", "--help"]));
    assert!(help.contains("destroy") && help.contains("--no-wait") && help.contains("Examples"), "{help}");

    // The key of somebody else in the place of one's own: it does not open, so it does not move.
    assert!(server.stop().success());
    let vault = Connection::open(server.directory().join("data/vault.db")).unwrap();
    let swap = "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE id = 1) WHERE id = 2";
    assert_eq!(vault.execute(swap, []).unwrap(), 1);
    drop(vault);
    server.start_again();
    server.operator().post(ROTATE, &json!({})).ok();
    let output = server.lintel(&["ark", "rewrap-vault", "--json"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && told.contains("1 rows do not open") && told.contains("lintel verify"),
        "{told}"
    );
    let left: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&left["complete"], &left["left"], &left["refused"]), (&json!(false), &json!(1), &json!(1)));
    assert!(server.log().contains("they stay"), "{}", server.log());
    let unsigned = server.lintel(&["ark", "rewrap-vault", "--key", &"0".repeat(64)]);
    assert!(!unsigned.status.success(), "who has no key has no say");
}
