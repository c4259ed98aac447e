//! Signed JSON over HTTP, as the sandbox bank and the sandbox fund speak it. `docs/sandbox.md` describes the format.
//!
//! ```text
//! request       x-institution  x-nonce  x-signature = HMAC-SM3(key, METHOD \n path?query \n nonce \n body)
//! answer                       x-nonce  x-signature = HMAC-SM3(key, ANSWER \n status     \n nonce \n body)
//! notification                 x-nonce  x-signature = HMAC-SM3(key, NOTIFY               \n nonce \n body)
//! ```
//!
//! The answer repeats the request's nonce, so it belongs to this request and no other. An operation's nonce is its
//! serial number (the same bytes can be sent again); a query's is new each time (an old "not found" cannot be played
//! again). There is no time stamp: a request that is repeated meets its own serial number.

use domain::attempt::{FailureClass, Rail};
use domain::calendar::Date;
use domain::money::{Currency, Minor};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::answer::{Answer, Notification, Notified, Return};
use crate::channel::About;
use crate::error::ChannelError;
use crate::key::ChannelKey;
use crate::manifest::{Manifest, OperationKind, Setting};
use crate::message::{self, Asked, Headers, Request, Response, What};
use crate::settings::Settings;
use crate::verified::Verified;

/// Settings of both.
pub(crate) const INSTITUTION: Setting =
    Setting { name: "institution", secret: false, doc: "our id at the channel: 1 to 64 letters, digits, `_` or `-`" };
pub(crate) const KEY: Setting = Setting {
    name: "key",
    secret: true,
    doc: "the shared HMAC-SM3 key: `ark:NAME` of one in the key service; 64 hexadecimal digits only for a sandbox",
};

/// How long after `send_before` a request may still arrive; time-outs stay below it.
pub(crate) const SETTLE_DELAY_MS: i64 = 5_000;

/// The code of what is done.
const DONE: &str = "00000000";
const REFERENCE_LENGTH_MAX: usize = 64;

/// Codes of the channel that decline, and whose failure each is.
pub(crate) type Declines = &'static [(&'static str, FailureClass)];

/// Our side of the conversation with one institution.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) channel: &'static str,
    pub(crate) root: &'static str,
    pub(crate) rail: Rail,
    pub(crate) institution: String,
    pub(crate) key: ChannelKey,
    pub(crate) declines: Declines,
}

/// The body of an operation.
#[derive(Serialize)]
pub(crate) struct Order<'a> {
    pub(crate) serial: &'a str,
    pub(crate) rail: &'static str,
    #[serde(flatten)]
    pub(crate) subject: Subject<'a>,
    pub(crate) amount: Minor,
    #[serde(serialize_with = "currency_code")]
    pub(crate) currency: Currency,
}

/// Whom or what an operation is about.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Subject<'a> {
    Agreement {
        agreement: &'a str,
    },
    Contract {
        contract: &'a str,
    },
    Original {
        original: &'a str,
    },
    Payee {
        account: &'a str,
        name: &'a str,
        /// The receiver's bank, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        bank_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bank_code: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct Query<'a> {
    serial: &'a str,
    rail: &'static str,
}

/// Fields that are not named here are ignored: a channel may tell more than it did.
#[derive(Deserialize)]
struct AnswerBody {
    serial: String,
    code: String,
    clearing_date: String,
    kind: Option<String>,
    amount: Option<Minor>,
    currency: Option<String>,
    reference: Option<String>,
}

#[derive(Deserialize)]
struct ReturnBody {
    serial: String,
    amount: Minor,
    currency: String,
    return_date: String,
    reference: String,
    code: String,
}

#[derive(Deserialize)]
struct ReturnsBody {
    date: String,
    returns: Vec<ReturnBody>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum NotificationBody {
    Answered(AnswerBody),
    Returned(ReturnBody),
}

impl Wire {
    /// The request of an operation.
    pub(crate) fn order(&self, kind: OperationKind, order: &Order<'_>) -> Result<Request, ChannelError> {
        let serial = message::serial(order.serial)?;
        let (amount, currency) = (order.amount, order.currency);
        let what = What::Operation { serial: serial.to_owned(), kind, amount, currency, query: false };
        let path = format!("{}/{}", self.root, kind.name());
        self.post(path, order, Asked { nonce: serial.to_owned(), what })
    }

    /// The request that asks what became of an operation.
    pub(crate) fn query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        let &About { serial, kind, amount, currency, .. } = about;
        let serial = message::serial(serial)?;
        let nonce = message::nonce(nonce)?.to_owned();
        let what = What::Operation { serial: serial.to_owned(), kind, amount, currency, query: true };
        let body = Query { serial, rail: self.rail.name() };
        self.post(format!("{}/query", self.root), &body, Asked { nonce, what })
    }

