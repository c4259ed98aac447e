//! Tests of the node: flights, the projector behind a real journal, the close of a day, sealed fields.

mod adjustment;
mod cards;
mod close;
mod crash_world;
mod days_property;
mod executor;
mod fields;
#[expect(dead_code, reason = "the suite of `channels` uses the rest")]
#[path = "../../../channels/tests/it/fixture.rs"]
mod fixture;
mod flight_property;
mod golden;
mod keys;
mod level_17;
mod merger;
mod projector;
mod recovery;
mod replay_property;
mod scripted;
mod second_look;
mod sites;
mod time_outs;
mod verify;
mod world;
