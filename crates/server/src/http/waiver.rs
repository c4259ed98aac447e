//! Waivers of failed checks: what their proposals say. They are made by approvals of kind `check_waiver`, and
//! `POST /v1/days/{date}/close` makes use of them.

use domain::waiver::WaiveChecks;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approval::Wire;
use super::error::ApiError;
use super::wire::{date_text, parse};

/// Failed checks of a day's last run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaiverBody {
    /// The day.
    #[schema(example = "2026-03-05")]
    date: String,
    /// The day's `failed_at`.
    #[schema(example = 1042)]
    position: u64,
    /// Their names, one or more.
    #[schema(example = json!(["2291_equals_1291"]))]
    checks: Vec<String>,
}

impl Wire for WaiverBody {
    type Of = WaiveChecks;

    fn read(self) -> Result<WaiveChecks, ApiError> {
        Ok(WaiveChecks { date: parse(&self.date, "date")?, position: self.position, checks: self.checks })
    }

    fn show(of: &WaiveChecks) -> Self {
        Self { date: date_text(of.date), position: of.position, checks: of.checks.clone() }
    }
}
