//! UnionPay online payment (银联在线支付, 全渠道), version 5.1.0: signed forms.
//!
//! **The specification is given to merchants and is not public.** What is here was read in public code and pages
//! [public]; nothing was tried against UnionPay. Business types, the channel type and the addresses are settings.
//!
//! ```text
//!  redirect   browser ─ form ─► frontTransReq.do ─► the payer pays there ─► browser comes back to front_url: proves nothing
//!  debit      token   ─ form ─► backTransReq.do  ─► "taken"
//!  refund     queryId ─ form ─► backTransReq.do  ─► "taken"
//!                       all three ─► form to back_url (notify), and queryTrans.do: the word that counts
//! ```
//!
//! | operation | txnType/txnSubType | bizType | subject |
//! |---|---|---|---|
//! | redirect | 01/01 | `gateway_biz_type` | the payer's, on UnionPay's page |
//! | debit | 01/01 | `token_biz_type` | `tokenPayData`: the agreement is the token (标记) |
//! | refund | 04/00 | `gateway_biz_type` | `origQryId`: the queryId of what is refunded |
//! | query | 00/00 | 000000 | orderId and txnTime |
//!
//! Invariants:
//! - `orderId` is the serial number and `txnTime` when the try was asked for, so a query finds what the request made.
//! - Code 00 to a request means that it was taken: only a query's `origRespCode` or a notification says "done".
//! - Merchant, order, time, amount and currency of a message are those that were asked, or it proves nothing.
//! - An answer repeats no word of its question: an old "no such order" under TLS could be played again, so "not found"
//!   counts only after `settle_delay_ms`, and that begins when the payer's page has ended (`payTimeout`).
//! - The browser comes back to an address of the merchant's with the same fields as a notification. It is not where
//!   notifications go: what a browser brings has been in the payer's hands, and may never come.
//!
//! Not here: the daily file (fileTransfer), the same-day cancel (31), pre-authorisation, and access as an acquirer
//! (accessType 1).

mod codes;
mod sign;

use std::sync::Arc;

use ark::keys::KeyUse;
use domain::attempt::{Operation, Rail};
use domain::money::Currency;
use serde_json::Value;

use self::codes::{Said, said};
use self::sign::Signer;
use crate::answer::{Answer, Notification, Notified};
use crate::channel::{About, Channel, Open, Try};
use crate::error::ChannelError;
use crate::form::Form;
use crate::key::Scheme;
use crate::manifest::{Manifest, OperationKind, Setting, Supported};
use crate::message::{self, Asked, Headers, Request, Response, What, is_alphanumeric, is_digits};
use crate::settings::Settings;
use crate::time::{clearing_date, stamp};
use crate::verified::Verified;

/// The name in the registry.
pub const NAME: &str = "unionpay_online";

const MERCHANT: Setting = Setting::open("merchant", "merId, our merchant number at UnionPay: 15 digits or letters");
const SIGN_METHOD: Setting =
    Setting::open("sign_method", "`01`: RSA with certificates; `12`: SM3 with a shared secret");
const KEY: Setting = Setting::secret(
    "key",
    "01: our RSA-2048 key, `ark:NAME` of one in the key service, or PKCS #8 in hexadecimal for a sandbox; \
     12: the secret, `ark:NAME=ark:vN:…` as `lintel ark encrypt NAME --context channel=unionpay_online` wrote it, or the \
     text itself for a sandbox",
);
const CERT_ID: Setting = Setting::open("cert_id", "01 only: the serial number of our certificate, in decimal digits");
const PEER_KEY: Setting = Setting::open(
    "peer_key",
    "01 only: the public key of UnionPay's signing certificate (openssl x509 -noout -pubkey), PEM or its base64; two with a \
     comma between while it changes",
);
const FRONT_URL: Setting = Setting::open(
    "front_url",
    "where the payer's browser comes back to if the payment names no return_url: http:// or https://, a page of the shop's",
);
const BACK_URL: Setting = Setting::open(
    "back_url",
    "where UnionPay posts notifications: our /v1/channels/unionpay/notify, as seen from there",
);
const TR_ID: Setting = Setting::open("tr_id", "trId, the token requestor's number: letters and digits");
const GATEWAY_BIZ_TYPE: Setting =
    Setting::open("gateway_biz_type", "bizType of redirects and refunds, 6 digits; 000201 if not said");
const TOKEN_BIZ_TYPE: Setting =
    Setting::open("token_biz_type", "bizType of debits by token, 6 digits; 000902 if not said");
