//! What every channel must do, whatever its format.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use channels::registry::{CHANNELS, Entry};
use channels::{Answer, Channel, ChannelError, Doubt, Headers, OperationKind, Original, Request, Response, Try};
use domain::attempt::{Operation, Rail};
use domain::fund_batch::FundRoute;
use domain::money::Currency;
use serde_json::Value;

use crate::fixture::{self, AT, Ask, Case, Fixture, sealed};
use crate::real_name::checks_names;
use crate::words::{ASKED, CHECKED, FOUND, QUERIED, RETURNED, SIGNED, TOLD, proves, unbelieved};

fn fixtures() -> impl Iterator<Item = Fixture> {
    CHANNELS.iter().flat_map(fixture::of)
}

#[test]
fn requests_are_the_golden_bytes_every_time() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            for _ in 0..2 {
                let Some(request) = fixture::build(&*fixture.channel, &exchange.ask) else { continue };
                let shown = fixture::shown_request(&request.unwrap());
                assert_eq!(shown, exchange.request.trim_end(), "{}", fixture.path.display());
            }
        }
    }
}

#[test]
fn responses_prove_what_the_fixture_says() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            for case in &exchange.cases {
                let judged = fixture::judged(&*fixture.channel, &exchange.ask, &case.response);
                assert_eq!(judged, case.expected, "{}: {}", fixture.path.display(), case.title);
            }
        }
    }
}

/// One bit of any byte of the body, or of a header that the fixture shows, or an end that is missing, and nothing is believed any more.
#[test]
fn a_message_that_was_touched_is_not_believed() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            let refused = unbelieved(&exchange.ask);
            let request = fixture::build(&*fixture.channel, &exchange.ask).map(Result::unwrap);
            for case in &exchange.cases {
                for touched in touched(case) {
                    let judged = fixture::judged_of(&*fixture.channel, &exchange.ask, request.as_ref(), &touched);
                    assert_eq!(judged, refused, "{}: {}", fixture.path.display(), case.title);
                }
                // A list is as long as its day: it may break off anywhere.
                let step = if matches!(exchange.ask, Ask::Returns { .. }) { 1 } else { 16 };
                for end in (1..case.response.body.len()).step_by(step) {
                    let cut = Response { body: case.response.body[..end].to_vec(), ..case.response.clone() };
                    let judged = fixture::judged_of(&*fixture.channel, &exchange.ask, request.as_ref(), &cut);
                    assert_eq!(judged, refused, "{}: {}, cut at {end}", fixture.path.display(), case.title);
                }
            }
        }
    }
}

/// The case with something of it changed. A fixture shows the headers that are part of what is signed, and no others.
fn touched(case: &Case) -> Vec<Response> {
    let response = &case.response;
    let mut all = vec![Response { body: Vec::new(), ..response.clone() }];
    for (name, value) in &case.head {
        let flipped = if value.starts_with('0') { "1" } else { "0" };
        for changed in [format!("{flipped}{}", &value[1..]), format!("{value}0"), String::from("not hexadecimal")] {
            let head = case.head.iter().map(|(other, kept)| (other, if other == name { &changed } else { kept }));
            let headers: Headers = head.map(|(name, value)| (name.clone(), value.clone())).collect();
            all.push(Response { headers, ..response.clone() });
        }
        let without: Headers = case.head.iter().filter(|(other, _)| other != name).cloned().collect();
        all.push(Response { headers: without, ..response.clone() });
    }
    for index in 0..response.body.len() {
        let mut body = response.body.clone();
        body[index] ^= 1;
        all.push(Response { body, ..response.clone() });
    }
    all
}

#[test]
fn cases_prove_what_they_say_they_show() {
    for fixture in fixtures() {
        let cases = fixture.exchanges.iter().flat_map(|it| it.cases.iter().map(move |case| (&it.ask, case)));
        for (ask, case) in cases.filter(|(_, case)| !case.shows.is_empty()) {
            let signs = matches!(ask, Ask::SignUp(_) | Ask::Confirm { .. });
            let fits = proves(&case.shows, signs).iter().any(|start| case.expected.starts_with(start));
            assert!(fits, "{}: {}: {} is not {}", fixture.path.display(), case.title, case.expected, case.shows);
            let (in_part, none) = (case.expected.contains(" part "), case.expected == "returns");
            assert_eq!(in_part, case.shows == "part", "{}: {}", fixture.path.display(), case.title);
            assert_eq!(none, case.shows == "none", "{}: {}", fixture.path.display(), case.title);
            let twice = case.shows == "twice";
            assert!(!twice || case.expected.contains("; "), "{}: {}", fixture.path.display(), case.title);
        }
    }
}

