//! A channel of two sites over real connections: one goes down under load and comes back, and each side shows a certificate.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::authority::Authority;
use crate::client::exchange;
use crate::keys::{becomes, metric};
use crate::open::{number, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::{Server, lintel};
use crate::staff::{Staff, client_of};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The key that the sandbox bank has unless it is given another: it protects nothing.
const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
/// A breaker in a hurry: what takes a minute takes a third of a second.
pub(crate) const BREAKER: &str = "[executor.breaker]\nprobe_every_ms = 100\nwindow_ms = 2000\ncalls_min = 10\nhold_down_ms = 300\n\
    hold_down_max_ms = 600\nramp_step_ms = 200\nchannel_open_ms = 200\nchannel_trial_ms = 50\n";

/// The sandbox bank at two addresses.
pub(crate) struct Bank(pub(crate) Sandbox);

impl Bank {
    /// `None` where it is not built, which is said.
    pub(crate) fn start() -> Option<Self> {
        let own = ["bank", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--faults", "none"];
        Sandbox::start(own.into_iter().chain(["--date", "2026-03-05"])).map(Self)
    }

    /// Takes the first site down, or lets it come back; told to the second.
    pub(crate) fn first_site(&self, up: bool) {
        let body = json!({"site": 1, "up": up}).to_string();
        let headers = [("content-type", "application/json")];
        let answer = exchange(&self.0.addresses[1], "POST", "/sandbox/site", &headers, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub(crate) fn stats(&self) -> Value {
        exchange(&self.0.addresses[1], "GET", "/sandbox/stats", &[], b"").unwrap().ok()
    }
}

/// A platform whose channel has these tables of sites.
pub(crate) fn start(sites: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let text = format!(
        "[[channels]]\nname = \"sandbox_bank\"\n{sites}\n[channels.settings]\nrail = \"epcc\"\n\
         institution = \"lintel\"\nkey = \"{KEY}\"\n{BREAKER}"
    );
    std::fs::write(&path, text).unwrap();
    Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())])
}

pub(crate) fn site(name: &str, url: &str, more: &str) -> String {
    format!("[[channels.sites]]\nname = \"{name}\"\nurl = \"{url}\"\n{more}\n")
}

/// Orders and pays one; its id.
pub(crate) fn pay(market: &Market, number: &str) -> String {
    let order = text(&market.order(number, 5_000).ok(), "/id");
    let card = json!({"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": 5_000});
    market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [card]})).ok();
    order
}

