//! Ping An Bank's 见证宝 in its public shape: numbered transactions over a header of fixed length, for virtual accounts.
//!
//! **The specification is given to customers and is not public**, so no conformance is claimed, and nothing was tried against
//! the bank. The headers, the numbers of transactions and the order of their fields are of several public programs that agree
//! [public]; what is marked [doubtful] is ours or was seen once, and a setting where a customer would have to change it.
//!
//! ```text
//!  debit   6034: from the payer's sub-account (子账户) to ours     ┐             ┌─ "done", "failed"
//!  refund  6164: back, by the serial number of the debit           ├─► taken ─ 6110 ─┤
//!  pay     6085: a withdrawal (提现) from ours to the bound card   ┘             └─ "not clear yet": ask again in minutes
//!  pay that was done ─► came back (退票): 6048 lists it, and it is told
//! ```
//!
//! | part | |
//! |---|---|
//! | transport | [public: a socket of the bank's own program, or HTTP] here the body of a POST |
//! | ThirdLogNo | 20 characters [public]: YYMMDD and 14 digits of our serial number, which they give back |
//! | code | 000000: understood and, of an operation, taken [public]; ERR020: no such record [public]; the others are a setting |
//! | answer to an operation | FrontLogNo and a reserve [public]. It names no amount, so it proves that the operation was taken and no more |
//! | answer to 6110 | what, status (0 done, 1 failed, 2 5 6 not clear yet), amount, date, both sub-accounts, reason, FrontLogNo [public; that they are joined by `&`: doubtful] |
//! | signature | the header has its flag, algorithm and length [public: RSA-SHA1, made by the bank's own program]; place and algorithms are ours [doubtful] |
//! | agreement | `SUB-ACCOUNT-MEMBER`: numbers of the payer's sub-account and of the payer as a member (ThirdCustId) |
//! | reference | FrontLogNo; of a debit with the payer's sub-account behind it, which a refund names |
//!
//! Invariants:
//! - A message counts if its signature fits, both headers say the same, and it answers this question: a query's ThirdLogNo is
//!   its nonce, so an old answer is none.
//! - Only 6110 says "done", and only with amount, kind and our sub-account as they were asked.
//!
//! The files of a day (6103) are [`file`]. [doubtful] besides: names and member numbers of payers are sent empty, what the
//! bank tells of itself has 6110's or 6048's fields.
//!
//! Not here, since no operation of the trait is one: opening sub-accounts (6000, 6248), binding cards (6238 to 6241, 6065),
//! freezing (6007), attributing deposits (6139, 6140), balances (6010), frozen deposits that are split (6267). They are bank
//! virtual accounts in the book CUSTODY, a feature of its own; this is how their money is moved.

mod file;

use std::sync::Arc;

use ark::keys::KeyUse;
use domain::attempt::{FailureClass, Operation, Rail};
use domain::calendar::Date;
use domain::money::{Currency, Minor};
use serde_json::Value;

use crate::amount::{yuan_of, yuan_text};
use crate::answer::{Answer, Notification, Notified, Return};
use crate::channel::{About, Channel, Open, Try};
use crate::codes::{Codes, Said};
use crate::error::ChannelError;
use crate::key::Scheme;
use crate::manifest::{Manifest, OperationKind, Setting, Supported};
use crate::message::{self as wire, Asked, Headers, Request, Response, What};
use crate::pingan_wire::{
    ANSWER, Charset, Field, Head, Message, REQUEST, Unfit, Wire, log_of, log_of_nonce, serial_of, values,
};
use crate::settings::Settings;
use crate::signed_text::Signer;
use crate::statement::StatementPart;
use crate::time::{day, day_of, stamp};
use crate::verified::Verified;

/// The name in the registry.
pub const NAME: &str = "pingan_jzb";

const fn setting(name: &'static str, secret: bool, doc: &'static str) -> Setting {
    Setting { name, secret, doc }
}

const MARKET: Setting = setting("market", false, "Qydm, our number at the bank: 4 letters and digits");
const SUMMARY: Setting =
    setting("summary_account", false, "SupAcctId, the account that all sub-accounts lie in: digits");
