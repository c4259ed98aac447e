//! The serial that a message shows: a terminal's keys in another device.

use ark::financial::{Purpose as Duty, TerminalCipher};
use ark::keys::Purpose;
use domain::terminal::{SuspensionReason, TerminalStatus};

use super::SALE;
use super::shop::{SERIAL, Shop, TERMINAL};
use super::terminal::{Cipher, Device, Heard};
use crate::pos::acquirer::further::Shown;

const KEY: [u8; 16] = *b"the serial's key";

/// Field 59 with a serial, a factor and a proof under this key.
fn shown(serial: &str, proof: Option<&[u8; 16]>) -> String {
    let element = |tag: &str, content: &str| format!("{tag}{:03}{content}", content.len());
    let factor = "726888";
    let mac = proof.map(|key| String::from_utf8(Cipher::sm4(key).mac(format!("{serial}{factor}").as_bytes())).unwrap());
    let proof = mac.map(|mac| element("04", &mac)).unwrap_or_default();
    let own = format!("{}{}{}{proof}", element("01", "04"), element("02", serial), element("03", factor));
    hex::encode(element("A2", &own))
}

async fn sale(device: &mut Device, trace: &str, further: &str) -> Heard {
    let kind = device.kind("22");
    let mut fields = SALE.to_vec();
    fields.extend([(11, trace), (60, kind.as_str())]);
    if !further.is_empty() {
        fields.push((59, further));
    }
    device.ask("0200", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_devices_serial_suspends_the_terminal_and_books_nothing() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    sale(&mut device, "000001", "").await.is("00");
    sale(&mut device, "000002", &shown(SERIAL, None)).await.is("00");
    let before = shop.books().await;
    let told = sale(&mut device, "000003", &shown("N900-9999999", None)).await;
    assert_eq!((told.is("58").asks, told.proved), (0, Some(true)));
    assert_eq!((shop.books().await, shop.issuer.heard().len()), (before, 2));
    let row = shop.look(|state| state.terminal(TERMINAL).unwrap().clone()).await;
    assert_eq!(row.status, TerminalStatus::Suspended);
    assert_eq!(row.suspended.unwrap().reason, SuspensionReason::ForeignSerial);
    sale(&mut device, "000004", &shown(SERIAL, None)).await.is("58");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_serials_are_proved_a_message_without_is_wrong_and_a_false_proof_suspends() {
    let shop = Shop::open_where("sm4", |acquirer| acquirer.further.serial_shown = Shown::Proved).await;
    shop.forms("terminal/1/serial", TerminalCipher::Sm4, Purpose::Terminal(Duty::Mac), &KEY);
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    sale(&mut device, "000001", "").await.is("30");
    sale(&mut device, "000001", &shown(SERIAL, None)).await.is("30");
    sale(&mut device, "000001", &shown(SERIAL, Some(&KEY))).await.is("00");
    sale(&mut device, "000002", &shown(SERIAL, Some(b"another key's 16"))).await.is("58");
    let status = shop.look(|state| state.terminal(TERMINAL).unwrap().status).await;
    assert_eq!((status, shop.issuer.heard().len()), (TerminalStatus::Suspended, 1));
}
