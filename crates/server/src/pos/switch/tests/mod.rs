//! Terminals over TCP against books on a disk, keys in a key service and a card network in this process.

mod bad_input;
mod codes;
mod downloads;
mod independent;
mod kinds;
mod losses;
mod network;
mod scripts;
mod serial;
mod shop;
mod terminal;

use domain::card_transaction::CardStatus;

use self::network::Weather;
use self::shop::{CARD, PIN, SERIAL, Shop, ZONE_PIN};
use self::terminal::Cipher;

/// The fields of a sale of 100.00 by chip and PIN, of a terminal in this batch.
const SALE: [(u8, &str); 8] = [
    (3, "000000"),
    (4, "000000010000"),
    (22, "051"),
    (25, "00"),
    (26, "12"),
    (35, "6230606601007726888D30122010000012345"),
    (49, "156"),
    (53, "2600000000000000"),
];
const CHIP: &str = "9F26081122334455667788950500000000009F3704DEADBEEF";

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_signs_in_sells_voids_and_settles_in_either_cipher() {
    for cipher in ["sm4", "3des-2"] {
        let shop = Shop::open(cipher).await;
        let mut device = shop.device().await;
        let signed_in = device.sign_in(SERIAL).await;
        assert_eq!((signed_in.mti.as_str(), signed_in.proved, signed_in.asks), ("0810", None, 0));
        assert_eq!(signed_in.is("00").fields[&60], "00000001003");

        let sale = shop.sale(&mut device, "000001", PIN).await;
        assert_eq!((sale.mti.as_str(), sale.proved, sale.asks), ("0210", Some(true), 0));
        assert_eq!((sale.is("00").fields[&37].as_str(), sale.fields[&15].as_str()), ("000000000001", "0305"));
        assert_eq!((sale.fields[&38].as_str(), sale.fields[&4].as_str()), ("A00001", "000000010000"));
        assert_eq!(sale.fields[&55], "720A9F180400000001860106", "the issuer's script");
        assert_eq!((shop.issuer.balance(CARD), shop.status(1).await), (90_000, CardStatus::Approved));
        // 0.50 % of a debit card is the merchant's fee, 0.35 % the issuer's and 0.0325 % the network's.
        assert_eq!(shop.books().await, [9_962, 9_950, 12]);
        let (mti, heard) = shop.issuer.heard().remove(0);
        assert_eq!(
            (mti.as_str(), heard.text(2), heard.text(35)),
            ("0200", Some(CARD), Some("6230606601007726888=30122010000012345"))
        );
        assert_eq!(
            (heard.text(18), heard.text(41), heard.text(42)),
            (Some("6513"), Some("00000001"), Some("898110065130001"))
        );

        let kind = device.kind("01");
        let pin = hex::encode(device.work.as_ref().unwrap().pin.pin(PIN, CARD));
        let mut balance = SALE.to_vec();
        balance[0].1 = "310000";
        balance.extend([(11, "000002"), (52, pin.as_str()), (60, kind.as_str())]);
        let told = device.ask("0200", &balance).await;
        assert_eq!((told.is("00").proved, told.fields[&54].as_str()), (Some(true), "1002156C000000090000"));

        let void = shop.void(&mut device, "000003", "000001", "000000010000").await;
        assert_eq!((void.is("00").proved, shop.issuer.balance(CARD)), (Some(true), 100_000));
        assert_eq!(shop.books().await, [0, 0, 0]);
        let about = shop.issuer.heard().remove(2).1;
        assert_eq!(about.text(38), Some("A00001"), "the sale's authorisation");
        assert_eq!(about.text(90), Some("020000000203050900000004802100000048021000"), "and its names");

        shop.sale(&mut device, "000004", PIN).await.is("00");
        let totals = format!("{}{}", "0000000200000020000000100000010", "0".repeat(31));
        let closing = [(11, "000005"), (48, totals.as_str()), (49, "156"), (60, "00000001201")];
        let closed = device.ask_plainly("0500", &closing).await;
        assert_eq!(closed.is("00").fields[&48], format!("{}1{}1", &totals[..30], &totals[31..61]));
        assert_eq!(shop.batch().await, 2);
        // Its answer was lost: it closes again and hears the same.
        assert_eq!(device.ask_plainly("0500", &closing).await.is("00").fields[&48], closed.fields[&48]);
        let out = [(11, "000006"), (60, "00000001002")];
        device.ask_plainly("0820", &out).await.is("00");
        let later = shop.sale(&mut device, "000007", PIN).await;
        assert_eq!((later.is("58").asks, later.proved), (3, Some(true)), "it signs in first");
        device.sign_in(SERIAL).await.is("00");
        assert_eq!(device.batch, 2);
        shop.sale(&mut device, "000008", PIN).await.is("00");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_differs_is_uploaded_and_ends_all_the_same() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.sale(&mut device, "000001", PIN).await.is("00");
    shop.sale(&mut device, "000002", PIN).await.is("00");
    let totals = format!("{}{}", "0000000100000010000000000000000", "0".repeat(31));
    let closing = [(11, "000003"), (48, totals.as_str()), (49, "156"), (60, "00000001201")];
    let told = device.ask_plainly("0500", &closing).await;
    assert_eq!(&told.is("00").fields[&48][30..], format!("2{}1", "0".repeat(30)));
    assert_eq!(shop.batch().await, 1);
    let record = format!("01{}{}{}", "00000001", "62306066010077268880", "000000010000");
    device.ask_plainly("0320", &[(11, "000004"), (48, &record), (60, "00000001201")]).await.is("00");
    device.ask_plainly("0320", &[(11, "000005"), (48, "01"), (60, "00000001201")]).await.is("30");
    device.ask_plainly("0320", &[(11, "000006"), (48, "0001"), (60, "00000001207")]).await.is("00");
    assert_eq!(&device.ask_plainly("0500", &closing).await.is("00").fields[&48][30..31], "2");
    let close = shop.look(|state| state.batch_closes.iter().next().map(|(_, close)| close.clone())).await.unwrap();
    let missing = close.differences.iter().map(|it| (it.kind.name(), it.trace)).collect::<Vec<_>>();
    assert_eq!((missing, close.claimed, shop.batch().await), (vec![("missing", 2)], Some(1), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_proves_itself_elsewhere_ends_its_connection_before() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.sale(&mut device, "000001", PIN).await.is("00");
    // Who only names it ends nobody's connection.
    let mut other = shop.device().await;
    other.work = Some(terminal::Work { pin: Cipher::sm4(&[1; 16]), mac: Cipher::sm4(&[2; 16]) });
    let wrong = other.message(
        "0200",
        &[SALE.as_slice(), &[(11, "000002"), (60, "22000001000500")]].concat(),
        other.work.clone().map(|work| work.mac).as_ref(),
    );
    other.send(&wrong).await;
    assert_eq!(other.hear().await.is("A0").asks, 3);
    shop.sale(&mut device, "000003", PIN).await.is("00");
    other.work = device.work.clone();
    shop.sale(&mut other, "000004", PIN).await.is("00");
    assert!(device.is_closed().await);
    shop.sale(&mut other, "000005", PIN).await.is("00");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_card_lies_on_the_disk() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.sale(&mut device, "000001", PIN).await.is("00");
    shop.issuer.becomes(&[Weather::AnswerLost]);
    shop.sale(&mut device, "000002", PIN).await.is("98");
    shop.void(&mut device, "000003", "000001", "000000010000").await.is("00");
    let own = device.work.clone().unwrap().pin.pin(PIN, CARD);
    let zone = Cipher::sm4(&shop::ZONE_KEY).pin(PIN, CARD);
    let token = shop.look(|state| state.card_transactions.iter().next().map(|(_, row)| row.card.token.clone())).await;
    assert_eq!(shop.card_number(&token.unwrap()), CARD, "for the reversal that goes out later");
    codes::sale(&mut device, "000004", network::CODE).await.is("00");
    let directory = shop.close();
    let mut looked_at = 0;
    let mut folders = vec![directory.path().to_path_buf()];
    let texts = [CARD, "D30122010000012345", "=30122010000012345", CHIP];
    let mut needles: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    needles.extend([network::CODE.as_bytes()[5..].to_vec(), hex::decode(&network::CODE[5..23]).unwrap()]);
    needles.extend([hex::decode(&CARD[..18]).unwrap(), hex::decode(CHIP).unwrap(), own, zone]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            looked_at += 1;
            for needle in &needles {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "{} lies in {}", hex::encode(needle), path.display());
            }
        }
    }
    assert!(looked_at > 5, "{looked_at} files");
}
