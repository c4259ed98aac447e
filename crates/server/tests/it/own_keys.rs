//! The platform's own keys live in its key service: it starts sealed and serves once custodians opened it, an old vault comes
//! along, a channel's key is used there, and what is restored opens.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ark::MacKey;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backup::said;
use crate::client::{Client, exchange};
use crate::open::{Books, balance, customer, text};
use crate::orders::Market;
use crate::server::{Custodians, Server, lintel, lintel_fed};

#[track_caller]
fn refused(client: &Client, target: &str) -> (u16, String) {
    let (status, code, _) = client.get(target).error();
    (status, code)
}

fn sealed() -> (u16, String) {
    (503, "sealed".to_owned())
}

#[test]
fn a_sealed_platform_serves_health_and_shares_alone_and_goes_on_when_it_is_open() {
    let directory = TempDir::new().unwrap();
    let custodians = Custodians::deal(directory.path());
    let mut server = Server::start_sealed(directory, &custodians);
    let operator = server.operator();
    assert_eq!(operator.get("/health/live").ok()["status"], "sealed");
    assert_eq!(operator.get("/metrics").status, 200);
    for target in ["/v1/orders", "/v1/ark/status", "/v1/ark/keys", "/docs", "/nothing"] {
        assert_eq!(refused(&operator, target), sealed(), "{target}");
    }
    let standing = |found: u8, threshold: u8| json!({"sealed": true, "found": found, "threshold": threshold});
    assert_eq!(operator.get("/v1/ark/seal-status").ok(), standing(0, 0));
    let shares = &custodians.shares;
    let bring =
        |share: &str| operator.send("POST", "/v1/ark/unseal", &[], json!({"share": share}).to_string().as_bytes());
    assert_eq!(bring("nonsense").error().1, "share_form");
    assert_eq!(bring(&shares[0]).ok(), standing(1, 2));
    assert_eq!(bring(&shares[0]).error().1, "share_duplicate");
    server.unseal(&shares[2..]);
    assert!(!server.directory().join("data/ark.key").exists());

    // It serves on the address it was told at, and what was begun goes on after it is sealed and opened again.
    let books = Books::open(&server);
    books.post("n-1", &books.rich, &books.poor, 700).ok();
    operator.post("/v1/ark/seal", &json!({})).ok();
    for target in ["/health/ready", "/v1/ark/keys", &format!("/v1/accounts/{}", books.poor)] {
        assert_eq!(refused(&operator, target), sealed(), "{target}");
    }
    let lost = books.post("n-2", &books.rich, &books.poor, 1).error();
    assert_eq!((lost.0, lost.1.as_str()), (503, "sealed"));
    assert_eq!(operator.get("/health/live").ok()["status"], "sealed");
    server.unseal(&shares[..2]);
    assert_eq!(balance(&operator, &books.poor), 700, "what was refused was not done");
    books.post("n-2", &books.rich, &books.poor, 1).ok();
    assert_eq!(customer(&operator, "张三", "11010519491231002X"), "cus_1", "the vault knows its people");

    assert!(server.stop().success(), "{}", server.log());
    server.start_again();
    let operator = server.operator();
    assert_eq!(refused(&operator, "/v1/orders"), sealed());
    server.unseal(&shares[1..]);
    assert_eq!(balance(&operator, &books.poor), 701);
    let log = server.log();
    assert!(shares.iter().chain([&custodians.secret()]).all(|secret| !log.contains(secret.as_str())));
}

