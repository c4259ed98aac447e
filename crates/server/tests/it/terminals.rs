//! Terminals over the API and the command line: from stock to a merchant, with a key that never comes in the clear.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[expect(dead_code, reason = "the switch's own tests use all of it")]
#[path = "../../src/pos/switch/tests/terminal.rs"]
pub(crate) mod device;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use self::device::{Cipher, Device};
use crate::card_network::{Network, has_key};
use crate::client::Client;
use crate::open::{merchant, text};
use crate::server::Server;
use crate::skip::skip;
use crate::staff::{Staff, client_of};

/// The vector: a master key, and under which transport key it lies here.
pub(crate) const TRANSPORT: &str = "1234567890ABCDEFABCDEF0987654321";

/// Two treasurers set the prices.
fn priced(server: &Server) {
    let staff = Staff::hire(server);
    let roles = json!(["accountant", "treasurer"]);
    for (operator, by, of) in [("opr_3", &staff.first, &staff.second), ("opr_4", &staff.second, &staff.first)] {
        let change =
            json!({"kind": "operator", "action": "change_roles", "operator": operator, "roles": roles.clone()});
        of.approve(&text(&by.propose(&change).ok(), "/id")).ok();
    }
    let rate = |rate: i64| json!({"rate": rate});
    let plan = json!({
        "kind": "card_fee", "action": "set_plan", "code": "standard", "from": "2026-03-05",
        "debit": rate(5_000), "credit": rate(6_000),
    });
    staff.decided(&plan);
    let capped = |rate: i64, cap: i64| json!({"rate": rate, "cap": cap});
    let cost = json!({
        "kind": "card_fee", "action": "set_cost", "scheme": "unionpay", "from": "2026-03-05",
        "debit": capped(3_500, 1_300), "credit": rate(4_500), "network": capped(325, 325),
    });
    staff.decided(&cost);
}

/// A key of two custodians' components: administrators of the key service do that.
fn form(server: &Server, name: &str, bytes: &str) {
    for id in ["opr_1", "opr_2"] {
        let grant = json!({"action": "grant", "caller": id, "role": "custodian"});
        server.operator().post("/v1/ark/access", &grant).ok();
    }
    form_for(server, name, "terminal-master", bytes);
}

/// The same for another purpose, by those who are custodians already.
pub(crate) fn form_for(server: &Server, name: &str, purpose: &str, bytes: &str) {
    let programs = server.operator();
    let key = json!({"name": name, "kind": "sm4", "purpose": purpose});
    programs.post("/v1/ark/financial/form", &json!({"key": key, "components": 2})).ok();
    let one = [0x5A; 16];
    let other: Vec<u8> = hex::decode(bytes).unwrap().iter().zip(one).map(|(byte, one)| byte ^ one).collect();
    let target = format!("/v1/ark/financial/component/{}", name.replace('/', "%2F"));
    for (id, component) in [("opr_1", &one[..]), ("opr_2", &other)] {
        let body = json!({"component": BASE64_STANDARD.encode(component)});
        client_of(server, id).post(&target, &body).ok();
    }
}

fn acquiring(programs: &Client, merchant: &str) -> Value {
    let terms = json!({"fee_plan": "standard", "credit": {"single": 500_000}});
    let body = json!({"merchant": merchant, "acquirer": "898", "area": "1100", "category": "6513", "terms": terms});
    programs.post("/v1/acquirings", &body).ok()
}

/// It reports itself near, then too far off; it is let in again, and suspended by hand.
fn moved_and_suspended(programs: &Client) {
    let near = json!({"place": {"latitude": 39_909_000, "longitude": 116_397_499}});
    assert_eq!(programs.post("/v1/terminals/trm_1/location", &near).ok()["location"]["distance_m"], 30);
    let far = json!({"place": {"latitude": 39_999_000, "longitude": 116_397_499}});
    let moved = programs.post("/v1/terminals/trm_1/location", &far).ok();
    assert_eq!([text(&moved, "/status"), text(&moved, "/suspended/reason")], ["suspended", "moved"]);
    programs.post("/v1/terminals/trm_1/resume", &json!({})).ok();
    let asked = programs.post("/v1/terminals/trm_1/suspend", &json!({"reason": "stolen"}));
    assert_eq!(text(&asked.ok(), "/suspended/text"), "stolen");
    let listed = programs.get(&format!("/v1/terminals?status=suspended&min_position={}", asked.position())).ok();
    assert_eq!(text(&listed, "/data/0/id"), "trm_1");
}

