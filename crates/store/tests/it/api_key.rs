//! Serial numbers of secrets as rows.

use domain::Command;
use domain::api_key::{ApiKeyCommand, KeyOwner};
use domain::ids::OperatorId;
use store::api_key::ApiKeyFilter;
use store::list;

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    serial_numbers_are_listed_by_whose_they_are
}

impl World {
    /// A merchant and the institution's programs, who rotated.
    pub(crate) fn rotated(&mut self) {
        for owner in [KeyOwner::Merchant(self.first_merchant()), KeyOwner::Programs] {
            let wall = self.state.now;
            self.given(Command::ApiKey(ApiKeyCommand::Rotate { owner, overlap_ms: 1_000, wall }));
        }
    }
}

fn serial_numbers_are_listed_by_whose_they_are(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.rotated();
    let changes = world.state.take_changes();
    world.commit(&database, &changes).unwrap();
    let serials = |owner| {
        let rows = list(&database, &ApiKeyFilter { owner }, None, 10).unwrap().data;
        rows.iter().map(|key| key.serial).collect::<Vec<_>>()
    };
    assert_eq!(serials(Some(KeyOwner::Merchant(world.first_merchant()))), [1, 2]);
    assert_eq!(serials(Some(KeyOwner::Programs)), [1, 2]);
    assert_eq!(serials(Some(KeyOwner::Operator(OperatorId(9)))), Vec::<u32>::new());
    assert_eq!(serials(None).len(), 4);
}
