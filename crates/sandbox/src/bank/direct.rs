//! The bank without a socket: one request's bytes in, one answer's bytes out, at once; the sandbox's own style, EPCC's and UnionPay's. For a simulation that owns clock
//! and network and makes its own faults: of the [`plan`](super::plan) only declines, returns and "in progress" count here.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::body::{self, Answer, DUPLICATE, MALFORMED, NOT_READY, Problem, Return, Returns, UNSIGNED};
use super::clearing::{self, LINES_MAX, Which};
use super::days::NoFile;
use super::epcc::{Refused, Said};
use super::ledger::{Arrival, Entry, State};
use super::names::{House, Verb};
use super::plan::Fault;
use super::{Bank, order, sign};

/// A request as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, String)],
    /// The body.
    pub body: &'a [u8],
}

/// An answer as it leaves.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A house and the nonce of a request whose signature was checked.
struct Signed<'a> {
    bank: &'a Bank,
    house: House,
    nonce: &'a str,
}

impl Bank {
    /// Takes a request as it stands on the wire and answers it.
    #[must_use]
    pub fn exchange(&self, asked: &Asked<'_>) -> Answered {
        match (asked.method, asked.target) {
            ("POST", "/") => return self.epcc_exchange(asked.body),
            ("POST", "/gateway/api/backTransReq.do") => return self.unionpay_exchange(false, asked.body),
            ("POST", "/gateway/api/queryTrans.do") => return self.unionpay_exchange(true, asked.body),
            _ => {}
        }
        let (path, query) = asked.target.split_once('?').unwrap_or((asked.target, ""));
        let mut parts = path.trim_start_matches('/').split('/');
        let (house, version, what) = (parts.next().and_then(House::parse), parts.next(), parts.next());
        let (Some(house), Some("v1"), Some(what), None) = (house, version, what, parts.next()) else {
            return empty(404);
        };
        let headers = headers(asked.headers);
        let Ok(nonce) = sign::check(&self.key, asked.method, asked.target, &headers, asked.body) else {
            return unsigned();
        };
        let signed = Signed { bank: self, house, nonce };
        let answered = match (asked.method, what) {
            ("POST", "query") => signed.query(asked.body),
            ("GET", "clearing") => signed.clearing(query),
            ("GET", "returns") => signed.returns(query),
            ("POST", verb) => match Verb::parse(verb).filter(|verb| house.does(*verb)) {
                Some(verb) => signed.operation(verb, asked.body),
                None => Ok(empty(404)),
            },
            _ => Ok(empty(404)),
        };
        answered.unwrap_or_else(|message| signed.answer(400, &Problem { code: MALFORMED, message }))
    }

    /// A message of EPCC's.
    fn epcc_exchange(&self, body: &[u8]) -> Answered {
        match self.epcc_at_once(body) {
            Ok(Said::Message(text)) => Answered { status: 200, headers: Vec::new(), body: text.into_bytes() },
            Ok(Said::NotReady) => empty(409),
            Ok(Said::NoPart) => empty(404),
            Ok(Said::Garbage | Said::Nothing) => empty(500),
            Err(Refused::Unsigned) => empty(401),
            Err(Refused::Field(_)) => empty(400),
        }
    }

    /// A form of UnionPay's.
    fn unionpay_exchange(&self, query: bool, body: &[u8]) -> Answered {
        match self.unionpay_at_once(query, body) {
            Ok(text) => Answered { status: 200, headers: Vec::new(), body: text.into_bytes() },
            Err(status) => empty(status),
        }
    }

    /// What UnionPay did on a date that is over, as clearing lines in JSON; nothing of a day that is not.
    #[must_use]
    pub fn lines(&self, date: jiff::civil::Date) -> Option<Vec<serde_json::Value>> {
        self.unionpay_lines(date).ok()
    }

    /// Carries an order out if it is the first under its serial number.
    pub(super) fn take_at_once(&self, entry: Entry) -> Answer {
        let later = self.plan.fault(self.seed, entry.serial, entry.verb) == Fault::InProgress;
        let left = self.plan.in_progress_queries.saturating_sub(1);
        let state = State::Open { queries_left: later.then_some(left) };
        match self.ledger.arrive(entry, state.clone()) {
            Arrival::First | Arrival::AfterLoss if later => Answer::of(&entry, &state, self.days.now()),
            Arrival::First | Arrival::AfterLoss => self.settle(&entry),
            Arrival::Again => Answer::bare(entry.serial, DUPLICATE, self.days.now()),
        }
    }
}

