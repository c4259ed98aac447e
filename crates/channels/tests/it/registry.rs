//! The registry: names, and configurations that are refused by the name of their setting.

use channels::registry::CHANNELS;
use channels::{ChannelError, OperationKind, by_name};
use domain::attempt::Rail;
use serde_json::{Value, json};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn each_name_opens_its_own_channel() {
    let bank = |rail| by_name("sandbox_bank", &json!({ "rail": rail, "institution": "lintel", "key": KEY })).unwrap();
    let fund = by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY })).unwrap();
    assert_eq!(bank("epcc").manifest().rail, Rail::Epcc);
    assert_eq!(bank("unionpay").manifest().rail, Rail::UnionPay);
    assert_eq!(bank("own_bank").manifest().rail, Rail::OwnBank);
    assert_eq!(fund.manifest().rail, Rail::Fund);
    let kinds = |channel: &dyn channels::Channel| -> Vec<OperationKind> {
        channel.manifest().operations.iter().map(|supported| supported.kind).collect()
    };
    assert_eq!(kinds(&*bank("epcc")), [OperationKind::Debit, OperationKind::Refund, OperationKind::Pay]);
    assert_eq!(kinds(&*bank("own_bank")), [OperationKind::Pay]);
    assert_eq!(kinds(&*fund)[..3], OperationKind::ALL[3..6]);
}

#[test]
fn names_are_unique_and_every_setting_is_explained() {
    for (index, entry) in CHANNELS.iter().enumerate() {
        assert!(CHANNELS[..index].iter().all(|other| other.name != entry.name));
        assert!(entry.settings.iter().all(|setting| setting.doc.len() > 10));
        assert!(entry.settings.iter().any(|setting| setting.name == "key" && setting.secret));
    }
}

#[test]
fn an_unknown_name_is_told_the_known_ones() {
    let error = by_name("sandbox_bnak", &json!({})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no channel 'sandbox_bnak'; known are sandbox_bank, sandbox_fund, epcc, pingan_jzb, unionpay_online"
    );
}

#[test]
fn whether_a_fund_may_pay_a_part_is_a_setting_of_its_city() {
    let open =
        |in_part: &str| by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY, "in_part": in_part }));
    let takes = |in_part: &str, kind, done| open(in_part).unwrap().manifest().takes_part(kind, 300, done);
    assert!(takes("take", OperationKind::FundHold, 299) && takes("take", OperationKind::FundCapture, 1));
    // A centre that debits at once may do so too.
    assert!(takes("take", OperationKind::Debit, 1) && !takes("refuse", OperationKind::Debit, 1));
    for done in [-1, 0, 300, 301] {
        assert!(!takes("take", OperationKind::FundCapture, done), "{done}");
    }
    assert!(!takes("take", OperationKind::Refund, 299) && !takes("refuse", OperationKind::FundCapture, 299));
    let error = open("some").unwrap_err();
    assert!(matches!(&error, ChannelError::Config { setting, .. } if setting == "in_part"), "{error}");
}

fn refused(config: &Value) -> (String, String) {
    let error = by_name("sandbox_bank", config).unwrap_err();
    let shown = format!("{error} {error:?}");
    let ChannelError::Config { setting, .. } = error else { panic!("{shown}") };
    (setting, shown)
}

#[test]
fn a_wrong_setting_is_named_and_its_value_is_not_shown() {
    let good = json!({ "rail": "epcc", "institution": "lintel", "key": KEY });
    let wrong = [
        ("rail", json!("fund")),
        ("rail", json!(1)),
        ("institution", json!("")),
        ("institution", json!("two words")),
        ("institution", json!("i".repeat(65))),
        ("key", json!("5ec2e7")),
        ("key", json!(KEY.replace('f', "g"))),
        ("key", Value::Null),
    ];
    for (setting, value) in wrong {
        let mut config = good.clone();
        config[setting] = value;
        let (told, shown) = refused(&config);
        assert_eq!(told, setting);
        assert!(!shown.contains("5ec2e7") && !shown.contains("0001020304"), "{shown}");
        config.as_object_mut().unwrap().remove(setting);
        assert_eq!(refused(&config).0, setting);
    }
    let mut config = good;
    config["kye"] = json!(KEY);
    assert_eq!(refused(&config).0, "kye");
    assert_eq!(refused(&json!([])).0, "");
}