#[test]
fn a_terminal_goes_from_stock_to_a_merchant_and_back() {
    let server = Server::start_with(&["ark.unseal=file"]);
    priced(&server);
    let programs = server.operator();
    let owner = text(&merchant(&programs, "landlord", "张三", "11010519491231002X"), "/id");
    let acquiring = acquiring(&programs, &owner);
    assert_eq!(text(&acquiring, "/number"), "898110065130001");
    assert_eq!(acquiring["terms"]["rules"]["completion_percent"], 115);
    let unknown = json!({"terms": {"fee_plan": "none"}});
    let path = format!("/v1/acquirings/{}", text(&acquiring, "/id"));
    assert_eq!(programs.post(&format!("{path}/terms"), &unknown).error().1, "card_fee_unknown");
    let category = json!({
        "merchant": owner, "acquirer": "898", "area": "1100", "category": "65130", "terms": {"fee_plan": "standard"},
    });
    assert_eq!(programs.post("/v1/acquirings", &category).error(), (400, "field_malformed".into(), "category".into()));

    let terminal = programs.post("/v1/terminals", &json!({"serial": "N900-0042117", "model": "N900"})).ok();
    assert_eq!((text(&terminal, "/id"), text(&terminal, "/number")), ("trm_1".into(), "00000001".into()));
    assert_eq!(
        programs.post("/v1/terminals", &json!({"serial": "N900-0042117", "model": "N900"})).error().1,
        "already_exists"
    );
    let place = json!({"latitude": 39_908_722, "longitude": 116_397_499});
    let bind = json!({
        "acquiring": text(&acquiring, "/id"), "address": "北京市朝阳区建国路一号院二号楼", "place": place, "tolerance_m": 500,
    });
    assert_eq!(programs.post("/v1/terminals/trm_1/bind", &bind).error().1, "terminal_state", "without a key");
    assert_eq!(programs.post("/v1/terminals/trm_1/key", &json!({})).error().1, "key_not_found", "nobody formed it");

    form(&server, "terminal/transport", TRANSPORT);
    let under = |check: &str| {
        json!({"under": {
            "key": "terminal/transport", "cipher": "sm4",
            "encrypted": "3D66234C49E4296FF9C78D8BACBD6A76", "check_value": check,
        }})
    };
    assert_eq!(programs.post("/v1/terminals/trm_1/key", &under("00112233")).error().1, "decryption_failed");
    assert_eq!(
        programs.post("/v1/terminals/trm_1/key", &under("xy")).error(),
        (400, "field_malformed".into(), "under.check_value".into())
    );
    let loaded = programs.post("/v1/terminals/trm_1/key", &under("861E83E3")).ok();
    assert_eq!([text(&loaded, "/status"), text(&loaded, "/key/name")], ["keys_loaded", "terminal/1/master"]);
    assert_eq!(text(&loaded, "/key/check_value"), "861E83E31FAEBF10");

    let bound = programs.post("/v1/terminals/trm_1/bind", &bind).ok();
    assert_eq!([text(&bound, "/status"), text(&bound, "/binding/number")], ["bound", "898110065130001"]);
    assert_eq!(text(&bound, "/binding/address"), "北京市朝阳区******");
    assert_eq!([&bound["batch"], &bound["binding"]["tolerance_m"]], [&json!(1), &json!(500)]);
    assert_eq!(
        programs.post("/v1/terminals/trm_1/bind", &bind).error().1,
        "terminal_bound",
        "with one merchant at a time"
    );

    moved_and_suspended(&programs);
    programs.post("/v1/terminals/trm_1/recover", &json!({})).ok();
    let scrapped = programs.post("/v1/terminals/trm_1/scrap", &json!({})).ok();
    assert_eq!((text(&scrapped, "/status"), scrapped["allowed_actions"].clone()), ("scrapped".into(), json!([])));
    assert_eq!(programs.post("/v1/terminals/trm_1/key", &under("861E83E3")).error().1, "terminal_state");

    let reason = json!({"reason": "complaints"});
    assert_eq!(text(&programs.post(&format!("{path}/suspend"), &reason).ok(), "/status"), "suspended");
    assert_eq!(text(&programs.post(&format!("{path}/resume"), &json!({})).ok(), "/status"), "active");
}

