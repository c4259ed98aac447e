//! What goes to a provident fund's centre and what comes: what every channel with a centre must show, of its monthly batch and of what a
//! lease may draw. `fixtures/channels/README.md` describes the folder `centre`; what is one channel's own is in `batch.rs` and `quota.rs`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use channels::registry::{CHANNELS, Entry};
use channels::{Batch, BatchRow, Channel, ChannelError, Headers, Request, Response};

use crate::fixture;

/// What must be shown of the result files of a batch.
const RESULTS: [&str; 10] =
    ["paid", "twice", "forged", "sum", "count", "encoding", "truncated", "institution", "date", "contradiction"];

/// What must be shown of the answers about a lease.
const ANSWERS: [&str; 8] =
    ["filed", "unfiled", "unknown-field", "forged", "replayed", "truncated", "contradiction", "wrong-amount"];

/// The folder `centre` of a channel.
struct Centre {
    folder: PathBuf,
    channel: Arc<dyn Channel>,
    /// The lines of its index.
    lines: Vec<String>,
}

/// One file of the folder and what it proves.
struct Case {
    word: String,
    path: PathBuf,
    expected: String,
}

impl Centre {
    fn read(entry: &Entry) -> Self {
        let folder = fixture::folder(entry.name).join("centre");
        let path = folder.join("index.txt");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "channel {} has a fund's centre and does not show it: reading {}: {error}",
                entry.name,
                path.display()
            );
        });
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let config = lines.iter().find_map(|line| line.strip_prefix("config ")).unwrap();
        let channel = fixture::configured(entry, config).1;
        Self { folder, channel, lines }
    }

    /// The words of each line that begins with `name`.
    fn said(&self, name: &str) -> Vec<Vec<&str>> {
        let lines = self.lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines.map(|line| line.split(' ').collect()).collect()
    }

    /// The words of the one line that begins with `name`.
    fn one(&self, name: &str) -> Vec<&str> {
        let mut lines = self.said(name);
        assert_eq!(lines.len(), 1, "{}: '{name}'", self.folder.display());
        lines.remove(0)
    }

    fn cases(&self, what: &str) -> Vec<Case> {
        let lines = self.lines.iter().filter_map(|line| line.strip_prefix(what)?.strip_prefix(' ')?.split_once(" = "));
        let case = |(said, expected): (&str, &str)| {
            let (word, file) = said.split_once(' ').unwrap();
            Case { word: word.to_owned(), path: self.folder.join(file), expected: expected.to_owned() }
        };
        lines.map(case).collect()
    }

    fn build_batch(&self) -> Request {
        let said = self.one("batch");
        let &[number, city, period, date] = said.as_slice() else { panic!("{said:?} is no batch") };
        let said = self.said("row");
        let rows: Vec<BatchRow<'_>> = said
            .iter()
            .map(|row| {
                let &[serial, contract, amount] = row.as_slice() else { panic!("{row:?} is no row") };
                BatchRow { serial, contract, amount: amount.parse().unwrap() }
            })
            .collect();
        let batch = Batch { number, city, period, date: date.parse().unwrap(), rows: &rows };
        self.channel.build_batch(&batch).unwrap()
    }

    fn build_result(&self) -> Request {
        self.channel.build_batch_result(self.one("batch")[0], self.one("nonce")[0]).unwrap()
    }

    fn build_quota(&self) -> Request {
        let said = self.one("quota");
        self.channel.build_quota(said[0], said[1], self.one("nonce")[0]).unwrap()
    }

    /// What a result file says.
    fn result(&self, file: &[u8]) -> String {
        match self.channel.batch_result(file) {
            Ok(result) => {
                let head = format!("{} {} {}", result.city, result.number, result.date);
                result.rows.iter().fold(head, |said, row| {
                    let class = row.result.class.map_or_else(String::new, |class| format!(" {}", class.name()));
                    format!("{said}; {} {}/{}{class}", row.contract, row.result.paid, row.applied)
                })
            }
            Err(error) => refused(&error),
        }
    }

    /// What an answer about the lease says.
    fn answer(&self, response: &Response) -> String {
        match self.channel.quota(&self.build_quota(), response).map(channels::Verified::into_inner) {
            Ok(Some(lease)) => {
                let draws: Vec<String> = lease.draws.iter().map(ToString::to_string).collect();
                let (rent, contribution, draws) = (lease.rent, lease.contribution, draws.join(","));
                format!("lease {rent} {contribution} {} {} {draws}", lease.remaining, lease.months)
            }
            Ok(None) => String::from("no lease"),
            Err(error) => refused(&error),
        }
    }
}

fn refused(error: &ChannelError) -> String {
    if let ChannelError::Format { place, .. } = error {
        return format!("channel_format {place}");
    }
    error.code().to_owned()
}

fn answered(case: &Case) -> Response {
    fixture::response(&fs::read_to_string(&case.path).unwrap()).1
}

