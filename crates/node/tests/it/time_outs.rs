//! Time-outs over every registered channel, from its fixtures: before a request was written the same bytes go again, after it only
//! queries do, and each of their answers settles what it proves and nothing else. What moves no money (sign-ups, real-name checks, lists)
//! is lost over TCP: `lost_answers.rs` and `downloads.rs` of the server's tests.

use std::sync::Arc;

use ark::{CertificateType, CustomerId, Field, Identity, Vault};
use channels::registry::CHANNELS;
use domain::attempt::{Attempt, AttemptStatus, Operation, Outcome, Purpose, attempt_of_serial};
use domain::ids::LegId;
use domain::sealed::Sealed;
use node::executor::{Call, Flight, Seen, Step};
use node::fields::{self, BANK_ACCOUNT, BANK_ACCOUNT_NAME};
use tempfile::TempDir;

use crate::fixture::{self, Ask, Case, Fixture, Subject};
use crate::scripted::{EPOCH, PATIENCE};

/// Whom payments go to, in a vault.
struct Payee {
    vault: Arc<Vault>,
    customer: CustomerId,
    _files: TempDir,
}

impl Payee {
    fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::open_with_key_file(files.path()).unwrap());
        let identity = Identity::new(CertificateType::ResidentIdentity, &"990101190001010001".into()).unwrap();
        let customer = vault.get_or_create(&identity).unwrap().id();
        Self { vault, customer, _files: files }
    }

    /// A field of a fixture, as the vault seals it.
    fn sealed(&self, field: Field, text: &Sealed) -> Sealed {
        fields::seal(&self.vault, self.customer, field, &fixture::open(text).unwrap()).unwrap()
    }
}

