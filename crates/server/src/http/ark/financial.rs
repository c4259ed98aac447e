//! Keys of terminals and zones, and what is done with them by name. Bytes are base64, check values hexadecimal.
//!
//! Who makes keys has the role operator, who brings components the role custodian; each key that a command uses takes a
//! policy of its own. No answer carries a clear key, component or PIN; of a track only the card number, for routing.

mod command;
mod make;

use ark::KeyService;
use ark::keys::{By, Error};
use axum::Json;
use axum::extract::FromRef;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Base64, Calls};
use super::keys::ArkKeyView;
use super::operate::Failed;
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;

/// The routes below `/v1/ark/financial`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    App: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(make::generate))
        .routes(routes!(make::generate_for))
        .routes(routes!(make::form))
        .routes(routes!(make::component))
        .routes(routes!(make::import))
        .routes(routes!(make::derive))
        .routes(routes!(command::export))
        .routes(routes!(command::issue))
        .routes(routes!(command::check_value))
        .routes(routes!(command::translate_pin))
        .routes(routes!(command::mac))
        .routes(routes!(command::verify_mac))
        .routes(routes!(command::encrypt_track))
        .routes(routes!(command::translate_track))
}

/// A key by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinancialKey {
    #[schema(example = "t1/pik")]
    key: String,
    /// The current one unless said.
    version: Option<u32>,
}

impl FinancialKey {
    fn at(&self) -> ark::keys::KeyAt<'_> {
        ark::keys::KeyAt { name: &self.key, version: self.version }
    }
}

/// What came of it; of many, a `batch` in their order.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct FinancialOutcome {
    /// A key that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<ArkKeyView>,
    /// Components that are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<usize>,
    /// Components that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<usize>,
    /// A key under a master key, block by block, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<String>,
    /// In hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    check_value: Option<String>,
    /// A PIN block under the other key, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
    /// Eight bytes, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    /// Whether the MAC is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
    /// As it stands in field 35 or 36, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<String>,
    /// Of a translated track.
    #[serde(skip_serializing_if = "Option::is_none")]
    card_number: Option<String>,
    /// In a batch, in the place of what was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    batch: Option<Vec<FinancialOutcome>>,
}

type Answer = Result<Json<FinancialOutcome>, ApiError>;

/// Who asks.
struct Asked {
    app: App,
    caller: Caller,
    why: Why,
}

impl Asked {
    /// Does one, or each of a batch, whatever became of those before it.
    async fn each<I: Send + 'static>(
        self,
        calls: Calls<I>,
        one: impl Fn(&KeyService, &By<'_>, &I) -> Result<FinancialOutcome, Error> + Send + 'static,
    ) -> Answer {
        let work = move |service: &KeyService, by: &By<'_>| {
            let items = match calls {
                Calls::One(item) => return one(service, by, &item),
                Calls::Many(items) => items,
            };
            let failed =
                |error: Error| FinancialOutcome { error: Some(Failed::of(error)), ..FinancialOutcome::default() };
            let batch = items.iter().map(|item| one(service, by, item).unwrap_or_else(failed)).collect();
            Ok(FinancialOutcome { batch: Some(batch), ..FinancialOutcome::default() })
        };
        with(&self.app, &self.caller, &self.why, work).await.map(Json)
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    Some(Base64::text(bytes))
}
