//! Every kind of transaction, by the messages that ask for it.

use domain::card_transaction::CardStatus;

use super::shop::{CARD, PIN, SERIAL, Shop};
use super::terminal::{Device, Heard};

/// A message with the card read by hand.
async fn ask(device: &mut Device, mti: &str, kind: &str, fields: &[(u8, &str)]) -> Heard {
    let kind = device.kind(kind);
    let fixed = [(2, CARD), (22, "012"), (49, "156"), (60, kind.as_str())];
    device.ask(mti, &[&fixed[..], fields].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_authorisation_is_completed_and_that_is_voided() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    let held = [(3, "030000"), (4, "000000020000"), (25, "06"), (11, "000001")];
    let held = ask(&mut device, "0100", "10", &held).await;
    assert_eq!((held.is("00").mti.as_str(), shop.books().await), ("0110", [0, 0, 0]));
    let code = held.fields[&38].clone();
    let complete = |amount, trace| [(3, "000000"), (4, amount), (25, "06"), (11, trace)];
    let over = [&complete("000000023001", "000002")[..], &[(38, code.as_str())]].concat();
    ask(&mut device, "0200", "20", &over).await.is("64");
    let within = [&complete("000000023000", "000003")[..], &[(38, code.as_str())]].concat();
    ask(&mut device, "0200", "20", &within).await.is("00");
    assert_eq!(shop.books().await, [22_912, 22_885, 27]);
    let original = [(61, "0000010000030305")];
    let void = [&[(3, "200000"), (4, "000000023000"), (25, "06"), (11, "000004")][..], &original].concat();
    ask(&mut device, "0200", "21", &void).await.is("00");
    assert_eq!(shop.books().await, [0, 0, 0]);

    let held = [(3, "030000"), (4, "000000020000"), (25, "06"), (11, "000005")];
    let code = ask(&mut device, "0100", "10", &held).await.is("00").fields[&38].clone();
    let cancel = [(3, "200000"), (4, "000000020000"), (25, "06"), (11, "000006"), (38, code.as_str())];
    ask(&mut device, "0100", "11", &cancel).await.is("00");
    let held = [(3, "030000"), (4, "000000020000"), (25, "06"), (11, "000007")];
    let code = ask(&mut device, "0100", "10", &held).await.is("00").fields[&38].clone();
    let advice = [(3, "000000"), (4, "000000020000"), (25, "06"), (11, "000008"), (38, code.as_str())];
    let advised = ask(&mut device, "0220", "24", &advice).await;
    assert_eq!((advised.is("00").mti.as_str(), shop.books().await), ("0230", [19_923, 19_900, 23]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_tipped_and_refunded_and_one_made_offline_is_taken() {
    let shop = Shop::open("3des-2").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    let sale = shop.sale(&mut device, "000001", PIN).await;
    let tip = [(3, "000000"), (4, "000000001000"), (25, "00"), (11, "000002"), (61, "0000010000010305")];
    ask(&mut device, "0220", "34", &tip).await.is("00");
    assert_eq!(shop.books().await, [10_957, 10_945, 12]);
    let offline = [(3, "000000"), (4, "000000005000"), (25, "00"), (11, "000003"), (38, "OFF001")];
    ask(&mut device, "0220", "30", &offline).await.is("00");
    let reference = sale.fields[&37].clone();
    let refund = [(3, "200000"), (4, "000000001000"), (25, "00"), (11, "000004"), (37, reference.as_str())];
    ask(&mut device, "0220", "25", &refund).await.is("00");
    let more = [(3, "200000"), (4, "000000010001"), (25, "00"), (11, "000005"), (37, reference.as_str())];
    ask(&mut device, "0220", "25", &more).await.is("61");
    assert_eq!(shop.status(1).await, CardStatus::Approved);
}