#[test]
fn custodians_do_it_by_the_command_line() {
    let directory = TempDir::new().unwrap();
    let custodians = Custodians::deal(directory.path());
    let mut server = Server::start_sealed(directory, &custodians);
    let data = server.directory().join("data");
    let status = || said(&server.lintel(&["ark", "status", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&status()).unwrap()["sealed"], true);
    for share in &custodians.shares[..2] {
        said(&lintel_fed(&data, &["ark", "unseal"], share));
    }
    server.unseal(&[]);
    // Whoever has no root key must bring a key.
    let without = lintel(&data, &["ark", "keys", "list"]);
    assert!(!without.status.success());
    let told = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(told.contains("--shares") && told.contains("LINTEL_KEY"), "{told}");
    let with = said(&server.lintel(&["ark", "status", "--json", "--key", &custodians.secret()]));
    assert!(with.contains("signing_public_key"), "{with}");
    // Beside the running platform, too.
    let key = said(&lintel_fed(&data, &["key", "--shares"], &custodians.shares[..2].join("\n")));
    assert_eq!(key.trim(), custodians.secret());
    let few = lintel_fed(&data, &["key", "--shares"], &custodians.shares[0]);
    assert!(!few.status.success() && String::from_utf8_lossy(&few.stderr).contains('2'), "{few:?}");
    assert!(server.stop().success());
}

#[test]
fn a_platform_asked_to_stop_while_it_waits_ends_well() {
    let directory = TempDir::new().unwrap();
    let custodians = Custodians::deal(directory.path());
    let mut server = Server::start_sealed(directory, &custodians);
    assert!(server.stop().success(), "{}", server.log());
    server.start_again();
    server.unseal(&custodians.shares[..2]);
}

/// The vault of a program before the key service, with what it held.
#[test]
fn an_old_vault_is_taken_over_with_its_people_and_its_api_keys() {
    const SECRET: &str = "859d70341fe16676da622779c59b8989338700b7792579d8c3c71a6b721c3f45";
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    for name in ["vault.db", "ark.key"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ark/tests/fixtures/vault-2").join(name);
        fs::copy(from, data.join(name)).unwrap();
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(said(&lintel(&data, &["key"])).trim(), SECRET, "before it ever started");
    let mut server = Server::start_in(directory, &[], Vec::new());
    let old = Client::new(server.address(), "operator", MacKey::from_hex(SECRET).unwrap());
    assert_eq!(old.get("/v1/ark/status").ok()["sealed"], false);
    assert_eq!(customer(&old, "钱七", "990101190001011200"), "cus_1200", "who it knew keeps the number");
    assert_eq!(customer(&old, "赵六", "110105194912310054"), "cus_1201");
    assert_eq!(said(&server.lintel(&["key"])).trim(), SECRET);
    assert!(server.stop().success());
    server.start_again();
    let old = Client::new(server.address(), "operator", MacKey::from_hex(SECRET).unwrap());
    assert_eq!(old.get("/v1/customers/cus_1201").status, 200);
}

/// A bank that does every debit, under the key that it gave us.
struct Bank {
    address: String,
}

impl Bank {
    const SECRET: [u8; 32] = [0x5a; 32];

    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(Self::answer(stream))));
        Self { address }
    }

    /// One request, one answer; what is not signed by us is told so, as a bank would.
    fn answer(stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let (mut line, mut length, mut nonce, mut signature) = (String::new(), 0, String::new(), String::new());
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or_default(),
                "x-nonce" => value.clone_into(&mut nonce),
                "x-signature" => value.clone_into(&mut signature),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let key = MacKey::from_bytes(Self::SECRET);
        let ours = key.mac().update(format!("POST\n{path}\n{nonce}\n").as_bytes()).update(&body).finish();
        let order: Value = serde_json::from_slice(&body).unwrap_or_default();
        let done = json!({
            "serial": order["serial"], "kind": "debit", "code": "00000000", "message": "done", "amount": order["amount"],
            "currency": order["currency"], "reference": "B1", "clearing_date": "2026-03-05",
        });
        let (status, said) = if hex_of(&ours) == signature { (200, done.to_string()) } else { (401, String::new()) };
        let tag = key.mac().update(format!("ANSWER\n{status}\n{nonce}\n").as_bytes()).update(said.as_bytes()).finish();
        let head = format!(
            "HTTP/1.1 {status} -\r\nx-nonce: {nonce}\r\nx-signature: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            hex_of(&tag),
            said.len()
        );
        reader.get_mut().write_all(format!("{head}{said}").as_bytes())
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The environment of a platform whose bank shares a key that lies in the key service.
fn with_channel(directory: &Path, bank: &Bank) -> Vec<(String, OsString)> {
    let path = directory.join("lintel.toml");
    let text = format!(
        "[[channels]]\nname = \"sandbox_bank\"\nurl = \"http://{}\"\n[channels.settings]\nrail = \"epcc\"\n\
         institution = \"lintel\"\nkey = \"ark:channel/our-bank\"\n",
        bank.address
    );
    fs::write(&path, text).unwrap();
    vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]
}

fn pay(market: &Market, number: &str) -> String {
    let order = text(&market.order(number, 500_000).ok(), "/id");
    let card =
        json!({"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": 500_000});
    market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [card]})).ok();
    order
}

