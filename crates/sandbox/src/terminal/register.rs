//! Opens a fleet of terminals at a platform, over its API: people, prices, keys, merchants, terminals.
//!
//! ```text
//!  two administrators ─ by them two treasurers ─ by them card fees and what the network costs
//!        └ as custodians they bring the components of a transport key, and of the network's master key
//!  merchants ─► their acquirings ─► terminals: bought ─ key under the transport key ─ bound to their place
//! ```
//! What is there already is used: who opens the same fleet again gets the same terminals. Keys follow from serials and
//! protect nothing.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::device::Identity;
use crate::api::Api;
use crate::card_network::SANDBOX_ZONE_MASTER;
use crate::cipher::{CardCipher, CardKey};
use crate::person::Person;
use crate::play::stage::{each, text};
use crate::process::Launch;

/// The transport keys of the sandbox's terminals, by name in the key service, and their bytes.
const TRANSPORT: &str = "terminal/transport";
const TRANSPORT_KEY: &str = "1234567890ABCDEFABCDEF0987654321";
/// How serials of simulated terminals begin.
const SERIAL: &str = "SIM";
/// The plan of fees.
const FEE_PLAN: &str = "terminals";
/// How many customers are registered at once.
const CUSTOMERS: usize = 100;
/// For the network's keys: a link that has none asks again at each echo (`pos.network.echo_ms`, a minute unless set).
const KEYS: std::time::Duration = std::time::Duration::from_secs(150);
/// Where the first terminal stands, in millionths of a degree; the others stand in a row.
const HOME: (i64, i64) = (39_908_722, 116_397_499);

/// What is to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    /// How many terminals.
    pub count: usize,
    /// How many merchants share them.
    pub merchants: usize,
    /// The cipher of their keys: triple DES or SM4.
    pub cipher: CardCipher,
    /// How many requests are under way at once.
    pub width: usize,
}

/// Whoever opens it: the institution's programs, and two administrators.
pub struct Office {
    api: Api,
    launch: Launch,
    administrators: [Person; 2],
    /// From when prices are in force.
    first_day: String,
}

impl std::fmt::Debug for Office {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Office({:?})", self.api)
    }
}

impl Office {
    /// Registers two administrators, which a platform lets its programs do as long as it has none.
    ///
    /// # Errors
    /// If it has some, or is not reached.
    pub async fn hire(api: Api, launch: Launch) -> Result<Self> {
        let mut administrators = Vec::new();
        for login in ["terminals.one", "terminals.two"] {
            let body = json!({ "login": login, "roles": ["administrator"] });
            let hired = api.post("/v1/operators", &format!("hire-{login}"), &body).await?.json();
            let hired = hired.context(
                "two administrators for the terminals; a platform that has its own lets nobody in this way: begin with \
                 an empty data directory, or open merchants and terminals by hand (docs/pos.md)",
            )?;
            let id = text(&hired, "id")?;
            administrators.push(Person::enrol(api.with_caller(&id, launch.key(&id)?), &id).await?);
        }
        let administrators = administrators.try_into().ok().context("two administrators")?;
        Self::of(api, launch, administrators).await
    }

    /// The same with two administrators that are there.
    pub(crate) async fn of(api: Api, launch: Launch, administrators: [Person; 2]) -> Result<Self> {
        let first_day = text(&api.get("/v1/days").await?, "current")?;
        Ok(Self { api, launch, administrators, first_day })
    }

    /// Opens all that a fleet needs; its terminals.
    ///
    /// # Errors
    /// What the platform says.
    pub async fn open(&mut self, fleet: Fleet) -> Result<Vec<Identity>> {
        self.price().await?;
        for custodian in &self.administrators {
            let id = custodian.api.id();
            let grant = json!({ "action": "grant", "caller": id, "role": "custodian" });
            self.done("/v1/ark/access", &format!("custodian-{id}"), grant).await?;
        }
        self.form(&transport(fleet.cipher), fleet.cipher, "terminal-master", TRANSPORT_KEY).await?;
        self.connect_network().await?;
        open(&self.api, fleet).await
    }

