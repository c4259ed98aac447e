//! The pool of devices' sessions, over devices that only count.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ark::{
    device::{Device, DeviceError, Limits, Pool},
    provider::KeyError,
};

/// Sessions are numbered, from the hundred of the device.
struct Counting(AtomicU32, &'static str);

impl Device for Counting {
    type Session = u32;

    fn name(&self) -> &str {
        self.1
    }

    fn connect(&self) -> Result<u32, DeviceError> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn probe(&self, _: &mut u32) -> Result<(), DeviceError> {
        Ok(())
    }
}

fn pool(devices: &[(u32, &'static str)], sessions: usize) -> Pool<Counting> {
    let devices = devices.iter().map(|(first, name)| Counting(AtomicU32::new(*first), name)).collect();
    let limits = Limits { sessions, wait: Duration::ZERO, retry_after: Duration::from_secs(3600) };
    Pool::new(devices, limits).expect("devices")
}

fn number(pool: &Pool<Counting>) -> u32 {
    pool.run(|session| Ok(*session)).expect("a session")
}

fn fail(pool: &Pool<Counting>, mut error: impl FnMut() -> DeviceError) -> &'static str {
    pool.run::<()>(|_| Err(error().into())).expect_err("as told").code()
}

#[test]
fn devices_take_turns_and_sessions_are_kept() {
    let pool = pool(&[(100, "a"), (200, "b")], 2);
    assert_eq!([(); 4].map(|()| number(&pool)), [100, 200, 100, 200]);
    let health = pool.health();
    assert!(health.iter().all(|health| health.alive && health.open == 1 && health.idle == 1), "{health:?}");
    // One in use: the other device, then a second session.
    let inner = pool.run(|outer| Ok((*outer, number(&pool), number(&pool)))).expect("sessions");
    assert_eq!(inner, (100, 200, 101));
}

#[test]
fn whoever_gets_no_session_in_time_is_told() {
    let pool = pool(&[(100, "a")], 1);
    let inner = pool.run(|_| Ok(pool.run(|session| Ok(*session)).map_err(|error| error.code()))).expect("a session");
    assert_eq!(inner, Err("device_busy"));
    assert_eq!(number(&pool), 100, "it is given back");
}

#[test]
fn a_spoiled_session_is_not_lent_again() {
    let pool = pool(&[(100, "a")], 1);
    let answer = || DeviceError::Answer { device: "a".into(), operation: "ask", problem: "nonsense".into() };
    assert_eq!(fail(&pool, answer), "device_answer");
    assert_eq!(number(&pool), 101);
    let refused = || DeviceError::Refused { device: "a".into(), operation: "ask", status: "no".into() };
    assert_eq!(fail(&pool, refused), "device_refused");
    assert_eq!(number(&pool), 101, "a refusal is an answer");
    let panicked = catch_unwind(AssertUnwindSafe(|| pool.run::<()>(|_| panic!("in the middle of a call"))));
    assert!(panicked.is_err());
    assert_eq!(number(&pool), 102, "who knows what a call left behind");
    assert_eq!(pool.health()[0].open, 1);
}

#[test]
fn a_dead_device_comes_last_until_it_is_time() {
    let pool = pool(&[(100, "a"), (200, "b")], 2);
    let lost = || DeviceError::Lost { device: "a".into(), operation: "ask", status: "gone".into() };
    let at_b = pool.run(|session| if *session < 200 { Err(KeyError::from(lost())) } else { Ok(*session) });
    assert_eq!(at_b.expect("the other device"), 200);
    assert_eq!([(); 3].map(|()| number(&pool)), [200; 3], "a is left alone");
    assert_eq!(
        pool.health().iter().map(|health| (health.alive, health.losses)).collect::<Vec<_>>(),
        [(false, 1), (true, 0)]
    );
    assert_eq!(fail(&pool, lost), "device_unavailable");
    assert!(pool.check().iter().all(|health| health.alive), "asked, both answer");
}
