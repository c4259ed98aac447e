//! Links over real TCP: what breaks between a question and its answer, and who is believed.

mod forward;
mod host;

use std::sync::Arc;
use std::time::Duration;

use ark::financial::TerminalCipher;
use ark::keys::Birth;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::line::code;
use super::*;
use crate::pos::network::{Exchange, Identity, digits};
use host::{Heard, Host, Mac, NOW, PATIENCE};

/// A card number that no log may have.
const CARD: &str = "6230606601007726888";

/// A sale of 100.00 with this trace.
fn sale(trace: u32, timeout: Duration) -> Outgoing {
    let mut fields = Fields::default();
    fields.set(2, CARD).set(3, "000000").set(4, "000000010000").set(25, "00").set(41, "10000001");
    let identity = Identity {
        sent_at: sent_at(NOW),
        trace: digits(&format!("{trace:06}")),
        reference: digits(&format!("{trace:012}")),
    };
    Outgoing { mti: *b"0200", identity, fields, timeout }
}

/// Asks beside the test.
fn ask(network: &Arc<Network>, trace: u32) -> JoinHandle<Exchange> {
    let network = Arc::clone(network);
    tokio::spawn(async move { network.exchange(sale(trace, PATIENCE)).await })
}

async fn told(asking: JoinHandle<Exchange>) -> String {
    match timeout(PATIENCE, asking).await.unwrap().unwrap() {
        Exchange::Answered(answered) => {
            format!("{} {}", answered.fields.text(11).unwrap(), answered.code())
        }
        Exchange::NotSent { reason } => format!("not sent: {reason}"),
        Exchange::Unanswered => "unanswered".to_owned(),
    }
}