    /// The request for one part of a clearing file.
    pub(crate) fn clearing(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        let path = format!("{}/clearing?date={date}&rail={}&part={part}", self.root, self.rail.name());
        let asked = Asked { nonce: message::nonce(nonce)?.to_owned(), what: What::Statement };
        self.signed("GET", path, Zeroizing::new(Vec::new()), asked)
    }

    /// The request for the payments that came back on a date.
    pub(crate) fn list_returns(&self, date: Date, nonce: &str) -> Result<Request, ChannelError> {
        let path = format!("{}/returns?date={date}&rail={}", self.root, self.rail.name());
        let asked = Asked { nonce: message::nonce(nonce)?.to_owned(), what: What::Returns { date } };
        self.signed("GET", path, Zeroizing::new(Vec::new()), asked)
    }

    pub(crate) fn post(&self, path: String, body: &impl Serialize, asked: Asked) -> Result<Request, ChannelError> {
        // Room for every body, so that growing leaves no copy of a personal field behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *bytes, body).expect("texts and whole numbers always have a JSON form");
        self.signed("POST", path, bytes, asked)
    }

    /// A signed request.
    pub(crate) fn signed(
        &self,
        method: &'static str,
        path: String,
        body: Zeroizing<Vec<u8>>,
        asked: Asked,
    ) -> Result<Request, ChannelError> {
        let head = format!("{method}\n{path}\n{}\n", asked.nonce);
        let tag = self.key.tag(self.channel, head.as_bytes(), &body)?;
        let headers = vec![
            ("content-type", String::from("application/json")),
            ("x-institution", self.institution.clone()),
            ("x-nonce", asked.nonce.clone()),
            ("x-signature", hex::encode(tag)),
        ];
        Ok(Request { method, path, headers, body, asked })
    }

    /// What a response proves about an operation.
    pub(crate) fn parse(&self, request: &Request, response: &Response, manifest: &Manifest) -> Answer {
        let What::Operation { serial, kind, amount, currency, query } = &request.asked.what else {
            return Answer::Unknown;
        };
        let bytes = match self.answered(&request.asked.nonce, response) {
            Ok(bytes) => bytes.into_inner(),
            Err(ChannelError::Signature { .. }) if response.status == 200 => return Answer::UNSIGNED,
            Err(_) => return Answer::Unknown,
        };
        let Ok(body) = serde_json::from_slice::<AnswerBody>(bytes) else { return Answer::Unknown };
        let done = body.amount.filter(|_| body.code == DONE);
        let part = done.filter(|done| manifest.takes_part(*kind, *amount, *done));
        // What the answer says of the operation must be what was asked: another amount is another operation.
        let same = body.serial == *serial
            && body.kind.as_ref().is_none_or(|name| name == kind.name())
            && (part.is_some() || body.amount.is_none_or(|told| told == *amount))
            && body.currency.as_ref().is_none_or(|code| code == currency.code());
        if same { self.judge(&body, *query, part).unwrap_or(Answer::Unknown) } else { Answer::FOREIGN }
    }

    fn judge(&self, body: &AnswerBody, query: bool, part: Option<Minor>) -> Option<Answer> {
        match body.code.as_str() {
            DONE => {
                // A success says in full what was done.
                let _ = (body.kind.as_ref()?, body.amount?, body.currency.as_ref()?);
                let reference = body.reference.clone().filter(|text| is_reference(text))?;
                let clearing_date = body.clearing_date.parse().ok()?;
                Some(Answer::Success { reference, clearing_date, part })
            }
            "00000001" => Some(Answer::Pending),
            // Seen before: what became of it is for a query to say.
            "00000002" => None,
            "00000003" => query.then_some(Answer::NotFound),
            code => {
                let (_, class) = self.declines.iter().find(|(known, _)| *known == code)?;
                Some(Answer::Declined { class: *class, code: code.to_owned() })
            }
        }
    }

