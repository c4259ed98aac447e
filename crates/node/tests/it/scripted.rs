//! A bank that answers by script: the requests are the sandbox bank's own, an answer is one word in the response's body.

use std::sync::{Arc, LazyLock};

use ark::Vault;
use channels::{
    About, Answer, Channel, ChannelError, Headers, Manifest, Notification, Open, Request, Response, Return,
    StatementPart, Try, Verified,
};
use domain::attempt::{Attempt, AttemptStatus, FailureClass, Operation, Outcome, Purpose, Rail, SEND_WITHIN_MS};
use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::{AttemptId, LegId};
use domain::money::Currency;
use domain::outflow::Disagreement;
use node::executor::{Call, Flight, Patience, Seen, Step};

/// When every attempt here was requested: half past ten in Shanghai.
pub(crate) const REQUESTED: Time = Time(1_772_677_800_000);
/// The epoch it was requested in.
pub(crate) const EPOCH: u64 = 4;
/// The key shared with the bank.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// Distances between queries.
pub(crate) const PATIENCE: Patience = Patience { first_ms: 100, max_ms: 1_500 };

/// The sandbox bank itself.
pub(crate) fn sandbox_bank() -> Arc<dyn Channel> {
    let config = serde_json::json!({ "rail": "epcc", "institution": "lintel", "key": KEY });
    channels::registry::by_name("sandbox_bank", &config).unwrap()
}

/// The sandbox bank with scripted answers.
#[derive(Debug)]
struct Scripted(Arc<dyn Channel>);

/// The channel of the scripts.
pub(crate) fn scripted() -> Arc<dyn Channel> {
    Arc::new(Scripted(sandbox_bank()))
}

/// The last moment at which "not found" is not believed.
pub(crate) fn settled_at() -> Time {
    REQUESTED.plus_ms(SEND_WITHIN_MS + sandbox_bank().manifest().settle_delay_ms)
}

/// A vault for debits, which open no field: its files may go.
static VAULT: LazyLock<Arc<Vault>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    Arc::new(Vault::open_with_key_file(directory.path()).unwrap())
});

/// A debit, requested in [`EPOCH`].
pub(crate) fn attempt(status: AttemptStatus) -> Attempt {
    let operation = Operation::Debit { agreement: "AGR-0007".into(), amount: 500_000, currency: Currency::Cny };
    Attempt {
        id: AttemptId(42),
        rail: Rail::Epcc,
        operation,
        purpose: Purpose::Leg(LegId(1)),
        epoch: EPOCH,
        requested_at: REQUESTED,
        send_before: REQUESTED.plus_ms(SEND_WITHIN_MS),
        status,
        cleared: None,
        page_site: None,
        channel: None,
    }
}

/// The response that says a word.
pub(crate) fn says(word: &str) -> Call {
    Call::Answered(Response { status: 200, headers: Headers::default(), body: word.as_bytes().to_vec() })
}

/// How a call of this name ends; `silent` is one whose end nobody tells.
pub(crate) fn call(word: &str) -> Option<Call> {
    match word {
        "lost" => Some(Call::Lost),
        "not_written" => Some(Call::NotWritten),
        "silent" => None,
        word => Some(says(word)),
    }
}

/// Whether a request asks what became of the operation, in place of doing it.
pub(crate) fn is_query(request: &Request) -> bool {
    request.path.ends_with("/query")
}

/// A step in a few words.
pub(crate) fn shown(step: &Step) -> String {
    match step {
        Step::Send(request) if is_query(request) => "query".into(),
        Step::Send(_) => "send".into(),
        Step::Report(Outcome::Success { .. }) => "report success".into(),
        Step::Report(Outcome::Declined { class, code }) => format!("report declined {} {code}", class.name()),
        Step::Report(Outcome::NotFound) => "report not_found".into(),
        Step::Report(Outcome::Unknown) => "report unknown".into(),
        Step::Wait { ms } => format!("wait {ms}"),
        Step::Done => "done".into(),
    }
}