const ACCOUNT: Setting = setting("account", false, "our own sub-account: letters and digits");
const MEMBER: Setting =
    setting("member", false, "ThirdCustId, our own number as a member: letters, digits, `_` and `-`");
const HOLDER: Setting =
    setting("name", false, "the name of our own sub-account: up to 40 characters, none of them `&`");
const SIGN_METHOD: Setting = setting("sign_method", false, "`sm2`: SM2 with SM3; `rsa`: RSA with SHA-256");
const KEY: Setting = setting(
    "key",
    true,
    "our private key: `ark:NAME` of one in the key service; for a sandbox in hexadecimal (SM2: 32 bytes, RSA-2048: PKCS #8)",
);
const PEER_KEY: Setting = setting(
    "peer_key",
    false,
    "the public key of the bank (openssl pkey -pubout), PEM or its base64; two with a comma between while it changes",
);
const CHARSET: Setting = setting("charset", false, "`gbk` or `utf-8`; gbk if not said");
const TARGET: Setting = setting("target", false, "the system that the header names: 2 digits; 13 if not said");
const DEBIT_FLAG: Setting =
    setting("debit_flag", false, "FuncFlag of 6034, which kind of payment: a digit; 6 if not said");
const PATH: Setting = setting("path", false, "where messages are posted: a path; / if not said");
const CODES: Setting = setting(
    "codes",
    false,
    "CODE=WORD,… of six letters or digits each; words: user, bank, risk, system (refused for good, and whose failure), duplicate, \
     not_found; the sandbox's if not said",
);

/// The settings.
pub const SETTINGS: &[Setting] =
    &[MARKET, SUMMARY, ACCOUNT, MEMBER, HOLDER, SIGN_METHOD, KEY, PEER_KEY, CHARSET, TARGET, DEBIT_FLAG, PATH, CODES];

/// Nobody here has seen what a second message with one serial number is answered, so nothing counts on it.
const OPERATIONS: &[Supported] = &[
    Supported { kind: OperationKind::Debit, idempotent: false, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Refund, idempotent: false, amount_max: 5_000_000_000 },
    Supported { kind: OperationKind::Pay, idempotent: false, amount_max: 50_000_000_000 },
];
/// What is not clear is to be asked about again after five minutes [public]; "no such record" is believed after them.
const SETTLE_DELAY_MS: i64 = 5 * 60 * 1_000;
const QUERY: &str = "6110";
const RETURNS: &str = "6048";
const WHAT: &str = "notification";
const DONE: &str = "000000";
/// Why something failed, where the bank says it failed and gives a reason that is in no table.
const FAILED: &str = "failed";
/// The codes of the sandbox; ERR020 is the bank's.
const SANDBOX: &str = "ERR020=not_found,ERR101=duplicate,ERR201=user,ERR202=user,ERR203=user,ERR204=user,ERR301=risk,\
     ERR401=bank,ERR501=system";
/// The values of one return in 6048.
const RETURN_VALUES: usize = 17;

#[derive(Debug)]
struct PingAn {
    manifest: Manifest,
    wire: Wire,
    codes: Codes,
    summary: String,
    account: String,
    member: String,
    holder: String,
    debit_flag: String,
    path: String,
}