    /// The body of an answer of status 200 that is signed for the nonce.
    pub(crate) fn answered<'r>(&self, nonce: &str, response: &'r Response) -> Result<Verified<&'r [u8]>, ChannelError> {
        let told = response.headers.get("x-nonce");
        if response.status != 200 || told != Some(nonce) {
            return Err(self.unsigned("answer"));
        }
        self.checked("answer", &format!("ANSWER\n200\n{nonce}\n"), &response.headers, &response.body)
    }

    fn checked<'r>(
        &self,
        what: &'static str,
        head: &str,
        headers: &Headers,
        body: &'r [u8],
    ) -> Result<Verified<&'r [u8]>, ChannelError> {
        let tag = headers.get("x-signature").and_then(|text| hex::decode(text).ok());
        let tag = tag.ok_or_else(|| self.unsigned(what))?;
        Verified::by_mac(self.channel, &self.key, head.as_bytes(), body, &tag)?.ok_or_else(|| self.unsigned(what))
    }

    fn unsigned(&self, what: &'static str) -> ChannelError {
        ChannelError::Signature { channel: self.channel, what }
    }

    pub(crate) fn malformed(
        &self,
        what: &'static str,
        place: impl Into<String>,
        reason: impl Into<String>,
    ) -> ChannelError {
        ChannelError::Format { channel: self.channel, what, place: place.into(), reason: reason.into() }
    }

    /// The payments that came back.
    pub(crate) fn returns(
        &self,
        request: &Request,
        response: &Response,
    ) -> Result<Verified<Vec<Return>>, ChannelError> {
        let What::Returns { date } = &request.asked.what else {
            return Err(self.malformed("list of returns", "request", "it asked for something else"));
        };
        self.answered(&request.asked.nonce, response)?.try_map(|bytes| {
            let body: ReturnsBody = self.json("list of returns", bytes)?;
            if body.date != date.to_string() {
                return Err(self.malformed("list of returns", "date", format!("it should be {date}")));
            }
            body.returns.into_iter().map(|body| self.came_back("list of returns", body)).collect()
        })
    }

    /// A notification.
    pub(crate) fn notify(&self, headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        let what = "notification";
        let id = headers.get("x-nonce").filter(|id| message::nonce(id).is_ok()).ok_or_else(|| self.unsigned(what))?;
        self.checked(what, &format!("NOTIFY\n{id}\n"), headers, raw)?.try_map(|bytes| {
            let id = id.to_owned();
            match self.json(what, bytes)? {
                NotificationBody::Returned(body) => {
                    let returned = self.came_back(what, body)?;
                    Ok(Notification { id, serial: returned.serial.clone(), event: Notified::Returned(returned) })
                }
                NotificationBody::Answered(body) => {
                    let event = self.answered_event(&body)?;
                    Ok(Notification { id, serial: body.serial, event })
                }
            }
        })
    }

    fn answered_event(&self, body: &AnswerBody) -> Result<Notified, ChannelError> {
        let wrong = |place: &str| self.malformed("notification", place, "it is missing or not in its form");
        let kind = body.kind.as_deref().and_then(OperationKind::parse).ok_or_else(|| wrong("kind"))?;
        let amount = body.amount.filter(|amount| *amount > 0).ok_or_else(|| wrong("amount"))?;
        let currency = body.currency.as_deref().and_then(currency_of).ok_or_else(|| wrong("currency"))?;
        let answer = self.judge(body, false, None).ok_or_else(|| wrong("code"))?;
        if !message::is_serial(&body.serial) {
            return Err(wrong("serial"));
        }
        Ok(Notified::Answered { answer, kind, amount, currency })
    }

    fn came_back(&self, what: &'static str, body: ReturnBody) -> Result<Return, ChannelError> {
        let wrong = |place: &str| self.malformed(what, place, "it is not in its form");
        Ok(Return {
            serial: Some(body.serial).filter(|text| message::is_serial(text)).ok_or_else(|| wrong("serial"))?,
            amount: Some(body.amount).filter(|amount| *amount > 0).ok_or_else(|| wrong("amount"))?,
            currency: currency_of(&body.currency).ok_or_else(|| wrong("currency"))?,
            return_date: body.return_date.parse().map_err(|_| wrong("return_date"))?,
            reference: Some(body.reference).filter(|text| is_reference(text)).ok_or_else(|| wrong("reference"))?,
            code: Some(body.code).filter(|text| is_reference(text)).ok_or_else(|| wrong("code"))?,
        })
    }

    pub(crate) fn json<'r, T: Deserialize<'r>>(&self, what: &'static str, bytes: &'r [u8]) -> Result<T, ChannelError> {
        serde_json::from_slice(bytes).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            self.malformed(what, place, "it is not the JSON that the format describes")
        })
    }
}

/// A reference or code: 1 to 64 letters, digits, `_` or `-`.
pub(crate) fn is_reference(text: &str) -> bool {
    text.len() <= REFERENCE_LENGTH_MAX && message::is_word(text)
}

/// The currency of a code.
pub(crate) fn currency_of(code: &str) -> Option<Currency> {
    Currency::ALL.into_iter().find(|currency| currency.code() == code)
}

fn currency_code<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.code())
}

/// Our id at the channel.
pub(crate) fn institution(settings: &Settings<'_>) -> Result<String, ChannelError> {
    settings.fitting(&INSTITUTION, |text| text.len() <= 64 && message::is_word(text))
}
