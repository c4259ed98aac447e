//! A platform and the sandbox's card network, two processes over real TCP: links, keys, the network's file.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ark_financial::{custodians, form, key};
use crate::ark_service::{allow, refused};
use crate::authority::Authority;
use crate::client::{Client, exchange};
use crate::keys::metric;
use crate::open::number;
use crate::sandbox::Sandbox;
use crate::server::Server;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The zone's master key that the sandbox has unless it is given another: it protects nothing.
const MASTER: &str = "0123456789ABCDEFFEDCBA9876543210";

/// The sandbox's card network: where members connect, and last where its books are asked for.
pub(crate) struct Network(Sandbox);

impl Network {
    /// With two addresses for members; `None` where it is not built, which is said.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let own = ["card-network", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--date", "2026-03-05"];
        Sandbox::start(own.iter().chain(arguments)).map(Self)
    }

    /// The settings of a platform that is connected to it.
    pub(crate) fn settings(&self) -> Vec<String> {
        self.settings_by(&self.doors())
    }

    /// Where members connect.
    pub(crate) fn doors(&self) -> [String; 2] {
        let [first, second, ..] = self.0.addresses.as_slice() else { panic!("two addresses") };
        [first.clone(), second.clone()]
    }

    /// The settings of a platform that connects by way of these addresses.
    pub(crate) fn settings_by(&self, [first, second]: &[String; 2]) -> Vec<String> {
        let links =
            format!("[{{name=\"a\",address=\"{first}\",weight=3}},{{name=\"b\",address=\"{second}\",weight=1}}]");
        let settings = ["name=unionpay", "member=48021000", "pin_block_bytes=16", "echo_ms=100", "reconnect_ms=20"];
        let own = settings.iter().map(|setting| format!("pos.network.{setting}"));
        own.chain([format!("pos.network.links={links}")]).collect()
    }

    /// Asks the network itself.
    pub(crate) fn ask(&self, method: &str, path: &str) -> String {
        let answer = exchange(&self.0.addresses[2], method, path, &[], &[]).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }
}

/// A platform that is connected and has the zone's master key.
pub(crate) fn connected(network: &Network, more: &[&str]) -> Server {
    let settings = network.settings();
    let all: Vec<&str> =
        settings.iter().map(String::as_str).chain(["ark.unseal=file"]).chain(more.iter().copied()).collect();
    let server = Server::start_with(&all);
    let programs = server.operator();
    let custodians = custodians(&server);
    form(&programs, &custodians, &key("zone/unionpay/master", "sm4", "zone-master"), MASTER);
    allow(&programs, "", &ark::keys::OPERATIONS);
    server
}

/// Waits until the links stand as wanted.
pub(crate) fn links(client: &Client, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let seen = client.get("/v1/card-network").ok();
        if wanted(&seen) {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "{seen}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the network has brought this key.
pub(crate) fn has_key(client: &Client, name: &str) {
    let began = Instant::now();
    while client.get(&format!("/v1/ark/keys/{}", name.replace('/', "%2F"))).status != 200 {
        assert!(began.elapsed() < PATIENCE, "{name} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn links_are_kept_keys_come_once_the_master_key_is_formed_and_files_are_taken_once() {
    let Some(network) = Network::start(&[]) else { return };
    let mut server = connected(&network, &[]);
    let programs = server.operator();
    let seen = links(&programs, |seen| number(seen, "/up") == 2);
    assert_eq!((&seen["network"], &seen["member"]), (&json!("unionpay"), &json!("48021000")));
    assert_eq!((&seen["pin_key"], &seen["links"][0]["weight"]), (&json!("zone/unionpay/pin"), &json!(3)));
    for name in ["zone/unionpay/mac", "zone/unionpay/pin"] {
        has_key(&programs, name);
    }
    // What is cut is connected again.
    network.ask("POST", "/cut");
    links(&programs, |seen| {
        let connects = |at: u32| number(seen, &format!("/links/{at}/connects"));
        number(seen, "/up") == 2 && connects(0) >= 2 && connects(1) >= 2
    });
    assert!((metric(&programs, "lintel_pos_network_link_up{link=\"a\"}") - 1.0).abs() < f64::EPSILON);
    // The file of a day without transactions.
    let file = network.ask("GET", "/file/48021000");
    let take = |file: &str| programs.post("/v1/card-clearing", &json!({ "file": file }));
    let taken = take(&file).ok();
    assert_eq!(
        (&taken["date"], &taken["lines"], &taken["repeated_parts"]),
        (&json!("2026-03-05"), &json!(0), &json!(0))
    );
    assert_eq!(take(&file).ok()["repeated_parts"], json!(1));
    refused(&take(&network.ask("GET", "/file/48021001")), 400, "field_malformed");
    refused(&take(&file.replace("|0|0|0|", "|1|0|0|")), 400, "field_malformed");
    let id = taken["parts"][0]["id"].as_str().unwrap();
    assert_eq!(programs.get(&format!("/v1/card-clearing/{id}")).ok()["last"], json!(true));
    assert!(server.stop().success());
}

#[test]
fn links_go_by_tls_where_the_settings_name_a_ca() {
    let Some(authority) = Authority::new() else { return };
    authority.issue_all(&["network", "platform"]);
    let file = |name: &str| authority.path(name);
    let own = [file("network.pem"), file("network.key"), file("ca.pem")];
    let arguments = ["--tls-certificate", &own[0], "--tls-key", &own[1], "--tls-ca", &own[2]];
    let Some(network) = Network::start(&arguments) else { return };
    let settings = [
        format!("pos.network.ca={}", file("ca.pem")),
        format!("pos.network.certificate={}", file("platform.pem")),
        format!("pos.network.certificate_key={}", file("platform.key")),
    ];
    let more: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut server = connected(&network, &more);
    let programs = server.operator();
    links(&programs, |seen| number(seen, "/up") == 2);
    for name in ["zone/unionpay/mac", "zone/unionpay/pin"] {
        has_key(&programs, name);
    }
    assert!(server.stop().success());
    // Without a certificate of its own the network lets nobody in.
    let mut server = connected(&network, &more[..1]);
    let programs = server.operator();
    links(&programs, |seen| number(seen, "/up") == 0 && seen["links"][0]["state"] == json!("down"));
    assert!(server.stop().success());
}

#[test]
fn a_platform_without_a_network_says_so() {
    let server = Server::start_with(&[]);
    refused(&server.operator().get("/v1/card-network"), 404, "channel_unknown");
}