    /// Two treasurers, and by them what merchants pay and what the network takes.
    async fn price(&mut self) -> Result<()> {
        let mut treasurers = Vec::new();
        for (at, login) in ["terminals.three", "terminals.four"].into_iter().enumerate() {
            let proposal = json!({ "kind": "operator", "action": "register", "login": login, "roles": ["treasurer"] });
            let [one, two] = &mut self.administrators;
            let (maker, checker) = if at == 0 { (one, two) } else { (two, one) };
            let proposed = maker.propose(&format!("hire-{login}"), &proposal, "prices of cards").await?;
            let id = checker.approve(&proposed).await?;
            treasurers.push(Person::enrol(self.api.with_caller(&id, self.launch.key(&id)?), &id).await?);
        }
        let [one, two] = treasurers.as_mut_slice() else { return Ok(()) };
        let plan = json!({
            "kind": "card_fee", "action": "set_plan", "code": FEE_PLAN, "from": self.first_day,
            "debit": { "rate": 5_000 }, "credit": { "rate": 6_000 },
        });
        let proposed = one.propose("card-plan", &plan, "prices of cards").await?;
        two.approve(&proposed).await?;
        let cost = json!({
            "kind": "card_fee", "action": "set_cost", "scheme": "unionpay", "from": self.first_day,
            "debit": { "rate": 3_500, "cap": 1_300 }, "credit": { "rate": 4_500 }, "network": { "rate": 325, "cap": 325 },
        });
        let proposed = two.propose("card-cost", &cost, "what the network takes").await?;
        one.approve(&proposed).await.map(|_| ())
    }

    /// A key of two custodians' components.
    async fn form(&self, name: &str, cipher: CardCipher, purpose: &str, hex_key: &str) -> Result<()> {
        let key = json!({ "name": name, "kind": cipher.name(), "purpose": purpose });
        let forming = json!({ "key": key, "components": 2 });
        self.done("/v1/ark/financial/form", &format!("form-{}", name.replace('/', "-")), forming).await?;
        let one = [0x5A; 16];
        let other: Vec<u8> = hex::decode(hex_key)?.iter().zip(one).map(|(byte, one)| byte ^ one).collect();
        let target = format!("/v1/ark/financial/component/{}", name.replace('/', "%2F"));
        for (custodian, component) in self.administrators.iter().zip([&one[..], &other]) {
            let body = json!({ "component": BASE64_STANDARD.encode(component) });
            let key = format!("component-{}-{}", name.replace('/', "-"), custodian.api.id());
            custodian.api.post(&target, &key, &body).await?.json().with_context(|| format!("a component of {name}"))?;
        }
        Ok(())
    }

