//! A morning of sales through a card network that loses, delays and doubles answers and cuts links, with a kill in between:
//! afterwards the network's books and ours are equal, and so are its file and our transactions.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::card_network::{Network, has_key, links};
use crate::client::Client;
use crate::open::{number, session_line, text};
use crate::server::Server;
use crate::terminals::device::{Cipher, Device};
use crate::terminals::{TRANSPORT, form_for, shop};

const PATIENCE: Duration = Duration::from_secs(60);
const MASTER: &str = "0123456789ABCDEFFEDCBA9876543210";
const CARD: &str = "6230606601007726888";
const TRACK: &str = "6230606601007726888D30122010000012345";
const CHIP: &str = "9F26081122334455667788950500000000009F3704DEADBEEF";
/// What each account holds at first.
const AT_FIRST: i64 = 100_000_000;
/// Of 10,000 messages. An answer is late where it comes after the platform's patience.
const PLAN: &str = "seed = 7\nlate_ms = 600\nlost_before = 800\nlost_after = 1500\nlate = 800\ntwice = 1000\ncut = 800\n\n\
    [[decline]]\namount = 5151\ncode = \"51\"\n";

/// A sale of the card that this PIN is said of; the network's code, where it is waited for.
pub(crate) async fn sell(device: &mut Device, amount: i64, pin: &str, waits: bool) -> Option<String> {
    let pin = hex::encode(device.work.as_ref().unwrap().pin.pin(pin, CARD));
    let (trace, kind, amount) = (format!("{:06}", device.next_trace()), device.kind("22"), format!("{amount:012}"));
    let sale = [
        (3, "000000"),
        (4, amount.as_str()),
        (11, trace.as_str()),
        (14, "3012"),
        (22, "051"),
        (25, "00"),
        (26, "12"),
        (35, TRACK),
        (49, "156"),
        (52, pin.as_str()),
        (53, "2600000000000000"),
        (55, CHIP),
        (60, kind.as_str()),
    ];
    if waits {
        let heard = device.ask("0200", &sale).await;
        assert_eq!(heard.proved, Some(true));
        return heard.fields.get(&39).cloned();
    }
    let mac = device.work.as_ref().map(|work| work.mac.clone());
    let message = device.message("0200", &sale, mac.as_ref());
    device.send(&message).await;
    None
}

/// The transactions that stand so, as the store shows them now.
fn standing(client: &Client, status: &str) -> Vec<Value> {
    let position = client.get("/v1/card-network").position();
    let path = format!("/v1/card-transactions?status={status}&limit=500&min_position={position}");
    client.get(&path).ok()["data"].as_array().unwrap().clone()
}

