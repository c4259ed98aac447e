//! QR sales (被扫): a code in the card's place, and what follows on it without either.

use domain::card_transaction::{CardKind, CardStatus};
use domain::ids::CardTransactionId;

use super::network::{CODE, Weather};
use super::shop::{CARD, SERIAL, Shop};
use super::terminal::{Device, Heard};

/// A sale of 100.00 by a code.
pub(super) async fn sale(device: &mut Device, trace: &str, element: &str) -> Heard {
    let (kind, further) = (device.kind("22"), hex::encode(element));
    let fields = [
        (3, "000000"),
        (4, "000000010000"),
        (11, trace),
        (22, "032"),
        (25, "00"),
        (49, "156"),
        (59, further.as_str()),
        (60, kind.as_str()),
    ];
    device.ask("0200", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_pays_is_voided_refunded_and_counted_in_its_batch() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    let paid = sale(&mut device, "000001", CODE).await;
    assert_eq!((paid.is("00").proved, shop.issuer.balance(CARD)), (Some(true), 90_000));
    assert_eq!(shop.books().await, [9_962, 9_950, 12]);
    let row = shop.look(|state| state.card_transaction(CardTransactionId(1)).unwrap().clone()).await;
    assert_eq!((row.kind, row.card.mask.as_str()), (CardKind::QrSale, "62*************4567"));
    assert!(row.card.is_code());
    let (_, heard) = shop.issuer.heard().remove(0);
    assert_eq!((heard.get(2), heard.text(22), heard.text(59)), (None, Some("032"), Some(CODE)));

    // The same again is answered and goes nowhere; another code under its trace is refused.
    sale(&mut device, "000001", CODE).await.is("00");
    sale(&mut device, "000001", "A30196212345678901234568").await.is("94");
    assert_eq!(shop.issuer.heard().len(), 1);

    shop.void(&mut device, "000002", "000001", "000000010000").await.is("00");
    assert_eq!((shop.books().await, shop.issuer.balance(CARD)), ([0, 0, 0], 100_000));
    let (_, void) = shop.issuer.heard().remove(1);
    assert_eq!((void.get(2), void.get(59), void.get(90).is_some()), (None, None, true));

    let again = sale(&mut device, "000003", CODE).await;
    let (kind, reference) = (device.kind("25"), again.is("00").fields[&37].clone());
    let fields = [
        (3, "200000"),
        (4, "000000004000"),
        (11, "000004"),
        (22, "012"),
        (25, "00"),
        (37, reference.as_str()),
        (49, "156"),
        (60, kind.as_str()),
    ];
    device.ask("0220", &fields).await.is("00");
    assert_eq!(shop.issuer.balance(CARD), 94_000);
    // Debits: both sales; credits: the void and the refund.
    let totals = format!("{}{}", "0000000200000020000000140000020", "0".repeat(31));
    let closing = [(11, "000005"), (48, totals.as_str()), (49, "156"), (60, "00000001201")];
    assert_eq!(&device.ask_plainly("0500", &closing).await.is("00").fields[&48][30..31], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_about_a_code_is_taken_back_and_what_is_no_code_goes_nowhere() {
    let shop = Shop::open("3des-2").await;
    let mut device = shop.device().await;
    device.sign_in(SERIAL).await.is("00");
    for (element, code) in [
        ("A3019621234567890123456", "30"),
        ("A20196212345678901234567", "30"),
        ("A30181234567890123456789", "15"),
        ("A3019621234567890123456X", "15"),
    ] {
        sale(&mut device, "000001", element).await.is(code);
    }
    assert_eq!((shop.issuer.heard().len(), shop.transactions().await), (0, (0, 0)));
    shop.issuer.becomes(&[Weather::AnswerLost]);
    sale(&mut device, "000001", CODE).await.is("98");
    assert_eq!((shop.status(1).await, shop.transactions().await), (CardStatus::Reversing, (1, 1)));
}