/// A flight and the time it is flown at.
pub(crate) struct Pilot {
    pub(crate) flight: Flight,
    pub(crate) now: Time,
    nonces: u64,
}

impl Pilot {
    /// A flight of `attempt` over `channel`, for the leader of `epoch`, as of [`REQUESTED`].
    pub(crate) fn new(attempt: Attempt, channel: Arc<dyn Channel>, epoch: u64) -> Self {
        Self::seeing(attempt, Ok(()), channel, epoch)
    }

    /// The same, where this is whether the books agree.
    pub(crate) fn seeing(
        attempt: Attempt,
        agreed: Result<(), Disagreement>,
        channel: Arc<dyn Channel>,
        epoch: u64,
    ) -> Self {
        Self::looking(attempt, Seen { original: None, agreed, stopped: false, closing: false }, channel, epoch)
    }

    /// The same, where this is all that the books say.
    pub(crate) fn looking(attempt: Attempt, seen: Seen, channel: Arc<dyn Channel>, epoch: u64) -> Self {
        let flight = Flight::new(attempt, seen, channel, VAULT.clone(), epoch, PATIENCE);
        Self { flight, now: REQUESTED, nonces: 0 }
    }

    /// One step now; every call has another nonce.
    pub(crate) fn step(&mut self) -> Step {
        self.nonces += 1;
        self.flight.step(self.now, &format!("nonce-{:016}", self.nonces))
    }

    /// Steps until calls have ended as `script` says, in order, or the flight is done; waits pass at once.
    pub(crate) fn fly(&mut self, script: &str) -> String {
        let mut script = script.split_whitespace();
        let mut seen = Vec::new();
        loop {
            let step = self.step();
            seen.push(shown(&step));
            match step {
                Step::Send(_) => {
                    let Some(word) = script.next() else { return seen.join(", ") };
                    if let Some(call) = call(word) {
                        self.flight.ended(call);
                    }
                    if word == "not_written" {
                        self.now = self.now.plus_ms(i64::try_from(self.flight.retry_ms()).unwrap());
                    }
                }
                Step::Report(outcome) => self.flight.reported(&outcome),
                Step::Wait { ms } => self.now = self.now.plus_ms(i64::try_from(ms).unwrap()),
                Step::Done => return seen.join(", "),
            }
        }
    }
}

impl Channel for Scripted {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn build(&self, attempt: &Try<'_>, open: Open<'_>) -> Result<Request, ChannelError> {
        self.0.build(attempt, open)
    }

    fn build_query(&self, about: &About<'_>, nonce: &str) -> Result<Request, ChannelError> {
        self.0.build_query(about, nonce)
    }

    fn parse(&self, _: &Request, response: &Response) -> Answer {
        match response.body.as_slice() {
            b"success" => {
                Answer::Success { reference: "B42".into(), clearing_date: Date::in_shanghai(REQUESTED), part: None }
            }
            b"declined" => Answer::Declined { class: FailureClass::User, code: "10000001".into() },
            b"pending" => Answer::Pending,
            b"not_found" => Answer::NotFound,
            b"unknown" => Answer::Unknown,
            other => panic!("{other:?} is no word of a script"),
        }
    }

    fn build_statement(&self, date: Date, part: u32, nonce: &str) -> Result<Request, ChannelError> {
        self.0.build_statement(date, part, nonce)
    }

    fn statement(&self, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
        self.0.statement(file)
    }

    fn build_returns(&self, date: Date, nonce: &str) -> Result<Request, ChannelError> {
        self.0.build_returns(date, nonce)
    }

    fn returns(&self, request: &Request, response: &Response) -> Result<Verified<Vec<Return>>, ChannelError> {
        self.0.returns(request, response)
    }

    fn notify(&self, headers: &Headers, raw: &[u8]) -> Result<Verified<Notification>, ChannelError> {
        self.0.notify(headers, raw)
    }
}
