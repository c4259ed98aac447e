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
mod header;

use std::sync::Arc;

use ark::keys::KeyUse;
use domain::attempt::{FailureClass, Operation, Rail};
use domain::calendar::Date;
use domain::money::{Currency, Minor};
use serde_json::Value;

use self::header::{ANSWER, HEADERS, NO_CODE, REQUEST, log_of, log_of_nonce, serial_of};
use crate::amount::{yuan_of, yuan_text};
use crate::answer::{Answer, Notification, Notified, Return};
use crate::channel::{About, Channel, Open, Original, Try, opened};
use crate::codes::{Codes, Said};
use crate::error::ChannelError;
use crate::fixed_header::{Charset, Field, Message, Unfit, Wire, values};
use crate::key::Scheme;
use crate::manifest::{Manifest, OperationKind, Setting, Supported};
use crate::message::{Asked, Headers, Request, Response, What, is_alphanumeric, is_digits, is_path, is_word};
use crate::settings::{CODES, KEY, PATH, PEER_KEY, SIGN_METHOD, Settings};
use crate::statement::StatementPart;
use crate::time::{day, day_of, stamp};
use crate::verified::Verified;

/// The name in the registry.
pub const NAME: &str = "pingan_jzb";

const MARKET: Setting = Setting::open("market", "Qydm, our number at the bank: 4 letters and digits");
const SUMMARY: Setting =
    Setting::open("summary_account", "SupAcctId, the account that all sub-accounts lie in: digits");
const ACCOUNT: Setting = Setting::open("account", "our own sub-account: letters and digits");
const MEMBER: Setting =
    Setting::open("member", "ThirdCustId, our own number as a member: letters, digits, `_` and `-`");
const HOLDER: Setting = Setting::open("name", "the name of our own sub-account: up to 40 characters, none of them `&`");
const CHARSET: Setting = Setting::open("charset", "`gbk` or `utf-8`; gbk if not said");
const TARGET: Setting = Setting::open("target", "the system that the header names: 2 digits; 13 if not said");
const DEBIT_FLAG: Setting =
    Setting::open("debit_flag", "FuncFlag of 6034, which kind of payment: a digit; 6 if not said");

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
const FUNCTIONS: [(OperationKind, &str); 3] =
    [(OperationKind::Debit, "6034"), (OperationKind::Pay, "6085"), (OperationKind::Refund, "6164")];
const QUERY: &str = "6110";
const RETURNS: &str = "6048";
/// The fields of each transaction in their order; one that nothing is said of is empty.
const FIELDS: &str = "\
    6034 FuncFlag OutCustAcctId SupAcctId OutThirdCustId OutCustName InCustAcctId InThirdCustId InCustName TranAmount TranFee TranType \
    CcyCode ThirdHtId ThirdHtMsg Note Reserve WebSign\n\
    6085 SupAcctId CustAcctId ThirdCustId CustName OutAcctId OutAcctIdName CcyCode TranAmount HandFee SerialNo MessageCode Note \
    Reserve WebSign\n\
    6164 FuncFlag SupAcctId OldThirdLogNo OldOutCustAcctId OldOutThirdCustId OldInCustAcctId OldInThirdCustId OldThirdHtId \
    ReturnAmount ReturnFee Note Reserve\n\
    6110 SupAcctId FuncFlag OrigThirdLogNo TranDate Reserve\n\
    6048 FuncFlag SupAcctId BeginDate EndDate Reserve\n\
    6103 SupAcctId FileType FileDate Reserve";
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
    let account = |text: &str| text.len() <= 32 && is_alphanumeric(text);
    let name = |text: &str| {
        (1..=40).contains(&text.chars().count()) && !text.contains('&') && !text.contains(char::is_control)
    };
    let scheme = settings.scheme(&SIGN_METHOD)?;
    let charset = Charset::parse(settings.text_or(&CHARSET, "gbk")?).ok_or_else(|| settings.wrong(&CHARSET))?;
    let wire = Wire {
        channel: NAME,
        signer: settings.signer(&KEY, &PEER_KEY, scheme)?,
        charset,
        layout: HEADERS,
        ours: vec![
            ("target", settings.fitting_or(&TARGET, "13", is_digits(2))?),
            ("charset", String::from(if charset == Charset::Gbk { "01" } else { "02" })),
            ("market", settings.fitting(&MARKET, |text| text.len() == 4 && is_alphanumeric(text))?),
            ("algorithm", String::from(if scheme == Scheme::Sm2 { "SM2-SM3" } else { "RSA-SHA256" })),
        ],
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
        in_part: false,
        sign_ups: false,
        real_name_checks: false,
        settings: SETTINGS,
    };
    Ok(Arc::new(PingAn {
        manifest,
        wire,
        codes: settings.codes(&CODES, SANDBOX, DONE)?,
        summary: settings.fitting(&SUMMARY, |text| account(text) && is_digits(text.len())(text))?,
        account: settings.fitting(&ACCOUNT, account)?,
        member: settings.fitting(&MEMBER, |text| short_word(text).is_some())?,
        holder: settings.fitting(&HOLDER, name)?,
        debit_flag: settings.fitting_or(&DEBIT_FLAG, "6", is_digits(1))?,
        path: settings.fitting_or(&PATH, "/", is_path)?,
    }))
}

