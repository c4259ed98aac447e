//! Merchants' certificates: registered beside each other, revoked for ever.

use alloc::vec;

use super::*;
use crate::command::Command;
use crate::testkit::Kit;

const DAY_MS: i64 = 86_400_000;
const NOW: Time = Time(1_780_000_000_000);

fn registers(merchant: MerchantId, serial: &str, key: u8) -> RegisterCertificate {
    RegisterCertificate {
        merchant,
        serial: String::from(serial),
        algorithm: CertificateAlgorithm::Sm2WithSm3,
        public_key: vec![key; 65],
        subject: String::from("Lamp Lane Homes"),
        not_before: NOW,
        not_after: NOW.plus_ms(365 * DAY_MS),
        wall: NOW,
    }
}

fn register(command: RegisterCertificate) -> Command {
    Command::Certificate(CertificateCommand::Register(command))
}

fn revoke(certificate: u64, reason: &str) -> Command {
    let (certificate, reason) = (CertificateId(certificate), String::from(reason));
    Command::Certificate(CertificateCommand::Revoke { certificate, reason, wall: NOW.plus_ms(5) })
}

#[test]
fn two_overlap_while_a_merchant_rotates_and_a_revoked_one_stays_so() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.given(register(registers(merchant, "A1", 1)));
    kit.given(register(registers(merchant, "A2", 2)));
    kit.restore();
    let status = |kit: &Kit, serial: &str| kit.state.certificate_of(merchant, serial).unwrap().status(NOW);
    assert_eq!((status(&kit, "A1"), status(&kit, "A2")), ("valid", "valid"));

    kit.given(revoke(1, "rotated"));
    kit.restore();
    assert_eq!((status(&kit, "A1"), status(&kit, "A2")), ("revoked", "valid"));
    kit.refused(revoke(1, "again"), RefusalCode::CertificateState);
    kit.refused(register(registers(merchant, "A1", 3)), RefusalCode::CertificateExists);
    kit.refused(register(registers(merchant, "A3", 1)), RefusalCode::CertificateExists);
    let row = kit.state.certificate_of(merchant, "A1").unwrap();
    assert_eq!(row.revoked.as_ref().map(|revoked| revoked.at), Some(NOW.plus_ms(5)));
    assert!(row.allowed_actions().is_empty());
}

#[test]
fn a_key_signs_for_one_merchant_and_serial_numbers_are_each_merchants_own() {
    let mut kit = Kit::new();
    let (first, second) = (kit.landlord(), kit.landlord());
    kit.given(register(registers(first, "A1", 1)));
    kit.refused(register(registers(second, "B1", 1)), RefusalCode::CertificateExists);
    kit.given(register(registers(second, "A1", 2)));
    kit.refused(revoke(9, "none"), RefusalCode::CertificateUnknown);
    kit.given(revoke(2, "lost"));
    assert_eq!(kit.state.certificate_of(first, "A1").unwrap().revoked, None);
}

#[test]
fn a_certificate_stands_where_its_time_says() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let later = RegisterCertificate { not_before: NOW.plus_ms(DAY_MS), ..registers(merchant, "A1", 1) };
    kit.given(register(later));
    let row = kit.state.certificate_of(merchant, "A1").unwrap();
    let at = |ms| row.status(NOW.plus_ms(ms));
    assert_eq!(
        [at(0), at(DAY_MS), at(365 * DAY_MS - 1), at(365 * DAY_MS)],
        ["not_yet_valid", "valid", "valid", "expired"]
    );
}

#[test]
fn what_no_header_could_name_and_what_never_signs_is_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let good = || registers(merchant, "A1", 1);
    let bad = [
        RegisterCertificate { serial: String::new(), ..good() },
        RegisterCertificate { serial: String::from("A 1"), ..good() },
        RegisterCertificate { serial: "9".repeat(65), ..good() },
        RegisterCertificate { public_key: vec![], ..good() },
        RegisterCertificate { public_key: vec![1; 513], ..good() },
        RegisterCertificate { subject: "x".repeat(129), ..good() },
        RegisterCertificate { not_after: NOW, not_before: NOW.plus_ms(-DAY_MS), ..good() },
        RegisterCertificate { not_before: NOW.plus_ms(400 * DAY_MS), ..good() },
    ];
    for command in bad {
        kit.refused(register(command), RefusalCode::ValueInvalid);
    }
    kit.refused(register(RegisterCertificate { merchant: MerchantId(99), ..good() }), RefusalCode::MerchantUnknown);
    kit.given(register(good()));
    kit.refused(revoke(1, "  "), RefusalCode::ValueInvalid);
}

#[test]
fn a_merchant_has_so_many_at_a_time() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    for number in 0..u8::try_from(MAX_LIVE).unwrap() {
        kit.given(register(registers(merchant, &format!("A{number}"), number)));
    }
    kit.refused(register(registers(merchant, "B", 100)), RefusalCode::CertificatesTooMany);
    kit.given(revoke(1, "rotated"));
    kit.given(register(registers(merchant, "B", 100)));
}
