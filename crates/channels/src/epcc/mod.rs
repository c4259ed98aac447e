//! EPCC (网联): XML messages with a signature behind them.
//!
//! **The specification is given to members and is not public**, so no conformance is claimed. Header, transaction id,
//! batch id and the messages 201 and 211 are of public pages [public]; all else, marked [doubtful], is ours, and what a
//! member would have to change is a setting. Nothing was tried against EPCC.
//!
//! ```text
//!  a code by SMS ─ 101, 103 ─► an agreement
//!  debit   agreement (协议支付)  ─ 201 ─► "done", "in progress" or a refusal ┐
//!  pay     bank account (付款)   ─ 211 ─►            the same                ├─► what it tells of itself (notify),
//!  refund  transaction           ─ 231 ─►            the same                │    and a query (301)
//!  redirect (网关支付): the payer's browser ─ 221 in a form ─► EPCC's page ─┘
//!           page of an order that is being closed (关单) ─ 321 ─► as a query, and if nobody had paid: "closed"
//!  pay that was done ─► later told: it came back (退票)
//! ```
//!
//! | part | |
//! |---|---|
//! | MsgHeader | SndDt, MsgTp, IssrId (who sends), Drctn (11 to EPCC, 21 from it), SignSN |
//! | TrxId | 31 characters: our serial number |
//! | BatchId | `B`, the date, four digits [doubtful: the hour of the day from 1]; an answer's gives the clearing date |
//! | SysRtnCd | 00000000: the message was understood. Only then TrxStatus says what became of the transaction |
//! | TrxStatus | 00 done, 01 refused (BizStsCd says why), 02, 03 in progress; 04 came back, 05 a page ended unpaid [doubtful] |
//! | reference | `BatchId-TrxId`: the pair by which accounts are reconciled |
//!
//! Invariants:
//! - A message counts if its signature fits, EPCC sent it, and transaction, amount and institution are those of the request.
//! - A refund and a query name the transaction and when it was asked for, so they find what the request made.
//! - An answer repeats no word of its question: "not found" counts only after `settle_delay_ms`.
//!
//! Signing up (101, 103) is [`agreement`], a real-name check [`identity`], the daily file [`file`]; with the page for payers all are
//! [doubtful]: a check's types, a form's field and where it goes are settings. What a browser brings back proves nothing.
//!
//! Not here: NcrptnSN with DgtlEnvlp: account numbers and names travel readable within TLS, which no member could do.

mod agreement;
mod file;
mod identity;

use std::sync::Arc;

use ark::keys::KeyUse;
use domain::attempt::{Operation, Rail};
use domain::calendar::Date;
use domain::envelope::Time;
use domain::money::Currency;
use serde_json::Value;

use self::identity::CHECKS;
use crate::amount::{amount_of, amount_text};
use crate::answer::{Answer, Notification, Notified, Return};
use crate::channel::{About, Channel, Open, Try, opened};
use crate::codes::Codes;
use crate::error::ChannelError;
use crate::manifest::{Manifest, OperationKind, Setting, Supported};
use crate::message::{self, Asked, Headers, Request, Response, What, is_alphanumeric, is_digits, is_path};
use crate::real_name::{RealName, RealNameSaid};
use crate::settings::{CODES, KEY, PATH, PEER_KEY, SIGN_METHOD, Settings};
use crate::sign_up::{SignUp, SignedUp};
use crate::signed_text::Signer;
use crate::statement::StatementPart;
use crate::time::{day_of, moment, stamp};
use crate::verified::Verified;
use crate::xml::{Message, Writer};

/// The name in the registry.
pub const NAME: &str = "epcc";

const INSTITUTION: Setting = Setting::open("institution", "IssrId, our number at EPCC: 14 letters and digits");
const EPCC: Setting = Setting::open("epcc", "IssrId of EPCC in what it sends: 14 letters and digits");
const ACCOUNT: Setting = Setting::open("account", "our reserve account's number: letters, digits, `_` and `-`");
const SIGN_SN: Setting = Setting::open("sign_sn", "SignSN, the serial number of our certificate: letters and digits");
const PAGE_PATH: Setting =
    Setting::open("page_path", "where a payer's browser posts its form: a path; /gateway if not said");
const FIELD: Setting = Setting::open("page_field", "the form's field with the message: a word; ReqMsg if not said");
const FRONT: Setting = Setting::open(
    "front_url",
    "where the payer's browser comes back to if the payment names no return_url: http:// or https://; it stays there if not said",
);

