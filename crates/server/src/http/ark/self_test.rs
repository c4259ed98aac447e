//! Self-tests of the key service on request.

use ark::keys::{By, Role};
use ark::randomness::TestResult;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Body;
use super::seal::forget;
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;
use crate::http::extract::Query;

const TESTERS: &[Role] = &[Role::Administrator, Role::Custodian, Role::Operator, Role::Auditor];

/// What is tested.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tested {
    /// Whether randomness is tested too (GM/T 0005), which takes seconds.
    #[serde(default)]
    randomness: bool,
}

/// How the tests went.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkSelfTestView {
    /// Whether all passed. If not, the key service has sealed itself.
    good: bool,
    /// Names of the known answers that did not come out.
    failed: Vec<&'static str>,
    randomness: Vec<ArkRandomnessView>,
}

/// A test of randomness.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArkRandomnessView {
    #[schema(example = "monobit")]
    name: &'static str,
    /// Samples of a million bits.
    samples: usize,
    passed: usize,
    /// Whether it was done again with fresh samples.
    repeated: bool,
    good: bool,
}

impl ArkRandomnessView {
    fn of(result: TestResult) -> Self {
        let TestResult { name, samples, passed, repeated } = result;
        Self { name, samples, passed, repeated, good: result.is_good() }
    }
}

/// Test the key service
///
/// The known answers of every algorithm, and randomness if that is asked for. What does not pass seals the key service.
#[utoipa::path(
    post, path = "/v1/ark/self-test", tag = "ark", request_body = Tested, params(Why),
    responses((status = OK, body = ArkSelfTestView))
)]
pub(crate) async fn run(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(wanted): Body<Tested>,
) -> Result<Json<ArkSelfTestView>, ApiError> {
    let work = move |service: &ark::KeyService, by: &By<'_>| {
        service.check_role(by, TESTERS, "", "self-test")?;
        let tested = service.self_test(by, wanted.randomness)?;
        let good = tested.is_good();
        let randomness = tested.randomness.into_iter().map(ArkRandomnessView::of).collect();
        Ok(ArkSelfTestView { good, failed: tested.failed, randomness })
    };
    let tested = with(&app, &caller, &why, work).await.map(Json);
    // Sealed, what was derived from the root key leaves memory with it.
    forget(&app);
    tested
}
