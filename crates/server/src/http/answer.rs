//! Answers: a view, with the journal position of the state it was made from.
//!
//! `Lintel-Position` is that position; lists take it as `min_position` from a caller who must see its own write.
//! `Lintel-Repeated: true` says that the request was answered before: nothing was done again, and what it brought about the
//! first time is shown as it stands now.

use axum::Json;
use axum::response::{IntoResponse, Response};
use domain::account::Owner;
use domain::{Command, Refusal, Reply, State};
use engine::{Meta, Request};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::App;
use super::auth::Caller;
use super::error::ApiError;
use crate::shell::{Seen, recall};

pub(crate) const POSITION: HeaderName = HeaderName::from_static("lintel-position");
const REPEATED: HeaderName = HeaderName::from_static("lintel-repeated");

/// What a handler returns.
pub(crate) type Answered<T> = Result<Answer<T>, ApiError>;

/// A view and the position it shows.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What the caller sees.
    pub(crate) view: T,
    /// The position of the state it was made from.
    pub(crate) position: u64,
    /// True if the request was answered before.
    pub(crate) repeated: bool,
}

impl<T> Answer<T> {
    /// The same answer, seen otherwise.
    pub(crate) fn map<U>(self, view: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { view: view(self.view), position: self.position, repeated: self.repeated }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.view).into_response();
        response.headers_mut().insert(POSITION, HeaderValue::from(self.position));
        if self.repeated {
            response.headers_mut().insert(REPEATED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// A view; or, where something of what it asked for left memory, what makes it, and the reply.
type Noted<T, V> = Result<Option<T>, (V, Reply)>;

/// Notes whether a view asks for something that left memory.
fn noting<T: Send + 'static, V: FnMut(&State, &Reply) -> Option<T> + Send + 'static>(
    mut view: V,
) -> impl FnOnce(&State, &Reply) -> Noted<T, V> + Send + 'static {
    move |state: &State, reply: &Reply| {
        state.forget_missed();
        let seen = view(state, reply);
        if state.missed().is_empty() { Ok(seen) } else { Err((view, reply.clone())) }
    }
}

impl App {
    /// Decides a command and answers with a view of what it brought about, from the same state. The view is `None` for a
    /// reply of another kind than the command's.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        meta: Meta,
        command: Command,
        view: impl FnMut(&State, &Reply) -> Option<T> + Send + 'static,
    ) -> Answered<T> {
        let seen = self.platform.submit_and_view(Request { command, meta }, noting(view)).await?;
        self.shown(seen).await
    }

    /// As [`Self::change`], unless `before` refuses it by the state that it would be decided on: then nothing is decided. What
    /// `before` looks at never leaves memory.
    pub(crate) async fn change_unless<T: Send + 'static>(
        &self,
        meta: Meta,
        command: Command,
        before: impl FnOnce(&State) -> Result<(), ApiError> + Send + 'static,
        view: impl FnMut(&State, &Reply) -> Option<T> + Send + 'static,
    ) -> Answered<T> {
        let seen = self.platform.submit_unless(Request { command, meta }, before, noting(view)).await??;
        self.shown(seen).await
    }

    /// The answer, its view made again where something of it left memory.
    async fn shown<T: Send + 'static, V: FnMut(&State, &Reply) -> Option<T> + Send + 'static>(
        &self,
        seen: Seen<Noted<T, V>>,
    ) -> Answered<T> {
        let Seen { result, position, repeated } = seen;
        let (seen, position) = match result? {
            Ok(seen) => (seen, position),
            // A repeated request, whose objects left memory since.
            Err((mut view, reply)) => self.see(move |state| view(state, &reply)).await?,
        };
        let other = || ApiError::new("internal", None, "the command was answered by another kind of reply");
        Ok(Answer { view: seen.ok_or_else(other)?, position, repeated })
    }

    /// A view of the state and its position, whatever of it left memory. It is made again while something is missing.
    pub(crate) async fn see<T: Send + 'static>(
        &self,
        look: impl FnMut(&State) -> T + Send + 'static,
    ) -> Result<(T, u64), ApiError> {
        Ok(recall::see(&self.platform, &self.books.store, look).await?)
    }

    /// Answers with a view of the state.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnMut(&State) -> Result<T, Refusal> + Send + 'static,
    ) -> Answered<T> {
        let (view, position) = self.see(look).await?;
        Ok(Answer { view: view?, position, repeated: false })
    }

    /// Refuses a merchant what belongs to someone else. Owners never change, so asking before deciding is safe.
    pub(crate) async fn owned(
        &self,
        caller: &Caller,
        owner: impl FnMut(&State) -> Result<Owner, Refusal> + Send + 'static,
    ) -> Result<(), ApiError> {
        if caller.merchant.is_none() {
            return Ok(());
        }
        caller.owner_or_operator(self.look(owner).await?.view)
    }

    /// Runs what blocks on a disk beside the runtime.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        blocking(work).await
    }
}

/// Runs what blocks on a disk beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ApiError::internal("the work beside the request", &error)),
    }
}
