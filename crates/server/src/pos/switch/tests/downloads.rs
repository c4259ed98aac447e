//! What terminals download: parameters part by part, and a master key for their own public key.

use ark::provider::{KeyKind, Provider as _, PublicKeyEncryption};
use ark::{Soft, keys::By};
use domain::Command;
use domain::ids::TerminalId;
use domain::terminal::{IssuedKey, TerminalCommand};
use domain::terminal_parameter::{ParameterRecord, SetParameters};

use super::shop::{SERIAL, Shop, TERMINAL};
use super::terminal::{Cipher, Device, Heard};

fn key(index: u8) -> ParameterRecord {
    let identity = vec![0xA0, 0, 0, 3, 0x33, index];
    let content = hex::decode(format!("9F0605A0000003339F2201{index:02X}DF050420301231DF0201AADF03011B")).unwrap();
    ParameterRecord { identity, content }
}

async fn set(shop: &Shop, public_keys: Vec<ParameterRecord>) {
    let aid = hex::decode("A000000333010101").unwrap();
    let content = hex::decode("9F0608A000000333010101DF010100").unwrap();
    let applications = vec![ParameterRecord { identity: aid, content }];
    let (name, settings) = ("standard".to_owned(), "1103".to_owned());
    shop.given(Command::SetParameters(SetParameters { name, public_keys, applications, settings })).await;
}

