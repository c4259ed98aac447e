//! Books on the machine's clock, as an import begins them: a directory, commands on it, and a plain `lintel serve`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ark::MacKey;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::server::lintel;

const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with books below `data`, and room for files beside them.
pub(crate) struct Books {
    directory: TempDir,
}

/// A platform that runs on the books; it is killed when it goes.
pub(crate) struct Running {
    child: Child,
    pub(crate) client: Client,
    pub(crate) url: String,
}

impl Books {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The path of a file beside the books.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file beside the books and returns its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `lintel` on the books, in their directory.
    pub(crate) fn lintel(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A command on the books, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lintel"));
        command.arg("--data-dir").arg(self.data()).args(arguments).current_dir(self.directory.path());
        command.env_remove("LINTEL_URL").env_remove("LINTEL_KEY");
        command
    }

    /// How many days the books' files say are over.
    pub(crate) fn days_over(&self) -> usize {
        std::fs::read_dir(self.data().join("lake/end_of_day")).map_or(0, Iterator::count)
    }

    /// Starts the platform on the books; new ones begin on `first_day`.
    pub(crate) fn serve(&self, first_day: &str) -> Running {
        let address_file = self.data().join("address");
        drop(std::fs::remove_file(&address_file));
        std::fs::create_dir_all(self.data()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lintel"))
            .args(["--set", &format!("first_day={first_day}"), "--data-dir"])
            .arg(self.data())
            .args(["serve", "--listen", "127.0.0.1:0", "--port-file"])
            .arg(&address_file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let address = loop {
            let address = std::fs::read_to_string(&address_file).unwrap_or_default();
            if std::net::TcpStream::connect(&address).is_ok() {
                break address;
            }
            assert!(child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE, "the platform did not come up");
            std::thread::sleep(Duration::from_millis(5));
        };
        Running {
            child,
            client: Client::new(&address, "operator", key(&self.data())),
            url: format!("http://{address}"),
        }
    }
}

impl Running {
    /// Ends it without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The balances of a day as CSV: account, balance.
    pub(crate) fn balances(&self, date: &str, subject: u16) -> Vec<(String, String)> {
        let target = format!("/v1/days/{date}/balances?subject={subject}");
        let answer = self.client.get_with(&target, ("accept", "text/csv"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        let cells = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        cells.map(|cells| (cells[1].to_owned(), cells[4].to_owned())).collect()
    }

    /// Every closed day's vouchers, without what differs from run to run: when they were posted.
    pub(crate) fn vouchers(&self) -> Vec<Value> {
        let days = self.client.get("/v1/days").ok();
        let mut all = Vec::new();
        for day in days["data"].as_array().unwrap() {
            let target = format!("/v1/days/{}/vouchers", day["date"].as_str().unwrap());
            for mut voucher in self.client.get(&target).ok()["data"].as_array().unwrap().clone() {
                let object = voucher.as_object_mut().unwrap();
                object.remove("posted_at");
                // Its position depends on how often the leader changed.
                object.remove("id");
                all.push(voucher);
            }
        }
        all
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn key(data: &Path) -> MacKey {
    let output = lintel(data, &["key"]);
    assert!(output.status.success(), "{output:?}");
    MacKey::from_hex(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
}

/// The JSON report of a command.
#[track_caller]
pub(crate) fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

/// What a command said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
