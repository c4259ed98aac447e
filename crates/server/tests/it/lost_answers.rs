//! Time-outs of agreements that are signed by SMS and of real-name checks, over a real connection: a door before EPCC (a process of
//! its own) loses one message on its way there, or its answer, and lets whoever asked wait until it hangs up. Those of what moves money
//! are `crates/node/tests/it/time_outs.rs`, those of files `downloads.rs`.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::exchange;
use crate::downloads::message;
use crate::epcc::{Epcc, becomes};
use crate::open::text;
use crate::real_name_checks::LATER;
use crate::sign_ups::{CARD, Shop};

/// Where a message is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// Before EPCC had it.
    Before,
    /// After EPCC did what it asks.
    After,
}

/// Which kind of message is lost next, if one is.
type Next = Arc<Mutex<Option<(&'static str, Lost)>>>;

struct Door {
    address: String,
    next: Next,
}

impl Door {
    fn before(epcc: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let next = Next::default();
        let (of_thread, epcc) = (Arc::clone(&next), epcc.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (next, epcc) = (Arc::clone(&of_thread), epcc.clone());
                // Who has hung up is not there any more.
                std::thread::spawn(move || drop(stream.and_then(|stream| carry(stream, &epcc, &next))));
            }
        });
        Self { address, next }
    }

    /// The next message of this type is lost.
    fn loses(&self, kind: &'static str, lost: Lost) {
        *self.next.lock().unwrap() = Some((kind, lost));
    }

    /// None is waited for any more: what was to be lost is lost.
    fn has_lost(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

/// Passes one message on, and the answer back, unless one of them is lost.
fn carry(mut caller: TcpStream, epcc: &str, next: &Mutex<Option<(&'static str, Lost)>>) -> io::Result<()> {
    let (head, body) = message(&mut caller)?;
    let whole = String::from_utf8_lossy(&body).into_owned();
    let lost = {
        let mut next = next.lock().unwrap();
        let is_it = next.is_some_and(|(kind, _)| whole.contains(&format!("<MsgTp>{kind}</MsgTp>")));
        if is_it { next.take() } else { None }
    };
    let lost = lost.map(|(_, lost)| lost);
    if lost == Some(Lost::Before) {
        return hung_up(&mut caller);
    }
    let mut behind = TcpStream::connect(epcc)?;
    let lines = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head = lines.chain(["connection: close"]).collect::<Vec<_>>().join("\r\n");
    behind.write_all(format!("{head}\r\n\r\n").as_bytes())?;
    behind.write_all(&body)?;
    let mut answer = Vec::new();
    behind.read_to_end(&mut answer)?;
    if lost == Some(Lost::After) {
        return hung_up(&mut caller);
    }
    caller.write_all(&answer)
}

/// Says nothing until the other side has hung up.
fn hung_up(caller: &mut TcpStream) -> io::Result<()> {
    let mut more = [0_u8; 64];
    while caller.read(&mut more)? > 0 {}
    Ok(())
}

/// A shop whose platform reaches EPCC through the door.
fn open() -> Option<(Shop, Door)> {
    let epcc = Epcc::start()?;
    let door = Door::before(&epcc.0.addresses[0]);
    let server = epcc.platform_with(&format!("url = \"http://{}\"\n", door.address), "");
    Some((Shop::at(epcc, server)?, door))
}

/// Whether EPCC has sent a code for it.
fn code_was_sent(shop: &Shop, signing: &Value) -> bool {
    let path = format!("/sandbox/epcc/sms?transaction={}", text(signing, "/serial"));
    exchange(&shop.epcc.0.addresses[0], "GET", &path, &[], b"").unwrap().status == 200
}

#[test]
fn a_sign_up_whose_message_or_answer_is_lost_stays_open_and_nothing_is_sent_twice() {
    let Some((shop, door)) = open() else { return };
    for (lost, key) in [(Lost::Before, "before"), (Lost::After, "after")] {
        door.loses("epcc.101.001.01", lost);
        let signing = shop.request(key, CARD).ok();
        assert!(door.has_lost(), "{lost:?}");
        assert_eq!((text(&signing, "/status"), &signing["verdict"]), ("requested".into(), &Value::Null), "{lost:?}");
        assert_eq!(signing["failure"], Value::Null, "no answer is no refusal");
        assert_eq!(code_was_sent(&shop, &signing), lost == Lost::After);
        let again = shop.request(key, CARD);
        assert!(again.repeated() && text(&again.ok(), "/id") == text(&signing, "/id"), "{lost:?}");
        assert_eq!(code_was_sent(&shop, &signing), lost == Lost::After, "asked again, it is not sent again");
        let id = text(&signing, "/id");
        if lost == Lost::Before {
            // No code is on its way: the holder begins anew.
            let cancelled = shop.client.post(&format!("/v1/sign-ups/{id}/cancel"), &json!({})).ok();
            assert_eq!(text(&cancelled, "/status"), "cancelled");
        } else {
            let signed = shop.confirm(&id, "code", &shop.code(&signing)).ok();
            assert_eq!(text(&signed, "/status"), "signed", "the code came all the same");
        }
    }
}

#[test]
fn a_code_whose_message_or_answer_is_lost_is_brought_again_and_signs_once() {
    let Some((shop, door)) = open() else { return };
    for (lost, key, card) in [(Lost::Before, "before", CARD), (Lost::After, "after", "6222020200119988776")] {
        let signing = shop.request(key, card).ok();
        let (id, code) = (text(&signing, "/id"), shop.code(&signing));
        assert_eq!(text(&signing, "/status"), "code_sent", "{lost:?}");
        door.loses("epcc.103.001.01", lost);
        let confirming = shop.confirm(&id, &format!("{key}-1"), &code).ok();
        assert!(door.has_lost(), "{lost:?}");
        assert_eq!((text(&confirming, "/status"), &confirming["failure"]), ("confirming".into(), &Value::Null));
        assert_eq!((&confirming["agreement"], &confirming["wrong_codes"]), (&Value::Null, &json!(0)), "{lost:?}");
        let signed = shop.confirm(&id, &format!("{key}-2"), &code).ok();
        assert_eq!(text(&signed, "/status"), "signed", "{lost:?}");
        assert_eq!(text(&signed, "/agreement"), format!("SGN{}", text(&signing, "/serial")));
    }
}

#[test]
fn a_check_whose_answer_is_lost_is_asked_about_and_never_sent_again() {
    let Some((desk, door)) = open() else { return };
    door.loses("epcc.105.001.01", Lost::After);
    let asked = desk.check("after", CARD, 0).ok();
    assert_eq!(asked["failure"], Value::Null);
    let path = format!("/v1/real-name-checks/{}", text(&asked, "/id"));
    let found = becomes(&desk.market, &path, "matched");
    assert!(door.has_lost());
    assert_eq!((desk.times(&found), desk.verification()["elements"].clone()), (1, json!(4)));
    // A query that is lost is asked again.
    door.loses("epcc.301.001.01", Lost::After);
    let later = desk.check("later", LATER, 0).ok();
    let found = becomes(&desk.market, &format!("/v1/real-name-checks/{}", text(&later, "/id")), "matched");
    assert!(door.has_lost());
    assert_eq!(desk.times(&found), 1);
}

#[test]
fn a_check_that_never_reached_epcc_is_not_found_once_nothing_can_be_on_its_way() {
    let Some((desk, door)) = open() else { return };
    door.loses("epcc.105.001.01", Lost::Before);
    let asked = desk.check("before", CARD, 0).ok();
    let path = format!("/v1/real-name-checks/{}", text(&asked, "/id"));
    becomes(&desk.market, &path, "unknown");
    assert!(door.has_lost());
    let queried = "lintel_real_name_checks_total{step=\"query\",outcome=\"unknown\"}";
    crate::keys::becomes(&desk.market.operator, queried, |count| count > 0.5);
    assert_eq!(
        text(&desk.market.operator.get(&path).ok(), "/status"),
        "unknown",
        "that it is not found is no last word yet"
    );
    desk.market.operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T09:10:00+08:00"})).ok();
    let ended = becomes(&desk.market, &path, "not_found");
    assert_eq!((&ended["failure"], desk.verification()), (&Value::Null, Value::Null));
    let after = desk.check("again", CARD, 30).ok();
    assert_eq!((text(&after, "/status"), desk.times(&after)), ("matched".into(), 1));
}
