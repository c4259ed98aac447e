//! EPCC's two sides against each other, with SM2: the channel of the platform, and the sandbox as a process of its own. An order
//! paid, refunded, cleared by the daily file; what is told with another amount or another's signature; an agreement by SMS.

use std::time::{Duration, Instant};

use ark::provider::KeyKind;
use ark::{Provider as _, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use channels::{SignUp, SignedUp};
use domain::attempt::FailureClass;
use domain::envelope::Time;
use domain::sealed::{DataClass, Sealed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::exchange;
use crate::open::{number, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::Server;
use crate::sites::site;

const PATIENCE: Duration = Duration::from_secs(60);
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
/// The known keys of every sandbox.
const OURS: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
const THEIRS: &str = "5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c";

fn public(private: &str) -> String {
    let soft = Soft::with_known_keys(0).unwrap();
    let pair = soft.import(KeyKind::Sm2, &hex::decode(private).unwrap()).unwrap();
    let frame = hex::decode("3059301306072a8648ce3d020106082a811ccf5501822d034200").unwrap();
    BASE64_STANDARD.encode([frame, soft.public_key(pair).unwrap().bytes].concat())
}

fn settings() -> Value {
    json!({
        "institution": "Z2026031000019", "epcc": "G4000311000018", "account": "42000010101", "sign_method": "sm2",
        "key": OURS, "sign_sn": "4002569999", "peer_key": public(THEIRS),
    })
}

/// A channel of the settings that speaks with EPCC; its name and where it is stand in `own`.
pub(crate) fn channel(own: &str) -> String {
    let settings = settings();
    let lines: Vec<String> =
        settings.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("[[channels]]\nname = \"epcc\"\n{own}[channels.settings]\n{}\n", lines.join("\n"))
}

/// EPCC, with nothing going wrong.
pub(crate) struct Epcc(pub(crate) Sandbox);

impl Epcc {
    /// `None` where it is not built, which is said.
    pub(crate) fn start() -> Option<Self> {
        Self::start_at(1)
    }

    /// The same at so many addresses.
    pub(crate) fn start_at(sites: usize) -> Option<Self> {
        let listens = ["--listen", "127.0.0.1:0"].into_iter().cycle().take(2 * sites);
        let own = ["--faults", "none", "--date", "2026-03-05"];
        Sandbox::start(["bank"].into_iter().chain(listens).chain(own)).map(Self)
    }

    /// The same with these lines as its plan of faults.
    pub(crate) fn start_with(plan: &str) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("plan.toml");
        std::fs::write(&path, plan).unwrap();
        let faults = path.to_str().unwrap();
        Sandbox::start(["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05", "--faults", faults]).map(Self)
    }

    pub(crate) fn asked(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = exchange(&self.0.addresses[0], method, path, &JSON, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// A platform that reaches it.
    pub(crate) fn platform(&self) -> Server {
        self.platform_with(&format!("url = \"http://{}\"\n", self.0.addresses[0]), "")
    }

    /// One that reaches it at every address, as sites `s1`, `s2` and so on.
    pub(crate) fn platform_of_sites(&self, more: &str) -> Server {
        let all = self.0.addresses.iter().zip(1..);
        let sites: String =
            all.map(|(address, at)| site(&format!("s{at}"), &format!("http://{address}"), "")).collect();
        self.platform_with(&sites, more)
    }

    pub(crate) fn platform_with(&self, sites: &str, more: &str) -> Server {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("lintel.toml");
        std::fs::write(&path, channel(sites) + more).unwrap();
        let server = Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
        self.tells(&server, "epcc");
        server
    }

    /// It reaches a platform as this channel.
    pub(crate) fn tells(&self, server: &Server, channel: &str) {
        let url = format!("http://{}/v1/channels/{channel}/notify", server.address());
        self.asked("POST", "/sandbox/epcc/route", &json!({ "url": url }));
    }
}

/// The object at `path`, once its status is this.
pub(crate) fn becomes(market: &Market, path: &str, status: &str) -> Value {
    let began = Instant::now();
    loop {
        let now = market.operator.get(path).ok();
        if now["status"] == status {
            return now;
        }
        assert!(began.elapsed() < PATIENCE, "not {status}: {now}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_order_is_paid_refunded_and_cleared_by_the_daily_file() {
    let Some(epcc) = Epcc::start() else { return };
    let server = epcc.platform();
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let path = format!("/v1/orders/{order}");
    let card = |agreement: &str| {
        let mask = "622202******2230";
        json!({ "instruments": [
            {"type": "card", "agreement": agreement, "mask": mask, "rail": "epcc", "amount": 500_000},
        ]})
    };
    // An agreement that nobody signed is no agreement; the order takes another one.
    let paying = market.operator.post(&format!("{path}/pay"), &card("SGN-nobody")).ok();
    let refused = text(&paying, "/legs/0/open_attempt");
    let refused = becomes(&market, &format!("/v1/attempts/{refused}"), "declined");
    assert_eq!((text(&refused, "/failure/class"), text(&refused, "/failure/code")), ("user".into(), "PB100002".into()));
    let paying = market.operator.post(&format!("{path}/pay"), &card("AGR-7")).ok();
    let attempt = paying["legs"].as_array().unwrap().iter().find_map(|leg| leg["open_attempt"].as_str()).unwrap();
    let attempt = becomes(&market, &format!("/v1/attempts/{attempt}"), "success");
    assert_eq!(text(&attempt, "/reference"), format!("B202603050010-{}", text(&attempt, "/serial")));
    becomes(&market, &path, "success");

    // What is told with another amount, or by somebody else, is refused; what is told again changes nothing.
    let serial = text(&attempt, "/serial");
    for twist in [json!({"amount": 500_001}), json!({"forged": true}), json!({})] {
        let mut asked = twist;
        asked["transaction"] = json!(serial);
        epcc.asked("POST", "/sandbox/epcc/tell", &asked);
    }
    let told = |outcome: &str| format!("lintel_notifications_total{{rail=\"epcc\",outcome=\"{outcome}\"}}");
    crate::keys::becomes(&market.operator, &told("foreign"), |count| count > 0.5);
    crate::keys::becomes(&market.operator, &told("unsigned"), |count| count > 0.5);
    crate::keys::becomes(&market.operator, &told("repeated"), |count| count > 0.5);
    becomes(&market, &path, "success");

    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    let refund = text(&market.operator.post(&format!("{path}/refunds"), &refund).ok(), "/id");
    becomes(&market, &format!("/v1/refunds/{refund}"), "success");

    // The day is not over there; once it is, its file matches every line.
    let early = market.operator.post("/v1/clearing/fetch", &json!({"rail": "epcc", "date": "2026-03-05"}));
    assert_eq!(early.status, 409, "{}", early.text());
    epcc.asked("POST", "/sandbox/clock", &json!({"date": "2026-03-06"}));
    market.next_day();
    let file = market.operator.post("/v1/clearing/fetch", &json!({"rail": "epcc", "date": "2026-03-05"})).ok();
    let found = ["/matched", "/different", "/debited", "/refunded", "/net"].map(|pointer| number(&file, pointer));
    assert_eq!(found, [2, 0, 500_000, 200_000, 300_000], "{file}");
    let stats = epcc.asked("GET", "/sandbox/stats", &Value::Null);
    assert_eq!((number(&stats, "/sent_again"), number(&stats, "/unsigned")), (0, 0));
}

fn sealed(text: &str) -> Sealed {
    Sealed { ciphertext: text.as_bytes().to_vec(), key: 1, mask: String::from("***"), class: DataClass::C2 }
}

fn open(field: &Sealed) -> Result<ark::Secret, ark::Error> {
    Ok(ark::Secret::new(String::from_utf8(field.ciphertext.clone()).unwrap()))
}

#[test]
fn an_agreement_is_signed_by_the_code_on_the_holders_phone() {
    let Some(epcc) = Epcc::start() else { return };
    let channel = channels::by_name("epcc", &settings()).unwrap();
    let at = |account: &str| (sealed(account), sealed("张三"), sealed("110105194912310046"), sealed("13800138000"));
    let ask = |request: channels::Request| {
        let answer = exchange(&epcc.0.addresses[0], request.method, &request.path, &[], request.body()).unwrap();
        let response =
            channels::Response { status: answer.status, headers: channels::Headers::default(), body: answer.body };
        channel.signed_up(&request, &response)
    };
    let sign_up = |serial: &'static str, fields: &(Sealed, Sealed, Sealed, Sealed), code: Option<&str>| {
        let (account, name, certificate, phone) = fields;
        let requested_at = Time(1_772_676_000_000);
        let bank = "102100099996";
        let asked = SignUp { serial, requested_at, bank, credit: false, account, name, certificate, phone };
        let request = match code {
            None => channel.build_sign_up(&asked, &open).unwrap(),
            Some(code) => channel.build_confirmation(&asked, &ark::Secret::from(code)).unwrap(),
        };
        assert!(!format!("{request:?}").contains("6222"));
        ask(request)
    };
    let (first, second) = ("2026030500000000000000420000042", "2026030500000000000000430000043");
    let card = at("6222020200112233445");
    assert_eq!(sign_up(first, &card, Some("000000")), SignedUp::Unknown, "no code was sent");
    assert_eq!(sign_up(first, &card, None), SignedUp::CodeSent);
    assert_eq!(sign_up(first, &card, None), SignedUp::Unknown, "the number was seen before");
    let sms = epcc.asked("GET", &format!("/sandbox/epcc/sms?transaction={first}"), &Value::Null);
    let code = text(&sms, "/code");
    let other = if code == "111111" { "222222" } else { "111111" };
    let wrong = SignedUp::Refused { class: FailureClass::User, code: String::from("PB100005") };
    assert_eq!(sign_up(first, &card, Some(other)), wrong);
    let signed = SignedUp::Signed { agreement: format!("SGN{first}") };
    assert_eq!(sign_up(first, &card, Some(&code)), signed);
    assert_eq!(format!("{signed:?}"), "Signed");

    // Three wrong codes are the end of it.
    assert_eq!(sign_up(second, &card, None), SignedUp::CodeSent);
    let sms = epcc.asked("GET", &format!("/sandbox/epcc/sms?transaction={second}"), &Value::Null);
    let code = text(&sms, "/code");
    let other = if code == "111111" { "222222" } else { "111111" };
    (0..3).for_each(|_| assert_eq!(sign_up(second, &card, Some(other)), wrong));
    assert_eq!(sign_up(second, &card, Some(&code)), wrong);

    let no_card = at("6222020200110000");
    let refused = SignedUp::Refused { class: FailureClass::User, code: String::from("PB100002") };
    assert_eq!(sign_up("2026030500000000000000440000044", &no_card, None), refused);
    let (account, name, certificate, phone) = &card;
    let asked =
        SignUp { serial: first, requested_at: Time(0), bank: "102", credit: false, account, name, certificate, phone };
    assert_eq!(channel.build_sign_up(&asked, &open).unwrap_err().code(), "channel_subject");
    let letters = channel.build_confirmation(&asked, &ark::Secret::from("12ab")).unwrap_err();
    assert_eq!(letters.code(), "channel_subject");
    // A channel that signs nothing says so.
    let rail = json!({"rail": "epcc", "institution": "lintel", "key": "5a".repeat(32)});
    let bank = channels::by_name("sandbox_bank", &rail).unwrap();
    assert_eq!(bank.build_sign_up(&asked, &open).unwrap_err().code(), "channel_no_sign_up");
}