/// Who watches is told what is an alarm from what is merely not known: somebody else signed, or the channel signed about something
/// else. What it says in the form of its answers is neither.
#[test]
fn what_is_not_believed_is_told_from_what_is_not_known() {
    let mut told = 0;
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            // No answer to a payment: nothing of it is settled or not.
            let signs = matches!(exchange.ask, Ask::SignUp(_) | Ask::Confirm { .. });
            let checks = matches!(exchange.ask, Ask::RealName(_) | Ask::RealNameQuery { .. });
            if signs || checks || matches!(exchange.ask, Ask::Redirect(_) | Ask::Returns { .. } | Ask::Notify) {
                continue;
            }
            let request = fixture::build(&*fixture.channel, &exchange.ask).unwrap().unwrap();
            for case in &exchange.cases {
                let answer = fixture.channel.parse(&request, &case.response);
                let fits = match (case.shows.as_str(), &answer) {
                    ("forged", Answer::Disbelieved(doubt)) => *doubt == Doubt::Unsigned,
                    ("wrong-amount", answer) => *answer == Answer::Disbelieved(Doubt::Foreign),
                    ("wrong-merchant", answer) => matches!(answer, Answer::Disbelieved(_)),
                    // A form without such a word for a currency is not read at all.
                    ("wrong-currency", answer) => {
                        matches!(answer, Answer::Disbelieved(Doubt::Foreign) | Answer::Unknown)
                    }
                    ("forged", _) => false,
                    ("" | "contradiction" | "replayed", _) => continue,
                    (_, answer) => !matches!(answer, Answer::Disbelieved(_)),
                };
                assert!(fits, "{}: {}: {answer:?} for {}", fixture.path.display(), case.title, case.shows);
                told += usize::from(matches!(answer, Answer::Disbelieved(_)));
            }
        }
    }
    assert!(told > 50, "{told}");
}

/// A channel without fixtures, or with one operation of its manifest that is not shown whole under each of its configurations, fails
/// here.
#[test]
fn every_operation_of_the_manifest_is_shown_whole() {
    for entry in CHANNELS {
        let (whole, partial): (Vec<_>, Vec<_>) =
            configurations(entry).into_iter().partition(|fixtures| fixtures.iter().all(|it| it.partial.is_none()));
        assert!(!whole.is_empty(), "{}: no configuration is shown whole", entry.name);
        for fixtures in &whole {
            operations_are_shown(fixtures);
            dialogues_are_shown(fixtures);
        }
        whole.iter().chain(&partial).for_each(|fixtures| parts_are_shown(fixtures));
        // What a word of the settings changes is shown; who changes more has another configuration, to be shown whole.
        for fixtures in partial {
            let settings = &fixtures[0].settings;
            let alike = whole.iter().any(|other| differing(settings, &other[0].settings) == 1);
            let said = fixtures.iter().all(|it| it.partial.as_ref().is_some_and(|reason| !reason.is_empty()));
            assert!(alike && said, "{}: it differs in more than one setting, or no reason is said", path_of(&fixtures));
        }
        let channel = &*whole[0][0].channel;
        let manifest = channel.manifest();
        let files = fixture::files(entry.name, "clr").len();
        assert_eq!(files > 0, manifest.statement, "{}: {files} clearing files", entry.name);
        assert_eq!(signs_up(channel), manifest.sign_ups, "{}", entry.name);
        assert_eq!(checks_names(channel), manifest.real_name_checks, "{}", entry.name);
        assert_eq!(lists_returns(channel), manifest.lists_returns, "{}", entry.name);
        if !manifest.statement {
            let request = channel.build_statement("2026-03-05".parse().unwrap(), 1, "0123456789abcdef");
            assert!(matches!(request, Err(ChannelError::NoStatement { .. })));
        }
    }
}