pub(crate) fn open(config: &Value, keys: Option<&Arc<dyn KeyUse>>) -> Result<Arc<dyn Channel>, ChannelError> {
    let settings = Settings::read(NAME, SETTINGS, config, keys)?;
    let digits =
        |length: usize| move |text: &str| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let alphanumeric =
        |text: &str| !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (scheme, algorithm) = match settings.text(&SIGN_METHOD)? {
        "sm2" => (Scheme::Sm2, "SM2-SM3"),
        "rsa" => (Scheme::Rsa, "RSA-SHA256"),
        _ => return Err(settings.wrong(&SIGN_METHOD)),
    };
    let name = |text: &str| {
        (1..=40).contains(&text.chars().count()) && !text.contains('&') && !text.contains(char::is_control)
    };
    let path = |text: &str| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let wire = Wire {
        channel: NAME,
        signer: Signer { ours: settings.key_pair(&KEY, scheme)?, theirs: settings.peer_keys(&PEER_KEY, scheme)? },
        charset: Charset::parse(settings.text_or(&CHARSET, "gbk")?).ok_or_else(|| settings.wrong(&CHARSET))?,
        target: settings.fitting_or(&TARGET, "13", digits(2))?,
        market: settings.fitting(&MARKET, |text| text.len() == 4 && alphanumeric(text))?,
        algorithm,
    };
    let manifest = Manifest {
        name: NAME,
        rail: Rail::PingAn,
        operations: OPERATIONS,
        currencies: &[Currency::Cny],
        settle_delay_ms: SETTLE_DELAY_MS,
        statement: true,
        lists_returns: true,
        notifies: true,
        sign_ups: false,
        real_name_checks: false,
        settings: SETTINGS,
    };
    Ok(Arc::new(PingAn {
        manifest,
        wire,
        codes: Codes::read(settings.text_or(&CODES, SANDBOX)?, DONE).ok_or_else(|| settings.wrong(&CODES))?,
        summary: settings
            .fitting(&SUMMARY, |text| alphanumeric(text) && text.bytes().all(|byte| byte.is_ascii_digit()))?,
        account: settings.fitting(&ACCOUNT, alphanumeric)?,
        member: settings.fitting(&MEMBER, |text| text.len() <= 32 && wire::is_word(text))?,
        holder: settings.fitting(&HOLDER, name)?,
        debit_flag: settings.fitting_or(&DEBIT_FLAG, "6", digits(1))?,
        path: settings.fitting_or(&PATH, "/", path)?,
    }))
}

/// The number of the transaction that does it.
const fn function(kind: OperationKind) -> Option<&'static str> {
    match kind {
        OperationKind::Debit => Some("6034"),
        OperationKind::Pay => Some("6085"),
        OperationKind::Refund => Some("6164"),
        OperationKind::FundHold
        | OperationKind::FundCapture
        | OperationKind::FundRelease
        | OperationKind::FundBatch
        | OperationKind::Redirect => None,
    }
}

/// What 6110 calls it (BookingFlag): a payment between members, or to the platform; a withdrawal; a refund.
fn kind_of(flag: &str) -> Option<OperationKind> {
    match flag {
        "2" | "8" => Some(OperationKind::Debit),
        "3" => Some(OperationKind::Pay),
        "7" => Some(OperationKind::Refund),
        _ => None,
    }
}

/// A word of at most 32 characters, such as a code or a number at the bank.
fn short_word(text: &str) -> Option<&str> {
    Some(text).filter(|text| text.len() <= 32 && wire::is_word(text))
}

/// What 6110 says of a transaction.
struct Status<'t> {
    kind: OperationKind,
    status: &'t str,
    amount: Minor,
    date: &'t str,
    into: &'t str,
    out: &'t str,
    reason: &'t str,
    front: &'t str,
}

impl<'t> Status<'t> {
    fn read(values: &[&'t str]) -> Option<Self> {
        let &[flag, status, amount, date, _, into, out, reason, front, ..] = values else { return None };
        Some(Self { kind: kind_of(flag)?, status, amount: yuan_of(amount)?, date, into, out, reason, front })
    }
}

impl PingAn {
    fn request(&self, head: Head<'_>, body: &[Field<'_>], what: What) -> Result<Request, ChannelError> {
        Ok(Request {
            method: "POST",
            path: self.path.clone(),
            headers: vec![("content-type", String::from("application/octet-stream"))],
            body: self.wire.write(head, body)?,
            asked: Asked { nonce: head.log.to_owned(), what },
        })
    }

