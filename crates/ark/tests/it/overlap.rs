//! The platform's signing keys overlap: which version signs, by the states and times of what is stored.

use ark::{
    KeyService,
    keys::{By, KeyUse as _, Purpose, RSA_SIGNING_KEY, Rotation, SIGNING_KEY, Spec, State, Step, bytes_of},
    provider::KeyKind,
};

use crate::keys::{again, service};

const BEGIN: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// So many hours after the first version.
fn at(hours: i64) -> By<'static> {
    By::new("test", "why not", BEGIN + hours * HOUR)
}

fn make(service: &KeyService, name: &str, rotation: Rotation) {
    let spec = Spec { rotation, ..Spec::new(name, KeyKind::Sm2, Purpose::Sign) };
    service.create(&at(0), &spec).expect("a new key");
}

/// The version that signs at these hours.
fn signs<const N: usize>(service: &KeyService, name: &str, hours: [i64; N]) -> [u32; N] {
    hours.map(|hours| {
        let signature = service.sign(&at(hours), name, b"message").expect("signed");
        service.verify(&at(hours), name, b"message", &signature).expect("its own");
        // What is told names the same one.
        let told = service.info(name).expect("known").current(at(hours).now).expect("one signs").version;
        let (version, _) = bytes_of(&signature).expect("a signature of ours");
        assert_eq!(told, version, "after {hours} hours");
        version
    })
}

fn states(service: &KeyService, name: &str) -> Vec<State> {
    service.info(name).expect("known").versions.iter().map(|version| version.state).collect()
}

#[test]
fn a_next_version_signs_once_it_was_there_for_the_overlap() {
    let (directory, service, root) = service();
    let service = service.with_overlap(DAY);
    for name in [SIGNING_KEY, RSA_SIGNING_KEY, "another"] {
        make(&service, name, Rotation::default());
        assert_eq!(signs(&service, name, [0, 9]), [1, 1], "a first version signs at once");
        service.rotate(&at(10), name).expect("rotated");
    }
    assert_eq!(signs(&service, "another", [10]), [2], "only the platform's wait");
    let times = [10, 33, 34, 10_000];
    for name in [SIGNING_KEY, RSA_SIGNING_KEY] {
        assert_eq!(signs(&service, name, times), [1, 1, 2, 2]);
        let versions = service.info(name).expect("known").versions;
        let from: Vec<_> = versions.iter().map(|version| version.signs_from).collect();
        assert_eq!(from, [None, Some(at(34).now)]);
    }
    let old = service.sign(&at(33), SIGNING_KEY, b"message").expect("signed");

    drop(service);
    let service = again(directory.path(), &root).with_overlap(DAY);
    assert_eq!(signs(&service, SIGNING_KEY, times), [1, 1, 2, 2], "by what is stored");

    service.tick(&at(33)).expect("ticked");
    assert_eq!(states(&service, SIGNING_KEY), [State::Active, State::Active]);
    service.tick(&at(34)).expect("ticked");
    assert_eq!(states(&service, SIGNING_KEY), [State::Deactivated, State::Active]);
    assert_eq!(signs(&service, SIGNING_KEY, [11, 35]), [2, 2], "also by a clock that went back");
    service.verify(&at(35), SIGNING_KEY, b"message", &old).expect("the old one verifies what it signed");

    drop(service);
    let service = again(directory.path(), &root).with_overlap(9 * DAY);
    assert_eq!(signs(&service, SIGNING_KEY, [11, 35]), [2, 2], "also by a longer overlap");
}