/// The settings.
pub const SETTINGS: &[Setting] =
    &[INSTITUTION, EPCC, ACCOUNT, SIGN_METHOD, KEY, SIGN_SN, PEER_KEY, PATH, PAGE_PATH, FIELD, FRONT, CODES, CHECKS];

/// Nobody here has seen what a second message with one transaction id is answered, so nothing counts on it.
const OPERATIONS: &[Supported] = &[
    Supported { kind: OperationKind::Debit, idempotent: false, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Refund, idempotent: false, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Pay, idempotent: false, amount_max: 50_000_000_000 },
    Supported { kind: OperationKind::Redirect, idempotent: false, amount_max: 5_000_000_000 },
];
/// The message type of a request, and of the answer to it [doubtful: refunds, pages]. A page is answered to nobody here.
const TYPES: [(OperationKind, &str, &str); 4] = [
    (OperationKind::Debit, "epcc.201.001.01", "epcc.202.001.01"),
    (OperationKind::Pay, "epcc.211.001.01", "epcc.212.001.01"),
    (OperationKind::Refund, "epcc.231.001.01", "epcc.232.001.01"),
    (OperationKind::Redirect, "epcc.221.001.01", ""),
];
/// After `send_before`: how long a message may still be on its way there [doubtful].
const SETTLE_DELAY_MS: i64 = 5 * 60 * 1_000;
const QUERY: &str = "epcc.301.001.01";
const FOUND: &str = "epcc.302.001.01";
const CLOSE: &str = "epcc.321.001.01";
/// To EPCC, and from it.
const DIRECTIONS: (&str, &str) = ("11", "21");
const WHAT: &str = "notification";
/// The system, or the business: done.
const DONE: &str = "00000000";
/// The codes of the sandbox.
const SANDBOX: &str = "PB100001=user,PB100002=user,PB100003=user,PB100004=user,PB100005=user,PB200001=bank,PR300001=risk,\
     PS400001=system,PS400002=duplicate,PS400003=not_found";

#[derive(Debug)]
struct Epcc {
    manifest: Manifest,
    signer: Signer,
    codes: Codes,
    institution: String,
    epcc: String,
    account: String,
    sign_sn: String,
    path: String,
    page_path: String,
    page_field: String,
    front_url: String,
    check_types: (String, String),
}

/// A group of a message's body, and its fields.
type Group<'a> = (&'a str, &'a [(&'a str, &'a str)]);

pub(crate) fn open(config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let settings = Settings::read(NAME, SETTINGS, config, keys)?;
    let member = |text: &str| text.len() == 14 && is_alphanumeric(text);
    let manifest = Manifest {
        name: NAME,
        rail: Rail::Epcc,
        operations: OPERATIONS,
        currencies: &[Currency::Cny],
        settle_delay_ms: SETTLE_DELAY_MS,
        statement: true,
        lists_returns: false,
        notifies: true,
        in_part: false,
        sign_ups: true,
        real_name_checks: true,
        settings: SETTINGS,
    };
    Ok(Arc::new(Epcc {
        manifest,
        signer: settings.signer(&KEY, &PEER_KEY, settings.scheme(&SIGN_METHOD)?)?,
        codes: settings.codes(&CODES, SANDBOX, DONE)?,
        institution: settings.fitting(&INSTITUTION, member)?,
        epcc: settings.fitting(&EPCC, member)?,
        account: settings.fitting(&ACCOUNT, message::is_word)?,
        sign_sn: settings.fitting(&SIGN_SN, is_alphanumeric)?,
        path: settings.fitting_or(&PATH, "/", is_path)?,
        page_path: settings.fitting_or(&PAGE_PATH, "/gateway", is_path)?,
        page_field: settings.fitting_or(&FIELD, "ReqMsg", is_alphanumeric)?,
        check_types: settings.pair_or(&CHECKS, identity::USUAL)?,
        front_url: settings.fitting_or(&FRONT, "", |text| text.is_empty() || message::is_url(text))?,
    }))
}

fn types(kind: OperationKind) -> Result<(&'static str, &'static str), ChannelError> {
    let found = TYPES.into_iter().find(|(known, ..)| *known == kind).map(|(_, asked, answered)| (asked, answered));
    found.ok_or(ChannelError::Unsupported { channel: NAME, kind })
}

