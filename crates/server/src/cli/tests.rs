//! What pages, comments and helps tell people to type is there: every command, and every option of it.

use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use super::{Cli, with_examples};

/// Where commands are named, below the top of the repository.
const PLACES: [&str; 8] = [
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs",
    "fixtures",
    "clients/typescript/README.md",
    "crates",
];

/// All commands, with what each takes.
fn tree() -> Command {
    let mut tree = with_examples(Cli::command());
    tree.build();
    tree
}

/// What of a command's text, behind the program's name, is not there. A placeholder, and what another program gets, end it.
fn fault(tree: &Command, text: &str) -> Option<String> {
    let (mut command, mut path) = (tree, String::new());
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        // A line goes on in the next one, of a comment or of a text in the code.
        if ["//", "///", "//!", "#"].contains(&word) || word.trim_matches('\\').is_empty() {
            continue;
        }
        let is_other = word.starts_with(['…', '.', '[', '<', '{', '|', '>', '&', ';']);
        if is_other || command.get_arguments().any(Arg::is_trailing_var_arg_set) {
            return None;
        }
        if let Some(option) = word.strip_prefix("--") {
            let (name, has_value) = option.split_once('=').map_or((option, false), |(name, _)| (name, true));
            let name = name.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            let Some(known) = command.get_arguments().find(|known| known.get_long() == Some(name)) else {
                return Some(format!("lintel{path} has no --{name}"));
            };
            if known.get_action().takes_values() && !has_value {
                words.next();
            }
        } else if let Some(next) = command.find_subcommand(word) {
            command = next;
            path = format!("{path} {word}");
        } else if command.has_subcommands() {
            let is_placeholder = word.starts_with(|letter: char| letter.is_ascii_uppercase());
            return (!is_placeholder).then(|| format!("lintel{path} has no {word}"));
        }
    }
    None
}

/// The commands that a text names, behind the program's name: those in backticks, and those on lines of their own.
fn named(text: &str) -> Vec<&str> {
    // Written so that this line names none.
    let behind = text.split("`lintel\u{20}").skip(1);
    let spans = behind.filter_map(|rest| rest.split_once('`')).map(|(span, _)| span);
    let lines = text.lines().map(str::trim).map(|line| line.strip_prefix("$ ").unwrap_or(line));
    // Beside a command stands what it does.
    let until = |line: &str| ["  ", " #", ";"].iter().filter_map(|end| line.find(*end)).min().unwrap_or(line.len());
    spans.chain(lines.filter_map(|line| line.strip_prefix("lintel ")).map(|line| &line[..until(line)])).collect()
}

/// What is wrong with the commands that a file names, or those below a folder; how many it named.
fn look(tree: &Command, path: &Path, faults: &mut Vec<String>) -> usize {
    let has = |known: &[&str]| path.extension().is_some_and(|end| known.iter().any(|known| end == *known));
    if path.is_dir() {
        // Tests name what is not there too.
        if path.ends_with("tests") || path.ends_with("target") {
            return 0;
        }
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        return entries.map(|entry| look(tree, &entry, faults)).sum();
    }
    if !has(&["md", "rs", "toml"]) {
        return 0;
    }
    let text = fs::read_to_string(path).unwrap();
    let commands = named(&text);
    faults.extend(
        commands.iter().filter_map(|command| fault(tree, command)).map(|what| format!("{}: {what}", path.display())),
    );
    commands.len()
}

#[test]
fn every_command_and_option_that_a_page_or_a_help_names_is_there() {
    let (tree, top) = (tree(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut faults = Vec::new();
    let count: usize = PLACES.iter().map(|place| look(&tree, &top.join(place), &mut faults)).sum();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 500, "only {count} commands were found");
}

#[test]
fn what_is_not_there_is_found_and_placeholders_are_passed_over() {
    let tree = tree();
    for (text, expected) in [
        ("ark form t1/tmk", Some("lintel ark has no form")),
        ("orders", Some("lintel has no orders")),
        ("order show ord_7 --jason", Some("lintel order show has no --jason")),
        ("--data-dir data day lst", Some("lintel day has no lst")),
        ("ark financial form t1/tmk --kind sm4", None),
        ("order VERB --anything", None),
        ("payout …", None),
        ("bench payments --rate 1000", None),
        ("--config lintel.toml verify --json | jq .damages", None),
        ("key \\\n             --shares", None),
    ] {
        assert_eq!(fault(&tree, text).as_deref(), expected, "{text}");
    }
    let text = "Say `lintel day list`, or\n  $ lintel day next --json   what is done\nand lintel is no command here.";
    assert_eq!(named(text), ["day list", "day next --json"]);
}