/// Waits until the order is paid; the executor has its own time.
fn until_paid(market: &Market, order: &str) {
    let began = Instant::now();
    loop {
        let now = market.operator.get(&format!("/v1/orders/{order}")).ok();
        if now["status"] == "success" {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{now}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_channel_signs_with_a_key_that_it_never_sees() {
    let (directory, bank) = (TempDir::new().unwrap(), Bank::open());
    let environment = with_channel(directory.path(), &bank);
    let custodians = Custodians::deal(directory.path());
    let server = Server::start_sealed_with(directory, &custodians, environment);
    server.unseal(&custodians.shares[..2]);
    let market = Market::open(&server);
    // Nobody has brought the key yet: the attempt waits for it.
    let first = pay(&market, "T1");
    assert_eq!(market.operator.get(&format!("/v1/orders/{first}")).ok()["status"], "paying");
    let secret = hex_of(&Bank::SECRET);
    let data = server.directory().join("data");
    let take_in = ["ark", "keys", "take-in", "channel/our-bank", "--reason", "agreement 7", "--key"];
    let brought = said(&lintel_fed(&data, &[&take_in[..], &[&custodians.secret()]].concat(), &secret));
    assert!(brought.contains("channel/our-bank") && !brought.contains(&secret), "{brought}");
    until_paid(&market, &first);

    // Sealed, an attempt that is under way waits; open, it goes on.
    market.operator.post("/v1/ark/seal", &json!({})).ok();
    server.unseal(&custodians.shares[1..]);
    until_paid(&market, &pay(&market, "T2"));

    let trail = market.operator.get("/v1/ark/audit?limit=1000").ok();
    let records = trail["data"].as_array().unwrap();
    let told = |caller: &str, operation: &str, reason: &str| {
        records.iter().any(|record| {
            record["key"] == "channel/our-bank"
                && record["caller"] == caller
                && record["operation"] == operation
                && record["reason"] == reason
        })
    };
    assert!(told("operator", "take-in", "agreement 7"), "{trail}");
    assert!(told("lintel", "hmac", "channel sandbox_bank") && told("lintel", "verify-hmac", "channel sandbox_bank"));
    let (log, raw) = (server.log(), Bank::SECRET);
    assert!(!log.contains(&secret) && !log.contains(&custodians.secret()), "a secret is in the log");
    for name in ["keys.db", "keys.db-wal", "vault.db", "journal.db", "store.db"] {
        let bytes = fs::read(data.join(name)).unwrap_or_default();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!holds(&raw) && !holds(secret.as_bytes()), "the bank's key lies in {name}");
    }
}

#[test]
fn nobody_takes_the_platforms_place_at_its_keys() {
    let server = Server::start();
    let operator = server.operator();
    let new = |name: &str| json!({"name": name, "kind": "sm4", "purpose": "encrypt", "exportable": true});
    for name in ["platform/vault", "platform/new"] {
        assert_eq!(operator.post("/v1/ark/keys", &new(name)).error().1, "not_permitted", "{name}");
        let secret = json!({"key": new(name), "secret": "AAECAwQFBgcICQoLDA0ODw=="});
        assert_eq!(operator.post("/v1/ark/take-in", &secret).error().1, "not_permitted", "{name}");
    }
    let all = json!(["encrypt", "decrypt", "rewrap", "sign", "verify", "hmac"]);
    operator
        .post("/v1/ark/access", &json!({"action": "allow", "caller": "operator", "prefix": "", "operations": all}))
        .ok();
    let encrypted = operator.post("/v1/ark/encrypt/platform%2Fvault", &json!({"plaintext": "AA=="}));
    assert_eq!(encrypted.error().1, "not_permitted");
    let signed = operator.post("/v1/ark/sign/platform%2Fsigning", &json!({"message": "AA=="}));
    assert_eq!(signed.error().1, "not_permitted");
    let checked = json!({"message": "AA==", "signature": "ark:v1:AAAA"});
    assert_eq!(operator.post("/v1/ark/verify/platform%2Fsigning", &checked).ok()["valid"], false);
    let status = operator.get("/v1/ark/status").ok();
    let shown = operator.get("/v1/ark/keys/platform%2Fsigning").ok();
    assert_eq!(status["signing_public_key"], shown["versions"][0]["public_key"]);
    assert!(status["signing_public_key"].is_string(), "{status}");
    let short = json!({"key": {"name": "short", "kind": "hmac-sm3", "purpose": "mac"}, "secret": "AAAA"});
    assert_eq!(operator.post("/v1/ark/take-in", &short).error().1, "key_bytes_invalid");
}

#[test]
fn a_production_starts_with_no_secret_in_its_settings() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let refused = |channel: &str, settings: &[&str], words: &[&str]| {
        let text = format!("[ark]\nprofile = \"production\"\nunseal = \"shares\"\n{channel}");
        fs::write(&path, text).unwrap();
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let arguments = [&["--config", path.to_str().unwrap(), "serve", "--sandbox"], settings.as_slice()].concat();
        let output = lintel(&directory.path().join("data"), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        assert!(!said.contains("5a5a5a5a") && !said.contains("open-sesame"), "{said}");
    };
    let secret = hex_of(&Bank::SECRET);
    let bank = |key: &str| {
        format!(
            "[[channels]]\nname = \"sandbox_bank\"\nurl = \"http://127.0.0.1:1\"\n[channels.settings]\nkey = \"{key}\"\n"
        )
    };
    refused(&bank(&secret), &[], &["`key` of channel sandbox_bank", "take-in"]);
    let unionpay = "[[channels]]\nname = \"unionpay_online\"\nurl = \"http://127.0.0.1:1\"\n[channels.settings]\n\
                    sign_method = \"12\"\nkey = \"open-sesame\"\n";
    refused(&[bank("ark:channel/our-bank").as_str(), unionpay].concat(), &[], &["`key` of channel unionpay_online"]);
    let address = "journal.url=host=127.0.0.1 user=lintel password=open-sesame";
    refused("", &[address], &["journal.url", "LINTEL_SET_JOURNAL__URL"]);
    refused("[store]\nurl = \"postgresql://lintel:open-sesame@127.0.0.1/l\"\n", &[], &["store.url"]);
    let key = directory.path().join("own.key");
    fs::write(&key, "-----BEGIN PRIVATE KEY-----").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let words = ["ark.remote.certificate_key", "own.key", "mode 0640", "chmod 600"];
    refused("", &[&format!("ark.remote.certificate_key={}", key.display())], &words);
    let with_key =
        bank("ark:channel/our-bank").replacen("url", &format!("certificate_key = \"{}\"\nurl", key.display()), 1);
    refused(&with_key, &[], &["certificate_key of channel sandbox_bank", "chmod 600"]);
    // Without any, it is the key service that is missing.
    refused(&bank("ark:channel/our-bank"), &[], &["lintel ark init"]);
}

#[test]
fn the_secret_is_told_as_soon_as_custodians_opened_a_new_platform() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let dealt = said(&lintel(&data, &["ark", "init", "--shares", "3", "--threshold", "2"]));
    let shares: Vec<&str> = dealt.lines().collect();
    let server = Server::start_sealed_by(directory, &"00".repeat(32), Vec::new());
    for share in &shares[..2] {
        let body = json!({ "share": share }).to_string();
        let told = exchange(server.address(), "POST", "/v1/ark/unseal", &[], body.as_bytes()).unwrap();
        assert_eq!(told.status, 200, "{told:?}");
    }
    let secret = said(&lintel_fed(&data, &["key", "--shares"], &shares[1..].join("\n")));
    assert!(MacKey::from_hex(secret.trim()).is_ok(), "its vault is made by now");
}

#[test]
fn what_is_restored_opens_with_the_custodians_shares() {
    let directory = TempDir::new().unwrap();
    let custodians = Custodians::deal(directory.path());
    let server = Server::start_sealed_embedded(directory, &custodians);
    server.unseal(&custodians.shares[..2]);
    let books = Books::open(&server);
    books.post("n-1", &books.rich, &books.poor, 700).ok();
    let folder = TempDir::new().unwrap();
    let (backup, place) = (folder.path().join("backup"), folder.path().join("new"));
    let backup = backup.to_str().unwrap();
    let taken = server.lintel_in(&["backup", "take", backup], &[]);
    assert!(!taken.status.success(), "its rows are given to who signs");
    said(&server.lintel(&["backup", "take", backup, "--key", &custodians.secret()]));
    let listed = said(&server.lintel(&["backup", "list", backup]));
    assert!(listed.contains("vault-") && listed.contains("keys-"), "{listed}");
    said(&server.lintel(&["backup", "check", backup]));
    let left = fs::read_dir(backup)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|it| it == "copying"));
    assert_eq!(left.count(), 0);
    let told = said(&lintel(&place.join("data"), &["restore", backup]));
    assert!(told.contains("custodians"), "{told}");
    drop(server);

    let moved = TempDir::new().unwrap();
    fs::rename(place.join("data"), moved.path().join("data")).unwrap();
    let restored = Server::start_sealed_embedded(moved, &custodians);
    restored.unseal(&custodians.shares[1..]);
    let operator = restored.operator();
    assert_eq!(balance(&operator, &books.poor), 700);
    assert_eq!(customer(&operator, "张三", "11010519491231002X"), "cus_1", "the vault knows its people");
}

#[test]
fn without_custodians_or_a_file_it_says_what_to_do() {
    let mut server = Server::start();
    assert!(server.stop().success());
    let data = server.directory().join("data");
    fs::remove_file(data.join("keys.db")).unwrap();
    let log = server.start_refused();
    assert!(log.contains("keys.db") && log.contains("backup"), "{log}");
}
