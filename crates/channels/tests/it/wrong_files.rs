//! Files of a day that are wrong, each signed as its word says: what every channel whose manifest has such files must show.
//! `fixtures/channels/README.md` describes the folder `wrong`; finer cases of two channels are in `signed_files.rs`.

use std::fs;
use std::sync::Arc;

use channels::registry::{CHANNELS, Entry};
use channels::{Channel, ChannelError, Statement};

use crate::fixture;

/// What must be shown of the files of a day.
const WORDS: [&str; 8] = ["forged", "sum", "count", "duplicate", "encoding", "truncated", "institution", "date"];

/// One wrong day.
struct Wrong {
    word: String,
    /// Its parts, by their names.
    files: Vec<String>,
    /// How it is refused.
    expected: String,
}

fn channel_of(entry: &Entry) -> Arc<dyn Channel> {
    fixture::of(entry).into_iter().find(|one| one.partial.is_none()).unwrap().channel
}

/// The channel of the folder `wrong`, and what lies there.
fn read(entry: &Entry) -> (Arc<dyn Channel>, Vec<Wrong>) {
    let path = fixture::folder(entry.name).join("wrong/index.txt");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "channel {} has files of a day, and shows no wrong ones: reading {}: {error}",
            entry.name,
            path.display()
        );
    });
    let config = text.lines().find_map(|line| line.strip_prefix("config ")).unwrap();
    let channel = fixture::configured(entry, config).1;
    let wrong = text.lines().filter_map(|line| line.split_once(" = ")).map(|(said, expected)| {
        let mut words = said.split(' ').map(str::to_owned);
        Wrong { word: words.next().unwrap(), files: words.collect(), expected: expected.to_owned() }
    });
    (channel, wrong.collect())
}

/// How a day of these parts is refused.
fn judged(channel: &dyn Channel, parts: &[Vec<u8>]) -> String {
    let parts: Result<Vec<_>, ChannelError> = parts.iter().map(|part| channel.statement(part)).collect();
    match parts.and_then(Statement::assemble) {
        Ok(_) => String::from("believed"),
        Err(ChannelError::Format { place, .. }) => format!("channel_format {place}"),
        Err(error) => error.code().to_owned(),
    }
}

/// Whether a word may be refused so. But where a key or a charset is all that tells, a file must be read before it is refused: one that
/// nobody signed shows nothing.
fn fits(word: &str, expected: &str) -> bool {
    let (unsigned, read) = (expected == "channel_signature", expected.starts_with("channel_format "));
    match word {
        "forged" => unsigned,
        "encoding" | "institution" => unsigned || read,
        "sum" | "count" | "duplicate" | "truncated" | "date" => read || expected == "channel_incomplete",
        other => panic!("no wrong file shows '{other}': fixtures/channels/README.md lists the words"),
    }
}

fn missing<'a>(shown: impl Iterator<Item = &'a Wrong>) -> Vec<&'static str> {
    let shown: Vec<&str> = shown.map(|wrong| wrong.word.as_str()).collect();
    WORDS.into_iter().filter(|word| !shown.contains(word)).collect()
}

/// By the manifest alone: who has files of a day shows each way in which one is wrong, and each is refused where it says.
#[test]
fn every_channel_with_files_of_a_day_refuses_wrong_ones() {
    let mut refused = 0;
    for entry in CHANNELS {
        if !channel_of(entry).manifest().statement {
            assert!(!fixture::folder(entry.name).join("wrong").exists(), "{} has no files of a day", entry.name);
            continue;
        }
        let (channel, all) = read(entry);
        assert!(channel.manifest().statement, "{}: the wrong files are of another configuration", entry.name);
        let missing = missing(all.iter());
        assert!(missing.is_empty(), "{}: no wrong file shows {missing:?}", entry.name);
        for Wrong { word, files, expected } in &all {
            let place = format!("{}: {word} {files:?}", entry.name);
            assert!(fits(word, expected), "{place}: {expected} is not {word}");
            let folder = fixture::folder(entry.name).join("wrong");
            let parts: Vec<Vec<u8>> = files.iter().map(|file| fs::read(folder.join(file)).unwrap()).collect();
            assert_eq!(&judged(&*channel, &parts), expected, "{place}");
            refused += 1;
        }
    }
    assert!(refused > 40, "{refused}");
}

/// No word can be left out.
#[test]
fn a_wrong_file_that_is_not_shown_is_missed() {
    for entry in CHANNELS.iter().filter(|entry| channel_of(entry).manifest().statement) {
        let (_, all) = read(entry);
        for word in WORDS {
            assert_eq!(missing(all.iter().filter(|wrong| wrong.word != word)), [word], "{}", entry.name);
        }
    }
}