/// Whether a word may be answered so: what nobody signed shows nothing but that.
fn fits(word: &str, expected: &str) -> bool {
    let (unsigned, read) = (expected == "channel_signature", expected.starts_with("channel_format"));
    match word {
        "paid" | "twice" => !unsigned && !read && expected.contains("; "),
        "filed" | "unknown-field" => expected.starts_with("lease "),
        "unfiled" => expected == "no lease",
        "forged" => unsigned,
        "encoding" | "institution" | "replayed" => unsigned || read,
        "sum" | "count" | "truncated" | "date" | "contradiction" | "wrong-amount" => read,
        other => panic!("nothing of a centre shows '{other}': fixtures/channels/README.md lists the words"),
    }
}

fn missing<'w>(words: &[&'w str], cases: &[Case]) -> Vec<&'w str> {
    words.iter().copied().filter(|word| cases.iter().all(|case| case.word != *word)).collect()
}

/// Every channel that has a centre, whatever its configuration.
fn centres() -> Vec<Centre> {
    let has = |entry: &Entry| fixture::of(entry).iter().any(|fixture| fixture.channel.fund_centre().is_some());
    for entry in CHANNELS.iter().filter(|entry| !has(entry)) {
        assert!(!fixture::folder(entry.name).join("centre").exists(), "{} has no centre", entry.name);
    }
    CHANNELS.iter().filter(|entry| has(entry)).map(Centre::read).collect()
}

/// How what goes to a centre is built.
type Build = fn(&Centre) -> Request;

#[test]
fn what_goes_to_a_centre_is_the_golden_bytes_every_time() {
    for centre in centres() {
        let built: [(&str, Build); 3] = [
            ("batch.request", Centre::build_batch),
            ("result.request", Centre::build_result),
            ("quota.request", Centre::build_quota),
        ];
        for (name, build) in built {
            let path = centre.folder.join(name);
            let shown = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for _ in 0..2 {
                assert_eq!(fixture::shown_request(&build(&centre)), shown.trim_end(), "{}", path.display());
            }
        }
    }
}

/// By the channel alone: who has a centre shows each way in which its files and answers are right or wrong, and each proves what it says.
#[test]
fn what_comes_from_a_centre_proves_what_it_says() {
    let mut proved = 0;
    for centre in centres() {
        let (results, answers) = (centre.cases("result"), centre.cases("answer"));
        let place = centre.folder.display();
        let missing = [missing(&RESULTS, &results), missing(&ANSWERS, &answers)].concat();
        assert!(missing.is_empty(), "{place}: nothing shows {missing:?}");
        for case in &results {
            assert!(
                RESULTS.contains(&case.word.as_str()) && fits(&case.word, &case.expected),
                "{}",
                case.path.display()
            );
            assert_eq!(centre.result(&fs::read(&case.path).unwrap()), case.expected, "{}", case.path.display());
        }
        for case in &answers {
            assert!(
                ANSWERS.contains(&case.word.as_str()) && fits(&case.word, &case.expected),
                "{}",
                case.path.display()
            );
            let told = centre.answer(&answered(case));
            // Where a text that breaks off ends is not worth saying.
            let told = if case.expected == "channel_format" { told.split(' ').next().unwrap() } else { told.as_str() };
            assert_eq!(told, case.expected, "{}", case.path.display());
        }
        proved += results.len() + answers.len();
    }
    assert!(proved > 20, "{proved}");
}

/// One bit of any byte of what is believed, or its end missing, and it is believed no more.
#[test]
fn what_comes_from_a_centre_and_was_touched_is_refused() {
    for centre in centres() {
        let believed = |case: &Case| !case.expected.starts_with("channel_");
        for case in centre.cases("result").into_iter().filter(believed) {
            let file = fs::read(&case.path).unwrap();
            for index in 0..file.len() {
                let mut flipped = file.clone();
                flipped[index] ^= 1;
                for touched in [&flipped[..], &file[..index]] {
                    assert!(centre.result(touched).starts_with("channel_"), "{}, byte {index}", case.path.display());
                }
            }
        }
        for case in centre.cases("answer").into_iter().filter(believed) {
            let response = answered(&case);
            for index in 0..response.body.len() {
                let mut flipped = response.body.clone();
                flipped[index] ^= 1;
                for body in [flipped, response.body[..index].to_vec()] {
                    let touched = Response { body, ..response.clone() };
                    assert_eq!(centre.answer(&touched), "channel_signature", "{}, byte {index}", case.path.display());
                }
            }
            let bare = Response { headers: Headers::default(), ..response.clone() };
            assert_eq!(centre.answer(&bare), "channel_signature", "{}", case.path.display());
        }
    }
}

/// No word can be left out.
#[test]
fn what_a_centre_does_not_show_is_missed() {
    for centre in centres() {
        for (what, words) in [("result", &RESULTS[..]), ("answer", &ANSWERS[..])] {
            for word in words {
                let mut cases = centre.cases(what);
                cases.retain(|case| case.word != *word);
                assert_eq!(missing(words, &cases), [*word], "{}", centre.folder.display());
            }
        }
    }
}