    /// Where the platform has a card network, its master key; waits until the network has brought the others.
    async fn connect_network(&self) -> Result<()> {
        let seen = self.api.read("/v1/card-network", "application/json").await?;
        let Ok(seen) = seen.json() else { return Ok(()) };
        let network = text(&seen, "network")?;
        // The network's own unless it is told otherwise.
        self.form(&format!("zone/{network}/master"), CardCipher::Sm4, "zone-master", SANDBOX_ZONE_MASTER).await?;
        for key in ["mac", "pin"] {
            let target = format!("/v1/ark/keys/zone%2F{network}%2F{key}");
            let began = std::time::Instant::now();
            while self.api.read(&target, "application/json").await?.status != 200 {
                ensure!(began.elapsed() < KEYS, "the card network {network} brings no {key} key: is it there?");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    async fn done(&self, path: &str, key: &str, body: Value) -> Result<Value> {
        self.api.post(path, key, &body).await?.json().with_context(|| format!("POST {path}"))
    }
}

/// The terminals of the sandbox that a platform has, bound and not suspended.
///
/// # Errors
/// If it does not say.
pub async fn known(api: &Api, cipher: CardCipher) -> Result<Vec<Identity>> {
    // Lists are behind by a moment: they are to show what a terminal shows that is asked for by its id.
    let now = api.read("/v1/terminals/trm_1", "application/json").await?.position.unwrap_or_default();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/v1/terminals?limit=500&min_position={now}{cursor}")).await?;
        for terminal in page.get("data").and_then(Value::as_array).into_iter().flatten() {
            let word = |pointer: &str| terminal.pointer(pointer).and_then(Value::as_str);
            let (Some(number), Some(serial), Some(status)) = (word("/number"), word("/serial"), word("/status")) else {
                continue;
            };
            let works = matches!(status, "bound" | "online");
            let ours = serial.starts_with(&format!("{SERIAL}-{}-", cipher.name()));
            if let (true, true, Some(merchant)) = (works, ours, word("/binding/number")) {
                found.push(identity(number, merchant, serial, cipher)?);
            }
        }
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}

fn transport(cipher: CardCipher) -> String {
    format!("{TRANSPORT}-{}", cipher.name())
}

fn serial(cipher: CardCipher, at: usize) -> String {
    format!("{SERIAL}-{}-{:07}", cipher.name(), at + 1)
}

/// The master key of a simulated terminal follows from its serial.
fn master(serial: &str) -> [u8; 16] {
    let hash = ark::sm3(format!("a terminal of the sandbox: {serial}").as_bytes());
    hash.first_chunk().copied().unwrap_or_default()
}

fn identity(number: &str, merchant: &str, serial: &str, cipher: CardCipher) -> Result<Identity> {
    let master = CardKey::new(cipher, &master(serial))?;
    Ok(Identity { number: number.to_owned(), merchant: merchant.to_owned(), serial: serial.to_owned(), master })
}

/// Merchants and terminals.
async fn open(api: &Api, fleet: Fleet) -> Result<Vec<Identity>> {
    let acquirings = merchants(api, fleet).await?;
    let under = CardKey::new(fleet.cipher, &hex::decode(TRANSPORT_KEY)?)?;
    each((0..fleet.count).collect(), fleet.width, |at, _| {
        let (api, under) = (api.clone(), under.clone());
        let acquiring = acquirings.get(at % acquirings.len().max(1)).cloned();
        async move { terminal(&api, fleet.cipher, at, acquiring, &under).await }
    })
    .await
}

/// Id and number of each merchant's acquiring.
async fn merchants(api: &Api, fleet: Fleet) -> Result<Vec<(String, String)>> {
    let count = fleet.merchants.max(1);
    let mut owners = Vec::new();
    for first in (0..count).step_by(CUSTOMERS) {
        let people = (first..count.min(first + CUSTOMERS)).map(|at| {
            let certificate = json!({ "type": "passport", "number": format!("T{at:08}") });
            json!({ "kind": "person", "name": format!("商户{at}"), "certificate": certificate, "phone": format!("198{at:08}") })
        });
        let body = json!({ "customers": people.collect::<Vec<_>>() });
        let answer = api.post("/v1/customers/batch", &format!("terminals-customers-{first}"), &body).await?.json()?;
        for customer in answer.get("data").and_then(Value::as_array).into_iter().flatten() {
            owners.push(text(customer, "id")?);
        }
    }
    each(owners, fleet.width, |at, owner| {
        let api = api.clone();
        async move {
            let settlement = json!({ "account": format!("62220211{at:011}"), "holder": format!("商户{at}") });
            let body = json!({
                "customer": owner, "kind": "landlord", "name": format!("Shop {at}"), "fee_rate": 2_000, "settlement": settlement,
            });
            let merchant = api.post("/v1/merchants", &format!("terminals-merchant-{at}"), &body).await?.json()?;
            let body = json!({
                "merchant": text(&merchant, "id")?, "acquirer": "898", "area": "1100", "category": "6513",
                "terms": { "fee_plan": FEE_PLAN },
            });
            let acquiring = api.post("/v1/acquirings", &format!("terminals-acquiring-{at}"), &body).await?.json()?;
            Ok((text(&acquiring, "id")?, text(&acquiring, "number")?))
        }
    })
    .await
}

/// One terminal, from the shop to its merchant.
async fn terminal(
    api: &Api,
    cipher: CardCipher,
    at: usize,
    acquiring: Option<(String, String)>,
    under: &CardKey,
) -> Result<Identity> {
    let (acquiring, merchant) = acquiring.context("terminals need a merchant")?;
    let serial = serial(cipher, at);
    let done = async |path: String, body: Value| {
        let key = format!("{serial}-{}", path.replace('/', "-"));
        api.post(&path, &key, &body).await?.json().with_context(|| format!("POST {path} of {serial}"))
    };
    let bought = done("/v1/terminals".to_owned(), json!({ "serial": serial, "model": "sandbox" })).await?;
    let (id, number) = (text(&bought, "id")?, text(&bought, "number")?);
    let identity = identity(&number, &merchant, &serial, cipher)?;
    let key = json!({ "under": {
        "key": transport(cipher), "cipher": cipher.name(), "encrypted": hex::encode_upper(under.encrypt(&master(&serial))),
        "check_value": hex::encode_upper(&identity.master.check_value()[..4]),
    } });
    done(format!("/v1/terminals/{id}/key"), key).await?;
    let place = json!({ "latitude": HOME.0, "longitude": HOME.1 + i64::try_from(at % 1_000_000)? });
    let address = format!("北京市朝阳区建国路{}号", at + 1);
    let bind = json!({ "acquiring": acquiring, "address": address, "place": place, "tolerance_m": 500 });
    done(format!("/v1/terminals/{id}/bind"), bind).await?;
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_terminal_has_a_key_of_its_own() {
        let [one, two] = [0, 1].map(|at| master(&serial(CardCipher::Sm4, at)));
        assert_ne!(one, two);
        assert_eq!(serial(CardCipher::TripleDes, 0), "SIM-3des-2-0000001");
    }
}
