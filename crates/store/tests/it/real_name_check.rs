//! Real-name checks as rows.

use domain::Command;
use domain::attempt::Rail;
use domain::ids::{MerchantId, RealNameCheckId, UserId};
use domain::real_name_check::{RealNameAnswer, RealNameCheckCommand, RealNameCheckStatus, RequestRealNameCheck};
use domain::sealed::{DataClass, Sealed};
use store::list;
use store::real_name_check::RealNameCheckFilter;

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    checks_are_listed_by_who_asked_who_is_checked_and_how_they_stand
}

impl World {
    /// Two checks of a user, one for a merchant, which matched.
    pub(crate) fn checked(&mut self) {
        let sealed = || Sealed { ciphertext: vec![7; 40], key: 1, mask: "138****1234".into(), class: DataClass::C2 };
        let user = UserId(self.state.users.iter().next().unwrap().0);
        for (merchant, phone) in [(Some(self.first_merchant()), Some(sealed())), (None, None)] {
            let request = RequestRealNameCheck {
                merchant,
                user,
                rail: Rail::Epcc,
                bank: "102100099996".into(),
                credit: false,
                account: sealed(),
                token: "one".into(),
                phone,
            };
            self.given(Command::RealNameCheck(RealNameCheckCommand::Request(Box::new(request))));
        }
        let (check, answer) = (RealNameCheckId(1), RealNameAnswer::Matched);
        self.given(Command::RealNameCheck(RealNameCheckCommand::Answer { check, answer }));
    }
}

fn checks_are_listed_by_who_asked_who_is_checked_and_how_they_stand(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.checked();
    let changes = world.state.take_changes();
    world.commit(&database, &changes).unwrap();
    let count = |filter: RealNameCheckFilter| list(&database, &filter, None, 10).unwrap().data.len();
    let own = Some(world.first_merchant());
    assert_eq!(count(RealNameCheckFilter::default()), 2);
    assert_eq!(count(RealNameCheckFilter { merchant: own, ..RealNameCheckFilter::default() }), 1);
    assert_eq!(count(RealNameCheckFilter { merchant: Some(MerchantId(999)), ..RealNameCheckFilter::default() }), 0);
    let user = Some(UserId(world.state.users.iter().next().unwrap().0));
    assert_eq!(count(RealNameCheckFilter { user, ..RealNameCheckFilter::default() }), 2);
    let status = Some(RealNameCheckStatus::Matched);
    assert_eq!(count(RealNameCheckFilter { user, status, ..RealNameCheckFilter::default() }), 1);
}