const CHANNEL_TYPE: Setting = Setting::open("channel_type", "channelType, 2 digits; 07 (internet) if not said");

/// The settings.
pub const SETTINGS: &[Setting] = &[
    MERCHANT,
    SIGN_METHOD,
    KEY,
    CERT_ID,
    PEER_KEY,
    FRONT_URL,
    BACK_URL,
    TR_ID,
    GATEWAY_BIZ_TYPE,
    TOKEN_BIZ_TYPE,
    CHANNEL_TYPE,
];

/// A second request under one order number is answered "duplicate" [public]; nobody here has seen it, so nothing counts on it.
const OPERATIONS: &[Supported] = &[
    Supported { kind: OperationKind::Debit, idempotent: false, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Refund, idempotent: false, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Redirect, idempotent: false, amount_max: 5_000_000_000 },
];

const VERSION: &str = "5.1.0";
const ENCODING: &str = "UTF-8";
/// Direct access by a merchant.
const ACCESS_TYPE: &str = "0";
/// CNY in ISO 4217.
const CNY: &str = "156";
/// After `send_before`, which of a redirect is the end of its page: what was confirmed there in the last second is in UnionPay's
/// books by then [doubtful: nothing public says how long that takes].
const SETTLE_DELAY_MS: i64 = 16 * 60 * 1_000;

#[derive(Debug)]
struct UnionPayOnline {
    manifest: Manifest,
    signer: Signer,
    merchant: String,
    front_url: String,
    back_url: String,
    tr_id: String,
    gateway_biz_type: String,
    token_biz_type: String,
    channel_type: String,
}

pub(crate) fn open(config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let settings = Settings::read(NAME, SETTINGS, config, keys)?;
    let (front_url, back_url) =
        (settings.fitting(&FRONT_URL, message::is_url)?, settings.fitting(&BACK_URL, message::is_url)?);
    if front_url == back_url {
        let reason = "it is back_url too: name a page of the merchant's, for no browser may tell what was paid";
        return Err(settings.refused(&FRONT_URL, reason));
    }
    let manifest = Manifest {
        name: NAME,
        rail: Rail::UnionPay,
        operations: OPERATIONS,
        currencies: &[Currency::Cny],
        settle_delay_ms: SETTLE_DELAY_MS,
        statement: false,
        lists_returns: false,
        notifies: true,
        in_part: false,
        sign_ups: false,
        real_name_checks: false,
        settings: SETTINGS,
    };
    Ok(Arc::new(UnionPayOnline {
        manifest,
        signer: signer(&settings)?,
        merchant: settings.fitting(&MERCHANT, |text| text.len() == 15 && is_alphanumeric(text))?,
        front_url,
        back_url,
        tr_id: settings.fitting(&TR_ID, is_alphanumeric)?,
        gateway_biz_type: settings.fitting_or(&GATEWAY_BIZ_TYPE, "000201", is_digits(6))?,
        token_biz_type: settings.fitting_or(&TOKEN_BIZ_TYPE, "000902", is_digits(6))?,
        channel_type: settings.fitting_or(&CHANNEL_TYPE, "07", is_digits(2))?,
    }))
}

fn signer(settings: &Settings<'_>) -> Result<Signer, ChannelError> {
    match settings.text(&SIGN_METHOD)? {
        "01" => {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let cert_id = settings.fitting(&CERT_ID, digits)?;
            let (ours, theirs) = (settings.key_pair(&KEY, Scheme::Rsa)?, settings.peer_keys(&PEER_KEY, Scheme::Rsa)?);
            Ok(Signer::Rsa { ours: Box::new(ours), cert_id, theirs: Box::new(theirs) })
        }
        "12" => {
            for setting in [CERT_ID, PEER_KEY] {
                settings.absent(&setting, "signMethod 12 has a secret and no certificates: leave it out")?;
            }
            Ok(Signer::Sm3 { secret: settings.shared_secret(&KEY)? })
        }
        _ => Err(settings.wrong(&SIGN_METHOD)),
    }
}

impl UnionPayOnline {
    /// The fields that every request has.
    fn form(&self, about: &About<'_>, types: (&str, &str), biz_type: &str) -> Result<Form, ChannelError> {
        let (txn_type, txn_sub_type) = types;
        Ok(Form::new([
            ("version", VERSION),
            ("encoding", ENCODING),
            ("accessType", ACCESS_TYPE),
            ("merId", &self.merchant),
            ("txnType", txn_type),
            ("txnSubType", txn_sub_type),
            ("bizType", biz_type),
            ("orderId", message::serial(about.serial)?),
            ("txnTime", &stamp(about.requested_at)),
        ]))
    }

