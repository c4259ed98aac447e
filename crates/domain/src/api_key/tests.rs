//! Secrets of API keys: rotated with an overlap, ended at once.

use super::*;
use crate::command::Command;
use crate::testkit::Kit;

const HOUR_MS: i64 = 3_600_000;
const WALL: Time = Time(1_780_000_000_000);

fn rotate(owner: KeyOwner, overlap_ms: i64, wall: Time) -> Command {
    Command::ApiKey(ApiKeyCommand::Rotate { owner, overlap_ms, wall })
}

fn end(owner: KeyOwner, serial: u32, wall: Time) -> Command {
    Command::ApiKey(ApiKeyCommand::End { owner, serial, wall })
}

/// The serial numbers that sign at a time, in memory and after a restart.
fn sign(kit: &mut Kit, owner: KeyOwner, wall: Time) -> alloc::vec::Vec<u32> {
    kit.restore();
    kit.state.api_keys_of(owner).filter(|key| key.signs(wall)).map(|key| key.serial).collect()
}

#[test]
fn two_secrets_overlap_and_the_old_one_ends_by_itself() {
    let mut kit = Kit::new();
    let owner = KeyOwner::Merchant(kit.landlord());
    assert_eq!((sign(&mut kit, owner, WALL), kit.state.newest_api_key(owner)), (alloc::vec![], 1));
    kit.given(rotate(owner, HOUR_MS, WALL));
    assert_eq!(sign(&mut kit, owner, WALL), [1, 2]);
    assert_eq!(sign(&mut kit, owner, WALL.plus_ms(HOUR_MS - 1)), [1, 2]);
    assert_eq!(sign(&mut kit, owner, WALL.plus_ms(HOUR_MS)), [2]);
    kit.refused(rotate(owner, 0, WALL.plus_ms(HOUR_MS - 1)), RefusalCode::ApiKeyState);
    kit.given(rotate(owner, 0, WALL.plus_ms(HOUR_MS)));
    assert_eq!(sign(&mut kit, owner, WALL.plus_ms(HOUR_MS)), [3]);
    assert_eq!(kit.state.newest_api_key(owner), 3);
}

#[test]
fn an_old_secret_is_ended_at_once_and_the_newest_never() {
    let mut kit = Kit::new();
    let owner = KeyOwner::Programs;
    kit.refused(end(owner, 1, WALL), RefusalCode::ApiKeyUnknown);
    kit.given(rotate(owner, HOUR_MS, WALL));
    kit.refused(end(owner, 2, WALL), RefusalCode::ApiKeyState);
    kit.refused(end(owner, 3, WALL), RefusalCode::ApiKeyUnknown);
    kit.given(end(owner, 1, WALL.plus_ms(5)));
    assert_eq!(sign(&mut kit, owner, WALL.plus_ms(5)), [2]);
    kit.refused(end(owner, 1, WALL.plus_ms(6)), RefusalCode::ApiKeyState);
    kit.given(rotate(owner, HOUR_MS, WALL.plus_ms(7)));
    assert_eq!(sign(&mut kit, owner, WALL.plus_ms(7)), [2, 3]);
}

#[test]
fn owners_do_not_touch_each_other_and_bad_input_is_refused() {
    let mut kit = Kit::new();
    let (one, other) = (KeyOwner::Merchant(kit.landlord()), KeyOwner::Merchant(kit.landlord()));
    kit.given(rotate(one, HOUR_MS, WALL));
    kit.given(rotate(other, 0, WALL));
    assert_eq!((sign(&mut kit, one, WALL), sign(&mut kit, other, WALL)), (alloc::vec![1, 2], alloc::vec![2]));
    for overlap in [-1, MAX_OVERLAP_MS + 1] {
        kit.refused(rotate(KeyOwner::Programs, overlap, WALL), RefusalCode::ValueInvalid);
    }
    kit.refused(rotate(KeyOwner::Merchant(MerchantId(99)), 0, WALL), RefusalCode::MerchantUnknown);
    kit.refused(rotate(KeyOwner::Operator(OperatorId(99)), 0, WALL), RefusalCode::OperatorUnknown);
}