/// Waits until a link stands so.
async fn stands(network: &Network, link: usize, state: &str) {
    let looking = async {
        while network.status().links[link].state != state {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_on_is_given_keys_and_carries_a_sale_in_either_cipher() {
    for cipher in [TerminalCipher::TripleDes2, TerminalCipher::Sm4] {
        let host = Host::listening(1, cipher).await;
        let (network, _late, _directory) = host.network("");
        let mut heard = host.with_keys(0).await;
        stands(&network, 0, "up").await;
        let asking = ask(&network, 1);
        let asked = host.read(&mut heard).await;
        assert!(host.believes(&asked));
        assert_eq!((asked.mti, asked.fields.text(2)), (*b"0200", Some(CARD)));
        assert_eq!(asked.fields.text(7), Some("0305090000"));
        assert_eq!((asked.fields.text(32), asked.fields.text(33)), (Some("48021000"), Some("48021000")));
        host.answer(&mut heard, &asked, "00", Mac::Right).await;
        assert_eq!(told(asking).await, "000001 00");
        assert_eq!(network.pin_key(), "zone/test/pin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_answer_of_this_request_with_a_right_mac_is_believed() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, mut late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    let asking = ask(&network, 1);
    let asked = host.read(&mut heard).await;
    host.answer(&mut heard, &asked, "51", Mac::Wrong).await;
    host.answer(&mut heard, &asked, "51", Mac::Missing).await;
    for (number, other) in [(11, "000002"), (7, "0305090001"), (32, "48021001"), (33, "48021001"), (4, "000000010001")]
    {
        let mut fields = host.fields_of(&asked, "51");
        fields.set(number, other);
        host.say(&mut heard, *b"0210", &fields, Mac::Right).await;
    }
    host.say(&mut heard, *b"0430", &host.fields_of(&asked, "51"), Mac::Right).await;
    assert!(!asking.is_finished());
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    assert_eq!(told(asking).await, "000001 00");
    // What named another request or nobody's went to the books, as the second answer did; the wrong MACs went nowhere.
    for (trace, code) in [("000002", "51"), ("000001", "51"), ("000001", "51"), ("000001", "51"), ("000001", "00")] {
        let fields = timeout(PATIENCE, late.comes.recv()).await.unwrap().unwrap();
        assert_eq!((fields.text(11), fields.text(39)), (Some(trace), Some(code)));
    }
    assert!(late.comes.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_by_the_next_connection_belongs_to_what_was_asked_by_the_last() {
    let host = Host::listening(1, TerminalCipher::TripleDes2).await;
    let (network, mut late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    let asking = [ask(&network, 1), ask(&network, 2)];
    let mut asked = [host.read(&mut heard).await, host.read(&mut heard).await];
    asked.sort_by_key(|asked| asked.fields.text(11).map(str::to_owned));
    drop(heard);
    let mut heard = host.signed_on(0).await;
    for (asked, code) in asked.iter().zip(["00", "51"]).rev() {
        host.answer(&mut heard, asked, code, Mac::Right).await;
    }
    let [first, second] = asking;
    assert_eq!((told(first).await, told(second).await), ("000001 00".to_owned(), "000002 51".to_owned()));
    assert!(late.comes.try_recv().is_err());
    assert_eq!(network.status().links[0].connects, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_unknown_and_what_comes_after_it_is_late() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, mut late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    let exchange = network.exchange(sale(1, Duration::from_millis(200))).await;
    assert!(matches!(exchange, Exchange::Unanswered), "{exchange:?}");
    let asked = host.read(&mut heard).await;
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    let fields = timeout(PATIENCE, late.comes.recv()).await.unwrap().unwrap();
    assert_eq!((fields.text(37), fields.text(39)), (Some("000000000001"), Some("00")));
    assert_eq!(network.status().waiting, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_a_link_a_place_or_a_key_and_that_is_certain() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("queue = 1\n");
    assert_eq!(told(ask(&network, 1)).await, "not sent: key");
    let mut heard = host.with_keys(0).await;
    let asking = ask(&network, 2);
    let asked = host.read(&mut heard).await;
    assert_eq!(told(ask(&network, 3)).await, "not sent: full");
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    assert_eq!(told(asking).await, "000002 00");
    drop(heard);
    // The next connection is not signed on before the host says so.
    let mut heard = host.accept(0).await;
    assert_eq!(told(ask(&network, 4)).await, "not sent: no_link");
    let sign_on = host.read(&mut heard).await;
    host.answer(&mut heard, &sign_on, "91", Mac::Missing).await;
    // A refused sign-on is tried again on a connection of its own.
    let _heard = host.signed_on(0).await;
    stands(&network, 0, "up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_links_share_by_weight_and_one_carries_all_when_the_other_dies() {
    let host = Host::listening(2, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("");
    // The first asks for keys; the second finds them there.
    let mut a = host.with_keys(0).await;
    let mut b = host.signed_on(1).await;
    stands(&network, 1, "up").await;
    let mut carried = [0, 0];
    for trace in 1..=8 {
        let asking = ask(&network, trace);
        let (at, asked) = tokio::select! {
            asked = host.read(&mut a) => (0, asked),
            asked = host.read(&mut b) => (1, asked),
        };
        carried[at] += 1;
        host.answer(if at == 0 { &mut a } else { &mut b }, &asked, "00", Mac::Right).await;
        assert_eq!(told(asking).await, format!("{trace:06} 00"));
    }
    assert_eq!(carried, [6, 2]);
    // What the dead link had under way is answered by the other, and what comes next goes there.
    let (first, second) = (ask(&network, 9), ask(&network, 10));
    let mut open = vec![host.read(&mut a).await];
    open.push(tokio::select! {
        asked = host.read(&mut a) => asked,
        asked = host.read(&mut b) => asked,
    });
    drop(a);
    stands_not(&network, 0, "up").await;
    let third = ask(&network, 11);
    open.push(host.read(&mut b).await);
    for asked in &open {
        host.answer(&mut b, asked, "00", Mac::Right).await;
    }
    for (asking, trace) in [(first, 9), (second, 10), (third, 11)] {
        assert_eq!(told(asking).await, format!("{trace:06} 00"));
    }
}

async fn stands_not(network: &Network, link: usize, state: &str) {
    let looking = async {
        while network.status().links[link].state == state {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_proved_and_the_one_before_is_believed_for_a_while() {
    let host = Host::listening(1, TerminalCipher::TripleDes2).await;
    let (network, _late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    let asking = ask(&network, 1);
    let asked = host.read(&mut heard).await;
    let before = host.frame(*b"0210", &host.fields_of(&asked, "00"), Mac::Right);
    let long_ago = host.reset_frame(ZoneKey::Mac, Mac::Right);
    host.make(ZoneKey::Mac, Birth::Version);
    // A message that was changed on its way puts no key in use.
    assert_eq!(host.reset(&mut heard, ZoneKey::Mac, Mac::Wrong).await, "A0");
    assert_eq!(host.reset(&mut heard, ZoneKey::Mac, Mac::Right).await, "00");
    // Asked again it is the same.
    assert_eq!(host.reset(&mut heard, ZoneKey::Mac, Mac::Right).await, "00");
    // What was made under the key before is believed yet; what goes out is made under the new one.
    heard.stream.write_all(&before).await.unwrap();
    assert_eq!(told(asking).await, "000001 00");
    let asking = ask(&network, 2);
    let asked = host.read(&mut heard).await;
    assert!(host.believes(&asked));
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    assert_eq!(told(asking).await, "000002 00");
    // What the network sent long ago brings no old key back.
    heard.stream.write_all(&long_ago).await.unwrap();
    assert_eq!(host.read(&mut heard).await.fields.text(39), Some("A0"));
    host.make(ZoneKey::Pin, Birth::Version);
    assert_eq!(host.reset(&mut heard, ZoneKey::Pin, Mac::Wrong).await, "A0");
    assert_eq!(host.reset(&mut heard, ZoneKey::Pin, Mac::Right).await, "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_macs_ask_for_a_key_that_both_sides_have() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    let asking = ask(&network, 1);
    let asked = host.read(&mut heard).await;
    for _ in 0..3 {
        host.answer(&mut heard, &asked, "00", Mac::Wrong).await;
    }
    let wanted = host.read(&mut heard).await;
    assert_eq!((wanted.fields.text(70), wanted.fields.text(53)), (Some(code::KEY_RESET), Some("2600000000000000")));
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    assert_eq!(told(asking).await, "000001 00");
}

#[tokio::test(flavor = "multi_thread")]
async fn echoes_go_both_ways_and_a_silent_network_is_connected_anew() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("echo_ms = 50\nanswer_timeout_ms = 500\n");
    let mut heard = host.signed_on(0).await;
    let mut fields = Fields::default();
    fields.set(7, "0305090000").set(11, "000009").set(33, "48021000").set(70, code::ECHO);
    host.say(&mut heard, *b"0820", &fields, Mac::Missing).await;
    let mut echoes = 0;
    loop {
        let said = host.read(&mut heard).await;
        match (&said.mti, said.fields.text(70)) {
            (b"0830", Some(code::ECHO)) => assert_eq!(said.fields.text(39), Some("00")),
            (b"0820", Some(code::ECHO)) => echoes += 1,
            // Keys that nobody gives it.
            (b"0820", Some(code::KEY_RESET)) => {}
            other => panic!("{other:?}"),
        }
        if echoes == 2 {
            break;
        }
    }
    let _heard = host.signed_on(0).await;
    stands(&network, 0, "up").await;
    assert_eq!(network.status().links[0].connects, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_signs_off_gets_nothing_new_until_it_signs_on() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    for (what, state, outcome) in [(code::SIGN_OFF, "resting", Some("not sent: no_link")), (code::SIGN_ON, "up", None)]
    {
        let mut fields = Fields::default();
        fields.set(7, "0305090000").set(11, "000009").set(33, "48021000").set(70, what);
        host.say(&mut heard, *b"0820", &fields, Mac::Missing).await;
        assert_eq!(host.read(&mut heard).await.fields.text(39), Some("00"));
        stands(&network, 0, state).await;
        if let Some(outcome) = outcome {
            assert_eq!(told(ask(&network, 1)).await, outcome);
        }
    }
    // What this side does not know is answered so, and a request that no network makes is passed over.
    let mut fields = Fields::default();
    fields.set(7, "0305090000").set(11, "000010").set(33, "48021000").set(70, "999");
    host.say(&mut heard, *b"0200", &fields, Mac::Missing).await;
    host.say(&mut heard, *b"0820", &fields, Mac::Missing).await;
    assert_eq!(host.read(&mut heard).await.fields.text(39), Some("12"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_frame_end_the_connection_and_bad_messages_do_not() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    // Framing holds: a bitmap that lies, and one of ours sent back.
    let mut fields = Fields::default();
    fields.set(7, "0305090000").set(11, "000009").set(33, "48021000").set(70, code::ECHO);
    let whole = host.frame(*b"0820", &fields, Mac::Missing);
    let mut lies = whole.clone();
    lies[4 + 46 + 4] ^= 0x40;
    let mut back = whole.clone();
    back[4 + 45] = b'1';
    heard.stream.write_all(&[lies, back, whole.clone()].concat()).await.unwrap();
    assert_eq!(host.read(&mut heard).await.fields.text(39), Some("00"));
    for (nonsense, told) in [
        (&b"12x4"[..], "no digits"),
        (b"0010", "too short"),
        (b"00990000", "no header behind the length"),
        (b"0050\x2E\x020051", "two lengths"),
    ] {
        let padded = [nonsense, &[b'0'; 100]].concat();
        heard.stream.write_all(&padded).await.unwrap();
        let mut rest = Vec::new();
        // The end, however it comes.
        drop(timeout(PATIENCE, heard.stream.read_to_end(&mut rest)).await.expect(told));
        heard = host.signed_on(0).await;
        stands(&network, 0, "up").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_answers_in_signs_off_and_ends() {
    let host = Host::listening(1, TerminalCipher::Sm4).await;
    let (network, _late, _directory) = host.network("");
    let mut heard = host.with_keys(0).await;
    let asking = ask(&network, 1);
    let asked = host.read(&mut heard).await;
    let stopping = tokio::spawn({
        let network = Arc::clone(&network);
        async move { network.stop().await }
    });
    host.answer(&mut heard, &asked, "00", Mac::Right).await;
    assert_eq!(told(asking).await, "000001 00");
    let sign_off = host.read(&mut heard).await;
    assert_eq!(sign_off.fields.text(70), Some(code::SIGN_OFF));
    host.answer(&mut heard, &sign_off, "00", Mac::Missing).await;
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
    assert_eq!(told(ask(&network, 2)).await, "not sent: full");
    assert_eq!(network.status().links[0].state, "stopped");
    let Heard { mut stream } = heard;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}
