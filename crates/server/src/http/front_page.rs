//! Front pages (前台页面): the form that takes a payer's browser from the merchant's shop to the channel's page (网关支付).
//!
//! ```text
//!  shop ─ GET front-page, signed ─► HandOutPage is durable ─► the signed form ─► shop ─► browser ─ POST ─► channel
//!                                                                                          │ pays there
//!  order SUCCESS ◄─ notification, query ◄─────────────────────────────────────────────── channel
//!                                                                      shop ◄─ return_url ─ browser: books nothing
//! ```
//! The merchant's server fetches the form under its key and hands it on, so that the platform's own address is not in the payer's
//! browser; or the payer's browser fetches it with the token of a [`cashier`](super::cashier) session. It is the same bytes however
//! often it is fetched, and leads to the site of the channel that was well when it was fetched first. A top-up's page is the same.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use channels::{Request, Try};
use domain::attempt::{Attempt, AttemptStatus};
use domain::channel::ChannelName;
use domain::front_page::PageOf;
use domain::ids::{AttemptId, OrderId};
use domain::{Command, Reply};
use engine::Meta;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Id;
use super::order::seller;
use super::wire::{Amount, time_text};

/// The page's language is the payer's; what shows is one button, and only where scripts are off.
const BUTTON: &str = "继续支付";

/// What the payer's browser posts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FrontPageView {
    /// The order that is paid there.
    #[schema(example = "ord_7")]
    order: Option<String>,
    /// The top-up that is paid there.
    #[schema(example = "tup_5")]
    top_up: Option<String>,
    #[schema(example = "att_7")]
    attempt: String,
    /// The serial number that the channel knows the payment by.
    #[schema(example = "2026030500000000000000070000007")]
    serial: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Where the form is posted to.
    #[schema(example = "https://gateway.example/gateway/api/frontTransReq.do")]
    action: String,
    /// `POST`.
    #[schema(example = "POST")]
    method: &'static str,
    /// The form's content type and character set.
    #[schema(example = "application/x-www-form-urlencoded; charset=UTF-8")]
    content_type: String,
    /// Every field, in the order in which the HTML form has them.
    fields: Vec<FieldView>,
    /// The channel takes no payment at its page later.
    #[schema(example = "2026-03-05T01:15:00Z")]
    expires_at: String,
}

/// A field of the form.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldView {
    #[schema(example = "orderId")]
    name: String,
    value: String,
}

impl FrontPageView {
    fn of(of: PageOf, attempt: &Attempt, base: &str, request: Request) -> Option<Self> {
        let fields = request.fields()?;
        let (order, top_up) = match of {
            PageOf::Order(id) => (Some(id.to_string()), None),
            PageOf::TopUp(id) => (None, Some(id.to_string())),
        };
        let (amount, currency) = attempt.operation.money();
        let content_type = request.headers.iter().find(|(name, _)| *name == "content-type");
        Some(Self {
            order,
            top_up,
            attempt: attempt.id.to_string(),
            serial: attempt.serial(),
            amount: Amount(amount),
            currency: currency.code(),
            action: format!("{base}{}", request.path),
            method: request.method,
            content_type: content_type.map(|(_, value)| value.clone()).unwrap_or_default(),
            fields: fields.into_iter().map(|(name, value)| FieldView { name, value }).collect(),
            expires_at: time_text(attempt.send_before),
        })
    }

    /// A page that posts the form by itself.
    fn html(&self) -> String {
        let mut page = String::from(
            "<!doctype html>\n<html lang=\"zh-CN\">\n<head><meta charset=\"utf-8\"><title>支付</title></head>\n<body>\n",
        );
        let (method, action) = (self.method, escape(&self.action));
        let form = format!("<form id=\"pay\" method=\"{method}\" action=\"{action}\" accept-charset=\"UTF-8\">\n");
        page.push_str(&form);
        for FieldView { name, value } in &self.fields {
            let (name, value) = (escape(name), escape(value));
            writeln!(page, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">").expect("a string takes it");
        }
        write!(
            page,
            "<noscript><button>{BUTTON}</button></noscript>\n</form>\n\
             <script>document.getElementById(\"pay\").submit()</script>\n</body>\n</html>\n"
        )
        .expect("a string takes it");
        page
    }
}

/// A text inside HTML, in an attribute too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Fetch an order's front page
///
/// For a payment by `redirect`: the signed form that takes the payer's browser to the channel's page. With `Accept: text/html` it is
/// a page that posts itself; else its fields. It is the same bytes each time, until `expires_at` or until the order is being
/// closed. From the first time on the payment may have been made, so the order waits for the channel's word. That the
/// browser comes back proves nothing: ask for the order, with `wait`.
#[utoipa::path(
    get, path = "/v1/orders/{id}/front-page", tag = "payment", params(("id" = String, Path, example = "ord_7")),
    responses((status = OK, content((FrontPageView = "application/json"), (String = "text/html"))))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(order): Id<OrderId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    may_have(&caller)?;
    app.owned(&caller, move |state| seller(state, order)).await?;
    hand_out(&app, caller.unkeyed(), PageOf::Order(order), &headers).await
}

