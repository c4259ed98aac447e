//! Waiting: a request that pays may be answered once the try has ended, in place of being asked after again and again. So may a real-name
//! check ([`super::real_name_check`]), for which a channel is asked too.
//!
//! ```text
//!  POST /v1/orders?wait=10, with instruments ─► created, tried ─ the channel answers ─► 200, success
//!                                                              └ 10 s pass ─► 200, paying: ask again with the same wait
//! ```
//! An answer that was waited for says in the header `Server-Timing` how many milliseconds of it were the channels': `channel;dur=20.125`
//! (W3C Server Timing). A leg that a cascade adds while one waits counts as the platform's.
//!
//! What is answered is durable either way. Waiting changes nothing: a caller that goes away leaves the try as it is, and one that asks
//! again under the same key may wait longer, or not at all.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use domain::ids::OrderId;
use domain::order::Order;
use domain::{Command, Reply, State};
use engine::Meta;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::App;
use super::answer::Answer;
use super::error::ApiError;
use super::order::OrderView;
use crate::shell::awaited::{Awaited, Ticket};

/// The parameter's name, which is [`Wait`]'s field: the fingerprint of a request is made without it.
pub(super) const PARAMETER: &str = "wait";
/// What of the time of an answer was whose.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The longest that a request may wait, in seconds.
const LONGEST: u64 = 30;

/// How long an answer may wait for the end of a try.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Seconds, 0 to 30, that the answer waits while a channel's answer is still to come; 0 unless said. Then it shows things as they are.
    #[param(example = 10)]
    wait: Option<u64>,
}

impl Wait {
    /// How long, if at all.
    pub(crate) fn time(&self) -> Result<Option<Duration>, ApiError> {
        match self.wait {
            None | Some(0) => Ok(None),
            Some(seconds @ 1..=LONGEST) => Ok(Some(Duration::from_secs(seconds))),
            Some(seconds) => {
                Err(ApiError::malformed("wait", format!("{seconds} seconds are too long; use 0 to {LONGEST}")))
            }
        }
    }
}

/// An order, and what of the time until it was answered was its channels'.
#[derive(Debug)]
pub(crate) struct Waited {
    pub(crate) answer: Answer<OrderView>,
    /// Nothing where nobody waited.
    channels: Option<Duration>,
}

impl IntoResponse for Waited {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        let timing = self.channels.map(|took| format!("channel;dur={:.3}", took.as_secs_f64() * 1_000.0));
        if let Some(value) = timing.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(SERVER_TIMING, value);
        }
        response
    }
}

/// An order that was looked at: as it is, or to be seen when its try has ended.
enum Look {
    Now(Box<OrderView>),
    Later(OrderId, oneshot::Receiver<(Option<OrderView>, u64)>, Ticket),
}

impl Look {
    fn at(state: &State, order: &Order, awaited: Option<&Arc<Awaited>>) -> Self {
        let Some(awaited) = awaited.filter(|_| order.trying) else {
            return Self::Now(Box::new(OrderView::of(state, order)));
        };
        let id = order.id;
        let (sender, receiver) = oneshot::channel();
        let look = move |state: &State| -> crate::shell::Leaving {
            state.forget_missed();
            let view = state.order(id).ok().map(|order| OrderView::of(state, order));
            // What a part of it left memory for is seen by looking again, as anybody does.
            let seen = (view.filter(|_| state.missed().is_empty()), state.position);
            // A caller that went away needs no answer.
            Box::new(move || drop(sender.send(seen)))
        };
        Self::Later(id, receiver, awaited.wait_for(id, order.legs.clone(), Box::new(look)))
    }
}

/// A view of the order that a reply names, which waits for the end of its try where somebody is to.
fn look_by(awaited: Option<Arc<Awaited>>) -> impl FnMut(&State, &Reply) -> Option<Look> + Send + 'static {
    move |state: &State, reply: &Reply| {
        let Reply::Order(id) = reply else { return None };
        state.order(*id).ok().map(|order| Look::at(state, order, awaited.as_ref()))
    }
}

impl App {
    /// Decides a command whose reply is an order; answered at once, or when the try that is under way then has ended.
    pub(crate) async fn change_order(&self, meta: Meta, command: Command, wait: &Wait) -> Result<Waited, ApiError> {
        let time = wait.time()?;
        let awaited = time.map(|_| self.platform.awaited());
        let answer = self.change(meta, command, look_by(awaited)).await?;
        self.when_ended(answer, time).await
    }

    /// As [`Self::change_order`], unless `before` refuses it: [`App::change_unless`].
    pub(crate) async fn change_order_unless(
        &self,
        meta: Meta,
        command: Command,
        before: impl FnOnce(&State) -> Result<(), ApiError> + Send + 'static,
        wait: &Wait,
    ) -> Result<Waited, ApiError> {
        let time = wait.time()?;
        let awaited = time.map(|_| self.platform.awaited());
        let answer = self.change_unless(meta, command, before, look_by(awaited)).await?;
        self.when_ended(answer, time).await
    }

    /// An order as it is, or as it is when the try that is under way has ended.
    pub(crate) async fn look_at_order(&self, id: OrderId, wait: &Wait) -> Result<Waited, ApiError> {
        let time = wait.time()?;
        let awaited = time.map(|_| self.platform.awaited());
        let look = move |state: &State| Ok(Look::at(state, state.order(id)?, awaited.as_ref()));
        let answer = self.look(look).await?;
        self.when_ended(answer, time).await
    }

    async fn when_ended(&self, answer: Answer<Look>, time: Option<Duration>) -> Result<Waited, ApiError> {
        let Answer { view, position, repeated } = answer;
        let (id, receiver, ticket) = match view {
            Look::Now(view) => {
                return Ok(Waited { answer: Answer { view: *view, position, repeated }, channels: None });
            }
            Look::Later(id, receiver, ticket) => (id, receiver, ticket),
        };
        let seen = tokio::time::timeout(time.unwrap_or_default(), receiver).await;
        let channels = Some(ticket.spent());
        drop(ticket);
        if let Ok(Ok((Some(view), position))) = seen {
            return Ok(Waited { answer: Answer { view, position, repeated }, channels });
        }
        let look = move |state: &State| Ok(OrderView::of(state, state.order(id)?));
        Ok(Waited { answer: Answer { repeated, ..self.look(look).await? }, channels })
    }
}
