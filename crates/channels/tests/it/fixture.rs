//! Reads the fixtures.
//!
//! ```text
//! config {…}                      the channel's settings
//! serial 2026…                    of the operation
//! operation debit AGR-7 500000 CNY
//! ask do | query NONCE | returns DATE NONCE | notify
//! > POST /path                    the request, if one is asked for
//! < 200                           a response (or the notification)
//! = success REFERENCE DATE        what the response proves
//! ```

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use channels::registry::Entry;
use channels::{Answer, Channel, ChannelError, Headers, Notified, Request, Response, Return};
use domain::attempt::Operation;
use domain::money::Currency;
use domain::payout::Bank;
use domain::sealed::{DataClass, Sealed};

/// One file of conversations with one channel.
pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) exchanges: Vec<Exchange>,
}

/// One request and every response to it.
pub(crate) struct Exchange {
    pub(crate) ask: Ask,
    pub(crate) request: String,
    pub(crate) cases: Vec<Case>,
}

#[derive(Clone)]
pub(crate) enum Ask {
    Do { serial: String, operation: Operation },
    Query { serial: String, operation: Operation, nonce: String },
    Returns { date: String, nonce: String },
    Notify,
}

pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) response: Response,
    pub(crate) expected: String,
}

/// Every conversation of a channel.
pub(crate) fn of(entry: &Entry) -> Vec<Fixture> {
    let mut paths = files(entry.name, "txt");
    paths.sort();
    assert!(!paths.is_empty(), "channel {} has no fixtures: add tests/fixtures/{}/*.txt", entry.name, entry.name);
    paths.into_iter().map(|path| read(entry, path)).collect()
}

/// The files of a channel with this ending.
pub(crate) fn files(channel: &str, ending: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(channel);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == ending))
        .collect()
}

fn read(entry: &Entry, path: PathBuf) -> Fixture {
    let text = fs::read_to_string(&path).unwrap();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let config = serde_json::from_str(value("config").expect("a fixture has a config")).unwrap();
    let channel = channels::by_name(entry.name, &config).unwrap();
    let subject = value("serial").zip(value("operation")).map(|(serial, spec)| (serial.to_owned(), operation(spec)));
    let mut exchanges = Vec::new();
    let mut title = String::new();
    for block in text.split("\n\n") {
        let lines = |mark: &str| {
            let marked = block.lines().filter_map(|line| line.strip_prefix(mark));
            marked.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
        };
        if let Some(line) = block.lines().find_map(|line| line.strip_prefix("ask ")) {
            exchanges.push(Exchange { ask: ask(line, subject.as_ref()), request: lines(">"), cases: Vec::new() });
        }
        if let Some(line) = block.lines().find_map(|line| line.strip_prefix("# ")) {
            title = line.to_owned();
        }
        let raw = lines("<");
        if !raw.is_empty() {
            let case = Case { title: title.clone(), response: response(&raw), expected: lines("=") };
            exchanges.last_mut().expect("something was asked before").cases.push(case);
        }
    }
    Fixture { path, channel, exchanges }
}

fn ask(line: &str, subject: Option<&(String, Operation)>) -> Ask {
    let words: Vec<&str> = line.split(' ').collect();
    let subject = || subject.cloned().expect("a fixture that asks has a serial and an operation");
    match words.as_slice() {
        ["do"] => {
            let (serial, operation) = subject();
            Ask::Do { serial, operation }
        }
        ["query", nonce] => {
            let (serial, operation) = subject();
            Ask::Query { serial, operation, nonce: (*nonce).to_owned() }
        }
        ["returns", date, nonce] => Ask::Returns { date: (*date).to_owned(), nonce: (*nonce).to_owned() },
        ["notify"] => Ask::Notify,
        other => panic!("{other:?} is not something to ask"),
    }
}