/// The batch of a moment.
fn batch(time: Time) -> String {
    let digits = stamp(time);
    let hour: u32 = digits.get(8..10).and_then(|hour| hour.parse().ok()).unwrap_or_default();
    format!("B{}{:04}", digits.get(..8).unwrap_or_default(), hour.saturating_add(1))
}

/// The clearing date of a batch.
fn cleared(batch: &str) -> Option<Date> {
    let digits = batch.strip_prefix('B').filter(|digits| is_digits(12)(digits))?;
    day_of(digits.get(..8)?)
}

impl Epcc {
    /// A message about an operation.
    fn request(&self, about: &About<'_>, kind: &str, body: &[Group<'_>]) -> Result<Request, ChannelError> {
        self.message((&moment(about.requested_at), kind), What::of(about, false), body)
    }

    fn message(&self, (at, kind): (&str, &str), what: What, body: &[Group<'_>]) -> Result<Request, ChannelError> {
        let header = [
            ("SndDt", at),
            ("MsgTp", kind),
            ("IssrId", &self.institution),
            ("Drctn", DIRECTIONS.0),
            ("SignSN", &self.sign_sn),
        ];
        let mut writer = Writer::new();
        writer.inside("root", |root| {
            root.group("MsgHeader", &header);
            root.inside("MsgBody", |groups| body.iter().for_each(|(name, fields)| groups.group(name, fields)));
        });
        let body = self.signer.signed(NAME, &writer.finish())?;
        Ok(Request {
            method: "POST",
            path: self.path.clone(),
            headers: vec![("content-type", String::from("application/xml; charset=UTF-8"))],
            body,
            // Nothing in an answer repeats a word of its request but the transaction.
            asked: Asked { nonce: at.to_owned(), what },
        })
    }

    /// A message about what was asked for before.
    fn about_earlier(&self, about: &About<'_>, kind: &str, nonce: &str) -> Result<Request, ChannelError> {
        let asked = types(self.manifest.knows(about.kind)?.kind)?.0;
        self.about_original((about.serial, about.requested_at, asked), (kind, nonce), What::of(about, true))
    }

    fn about_original(
        &self,
        (serial, at, asked): (&str, Time, &str),
        (kind, nonce): (&str, &str),
        what: What,
    ) -> Result<Request, ChannelError> {
        message::nonce(nonce)?;
        let (serial, time) = (message::serial(serial)?, moment(at));
        let original = [("OriTrxId", serial), ("OriTrxDtTm", &time), ("OriTrxTp", asked)];
        self.message((&time, kind), what, &[("OriTrxInf", &original)])
    }

    /// An answer of EPCC to this institution.
    fn answered(&self, response: &Response) -> Result<Message, Answer> {
        self.opened(self.signer.answered(response)?).ok_or(Answer::FOREIGN)
    }

    /// What EPCC sent to this institution, of a text whose signature was checked.
    fn opened(&self, text: &str) -> Option<Message> {
        let message = Message::read(text)?;
        let is = |path: &str, right: &str| message.get(path) == Some(right);
        let sent = is("root/MsgHeader/IssrId", &self.epcc) && is("root/MsgHeader/Drctn", DIRECTIONS.1);
        (sent && is("root/MsgBody/InstgId", &self.institution)).then_some(message)
    }

    fn judge(&self, request: &Request, message: &Message) -> Option<Answer> {
        let What::Operation { serial, kind, amount, query, .. } = &request.asked.what else { return None };
        let (asked, answered) = types(*kind).ok()?;
        let right = if *query { FOUND } else { answered };
        let body = |name: &str| message.get(&format!("root/MsgBody/{name}"));
        let told = |name: &str, right: &str| body(name).is_none_or(|told| told == right);
        let same = message.get("root/MsgHeader/MsgTp")? == right
            && body("BizInf/TrxId")? == serial
            && told("BizInf/TrxAmt", &amount_text(*amount))
            && told("BizInf/TrxTp", asked);
        if !same {
            return Some(Answer::FOREIGN);
        }
        match (body("SysRtnInf/SysRtnCd")?, body("BizInf/TrxStatus")) {
            (DONE, Some(_)) => self.ended(message),
            // The message itself was refused: a query that was says nothing of the transaction.
            (code, None) => self.codes.refused(code, *query),
            (_, Some(_)) => None,
        }
    }

    /// What a status says of a transaction that was compared with what was asked.
    fn ended(&self, message: &Message) -> Option<Answer> {
        let body = |name: &str| message.get(&format!("root/MsgBody/BizInf/{name}"));
        let code = body("BizStsCd");
        match body("TrxStatus")? {
            // A success says in full what was done. What came back was done before.
            "00" | "04" if code? == DONE => {
                let (_, _, batch) = (body("TrxAmt")?, body("TrxTp")?, body("BatchId")?);
                let reference = format!("{batch}-{}", body("TrxId")?);
                Some(Answer::Success { reference, clearing_date: cleared(batch)?, part: None })
            }
            "01" => self.codes.declined(code?),
            "05" if body("TrxTp")? == TYPES[3].1 && code? == DONE => Some(Answer::Closed),
            "02" | "03" if code.is_none_or(|code| code == DONE) => Some(Answer::Pending),
            _ => None,
        }
    }

    fn notified(&self, message: &Message) -> Result<Notification, ChannelError> {
        let wrong = |place: &str| ChannelError::format(NAME, WHAT, place, "it is missing or not in its form");
        let field = |name: &str| message.get(&format!("root/MsgBody/BizInf/{name}")).ok_or_else(|| wrong(name));
        if message.get("root/MsgHeader/MsgTp") != Some("epcc.303.001.01") {
            return Err(wrong("MsgTp"));
        }
        let told = field("TrxTp")?;
        let (kind, ..) = TYPES.into_iter().find(|it| it.1 == told).ok_or_else(|| wrong("TrxTp"))?;
        let serial = Some(field("TrxId")?).filter(|text| message::is_serial(text)).ok_or_else(|| wrong("TrxId"))?;
        let amount = amount_of(field("TrxAmt")?).ok_or_else(|| wrong("TrxAmt"))?;
        let (status, code) = (field("TrxStatus")?, field("BizStsCd")?);
        let (serial, currency) = (serial.to_owned(), Currency::Cny);
        if status == "04" && kind == OperationKind::Pay {
            let reference = Some(field("RtnId")?).filter(|id| id.len() <= 64 && message::is_word(id));
            let reference = reference.ok_or_else(|| wrong("RtnId"))?.to_owned();
            let return_date = cleared(field("RtnBatchId")?).ok_or_else(|| wrong("RtnBatchId"))?;
            let code = Some(field("RtnCd")?).filter(|code| code.len() <= 32 && message::is_word(code));
            let code = code.ok_or_else(|| wrong("RtnCd"))?.to_owned();
            let id = format!("{serial}-{reference}");
            let back = Return { serial: serial.clone(), amount, currency, return_date, reference, code };
            return Ok(Notification { id, serial, event: Notified::Returned(back) });
        }
        let answer = self.ended(message).filter(|_| status != "04").ok_or_else(|| wrong("TrxStatus"))?;
        // Two that say another thing of one transaction are two events; the same one twice is one.
        let id = format!("{serial}-{status}-{code}");
        Ok(Notification { id, serial, event: Notified::Answered { answer, kind, amount, currency } })
    }
}