#[test]
fn the_command_line_does_the_same() {
    let server = Server::start_with(&["ark.unseal=file"]);
    priced(&server);
    let programs = server.operator();
    let owner = text(&merchant(&programs, "landlord", "张三", "11010519491231002X"), "/id");
    let url = format!("http://{}", server.address());
    let run = |arguments: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lintel"));
        let data = server.directory().join("data");
        command.arg("--data-dir").arg(&data).args(arguments).args(["--url", &url, "--json"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice::<Value>(&output.stdout).map_err(|_| said)
    };
    let opened = [
        "acquiring",
        "open",
        &owner,
        "--acquirer",
        "898",
        "--area",
        "1100",
        "--category",
        "6513",
        "--fee-plan",
        "standard",
    ];
    assert_eq!(text(&run(&opened, "").unwrap(), "/id"), "acq_1");
    assert_eq!(text(&run(&["terminal", "register", "N900-7", "--model", "N900"], "").unwrap(), "/status"), "stock");
    form(&server, "terminal/1/master", TRANSPORT);
    let loaded = run(&["terminal", "load-key", "trm_1"], "").unwrap();
    assert_eq!(text(&loaded, "/key/check_value").len(), 16);
    let bind = ["terminal", "bind", "trm_1", "acq_1", "--latitude", "39908722", "--longitude", "116397499"];
    let none = run(&bind, "\n").unwrap_err();
    assert!(none.contains("there is no address on standard input"), "{none}");
    assert_eq!(text(&run(&bind, "北京市朝阳区建国路一号院二号楼\n").unwrap(), "/status"), "bound");
    let suspended = run(&["terminal", "suspend", "trm_1", "--reason", "stolen"], "").unwrap();
    assert_eq!(text(&suspended, "/suspended/reason"), "asked");
    assert_eq!(text(&run(&["terminal", "show", "trm_1"], "").unwrap(), "/serial"), "N900-7");
    assert!(run(&["terminal", "batches"], "").unwrap()["data"].as_array().unwrap().is_empty());
}

/// A card's number, its track, its chip data, its PIN; and what each may not be found as.
const CARD: &str = "6230606601007726888";
const TRACK: &str = "6230606601007726888D30122010000012345";
const CHIP: &str = "9F26081122334455667788950500000000009F3704DEADBEEF";

/// A merchant who takes cards at terminal 1, which has a master key and has not signed in; the merchant's number.
pub(crate) fn shop(server: &Server) -> String {
    priced(server);
    let programs = server.operator();
    let owner = text(&merchant(&programs, "landlord", "张三", "11010519491231002X"), "/id");
    let number = text(&acquiring(&programs, &owner), "/number");
    programs.post("/v1/terminals", &json!({"serial": "N900-7", "model": "N900"})).ok();
    form(server, "terminal/1/master", TRANSPORT);
    programs.post("/v1/terminals/trm_1/key", &json!({})).ok();
    let place = json!({"latitude": 39_908_722, "longitude": 116_397_499});
    let bind = json!({"acquiring": "acq_1", "address": "北京市朝阳区建国路", "place": place, "tolerance_m": 500});
    programs.post("/v1/terminals/trm_1/bind", &bind).ok();
    number
}

#[tokio::test]
async fn a_platform_without_a_network_says_so_and_keeps_nothing_of_the_card() {
    let mut server = Server::start_with(&["ark.unseal=file", "pos.listen=127.0.0.1:0"]);
    let number = shop(&server);
    let programs = server.operator();

    let address = crate::pos::terminals(&server).parse().unwrap();
    let master = Cipher::sm4(&hex::decode(TRANSPORT).unwrap());
    let mut device = Device::connect(address, "00000001", &number, master).await;
    device.sign_in("N900-7").await.is("00");
    assert_eq!(programs.get("/v1/terminals/trm_1").ok()["status"], "online");
    let pin = hex::encode(device.work.as_ref().unwrap().pin.pin("123654", CARD));
    let trace = format!("{:06}", device.next_trace());
    let kind = device.kind("22");
    let sale = [
        (3, "000000"),
        (4, "000000010000"),
        (11, trace.as_str()),
        (14, "3012"),
        (22, "051"),
        (25, "00"),
        (26, "12"),
        (35, TRACK),
        (49, "156"),
        (53, "2600000000000000"),
        (55, CHIP),
        (60, kind.as_str()),
    ];
    let told = device.ask("0200", &sale).await;
    assert_eq!(told.is("91").proved, Some(true));
    let with_pin = [&sale[..], &[(52, pin.as_str())]].concat();
    let with_pin: Vec<_> =
        with_pin.into_iter().map(|field| if field.0 == 11 { (11, "000009") } else { field }).collect();
    device.ask("0200", &with_pin).await.is("91");
    let listed = programs.get("/v1/card-transactions?terminal=trm_1").ok();
    let shown = programs.get("/v1/card-transactions/ctx_1").ok();
    assert_eq!(
        [text(&shown, "/status"), text(&shown, "/code"), text(&shown, "/card")],
        ["declined", "91", "623060*********6888"]
    );
    let out = [(11, "000010"), (60, "00000001002")];
    device.ask_plainly("0820", &out).await.is("00");
    assert_eq!(programs.get("/v1/terminals/trm_1").ok()["status"], "bound");
    drop(device);
    assert!(server.stop().success());

    let mut looked_at =
        vec![server.log().into_bytes(), listed.to_string().into_bytes(), shown.to_string().into_bytes()];
    let mut folders = vec![server.directory().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { looked_at.push(std::fs::read(path).unwrap()) }
        }
    }
    let texts = [CARD, TRACK, "30122010000012345", CHIP, &CHIP.to_lowercase(), &pin, &pin.to_uppercase()];
    let mut needles: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    needles.extend([hex::decode(&CARD[..18]).unwrap(), hex::decode(CHIP).unwrap(), hex::decode(&pin).unwrap()]);
    assert!(looked_at.len() > 8);
    for (bytes, needle) in looked_at.iter().flat_map(|bytes| needles.iter().map(move |needle| (bytes, needle))) {
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{}", hex::encode(needle));
    }
}

