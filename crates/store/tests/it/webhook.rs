//! Merchants' webhooks as rows.

use domain::Command;
use domain::certificate::CertificateAlgorithm;
use domain::ids::{MerchantId, WebhookId};
use domain::webhook::{RegisterWebhook, WebhookCommand, WebhookKind, WebhookStatus};
use store::list;
use store::webhook::WebhookFilter;

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    webhooks_are_listed_by_merchant_and_by_how_they_stand
}

impl World {
    pub(crate) fn first_merchant(&self) -> MerchantId {
        MerchantId(self.state.merchants.iter().next().unwrap().0)
    }

    /// Two webhooks of a merchant, of which one was removed.
    pub(crate) fn hooked(&mut self) {
        let merchant = self.first_merchant();
        for url in ["https://a.example/", "https://b.example/"] {
            self.given(Command::Webhook(WebhookCommand::Register(RegisterWebhook {
                merchant,
                url: url.into(),
                kinds: WebhookKind::ALL.to_vec(),
                algorithm: CertificateAlgorithm::Sm2WithSm3,
            })));
        }
        self.given(Command::Webhook(WebhookCommand::Remove(WebhookId(1))));
    }
}

fn webhooks_are_listed_by_merchant_and_by_how_they_stand(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.hooked();
    let changes = world.state.take_changes();
    world.commit(&database, &changes).unwrap();
    let count = |merchant: MerchantId, status: Option<WebhookStatus>| {
        list(&database, &WebhookFilter { merchant: Some(merchant), status }, None, 10).unwrap().data.len()
    };
    let own = world.first_merchant();
    let [all, enabled, disabled] =
        [None, Some(WebhookStatus::Enabled), Some(WebhookStatus::Disabled)].map(|status| count(own, status));
    assert_eq!((all, enabled, disabled, count(MerchantId(999), None)), (2, 1, 0, 0));
}
