//! The restore drill: a backup taken under load, and again; a new directory made of it; what was answered is there.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use ark::MacKey;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::open::{Books, balance, customer, number, text, trial_balance, voucher};
use crate::server::{Server, lintel};

const DAY: &str = "2026-03-05";

/// What a command printed that must succeed.
#[track_caller]
pub(crate) fn said(output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
    out.into_owned()
}

/// What a command complained of that must fail.
#[track_caller]
pub(crate) fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server with books, a backup of it taken twice, and the directory of both.
struct Drill {
    server: Server,
    books: Books,
    folder: TempDir,
}

impl Drill {
    fn new() -> Self {
        let server = Server::start();
        let books = Books::open(&server);
        Self { server, books, folder: TempDir::new().unwrap() }
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    #[track_caller]
    fn take(&self) -> Value {
        let output = self.server.lintel(&["backup", "take", self.backup().to_str().unwrap(), "--json"]);
        serde_json::from_str(&said(&output)).unwrap()
    }

    fn restore(&self, name: &str, further: &[&str]) -> (PathBuf, Output) {
        let data = self.folder.path().join(name).join("data");
        let output = lintel(&data, &[&["restore", self.backup().to_str().unwrap()], further].concat());
        (data, output)
    }

    fn key(&self) -> String {
        self.server.directory().join("data/ark.key").to_str().unwrap().to_owned()
    }

    /// A server on what was restored under this name.
    fn restored(&self, name: &str) -> Server {
        let directory = TempDir::new().unwrap();
        std::fs::rename(self.folder.path().join(name).join("data"), directory.path().join("data")).unwrap();
        Server::start_embedded(directory)
    }
}

#[test]
fn what_was_answered_before_a_backup_is_in_what_is_restored_from_it() {
    let drill = Drill::new();
    let Books { operator, rich, poor, .. } = &drill.books;
    let seller = customer(operator, "Zhou Min", "110101199003074610");
    let (stop, mut answers) = (AtomicBool::new(false), Vec::new());
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) || answers.is_empty() {
                let number = format!("v-{}", answers.len());
                let body = voucher(&number, rich, poor, 1);
                answers.push((number.clone(), body.clone(), operator.post_keyed("/v1/vouchers", &number, &body).ok()));
            }
            answers
        });
        let first = drill.take();
        assert!(number(&first, "/rows_added") >= 2, "{first}");
        stop.store(true, Ordering::Relaxed);
        answers = sender.join().unwrap();
    });
    let second = drill.take();
    assert!(number(&second, "/last_position") >= answers.len() as i64, "{second}");
    let third = drill.take();
    assert_eq!((number(&third, "/rows_added"), &third["last_position"]), (0, &second["last_position"]));

    let path = drill.backup();
    let checked: Value =
        serde_json::from_str(&said(&drill.server.lintel(&["backup", "check", path.to_str().unwrap(), "--json"])))
            .unwrap();
    assert_eq!(checked["rows"], second["last_row"]);
    let listed = said(&drill.server.lintel(&["backup", "list", path.to_str().unwrap()]));
    assert!(listed.contains("rows 1–") && listed.contains("vault-"), "{listed}");
    assert!(!path.join("ark.key").exists());

    let key = drill.key();
    said(&drill.restore("whole", &["--root-key", &key]).1);
    let restored = drill.restored("whole");
    let other = restored.operator();
    for (number, body, answer) in &answers {
        let again = other.post_keyed("/v1/vouchers", number, body);
        assert!(again.repeated(), "{number}");
        assert_eq!(&again.ok(), answer);
    }
    assert_eq!(trial_balance(&other, DAY), trial_balance(operator, DAY));
    assert_eq!(balance(&other, poor), answers.len() as i64);
    let statement = format!("/v1/accounts/{poor}/statement?from={DAY}&to={DAY}&limit=500");
    assert_eq!(other.get(&statement).ok()["data"], operator.get(&statement).ok()["data"]);
    assert_eq!(customer(&other, "Zhou Min", "110101199003074610"), seller, "the vault knows the person");
}

