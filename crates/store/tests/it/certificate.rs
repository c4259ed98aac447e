//! Merchants' certificates as rows.

use domain::Command;
use domain::certificate::{CertificateAlgorithm, CertificateCommand, RegisterCertificate};
use domain::ids::{CertificateId, MerchantId};
use store::certificate::CertificateFilter;
use store::list;

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    certificates_are_listed_by_merchant_and_by_whether_they_were_revoked
}

impl World {
    /// Two certificates of a merchant, of which one was revoked.
    pub(crate) fn certified(&mut self) {
        let (now, merchant) = (self.state.now, MerchantId(self.state.merchants.iter().next().unwrap().0));
        for (serial, key) in [("A1", 1), ("A2", 2)] {
            self.given(Command::Certificate(CertificateCommand::Register(RegisterCertificate {
                merchant,
                serial: serial.into(),
                algorithm: CertificateAlgorithm::Sm2WithSm3,
                public_key: vec![key; 65],
                subject: String::new(),
                not_before: now,
                not_after: now.plus_ms(1_000),
                wall: now,
            })));
        }
        let certificate = CertificateId(1);
        let revoke = CertificateCommand::Revoke { certificate, reason: "rotated".into(), wall: now };
        self.given(Command::Certificate(revoke));
    }
}

fn certificates_are_listed_by_merchant_and_by_whether_they_were_revoked(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.certified();
    let changes = world.state.take_changes();
    world.commit(&database, &changes).unwrap();
    let merchant = MerchantId(world.state.merchants.iter().next().unwrap().0);
    let count = |merchant: MerchantId, revoked: Option<bool>| {
        let filter = CertificateFilter { merchant: Some(merchant), revoked };
        list(&database, &filter, None, 10).unwrap().data.len()
    };
    assert_eq!([None, Some(true), Some(false)].map(|revoked| count(merchant, revoked)), [2, 1, 1]);
    assert_eq!(count(MerchantId(999), None), 0);
}
