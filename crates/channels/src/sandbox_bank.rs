//! The sandbox bank: debits, refunds and payments over EPCC (网联) or UnionPay (银联), and payments from the institution's
//! own account at it (银企直连), simulated.
//!
//! The other side is `lintel-sandbox bank`. One instance is one rail. Every operation is idempotent by its serial
//! number: the bank does it once and answers a second request with "duplicate serial number".
//!
//! | operation | path | subject | rails |
//! |---|---|---|---|
//! | debit | `/bank/v1/debit` | `agreement` | `epcc`, `unionpay` |
//! | refund | `/bank/v1/refund` | `original`: the debit's serial number | `epcc`, `unionpay` |
//! | pay | `/bank/v1/pay` | `account`, `name` | all |
//!
//! From the own account money is paid and no more: nobody is debited into it, and no network clears it, so `own_bank` has no
//! clearing file. What comes back is listed and told as on the other rails.

use std::sync::Arc;

use ark::keys::KeyUse;
use domain::attempt::{FailureClass, Operation, Rail};
use domain::calendar::Date;
use domain::money::Currency;
use serde_json::Value;

use crate::answer::{Answer, Notification, Return};
use crate::channel::{About, Channel, Open, Try, opened};
use crate::error::ChannelError;
use crate::manifest::{Manifest, OperationKind, Setting, Supported};
use crate::message::{Headers, Request, Response};
use crate::sandbox_file;
use crate::sandbox_wire::{self, Declines, Order, Subject, Wire};
use crate::settings::Settings;
use crate::statement::StatementPart;
use crate::verified::Verified;

/// The name in the registry.
pub const NAME: &str = "sandbox_bank";

const RAIL: Setting = Setting { name: "rail", secret: false, doc: "`epcc`, `unionpay` or `own_bank`" };

/// The settings.
pub const SETTINGS: &[Setting] = &[RAIL, sandbox_wire::INSTITUTION, sandbox_wire::KEY];

const PAY: Supported = Supported { kind: OperationKind::Pay, idempotent: true, amount_max: 100_000_000_000 };

/// Over a network.
const OPERATIONS: &[Supported] = &[
    Supported { kind: OperationKind::Debit, idempotent: true, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Refund, idempotent: true, amount_max: 5_000_000_000 },
    PAY,
];

/// From the institution's own account.
const OWN_OPERATIONS: &[Supported] = &[PAY];

/// Whose failure each code is. A code that is not here settles nothing.
const DECLINES: Declines = &[
    ("10000001", FailureClass::User),   // the balance is too low
    ("10000002", FailureClass::User),   // the agreement or card is not valid
    ("10000003", FailureClass::User),   // the account's name is another
    ("10000004", FailureClass::User),   // the account is closed
    ("20000001", FailureClass::Risk),   // refused by risk control
    ("20000002", FailureClass::Risk),   // over the limit of the day
    ("30000001", FailureClass::Bank),   // the bank is closed for maintenance
    ("30000002", FailureClass::Bank),   // the bank does not take this kind of account
    ("40000001", FailureClass::System), // the network is busy and did not take it
    ("40000002", FailureClass::System), // the original serial number is not there
    ("40000003", FailureClass::System), // more than the original has left
    ("40000004", FailureClass::System), // the currency is not taken
];

#[derive(Debug)]
struct SandboxBank {
    manifest: Manifest,
    wire: Wire,
}

pub(crate) fn open(config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let settings = Settings::read(NAME, SETTINGS, config, keys)?;
    let (rail, operations, cleared) = match Rail::parse(settings.text(&RAIL)?) {
        Some(rail @ (Rail::Epcc | Rail::UnionPay)) => (rail, OPERATIONS, true),
        Some(rail @ Rail::OwnBank) => (rail, OWN_OPERATIONS, false),
        Some(Rail::Fund | Rail::PingAn) | None => return Err(settings.wrong(&RAIL)),
    };
    let wire = Wire {
        channel: NAME,
        root: "/bank/v1",
        rail,
        institution: sandbox_wire::institution(&settings)?,
        key: settings.mac_key(&sandbox_wire::KEY)?,
        declines: DECLINES,
    };
    let manifest = Manifest {
        name: NAME,
        rail,
        operations,
        currencies: &[Currency::Cny],
        settle_delay_ms: sandbox_wire::SETTLE_DELAY_MS,
        statement: cleared,
        lists_returns: true,
        notifies: true,
        in_part: false,
        sign_ups: false,
        real_name_checks: false,
        settings: SETTINGS,
    };
    Ok(Arc::new(SandboxBank { manifest, wire }))
}

impl SandboxBank {
    /// Refuses to ask for a clearing file of a rail that has none.
    fn cleared(&self) -> Result<(), ChannelError> {
        if self.manifest.statement { Ok(()) } else { Err(ChannelError::NoStatement { channel: NAME }) }
    }
}

impl Channel for SandboxBank {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn build(&self, attempt: &Try<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let kind = self.manifest.admit(&attempt.about())?;
        let (serial, operation) = (attempt.serial, attempt.operation);
        let (amount, currency) = operation.money();
        let order = |subject| Order { serial, rail: self.wire.rail.name(), subject, amount, currency };
        match operation {
            Operation::Debit { agreement, .. } => self.wire.order(kind, &order(Subject::Agreement { agreement })),
            Operation::Refund { original, .. } => self.wire.order(kind, &order(Subject::Original { original })),
            Operation::Pay { account, name, bank, .. } => {
                let account = opened(open, "account number", account)?;
                let name = opened(open, "name", name)?;
                let (bank_name, bank_code) = bank.as_ref().map(|bank| (&*bank.name, &*bank.code)).unzip();
                let payee = Subject::Payee { account: account.expose(), name: name.expose(), bank_name, bank_code };
                self.wire.order(kind, &order(payee))
            }
            Operation::FundHold { .. }
            | Operation::FundCapture { .. }
            | Operation::FundRelease { .. }
            | Operation::Redirect { .. }
            | Operation::FundBatch { .. } => Err(ChannelError::Unsupported { channel: NAME, kind }),
        }
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        self.manifest.knows(about.kind)?;
        self.wire.query(about, nonce)
    }

    fn parse(&self, request: &Request, response: &Response) -> Answer {
        self.wire.parse(request, response, &self.manifest)
    }

    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        self.cleared()?;
        self.wire.clearing(date, part, nonce)
    }

    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        self.cleared()?;
        sandbox_file::read(&self.wire, file)
    }

    fn build_returns(&self, date: Date, nonce: &str) -> Result<Request, ChannelError> {
        self.wire.list_returns(date, nonce)
    }

    fn returns(&self, request: &Request, response: &Response) -> Result<Verified<Vec<Return>>, ChannelError> {
        self.wire.returns(request, response)
    }

    fn notify(&self, headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        self.wire.notify(headers, raw)
    }
}