#[test]
fn a_point_in_time_is_a_position_and_what_came_later_is_not_there() {
    let drill = Drill::new();
    let Books { operator, rich, poor, .. } = &drill.books;
    let first = operator.post("/v1/vouchers", &voucher("v-1", rich, poor, 100)).position();
    operator.post("/v1/vouchers", &voucher("v-2", rich, poor, 1_000)).ok();
    drill.take();
    let key = drill.key();
    said(&drill.restore("earlier", &["--to", &first.to_string(), "--root-key", &key]).1);
    let beyond = refused(&drill.restore("beyond", &["--to", "999999"]).1);
    assert!(beyond.contains("holds positions 1 to") && beyond.contains("999999"), "{beyond}");
    let restored = drill.restored("earlier");
    let other = restored.operator();
    assert_eq!((balance(&other, poor), balance(operator, poor)), (100, 1_100));
    other.post("/v1/vouchers", &voucher("v-2", rich, poor, 7)).ok();
    assert_eq!(balance(&other, poor), 107);
}

#[test]
fn a_damaged_backup_is_named_and_restores_nothing() {
    let drill = Drill::new();
    let path = drill.backup();
    let no_backup = refused(&drill.server.lintel(&["backup", "check", path.to_str().unwrap()]));
    assert!(no_backup.contains("is no backup"), "{no_backup}");
    drill.take();
    let rows = std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path());
    let file = rows.into_iter().find(|path| name(path).starts_with("rows-")).unwrap();
    let sound = std::fs::read(&file).unwrap();
    for at in (0..sound.len()).step_by(1 + sound.len() / 7) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        let told = refused(&drill.server.lintel(&["backup", "check", path.to_str().unwrap()]));
        assert!(told.contains(&name(&file)) && told.contains("SM3"), "byte {at}: {told}");
        let (data, output) = drill.restore("damaged", &[]);
        assert!(refused(&output).contains(&name(&file)));
        assert!(!data.exists() && !data.with_extension("restoring").exists());
    }
    std::fs::write(&file, &sound[..sound.len() - 1]).unwrap();
    let told = refused(&drill.server.lintel(&["backup", "take", path.to_str().unwrap()]));
    assert!(told.contains(&name(&file)), "what is damaged is not gone on with: {told}");
    std::fs::write(&file, &sound).unwrap();

    let foreign = Drill::new();
    let told = refused(&drill.restore("foreign", &["--root-key", &foreign.key()]).1);
    assert!(told.contains("ark.key"), "{told}");
    foreign.books.operator.post("/v1/vouchers", &voucher("v", &foreign.books.rich, &foreign.books.poor, 1)).ok();
    let other = refused(&foreign.server.lintel(&["backup", "take", path.to_str().unwrap()]));
    assert!(other.contains("the journal that it was taken of"), "{other}");
    let (data, output) = drill.restore("twice", &[]);
    said(&output);
    let again = refused(&lintel(&data, &["restore", path.to_str().unwrap()]));
    assert!(again.contains("holds something"), "{again}");
}

#[test]
fn a_backup_is_taken_of_a_platform_that_is_down_and_goes_on_when_it_is_up() {
    let mut drill = Drill::new();
    let before = drill.take();
    assert!(drill.server.stop().success());
    drill.server.start_again();
    let up = drill.take();
    assert!(number(&up, "/rows_added") >= 1, "the row with which the next leader began: {up}");
    drill.server.kill();
    let down = drill.take();
    assert_eq!(down["last_position"], before["last_position"]);
}

#[test]
fn rows_of_the_journal_are_for_the_institutions_programs() {
    let server = Server::start();
    let books = Books::open(&server);
    let answer = books.operator.get("/v1/journal/rows?from_row=1");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
    assert_eq!(books.operator.get("/v1/journal/rows?from_row=999999999").text(), "");
    assert_eq!(books.operator.get("/v1/journal/rows?from_row=x").error().0, 400);
    let merchant = crate::open::merchant(&books.operator, "landlord", "Lin Hua", "110101199003078611");
    let key = books.operator.post(&format!("/v1/merchants/{}/key", text(&merchant, "/id")), &json!({})).ok();
    let secret = MacKey::from_hex(&text(&key, "/secret")).unwrap();
    let other = Client::new(server.address(), &text(&merchant, "/id"), secret);
    assert_eq!(other.get("/v1/journal/rows?from_row=1").error().0, 403);
    let held: Value = json!({"from_row": 1});
    assert_eq!(books.operator.post("/v1/journal/rows", &held).status, 405);
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