/// The conversations of a channel, those of one configuration together.
fn configurations(entry: &Entry) -> Vec<Vec<Fixture>> {
    let mut all: Vec<Vec<Fixture>> = Vec::new();
    for fixture in fixture::of(entry) {
        match all.iter_mut().find(|known| known[0].settings == fixture.settings) {
            Some(known) => known.push(fixture),
            None => all.push(vec![fixture]),
        }
    }
    all
}

/// In how many settings two configurations differ.
fn differing(one: &Value, other: &Value) -> usize {
    let (one, other) = (one.as_object().unwrap(), other.as_object().unwrap());
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).count()
}

fn path_of(fixtures: &[Fixture]) -> String {
    fixtures[0].path.display().to_string()
}

/// Fails if one of these words is neither shown by a case of what is `asked` nor said to be lacking there.
fn shown(fixtures: &[Fixture], words: &[&str], what: &str, asked: &dyn Fn(&Ask) -> bool) {
    let all = fixtures.iter().flat_map(|fixture| &fixture.exchanges);
    let exchanges: Vec<_> = all.filter(|exchange| asked(&exchange.ask)).collect();
    let is_shown = |word: &str| exchanges.iter().any(|exchange| exchange.cases.iter().any(|case| case.shows == word));
    let is_lacking =
        |word: &str| exchanges.iter().any(|exchange| exchange.lacks.iter().any(|(lacked, _)| lacked == word));
    let missing: Vec<_> = words.iter().filter(|word| !is_shown(word) && !is_lacking(word)).collect();
    assert!(missing.is_empty(), "{} and beside it: no case of {what} shows {missing:?}", path_of(fixtures));
}

/// What is asked, queried and closed of each operation.
fn operations_are_shown(fixtures: &[Fixture]) {
    let channel = &*fixtures[0].channel;
    for supported in channel.manifest().operations {
        let kind = supported.kind;
        let of_kind = |ask: &Ask| ask.subject().is_some_and(|subject| subject.about().kind == kind);
        if kind == OperationKind::Redirect {
            let mut exchanges = fixtures.iter().flat_map(|fixture| &fixture.exchanges);
            let page = exchanges.any(|exchange| matches!(exchange.ask, Ask::Redirect(_)));
            assert!(page, "{} and beside it: none with `ask redirect`", path_of(fixtures));
        } else {
            shown(fixtures, &ASKED, kind.name(), &|ask| of_kind(ask) && matches!(ask, Ask::Do(_)));
        }
        let queried = |ask: &Ask| of_kind(ask) && matches!(ask, Ask::Query { .. });
        shown(fixtures, &QUERIED, &format!("queries of {}", kind.name()), &queried);
        if closes(channel, kind) {
            let closes: Vec<_> = QUERIED.into_iter().chain(["closed"]).collect();
            let what = format!("closes of {}", kind.name());
            shown(fixtures, &closes, &what, &|ask| of_kind(ask) && matches!(ask, Ask::Close { .. }));
            shown(fixtures, &["closed"], &format!("queries of {}", kind.name()), &queried);
        }
    }
}

/// By its settings a channel may do a part of an operation: then a part is shown, of what is asked and of what is queried.
fn parts_are_shown(fixtures: &[Fixture]) {
    let manifest = fixtures[0].channel.manifest();
    for kind in manifest.operations.iter().map(|supported| supported.kind) {
        if !manifest.takes_part(kind, 2, 1) {
            continue;
        }
        let of_kind = |ask: &Ask| ask.subject().is_some_and(|subject| subject.about().kind == kind);
        shown(fixtures, &["part"], kind.name(), &|ask| of_kind(ask) && matches!(ask, Ask::Do(_)));
        let queries = format!("queries of {}", kind.name());
        shown(fixtures, &["part"], &queries, &|ask| of_kind(ask) && matches!(ask, Ask::Query { .. }));
    }
}