    /// The fields of a request that moves money.
    fn moving(&self, about: &About<'_>, types: (&str, &str), biz_type: &str) -> Result<Form, ChannelError> {
        let mut form = self.form(about, types, biz_type)?;
        form.set("channelType", self.channel_type.as_str());
        form.set("txnAmt", about.amount.to_string());
        form.set("currencyCode", CNY);
        form.set("backUrl", self.back_url.as_str());
        Ok(form)
    }

    fn request(&self, path: &str, mut form: Form, about: &About<'_>, query: bool) -> Result<Request, ChannelError> {
        self.signer.sign(NAME, &mut form)?;
        let content_type = String::from("application/x-www-form-urlencoded; charset=UTF-8");
        Ok(Request {
            method: "POST",
            path: format!("/gateway/api/{path}"),
            headers: vec![("content-type", content_type)],
            body: form.body(),
            // Nothing in an answer repeats a word of its request but order and time.
            asked: Asked { nonce: stamp(about.requested_at), what: What::of(about, query) },
        })
    }

    fn judge(&self, request: &Request, response: &Response) -> Option<Answer> {
        let What::Operation { serial, kind, amount, query, .. } = &request.asked.what else { return None };
        if response.status != 200 {
            return None;
        }
        let Some(form) = Form::of_answer(&response.body) else { return Some(Answer::UNSIGNED) };
        if !self.signer.fits(NAME, &form).ok()? {
            return Some(Answer::UNSIGNED);
        }
        // What is told of the order is what was asked, wherever it is told.
        let told = |name: &str, asked: &str| form.get(name).is_none_or(|told| told == asked);
        let ours = form.get("merId")? == self.merchant && form.get("orderId")? == serial;
        let same = form.get("txnTime")? == request.asked.nonce
            && told("txnAmt", &amount.to_string())
            && told("currencyCode", CNY);
        if !(ours && same) {
            return Some(Answer::FOREIGN);
        }
        let code = form.get("respCode")?;
        if !query {
            return match said(code) {
                // It was taken; what becomes of it is for a query to say.
                Said::Done | Said::InProgress => Some(Answer::Pending),
                Said::Declined(class) => {
                    told("txnType", types(*kind).0).then(|| Answer::Declined { class, code: code.to_owned() })
                }
                Said::Duplicate | Said::NotFound | Said::Nothing => None,
            };
        }
        let original = match said(code) {
            Said::Done => form.get("origRespCode")?,
            Said::NotFound if form.get("origRespCode").is_none() => return Some(Answer::NotFound),
            // The query itself went wrong.
            Said::NotFound | Said::InProgress | Said::Duplicate | Said::Declined(_) | Said::Nothing => return None,
        };
        if !told("txnType", types(*kind).0) {
            return Some(Answer::FOREIGN);
        }
        self.ended(&form, original)
    }

    /// What a code says of an order whose form was compared with what was asked.
    fn ended(&self, form: &Form, code: &str) -> Option<Answer> {
        match said(code) {
            Said::Done => {
                // A success says in full what was done.
                let _ = (form.get("txnAmt")?, form.get("currencyCode")?, form.get("txnType")?);
                let reference = form.get("queryId").filter(|id| id.len() <= 64 && message::is_word(id))?.to_owned();
                let clearing_date = clearing_date(form.get("settleDate")?, form.get("txnTime")?)?;
                Some(Answer::Success { reference, clearing_date, part: None })
            }
            Said::InProgress => Some(Answer::Pending),
            Said::Declined(class) => Some(Answer::Declined { class, code: code.to_owned() }),
            Said::Duplicate | Said::NotFound | Said::Nothing => None,
        }
    }

