//! Bad input: the right code, nothing booked, the connection kept.

use domain::Command;
use domain::acquiring::AcquiringCommand;
use domain::ids::AcquiringId;
use domain::terminal::{TerminalCommand, TerminalStatus};

use super::SALE;
use super::shop::{CARD, PIN, SERIAL, Shop, TERMINAL};
use super::terminal::Device;

/// A sale's fields with others in their place.
fn sale<'f>(others: &[(u8, &'f str)]) -> Vec<(u8, &'f str)> {
    let mut fields: Vec<_> =
        SALE.into_iter().filter(|(number, _)| !others.iter().any(|(it, _)| it == number)).collect();
    fields.extend(
        [(11, "000001"), (60, "22000001000500")].into_iter().filter(|(n, _)| !others.iter().any(|(it, _)| it == n)),
    );
    fields.extend(others);
    fields
}

async fn nothing_happened(shop: &Shop) {
    assert_eq!((shop.books().await, shop.transactions().await), ([0, 0, 0], (0, 0)));
    assert_eq!((shop.issuer.balance(CARD), shop.issuer.heard().len()), (100_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_prove_itself_is_told_to_sign_in() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    // Unsigned: it has no MAC key.
    let told = device.ask_plainly("0200", &sale(&[])).await;
    assert_eq!((told.is("A0").asks, told.proved), (3, None));
    device.ask_plainly("0200", &sale(&[(64, "0011223344556677")])).await.is("A0");
    device.sign_in(SERIAL).await.is("00");
    device.ask_plainly("0200", &sale(&[])).await.is("A0");
    let mut message = device.message("0200", &sale(&[]), Some(&device.work.clone().unwrap().mac));
    // One fen more under the same MAC.
    let at = message.windows(6).position(|window| window == [0, 0, 0, 1, 0, 0]).unwrap();
    message[at + 5] = 1;
    device.send(&message).await;
    assert_eq!(device.hear().await.is("A0").asks, 3);
    nothing_happened(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_terminals_and_merchants_and_foreign_serials_are_refused() {
    let shop = Shop::open("sm4").await;
    let master = || super::shop::key("sm4", &super::shop::MASTER);
    let mut unknown = Device::connect(shop.address, "00000099", super::shop::NUMBER, master()).await;
    unknown.ask_plainly("0200", &sale(&[])).await.is("97");
    unknown.sign_in(SERIAL).await.is("97");
    let mut unnamed = Device::connect(shop.address, "ABCDEFGH", super::shop::NUMBER, master()).await;
    unnamed.ask_plainly("0200", &sale(&[])).await.is("97");

    let mut device = shop.device().await;
    device.ask_plainly("0800", &[(11, "000001"), (60, "00000001003")]).await.is("30");
    let serial = hex::encode("Sequence No12N900-0042117");
    device.ask_plainly("0800", &[(11, "000001"), (60, "00000001001"), (62, &serial)]).await.is("40");
    device.sign_in(SERIAL).await.is("00");
    let mut elsewhere = Device::connect(shop.address, "00000001", "898110065130002", master()).await;
    elsewhere.work = device.work.clone();
    elsewhere.ask("0200", &sale(&[])).await.is("03");

    // It proved itself there, so its first connection is over.
    device.connect_again().await;
    let foreign = device.sign_in("N900-9999999").await;
    assert_eq!(foreign.is("58").asks, 0);
    let status = |state: &domain::State| state.terminal(TERMINAL).unwrap().status;
    assert_eq!(shop.look(status).await, TerminalStatus::Suspended);
    let mut device = shop.device().await;
    device.work = elsewhere.work.clone();
    assert_eq!(device.ask("0200", &sale(&[])).await.is("58").asks, 0, "suspended");
    device.sign_in(SERIAL).await.is("58");
    shop.given(Command::Terminal(TerminalCommand::Resume(TERMINAL))).await;
    device.sign_in(SERIAL).await.is("00");
    device.ask("0200", &sale(&[])).await.is("00");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_says_wrong_is_told_by_its_code() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    let pin = hex::encode(device.work.clone().unwrap().pin.pin("000000", CARD));
    let garbage = "00".repeat(16);
    for (fields, code, asks) in [
        (sale(&[(4, "000000000000")]), "13", 0),
        (sale(&[(4, "000000500001")]), "61", 0),
        (sale(&[(35, "123D301")]), "14", 0),
        (sale(&[(35, "7777777777777777D301")]), "15", 0),
        (sale(&[(11, "000000")]), "30", 0),
        (sale(&[(60, "22000002000500")]), "58", 3),
        (sale(&[(52, garbage.as_str())]), "99", 3),
        (sale(&[(53, "2610000000000000")]), "40", 0),
    ] {
        let told = device.ask("0200", &fields).await;
        assert_eq!((told.fields[&39].as_str(), told.asks, told.proved), (code, asks, Some(true)), "{fields:?}");
    }
    nothing_happened(&shop).await;
    device.ask("0200", &sale(&[(52, &pin)])).await.is("55");
    shop.sale_of(&mut device, "000002", PIN, "000000100001").await.is("51");
    assert_eq!((shop.books().await, shop.issuer.balance(CARD)), ([0, 0, 0], 100_000));

    shop.sale(&mut device, "000003", PIN).await.is("00");
    shop.sale_of(&mut device, "000003", PIN, "000000010001").await.is("94");
    shop.void(&mut device, "000004", "000003", "000000009999").await.is("64");
    shop.void(&mut device, "000004", "000009", "000000010000").await.is("25");
    assert_eq!(shop.books().await, [9_962, 9_950, 12]);
    let suspend = AcquiringCommand::Suspend { acquiring: AcquiringId(1), reason: "complaints".into() };
    shop.given(Command::Acquiring(suspend)).await;
    shop.sale(&mut device, "000005", PIN).await.is("03");
    shop.void(&mut device, "000006", "000003", "000000010000").await.is("00");
    assert_eq!(shop.books().await, [0, 0, 0]);
}
