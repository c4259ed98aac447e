//! Reads the fixtures. `fixtures/channels/README.md` describes their format.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use channels::registry::Entry;
use channels::{
    About, Answer, Channel, ChannelError, Headers, Notified, Original, RealName, RealNameSaid, Request, Response,
    Return, SignUp, SignedUp, Try,
};
use domain::attempt::Operation;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::money::{Currency, Minor};
use domain::payout::Bank;
use domain::sealed::{DataClass, Sealed};
use serde_json::Value;

/// When everything was asked for that says nothing else: ten o'clock on 5 March 2026 in Shanghai.
pub(crate) const AT: Time = Time(1_772_676_000_000);

/// One file of conversations with one channel.
pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    /// The channel's configuration.
    pub(crate) settings: Value,
    /// Why this configuration is not shown whole, if it is not.
    pub(crate) partial: Option<String>,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) exchanges: Vec<Exchange>,
}

/// One request and every response to it.
pub(crate) struct Exchange {
    pub(crate) ask: Ask,
    /// What no answer to it can show, each with the reason.
    pub(crate) lacks: Vec<(String, String)>,
    pub(crate) request: String,
    pub(crate) cases: Vec<Case>,
}

/// What is asked.
#[derive(Clone)]
pub(crate) enum Ask {
    Do(Subject),
    Redirect(Subject),
    Query { subject: Subject, nonce: String },
    Close { subject: Subject, nonce: String },
    Returns { date: String, nonce: String },
    SignUp(Holder),
    Confirm { holder: Holder, code: String },
    RealName(Holder),
    RealNameQuery { holder: Holder, nonce: String },
    Notify,
}

impl Ask {
    /// What it is about, if it is about one operation.
    pub(crate) fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Do(subject) | Self::Redirect(subject) | Self::Query { subject, .. } | Self::Close { subject, .. } => {
                Some(subject)
            }
            Self::Returns { .. } | Self::SignUp(_) | Self::Confirm { .. } | Self::Notify => None,
            Self::RealName(_) | Self::RealNameQuery { .. } => None,
        }
    }
}

/// One operation, as a fixture tells of it.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) serial: String,
    pub(crate) requested_at: Time,
    pub(crate) original: Option<Original>,
    pub(crate) operation: Operation,
}

impl Subject {
    pub(crate) fn about(&self) -> About<'_> {
        self.attempt().about()
    }

    fn attempt(&self) -> Try<'_> {
        let Self { serial, requested_at, original, operation } = self;
        Try { serial, requested_at: *requested_at, operation, original: original.as_ref() }
    }
}

/// Who signs an agreement or is checked, as a fixture tells of them.
#[derive(Clone)]
pub(crate) struct Holder {
    serial: String,
    requested_at: Time,
    credit: bool,
    bank: String,
    account: Sealed,
    name: Sealed,
    certificate: Sealed,
    phone: Sealed,
}

impl Holder {
    fn read(serial: &str, requested_at: Time, words: &str) -> Self {
        let words: Vec<&str> = words.split(' ').collect();
        let &[kind, bank, account, name, certificate, phone] = words.as_slice() else {
            panic!("{words:?} is no holder");
        };
        let (account, name) = (sealed(account), sealed(name));
        let (certificate, phone) = (sealed(certificate), sealed(phone));
        let (serial, bank, credit) = (serial.to_owned(), bank.to_owned(), kind == "credit");
        Self { serial, requested_at, credit, bank, account, name, certificate, phone }
    }

    fn asks(&self) -> SignUp<'_> {
        let Self { serial, requested_at, credit, bank, account, name, certificate, phone } = self;
        let (requested_at, credit) = (*requested_at, *credit);
        SignUp { serial, requested_at, bank, credit, account, name, certificate, phone }
    }

    /// Of three elements where the phone is `-`.
    fn checks(&self) -> RealName<'_> {
        let Self { serial, requested_at, credit, bank, account, name, certificate, phone } = self;
        let (requested_at, credit, phone) = (*requested_at, *credit, Some(phone));
        let phone = phone.filter(|phone| phone.ciphertext != b"-");
        RealName { serial, requested_at, bank, credit, account, name, certificate, phone }
    }
}

/// One response.
pub(crate) struct Case {
    pub(crate) title: String,
    /// What it shows: a word of `fixtures/channels/README.md`, or nothing.
    pub(crate) shows: String,
    pub(crate) head: Vec<(String, String)>,
    pub(crate) response: Response,
    pub(crate) expected: String,
}

/// Every conversation of a channel.
pub(crate) fn of(entry: &Entry) -> Vec<Fixture> {
    let paths = files(entry.name, "txt");
    assert!(!paths.is_empty(), "channel {} has no fixtures: add fixtures/channels/{}/*.txt", entry.name, entry.name);
    conversations(entry, paths)
}

