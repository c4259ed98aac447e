//! What does not come back: it is taken back once, whoever asks, and the terminal hears the same.

use domain::card_transaction::{CardStatus, Reverser};
use domain::ids::CardTransactionId;

use super::network::Weather;
use super::shop::{CARD, PIN, SERIAL, Shop};
use super::terminal::{Device, Heard};

async fn reverse(device: &mut Device, trace: &str, amount: &str, code: &str, original: &str) -> Heard {
    let kind = device.kind("22");
    let fields = [
        (3, "000000"),
        (4, amount),
        (11, trace),
        (22, "051"),
        (25, "00"),
        (39, code),
        (49, "156"),
        (60, kind.as_str()),
        (61, original),
    ];
    device.ask("0400", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_is_taken_back_once_by_switch_and_terminal_together() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.issuer.becomes(&[Weather::AnswerLost]);
    let told = shop.sale(&mut device, "000001", PIN).await;
    assert_eq!((told.is("98").proved, shop.status(1).await), (Some(true), CardStatus::Reversing));
    for _ in 0..2 {
        let reversed = reverse(&mut device, "000001", "000000010000", "98", "0000010000010305").await;
        assert_eq!((reversed.is("00").mti.as_str(), reversed.proved), ("0410", Some(true)));
    }
    let reversal =
        shop.look(|state| state.card_transaction(CardTransactionId(1)).unwrap().reversal.clone()).await.unwrap();
    assert_eq!((reversal.by, reversal.begun, reversal.code), (Reverser::Switch, 1, None));
    assert_eq!((shop.books().await, shop.transactions().await), ([0, 0, 0], (1, 1)));
    // The same sale again goes nowhere.
    shop.sale(&mut device, "000001", PIN).await.is("98");
    assert_eq!(shop.issuer.heard().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_terminal_did_not_hear_it_takes_back_and_what_nobody_knows_is_25() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.sale(&mut device, "000001", PIN).await.is("00");
    reverse(&mut device, "000002", "000000010000", "98", "0000010000020305").await.is("25");
    reverse(&mut device, "000001", "000000010001", "98", "0000010000010305").await.is("64");
    reverse(&mut device, "000001", "000000010000", "98", "0000010000010304").await.is("25");
    assert_eq!((shop.status(1).await, shop.transactions().await), (CardStatus::Approved, (1, 0)));
    // A wrong MAC takes nothing back.
    let mut other = shop.device().await;
    let fields = [(3, "000000"), (4, "000000010000"), (11, "000001"), (39, "06"), (60, "22000001000500")];
    other.ask_plainly("0400", &fields).await.is("A0");
    assert_eq!(shop.status(1).await, CardStatus::Approved);
    reverse(&mut device, "000001", "000000010000", "A0", "").await.is("00");
    assert_eq!(shop.status(1).await, CardStatus::Reversing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_is_declined_and_owes_nothing() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.issuer.becomes(&[Weather::NoLink]);
    shop.sale(&mut device, "000001", PIN).await.is("91");
    assert_eq!((shop.status(1).await, shop.transactions().await), (CardStatus::Declined, (1, 0)));
    assert_eq!(shop.issuer.balance(CARD), 100_000);
    // A refund that nobody answered is not reversed: it stays to be sent, and asked again it is the same.
    let sale = shop.sale(&mut device, "000002", PIN).await;
    let (kind, reference) = (device.kind("25"), sale.is("00").fields[&37].clone());
    let fields = [
        (2, CARD),
        (3, "200000"),
        (4, "000000001000"),
        (11, "000003"),
        (22, "012"),
        (25, "00"),
        (37, reference.as_str()),
        (49, "156"),
        (60, kind.as_str()),
    ];
    shop.issuer.becomes(&[Weather::AnswerLost]);
    device.ask("0220", &fields).await.is("98");
    assert_eq!(shop.status(3).await, CardStatus::Unknown);
    device.ask("0220", &fields).await.is("98");
    assert_eq!((shop.issuer.heard().len(), shop.transactions().await), (2, (3, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_cannot_be_delivered_is_taken_back_by_the_switch() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    shop.sale(&mut device, "000001", PIN).await.is("00");
    shop.undelivered(1).await;
    shop.undelivered(1).await;
    let reversal =
        shop.look(|state| state.card_transaction(CardTransactionId(1)).unwrap().reversal.clone()).await.unwrap();
    assert_eq!((reversal.by, reversal.begun, reversal.reason.code()), (Reverser::Switch, 1, "06"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_twice_is_one_transaction_even_at_once() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    let mut other = shop.device().await;
    (other.work, other.batch) = (device.work.clone(), device.batch);
    let (first, again) = tokio::join!(shop.sale(&mut device, "000001", PIN), shop.sale(&mut other, "000001", PIN));
    other.connect_again().await;
    let later = shop.sale(&mut other, "000001", PIN).await;
    for field in [4, 11, 15, 37, 38, 39] {
        let told = [&first, &again, &later].map(|told| told.fields[&field].as_str());
        assert!(told.iter().all(|it| *it == told[0]), "field {field}: {told:?}");
    }
    assert_eq!((shop.issuer.heard().len(), shop.issuer.balance(CARD), shop.transactions().await), (1, 90_000, (1, 0)));
}