/// Refuses the institution's people: what is handed out may be paid, and that is not for looking around.
///
/// # Errors
/// `not_permitted`.
pub(super) fn may_have(caller: &Caller) -> Result<(), ApiError> {
    if caller.merchant.is_none() { caller.program() } else { Ok(()) }
}

/// The page of an order's try or of a top-up, in the form that these headers ask for.
///
/// # Errors
/// `order_unknown`, `order_state`, `top_up_unknown`, `top_up_state`, `channel_unknown`; those of the key service.
pub(super) async fn hand_out(app: &App, meta: Meta, of: PageOf, headers: &HeaderMap) -> Result<Response, ApiError> {
    let first = book(app, meta.clone(), of).await;
    // A try that was made between look and command may be at another channel, whose site is to be chosen then.
    let refused = first.as_ref().is_err_and(|error| matches!(error.code(), "order_state" | "top_up_state"));
    let answer = if refused { book(app, meta, of).await? } else { first? };
    let (attempt, channel) = (&answer.view, answer.view.channel_name());
    let route = app.executor.routes.get(&channel).ok_or_else(|| no_channel(&channel))?;
    let serial = attempt.serial();
    let asked =
        Try { serial: &serial, requested_at: attempt.requested_at, operation: &attempt.operation, original: None };
    let request = route.channel.build_redirect(&asked).map_err(|error| match error.of_keys() {
        Some(error) => super::ark::error_of(error),
        None => ApiError::new("channel_unknown", None, error.to_string()),
    })?;
    let page = FrontPageView::of(of, attempt, route.sites.page_url(attempt.page_site.as_deref()), request);
    let page = page.ok_or_else(|| ApiError::new("internal", None, "the channel's page is no form"))?;
    metrics::counter!("lintel_front_pages_total", "rail" => channel.rail.name()).increment(1);
    Ok(answered(headers, Answer { view: page, position: answer.position, repeated: false }))
}

/// The attempt whose page is handed out, with the site that it leads to: chosen among those of its channel, the first time.
async fn book(app: &App, meta: Meta, of: PageOf) -> Answered<Attempt> {
    let page = |attempt: &Attempt| (attempt.channel_name(), attempt.status == AttemptStatus::Requested);
    let (page, _) = app.see(move |state| state.page_of(of).map(page)).await?;
    let (channel, unseen) = page?;
    let route = app.executor.routes.get(&channel).ok_or_else(|| no_channel(&channel))?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Attempt(AttemptId(id)) = reply else { return None };
        state.attempts.get(*id).cloned()
    };
    // Of two that fetch it at once the first one's site is booked, and both are sent there.
    let site = if unseen { route.sites.page_site().map(|site| (channel, site)) } else { None };
    app.change(meta, Command::HandOutPage { of, site }, view).await
}

fn no_channel(name: &ChannelName) -> ApiError {
    let message = format!("no channel is configured for {name}; add one to [[channels]]");
    ApiError::new("channel_unknown", None, message)
}

/// As HTML for whoever asks for it first, else as JSON. A form is for one payer and one payment: nobody keeps it.
fn answered(headers: &HeaderMap, answer: Answer<FrontPageView>) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accept.split([',', ';']).map(str::trim).find(|kind| matches!(*kind, "text/html" | "application/json"));
    let mut response = match first {
        Some("text/html") => {
            let position = answer.position;
            let mut response = answer.view.html().into_response();
            let content_type = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response.headers_mut().insert(super::answer::POSITION, HeaderValue::from(position));
            response
        }
        Some(_) | None => answer.into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_field_leaves_its_attribute() {
        let field = |name: &str, value: &str| FieldView { name: name.into(), value: value.into() };
        let page = FrontPageView {
            order: Some("ord_1".into()),
            top_up: None,
            attempt: "att_1".into(),
            serial: String::new(),
            amount: Amount(1),
            currency: "CNY",
            action: "https://gateway.example/a?b=1&c=\"2".into(),
            method: "POST",
            content_type: String::new(),
            fields: vec![field("a", "\"><script>alert('1')</script>&amp;"), field("b", "中文 +/=")],
            expires_at: String::new(),
        };
        let html = page.html();
        assert!(html.contains("action=\"https://gateway.example/a?b=1&amp;c=&quot;2\""), "{html}");
        let escaped = "value=\"&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;\"";
        assert!(html.contains(escaped) && html.contains("value=\"中文 +/=\""), "{html}");
        assert_eq!(html.matches("<script>").count(), 1, "{html}");
    }
}