/// What is told, lists of returns, the signing of agreements, and real-name checks.
fn dialogues_are_shown(fixtures: &[Fixture]) {
    let manifest = fixtures[0].channel.manifest();
    if manifest.notifies {
        let pays = manifest.supported(OperationKind::Pay).map(|_| "returned");
        let words: Vec<_> = TOLD.into_iter().chain(pays).collect();
        shown(fixtures, &words, "notifications", &|ask| matches!(ask, Ask::Notify));
    }
    if manifest.lists_returns {
        shown(fixtures, &RETURNED, "lists of returns", &|ask| matches!(ask, Ask::Returns { .. }));
    }
    if manifest.sign_ups {
        shown(fixtures, &SIGNED, "sign-ups", &|ask| matches!(ask, Ask::SignUp(_)));
        shown(fixtures, &SIGNED, "codes that are brought", &|ask| matches!(ask, Ask::Confirm { .. }));
    }
    if manifest.real_name_checks {
        shown(fixtures, &CHECKED, "real-name checks", &|ask| matches!(ask, Ask::RealName(_)));
        shown(fixtures, &FOUND, "queries of real-name checks", &|ask| matches!(ask, Ask::RealNameQuery { .. }));
    }
}

/// What the manifest names and no fixture shows does not pass.
#[test]
fn a_dialogue_without_its_fixtures_fails() {
    let kinds: [fn(&Ask) -> bool; 6] = [
        |ask| matches!(ask, Ask::Returns { .. }),
        |ask| matches!(ask, Ask::Notify),
        |ask| matches!(ask, Ask::SignUp(_)),
        |ask| matches!(ask, Ask::Confirm { .. }),
        |ask| matches!(ask, Ask::RealName(_)),
        |ask| matches!(ask, Ask::RealNameQuery { .. }),
    ];
    let mut failed = 0;
    for (entry, is_it) in CHANNELS.iter().flat_map(|entry| kinds.map(|kind| (entry, kind))) {
        let mut fixtures = fixture::of(entry);
        let had = fixtures.iter().flat_map(|fixture| &fixture.exchanges).any(|exchange| is_it(&exchange.ask));
        fixtures.iter_mut().for_each(|fixture| fixture.exchanges.retain(|exchange| !is_it(&exchange.ask)));
        let shown = catch_unwind(AssertUnwindSafe(|| dialogues_are_shown(&fixtures)));
        assert_eq!(shown.is_err(), had, "{}", entry.name);
        failed += usize::from(had);
    }
    assert!(failed > 10, "{failed}");
}

/// A format may have no word for an amount or a currency, and nothing else may be lacking. Then no case shows it, there is no currency
/// but one, and what names no amount never says "done".
#[test]
fn what_a_conversation_lacks_its_answers_cannot_have() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            for (word, reason) in &exchange.lacks {
                let place = format!("{}: lacks {word}", fixture.path.display());
                assert!(!reason.is_empty(), "{place}: why?");
                assert!(exchange.cases.iter().all(|case| case.shows != *word), "{place}, and shows it");
                let true_of_it = match word.as_str() {
                    "wrong-currency" => fixture.channel.manifest().currencies.len() == 1,
                    "wrong-amount" => exchange.cases.iter().all(|case| !case.expected.starts_with("success")),
                    _ => false,
                };
                assert!(true_of_it, "{place}: {reason}");
            }
        }
    }
}

/// Whether a channel ends such a page: one that does not only asks what became of it.
fn closes(channel: &dyn Channel, kind: OperationKind) -> bool {
    let nonce = "0123456789abcdef";
    let operations = one_of_each(1, Currency::Cny);
    let operation = operations.iter().find(|operation| OperationKind::of(operation) == kind).unwrap();
    let about = tried(SERIAL, operation).about();
    let (query, close) = (channel.build_query(&about, nonce).unwrap(), channel.build_close(&about, nonce).unwrap());
    (query.path.as_str(), query.body()) != (close.path.as_str(), close.body())
}

/// Whether a channel asks for the payments that came back on a day; one that does not refuses by name.
fn lists_returns(channel: &dyn Channel) -> bool {
    let date = "2026-03-05".parse().unwrap();
    match channel.build_returns(date, "0123456789abcdef") {
        Ok(_) => matches!(channel.build_returns(date, "short"), Err(ChannelError::Nonce(_))),
        Err(error) => {
            assert!(matches!(error, ChannelError::Unsupported { kind: OperationKind::Pay, .. }), "{error}");
            false
        }
    }
}