async fn ask(device: &mut Device, mti: &str, code: &str, field: &str) -> Heard {
    let (kind, trace) = (format!("00{:06}{code}", device.batch), format!("{:06}", device.next_trace()));
    let fields = [(11, trace.as_str()), (60, kind.as_str()), (62, field)];
    device.ask_plainly(mti, &fields[..if field.is_empty() { 2 } else { 3 }]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_asked_for_each_part_and_downloads_it() {
    let shop = Shop::open("sm4").await;
    let mut device = shop.device().await;
    assert_eq!(device.sign_in(SERIAL).await.is("00").asks, 0, "it uses no parameters");
    assert_eq!(ask(&mut device, "0820", "372", &hex::encode("100")).await.is("00").fields[&62], "30");
    ask(&mut device, "0800", "371", "").await.is("30");

    set(&shop, (1..=60).map(key).collect()).await;
    let uses = TerminalCommand::UseParameters { terminal: TERMINAL, set: "standard".into() };
    shop.given(Command::Terminal(uses)).await;
    assert_eq!(device.sign_in(SERIAL).await.is("00").asks, 4, "public keys");
    let first = ask(&mut device, "0820", "372", &hex::encode("100")).await.is("00").fields[&62].clone();
    // A name takes 8 + 4 + 7 bytes; 42 of them fit.
    assert_eq!((&first[..2], first.len()), ("32", 2 + 42 * 38));
    assert!(first.starts_with("329F0605A0000003339F220101DF0504203012319F06"), "{first}");
    let rest = ask(&mut device, "0820", "372", &hex::encode("142")).await.is("00").fields[&62].clone();
    assert_eq!((&rest[..2], rest.len()), ("31", 2 + 18 * 38));
    let one = ask(&mut device, "0800", "370", "9F0605A0000003339F22013C").await;
    assert_eq!(one.is("00").fields[&62], format!("31{}", hex::encode_upper(key(60).content)));
    assert_eq!(ask(&mut device, "0800", "370", "9F0605A0000003339F22013D").await.is("00").fields[&62], "30");
    // The end says what comes next.
    assert_eq!(ask(&mut device, "0800", "371", "").await.is("00").asks, 5);
    assert_eq!(device.sign_in(SERIAL).await.is("00").asks, 5, "applications");
    let list = ask(&mut device, "0820", "382", &hex::encode("100")).await;
    assert_eq!(list.is("00").fields[&62], "319F0608A000000333010101");
    let one = ask(&mut device, "0800", "380", "9F0608A000000333010101").await;
    assert_eq!(one.is("00").fields[&62], "319F0608A000000333010101DF010100");
    assert_eq!(ask(&mut device, "0800", "381", "").await.is("00").asks, 1);
    assert_eq!(ask(&mut device, "0800", "360", "").await.is("00").fields[&62], hex::encode("11103"));
    assert_eq!(ask(&mut device, "0800", "361", "").await.is("00").asks, 0);
    assert_eq!(device.sign_in(SERIAL).await.is("00").asks, 0, "it has all of it");

    // A set that changes while it is downloaded is downloaded again.
    set(&shop, vec![key(1)]).await;
    assert_eq!(device.sign_in(SERIAL).await.is("00").asks, 4);
    ask(&mut device, "0820", "372", &hex::encode("100")).await.is("00");
    set(&shop, vec![key(2)]).await;
    ask(&mut device, "0800", "371", "").await.is("96");
    assert_eq!(device.sign_in(SERIAL).await.is("00").asks, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_goes_to_the_terminals_public_key_and_works() {
    let shop = Shop::open("sm4").await;
    let (terminal, own_serial) = (TerminalId(2), "N900-0042118");
    let register = TerminalCommand::Register { serial: own_serial.into(), model: "N900".into() };
    shop.given(Command::Terminal(register)).await;
    let nothing = Cipher::sm4(&[0; 16]);
    let mut device = Device::connect(shop.address, "00000002", super::shop::NUMBER, nothing).await;
    let serial = |serial: &str| hex::encode(format!("Sequence No{:02}{serial}", serial.len()));
    ask(&mut device, "0800", "401", &serial(own_serial)).await.is("40");
    // The terminal's own pair, which it made itself.
    let own = Soft::new().unwrap();
    let pair = own.generate(KeyKind::Sm2).unwrap();
    let public = own.public_key(pair).unwrap();
    let point = public.bytes.clone();
    shop.given(Command::Terminal(TerminalCommand::RegisterPublicKey { terminal, point })).await;
    let by = By::new("ops", "", 1_800_000_000_000);
    let (name, issued) = shop.keys().issue(&by, terminal, &public).unwrap();
    let issued = IssuedKey { check_value: hex::encode_upper(issued.check_value), encrypted: issued.encrypted };
    shop.given(Command::Terminal(TerminalCommand::IssueKey { terminal, name, issued })).await;
    ask(&mut device, "0800", "401", &serial("N900-9999999")).await.is("58");
    let told = ask(&mut device, "0800", "401", &serial(own_serial)).await.is("00").fields[&62].clone();
    let (encrypted, check) = told.split_at(told.len() - 8);
    let clear = own.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &hex::decode(encrypted).unwrap()).unwrap();
    let master = Cipher::sm4(&clear);
    assert_eq!(hex::encode_upper(&master.encrypt(&[0; 16])[..4]), check);
    let mut device = shop.another(terminal, master).await;
    device.sign_in(own_serial).await.is("00");
    shop.sale(&mut device, "000077", super::shop::PIN).await.is("00");
    // A key that custodians formed stays where it is.
    let formed = shop.keys().issue(&by, TERMINAL, &public).unwrap_err();
    assert_eq!(formed.code(), "key_not_exportable");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sign_ins_leave_two_versions_of_each_work_key() {
    let shop = Shop::open("3des-2").await;
    let mut device = shop.device().await;
    for _ in 0..50 {
        device.sign_in(SERIAL).await.is("00");
    }
    shop.sale(&mut device, "000077", super::shop::PIN).await.is("00");
    for (name, most) in [("terminal/1/pin", 2), ("terminal/1/mac", 2), ("terminal/1/master", 1)] {
        let versions = shop.key_versions(name);
        assert_eq!(versions.len(), most, "{name}: {versions:?}");
        assert_eq!(versions.last(), Some(&if most == 1 { 1 } else { 50 }));
    }
}
