//! Waiting: a request that pays may be answered once the try has ended, in place of being asked after again and again. So may a real-name
//! check ([`super::real_name_check`]), for which a channel is asked too.
//!
//! ```text
//!  POST /v1/orders?wait=10, with instruments ─► created, tried ─ the channel answers ─► 200, success
//!                                                              └ 10 s pass ─► 200, paying: ask again with the same wait
//! ```
//! An answer that was waited for says in the header `Server-Timing` (W3C Server Timing) how many milliseconds of it were the channels', for
//! every leg of the order: one that a cascade or a shortfall adds meanwhile too; and how many it took in all, from the request's head on
//! until it was signed: `channel;dur=20.125, total;dur=22.5`.
//!
//! What is answered is durable either way. Waiting changes nothing: a caller that goes away leaves the try as it is, and one that asks
//! again under the same key may wait longer, or not at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use domain::ids::OrderId;
use domain::order::Order;
use domain::{Command, Reply, State};
use engine::{Meta, Request};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::App;
use super::answer::Answer;
use super::error::ApiError;
use super::order::OrderView;
use crate::shell::awaited::{Awaited, Ticket};
use crate::shell::{Before, BeforeStep, Leaving, Place, Unavailable};

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
        if let Some(channels) = self.channels {
            response.extensions_mut().insert(Channels(channels));
        }
        response
    }
}

/// What of an answer's time was its channels', until the outermost layer says it.
#[derive(Debug, Clone, Copy)]
struct Channels(Duration);

/// Says in its header whose time an answer took, if it was waited for.
pub(super) fn say_timing(response: &mut Response, total: Duration) {
    let Some(Channels(channels)) = response.extensions_mut().remove() else { return };
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let text = format!("channel;dur={:.3}, total;dur={:.3}", ms(channels), ms(total));
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(SERVER_TIMING, value);
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
        Self::Later(id, receiver, awaited.wait_for(id, &order.legs, Box::new(look)))
    }
}

/// What the caller of a command is told of its order.
struct Told {
    what: What,
    /// True if the command was answered before.
    repeated: bool,
}

enum What {
    /// The order where no try is under way, or as the try has left it; and the position of the state that it is of.
    Order(Box<OrderView>, u64),
    /// Some of it left memory: it is seen by looking again, as anybody does.
    Anew(OrderId),
    /// Why nothing was done.
    Refused(ApiError),
}

/// A command whose order's try is under way.
struct UnderWay {
    id: OrderId,
    ticket: Ticket,
    repeated: bool,
}

/// Where the writer leaves what is under way for the caller.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<UnderWay>>>);