/// Whether a channel builds the request for a code; one that does not refuses by name.
fn signs_up(channel: &dyn channels::Channel) -> bool {
    let sealed = domain::sealed::Sealed {
        ciphertext: b"6222020200112230".to_vec(),
        key: 1,
        mask: String::from("*"),
        class: domain::sealed::DataClass::C2,
    };
    let asked = channels::SignUp {
        serial: "2026030590000000000000010000001",
        requested_at: domain::envelope::Time(1_772_676_000_000),
        bank: "102100099996",
        credit: false,
        account: &sealed,
        name: &sealed,
        certificate: &sealed,
        phone: &sealed,
    };
    let open =
        |sealed: &domain::sealed::Sealed| Ok(ark::Secret::new(String::from_utf8_lossy(&sealed.ciphertext).into()));
    match channel.build_sign_up(&asked, &open) {
        Ok(_) => channel.build_confirmation(&asked, &ark::Secret::from("123456")).is_ok(),
        Err(error) => {
            assert_eq!(error.code(), "channel_no_sign_up", "{error}");
            let confirmation = channel.build_confirmation(&asked, &ark::Secret::from("123456"));
            assert_eq!(confirmation.unwrap_err().code(), "channel_no_sign_up");
            false
        }
    }
}

/// A channel keeps nothing between two messages: whatever came before, an answer proves what it proves alone. That two
/// answers contradict each other is for the books to see, which settle an attempt once.
#[test]
fn answers_twice_or_after_their_contradiction_prove_the_same() {
    for fixture in fixtures() {
        for exchange in &fixture.exchanges {
            let request = fixture::build(&*fixture.channel, &exchange.ask).map(Result::unwrap);
            let judge =
                |case: &Case| fixture::judged_of(&*fixture.channel, &exchange.ask, request.as_ref(), &case.response);
            for other in &exchange.cases {
                for case in &exchange.cases {
                    assert_eq!((judge(other), judge(case)), (other.expected.clone(), case.expected.clone()));
                }
            }
        }
    }
}

/// The same notification again is the same event; what says another thing of the same operation is another one.
#[test]
fn a_notification_played_again_has_the_same_id() {
    for fixture in fixtures() {
        let mut seen: Vec<(String, String, Vec<u8>)> = Vec::new();
        for exchange in fixture.exchanges.iter().filter(|exchange| matches!(exchange.ask, Ask::Notify)) {
            for case in &exchange.cases {
                let told = || fixture.channel.notify(&case.response.headers, &case.response.body);
                let (Ok(first), Ok(again)) = (told(), told()) else { continue };
                assert_eq!(*first, *again, "{}: {}", fixture.path.display(), case.title);
                seen.push((first.id.clone(), format!("{:?}", first.event), case.response.body.clone()));
            }
        }
        for (id, event, body) in &seen {
            let other = seen.iter().find(|(other, told, _)| other == id && told != event);
            assert!(other.is_none(), "{id} is two events: {}", String::from_utf8_lossy(body));
        }
    }
}

const SERIAL: &str = "2026030500000000000000420000042";

/// A try that refers to one that succeeded.
fn tried<'a>(serial: &'a str, operation: &'a Operation) -> Try<'a> {
    static ORIGINAL: LazyLock<Original> = LazyLock::new(|| Original {
        reference: String::from("472603051000000000018-1"),
        requested_at: AT,
        agreement: None,
    });
    Try { serial, requested_at: AT, operation, original: Some(&ORIGINAL) }
}

