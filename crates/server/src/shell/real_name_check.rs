//! Carrying a real-name check to a channel: sent once, and asked about until it has an end.
//!
//! ```text
//!  asked for, durable ─► SEND ─ answered ─► told to the books
//!                         ├ not written (no connection, no key) ─► SEND again until send_before ─► told as not sent
//!                         └ no answer, or pending ─► told as UNKNOWN ─► QUERY, in ever longer pauses ─ answered ─► told
//!  found open after send_before: of an earlier run ────────────────────► QUERY
//! ```
//! Only the request that asked for it sends it, and a start never does: what may have been sent is asked about alone. "Not found" is the
//! last word of a query that was asked after `send_before` and the channel's settling delay, as for an attempt ([`node::executor`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use channels::{ChannelError, RealName, RealNameSaid};
use domain::attempt::{FailureClass, Rail};
use domain::customer::Customer;
use domain::ids::RealNameCheckId;
use domain::real_name_check::{
    RealNameAnswer, RealNameCheck, RealNameCheckCommand, RealNameCheckStatus, RealNameFailure,
};
use domain::{Actor, Command, Origin, State};
use engine::{Meta, Request};
use node::executor::Call;
use node::site::Errand;
use tokio::task::JoinSet;

use super::Unavailable;
use super::executor::{Executor, Route, ark_nonce};
use super::sign_up::{SignUpError, opens};

/// How often the open checks are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The way to a channel that checks real names.
///
/// # Errors
/// [`SignUpError::NoChannel`]; [`ChannelError::NoRealNameCheck`].
pub(crate) fn route(executor: &Executor, rail: Rail) -> Result<&Route, SignUpError> {
    let route = executor.first(rail).ok_or_else(|| SignUpError::NoChannel(rail.into()))?;
    let manifest = route.channel.manifest();
    if manifest.real_name_checks {
        Ok(route)
    } else {
        Err(ChannelError::NoRealNameCheck { channel: manifest.name }.into())
    }
}