/// The attempt that a fixture tells of; the page of a redirect was handed out.
fn attempt(fixture: &Fixture, subject: &Subject, payee: &Payee) -> Attempt {
    let mut operation = subject.operation.clone();
    if let Operation::Pay { account, name, .. } = &mut operation {
        *account = payee.sealed(BANK_ACCOUNT, account);
        *name = payee.sealed(BANK_ACCOUNT_NAME, name);
    }
    let status = match operation {
        Operation::Redirect { .. } => AttemptStatus::Unknown,
        Operation::Pay { .. }
        | Operation::Debit { .. }
        | Operation::Refund { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::FundBatch { .. } => AttemptStatus::Requested,
    };
    let attempt = Attempt {
        id: attempt_of_serial(&subject.serial).unwrap(),
        rail: fixture.channel.manifest().rail,
        send_before: operation.send_before(subject.requested_at),
        operation,
        purpose: Purpose::Leg(LegId(1)),
        epoch: EPOCH,
        requested_at: subject.requested_at,
        status,
        cleared: None,
        page_site: None,
        channel: None,
    };
    assert_eq!(attempt.serial(), subject.serial, "{}", fixture.path.display());
    attempt
}

fn sent(step: Step) -> channels::Request {
    match step {
        Step::Send(request) => request,
        other @ (Step::Report(_) | Step::Wait { .. } | Step::Done) => panic!("{other:?} where a request should be"),
    }
}

/// A flight whose request was lost on the way, and that has just been asked about, or closed, at `asked_ms` after its last moment.
fn asked_about(
    fixture: &Fixture,
    (subject, nonce, closes): (&Subject, &str, bool),
    request: &str,
    asked_ms: i64,
    payee: &Payee,
) -> Flight {
    let attempt = attempt(fixture, subject, payee);
    let (begun, late) = (attempt.requested_at, attempt.send_before.plus_ms(asked_ms));
    let (original, channel) = (subject.original.clone(), fixture.channel.clone());
    // What a payer's browser sends, it sends without the platform.
    let by_payer = attempt.status == AttemptStatus::Unknown;
    let seen = Seen { original, agreed: Ok(()), stopped: false, closing: false };
    let mut flight = Flight::new(attempt, seen, channel, payee.vault.clone(), EPOCH, PATIENCE);
    if closes {
        flight.close();
    }
    let first = (!by_payer).then(|| {
        let first = sent(flight.step(begun, nonce));
        assert_eq!(fixture::shown_request(&first), done(fixture), "{}", fixture.path.display());
        flight.ended(Call::NotWritten);
        let again = sent(flight.step(begun, nonce));
        assert_eq!((&first.path, first.body()), (&again.path, again.body()), "{}", fixture.path.display());
        flight.ended(Call::Lost);
        assert!(matches!(flight.step(begun, nonce), Step::Report(Outcome::Unknown)));
        flight.reported(&Outcome::Unknown);
        first
    });
    assert!(matches!(flight.step(begun, nonce), Step::Wait { .. }));
    let query = sent(flight.step(late, nonce));
    // What a query names besides has the nonce of its own in some formats, and the fixture's is this one.
    assert_eq!(fixture::shown_request(&query), request.trim_end(), "{}", fixture.path.display());
    let same = first.is_some_and(|first| (first.path.as_str(), first.body()) == (query.path.as_str(), query.body()));
    assert!(!same, "{}", fixture.path.display());
    flight
}

/// The request that a conversation shows of the operation itself.
fn done(fixture: &Fixture) -> &str {
    let exchange = fixture.exchanges.iter().find(|exchange| matches!(exchange.ask, Ask::Do(_)));
    exchange.unwrap_or_else(|| panic!("{} asks without doing", fixture.path.display())).request.trim_end()
}

fn settled(flight: &mut Flight, case: &Case) -> String {
    flight.ended(Call::Answered(case.response.clone()));
    let last = flight.attempt().send_before.plus_ms(i64::from(u32::MAX));
    match flight.step(last, "0123456789abcdef") {
        Step::Report(Outcome::Success { reference, clearing_date, part }) => {
            fixture::shown_success(&reference, clearing_date, part)
        }
        Step::Report(Outcome::Declined { class, code }) => format!("declined {} {code}", class.name()),
        Step::Report(Outcome::NotFound) => String::from("not_found"),
        Step::Wait { .. } => String::from("asks again"),
        other @ (Step::Report(Outcome::Unknown) | Step::Send(_) | Step::Done) => {
            panic!("{other:?} after an answer to a query")
        }
    }
}

#[test]
fn what_was_lost_is_asked_about_until_an_answer_proves_something() {
    let payee = Payee::new();
    let (mut flown, mut paid_out) = (0, 0);
    for fixture in CHANNELS.iter().flat_map(fixture::of) {
        let settle_ms = fixture.channel.manifest().settle_delay_ms;
        for exchange in &fixture.exchanges {
            let asked = match &exchange.ask {
                Ask::Query { subject, nonce } => (subject, nonce.as_str(), false),
                Ask::Close { subject, nonce } => (subject, nonce.as_str(), true),
                Ask::Do(_) | Ask::Redirect(_) | Ask::Returns { .. } | Ask::Notify => continue,
                Ask::SignUp(_) | Ask::Confirm { .. } | Ask::RealName(_) | Ask::RealNameQuery { .. } => continue,
            };
            for case in &exchange.cases {
                for (asked_ms, conclusive) in [(settle_ms, false), (settle_ms + 1, true)] {
                    let mut flight = asked_about(&fixture, asked, &exchange.request, asked_ms, &payee);
                    let expected = match case.expected.as_str() {
                        "pending" | "unknown" => "asks again",
                        "not_found" if !conclusive => "asks again",
                        // The channel's own last word, whenever it was asked.
                        "closed" => "not_found",
                        expected => expected,
                    };
                    assert_eq!(settled(&mut flight, case), expected, "{}: {}", fixture.path.display(), case.title);
                    flown += 1;
                    paid_out += u32::from(matches!(asked.0.operation, Operation::Pay { .. }));
                }
            }
        }
    }
    assert!(flown > 100 && paid_out > 50, "{flown}, {paid_out} of them payments out");
}