impl Slot {
    fn get(&self) -> MutexGuard<'_, Option<UnderWay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets something be told, and the place in the queue be given back.
fn telling(place: Place, sender: oneshot::Sender<Told>, what: What, repeated: bool) -> Leaving {
    Box::new(move || {
        drop(place);
        // A caller that went away needs no answer.
        drop(sender.send(Told { what, repeated }));
    })
}

/// Decides a command unless `before` refuses it. Its caller is told at once, or where a try is under way when that has ended: not before,
/// for all that it could do with the news is to wait.
fn deciding(
    before: impl FnOnce(&State) -> Result<(), ApiError> + Send + 'static,
    (awaited, slot): (Arc<Awaited>, Slot),
    (place, sender): (Place, oneshot::Sender<Told>),
) -> BeforeStep {
    Box::new(move |state: &State| match before(state) {
        Err(error) => Before::Leave(telling(place, sender, What::Refused(error), false)),
        Ok(()) => Before::Decide(Box::new(move |state: &State, answer: engine::Answer| {
            decided(state, answer, (&awaited, &slot), (place, sender))
        })),
    })
}

fn decided(
    state: &State,
    answer: engine::Answer,
    (awaited, slot): (&Arc<Awaited>, &Slot),
    (place, sender): (Place, oneshot::Sender<Told>),
) -> Leaving {
    let engine::Answer { result, position, repeated } = answer;
    let reply = match result {
        Ok(reply) => reply,
        Err(refusal) => return telling(place, sender, What::Refused(refusal.into()), repeated),
    };
    let Reply::Order(id) = reply else {
        let error = ApiError::new("internal", None, "the command was answered by another kind of reply");
        return telling(place, sender, What::Refused(error), repeated);
    };
    state.forget_missed();
    match state.order(id) {
        Ok(order) if order.trying => {
            let look = move |state: &State| -> Leaving {
                let what = what_of(state, id);
                Box::new(move || drop(sender.send(Told { what, repeated })))
            };
            let ticket = awaited.wait_for(id, &order.legs, Box::new(look));
            let until = ticket.until_durable();
            *slot.get() = Some(UnderWay { id, ticket, repeated });
            Box::new(move || {
                until.passed();
                drop(place);
            })
        }
        Ok(order) => {
            let view = Box::new(OrderView::of(state, order));
            let what = if state.missed().is_empty() { What::Order(view, position) } else { What::Anew(id) };
            telling(place, sender, what, repeated)
        }
        // Of a repeated command, whose order left memory since.
        Err(_) => telling(place, sender, What::Anew(id), repeated),
    }
}

/// An order as it is, if all of it is in memory.
fn what_of(state: &State, id: OrderId) -> What {
    state.forget_missed();
    let view = state.order(id).ok().map(|order| Box::new(OrderView::of(state, order)));
    match view.filter(|_| state.missed().is_empty()) {
        Some(view) => What::Order(view, state.position),
        None => What::Anew(id),
    }
}

impl App {
    /// Decides a command whose reply is an order; answered at once, or when the try that is under way then has ended.
    pub(crate) async fn change_order(&self, meta: Meta, command: Command, wait: &Wait) -> Result<Waited, ApiError> {
        self.change_order_unless(meta, command, |_: &State| Ok(()), wait).await
    }

    /// As [`Self::change_order`], unless `before` refuses it: [`App::change_unless`].
    pub(crate) async fn change_order_unless(
        &self,
        meta: Meta,
        command: Command,
        before: impl FnOnce(&State) -> Result<(), ApiError> + Send + 'static,
        wait: &Wait,
    ) -> Result<Waited, ApiError> {
        match wait.time()? {
            Some(time) => self.change_and_wait(Request { command, meta }, before, time).await,
            None => {
                let view = |state: &State, reply: &Reply| {
                    let Reply::Order(id) = reply else { return None };
                    state.order(*id).ok().map(|order| OrderView::of(state, order))
                };
                let answer = self.change_unless(meta, command, before, view).await?;
                Ok(Waited { answer, channels: None })
            }
        }
    }

    async fn change_and_wait(
        &self,
        request: Request,
        before: impl FnOnce(&State) -> Result<(), ApiError> + Send + 'static,
        time: Duration,
    ) -> Result<Waited, ApiError> {
        let slot = Slot::default();
        let ways = (self.platform.awaited(), slot.clone());
        let step = move |place, sender| deciding(before, ways, (place, sender));
        let mut receiver = self.platform.submit_by(request, step).await?;
        let (told, in_time) = loop {
            match tokio::time::timeout(time, &mut receiver).await {
                Ok(told) => break (told.ok(), true),
                // It was not decided yet; the time is for the try.
                Err(_) if slot.get().is_none() => {}
                Err(_) => break (None, false),
            }
        };
        if !self.platform.leads() {
            return Err(Unavailable::Stopped.into());
        }
        let under_way = slot.get().take();
        let channels = under_way.as_ref().map(|under_way| under_way.ticket.spent());
        let (id, repeated) = match (told, under_way) {
            (Some(Told { what: What::Order(view, position), repeated }), _) => {
                return Ok(Waited { answer: Answer { view: *view, position, repeated }, channels });
            }
            (Some(Told { what: What::Refused(error), .. }), _) => return Err(error),
            (Some(Told { what: What::Anew(id), repeated }), _) => (id, repeated),
            // What is looked at then is durable too.
            (None, Some(UnderWay { id, ticket, repeated })) if !in_time || ticket.is_durable() => (id, repeated),
            (None, Some(_) | None) => return Err(self.platform.unanswered().into()),
        };
        let look = move |state: &State| Ok(OrderView::of(state, state.order(id)?));
        Ok(Waited { answer: Answer { repeated, ..self.look(look).await? }, channels })
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
