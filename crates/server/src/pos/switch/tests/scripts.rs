//! Reports of what a chip made of the issuer's scripts.

use super::CHIP;
use super::shop::{PIN, SERIAL, Shop};

/// A report about trace 1 of batch 1: the results among chip data that nobody keeps.
const REPORT: [(u8, &str); 6] = [
    (3, "000000"),
    (4, "000000010000"),
    (25, "00"),
    (49, "156"),
    (55, "95050000000000DF310520000000019F26081122334455667788"),
    (61, "0000010000010305"),
];
const RESULTS: [u8; 5] = [0x20, 0, 0, 0, 1];

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_believed_with_a_mac_and_kept_without_the_chips_other_data() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.sale(&mut device, "000001", PIN).await.is("00");
    let kind = device.kind("00");
    let with = |more: &[(u8, &'static str)]| -> Vec<(u8, &str)> {
        let mut fields: Vec<(u8, &str)> = REPORT.to_vec();
        fields.retain(|(number, _)| more.iter().all(|(other, _)| other != number));
        fields.extend(more.iter().filter(|(_, text)| !text.is_empty()));
        [&fields[..], &[(11, "000002"), (60, kind.as_str())]].concat()
    };
    device.ask_plainly("0620", &with(&[])).await.is("A0");
    for (wrong, code) in [
        (&[(55, "")][..], "30"),
        (&[(55, CHIP)], "30"),
        (&[(55, "DF310420000000")], "30"),
        (&[(55, "DF3105200000")], "30"),
        (&[(61, "")], "30"),
        (&[(61, "0000010000090305")], "25"),
        (&[(61, ""), (37, "000000000009")], "25"),
    ] {
        device.ask("0620", &with(wrong)).await.is(code);
    }
    assert_eq!(shop.transactions().await, (1, 0), "nothing is owed");
    let books = shop.books().await;
    let told = device.ask("0620", &with(&[])).await;
    assert_eq!((told.is("00").mti.as_str(), told.proved), ("0630", Some(true)));
    device.ask("0620", &with(&[])).await.is("00");
    device.ask("0620", &with(&[(61, ""), (37, "000000000001")])).await.is("00");
    device.ask("0620", &with(&[(55, "DF31050000000001")])).await.is("94");
    let scripts = shop.look(|state| state.card_transactions.get(1).unwrap().scripts.clone()).await.unwrap();
    assert_eq!((scripts.results, scripts.taken_at), (RESULTS.to_vec(), None));
    assert_eq!((shop.transactions().await, shop.books().await), ((1, 1), books));
}
