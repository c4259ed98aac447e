//! What the sandbox fund's centre says of a lease: asked before a payment, to bound it. `docs/sandbox.md` describes the format.
//!
//! ```text
//! {"contract","period"} ─► {"contract","period","code":"00000000","rent","contribution","remaining","months","draws":["2026-01",…]}
//!                          {"contract","period","code":"10000006"}    no such lease is filed
//! ```
//! That a centre tells rent, contribution, what is left of the year and what was drawn is public knowledge of the trade; names, layout
//! and codes are ours.

use domain::calendar::Date;
use domain::fund_batch::month_of;
use domain::fund_batch::quota::FundLease;
use domain::money::Minor;
use serde::{Deserialize, Serialize};

use crate::error::ChannelError;
use crate::message::{self, Asked, Request, Response, What};
use crate::sandbox_wire::Wire;
use crate::verified::Verified;

const WHAT: &str = "answer about a quota";
const FILED: &str = "00000000";
const UNFILED: &str = "10000006";
/// The most payments that an answer may list: ten years of one a month, and more.
const DRAWS_MAX: usize = 200;

#[derive(Serialize)]
struct Question<'a> {
    contract: &'a str,
    period: &'a str,
}

/// Fields that are not named here are ignored: a centre may tell more than it did.
#[derive(Deserialize)]
struct Body {
    contract: String,
    period: String,
    code: String,
    rent: Option<Minor>,
    contribution: Option<Minor>,
    remaining: Option<Minor>,
    months: Option<u32>,
    draws: Option<Vec<String>>,
}

/// The request.
///
/// # Errors
/// [`ChannelError::Nonce`], [`ChannelError::Subject`], [`ChannelError::Key`].
pub(super) fn ask(wire: &Wire, contract: &str, period: &str, nonce: &str) -> Result<Request, ChannelError> {
    let subject = |field, reason| ChannelError::Subject { channel: wire.channel, field, reason };
    if contract.is_empty() || !contract.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|') {
        return Err(subject("contract", "a lease is named by visible ASCII characters without '|'"));
    }
    if month_of(period).is_err() {
        return Err(subject("period", "a month looks like 2026-03"));
    }
    let what = What::Quota { contract: contract.to_owned(), period: period.to_owned() };
    let asked = Asked { nonce: message::nonce(nonce)?.to_owned(), what };
    wire.post(format!("{}/quota", wire.root), &Question { contract, period }, asked)
}

/// What an answer says; none if the centre has no such lease.
///
/// # Errors
/// [`ChannelError::Signature`], [`ChannelError::Format`], [`ChannelError::Key`].
pub(super) fn read(
    wire: &Wire,
    request: &Request,
    response: &Response,
) -> Result<Verified<Option<FundLease>>, ChannelError> {
    let What::Quota { contract, period } = &request.asked.what else {
        return Err(wire.malformed(WHAT, "request", "it asked for something else"));
    };
    wire.answered(&request.asked.nonce, response)?.try_map(|bytes| {
        let body: Body = wire.json(WHAT, bytes)?;
        if (&body.contract, &body.period) != (contract, period) {
            return Err(wire.malformed(WHAT, "contract", "it is of another lease or month than was asked about"));
        }
        match body.code.as_str() {
            FILED => lease(wire, body).map(Some),
            UNFILED => Ok(None),
            code => Err(wire.malformed(WHAT, "code", format!("{code:.16} is neither {FILED} nor {UNFILED}"))),
        }
    })
}

fn lease(wire: &Wire, body: Body) -> Result<FundLease, ChannelError> {
    let wrong = |place: &str| wire.malformed(WHAT, place, "it is missing or not in its form");
    let amount = |place: &str, found: Option<Minor>| found.filter(|amount| *amount >= 0).ok_or_else(|| wrong(place));
    let draws = body.draws.filter(|draws| draws.len() <= DRAWS_MAX).ok_or_else(|| wrong("draws"))?;
    let draws: Option<Vec<Date>> = draws.iter().map(|period| month_of(period).ok()).collect();
    Ok(FundLease {
        rent: amount("rent", body.rent)?,
        contribution: amount("contribution", body.contribution)?,
        remaining: amount("remaining", body.remaining)?,
        months: body.months.ok_or_else(|| wrong("months"))?,
        draws: draws.ok_or_else(|| wrong("draws"))?,
    })
}