/// A Python that has pyiso8583.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let own = cache.map(|cache| cache.join("lintel/venv/bin/python"));
    let has_it = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import iso8583, iso8583.specs"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    own.into_iter().chain([PathBuf::from("python3")]).find(has_it)
}

#[test]
fn a_terminal_of_another_making_works_a_shift_through_the_sandboxes_network() {
    let Some(network) = Network::start(&[]) else { return };
    let Some(python) = python() else {
        let venv = "~/.cache/lintel/venv";
        return skip("pyiso8583", &format!("python3 -m venv {venv} && {venv}/bin/pip install pyiso8583==4.0.1"));
    };
    let settings = network.settings();
    let more = ["ark.unseal=file", "pos.listen=127.0.0.1:0"];
    let all: Vec<&str> = settings.iter().map(String::as_str).chain(more).collect();
    let server = Server::start_with(&all);
    let merchant = shop(&server);
    // The sandbox's network has this master key unless it is given another.
    form_for(&server, "zone/unionpay/master", "zone-master", "0123456789ABCDEFFEDCBA9876543210");
    let programs = server.operator();
    for key in ["zone/unionpay/mac", "zone/unionpay/pin"] {
        has_key(&programs, key);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/pos/terminal.py");
    let address = crate::pos::terminals(&server);
    // Each of the sandbox's cards has its last six digits as its PIN.
    let arguments = [script, &address, "00000001", &merchant, "N900-7", TRANSPORT, CARD, "726888"];
    let output = Command::new(python).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", server.log());
    assert!(said.contains("settled: batch 1 balanced"), "{said}");

    let left = network.ask("GET", &format!("/balance/{CARD}"));
    assert!(left.contains("99980000"), "{left}");
    let shown = ["ctx_1", "ctx_2", "ctx_3"].map(|id| programs.get(&format!("/v1/card-transactions/{id}")).ok());
    let told = shown
        .each_ref()
        .map(|shown| format!("{} {} {}", text(shown, "/kind"), shown["amount"], text(shown, "/status")));
    assert_eq!(told, ["sale 10000 approved", "void 10000 approved", "sale 20000 approved"]);
    let closed = programs.get("/v1/batch-closes/bcl_1").ok();
    assert_eq!((text(&closed, "/status"), &closed["ours"]), ("balanced".into(), &closed["theirs"]));
    let terminal = programs.get("/v1/terminals/trm_1").ok();
    assert_eq!((text(&terminal, "/status"), &terminal["batch"]), ("bound".into(), &json!(2)), "it signed out");
    // Both sides have the same: the network's file of the day differs in nothing.
    let taken = programs.post("/v1/card-clearing", &json!({"file": network.ask("GET", "/file/48021000")})).ok();
    assert_eq!(taken["date"], "2026-03-05", "{taken}");
}
