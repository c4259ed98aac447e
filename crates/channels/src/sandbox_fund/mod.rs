//! The sandbox provident-fund centre (公积金中心): holds, captures and releases money for rent, simulated.
//!
//! The other side is `lintel-sandbox bank`, under `/fund`. Every operation is idempotent by its serial number.
//!
//! ```text
//!  hold ─► held ─ capture (all or part) ─► captured ─ refund (all or part) ─► back at the centre
//!           └──── release (what is left) ─► free
//! ```
//! By the setting `in_part` the centre may hold, or capture, less than it was asked for: the answer's amount is what it did, and what it did
//! not capture of the hold is free there.
//!
//! | operation | path | subject |
//! |---|---|---|
//! | hold | `/fund/v1/hold` | `contract` |
//! | capture, release | `/fund/v1/capture`, `/fund/v1/release` | `original`: the hold's serial number |
//! | refund | `/fund/v1/refund` | `original`: the capture's serial number, or that of a row of a batch |
//!
//! A month's batch is a file to `/fund/v1/batch`; its result is fetched from `/fund/v1/batch-result`. What a lease may draw is asked at
//! `/fund/v1/quota`. Which city the centre is of, to whom it pays and by which rules are settings: real centres differ in them, and in the
//! layout of the files.

mod batch;
mod city;
mod quota;

use std::sync::Arc;

use ark::keys::KeyUse;
use domain::attempt::{FailureClass, Operation, Rail};
use domain::calendar::Date;
use domain::fund_batch::quota::FundLease;
use domain::money::Currency;
use serde_json::Value;

use self::city::{CAP_MINOR, CITY, CUT_OFF, FREQUENCY, FUND_ROUTE, IN_PART, MONTHS_MIN, QUOTA};
use crate::answer::{Answer, Notification};
use crate::batch::{Batch, BatchResult, FundCentre};
use crate::channel::{About, Channel, Open, Try};
use crate::error::ChannelError;
use crate::manifest::{Manifest, OperationKind, Setting, Supported};
use crate::message::{Headers, Request, Response};
use crate::sandbox_file;
use crate::sandbox_wire::{self, Declines, INSTITUTION, KEY, Order, Subject, Wire};
use crate::settings::Settings;
use crate::statement::StatementPart;
use crate::verified::Verified;

/// The name in the registry.
pub const NAME: &str = "sandbox_fund";

/// The settings.
pub const SETTINGS: &[Setting] =
    &[INSTITUTION, KEY, CITY, FUND_ROUTE, CUT_OFF, QUOTA, CAP_MINOR, MONTHS_MIN, FREQUENCY, IN_PART];

const OPERATIONS: &[Supported] = &[
    Supported { kind: OperationKind::FundHold, idempotent: true, amount_max: 10_000_000 },
    Supported { kind: OperationKind::FundCapture, idempotent: true, amount_max: 10_000_000 },
    Supported { kind: OperationKind::FundRelease, idempotent: true, amount_max: 10_000_000 },
    Supported { kind: OperationKind::Refund, idempotent: true, amount_max: 10_000_000 },
];

/// Whose failure each code is. A code that is not here settles nothing.
const DECLINES: Declines = &[
    ("10000005", FailureClass::User),   // the quota of the year is used up
    ("10000006", FailureClass::User),   // the lease is not filed with the centre
    ("20000001", FailureClass::Risk),   // refused by risk control
    ("30000001", FailureClass::Bank),   // the centre is closed for maintenance
    ("40000001", FailureClass::System), // the network is busy and did not take it
    ("40000002", FailureClass::System), // the original serial number is not there
    ("40000003", FailureClass::System), // more than the original has left
    ("40000004", FailureClass::System), // the currency is not taken
];

#[derive(Debug)]
struct SandboxFund {
    manifest: Manifest,
    wire: Wire,
    centre: FundCentre,
}

pub(crate) fn open(config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let settings = Settings::read(NAME, SETTINGS, config, keys)?;
    let wire = Wire {
        channel: NAME,
        root: "/fund/v1",
        rail: Rail::Fund,
        institution: sandbox_wire::institution(&settings)?,
        key: settings.mac_key(&KEY)?,
        declines: DECLINES,
    };
    let manifest = Manifest {
        name: NAME,
        rail: Rail::Fund,
        operations: OPERATIONS,
        currencies: &[Currency::Cny],
        settle_delay_ms: sandbox_wire::SETTLE_DELAY_MS,
        statement: true,
        lists_returns: false,
        notifies: true,
        in_part: city::in_part(&settings)?,
        sign_ups: false,
        real_name_checks: false,
        settings: SETTINGS,
    };
    let centre = city::read(&settings)?;
    Ok(Arc::new(SandboxFund { manifest, wire, centre }))
}

impl Channel for SandboxFund {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn build(&self, attempt: &Try<'_>, _open: Open<'_>) -> Result<Request, ChannelError> {
        let kind = self.manifest.admit(&attempt.about())?;
        let (serial, operation) = (attempt.serial, attempt.operation);
        let (amount, currency) = operation.money();
        let subject = match operation {
            Operation::FundHold { contract, .. } => Subject::Contract { contract },
            Operation::FundCapture { original, .. }
            | Operation::FundRelease { original, .. }
            | Operation::Refund { original, .. } => Subject::Original { original },
            Operation::Debit { .. }
            | Operation::Pay { .. }
            | Operation::Redirect { .. }
            | Operation::FundBatch { .. } => return Err(ChannelError::Unsupported { channel: NAME, kind }),
        };
        let order = Order { serial, rail: self.wire.rail.name(), subject, amount, currency };
        self.wire.order(kind, &order)
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        self.manifest.knows(about.kind)?;
        self.wire.query(about, nonce)
    }

    fn parse(&self, request: &Request, response: &Response) -> Answer {
        self.wire.parse(request, response, &self.manifest)
    }

    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        self.wire.clearing(date, part, nonce)
    }

    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        sandbox_file::read(&self.wire, file)
    }

    fn fund_centre(&self) -> Option<&FundCentre> {
        Some(&self.centre)
    }

    fn build_batch(&self, batch: &Batch<'_>) -> Result<Request, ChannelError> {
        batch::ask(&self.wire, batch)
    }

    fn build_batch_result(&self, number: &str, nonce: &str) -> Result<Request, ChannelError> {
        batch::ask_result(&self.wire, number, nonce)
    }

    fn batch_result(&self, file: &[u8]) -> Result<Verified<BatchResult>, ChannelError> {
        batch::read(&self.wire, file)
    }

    fn build_quota(&self, contract: &str, period: &str, nonce: &str) -> Result<Request, ChannelError> {
        quota::ask(&self.wire, contract, period, nonce)
    }

    fn quota(&self, request: &Request, response: &Response) -> Result<Verified<Option<FundLease>>, ChannelError> {
        quota::read(&self.wire, request, response)
    }

    fn notify(&self, headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        self.wire.notify(headers, raw)
    }
}
