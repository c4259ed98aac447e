//! Pay passwords: six digits that come encrypted, lock after five wrong ones, and stand before what a user pays.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::epcc::Epcc;
use crate::open::{account, customer, entry, holds_digits, own, text, user};
use crate::orders::Market;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::staff::client_of;

struct Books {
    operator: Client,
    theirs: Theirs,
    user: String,
    account: String,
    other: String,
}

impl Books {
    /// `None` without an `openssl` that encrypts, which is said.
    fn open(server: &Server) -> Option<Self> {
        let operator = server.operator();
        let theirs = Theirs::of(&operator, "SM2-DER");
        theirs.seal(b"1")?;
        let user = user(&operator, &customer(&operator, "张三", "110101199003070134"));
        let other = crate::open::user(&operator, &customer(&operator, "李四", "110101199003070215"));
        let [account, other] = [&user, &other].map(|user| account(&operator, 2201, "CNY", user));
        let entries = [entry(&own(&operator, 1121), "debit", 100_000), entry(&account, "credit", 100_000)];
        operator.post("/v1/vouchers", &json!({"business_number": "opening", "entries": entries})).ok();
        Some(Self { operator, theirs, user, account, other })
    }

    fn seal(&self, text: &str) -> String {
        self.theirs.seal(text.as_bytes()).unwrap()
    }

    fn post(&self, verb: &str, body: &Value) -> Answer {
        let key = ark::signing::Stamp::random(0).unwrap().nonce().to_owned();
        self.theirs.post(&self.operator, &format!("/v1/users/{}/pay-password{verb}", self.user), &key, body)
    }

    fn set(&self, password: &str) -> Answer {
        self.post("", &json!({"password": self.seal(password)}))
    }

    fn verify(&self, password: &str) -> Answer {
        self.post("/verify", &json!({"password": self.seal(password)}))
    }

    fn transfers(&self, amount: i64, password: Option<&str>) -> Answer {
        let mut body = json!({
            "from": self.account, "to": self.other, "amount": amount, "currency": "CNY", "factors": "two",
        });
        let key = ark::signing::Stamp::random(0).unwrap().nonce().to_owned();
        match password {
            None => self.operator.post("/v1/transfers", &body),
            Some(password) => {
                body["pay_password"] = json!(self.seal(password));
                self.theirs.post(&self.operator, "/v1/transfers", &key, &body)
            }
        }
    }
}

fn is(answer: &Answer, code: &str, param: &str) {
    let (_, found, about) = answer.error();
    assert_eq!((found.as_str(), about.as_str()), (code, param), "{}", answer.text());
}

#[test]
fn a_transfer_asks_for_the_password_of_who_has_one_and_nothing_shows_it() {
    let mut server = Server::start();
    let Some(mut books) = Books::open(&server) else { return };
    books.transfers(1, None).ok();
    is(&books.transfers(1, Some("135790")), "field_malformed", "pay_password");
    is(&books.operator.get(&format!("/v1/users/{}/pay-password", books.user)), "pay_password_unknown", "pay_password");
    let set = books.set("135790").ok();
    assert_eq!((&set["version"], &set["tries_left"], &set["agreements"]), (&json!(1), &json!(5), &json!(false)));
    is(&books.set("246801"), "pay_password_state", "pay_password");

    is(&books.transfers(1, None), "pay_password_required", "pay_password");
    is(&books.transfers(1, Some("135791")), "pay_password_wrong", "pay_password");
    // A restart forgets nothing of it.
    server.kill();
    server.start_again();
    books.operator = server.operator();
    let standing = books.operator.get(&format!("/v1/users/{}/pay-password", books.user)).ok();
    assert_eq!(standing["tries_left"], 4);
    books.transfers(1, Some("135790")).ok();
    assert_eq!(books.verify("135790").ok()["tries_left"], 5);

    let changed = books.post("/change", &json!({"old": books.seal("135790"), "password": books.seal("908172")})).ok();
    assert_eq!(changed["version"], 2);
    is(&books.transfers(1, Some("135790")), "pay_password_wrong", "pay_password");
    books.transfers(1, Some("908172")).ok();
    let metrics = books.operator.get("/metrics").text();
    assert!(metrics.contains("lintel_pay_passwords_total{outcome=\"wrong\"}"), "{metrics}");
    let log = server.log();
    let rows = books.operator.get("/v1/journal?limit=500").text();
    for password in ["135790", "135791", "908172"] {
        assert!(!holds_digits(&log, password), "{password} in the log");
        assert!(!holds_digits(&rows, password), "{password} in the journal");
    }
}