    /// The bank's answer to a question.
    fn answered<'b>(&self, request: &Request, response: &'b Response) -> Result<Verified<Message<'b>>, Unfit> {
        let message = self.wire.opened(&response.body)?;
        let fits = response.status == 200 && message.service == ANSWER && message.log == request.asked.nonce;
        if fits { Ok(message) } else { Err(Unfit::Foreign) }
    }

    fn judge(&self, request: &Request, response: &Response) -> Option<Answer> {
        let &What::Operation { kind, amount, query, .. } = &request.asked.what else { return None };
        let message = match self.answered(request, response) {
            Ok(message) => message,
            Err(unfit) => return (response.status == 200).then(|| unfit.into()),
        };
        let text = message.text()?;
        let values = values(&text)?;
        if message.function != (if query { QUERY } else { function(kind)? }) {
            return Some(Answer::FOREIGN);
        }
        match message.code {
            DONE if query => {
                let status = Status::read(&values)?;
                let same = status.kind == kind && status.amount == amount;
                if same { self.ended(&status) } else { Some(Answer::FOREIGN) }
            }
            // It names no amount: that it was taken is all that it says.
            DONE => values.first().copied().and_then(short_word).map(|_| Answer::Pending),
            // What is refused has nothing to say besides.
            code if values.is_empty() => match self.codes.said(code)? {
                Said::NotFound => query.then_some(Answer::NotFound),
                Said::Declined(class) => (!query).then(|| Answer::Declined { class, code: code.to_owned() }),
                Said::Duplicate => None,
            },
            _ => None,
        }
    }

    /// What a status says, if our own sub-account is on its side of it.
    fn ended(&self, told: &Status<'_>) -> Option<Answer> {
        let ours = if told.kind == OperationKind::Debit { told.into } else { told.out };
        if ours != self.account {
            return Some(Answer::FOREIGN);
        }
        match told.status {
            "0" if told.reason.is_empty() => {
                let front = short_word(told.front)?;
                let debit = told.kind == OperationKind::Debit;
                let reference = if debit { format!("{front}-{}", short_word(told.out)?) } else { front.to_owned() };
                Some(Answer::Success { reference, clearing_date: day_of(told.date)? })
            }
            "1" => {
                let code = told.reason.split(':').next().unwrap_or_default();
                Some(match self.codes.said(code) {
                    Some(Said::Declined(class)) => Answer::Declined { class, code: code.to_owned() },
                    Some(Said::Duplicate | Said::NotFound) => return None,
                    None => Answer::Declined { class: FailureClass::Bank, code: FAILED.to_owned() },
                })
            }
            "2" | "5" | "6" => Some(Answer::Pending),
            _ => None,
        }
    }

    /// A payment that came back, as 6048 lists it.
    fn returned(values: &[&str]) -> Option<Return> {
        let &[_, _, log, _, reason, on, reference, amount, ..] = values else { return None };
        let code = reason.split(':').next().and_then(short_word).unwrap_or("returned");
        Some(Return {
            serial: serial_of(log)?,
            amount: yuan_of(amount)?,
            currency: Currency::Cny,
            return_date: day_of(on)?,
            reference: short_word(reference)?.to_owned(),
            code: code.to_owned(),
        })
    }

    fn all_returned(values: &[&str]) -> Option<Vec<Return>> {
        let (count, rows) = values.split_first()?;
        let count: usize = count.parse().ok()?;
        let listed = rows.get(..count.checked_mul(RETURN_VALUES)?)?;
        listed.chunks_exact(RETURN_VALUES).map(Self::returned).collect()
    }

    fn notified(&self, message: &Message<'_>) -> Option<Notification> {
        let text = message.text()?;
        let values = values(&text).filter(|_| message.service == REQUEST && message.code == DONE)?;
        if message.function == RETURNS {
            let back = Self::all_returned(&values).filter(|all| all.len() == 1)?.pop()?;
            let (id, serial) = (format!("{}-{}", back.serial, back.reference), back.serial.clone());
            return Some(Notification { id, serial, event: Notified::Returned(back) });
        }
        let (log, values) = values.split_first().filter(|_| message.function == QUERY)?;
        let (serial, told) = (serial_of(log)?, Status::read(values)?);
        let answer = self.ended(&told).filter(|answer| !matches!(answer, Answer::Pending | Answer::Disbelieved(_)))?;
        // Two that say another thing of one transaction are two events; the same one twice is one.
        let id = format!(
            "{serial}-{}-{}",
            told.status,
            told.reason.split(':').next().and_then(short_word).unwrap_or(told.front)
        );
        let (kind, amount, currency) = (told.kind, told.amount, Currency::Cny);
        Some(Notification { id, serial, event: Notified::Answered { answer, kind, amount, currency } })
    }

    /// The fields of a debit.
    fn debit<'a>(&'a self, payer: (&'a str, &'a str), log: &'a str, amount: &'a str) -> [Field<'a>; 17] {
        [
            ("FuncFlag", &self.debit_flag),
            ("OutCustAcctId", payer.0),
            ("SupAcctId", &self.summary),
            ("OutThirdCustId", payer.1),
            ("OutCustName", ""),
            ("InCustAcctId", &self.account),
            ("InThirdCustId", &self.member),
            ("InCustName", &self.holder),
            ("TranAmount", amount),
            ("TranFee", "0.00"),
            ("TranType", "01"),
            ("CcyCode", "RMB"),
            ("ThirdHtId", log),
            ("ThirdHtMsg", ""),
            ("Note", ""),
            ("Reserve", ""),
            ("WebSign", ""),
        ]
    }

    /// The fields of a withdrawal.
    fn withdrawal<'a>(&'a self, account: &'a str, name: &'a str, amount: &'a str) -> [Field<'a>; 14] {
        [
            ("SupAcctId", &self.summary),
            ("CustAcctId", &self.account),
            ("ThirdCustId", &self.member),
            ("CustName", &self.holder),
            ("OutAcctId", account),
            ("OutAcctIdName", name),
            ("CcyCode", "RMB"),
            ("TranAmount", amount),
            ("HandFee", "0.00"),
            ("SerialNo", ""),
            ("MessageCode", ""),
            ("Note", ""),
            ("Reserve", ""),
            ("WebSign", ""),
        ]
    }

    /// The fields of a refund.
    fn refund<'a>(&'a self, payer: &'a str, original: &'a str, amount: &'a str) -> [Field<'a>; 12] {
        [
            ("FuncFlag", "2"),
            ("SupAcctId", &self.summary),
            ("OldThirdLogNo", original),
            ("OldOutCustAcctId", payer),
            ("OldOutThirdCustId", ""),
            ("OldInCustAcctId", &self.account),
            ("OldInThirdCustId", &self.member),
            ("OldThirdHtId", original),
            ("ReturnAmount", amount),
            ("ReturnFee", "0.00"),
            ("Note", ""),
            ("Reserve", ""),
        ]
    }

    fn malformed(what: &'static str) -> ChannelError {
        let reason = "it is not in its form, or not from the bank to this institution".to_owned();
        ChannelError::Format { channel: NAME, what, place: String::from("message"), reason }
    }

    fn unfit(what: &'static str) -> impl Fn(Unfit) -> ChannelError {
        move |unfit| match unfit {
            Unfit::Unsigned => ChannelError::Signature { channel: NAME, what },
            Unfit::Foreign => Self::malformed(what),
        }
    }
}

