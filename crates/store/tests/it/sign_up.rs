//! Signings of agreements as rows.

use domain::Command;
use domain::attempt::Rail;
use domain::ids::{MerchantId, SignUpId, UserId};
use domain::pay_password::{PayPasswordCommand, SetBy};
use domain::sealed::{DataClass, Sealed};
use domain::sign_up::{RequestSignUp, SignUpCommand, SignUpStatus};
use store::list;
use store::sign_up::SignUpFilter;

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    signings_are_listed_by_who_asked_who_pays_and_how_they_stand
}

impl World {
    /// A pay password that was tried once.
    pub(crate) fn passworded(&mut self) {
        let user = UserId(self.state.users.iter().next().unwrap().0);
        let verifier = Sealed { ciphertext: vec![9; 40], key: 1, mask: "*".into(), class: DataClass::C2 };
        let by = SetBy::First;
        for command in [PayPasswordCommand::Set { user, verifier, agreements: None, by }, PayPasswordCommand::Try(user)]
        {
            self.given(Command::PayPassword(command));
        }
    }

    /// Two signings of a payer, one for a merchant, which was cancelled.
    pub(crate) fn signed_up(&mut self) {
        let sealed = || Sealed { ciphertext: vec![7; 40], key: 1, mask: "138****1234".into(), class: DataClass::C2 };
        let payer = UserId(self.state.users.iter().next().unwrap().0);
        for (merchant, token) in [(Some(self.first_merchant()), "one"), (None, "two")] {
            self.given(Command::SignUp(SignUpCommand::Request(Box::new(RequestSignUp {
                merchant,
                payer,
                channel: Rail::Epcc.into(),
                bank: "102100099996".into(),
                credit: false,
                account: sealed(),
                token: token.into(),
                phone: sealed(),
            }))));
        }
        self.given(Command::SignUp(SignUpCommand::Cancel(SignUpId(1))));
    }
}

fn signings_are_listed_by_who_asked_who_pays_and_how_they_stand(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    world.signed_up();
    let changes = world.state.take_changes();
    world.commit(&database, &changes).unwrap();
    let count = |filter: SignUpFilter| list(&database, &filter, None, 10).unwrap().data.len();
    let own = Some(world.first_merchant());
    assert_eq!(count(SignUpFilter::default()), 2);
    assert_eq!(count(SignUpFilter { merchant: own, ..SignUpFilter::default() }), 1);
    assert_eq!(count(SignUpFilter { merchant: Some(MerchantId(999)), ..SignUpFilter::default() }), 0);
    let payer = Some(UserId(world.state.users.iter().next().unwrap().0));
    assert_eq!(count(SignUpFilter { payer, ..SignUpFilter::default() }), 2);
    let status = Some(SignUpStatus::Cancelled);
    assert_eq!(count(SignUpFilter { payer, status, ..SignUpFilter::default() }), 1);
}