/// The same conversations under SM2, of a channel that may sign with it: its requests show `*` where a random number is drawn.
pub(crate) fn of_sm2(entry: &Entry) -> Vec<Fixture> {
    conversations(entry, files(&format!("{}/sm2", entry.name), "txt"))
}

fn conversations(entry: &Entry, mut paths: Vec<PathBuf>) -> Vec<Fixture> {
    paths.sort();
    paths.into_iter().map(|path| read(entry, path)).collect()
}

/// The folder of a channel.
pub(crate) fn folder(channel: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/channels").join(channel)
}

/// The files of a channel with this ending.
pub(crate) fn files(channel: &str, ending: &str) -> Vec<PathBuf> {
    let folder = folder(channel);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("channel {channel} has no fixtures: reading {}: {error}", folder.display());
    });
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == ending))
        .collect()
}

/// A channel as `config` says: settings, or `@` and the file that has them.
pub(crate) fn configured(entry: &Entry, config: &str) -> (Value, Arc<dyn Channel>) {
    let config = match config.strip_prefix('@') {
        Some(name) => fs::read_to_string(folder(entry.name).join(name)).unwrap(),
        None => config.to_owned(),
    };
    let settings: Value = serde_json::from_str(&config).unwrap();
    let channel = channels::by_name(entry.name, &settings).unwrap();
    (settings, channel)
}

fn read(entry: &Entry, path: PathBuf) -> Fixture {
    let text = fs::read_to_string(&path).unwrap();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let config = value("config").unwrap_or_else(|| panic!("{} has no config", path.display()));
    let (settings, channel) = configured(entry, config);
    let partial = text.lines().find_map(|line| line.strip_prefix("partial: ")).map(str::to_owned);
    let requested_at = value("at").map_or(AT, |at| Time(at.parse().unwrap()));
    let original = value("original").map(|reference| Original {
        reference: reference.to_owned(),
        requested_at: AT,
        agreement: None,
    });
    let subject = value("serial").zip(value("operation")).map(|(serial, spec)| Subject {
        serial: serial.to_owned(),
        requested_at,
        original,
        operation: operation(spec),
    });
    let holder = value("serial").zip(value("holder"));
    let holder = holder.map(|(serial, words)| Holder::read(serial, requested_at, words));
    let mut exchanges = Vec::new();
    let mut title = String::new();
    for block in text.split("\n\n") {
        let lines = |mark: &str| {
            let marked = block.lines().filter_map(|line| line.strip_prefix(mark));
            marked.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
        };
        if let Some(line) = block.lines().find_map(|line| line.strip_prefix("ask ")) {
            let ask = ask(line, subject.as_ref(), holder.as_ref());
            let lacks = block.lines().filter_map(|line| line.strip_prefix("lacks ")?.split_once(": "));
            let lacks = lacks.map(|(word, reason)| (word.to_owned(), reason.to_owned())).collect();
            exchanges.push(Exchange { ask, lacks, request: lines(">"), cases: Vec::new() });
        }
        if let Some(line) = block.lines().find_map(|line| line.strip_prefix("# ")) {
            title = line.to_owned();
        }
        let raw = lines("<");
        if !raw.is_empty() {
            let (head, response) = response(&raw);
            let case = Case { title: title.clone(), shows: lines("shows"), head, response, expected: lines("=") };
            exchanges.last_mut().expect("something was asked before").cases.push(case);
        }
    }
    Fixture { path, settings, partial, channel, exchanges }
}

fn ask(line: &str, subject: Option<&Subject>, holder: Option<&Holder>) -> Ask {
    let words: Vec<&str> = line.split(' ').collect();
    let subject = || subject.cloned().expect("a fixture that asks has a serial and an operation");
    let holder = || holder.cloned().expect("a fixture that signs up has a serial and a holder");
    match words.as_slice() {
        ["do"] => Ask::Do(subject()),
        ["redirect"] => Ask::Redirect(subject()),
        ["query", nonce] => Ask::Query { subject: subject(), nonce: (*nonce).to_owned() },
        ["close", nonce] => Ask::Close { subject: subject(), nonce: (*nonce).to_owned() },
        ["returns", date, nonce] => Ask::Returns { date: (*date).to_owned(), nonce: (*nonce).to_owned() },
        ["sign-up"] => Ask::SignUp(holder()),
        ["confirm", code] => Ask::Confirm { holder: holder(), code: (*code).to_owned() },
        ["real-name"] => Ask::RealName(holder()),
        ["real-name-query", nonce] => Ask::RealNameQuery { holder: holder(), nonce: (*nonce).to_owned() },
        ["notify"] => Ask::Notify,
        other => panic!("{other:?} is not something to ask"),
    }
}