/// Waits until the network owes no answer.
fn settled(client: &Client) {
    let began = Instant::now();
    while ["requested", "unknown", "reversing"].iter().any(|status| !standing(client, status).is_empty()) {
        assert!(began.elapsed() < PATIENCE, "reversals stay open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sum(rows: &[Value]) -> i64 {
    rows.iter().map(|row| number(row, "/amount")).sum()
}

/// Forty sales, and two that the issuer declines; Σ of what the terminal saw approved.
async fn morning(device: &mut Device) -> i64 {
    let (mut seen_approved, mut codes) = (0, std::collections::BTreeMap::<String, u32>::new());
    for at in 1..=40 {
        let amount = 10_000 + at;
        let code = sell(device, amount, "726888", true).await.unwrap();
        seen_approved += if code == "00" { amount } else { 0 };
        *codes.entry(code).or_default() += 1;
    }
    // Certain answers of the issuer, unless they were lost.
    for (amount, pin, certain) in [(5_151, "726888", "51"), (10_000, "111111", "55")] {
        let code = sell(device, amount, pin, true).await.unwrap();
        assert!([certain, "98", "91"].contains(&code.as_str()), "{code}");
    }
    assert!(codes.get("00").is_some_and(|count| *count > 10), "{codes:?}");
    assert!(codes.get("98").is_some_and(|count| *count > 2), "{codes:?}");
    seen_approved
}

/// Both books say the same, and so does the network's file.
fn equal(programs: &Client, network: &Network, seen_approved: i64, lost: i64) {
    let approved = standing(programs, "approved");
    let ours = sum(&approved);
    let theirs: Value = serde_json::from_str(&network.ask("GET", "/books")).unwrap();
    assert_eq!((&theirs["taken"], &theirs["taken_count"]), (&json!(ours), &json!(approved.len())), "{theirs}");
    let balance: i64 = network.ask("GET", &format!("/balance/{CARD}")).parse().unwrap();
    assert_eq!(balance, AT_FIRST - ours);
    // Whoever saw a sale fail is not charged, and whoever saw it succeed is: but for the one that nobody saw end.
    let unseen = approved.iter().filter(|row| row["amount"] == json!(lost)).count();
    assert_eq!(ours, seen_approved + lost * i64::try_from(unseen).unwrap());
    assert!(standing(programs, "reversed").len() > 2);

    // The network's file names exactly these.
    let taken = programs.post("/v1/card-clearing", &json!({"file": network.ask("GET", "/file/48021000")})).ok();
    let part = &taken["parts"][0];
    assert_eq!((&part["matched"], &part["different"]), (&json!(approved.len()), &json!(0)), "{taken}");
    assert_eq!((&part["paid"], &part["cost_difference"]), (&json!(ours), &json!(0)), "{taken}");
    assert_eq!(part["voucher"], Value::Null, "its session's line of the statement books the net");
    assert!(session_line(programs, "unionpay", &text(part, "/date"), number(part, "/net")).starts_with("vch_"));
}

/// A platform behind this network, which waits for it as these settings say, and a shop's terminal that has signed in.
pub(crate) async fn signed_in(network: &Network, patience: &[&str]) -> (Server, Device) {
    let mut settings = network.settings();
    settings.extend(patience.iter().map(|setting| format!("pos.network.{setting}")));
    settings.extend(["ark.unseal=file", "pos.listen=127.0.0.1:0"].map(str::to_owned));
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_with(&settings);
    let merchant = shop(&server);
    form_for(&server, "zone/unionpay/master", "zone-master", MASTER);
    let programs = server.operator();
    links(&programs, |seen| number(seen, "/up") == 2);
    has_key(&programs, "zone/unionpay/pin");

    let address = crate::pos::terminals(&server).parse().unwrap();
    let master = Cipher::sm4(&hex::decode(TRANSPORT).unwrap());
    let mut device = Device::connect(address, "00000001", &merchant, master).await;
    device.sign_in("N900-7").await.is("00");
    (server, device)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_losses_late_and_doubled_answers_cut_links_and_a_kill_both_books_are_equal() {
    let plan = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(plan.path(), PLAN).unwrap();
    let Some(network) = Network::start(&["--faults", plan.path().to_str().unwrap()]) else { return };
    let patience = ["answer_timeout_ms=300", "forward_ms=20", "forward_max_ms=100"];
    let (mut server, mut device) = signed_in(&network, &patience).await;
    let seen_approved = morning(&mut device).await;

    // One more, and the platform dies with it under way.
    let lost = 77_777;
    sell(&mut device, lost, "726888", false).await;
    std::thread::sleep(Duration::from_millis(30));
    server.kill();
    server.start_again();
    let programs = server.operator();
    links(&programs, |seen| number(seen, "/up") == 2);
    settled(&programs);

    equal(&programs, &network, seen_approved, lost);
    assert!(server.stop().success());
    nothing_of_the_card_is_kept(&server);
}

/// In log, journal, store, vault and key service.
fn nothing_of_the_card_is_kept(server: &Server) {
    let mut looked_at = vec![server.log().into_bytes()];
    let mut folders = vec![server.directory().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { looked_at.push(std::fs::read(path).unwrap()) }
        }
    }
    assert!(looked_at.len() > 8);
    let mut needles: Vec<Vec<u8>> =
        [CARD, TRACK, "30122010000012345", CHIP].iter().map(|text| text.as_bytes().to_vec()).collect();
    needles.extend([hex::decode(&CARD[..18]).unwrap(), hex::decode(CHIP).unwrap()]);
    for needle in needles {
        let found = looked_at.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle));
        assert!(!found, "{}", hex::encode(&needle));
    }
}
