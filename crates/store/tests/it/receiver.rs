//! Receivers of splits as rows.

use domain::Command;
use domain::ids::{MerchantId, ReceiverId};
use domain::receiver::ReceiverCommand;
use store::list;
use store::receiver::ReceiverFilter;

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    receivers_are_listed_by_payee_by_who_receives_and_by_where_they_stand
}

fn receivers_are_listed_by_payee_by_who_receives_and_by_where_they_stand(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    let (payee, agent) = world.state.split_receiver(ReceiverId(1)).map(|row| (row.payee, row.receiver)).unwrap();
    world.receiver(agent, payee);
    world.given(Command::Receiver(ReceiverCommand::Remove(ReceiverId(2))));
    world.store(&database);
    let ids = |payee: Option<MerchantId>, receiver: Option<MerchantId>, removed: Option<bool>| {
        let rows = list(&database, &ReceiverFilter { payee, receiver, removed }, None, 10).unwrap().data;
        rows.iter().map(|row| row.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None, None), [1, 2]);
    assert_eq!((ids(Some(payee), None, None), ids(None, Some(payee), None)), (vec![1], vec![2]));
    assert_eq!((ids(None, None, Some(false)), ids(None, None, Some(true))), (vec![1], vec![2]));
    assert_eq!(ids(Some(payee), Some(agent), Some(true)), Vec::<u64>::new());
}