impl Signed<'_> {
    fn operation(&self, verb: Verb, body: &[u8]) -> Result<Answered, &'static str> {
        let entry = order::read(self.house, verb, body)?;
        Ok(self.answer(200, &self.bank.take_at_once(entry)))
    }

    fn query(&self, body: &[u8]) -> Result<Answered, &'static str> {
        let serial = order::read_query(self.house, body)?;
        Ok(self.answer(200, &self.bank.query(self.house, serial)))
    }

    fn clearing(&self, query: &str) -> Result<Answered, &'static str> {
        let (date, rail) = (of(query, "date")?, order::cleared_rail(self.house, of(query, "rail")?)?);
        let date = date.parse().map_err(|_| "date is not of the form 2026-03-05")?;
        let number = of(query, "part")?.parse().map_err(|_| "part is not a number")?;
        match self.bank.days.part(date, rail, number, LINES_MAX) {
            Ok(lines) => {
                let which = Which { house: self.house, rail, date, part: number };
                let body = clearing::write(&self.bank.key, which, &lines);
                Ok(Answered { status: 200, headers: Vec::new(), body })
            }
            Err(NoFile::NotReady) => {
                Ok(self.answer(409, &Problem { code: NOT_READY, message: body::meaning(NOT_READY) }))
            }
            Err(NoFile::NoPart) => Ok(empty(404)),
        }
    }

    fn returns(&self, query: &str) -> Result<Answered, &'static str> {
        let (date, rail) = (of(query, "date")?, order::rail(self.house, of(query, "rail")?)?);
        let date: jiff::civil::Date = date.parse().map_err(|_| "date is not of the form 2026-03-05")?;
        let returned = self.bank.days.returned_on(date, rail);
        let returns = returned.iter().map(Return::of).collect();
        Ok(self.answer(200, &Returns { date: date.to_string(), returns }))
    }

    fn answer(&self, status: u16, body: &impl Serialize) -> Answered {
        let body = serde_json::to_vec(body).expect("texts and whole numbers always have a JSON form");
        let signature = sign::answer(&self.bank.key, status, self.nonce, &body);
        let headers = [("x-nonce", self.nonce.to_owned()), ("x-signature", signature)];
        let headers = headers.map(|(name, text)| (name.to_owned(), text)).to_vec();
        Answered { status, headers, body }
    }
}

fn headers(given: &[(&str, String)]) -> HeaderMap {
    let parsed = given.iter().filter_map(|(name, text)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(text).ok()?))
    });
    parsed.collect()
}

fn of<'q>(query: &'q str, name: &str) -> Result<&'q str, &'static str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or("a part of the query is missing")
}

fn unsigned() -> Answered {
    let problem = Problem { code: UNSIGNED, message: body::meaning(UNSIGNED) };
    let body = serde_json::to_vec(&problem).expect("texts and whole numbers always have a JSON form");
    Answered { status: 401, headers: Vec::new(), body }
}

const fn empty(status: u16) -> Answered {
    Answered { status, headers: Vec::new(), body: Vec::new() }
}

#[cfg(test)]
mod tests {
    use ark::MacKey;
    use jiff::civil::date;

    use super::*;
    use crate::bank::{Plan, SANDBOX_KEY_HEX, Settings};

    const BODY: &str = concat!(
        r#"{"serial":"2026030500000000000000420000042","rail":"epcc","agreement":"A","#,
        r#""amount":5,"currency":"CNY"}"#
    );

    fn asks(bank: &Bank, key: &MacKey, target: &str, body: &str) -> Answered {
        let nonce = "0123456789abcdef";
        let head = format!("POST\n{target}\n{nonce}\n");
        let tag = hex::encode(key.mac().update(head.as_bytes()).update(body.as_bytes()).finish());
        let headers = [("x-institution", String::from("i")), ("x-nonce", nonce.into()), ("x-signature", tag)];
        bank.exchange(&Asked { method: "POST", target, headers: &headers, body: body.as_bytes() })
    }

    #[test]
    fn an_order_is_carried_out_once_and_a_query_tells_of_it() {
        let key = MacKey::from_hex(SANDBOX_KEY_HEX).unwrap();
        let settings = Settings {
            plan: Plan::default(),
            seed: 1,
            key: key.clone(),
            date: date(2026, 3, 5),
            notify_url: None,
            unionpay: crate::bank::UnionPaySign::sandbox(),
            pingan: crate::bank::PingAnSettings::default(),
            epcc: crate::bank::EpccSettings::default(),
        };
        let bank = Bank::new(settings);
        let code = |answered: &Answered| {
            let body: serde_json::Value = serde_json::from_slice(&answered.body).unwrap();
            (answered.status, body["code"].as_str().unwrap().to_owned())
        };
        let query = r#"{"serial":"2026030500000000000000420000042","rail":"epcc"}"#;
        assert_eq!(code(&asks(&bank, &key, "/bank/v1/query", query)), (200, "00000003".into()));
        assert_eq!(code(&asks(&bank, &key, "/bank/v1/debit", BODY)), (200, "00000000".into()));
        assert_eq!(code(&asks(&bank, &key, "/bank/v1/debit", BODY)), (200, "00000002".into()));
        assert_eq!(code(&asks(&bank, &key, "/bank/v1/query", query)), (200, "00000000".into()));
        assert_eq!(bank.day_totals(date(2026, 3, 5), crate::bank::Rail::Epcc).in_sum, 5);
        assert_eq!(code(&asks(&bank, &MacKey::from_bytes([1; 32]), "/bank/v1/debit", BODY)), (401, "90000002".into()));
        assert_eq!(asks(&bank, &key, "/bank/v1/steal", BODY).status, 404);
        assert_eq!(code(&asks(&bank, &key, "/bank/v1/debit", "{}")), (400, "90000001".into()));
    }
}
