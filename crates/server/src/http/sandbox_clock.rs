//! The sandbox clock: on sandbox books with `clock = "manual"` time stands until it is moved here.

use axum::extract::State;
use domain::envelope::Time;
use domain::{Refusal, RefusalCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Json;
use super::wire::{time, time_text};
use crate::shell::Clock;

/// What time it shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNow {
    /// Not before the present time.
    #[schema(example = "2026-03-06T09:00:00+08:00")]
    now: String,
}

/// What time it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClockView {
    #[schema(example = "2026-03-06T01:00:00Z")]
    now: String,
    /// It stands until it is moved.
    manual: bool,
    /// The books are a sandbox's, for ever.
    sandbox: bool,
}

fn view(clock: &Clock, sandbox: bool) -> ClockView {
    ClockView { now: time_text(clock.now()), manual: matches!(clock, Clock::Manual(_)), sandbox }
}

/// Move the sandbox's clock
///
/// What falls due until then is carried out at once. Moving it to the same time again changes nothing.
#[utoipa::path(post, path = "/v1/sandbox/clock", tag = "sandbox", responses((status = OK, body = ClockView)))]
pub(crate) async fn set_clock(State(app): State<App>, caller: Caller, Json(new): Json<NewNow>) -> Answered<ClockView> {
    caller.operator()?;
    let to = time(&new.now, "now")?;
    if matches!(app.clock, Clock::Wall) {
        let message = "this clock is the machine's; begin with --sandbox --clock manual in an empty directory";
        return Err(ApiError::new("clock_not_manual", Some("now"), message));
    }
    if !app.clock.move_to(to) {
        let message = format!("{} is before {}; name a later time", time_text(to), time_text(app.clock.now()));
        return Err(Refusal::new(RefusalCode::ClockBackwards, "now", message).into());
    }
    let position = mark(&app, to).await?;
    // Only a sandbox's clock is moved by hand.
    Ok(Answer { view: view(&app.clock, true), position, repeated: false })
}

/// Has the journal know the time, so that a restart does not turn the clock back. What joins a batch that is open takes
/// place at that batch's time: then once more.
async fn mark(app: &App, to: Time) -> Result<u64, ApiError> {
    loop {
        let seen = app.platform.submit(engine::engine::mark_time()).await?;
        seen.result?;
        if app.look(|state| Ok(state.now)).await?.view >= to {
            return Ok(seen.position);
        }
    }
}

/// Look at the clock
#[utoipa::path(get, path = "/v1/sandbox/clock", tag = "sandbox", responses((status = OK, body = ClockView)))]
pub(crate) async fn get_clock(State(app): State<App>, caller: Caller) -> Answered<ClockView> {
    caller.operator()?;
    let looked = app.look(|state| Ok(state.genesis.as_ref().is_some_and(|genesis| genesis.sandbox))).await?;
    Ok(looked.map(|sandbox| view(&app.clock, sandbox)))
}
