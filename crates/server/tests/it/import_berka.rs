//! The sample of a real bank's transactions, brought in as a whole: the figures come from its README and from a Python script
//! that reads nothing but the CSV.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::books::{Books, report, said};
use crate::server::is_embedded;
use crate::skip;

const FORMAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/import/berka.toml");
const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/berka_oracle.py");

/// Where the sample is: in `$LINTEL_TEST_DATA`, else beside the clone. Without either there is nothing to test; in CI that is
/// right only where nothing is shared beside the clone.
fn sample() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let data = std::env::var_os("LINTEL_TEST_DATA").map_or_else(|| shared.join("data"), PathBuf::from);
    let file = data.join("berka/transactions.csv");
    if file.exists() {
        return Some(file);
    }
    let install = format!("put the sample in {} or name its folder in LINTEL_TEST_DATA", data.display());
    let line = skip::note("berka", &install);
    assert!(!(std::env::var_os("LINTEL_CI").is_some() && shared.exists()), "{line}");
    None
}

/// An account-day of the sample: what balances the bank recorded on it.
struct AccountDay {
    account: String,
    date: String,
    chosen: bool,
    recorded: Vec<i64>,
}

fn oracle(file: &Path) -> Vec<AccountDay> {
    let output = Command::new("python3").arg(ORACLE).arg(file).output().expect("python3 runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        AccountDay {
            account: cells[0].to_owned(),
            date: cells[1].to_owned(),
            chosen: cells[2] == "1",
            recorded: cells[3].split('|').map(|balance| balance.parse().unwrap()).collect(),
        }
    };
    text.lines().map(line).collect()
}

/// `700.00` in hundredths.
fn hundredths(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap()
}

#[test]
fn berka_comes_in_row_by_row_and_its_days_end_as_the_bank_recorded() {
    // What lies in the tables is the same on both; once is enough.
    let Some(file) = sample().filter(|_| is_embedded()) else { return };
    let books = Books::new();
    let command = ["ledger", "import", file.to_str().unwrap(), "--format", FORMAT, "--map", "map.csv", "--json"];
    let output = books.lintel(&command);
    assert!(output.status.success(), "{}", said(&output));
    let first = report(&output);
    assert_eq!(
        (&first["state"], &first["posted"], &first["rejected"]),
        (&"finished".into(), &49_102.into(), &0.into())
    );
    assert_eq!((&first["accounts"], &first["days_closed"]), (&1_229.into(), &455.into()));
    assert_eq!((&first["in"], &first["out"]), (&17_736_629_630_i64.into(), &13_812_015_350_i64.into()));
    assert_eq!(first["open_day"], "1994-04-01");
    assert!(!books.path("transactions.csv.rejected.csv").exists());

    let again = report(&books.lintel(&command));
    assert_eq!((&again["state"], &again["posted_before"]), (&"nothing_to_do".into(), &49_102.into()));

    let ours: HashMap<String, String> = books
        .read("map.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[6].to_owned(), cells[5].to_owned())
        })
        .collect();
    assert_eq!(ours.len(), 1_229);
    let running = books.serve("1993-01-01");
    let days = running.client.get("/v1/days").ok();
    let closed = days["data"].as_array().unwrap().iter().filter(|day| day["status"] == "closed");
    assert_eq!(closed.count(), 455);
    let trial = running.client.get("/v1/days/1994-03-31/trial-balance").ok();
    assert_eq!(crate::open::closing(&trial, 9201), 3_924_614_280);
    assert_eq!(crate::open::closing(&trial, 9101), 3_924_614_280);

    let mut ends: HashMap<(String, String), i64> = HashMap::new();
    for day in days["data"].as_array().unwrap().iter().filter(|day| day["status"] == "closed") {
        let date = day["date"].as_str().unwrap();
        for (account, balance) in running.balances(date, 9201) {
            ends.insert((ours[&account].clone(), date.to_owned()), hundredths(&balance));
        }
    }
    let account_days = oracle(&file);
    let is_equal = |day: &&AccountDay| day.recorded.contains(&ends[&(day.account.clone(), day.date.clone())]);
    assert_eq!(account_days.len(), 39_960);
    assert_eq!(account_days.iter().filter(is_equal).count(), 23_634);
    let chosen: Vec<&AccountDay> = account_days.iter().filter(|day| day.chosen).collect();
    assert_eq!(chosen.len(), 5_259);
    assert!(chosen.iter().copied().all(|day| is_equal(&day)));
    let accounts: std::collections::BTreeSet<&String> = chosen.iter().map(|day| &day.account).collect();
    assert_eq!(accounts.len(), 347);
}