/// Sub-account and member of an agreement.
fn payer(agreement: &str) -> Option<(&str, &str)> {
    let (account, member) = agreement.split_once('-')?;
    Some((short_word(account)?, short_word(member)?))
}

impl Channel for PingAn {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn build(&self, attempt: &Try<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        let About { serial, kind, amount, currency, .. } = attempt.about();
        self.manifest.admit(&attempt.about())?;
        let unsupported = || ChannelError::Unsupported { channel: NAME, kind };
        let subject = |field, reason| ChannelError::Subject { channel: NAME, field, reason };
        let (log, at, amount_text) = (log_of(serial)?, stamp(attempt.requested_at), yuan_text(amount));
        let head = Head { function: function(kind).ok_or_else(unsupported)?, at: &at, log: &log };
        let what = What::Operation { serial: serial.to_owned(), kind, amount, currency, query: false };
        match attempt.operation {
            Operation::Debit { agreement, .. } => {
                let payer = payer(agreement).ok_or_else(|| subject("agreement", "it is SUB-ACCOUNT-MEMBER"))?;
                self.request(head, &self.debit(payer, &log, &amount_text), what)
            }
            Operation::Pay { account, name, .. } => {
                let opened = |field, sealed| open(sealed).map_err(|source| ChannelError::Opening { field, source });
                let (account, name) = (opened("account", account)?, opened("name", name)?);
                self.request(head, &self.withdrawal(account.expose(), name.expose(), &amount_text), what)
            }
            Operation::Refund { original, .. } => {
                let no_original = "a refund names the debit that it refunds: that must have succeeded first";
                let before = attempt.original.and_then(|before| before.reference.split_once('-'));
                let (_, payer) = before.ok_or_else(|| subject("original", no_original))?;
                self.request(head, &self.refund(payer, &log_of(original)?, &amount_text), what)
            }
            Operation::FundHold { .. }
            | Operation::FundCapture { .. }
            | Operation::FundRelease { .. }
            | Operation::FundBatch { .. }
            | Operation::Redirect { .. } => Err(unsupported()),
        }
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        let &About { serial, amount, currency, .. } = about;
        let kind = self.manifest.knows(about.kind)?.kind;
        let (log, original, at) = (log_of_nonce(nonce)?, log_of(serial)?, stamp(about.requested_at));
        let what = What::Operation { serial: serial.to_owned(), kind, amount, currency, query: true };
        let body = [
            ("SupAcctId", self.summary.as_str()),
            ("FuncFlag", if kind == OperationKind::Pay { "3" } else { "2" }),
            ("OrigThirdLogNo", &original),
            ("TranDate", &at[..8]),
            ("Reserve", ""),
        ];
        self.request(Head { function: QUERY, at: &at, log: &log }, &body, what)
    }

