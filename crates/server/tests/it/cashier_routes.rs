//! A card that is signed at two channels: the cashier shows it once, the rules choose, and a definite failure goes on to the other.

use std::ffi::OsStr;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cashier::{Payer, is, signed, signed_as};
use crate::client::Client;
use crate::epcc::{Epcc, channel};
use crate::open::{balance, own, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::staff::client_of;

const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
const CARD: &str = "6222020200112233445";
/// Every debit is refused by the payer's bank.
const DECLINES: &str = "[debit]\ndecline = 10000\ndecline_codes = [\"30000001\"]";
const RULES: &str = r#"
[[rules]]
name = "cards"
instruments = ["debit_card"]
banks = ["102"]
channels = ["epcc", "epcc_b"]
cascade = true
"#;

/// Two of EPCC, and a platform to which they are two channels.
struct World {
    first: Epcc,
    further: Epcc,
    server: Server,
    market: Market,
    landlord: Client,
    theirs: Theirs,
}

impl World {
    /// The first refuses every debit, the further one none. `None` without a sandbox or an `openssl` that encrypts, which is said.
    fn start() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let written = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let bank = |called: &str, plan: &str| {
            let (faults, own) = (written(called, plan), ["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05"]);
            let own = own.iter().map(OsStr::new).chain([OsStr::new("--faults"), faults.as_os_str()]);
            Sandbox::start(own).map(Epcc)
        };
        let (first, further) = (bank("epcc", DECLINES)?, bank("epcc_b", "")?);
        let at = |epcc: &Epcc| format!("url = \"http://{}\"\n", epcc.0.addresses[0]);
        let channels = channel(&at(&first)) + &channel(&format!("id = \"epcc_b\"\n{}", at(&further)));
        let rules = written("routing.toml", RULES);
        let path = written("lintel.toml", &format!("{channels}[routing]\nfile = \"{}\"\n", rules.display()));
        let server = Server::start_in(directory, &QUERIES, vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
        first.tells(&server, "epcc");
        further.tells(&server, "epcc_b");
        let market = Market::open(&server);
        let theirs = Theirs::of(&market.operator, "SM2-DER");
        theirs.seal(b"1")?;
        let landlord = client_of(&server, &text(&market.landlord, "/id"));
        Some(Self { first, further, server, market, landlord, theirs })
    }

    fn signs(&self, at: (&Epcc, &str)) -> String {
        signed(at, &self.theirs, &self.landlord, &self.market.payer, CARD)
    }

    /// A new order, and its payer in a session.
    fn order(&self, number: &str) -> (String, Payer) {
        let order = text(&self.market.order(number, 500_000).ok(), "/id");
        let payer = Payer::of(&self.server, &self.landlord, &order, 600);
        (order, payer)
    }

    /// Where each leg of an order went, and what became of it.
    fn legs(&self, order: &str) -> Vec<[String; 2]> {
        let order = self.market.operator.get(&format!("/v1/orders/{order}")).ok();
        order["legs"].as_array().unwrap().iter().map(|leg| ["/channel", "/status"].map(|at| text(leg, at))).collect()
    }
}

/// The ids of what a session lists.
fn listed(payer: &Payer) -> Vec<String> {
    let list = payer.get("/instruments").ok();
    list["data"].as_array().unwrap().iter().map(|one| text(one, "/id")).collect()
}

fn by(id: &str) -> Value {
    json!({"instruments": [{ "id": id }]})
}

#[test]
fn a_card_signed_at_two_channels_is_shown_once_and_goes_on_after_a_definite_failure() {
    let Some(world) = World::start() else { return };
    let (card, again) = (world.signs((&world.first, "epcc")), world.signs((&world.further, "epcc_b")));
    let signing = world.landlord.get(&format!("/v1/sign-ups/{again}")).ok();
    assert_eq!(["/rail", "/channel"].map(|at| text(&signing, at)), ["epcc", "epcc_b"]);

    let (order, payer) = world.order("T1");
    assert_eq!(listed(&payer), [card.as_str(), "page_epcc"], "one card");
    let paid = payer.pay("1", "", &by(&card)).ok();
    assert_eq!(text(&paid, "/status"), "success", "{paid}");
    assert_eq!(world.legs(&order), [["epcc", "failed"], ["epcc_b", "captured"]]);
    assert_eq!(text(&paid, "/legs/0/failure"), "bank");
    let clearing = || balance(&world.market.operator, &own(&world.market.operator, 1121));
    assert_eq!(clearing(), 500_000, "debited once");

    // One of its agreements is cancelled: the other pays, and nothing else is tried.
    world.landlord.post(&format!("/v1/sign-ups/{card}/cancel"), &json!({})).ok();
    let (order, payer) = world.order("T2");
    assert_eq!(listed(&payer), [again.as_str(), "page_epcc"]);
    is(&payer.pay("1", "", &by(&card)), 404, "cashier_instrument_unknown");
    let paid = payer.pay("2", "", &by(&again)).ok();
    assert_eq!(text(&paid, "/status"), "success", "{paid}");
    assert_eq!((world.legs(&order), clearing()), (vec![["epcc_b", "captured"].map(str::to_owned)], 1_000_000));
}

/// The rule is for debit cards of bank 102. A payment of the merchant's own says otherwise of a card than its holder signed.
#[test]
fn the_rules_go_by_what_was_signed_whatever_a_payment_says() {
    let Some(world) = World::start() else { return };
    let pays = |number: &str, (account, credit): (&str, bool)| {
        let agreement = |at: (&Epcc, &str)| {
            let id = signed_as(at, &world.theirs, &world.landlord, &world.market.payer, (account, credit));
            world.landlord.get(&format!("/v1/sign-ups/{id}")).ok()["agreement"].clone()
        };
        let (first, further) = (agreement((&world.first, "epcc")), agreement((&world.further, "epcc_b")));
        let card = json!({
            "type": "card", "agreements": {"epcc": first, "epcc_b": further}, "mask": "622202*********3445",
            "bank": "999", "credit": !credit, "amount": 500_000,
        });
        let order = text(&world.market.order(number, 500_000).ok(), "/id");
        let path = format!("/v1/orders/{order}/pay?wait=30");
        world.landlord.post(&path, &json!({"instruments": [card]})).ok();
        world.legs(&order)
    };
    assert_eq!(
        pays("T1", (CARD, false)),
        [["epcc", "failed"], ["epcc_b", "captured"]],
        "a debit card: the rule's route"
    );
    assert_eq!(pays("T2", ("6222020200119988776", true)), [["epcc", "failed"]], "no rule is for it: nowhere else");
}