#[test]
fn five_wrong_ones_lock_it_and_a_reset_opens_it() {
    let server = Server::start();
    let Some(books) = Books::open(&server) else { return };
    let books = &books;
    books.set("135790").ok();
    // However many ask at once: five are compared, and all others are told that it is locked.
    let guesses: Vec<String> = (0..12).map(|guess| books.seal(&format!("22113{}", guess % 10))).collect();
    let codes: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> = guesses
            .iter()
            .map(|guess| scope.spawn(move || books.post("/verify", &json!({"password": guess})).error().1))
            .collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("pay_password_wrong"), count("pay_password_locked")), (5, 7), "{codes:?}");
    is(&books.verify("135790"), "pay_password_locked", "pay_password");
    is(&books.transfers(1, Some("135790")), "pay_password_locked", "pay_password");
    let standing = books.operator.get(&format!("/v1/users/{}/pay-password", books.user)).ok();
    assert_eq!((&standing["tries_left"], &standing["allowed_actions"]), (&json!(0), &json!(["reset"])));
    assert!(standing["locked_until"].is_string(), "{standing}");
    let reset = books.post("/reset", &json!({"password": books.seal("908172")})).ok();
    assert_eq!((&reset["tries_left"], &reset["version"]), (&json!(5), &json!(2)));
    books.transfers(1, Some("908172")).ok();
}

#[test]
fn a_change_asked_again_is_answered_again_and_no_guess_goes_uncounted() {
    let server = Server::start();
    let Some(books) = Books::open(&server) else { return };
    books.set("135790").ok();
    let path = format!("/v1/users/{}/pay-password", books.user);
    let change = |key: &str, old: &str, new: &str| {
        let body = json!({"old": books.seal(old), "password": books.seal(new)});
        books.theirs.post(&books.operator, &format!("{path}/change"), key, &body)
    };
    let left = || books.operator.get(&path).ok()["tries_left"].clone();
    let first = change("c-1", "135790", "908172").ok();
    assert_eq!((&first["version"], &first["tries_left"]), (&json!(2), &json!(5)));
    // More often than there are tries.
    for _ in 0..7 {
        let again = change("c-1", "135790", "908172");
        assert!(again.repeated(), "{}", again.text());
        assert_eq!(again.ok(), first);
    }
    // Neither the key alone nor the words alone are the request: both are guesses.
    is(&change("c-1", "135790", "246801"), "pay_password_wrong", "old");
    assert_eq!(left(), 4);
    is(&change("c-2", "135790", "908172"), "pay_password_wrong", "old");
    assert_eq!(left(), 3);
    assert!(change("c-1", "135790", "908172").repeated());
    assert_eq!(left(), 5);
    // Overtaken by another change it proves nothing of the password that is right now: its tries stay counted.
    change("c-3", "908172", "135791").ok();
    for used in 1..=5 {
        let again = change("c-1", "135790", "908172");
        assert!(again.repeated(), "{}", again.text());
        assert_eq!((&again.ok()["version"], left()), (&json!(3), json!(5 - used)));
    }
    // Locked, it tells the request that was made from a guess no more.
    for new in ["908172", "246801"] {
        is(&change("c-1", "135790", new), "pay_password_locked", "pay_password");
    }
    let metrics = books.operator.get("/metrics").text();
    assert!(metrics.contains("lintel_pay_passwords_total{outcome=\"repeated\"} 13"), "{metrics}");
}

#[test]
fn bad_passwords_are_refused_by_name() {
    let server = Server::start();
    let Some(books) = Books::open(&server) else { return };
    for wrong in ["12345", "1234567", "12345a", "１２３４５６"] {
        is(&books.set(wrong), "field_malformed", "password");
    }
    for weak in ["000000", "123456", "654321", "199003", "900307", "138000"] {
        is(&books.set(weak), "pay_password_weak", "password");
    }
    let clear = books.operator.post(&format!("/v1/users/{}/pay-password", books.user), &json!({"password": "135790"}));
    is(&clear, "encryption_required", "password");
    assert!(!clear.text().contains("135790"), "{}", clear.text());
    is(&books.post("/reset", &json!({"password": books.seal("908172")})), "pay_password_state", "pay_password");
    is(&books.verify("908172"), "pay_password_unknown", "pay_password");
    let old = json!({"old": books.seal("908172"), "password": books.seal("135790")});
    is(&books.post("/change", &old), "pay_password_unknown", "pay_password");
    let merchant = crate::open::merchant(&books.operator, "landlord", "王五", "110105194912310046");
    let merchant = client_of(&server, &text(&merchant, "/id"));
    is(&merchant.get(&format!("/v1/users/{}/pay-password", books.user)), "not_permitted", "");
}