    fn parse(&self, request: &Request, response: &Response) -> Answer {
        self.judge(request, response).unwrap_or(Answer::Unknown)
    }

    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        let no_part = ChannelError::Subject { channel: NAME, field: "part", reason: "a day has two files: JY and TX" };
        let kind = file::kind(part).ok_or(no_part)?;
        let (log, at) = (log_of_nonce(nonce)?, stamp(date.starts_at()));
        let body = [("SupAcctId", self.summary.as_str()), ("FileType", kind), ("FileDate", &at[..8]), ("Reserve", "")];
        self.request(Head { function: file::FUNCTION, at: &at, log: &log }, &body, What::Statement)
    }

    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        self.wire.opened(file).map_err(Self::unfit(file::WHAT))?.try_map(|message| file::read(self, &message))
    }

    fn build_returns(&self, date: Date, nonce: &str) -> Result<Request, ChannelError> {
        let (log, at, on) = (log_of_nonce(nonce)?, stamp(date.starts_at()), day(date));
        // Of days that are over and of today [doubtful].
        let body = [
            ("FuncFlag", "2"),
            ("SupAcctId", self.summary.as_str()),
            ("BeginDate", &on),
            ("EndDate", &on),
            ("Reserve", ""),
        ];
        self.request(Head { function: RETURNS, at: &at, log: &log }, &body, What::Returns { date })
    }

    fn returns(&self, request: &Request, response: &Response) -> Result<Verified<Vec<Return>>, ChannelError> {
        const LIST: &str = "list of returns";
        self.answered(request, response).map_err(Self::unfit(LIST))?.try_map(|message| {
            let What::Returns { date } = request.asked.what else { return Err(Self::malformed(LIST)) };
            let text = message.text().filter(|_| message.function == RETURNS && message.code == DONE);
            let all = text.as_ref().and_then(|text| Self::all_returned(&values(text)?));
            let all = all.filter(|all| all.iter().all(|back| back.return_date == date));
            all.ok_or_else(|| Self::malformed(LIST))
        })
    }

    fn notify(&self, _headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        let message = self.wire.opened(raw).map_err(Self::unfit(WHAT))?;
        message.try_map(|message| self.notified(&message).ok_or_else(|| Self::malformed(WHAT)))
    }
}