impl Channel for Epcc {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn build(&self, attempt: &Try<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let about = attempt.about();
        let kind = self.manifest.admit(&about)?;
        message::serial(about.serial)?;
        let subject = |field, reason| ChannelError::Subject { channel: NAME, field, reason };
        let asked = types(kind)?.0;
        let (time, amount, batch) = (moment(about.requested_at), amount_text(about.amount), batch(about.requested_at));
        let transaction: Group<'_> = ("TrxInf", &[("TrxId", about.serial), ("TrxDtTm", &time), ("TrxAmt", &amount)]);
        let batch: Group<'_> = ("BatchInf", &[("BatchId", &batch)]);
        let ours = [("AcctIssrId", &*self.institution), ("AcctId", &self.account)];
        match attempt.operation {
            Operation::Debit { agreement, .. } => {
                if !message::is_word(agreement) {
                    return Err(subject("agreement", "its number is letters, digits, `_` and `-`"));
                }
                let agreement: Group<'_> = ("SgnInf", &[("SgnNo", agreement)]);
                self.request(&about, asked, &[agreement, transaction, ("PyeeInf", &ours), batch])
            }
            Operation::Pay { account, name, bank, .. } => {
                let (account, name) = (opened(open, "account", account)?, opened(open, "name", name)?);
                let code = bank.as_ref().map(|bank| ("AcctIssrId", bank.code.as_str()));
                let payee = [("AcctId", account.expose()), ("AcctNm", name.expose())];
                let payee: Vec<_> = code.into_iter().chain(payee).collect();
                self.request(&about, asked, &[transaction, ("PyerInf", &ours), ("PyeeInf", &payee), batch])
            }
            Operation::Refund { original, .. } => {
                let no_original = "a refund names the transaction that it refunds: that must have succeeded first";
                let before = attempt.original.ok_or_else(|| subject("original", no_original))?;
                let time = moment(before.requested_at);
                let original: Group<'_> = ("OriTrxInf", &[("OriTrxId", original), ("OriTrxDtTm", &time)]);
                self.request(&about, asked, &[transaction, original, ("PyerInf", &ours), batch])
            }
            Operation::FundHold { .. }
            | Operation::FundCapture { .. }
            | Operation::FundRelease { .. }
            | Operation::Redirect { .. }
            | Operation::FundBatch { .. } => Err(ChannelError::Unsupported { channel: NAME, kind }),
        }
    }

