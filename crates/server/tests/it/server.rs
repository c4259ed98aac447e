//! A real `lintel serve` on sandbox books in a directory of its own; it ends with the test.
//!
//! Journal and store lie where `LINTEL_TEST_PLACE` says: `embedded` (unless said) below that directory, or `postgres`, each
//! in a schema of its own in a throw-away cluster.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use ark::MacKey;
use serde_json::json;
use tempfile::TempDir;

use crate::client::Client;
use crate::cluster::cluster;

/// How long the server may take to be there, or to be gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. The books begin on Thursday 2026-03-05 at 09:00 in Shanghai and time stands until it is moved.
pub(crate) struct Server {
    child: Option<Child>,
    directory: TempDir,
    /// `KEY=VALUE`, the same at every start.
    settings: Vec<String>,
    /// What the process finds in its environment besides, the same at every start.
    environment: Vec<(String, OsString)>,
    operator: MacKey,
    address: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With settings `KEY=VALUE` of its own.
    pub(crate) fn start_with(own: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), own, Vec::new())
    }

    /// In a directory, with settings and variables of its own.
    pub(crate) fn start_in(directory: TempDir, own: &[&str], environment: Vec<(String, OsString)>) -> Self {
        Self::start_at(directory, with_place(own), environment)
    }

    /// The same, for whoever has the institution's own secret already.
    pub(crate) fn start_known(
        directory: TempDir,
        own: &[&str],
        environment: Vec<(String, OsString)>,
        secret: &[u8],
    ) -> Self {
        let operator = MacKey::from_hex(String::from_utf8_lossy(secret).trim()).unwrap();
        let server = Self::begun(directory, with_place(own), environment, |_, _| operator);
        assert_eq!(server.operator().get("/health/ready").status, 200);
        server
    }

    /// On the journal that lies in a directory, wherever that of other tests lies.
    pub(crate) fn start_embedded(directory: TempDir) -> Self {
        Self::start_at(directory, Vec::new(), Vec::new())
    }

    /// On the books that lie in a directory and where these settings say.
    pub(crate) fn start_on(directory: TempDir, settings: &[String]) -> Self {
        Self::start_on_with(directory, settings, Vec::new())
    }

    /// As [`Self::start_on`], with variables of its own.
    pub(crate) fn start_on_with(directory: TempDir, settings: &[String], environment: Vec<(String, OsString)>) -> Self {
        Self::start_at(directory, settings.to_vec(), environment)
    }

    /// With settings of its own that say where its keys are: it is sealed until it has heard of them.
    pub(crate) fn start_by_keys_elsewhere(own: &[&str]) -> Self {
        let mut server =
            Self::begun(TempDir::new().unwrap(), with_place(own), Vec::new(), |_, _| MacKey::from_bytes([0; 32]));
        server.wait();
        server.operator = operator_key(server.directory.path(), &server.settings);
        server
    }

    /// A node beside the one that leads their journal: it is not up, and waits.
    pub(crate) fn start_waiting(directory: TempDir, settings: &[String], environment: Vec<(String, OsString)>) -> Self {
        let (settings, operator) = (settings.to_vec(), MacKey::from_bytes([0; 32]));
        let child = Some(spawn(directory.path(), &settings, &environment));
        Self { child, directory, settings, environment, operator, address: String::new() }
    }

    fn start_at(directory: TempDir, settings: Vec<String>, environment: Vec<(String, OsString)>) -> Self {
        let server = Self::begun(directory, settings, environment, operator_key);
        assert_eq!(server.operator().get("/health/ready").status, 200);
        server
    }

    /// It listens; the institution's own secret is got then.
    fn begun(
        directory: TempDir,
        settings: Vec<String>,
        environment: Vec<(String, OsString)>,
        secret: impl FnOnce(&Path, &[String]) -> MacKey,
    ) -> Self {
        let (child, address) = serve(directory.path(), &settings, &environment);
        let operator = secret(directory.path(), &settings);
        Self { child: Some(child), directory, settings, environment, operator, address }
    }

    /// On the key service of custodians, which is sealed as at every start of theirs.
    pub(crate) fn start_sealed(directory: TempDir, custodians: &Custodians) -> Self {
        Self::start_sealed_with(directory, custodians, Vec::new())
    }

    /// The same, with variables of its own.
    pub(crate) fn start_sealed_with(
        directory: TempDir,
        custodians: &Custodians,
        environment: Vec<(String, OsString)>,
    ) -> Self {
        Self::start_sealed_at(directory, custodians, place(), environment)
    }

    /// On a key service that starts sealed, for whoever has the institution's own secret; the journal lies in the directory.
    pub(crate) fn start_sealed_by(directory: TempDir, secret: &str, environment: Vec<(String, OsString)>) -> Self {
        let custodians = Custodians { shares: Vec::new(), operator: MacKey::from_hex(secret).unwrap() };
        Self::start_sealed_at(directory, &custodians, Vec::new(), environment)
    }

    /// The same, on the journal that lies in the directory, wherever that of other tests lies.
    pub(crate) fn start_sealed_embedded(directory: TempDir, custodians: &Custodians) -> Self {
        Self::start_sealed_at(directory, custodians, Vec::new(), Vec::new())
    }

    fn start_sealed_at(
        directory: TempDir,
        custodians: &Custodians,
        settings: Vec<String>,
        environment: Vec<(String, OsString)>,
    ) -> Self {
        let server = Self::begun(directory, settings, environment, |_, _| custodians.operator.clone());
        assert_eq!(server.operator().get("/health/ready").error().1, "sealed");
        server
    }

    /// Brings shares, which must be enough, and waits until it serves.
    pub(crate) fn unseal(&self, shares: &[String]) {
        for share in shares {
            self.operator().send("POST", "/v1/ark/unseal", &[], json!({ "share": share }).to_string().as_bytes()).ok();
        }
        self.wait();
    }

    fn wait(&self) {
        let began = Instant::now();
        // A connection that meets the change of hands may be reset, as at any restart.
        let ready = || crate::client::exchange(&self.address, "GET", "/health/ready", &[], b"");
        while ready().map_or(true, |answer| answer.status != 200) {
            assert!(began.elapsed() < PATIENCE, "it did not come up:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The institution's own client.
    pub(crate) fn operator(&self) -> Client {
        Client::new(&self.address, "operator", self.operator.clone())
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("the server runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        self.child = None;
        self.keep_golden();
        status
    }

    /// Kills it without a word.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What kills it without a word.
    pub(crate) fn killer(&self) -> impl FnOnce() + Send + use<> {
        let pid = self.child.as_ref().expect("the server runs").id().to_string();
        move || assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success())
    }

    /// Waits until it has ended, by whoever killed it.
    pub(crate) fn ended(&mut self) {
        let mut child = self.child.take().expect("the server was started");
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed() >= PATIENCE {
                drop(child.kill());
                panic!("the server did not die:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// With other settings from its next start on.
    pub(crate) fn set(&mut self, before: &[&str], after: &[&str]) {
        self.settings.retain(|setting| !before.contains(&setting.as_str()));
        self.settings.extend(after.iter().map(|setting| (*setting).to_owned()));
    }

    /// Starts it again on the same directory.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        let (child, address) = serve(self.directory.path(), &self.settings, &self.environment);
        (self.child, self.address) = (Some(child), address);
    }

    /// Starts it again, which it must refuse; gives back what it then logged.
    pub(crate) fn start_refused(&mut self) -> String {
        assert!(self.child.is_none(), "the server runs");
        let before = self.log().len();
        let mut child = spawn(self.directory.path(), &self.settings, &self.environment);
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(!status.success(), "it ended with {status}");
                return self.log().split_off(before);
            }
            if began.elapsed() >= PATIENCE {
                drop(child.kill());
                panic!("the server neither came up nor refused to:\n{}", self.log());
            }
            assert!(read_address(self.directory.path()).is_empty(), "the server came up:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs `lintel` with these arguments on the server's data directory.
    pub(crate) fn lintel(&self, arguments: &[&str]) -> Output {
        self.lintel_in(arguments, &[])
    }

    /// As [`Self::lintel`], with more in its environment.
    pub(crate) fn lintel_in(&self, arguments: &[&str], environment: &[(&str, String)]) -> Output {
        self.run(&self.directory.path().join("data"), arguments, environment)
    }

    /// As [`Self::lintel`], on another data directory.
    pub(crate) fn lintel_on(&self, data: &Path, arguments: &[&str]) -> Output {
        self.run(data, arguments, &[])
    }

    fn run(&self, data: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Output {
        let settings = self.settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
        let arguments: Vec<&str> = arguments.iter().copied().chain(settings).collect();
        lintel_in(data, &arguments, environment)
    }

    /// Whether the process that was started runs on.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Everything it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way it is gone after this.
            drop(child.kill());
            drop(child.wait());
            self.keep_golden();
        }
    }
}

impl Server {
    /// With LINTEL_GOLDEN set, keeps the journal there under the test's name: for fixtures/journals.
    fn keep_golden(&self) {
        let Some(folder) = std::env::var_os("LINTEL_GOLDEN") else { return };
        let backup = self.directory.path().join("golden");
        let output = self.lintel(&["backup", "take", backup.to_str().unwrap_or_default(), "--without-vault"]);
        let name = std::thread::current().name().unwrap_or("main").replace("::", "-");
        let files = std::fs::read_dir(&backup).into_iter().flatten().flatten().map(|entry| entry.path());
        // The directory's lock has no ending either.
        for file in files.filter(|path| path.extension().is_none() && !path.ends_with("lock")) {
            drop(std::fs::copy(file, Path::new(&folder).join(format!("{name}.rows"))));
        }
        drop(output);
    }
}

/// Three custodians, two of whom open the key service of a directory, and the secret of the institution's programs.
pub(crate) struct Custodians {
    pub(crate) shares: Vec<String>,
    operator: MacKey,
}

impl Custodians {
    /// Makes the key service of a directory and deals its root key.
    pub(crate) fn deal(directory: &Path) -> Self {
        let data = directory.join("data");
        let dealt = lintel(&data, &["ark", "init", "--shares", "3", "--threshold", "2"]);
        assert!(dealt.status.success(), "{dealt:?}");
        let shares: Vec<String> = String::from_utf8(dealt.stdout).unwrap().lines().map(str::to_owned).collect();
        let key = lintel_fed(&data, &["key", "--shares"], &shares[1..].join("\n"));
        assert!(key.status.success(), "{key:?}");
        let operator = MacKey::from_hex(String::from_utf8(key.stdout).unwrap().trim()).unwrap();
        Self { shares, operator }
    }

    /// The secret of the institution's programs as the command line takes it.
    pub(crate) fn secret(&self) -> String {
        self.operator.to_hex().expose().to_owned()
    }
}

/// True where journal and store lie below the server's directory.
pub(crate) fn is_embedded() -> bool {
    match std::env::var("LINTEL_TEST_PLACE").as_deref() {
        Ok("embedded") | Err(_) => true,
        Ok("postgres") => false,
        Ok(other) => panic!("LINTEL_TEST_PLACE is embedded or postgres, not '{other}'"),
    }
}

/// The settings of a new place for journal and store.
fn place() -> Vec<String> {
    if is_embedded() {
        return Vec::new();
    }
    in_postgres("server").expect("LINTEL_TEST_PLACE=postgres takes PostgreSQL")
}

/// The settings of new schemas for journal and store in the throw-away cluster; `None` where there is no PostgreSQL.
pub(crate) fn in_postgres(test: &str) -> Option<Vec<String>> {
    let cluster = cluster(test)?;
    let (url, schema) = (cluster.url(), cluster.schema());
    let of = |part: &str| [format!("{part}.url={url}"), format!("{part}.schema={schema}_{part}")];
    Some([of("journal"), of("store")].concat())
}

/// The file in which the server says where it listens; the command line looks for it there.
fn read_address(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("data/address")).unwrap_or_default()
}

fn spawn(directory: &Path, settings: &[String], environment: &[(String, OsString)]) -> Child {
    let port_file = directory.join("data/address");
    drop(std::fs::remove_file(&port_file));
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_lintel"))
        .args(["--set", "first_day=2026-03-05", "--data-dir"])
        .arg(directory.join("data"))
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .args(["serve", "--listen", "127.0.0.1:0", "--sandbox", "--clock", "manual", "--port-file"])
        .arg(&port_file)
        .env("LINTEL_LOG", "debug")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn serve(directory: &Path, settings: &[String], environment: &[(String, OsString)]) -> (Child, String) {
    let mut child = spawn(directory, settings, environment);
    let began = Instant::now();
    loop {
        let address = read_address(directory);
        if !address.is_empty() && std::net::TcpStream::connect(&address).is_ok() {
            return (child, address);
        }
        if let Some(status) = child.try_wait().unwrap() {
            let log = std::fs::read_to_string(directory.join("log")).unwrap();
            panic!("the server ended with {status}:\n{log}");
        }
        assert!(began.elapsed() < PATIENCE, "the server did not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `lintel` with these arguments on a data directory.
pub(crate) fn lintel(data: &Path, arguments: &[&str]) -> Output {
    lintel_in(data, arguments, &[])
}

/// As [`lintel`], with more in its environment.
pub(crate) fn lintel_in(data: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lintel"));
    command.arg("--data-dir").arg(data).args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    command.env_remove("LINTEL_URL").env_remove("LINTEL_KEY").env_remove("LINTEL_AS").output().unwrap()
}

/// As [`lintel`], with something on its standard input.
pub(crate) fn lintel_fed(data: &Path, arguments: &[&str], input: &str) -> Output {
    lintel_fed_in(data, arguments, input, &[])
}

/// As [`lintel_fed`], with more in its environment.
pub(crate) fn lintel_fed_in(data: &Path, arguments: &[&str], input: &str, environment: &[(&str, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lintel"));
    command
        .arg("--data-dir")
        .arg(data)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.env_remove("LINTEL_URL").env_remove("LINTEL_KEY").env_remove("LINTEL_AS").spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Settings of a test's own behind those of its place.
fn with_place(own: &[&str]) -> Vec<String> {
    place().into_iter().chain(own.iter().map(|setting| (*setting).to_owned())).collect()
}

fn operator_key(directory: &Path, settings: &[String]) -> MacKey {
    let settings = settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
    let output = lintel(&directory.join("data"), &["key"].into_iter().chain(settings).collect::<Vec<_>>());
    assert!(output.status.success(), "{output:?}");
    MacKey::from_hex(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
}