pub(crate) fn until_paid(market: &Market, order: &str) {
    let began = Instant::now();
    loop {
        let now = market.operator.get(&format!("/v1/orders/{order}")).ok();
        match now["status"].as_str() {
            Some("success") => return,
            Some("paying") => assert!(began.elapsed() < PATIENCE, "{now}"),
            _ => panic!("{now}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what} in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn of_site(what: &str, site: &str) -> String {
    format!("lintel_site_{what}{{channel=\"epcc\",site=\"{site}\"}}")
}

#[test]
fn a_site_that_goes_down_under_load_is_drained_and_comes_back_and_no_payment_feels_it() {
    let Some(bank) = Bank::start() else { return };
    let urls: Vec<String> = bank.0.addresses.iter().map(|address| format!("http://{address}")).collect();
    let server = start(&(site("a", &urls[0], "") + &site("b", &urls[1], "")));
    let market = Market::open(&server);
    let operator = server.operator();
    let state = of_site("state", "a");
    let (paid, stop, orders) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for payer in 0..4 {
            let (market, paid, stop, orders) = (&market, &paid, &stop, &orders);
            scope.spawn(move || {
                for at in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let order = pay(market, &format!("T{payer}-{at}"));
                    orders.lock().unwrap().push(order);
                    paid.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let more = |count: usize| {
            let from = paid.load(Ordering::Relaxed);
            until("payments go on", || paid.load(Ordering::Relaxed) >= from + count);
        };
        more(40);
        bank.first_site(false);
        becomes(&operator, &state, |state| state > 2.5);
        let drained = metric(&operator, &of_site("picked_total", "a"));
        more(40);
        assert!(metric(&operator, &of_site("picked_total", "a")) <= drained, "nothing new goes there");
        assert_eq!(metric(&operator, &of_site("weight", "a")) as u32, 0);
        bank.first_site(true);
        becomes(&operator, &state, |state| state < 0.5);
        more(40);
        stop.store(true, Ordering::Relaxed);
    });
    let orders = orders.into_inner().unwrap();
    orders.iter().for_each(|order| until_paid(&market, order));

    let stats = bank.stats();
    let debits = &stats["verbs"]["debit"];
    let sum = i64::try_from(orders.len()).unwrap();
    assert_eq!((number(debits, "/done"), number(&stats, "/sent_again")), (sum, 0), "{stats}");
    let rates = operator.get("/v1/rates").ok();
    assert_eq!((number(&rates, "/first_try/numerator"), number(&rates, "/first_try/denominator")), (sum, sum));
    assert!(metric(&operator, &of_site("errors_total", "a")) >= 1.0);
    assert!(metric(&operator, &of_site("picked_total", "b")) >= 40.0);
    assert!(metric(&operator, &of_site("call_seconds_count", "b")) >= 40.0);
    becomes(&operator, "lintel_flights", |flights| flights < 0.5);
    let log = server.log();
    for words in ["a site is sick and gets nothing new", "a site comes back with a share", "a site is well"] {
        assert!(log.contains(words), "{words}");
    }
    shown(&server);
}

/// The sites as API and command line show them.
fn shown(server: &Server) {
    let sites = server.operator().get("/v1/channels/epcc/sites").ok();
    assert_eq!(sites["channel"]["breaker"], "closed");
    let names: Vec<_> = sites["data"].as_array().unwrap().iter().map(|site| (&site["site"], &site["state"])).collect();
    assert_eq!(names, [(&json!("a"), &json!("up")), (&json!("b"), &json!("up"))]);
    assert_eq!(server.operator().get("/v1/channels/fund/sites").error().1, "channel_unknown");
    assert_eq!(server.operator().get("/v1/channels/swift/sites").error().0, 400);
    let listed = server.lintel(&["channel", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("sandbox_bank"), "{listed:?}");
    let told = server.lintel(&["channel", "sites", "epcc", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["data"][1]["site"], "b");
}

/// A door of the bank's that takes connections of callers with a certificate alone, and passes what comes on.
fn tls_door(authority: &Authority, certificate: &str, bank: &str) -> (Runtime, String) {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&authority.read(&format!("{certificate}.pem"))).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&authority.read(&format!("{certificate}.key"))).unwrap();
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&authority.read("ca.pem")) {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
    let (acceptor, bank) = (TlsAcceptor::from(Arc::new(config)), bank.to_owned());
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    runtime.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (acceptor, bank) = (acceptor.clone(), bank.clone());
            tokio::spawn(async move {
                let Ok(mut within) = acceptor.accept(stream).await else { return };
                let mut behind = TcpStream::connect(bank).await.unwrap();
                // Either side may end it.
                drop(tokio::io::copy_bidirectional(&mut within, &mut behind).await);
            });
        }
    });
    (runtime, address)
}

#[test]
fn a_channel_shows_its_certificate_and_goes_around_a_site_that_cannot_show_its_own() {
    let Some(bank) = Bank::start() else { return };
    let (Some(ours), Some(another)) = (Authority::new(), Authority::new()) else { return };
    ours.issue_all(&["bank", "lintel"]);
    another.issue_all(&["bank"]);
    let (_true_door, sound) = tls_door(&ours, "bank", &bank.0.addresses[0]);
    let (_false_door, forged) = tls_door(&another, "bank", &bank.0.addresses[1]);
    let [certificate, key, ca] = ["lintel.pem", "lintel.key", "ca.pem"].map(|file| ours.path(file));
    let files = format!("certificate = \"{certificate}\"\ncertificate_key = \"{key}\"\nca = \"{ca}\"\n");
    let sites = site("sound", &format!("https://{sound}"), "") + &site("forged", &format!("https://{forged}"), "");
    let server = start(&(files + &sites));
    let market = Market::open(&server);
    for order in 0..10 {
        until_paid(&market, &pay(&market, &format!("T{order}")));
    }
    let operator = server.operator();
    assert!(metric(&operator, &of_site("probe_failures_total", "forged")) >= 1.0);
    assert_eq!(metric(&operator, &of_site("probe_failures_total", "sound")) as u32, 0);
    let stats = bank.stats();
    assert_eq!((number(&stats["verbs"]["debit"], "/done"), number(&stats, "/sent_again")), (10, 0), "{stats}");

    // Without a certificate of its own nothing reaches the bank.
    let mut bare = std::net::TcpStream::connect(&sound).unwrap();
    std::io::Write::write_all(&mut bare, b"GET /sandbox/stats HTTP/1.1\r\nhost: bank\r\n\r\n").unwrap();
    let mut said = Vec::new();
    drop(bare.read_to_end(&mut said));
    assert!(!String::from_utf8_lossy(&said).contains("200"), "{said:?}");
}

#[test]
fn sites_that_cannot_be_keep_the_platform_from_starting_and_are_named() {
    let mut server = Server::start();
    server.stop();
    let refused = |text: &str| {
        let path = server.directory().join("wrong.toml");
        std::fs::write(&path, text).unwrap();
        let output =
            server.lintel(&["--config", path.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0", "--sandbox"]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let settings = format!("[channels.settings]\nrail = \"epcc\"\ninstitution = \"lintel\"\nkey = \"{KEY}\"\n");
    let channel = |sites: &str| format!("[[channels]]\nname = \"sandbox_bank\"\n{sites}\n{settings}");
    let slow = refused(&channel(&site("bj", "https://bank.example", "timeout_ms = 6000")));
    assert!(slow.contains("site 'bj' waits 6000 ms") && slow.contains("settles after 5000 ms"), "{slow}");
    let half = refused(&channel(&site("bj", "https://bank.example", "certificate = \"own.pem\"")));
    assert!(half.contains("site 'bj'") && half.contains("three files"), "{half}");
    let twice = refused(&(channel("url = \"http://a.example\"") + &channel("url = \"http://b.example\"")));
    assert!(twice.contains("another channel carries epcc"), "{twice}");
}

#[test]
fn a_platform_that_is_no_sandbox_takes_no_open_way_to_a_channel_unless_it_is_told_to() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let settings = format!("[channels.settings]\nrail = \"epcc\"\ninstitution = \"lintel\"\nkey = \"{KEY}\"\n");
    // Each is there twice, which keeps a platform from starting that has nothing against the first.
    let told = |channel: &str, own: &[&str]| {
        let text = format!("[[channels]]\nname = \"sandbox_bank\"\n{channel}{settings}").repeat(2);
        std::fs::write(&path, text).unwrap();
        let arguments = [&["--config", path.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"], own].concat();
        let output = lintel(&directory.path().join(format!("data{}", own.len())), &arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let (plain, bare) = ("url = \"http://127.0.0.1:1\"\n", "url = \"https://127.0.0.1:1\"\n");
    let said = told(plain, &[]);
    assert!(said.contains("channel sandbox_bank") && said.contains("site 'main'"), "{said}");
    assert!(said.contains("`plain_http = true`"), "{said}");
    let said = told(bare, &[]);
    assert!(said.contains("`no_client_certificate = true`") && said.contains("site 'main'"), "{said}");
    assert!(told(&site("bj", "http://127.0.0.1:1", ""), &[]).contains("site 'bj' is at http://127.0.0.1:1"));
    // Each says the one thing and not the other.
    assert!(told(&format!("plain_http = true\n{bare}"), &[]).contains("no_client_certificate"));
    assert!(told(&format!("no_client_certificate = true\n{plain}"), &[]).contains("plain_http"));
    for taken in [format!("plain_http = true\n{plain}"), format!("no_client_certificate = true\n{bare}")] {
        let said = told(&taken, &[]);
        assert!(said.contains("another channel carries epcc"), "{taken}: {said}");
    }
    let said = told(plain, &["--sandbox"]);
    assert!(said.contains("another channel carries epcc"), "a sandbox asks for nothing of it: {said}");
}

#[test]
fn weights_are_set_by_two_people_hold_over_a_restart_and_are_undone_in_one_call() {
    let Some(bank) = Bank::start() else { return };
    let urls: Vec<String> = bank.0.addresses.iter().map(|address| format!("http://{address}")).collect();
    let mut server = start(&(site("a", &urls[0], "weight = 8") + &site("b", &urls[1], "")));
    let staff = Staff::hire(&server);
    let weights = |server: &Server| -> Vec<i64> {
        let sites = server.operator().get("/v1/channels/epcc/sites").ok();
        sites["data"].as_array().unwrap().iter().map(|site| number(site, "/weight")).collect()
    };
    assert_eq!(weights(&server), [8, 1]);
    let proposal = |weights: Value| json!({"kind": "site_weights", "channel": "epcc", "weights": weights});
    assert_eq!(staff.maker.propose(&proposal(json!({"a": 1}))).error().1, "role_missing", "an accountant");
    for wrong in [json!({"a": 0, "b": 0}), json!({"c": 1}), json!({"a": 1_001}), json!({})] {
        assert_eq!(staff.first.propose(&proposal(wrong)).error().1, "value_invalid");
    }
    let proposed = staff.first.propose(&proposal(json!({"a": 0, "b": 5}))).ok();
    assert_eq!(weights(&server), [8, 1], "one person changes nothing");
    assert_eq!(text(&staff.second.approve(&text(&proposed, "/id")).ok(), "/outcome"), "swt_1");
    until("the weights are in force", || weights(&server) == [0, 5]);
    becomes(&server.operator(), &of_site("weight", "a"), |weight| weight < 0.5);

    server.stop();
    server.start_again();
    until("the weights are in force again", || weights(&server) == [0, 5]);
    let market = Market::open(&server);
    for order in 0..5 {
        until_paid(&market, &pay(&market, &format!("T{order}")));
    }
    assert_eq!(metric(&server.operator(), &of_site("picked_total", "a")) as usize, 0, "a person took it out");

    let first = client_of(&server, "opr_1");
    let undo = |version: u64| first.post("/v1/channels/epcc/weights/undo", &json!({ "version": version }));
    assert_eq!(undo(2).error().1, "value_invalid");
    let undone = undo(1);
    assert_eq!((number(&undone.ok(), "/version"), &undone.ok()["weights"]), (2, &json!({})));
    until("the settings are in force again", || weights(&server) == [8, 1]);
    assert_eq!(undo(1).error().1, "value_invalid", "said twice, it is done once");
    assert_eq!(client_of(&server, "opr_3").post("/v1/channels/epcc/weights/undo", &json!({"version": 2})).status, 403);

    let versions = server.operator().get(&format!("/v1/channels/epcc/weights?min_position={}", undone.position())).ok();
    let shown: Vec<_> = versions["data"].as_array().unwrap().iter().collect();
    assert_eq!((text(shown[0], "/operator"), text(shown[0], "/approver")), ("admin.one".into(), "admin.two".into()));
    assert_eq!((number(shown[1], "/undoes"), text(shown[1], "/operator")), (1, "admin.one".into()));
    by_command_line(&server);
}

/// The same from the command line, which proposes and takes back.
fn by_command_line(server: &Server) {
    let run = |arguments: &[&str]| {
        let output = server.lintel(arguments);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
    };
    let (well, listed, error) = run(&["channel", "weights", "epcc"]);
    assert!(well && listed.contains("swt_2"), "{listed} {error:?}");
    let (well, proposed, error) =
        run(&["channel", "weight", "epcc", "a=2", "b=1", "--reason", "line work", "--as", "opr_1", "--json"]);
    assert!(well && proposed.contains("\"pending\""), "{proposed} {error:?}");
    let (well, _, error) = run(&["channel", "weight", "epcc", "a:2", "--reason", "line work", "--as", "opr_1"]);
    assert!(!well && String::from_utf8_lossy(&error).contains("'a:2' is not SITE=WEIGHT"));
    let (well, undone, error) = run(&["channel", "undo", "epcc", "--as", "opr_1"]);
    assert!(well && undone.contains("swt_3"), "{undone} {error:?}");
}
