//! Starting the platform and the sandbox bank as processes of their own, and stopping them whatever happens.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ark::MacKey;

use crate::api::Api;

/// An address on this machine that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("taking a free port")?;
    Ok(listener.local_addr()?)
}

/// A process that ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    /// Starts a program.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.with_context(|| format!("starting {name} ({})", Path::new(&program).display()))?;
        Ok(Self { child, name })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// If it had ended by itself, or the system does not let us.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait().with_context(|| format!("looking at {}", self.name))? {
            bail!("{} had ended by itself with {status} before it was to be killed; its words are above", self.name);
        }
        self.child.kill().with_context(|| format!("killing {}", self.name))?;
        self.child.wait().with_context(|| format!("waiting for {}", self.name))?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// If it does not end well within five minutes.
    pub fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().with_context(|| format!("asking {} to stop", self.name))?;
        let until = Instant::now() + Duration::from_secs(300);
        while Instant::now() < until {
            match self.child.try_wait().with_context(|| format!("waiting for {}", self.name))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}", self.name),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        bail!("{} did not stop within five minutes", self.name)
    }

    /// Waits until the program has written its address to `file`.
    ///
    /// # Errors
    /// If it ends or takes longer than five minutes.
    pub fn address(&mut self, file: &Path) -> Result<String> {
        let until = Instant::now() + Duration::from_secs(300);
        while Instant::now() < until {
            match std::fs::read_to_string(file) {
                Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
                Ok(_) | Err(_) => {}
            }
            if let Some(status) = self.child.try_wait().with_context(|| format!("waiting for {}", self.name))? {
                bail!("{} ended with {status} before it was ready; its words are above", self.name);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} was not ready within five minutes", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The platform as a process.
#[derive(Debug)]
pub struct Platform {
    /// The process.
    pub process: Process,
    /// `http://…`.
    pub base: String,
}

/// How to start the platform.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program `lintel`.
    pub binary: PathBuf,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Where it listens: `127.0.0.1:0` takes a free port.
    pub listen: String,
    /// Further arguments of `lintel serve`.
    pub args: Vec<String>,
    /// Out of the terminal's group: a Ctrl-C then reaches whoever started it alone, which stops it in its own time.
    pub own_group: bool,
}

impl Launch {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(&self) -> Result<Platform> {
        let mut process = self.spawn()?;
        let address = process.address(&self.port_file())?;
        Ok(Platform { process, base: format!("http://{address}") })
    }

    fn port_file(&self) -> PathBuf {
        self.data_dir.join("address")
    }

    /// Starts it and does not wait: it may be killed before it is ready.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self) -> Result<Process> {
        std::fs::create_dir_all(&self.data_dir).with_context(|| format!("making {}", self.data_dir.display()))?;
        let port_file = self.port_file();
        drop(std::fs::remove_file(&port_file));
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data-dir").arg(&self.data_dir).args(["--listen", &self.listen, "--port-file"]);
        command.arg(&port_file).args(&self.args);
        #[cfg(unix)]
        if self.own_group {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        if std::env::var_os("LINTEL_LOG").is_none() {
            command.env("LINTEL_LOG", "error");
        }
        Process::start("lintel serve", &mut command)
    }

    /// The secret of an API key, as whoever may read the data directory gets it.
    ///
    /// # Errors
    /// If `lintel key` does not give it.
    pub fn key(&self, id: &str) -> Result<MacKey> {
        // Where the platform's keys lie, its settings say.
        let settings = self.args.windows(2).filter(|words| matches!(words[0].as_str(), "--set" | "--config"));
        let output = Command::new(&self.binary)
            .args(["key", id, "--data-dir"])
            .arg(&self.data_dir)
            .args(settings.flatten())
            .output()
            .context("running lintel key")?;
        let text = String::from_utf8(output.stdout).context("the answer of lintel key")?;
        MacKey::from_hex(text.trim()).with_context(|| format!("lintel key {id} gave no key"))
    }

    /// A caller of the started platform.
    ///
    /// # Errors
    /// If there is no key for `id`.
    pub fn api(&self, platform: &Platform, id: &str) -> Result<Api> {
        Api::new(&platform.base, id, self.key(id)?)
    }
}

/// The program `lintel`: named, in the environment, or beside this one.
///
/// # Errors
/// If this program does not know where it is.
pub fn lintel_binary(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named.or_else(|| std::env::var_os("LINTEL_BINARY").map(PathBuf::from)) {
        return Ok(path);
    }
    let own = std::env::current_exe().context("finding this program")?;
    Ok(own.with_file_name(format!("lintel{}", std::env::consts::EXE_SUFFIX)))
}

/// Resident memory of a process in bytes, where the system tells.
#[must_use]
pub fn resident_bytes(id: u32) -> Option<u64> {
    status_bytes(id, "VmRSS:")
}

/// The most memory a process had resident so far, in bytes, where the system tells.
#[must_use]
pub fn resident_peak_bytes(id: u32) -> Option<u64> {
    status_bytes(id, "VmHWM:")
}

fn status_bytes(id: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Processor time a process has used, in seconds over all cores, where the system tells (Linux, 100 ticks a second).
#[must_use]
pub fn cpu_seconds(id: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th word behind it.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut ticks = behind.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / 100.0)
}

/// Bytes of a file, or of all files below a directory. Files may go while they are counted.
#[must_use]
pub fn disk_bytes(path: &Path) -> u64 {
    match std::fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => {
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| disk_bytes(&entry.path())).sum()
        }
        Ok(data) => data.len(),
        Err(_) => 0,
    }
}