    fn notified(&self, form: &Form) -> Result<Notification, ChannelError> {
        let wrong = |place: &str| malformed(place, "it is missing or not in its form");
        let field = |name: &str| form.get(name).ok_or_else(|| wrong(name));
        if field("merId")? != self.merchant {
            return Err(malformed("merId", "it is of another merchant"));
        }
        let kind = match (field("txnType")?, field("bizType")?) {
            ("04", _) => OperationKind::Refund,
            ("01", biz_type) if biz_type == self.token_biz_type => OperationKind::Debit,
            ("01", biz_type) if biz_type == self.gateway_biz_type => OperationKind::Redirect,
            _ => return Err(wrong("txnType")),
        };
        let serial = Some(field("orderId")?).filter(|text| message::is_serial(text)).ok_or_else(|| wrong("orderId"))?;
        let amount = field("txnAmt")?.parse().ok().filter(|amount| *amount > 0).ok_or_else(|| wrong("txnAmt"))?;
        if field("currencyCode")? != CNY {
            return Err(wrong("currencyCode"));
        }
        let code = field("respCode")?;
        let answer = self.ended(form, code).ok_or_else(|| wrong("respCode"))?;
        let event = Notified::Answered { answer, kind, amount, currency: Currency::Cny };
        // Two that say another thing of one order are two events; the same one twice is one.
        Ok(Notification { id: format!("{serial}-{code}"), serial: serial.to_owned(), event })
    }
}

impl Channel for UnionPayOnline {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn build(&self, attempt: &Try<'_>, _open: Open<'_>) -> Result<Request, ChannelError> {
        let about = attempt.about();
        let kind = self.manifest.admit(&about)?;
        let subject = |field, reason| ChannelError::Subject { channel: NAME, field, reason };
        let form = match attempt.operation {
            Operation::Debit { agreement, .. } => {
                if !message::is_word(agreement) {
                    return Err(subject("agreement", "a token is letters, digits, `_` and `-`"));
                }
                let mut form = self.moving(&about, types(kind), &self.token_biz_type)?;
                form.set("tokenPayData", format!("{{token={agreement}&trId={}}}", self.tr_id));
                form
            }
            Operation::Refund { .. } => {
                let no_original = "a refund names the queryId of what it refunds: that must have succeeded first";
                // What a file alone brought has none, unless its line named it.
                let original = attempt.original.filter(|original| message::is_word(&original.reference));
                let original = original.ok_or_else(|| subject("original", no_original))?;
                let mut form = self.moving(&about, types(kind), &self.gateway_biz_type)?;
                form.set("origQryId", original.reference.as_str());
                form
            }
            Operation::Pay { .. }
            | Operation::FundHold { .. }
            | Operation::FundCapture { .. }
            | Operation::FundRelease { .. }
            // The payer's browser sends it.
            | Operation::Redirect { .. }
            | Operation::FundBatch { .. } => return Err(ChannelError::Unsupported { channel: NAME, kind }),
        };
        self.request("backTransReq.do", form, &about, false)
    }

    fn build_redirect(&self, attempt: &Try<'_>) -> Result<Request, ChannelError> {
        let about = attempt.about();
        let kind = self.manifest.admit(&about)?;
        let Operation::Redirect { expires_at, return_url, .. } = attempt.operation else {
            return Err(ChannelError::Unsupported { channel: NAME, kind });
        };
        let mut form = self.moving(&about, types(kind), &self.gateway_biz_type)?;
        form.set("frontUrl", return_url.as_ref().unwrap_or(&self.front_url).as_str());
        form.set("payTimeout", stamp(*expires_at));
        self.request("frontTransReq.do", form, &about, false)
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        self.manifest.knows(about.kind)?;
        message::nonce(nonce)?;
        let form = self.form(about, ("00", "00"), "000000")?;
        self.request("queryTrans.do", form, about, true)
    }

    fn parse(&self, request: &Request, response: &Response) -> Answer {
        self.judge(request, response).unwrap_or(Answer::Unknown)
    }

    fn notify(&self, _headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        let unsigned = || ChannelError::Signature { channel: NAME, what: WHAT };
        let form = Form::of_notification(raw).ok_or_else(unsigned)?;
        let signed = self.signer.fits(NAME, &form)?;
        Verified::if_signed(form, signed).ok_or_else(unsigned)?.try_map(|form| self.notified(&form))
    }
}

const WHAT: &str = "notification";

fn malformed(place: &str, reason: &str) -> ChannelError {
    ChannelError::Format { channel: NAME, what: WHAT, place: place.to_owned(), reason: reason.to_owned() }
}

/// txnType and txnSubType.
const fn types(kind: OperationKind) -> (&'static str, &'static str) {
    match kind {
        OperationKind::Debit | OperationKind::Redirect => ("01", "01"),
        OperationKind::Refund => ("04", "00"),
        OperationKind::Pay
        | OperationKind::FundHold
        | OperationKind::FundCapture
        | OperationKind::FundRelease
        | OperationKind::FundBatch => ("00", "00"),
    }
}