/// The number of the transaction that does it.
fn function(kind: OperationKind) -> Result<&'static str, ChannelError> {
    let found = FUNCTIONS.iter().find(|(known, _)| *known == kind).map(|(_, number)| *number);
    found.ok_or(ChannelError::Unsupported { channel: NAME, kind })
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
    Some(text).filter(|text| text.len() <= 32 && is_word(text))
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
    /// What a field holds where it is our own side of the transaction; else what is said of it.
    fn value<'a>(&'a self, field: &str, said: &[Field<'a>]) -> &'a str {
        match field {
            "SupAcctId" => &self.summary,
            "CustAcctId" | "InCustAcctId" | "OldInCustAcctId" => &self.account,
            "ThirdCustId" | "InThirdCustId" | "OldInThirdCustId" => &self.member,
            "CustName" | "InCustName" => &self.holder,
            "CcyCode" => "RMB",
            "TranFee" | "HandFee" | "ReturnFee" => "0.00",
            field => said.iter().find(|(known, _)| *known == field).map_or("", |(_, value)| *value),
        }
    }

    /// A transaction: its number, when it was asked for, its ThirdLogNo.
    fn request(
        &self,
        (function, at, log): (&str, &str, &str),
        said: &[Field<'_>],
        what: What,
    ) -> Result<Request, ChannelError> {
        let told = [("service", REQUEST), ("time", at), ("log", log), ("code", NO_CODE), ("function", function)];
        let fields = FIELDS.lines().find_map(|line| line.strip_prefix(function)).unwrap_or_default();
        let body: Vec<_> = fields.split_whitespace().map(|field| (field, self.value(field, said))).collect();
        Ok(Request {
            method: "POST",
            path: self.path.clone(),
            headers: vec![("content-type", String::from("application/octet-stream"))],
            body: self.wire.write(&told, &body)?,
            asked: Asked { nonce: log.to_owned(), what },
        })
    }

    /// The bank's answer to a question.
    fn answered<'b>(&self, request: &Request, response: &'b Response) -> Result<Verified<Message<'b>>, Unfit> {
        let message = self.wire.opened(&response.body)?;
        let answers = message.told("service") == ANSWER && message.told("log") == request.asked.nonce;
        if response.status == 200 && answers { Ok(message) } else { Err(Unfit::Foreign) }
    }

    fn judge(&self, request: &Request, response: &Response) -> Option<Answer> {
        let &What::Operation { kind, amount, query, .. } = &request.asked.what else { return None };
        let message = match self.answered(request, response) {
            Ok(message) => message,
            Err(unfit) => return (response.status == 200).then(|| unfit.into()),
        };
        let text = message.text()?;
        let values = values(&text)?;
        if message.told("function") != (if query { QUERY } else { function(kind).ok()? }) {
            return Some(Answer::FOREIGN);
        }
        match message.told("code") {
            DONE if query => {
                let status = Status::read(&values)?;
                let same = status.kind == kind && status.amount == amount;
                if same { self.ended(&status) } else { Some(Answer::FOREIGN) }
            }
            // It names no amount: that it was taken is all that it says.
            DONE => values.first().copied().and_then(short_word).map(|_| Answer::Pending),
            // What is refused has nothing to say besides.
            code if values.is_empty() => self.codes.refused(code, query),
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
                Some(Answer::Success { reference, clearing_date: day_of(told.date)?, part: None })
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
        let (serial, amount, currency) = (serial_of(log)?, yuan_of(amount)?, Currency::Cny);
        let (return_date, reference, code) = (day_of(on)?, short_word(reference)?.to_owned(), code.to_owned());
        Some(Return { serial, amount, currency, return_date, reference, code })
    }

    fn all_returned(values: &[&str]) -> Option<Vec<Return>> {
        let (count, rows) = values.split_first()?;
        let count: usize = count.parse().ok()?;
        let listed = rows.get(..count.checked_mul(RETURN_VALUES)?)?;
        listed.chunks_exact(RETURN_VALUES).map(Self::returned).collect()
    }

    fn notified(&self, message: &Message<'_>) -> Option<Notification> {
        let text = message.text()?;
        let done = message.told("service") == REQUEST && message.told("code") == DONE;
        let values = values(&text).filter(|_| done)?;
        if message.told("function") == RETURNS {
            let back = Self::all_returned(&values).filter(|all| all.len() == 1)?.pop()?;
            let (id, serial) = (format!("{}-{}", back.serial, back.reference), back.serial.clone());
            return Some(Notification { id, serial, event: Notified::Returned(back) });
        }
        let (log, values) = values.split_first().filter(|_| message.told("function") == QUERY)?;
        let (serial, told) = (serial_of(log)?, Status::read(values)?);
        let answer = self.ended(&told).filter(|answer| !matches!(answer, Answer::Pending | Answer::Disbelieved(_)))?;
        // Two that say another thing of one transaction are two events; the same one twice is one.
        let why = told.reason.split(':').next().and_then(short_word).unwrap_or(told.front);
        let id = format!("{serial}-{}-{why}", told.status);
        let (kind, amount, currency) = (told.kind, told.amount, Currency::Cny);
        Some(Notification { id, serial, event: Notified::Answered { answer, kind, amount, currency } })
    }
}

