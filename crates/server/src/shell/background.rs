//! Threads that follow the journal: what they write may come a little later, so where the processor is short they stand behind
//! those that callers wait for (ADR 0089).

use std::io;
use std::thread::{Builder, JoinHandle};

/// How much nicer than the rest of the process: a quarter of a busy core's time beside one other thread, so that they fall behind by
/// little and never stop.
const NICER: i32 = 5;

/// Starts such a thread.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        step_back();
        work()
    })
}

/// Makes this thread nicer. On Linux niceness is a thread's own; elsewhere it is the process's, which stays as it is.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::info!(%error, "a thread in the background runs like any other");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn such_a_thread_is_nicer_than_the_one_that_starts_it() {
        let nice = || rustix::process::nice(0).unwrap();
        let before = nice();
        let inside = spawn("follower", nice).unwrap().join().unwrap();
        assert_eq!((inside, nice()), ((before + NICER).min(19), before));
    }
}