/// Sends a check that was just asked for, and tells the books what came of it.
pub(crate) async fn send(executor: Executor, row: RealNameCheck, customer: Customer) {
    let pause = Duration::from_millis(executor.patience.first_ms.max(1));
    while executor.platform.is_running() && executor.platform.leads() {
        if let Some(answer) = sent(&executor, &row, &customer).await {
            report(&executor, row.id, "send", answer).await;
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

/// One try to send it; `None` if nothing was written.
async fn sent(executor: &Executor, row: &RealNameCheck, customer: &Customer) -> Option<RealNameAnswer> {
    if executor.clock.now() >= row.send_before {
        return Some(not_sent("too_late"));
    }
    let Ok(route) = route(executor, row.rail) else { return Some(not_sent("channel_unknown")) };
    let open = opens(executor, customer, &row.account, row.phone.as_ref());
    let serial = row.serial();
    let asked = RealName {
        serial: &serial,
        requested_at: row.requested_at,
        bank: &row.bank,
        credit: row.credit,
        account: &row.account,
        name: &customer.name,
        certificate: &customer.certificate,
        phone: row.phone.as_ref(),
    };
    let request = match route.channel.build_real_name(&asked, &open) {
        Ok(request) => request,
        // The key service is sealed or out of reach: as a bank that is, until it is too late.
        Err(error) if error.of_keys().is_some() => return None,
        Err(error) => return Some(not_sent(error.code())),
    };
    match executor.call(route, Errand::Send, None, &request).await.call {
        Call::NotWritten => None,
        Call::Lost => Some(RealNameAnswer::Unknown),
        Call::Answered(response) => Some(match route.channel.real_name(&request, &response) {
            RealNameSaid::Matched => RealNameAnswer::Matched,
            RealNameSaid::Refused { class, code } => RealNameAnswer::Refused(RealNameFailure { class, code }),
            RealNameSaid::Pending | RealNameSaid::NotFound | RealNameSaid::Unknown => RealNameAnswer::Unknown,
        }),
    }
}

fn not_sent(code: &str) -> RealNameAnswer {
    RealNameAnswer::Refused(RealNameFailure { class: FailureClass::System, code: format!("not_sent:{code}") })
}

/// When a check is asked about next, and after which pause then.
struct Due {
    at: Instant,
    pause: Duration,
}

/// Asks about every check without an answer until there is none, as long as the platform runs.
pub(crate) async fn run(executor: Executor) {
    let first = Duration::from_millis(executor.patience.first_ms.max(1));
    let longest = Duration::from_millis(executor.patience.max_ms.max(1));
    let mut due: BTreeMap<RealNameCheckId, Due> = BTreeMap::new();
    while executor.platform.is_running() {
        tokio::time::sleep(LOOK_EVERY).await;
        if !executor.platform.leads() {
            continue;
        }
        let now = executor.clock.now();
        let look = move |state: &State| {
            // Until then whoever asked for it sends it.
            let asked_about =
                |row: &&RealNameCheck| row.status == RealNameCheckStatus::Unknown || now >= row.send_before;
            state.open_real_name_checks().filter(asked_about).cloned().collect::<Vec<_>>()
        };
        let Ok((open, _)) = executor.platform.read(look).await else { continue };
        due.retain(|id, _| open.iter().any(|row| row.id == *id));
        let mut queries = JoinSet::new();
        for row in open {
            let now = Instant::now();
            let next = due.entry(row.id).or_insert(Due { at: now, pause: first });
            if next.at > now {
                continue;
            }
            (next.at, next.pause) = (now + next.pause, (next.pause * 2).min(longest));
            queries.spawn(query(executor.clone(), row));
        }
        queries.join_all().await;
    }
}

/// Asks once what became of a check, and tells the books.
async fn query(executor: Executor, row: RealNameCheck) {
    let Ok(route) = route(&executor, row.rail) else {
        tracing::error!(check = %row.id, rail = row.rail.name(), "no channel is configured that knows of this check");
        return;
    };
    let asked_at = executor.clock.now();
    let request = match route.channel.build_real_name_query(&row.serial(), row.requested_at, &ark_nonce()) {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!(check = %row.id, %error, "a real-name check cannot be asked about");
            return;
        }
    };
    let said = match executor.call(route, Errand::Query, None, &request).await.call {
        Call::Answered(response) => route.channel.real_name(&request, &response),
        Call::NotWritten | Call::Lost => RealNameSaid::Unknown,
    };
    let last_word = asked_at > row.send_before.plus_ms(route.channel.manifest().settle_delay_ms);
    let answer = match said {
        RealNameSaid::Matched => RealNameAnswer::Matched,
        RealNameSaid::Refused { class, code } => RealNameAnswer::Refused(RealNameFailure { class, code }),
        RealNameSaid::NotFound if last_word => RealNameAnswer::NotFound,
        RealNameSaid::NotFound | RealNameSaid::Pending | RealNameSaid::Unknown => RealNameAnswer::Unknown,
    };
    report(&executor, row.id, "query", answer).await;
}

/// Tells the books, and whoever waits. Without the platform nobody is told: what is open is asked about by the next leader.
async fn report(executor: &Executor, check: RealNameCheckId, step: &'static str, answer: RealNameAnswer) {
    let outcome = match &answer {
        RealNameAnswer::Matched => "matched",
        RealNameAnswer::Refused(failure) => failure.class.name(),
        RealNameAnswer::NotFound => "not_found",
        RealNameAnswer::Unknown => "unknown",
    };
    metrics::counter!("lintel_real_name_checks_total", "step" => step, "outcome" => outcome).increment(1);
    let command = Command::RealNameCheck(RealNameCheckCommand::Answer { check, answer });
    let meta = Meta::unkeyed(Actor::Channel("executor".into()), Origin::Channel);
    loop {
        match executor.platform.submit(Request { command: command.clone(), meta: meta.clone() }).await {
            Ok(seen) => {
                if let Err(refusal) = seen.result {
                    // Another question's answer was faster.
                    tracing::info!(%check, %refusal, "an answer to a real-name check was refused");
                }
                executor.platform.awaited().tell_checked();
                return;
            }
            Err(Unavailable::Overloaded | Unavailable::Behind | Unavailable::Elsewhere) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(Unavailable::Stopped | Unavailable::Recovering | Unavailable::Damaged | Unavailable::Unknown) => return,
        }
    }
}
