//! `lintel-sandbox bench` against a real server process: each preset at a size that takes a second or two.
//!
//! The server is the `lintel` beside this crate's program, as a build of the workspace puts it there.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A directory that goes with this value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // The keeper of a cluster may still be removing its own.
        drop(std::fs::remove_dir(&self.0));
    }
}

/// The program with its `lintel`, and a new directory for what is temporary; `None`, after a line that says what to do, where the
/// server was not built. With `LINTEL_CI` set, that is a failure.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn bench(name: &str) -> Option<(Command, Folder)> {
    let program = Path::new(env!("CARGO_BIN_EXE_lintel-sandbox"));
    if !program.with_file_name(format!("lintel{}", std::env::consts::EXE_SUFFIX)).exists() {
        let skip = format!("SKIP {name}: build the server first (cargo build --package server)");
        assert!(std::env::var_os("LINTEL_CI").is_none(), "{skip}");
        eprintln!("{skip}");
        return None;
    }
    // Not below the build's directory, which may lie where PostgreSQL's user cannot go.
    let folder = std::env::temp_dir().join(format!("lintel-bench-test-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(program);
    command.arg("bench").env("TMPDIR", &folder).env_remove("LINTEL_BINARY").stdin(Stdio::null());
    Some((command, Folder(folder)))
}

/// The object a run printed, and nothing else.
fn object(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {:?}\n{told}", output.stdout))
}

/// Runs a preset with few transfers, and checks what every run must say.
fn tiny(preset: &str, further: &[&str]) -> Option<Value> {
    let (mut command, folder) = bench(preset)?;
    let plan = ["--accounts", "60", "--transfers", "400", "--queries", "3", "--statements", "100", "--slices", "4"];
    let output = command.args(["ledger", "--json", "--preset", preset]).args(plan).args(further).output().unwrap();
    let object = object(&output);
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    assert_eq!((object["preset"].as_str(), number("/transfers")), (Some(preset), 400.0));
    assert!(number("/wall_transfers_per_second") > 0.0 && number("/transfers_per_second") > 0.0, "{object}");
    assert!(number("/wall_seconds") >= number("/batch_max_ms") / 1_000.0, "{object}");
    let times = ["/batch_p50_ms", "/batch_p95_ms", "/batch_p99_ms", "/batch_max_ms"].map(number);
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    assert!(number("/statement_ms/count") >= 1.0 && number("/query_p99_ms") > 0.0, "{object}");
    assert!(number("/resident_peak_bytes") >= number("/resident_bytes"), "{object}");
    assert!(number("/raw/appends") >= 1.0 && number("/raw_ratio") > 0.0, "{object}");
    let last = object["points"].as_array().and_then(|points| points.last()).expect("a run has points");
    assert_eq!(last["transfers"].as_f64(), Some(400.0));
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with("lintel-pg-")), "left behind: {left:?}");
    Some(object)
}

#[test]
fn shapes_of_postings_run_and_their_books_hold_what_was_sent() {
    for (preset, batch) in [("uniform", "100"), ("hot", "100"), ("strict", "100"), ("json", "100"), ("small", "5")] {
        let Some(object) = tiny(preset, &["--batch", batch]) else { return };
        assert_eq!(object["hold_ms"]["count"], 0, "{preset}");
        assert_eq!(object["start_up_seconds"], Value::Null, "{preset}");
    }
}

#[test]
fn single_transfers_come_from_sixteen_clients() {
    let Some(object) = tiny("single", &[]) else { return };
    assert_eq!(object["plan"]["clients"], 16);
    // One request a transfer, and fewer syncs than requests: they share them.
    let appends = object["raw"]["appends"].as_u64().unwrap();
    assert!((1..400).contains(&appends), "{appends}");
}

#[test]
fn three_of_ten_two_phase_transfers_are_held_and_confirmed() {
    let Some(object) = tiny("two-phase", &["--batch", "40"]) else { return };
    assert_eq!(object["hold_ms"]["count"], 3, "chunks of 40, each held by one posting and confirmed by the next");
    assert!(object["hold_ms"]["p50"].as_f64() > Some(0.0));
}

#[test]
fn shapes_that_grow_end_with_a_restart_and_can_be_drawn() {
    let Some((_, folder)) = bench("plot") else { return };
    let plot = folder.0.join("grown.svg");
    for preset in ["grown", "many-accounts"] {
        let further = ["--batch", "50", "--plot", plot.to_str().unwrap()];
        let Some(object) = tiny(preset, &further) else { return };
        assert!(object["start_up_seconds"].as_f64() > Some(0.0), "{object}");
        let drawing = std::fs::read_to_string(&plot).unwrap();
        assert!(drawing.contains(&format!("--preset {preset}")) && drawing.contains("<polyline"), "{drawing}");
        std::fs::remove_file(&plot).unwrap();
    }
}