    /// It goes through the payer's browser, so it names no account.
    fn build_redirect(&self, attempt: &Try<'_>) -> Result<Request, ChannelError> {
        let about = attempt.about();
        let kind = self.manifest.admit(&about)?;
        let Operation::Redirect { expires_at, return_url, .. } = attempt.operation else {
            return Err(ChannelError::Unsupported { channel: NAME, kind });
        };
        let (time, amount, batch) = (moment(about.requested_at), amount_text(about.amount), batch(about.requested_at));
        let serial = message::serial(about.serial)?;
        let (ends, back) = (moment(*expires_at), return_url.as_ref().unwrap_or(&self.front_url));
        let page = [("PgTmOut", &*ends), ("PgRtnUrl", back)];
        let groups: [Group<'_>; 4] = [
            ("TrxInf", &[("TrxId", serial), ("TrxDtTm", &time), ("TrxAmt", &amount)]),
            ("PyeeInf", &[("AcctIssrId", &self.institution)]),
            ("PgInf", &page[..1 + usize::from(!back.is_empty())]),
            ("BatchInf", &[("BatchId", &batch)]),
        ];
        Ok(self.request(&about, types(kind)?.0, &groups)?.in_form(&self.page_path, &self.page_field))
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        self.about_earlier(about, QUERY, nonce)
    }

    fn build_close(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        let is_page = about.kind == OperationKind::Redirect;
        self.about_earlier(about, if is_page { CLOSE } else { QUERY }, nonce)
    }

    fn parse(&self, request: &Request, response: &Response) -> Answer {
        let judged = |message| self.judge(request, &message).unwrap_or(Answer::Unknown);
        let (Ok(answer) | Err(answer)) = self.answered(response).map(judged);
        answer
    }

    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        message::nonce(nonce)?;
        let (day, part) = (date.to_string(), part.to_string());
        let file = [("FileDt", &*day), ("FilePt", &part)];
        self.message((&moment(date.starts_at()), file::ASKED), What::Statement, &[("FileInf", &file)])
    }

    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        self.signer.verified(NAME, file::WHAT, file)?.try_map(|text| file::read(self, text))
    }

    fn build_sign_up(&self, sign_up: &SignUp<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let what = What::SignUp { serial: sign_up.serial.to_owned(), confirms: false };
        self.compare(&sign_up.elements(), open, (agreement::ASKED[0], what))
    }

    fn build_confirmation(&self, sign_up: &SignUp<'_>, code: &ark::Secret) -> Result<Request, ChannelError> {
        self.bring_code(sign_up, code)
    }

    fn signed_up(&self, request: &Request, response: &Response) -> SignedUp {
        self.judge_signing(request, response).unwrap_or(SignedUp::Unknown)
    }

    fn build_real_name(&self, check: &RealName<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let what = What::RealName { serial: check.serial.to_owned(), query: false };
        self.compare(check, open, (&self.check_types.0, what))
    }

    fn build_real_name_query(&self, serial: &str, requested_at: Time, nonce: &str) -> Result<Request, ChannelError> {
        let what = What::RealName { serial: serial.to_owned(), query: true };
        self.about_original((serial, requested_at, &self.check_types.0), (QUERY, nonce), what)
    }

    fn real_name(&self, request: &Request, response: &Response) -> RealNameSaid {
        self.judge_who(request, response).unwrap_or(RealNameSaid::Unknown)
    }

    fn notify(&self, _headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        let told = "it is not from EPCC to this institution";
        self.signer.verified(NAME, WHAT, raw)?.try_map(|text| {
            let message = self.opened(text).ok_or_else(|| ChannelError::format(NAME, WHAT, "MsgHeader", told))?;
            self.notified(&message)
        })
    }
}