/// In the order of [`OperationKind::ALL`].
fn one_of_each(amount: i64, currency: Currency) -> [Operation; 8] {
    let original = || SERIAL.to_owned();
    [
        Operation::Debit { agreement: format!("{SERIAL}-1"), amount, currency },
        Operation::Refund { original: original(), amount, currency },
        Operation::Pay { account: sealed("6222020200112233445"), name: sealed("name"), amount, currency, bank: None },
        Operation::FundHold { contract: original(), amount, currency },
        Operation::FundCapture { original: original(), amount, currency },
        Operation::FundRelease { original: original(), amount, currency },
        Operation::FundBatch {
            contract: original(),
            period: String::from("2026-03"),
            route: FundRoute::Reserve,
            amount,
            currency,
        },
        Operation::Redirect { amount, currency, expires_at: AT.plus_ms(900_000), return_url: None },
    ]
}

/// The request of an operation: the platform's, or the payer's.
fn request(channel: &dyn Channel, operation: &Operation) -> Result<Request, ChannelError> {
    let attempt = tried(SERIAL, operation);
    match operation {
        Operation::Redirect { .. } => channel.build_redirect(&attempt),
        Operation::Debit { .. }
        | Operation::Refund { .. }
        | Operation::Pay { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::FundBatch { .. } => channel.build(&attempt, &fixture::open),
    }
}

#[test]
fn what_the_manifest_does_not_name_fails_before_it_is_sent() {
    for entry in CHANNELS {
        let channel = fixture::of(entry).remove(0).channel;
        let manifest = channel.manifest();
        let build = |operation: &Operation| request(&*channel, operation);
        for operation in one_of_each(1, Currency::Cny) {
            let kind = OperationKind::of(&operation);
            let query = channel.build_query(&tried(SERIAL, &operation).about(), "0123456789abcdef");
            match manifest.supported(kind) {
                Some(_) => {
                    build(&operation).unwrap();
                    query.unwrap();
                }
                None => {
                    assert!(
                        matches!(build(&operation), Err(ChannelError::Unsupported { kind: told, .. }) if told == kind)
                    );
                    assert!(matches!(query, Err(ChannelError::Unsupported { kind: told, .. }) if told == kind));
                }
            }
        }
        // Who sends it decides which of the two builds it, and the other one does not.
        let operations = one_of_each(1, Currency::Cny);
        let (page, others) = operations.split_last().unwrap();
        let error = channel.build(&tried(SERIAL, page), &fixture::open).unwrap_err();
        assert!(matches!(error, ChannelError::Unsupported { kind: OperationKind::Redirect, .. }), "{error}");
        for operation in others {
            let error = channel.build_redirect(&tried(SERIAL, operation)).unwrap_err();
            assert!(matches!(error, ChannelError::Unsupported { .. }), "{error}");
        }
        let supported = |operation: &Operation| manifest.supported(OperationKind::of(operation)).copied();
        for operation in one_of_each(1, Currency::Jpy).iter().filter(|operation| supported(operation).is_some()) {
            assert!(matches!(build(operation), Err(ChannelError::Currency { currency: "JPY", .. })));
        }
        for limit in [|max: i64| max + 1, |_| 0, |_| -1] {
            for operation in one_of_each(1, Currency::Cny) {
                let Some(supported) = supported(&operation) else { continue };
                let wrong = limit(supported.amount_max);
                let index = OperationKind::ALL.iter().position(|kind| *kind == supported.kind).unwrap();
                let error = build(&one_of_each(wrong, Currency::Cny)[index]).unwrap_err();
                assert!(matches!(error, ChannelError::Limit { amount, .. } if amount == wrong), "{error}");
            }
        }
    }
}

/// On the rail of the institution's own account the sandbox bank is another channel: it pays, shown whole, and does no more.
#[test]
fn from_the_own_account_the_bank_only_pays() {
    let fixtures = fixture::of(&CHANNELS[0]);
    let own: Vec<&Fixture> =
        fixtures.iter().filter(|fixture| fixture.channel.manifest().rail == Rail::OwnBank).collect();
    let channel = &*own[0].channel;
    let manifest = channel.manifest();
    let kinds: Vec<_> = manifest.operations.iter().map(|supported| supported.kind).collect();
    assert_eq!((kinds, manifest.statement, manifest.lists_returns), (vec![OperationKind::Pay], false, true));
    let shows = |asked: fn(&Ask) -> bool| -> Vec<&str> {
        let exchanges = own.iter().flat_map(|fixture| &fixture.exchanges).filter(|exchange| asked(&exchange.ask));
        exchanges.flat_map(|exchange| exchange.cases.iter().map(|case| case.shows.as_str())).collect()
    };
    let (asked, queried) = (shows(|ask| matches!(ask, Ask::Do(_))), shows(|ask| matches!(ask, Ask::Query { .. })));
    assert!(ASKED.iter().all(|word| asked.contains(word)), "{asked:?}");
    assert!(QUERIED.iter().all(|word| queried.contains(word)), "{queried:?}");
    let (listed, told) = (shows(|ask| matches!(ask, Ask::Returns { .. })), shows(|ask| matches!(ask, Ask::Notify)));
    assert!(RETURNED.iter().all(|word| listed.contains(word)) && told.contains(&"returned"), "{listed:?}, {told:?}");
    for operation in one_of_each(1, Currency::Cny) {
        let kind = OperationKind::of(&operation);
        let built = channel.build(&tried(SERIAL, &operation), &fixture::open);
        let query = channel.build_query(&tried(SERIAL, &operation).about(), "0123456789abcdef");
        if kind == OperationKind::Pay {
            built.unwrap();
            query.unwrap();
        } else {
            assert!(matches!(built, Err(ChannelError::Unsupported { kind: told, .. }) if told == kind));
            assert!(matches!(query, Err(ChannelError::Unsupported { kind: told, .. }) if told == kind));
        }
    }
    let request = channel.build_statement("2026-03-05".parse().unwrap(), 1, "0123456789abcdef");
    assert!(matches!(request, Err(ChannelError::NoStatement { .. })));
    // Not even a file that the bank signed is one of this rail's.
    let file = fs::read(fixture::folder("sandbox_bank").join("clearing_1_of_1.clr")).unwrap();
    assert!(matches!(channel.statement(&file), Err(ChannelError::NoStatement { .. })));
}

#[test]
fn serial_numbers_and_nonces_in_another_form_are_refused() {
    for entry in CHANNELS {
        let channel = fixture::of(entry).remove(0).channel;
        let operations = one_of_each(1, Currency::Cny);
        let known = |operation: &&Operation| channel.manifest().supported(OperationKind::of(operation)).is_some();
        let operation = operations.iter().find(known).unwrap();
        for serial in ["", "42", &SERIAL[1..], "2026030500000000000000420000042\n", "２０２６０３０５００"] {
            let error = channel.build(&tried(serial, operation), &fixture::open).unwrap_err();
            assert!(matches!(error, ChannelError::Serial(_)), "{error}");
        }
        for nonce in ["", "short", "with a space in it", "quote\"in-the-nonce", &"n".repeat(65)] {
            let error = channel.build_query(&tried(SERIAL, operation).about(), nonce).unwrap_err();
            assert!(matches!(error, ChannelError::Nonce(_)), "{error}");
            assert!(channel.build_statement("2026-03-05".parse().unwrap(), 1, nonce).is_err());
        }
    }
}

/// Every channel that pays to an account, which is personal, with such a payment.
fn payers() -> Vec<(Arc<dyn Channel>, Operation)> {
    let channels = CHANNELS.iter().map(|entry| fixture::of(entry).remove(0).channel);
    let paying = channels.filter(|channel| channel.manifest().supported(OperationKind::Pay).is_some());
    paying
        .map(|channel| {
            let [_, _, pay, ..] = one_of_each(1, Currency::Cny);
            (channel, pay)
        })
        .collect()
}

#[test]
fn a_field_that_cannot_be_opened_is_an_error_without_its_value() {
    assert!(payers().len() > 1);
    for (channel, pay) in payers() {
        let error = channel.build(&tried(SERIAL, &pay), &|_| Err(ark::Error::Class(9))).unwrap_err();
        assert!(matches!(error, ChannelError::Opening { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("6222"), "{error:?}");
    }
}

#[test]
fn a_request_shows_no_personal_field() {
    for (channel, pay) in payers() {
        let request = channel.build(&tried(SERIAL, &pay), &fixture::open).unwrap();
        assert!(str::from_utf8(request.body()).unwrap().contains("6222020200112233445"));
        assert!(!format!("{request:?} {channel:?}").contains("6222"));
    }
}