#[test]
fn on_postgres_nothing_lies_in_journal_and_store_files() {
    let Some((mut probe, _folder)) = bench("postgres-probe") else { return };
    let probed = probe
        .args(["ledger", "--preset", "postgres", "--accounts", "2", "--transfers", "1", "--slices", "1"])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&probed.stderr).contains("there is no PostgreSQL") {
        return;
    }
    let Some(object) = tiny("postgres", &["--batch", "100"]) else { return };
    assert_eq!((&object["disk"]["journal"], &object["disk"]["store"]), (&Value::from(0), &Value::from(0)));
    assert!(object["disk"]["postgres"].as_u64() > Some(1 << 20), "{object}");
}

#[test]
fn a_run_that_is_interrupted_reports_what_was_done() {
    let Some((mut command, _folder)) = bench("interrupted") else { return };
    command.args(["ledger", "--json", "--accounts", "20", "--transfers", "500000000", "--batch", "20"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let under_way = told.find(|line| line.contains("resident") && !line.contains(" 0 of "));
    assert!(under_way.is_some(), "the load never began");
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let rest: Vec<String> = told.collect();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    let object: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(object["interrupted"], true);
    assert!((1..500_000_000).contains(&object["transfers"].as_u64().unwrap()), "{object}");
    assert!(rest.iter().any(|line| line.contains("the books hold what was sent")), "{rest:?}");
}

#[test]
fn the_help_teaches_and_wrong_shapes_are_named() {
    let Some((mut command, _folder)) = bench("help") else { return };
    let output = command.args(["ledger", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for words in ["--preset", "two-phase", "One account in every transfer", "wall time", "Examples:", "--plot"] {
        assert!(help.contains(words), "no '{words}' in:\n{help}");
    }
    for (wrong, expected) in
        [(["--batch", "0"], "--batch 0"), (["--accounts", "1"], "--accounts 2"), (["--preset", "big"], "many-accounts")]
    {
        let (mut command, _folder) = bench("wrong").unwrap();
        let output = command.arg("ledger").args(wrong).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(expected), "{wrong:?}: {told}");
    }
}

#[test]
fn payments_are_counted_once_they_stand_in_the_books() {
    let Some((mut command, folder)) = bench("payments") else { return };
    let series = folder.0.join("series.csv");
    command.args(["payments", "--payments", "60", "--clients", "8", "--rate", "200"]);
    command.args(["--json", "--series"]).arg(&series);
    let output = command.output().unwrap();
    let object = object(&output);
    let number = |name: &str| object[name].as_f64().unwrap_or(f64::NAN);
    assert_eq!((number("payments"), object["interrupted"].as_bool()), (60.0, Some(false)), "{object}");
    let times = ["p50_ms", "p95_ms", "p99_ms", "max_ms"].map(number);
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    let own = ["own_p50_ms", "own_p99_ms", "own_max_ms"].map(number);
    assert!(own[0] > 0.0 && own.is_sorted(), "{own:?}");
    assert!(own[0] < times[0] && own[2] <= times[3], "the bank takes a part of it: {own:?} of {times:?}");
    let inside = ["inside_p50_ms", "inside_p99_ms", "inside_max_ms"].map(number);
    assert!(inside[0] > 0.0 && inside.is_sorted() && inside[2] <= own[2], "inside lies within: {inside:?} of {own:?}");
    let late = ["late_p50_ms", "late_p99_ms", "late_max_ms"].map(number);
    assert!(late[0] >= 0.0 && late.is_sorted(), "{late:?}");
    assert!(number("payments_per_second") > 0.0 && number("looks") >= 0.0, "{object}");
    assert_eq!(std::fs::read_to_string(&series).unwrap().lines().count(), 1 + 60);
    std::fs::remove_file(series).unwrap();
}

#[test]
fn card_transactions_are_counted_once_both_books_have_them() {
    let Some((mut command, _folder)) = bench("pos") else { return };
    let load = ["--terminals", "6", "--lanes", "4", "--seconds", "2", "--rate", "40", "--lost", "1000"];
    let output = command.args(["pos", "--json", "--answer-timeout-ms", "300"]).args(load).output().unwrap();
    let object = object(&output);
    let number = |name: &str| object[name].as_f64().unwrap_or(f64::NAN);
    assert_eq!((number("transactions"), number("batches_balanced"), number("unheard")), (80.0, 6.0, 0.0), "{object}");
    assert!(number("approved") > 40.0 && number("reversed") > 0.0, "{object}");
    assert!((number("reversal_rate") - number("reversed") / 80.0).abs() < 1e-9, "{object}");
    let times = ["p50_ms", "p95_ms", "p99_ms", "max_ms"].map(number);
    assert!(times[0] > 0.0 && times.is_sorted() && times[3] > 300.0, "a sale that is lost takes as long: {times:?}");
    assert!(number("transactions_per_second") > 0.0 && number("raw_ratio") > 0.0, "{object}");
}