fn operation(spec: &str) -> Operation {
    let words: Vec<&str> = spec.split(' ').collect();
    let (currency, words) = words.split_last().unwrap();
    let (amount, words) = words.split_last().unwrap();
    let (amount, currency) = (amount.parse().unwrap(), Currency::parse(currency).unwrap());
    match words {
        ["debit", agreement] => Operation::Debit { agreement: (*agreement).to_owned(), amount, currency },
        ["refund", original] => Operation::Refund { original: (*original).to_owned(), amount, currency },
        ["pay", account, name] => {
            Operation::Pay { account: sealed(account), name: sealed(name), amount, currency, bank: None }
        }
        ["pay", account, name, bank, code] => {
            let bank = Some(Bank { name: (*bank).to_owned(), code: (*code).to_owned() });
            Operation::Pay { account: sealed(account), name: sealed(name), amount, currency, bank }
        }
        ["hold", contract] => Operation::FundHold { contract: (*contract).to_owned(), amount, currency },
        ["capture", original] => Operation::FundCapture { original: (*original).to_owned(), amount, currency },
        ["release", original] => Operation::FundRelease { original: (*original).to_owned(), amount, currency },
        other => panic!("{other:?} is not an operation"),
    }
}

/// Stands for a sealed field: the test opens it by reading it.
pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed { ciphertext: text.as_bytes().to_vec(), key: 1, mask: String::from("***"), class: DataClass::C2 }
}

/// Opens what [`sealed`] made.
pub(crate) fn open(field: &Sealed) -> Result<ark::Secret, ark::Error> {
    Ok(ark::Secret::new(String::from_utf8(field.ciphertext.clone()).unwrap()))
}

fn response(raw: &str) -> Response {
    let (head, body) = raw.split_once("\n\n").expect("headers, an empty line, a body");
    let mut head = head.lines();
    let status = head.next().unwrap().parse().unwrap();
    let headers: Headers = head.map(|line| line.split_once(": ").unwrap()).collect();
    Response { status, headers, body: body.as_bytes().to_vec() }
}

/// The request that a channel builds.
pub(crate) fn build(channel: &dyn Channel, ask: &Ask) -> Option<Result<Request, ChannelError>> {
    match ask {
        Ask::Do { serial, operation } => Some(channel.build(serial, operation, &open)),
        Ask::Query { serial, operation, nonce } => Some(channel.build_query(serial, operation, nonce)),
        Ask::Returns { date, nonce } => Some(channel.build_returns(date.parse().unwrap(), nonce)),
        Ask::Notify => None,
    }
}

/// A request as it stands in a fixture.
pub(crate) fn shown_request(request: &Request) -> String {
    let mut text = format!("{} {}\n", request.method, request.path);
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if !request.body().is_empty() {
        text.push('\n');
        text.push_str(str::from_utf8(request.body()).unwrap());
    }
    text.trim_end().to_owned()
}

/// What a response proves, as it stands in a fixture.
pub(crate) fn judged(channel: &dyn Channel, ask: &Ask, response: &Response) -> String {
    let request = || build(channel, ask).unwrap().unwrap();
    match ask {
        Ask::Do { .. } | Ask::Query { .. } => shown_answer(&channel.parse(&request(), response)),
        Ask::Returns { .. } => match channel.returns(&request(), response) {
            Ok(list) => {
                let list: Vec<_> = list.iter().map(shown_return).collect();
                format!("returns {}", list.join("; ")).trim_end().to_owned()
            }
            Err(error) => error.code().to_owned(),
        },
        Ask::Notify => match channel.notify(&response.headers, &response.body) {
            Ok(notification) => match &notification.event {
                Notified::Returned(returned) => format!("returned {}", shown_return(returned)),
                Notified::Answered { answer, kind, amount, currency } => {
                    let (serial, kind, currency) = (&notification.serial, kind.name(), currency.code());
                    format!("answered {serial} {kind} {amount} {currency} {}", shown_answer(answer))
                }
            },
            Err(error) => error.code().to_owned(),
        },
    }
}

fn shown_return(back: &Return) -> String {
    let Return { serial, amount, currency, return_date, reference, code } = back;
    format!("{serial} {amount} {} {return_date} {reference} {code}", currency.code())
}

fn shown_answer(answer: &Answer) -> String {
    match answer {
        Answer::Success { reference, clearing_date } => format!("success {reference} {clearing_date}"),
        Answer::Pending => String::from("pending"),
        Answer::Declined { class, code } => format!("declined {} {code}", class.name()),
        Answer::NotFound => String::from("not_found"),
        Answer::Unknown => String::from("unknown"),
    }
}