/// An order paid by an agreement asks for it if its user said so; a card that was just signed resets it.
#[test]
fn agreements_ask_for_it_and_a_fresh_signing_resets_it() {
    let Some(epcc) = Epcc::start() else { return };
    let server = epcc.platform();
    let market = Market::open(&server);
    let operator = &market.operator;
    let theirs = Theirs::of(operator, "SM2-DER");
    if theirs.seal(b"1").is_none() {
        return;
    }
    let seal = |text: &str| theirs.seal(text.as_bytes()).unwrap();
    let base = format!("/v1/users/{}/pay-password", market.payer);
    theirs.post(operator, &base, "set", &json!({"password": seal("135790"), "agreements": true})).ok();
    // Time stands in these books until it is moved: the signing comes after the password was set.
    let clock = text(&operator.get("/v1/sandbox/clock").ok(), "/now").parse::<jiff::Timestamp>().unwrap();
    let later = clock + jiff::SignedDuration::from_secs(60);
    operator.post("/v1/sandbox/clock", &json!({"now": later.to_string()})).ok();
    let pay = |number: &str, key: &str, password: Option<&str>| {
        let order = text(&market.order(number, 500_000).ok(), "/id");
        let card = json!({"type": "card", "agreement": "AGR-7", "mask": "622202******2230", "rail": "epcc", "amount": 500_000});
        let mut body = json!({"instruments": [card]});
        if let Some(password) = password {
            body["pay_password"] = json!(seal(password));
        }
        theirs.post(operator, &format!("/v1/orders/{order}/pay?wait=30"), key, &body)
    };
    is(&pay("T1", "1", None), "pay_password_required", "pay_password");
    is(&pay("T2", "2", Some("246813")), "pay_password_wrong", "pay_password");
    // Where one request creates and pays, nothing is created without it, and the number stays free.
    let card =
        json!({"type": "card", "agreement": "AGR-7", "mask": "622202******2230", "rail": "epcc", "amount": 500_000});
    let at_once = json!({
        "merchant": text(&market.landlord, "/id"), "out_trade_no": "T9", "payer": market.payer, "currency": "CNY",
        "items": [{"kind": "rent", "amount": 500_000}], "instruments": [card],
    });
    is(&operator.post("/v1/orders?wait=30", &at_once), "pay_password_required", "pay_password");
    market.order("T9", 400_000).ok();
    assert_eq!(text(&pay("T3", "3", Some("135790")).ok(), "/status"), "success");

    let elements = json!({
        "payer": market.payer, "bank": "102100099996", "account": seal("6222020200112233445"), "name": seal("钱七"),
        "certificate": seal("110105194912310062"), "phone": seal("13800138000"),
    });
    let signing = theirs.post(operator, "/v1/sign-ups", "sign", &elements).ok();
    let id = text(&signing, "/id");
    let reset = json!({"password": seal("908172"), "sign_up": id});
    is(&theirs.post(operator, &format!("{base}/reset"), "early", &reset), "pay_password_proof", "sign_up");
    let path = format!("/sandbox/epcc/sms?transaction={}", text(&signing, "/serial"));
    let code = text(&epcc.asked("GET", &path, &Value::Null), "/code");
    theirs.post(operator, &format!("/v1/sign-ups/{id}/confirm"), "code", &json!({"code": seal(&code)})).ok();
    let reset = json!({"password": seal("908172"), "sign_up": id});
    let done = theirs.post(operator, &format!("{base}/reset"), "now", &reset).ok();
    assert_eq!((&done["version"], &done["agreements"]), (&json!(2), &json!(true)));
    let again = json!({"password": seal("135790"), "sign_up": id});
    is(&theirs.post(operator, &format!("{base}/reset"), "again", &again), "pay_password_proof", "sign_up");
    assert_eq!(text(&pay("T4", "4", Some("908172")).ok(), "/status"), "success");
}