#[test]
fn it_signs_at_once_where_the_one_before_may_sign_no_more() {
    for step in [Step::Suspend, Step::Deactivate, Step::Compromise] {
        let (_directory, service, _root) = service();
        let service = service.with_overlap(DAY);
        make(&service, SIGNING_KEY, Rotation::default());
        service.rotate(&at(1), SIGNING_KEY).expect("rotated");
        assert_eq!(signs(&service, SIGNING_KEY, [1]), [1]);
        service.step(&at(1), SIGNING_KEY, 1, step).expect("taken");
        assert_eq!(signs(&service, SIGNING_KEY, [1, 2]), [2, 2], "{}", step.name());
        // Before the rotation it is the same.
        service.step(&at(2), SIGNING_KEY, 2, step).expect("taken");
        service.rotate(&at(2), SIGNING_KEY).expect("rotated");
        assert_eq!(signs(&service, SIGNING_KEY, [2, 3]), [3, 3], "{}", step.name());
    }

    let (_directory, service, _root) = service();
    let service = service.with_overlap(DAY);
    make(&service, SIGNING_KEY, Rotation::default());
    service.rotate(&at(1), SIGNING_KEY).expect("rotated");
    service.step(&at(2), SIGNING_KEY, 2, Step::Compromise).expect("taken");
    assert_eq!(signs(&service, SIGNING_KEY, [2, 48]), [1, 1], "one that waits and is lost takes nobody's place");
}

#[test]
fn one_that_waits_and_is_suspended_resumes_only_once_the_one_before_has_ended() {
    let (_directory, service, _root) = service();
    let service = service.with_overlap(DAY);
    make(&service, SIGNING_KEY, Rotation::default());
    service.rotate(&at(1), SIGNING_KEY).expect("rotated");
    service.step(&at(2), SIGNING_KEY, 2, Step::Suspend).expect("taken");
    service.tick(&at(48)).expect("ticked");
    assert_eq!(states(&service, SIGNING_KEY), [State::Active, State::Suspended]);
    assert_eq!(signs(&service, SIGNING_KEY, [2, 48]), [1, 1]);
    let refused = service.step(&at(48), SIGNING_KEY, 2, Step::Resume).expect_err("one is active");
    assert_eq!(refused.code(), "key_state");

    // One that is made meanwhile waits for itself, and takes the place.
    service.rotate(&at(49), SIGNING_KEY).expect("rotated");
    assert_eq!(signs(&service, SIGNING_KEY, [49, 72, 73]), [1, 1, 3]);
    service.tick(&at(73)).expect("ticked");
    assert_eq!(states(&service, SIGNING_KEY), [State::Deactivated, State::Suspended, State::Active]);
    service.step(&at(74), SIGNING_KEY, 3, Step::Compromise).expect("taken");
    assert_eq!(service.sign(&at(74), SIGNING_KEY, b"message").expect_err("none is active").code(), "key_state");
    assert_eq!(service.info(SIGNING_KEY).expect("known").current(at(74).now), None);
    service.step(&at(74), SIGNING_KEY, 2, Step::Resume).expect("resumed");
    assert_eq!(signs(&service, SIGNING_KEY, [2, 74]), [2, 2], "it waits for nobody");
}

#[test]
fn without_an_overlap_it_signs_at_once_and_the_one_before_is_deactivated() {
    let (_directory, service, _root) = service();
    make(&service, SIGNING_KEY, Rotation::default());
    service.rotate(&at(1), SIGNING_KEY).expect("rotated");
    assert_eq!(signs(&service, SIGNING_KEY, [1]), [2]);
    assert_eq!(states(&service, SIGNING_KEY), [State::Deactivated, State::Active]);
    let public = service.info(SIGNING_KEY).expect("known").versions.pop().expect("two").public;
    assert_eq!(service.public_key(SIGNING_KEY).expect("known"), public);
}

#[test]
fn each_of_several_waits_for_itself_and_an_age_is_the_newest_ones() {
    let (_directory, service, _root) = service();
    let service = service.with_overlap(DAY);
    make(&service, SIGNING_KEY, Rotation { age: Some(10 * HOUR), uses: None });
    let rotated = |hours| service.tick(&at(hours)).expect("ticked").rotated;
    let hours = [9, 10, 11, 19, 20, 21, 30];
    assert_eq!(hours.map(rotated), [0, 1, 0, 0, 1, 0, 1]);
    assert_eq!(signs(&service, SIGNING_KEY, [30, 33, 34, 43, 44, 53, 54]), [1, 1, 2, 2, 3, 3, 4]);
    assert_eq!(rotated(46), 1);
    let (old, active) = (State::Deactivated, State::Active);
    assert_eq!(states(&service, SIGNING_KEY), [old, old, active, active, active]);
}