/// The sub-account that paid: of what a file alone brought, that of its agreement.
fn who_paid(before: &Original) -> Option<&str> {
    let told = Some(before.reference.as_str()).filter(|reference| is_word(reference));
    let told = told.and_then(|reference| reference.split_once('-')).map(|(_, payer)| payer);
    told.or_else(|| payer(before.agreement.as_deref()?).map(|(account, _)| account))
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
        let about = attempt.about();
        let kind = self.manifest.admit(&about)?;
        let subject = |field, reason| ChannelError::Subject { channel: NAME, field, reason };
        let (log, at, amount) = (log_of(about.serial)?, stamp(about.requested_at), yuan_text(about.amount));
        let (asked, what) = ((function(kind)?, &*at, &*log), What::of(&about, false));
        match attempt.operation {
            Operation::Debit { agreement, .. } => {
                let payer = payer(agreement).ok_or_else(|| subject("agreement", "it is SUB-ACCOUNT-MEMBER"))?;
                let said = [
                    ("FuncFlag", &*self.debit_flag),
                    ("OutCustAcctId", payer.0),
                    ("OutThirdCustId", payer.1),
                    ("TranAmount", &amount),
                    ("TranType", "01"),
                    ("ThirdHtId", &log),
                ];
                self.request(asked, &said, what)
            }
            Operation::Pay { account, name, .. } => {
                let (account, name) = (opened(open, "account", account)?, opened(open, "name", name)?);
                let payee = [("OutAcctId", account.expose()), ("OutAcctIdName", name.expose())];
                self.request(asked, &[payee[0], payee[1], ("TranAmount", &amount)], what)
            }
            Operation::Refund { original, .. } => {
                let no_original = "a refund names the debit that it refunds: that must have succeeded first";
                let payer = attempt.original.and_then(who_paid).ok_or_else(|| subject("original", no_original))?;
                let original = log_of(original)?;
                let said = [
                    ("FuncFlag", "2"),
                    ("OldThirdLogNo", &*original),
                    ("OldOutCustAcctId", payer),
                    ("OldThirdHtId", &original),
                    ("ReturnAmount", &amount),
                ];
                self.request(asked, &said, what)
            }
            Operation::FundHold { .. }
            | Operation::FundCapture { .. }
            | Operation::FundRelease { .. }
            | Operation::FundBatch { .. }
            | Operation::Redirect { .. } => Err(ChannelError::Unsupported { channel: NAME, kind }),
        }
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        let kind = self.manifest.knows(about.kind)?.kind;
        let (log, original, at) = (log_of_nonce(nonce)?, log_of(about.serial)?, stamp(about.requested_at));
        let flag = if kind == OperationKind::Pay { "3" } else { "2" };
        let said = [("FuncFlag", flag), ("OrigThirdLogNo", &original), ("TranDate", &at[..8])];
        self.request((QUERY, &at, &log), &said, What::of(about, true))
    }

    fn parse(&self, request: &Request, response: &Response) -> Answer {
        self.judge(request, response).unwrap_or(Answer::Unknown)
    }

    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        let no_part = ChannelError::Subject { channel: NAME, field: "part", reason: "a day has two files: JY and TX" };
        let kind = file::kind(part).ok_or(no_part)?;
        let (log, at) = (log_of_nonce(nonce)?, stamp(date.starts_at()));
        self.request((file::FUNCTION, &at, &log), &[("FileType", kind), ("FileDate", &at[..8])], What::Statement)
    }

    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        let message = self.wire.opened(file).map_err(|unfit| unfit.error(NAME, file::WHAT))?;
        message.try_map(|message| file::read(self, &message))
    }

    fn build_returns(&self, date: Date, nonce: &str) -> Result<Request, ChannelError> {
        let (log, at, on) = (log_of_nonce(nonce)?, stamp(date.starts_at()), day(date));
        // Of days that are over and of today [doubtful].
        let said = [("FuncFlag", "2"), ("BeginDate", &*on), ("EndDate", &on)];
        self.request((RETURNS, &at, &log), &said, What::Returns { date })
    }

    fn returns(&self, request: &Request, response: &Response) -> Result<Verified<Vec<Return>>, ChannelError> {
        const LIST: &str = "list of returns";
        let message = self.answered(request, response).map_err(|unfit| unfit.error(NAME, LIST))?;
        message.try_map(|message| {
            let What::Returns { date } = request.asked.what else { return Err(Unfit::Foreign.error(NAME, LIST)) };
            let listed = message.told("function") == RETURNS && message.told("code") == DONE;
            let text = message.text().filter(|_| listed);
            let all = text.as_ref().and_then(|text| Self::all_returned(&values(text)?));
            let all = all.filter(|all| all.iter().all(|back| back.return_date == date));
            all.ok_or_else(|| Unfit::Foreign.error(NAME, LIST))
        })
    }

    fn notify(&self, _headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        let message = self.wire.opened(raw).map_err(|unfit| unfit.error(NAME, WHAT))?;
        message.try_map(|message| self.notified(&message).ok_or_else(|| Unfit::Foreign.error(NAME, WHAT)))
    }
}