fn operation(spec: &str) -> Operation {
    let words: Vec<&str> = spec.split(' ').collect();
    let (currency, words) = words.split_last().unwrap();
    let (amount, words) = words.split_last().unwrap();
    let (amount, currency) = (amount.parse().unwrap(), Currency::parse(currency).unwrap());
    let redirect = |expires_at: &str, return_url: Option<&str>| {
        let (expires_at, return_url) = (Time(expires_at.parse().unwrap()), return_url.map(str::to_owned));
        Operation::Redirect { amount, currency, expires_at, return_url }
    };
    match words {
        ["redirect", expires_at] => redirect(expires_at, None),
        ["redirect", expires_at, return_url] => redirect(expires_at, Some(return_url)),
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

pub(crate) fn response(raw: &str) -> (Vec<(String, String)>, Response) {
    let (head, body) = raw.split_once("\n\n").expect("headers, an empty line, a body");
    let mut lines = head.lines();
    let status = lines.next().unwrap().parse().unwrap();
    let named = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    let head: Vec<_> = lines.map(named).collect();
    let headers: Headers = head.iter().cloned().collect();
    (head, Response { status, headers, body: body.as_bytes().to_vec() })
}

/// The request that a channel builds.
pub(crate) fn build(channel: &dyn Channel, ask: &Ask) -> Option<Result<Request, ChannelError>> {
    match ask {
        Ask::Do(subject) => Some(channel.build(&subject.attempt(), &open)),
        Ask::Redirect(subject) => Some(channel.build_redirect(&subject.attempt())),
        Ask::Query { subject, nonce } => Some(channel.build_query(&subject.about(), nonce)),
        Ask::Close { subject, nonce } => Some(channel.build_close(&subject.about(), nonce)),
        Ask::Returns { date, nonce } => Some(channel.build_returns(date.parse().unwrap(), nonce)),
        Ask::SignUp(holder) => Some(channel.build_sign_up(&holder.asks(), &open)),
        Ask::Confirm { holder, code } => {
            Some(channel.build_confirmation(&holder.asks(), &ark::Secret::from(code.as_str())))
        }
        Ask::RealName(holder) => Some(channel.build_real_name(&holder.checks(), &open)),
        Ask::RealNameQuery { holder, nonce } => {
            Some(channel.build_real_name_query(&holder.serial, holder.requested_at, nonce))
        }
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
    let request = build(channel, ask).map(Result::unwrap);
    judged_of(channel, ask, request.as_ref(), response)
}

/// The same of a request that was built already.
pub(crate) fn judged_of(channel: &dyn Channel, ask: &Ask, request: Option<&Request>, response: &Response) -> String {
    let request = || request.unwrap();
    match ask {
        Ask::Do(_) | Ask::Redirect(_) | Ask::Query { .. } | Ask::Close { .. } => {
            shown_answer(&channel.parse(request(), response))
        }
        Ask::Returns { .. } => match channel.returns(request(), response) {
            Ok(list) => {
                let list: Vec<_> = list.iter().map(shown_return).collect();
                format!("returns {}", list.join("; ")).trim_end().to_owned()
            }
            Err(error) => error.code().to_owned(),
        },
        Ask::SignUp(_) | Ask::Confirm { .. } => shown_signing(&channel.signed_up(request(), response)),
        Ask::RealName(_) | Ask::RealNameQuery { .. } => shown_check(&channel.real_name(request(), response)),
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

fn shown_signing(said: &SignedUp) -> String {
    match said {
        SignedUp::CodeSent => String::from("code_sent"),
        SignedUp::Signed { agreement } => format!("signed {agreement}"),
        SignedUp::Refused { class, code } => format!("refused {} {code}", class.name()),
        SignedUp::Unknown => String::from("unknown"),
    }
}

fn shown_check(said: &RealNameSaid) -> String {
    match said {
        RealNameSaid::Matched => String::from("matched"),
        RealNameSaid::Refused { class, code } => format!("refused {} {code}", class.name()),
        RealNameSaid::Pending => String::from("pending"),
        RealNameSaid::NotFound => String::from("not_found"),
        RealNameSaid::Unknown => String::from("unknown"),
    }
}

/// What an answer settles: one that is not believed settles as little as one that proves nothing.
pub(crate) fn settled(answer: Answer) -> Answer {
    if matches!(answer, Answer::Disbelieved(_)) { Answer::Unknown } else { answer }
}

/// A success: with the part, where that is what was done.
pub(crate) fn shown_success(reference: &str, clearing_date: Date, part: Option<Minor>) -> String {
    let part = part.map_or_else(String::new, |part| format!(" part {part}"));
    format!("success {reference} {clearing_date}{part}")
}

fn shown_answer(answer: &Answer) -> String {
    match answer {
        Answer::Success { reference, clearing_date, part } => shown_success(reference, *clearing_date, *part),
        Answer::Pending => String::from("pending"),
        Answer::Declined { class, code } => format!("declined {} {code}", class.name()),
        Answer::Closed => String::from("closed"),
        Answer::NotFound => String::from("not_found"),
        // Believed or not, they settle the same: nothing.
        Answer::Unknown | Answer::Disbelieved(_) => String::from("unknown"),
    }
}
