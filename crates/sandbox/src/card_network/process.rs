//! The network as a process of its own, for whoever plays or measures: where members connect, and what its books say over HTTP.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::play::stage::DAY;
use crate::process::Process;

/// The institution's number at the network.
pub(crate) const MEMBER: &str = "48021000";

/// A network that ends with this value.
#[derive(Debug)]
pub(crate) struct NetworkProcess {
    process: Process,
    /// Where members connect.
    doors: [String; 2],
    /// Where its books are asked for.
    control: String,
    http: reqwest::Client,
}

impl NetworkProcess {
    /// Starts it in a folder, with a plan of what goes wrong and with further arguments.
    pub(crate) fn start(folder: &Path, plan: &str, more: &[&str]) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let (file, port_file) = (folder.join("card-network-plan.toml"), folder.join("card-network-address"));
        std::fs::write(&file, plan).with_context(|| format!("writing {}", file.display()))?;
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(own);
        let anywhere = ["--listen", "127.0.0.1:0"];
        command.arg("card-network").args(anywhere).args(anywhere).args(["--date", DAY, "--faults"]).arg(&file);
        command.arg("--port-file").arg(&port_file).args(more).stdout(Stdio::null());
        let mut process = Process::start("the sandbox card network", &mut command)?;
        let addresses = process.address(&port_file)?;
        let mut lines = addresses.lines().map(str::to_owned);
        let mut next = || lines.next().context("the card network says three addresses");
        let (doors, control) = ([next()?, next()?], next()?);
        let http = reqwest::Client::builder().no_proxy().build().context("making an HTTP client")?;
        Ok(Self { process, doors, control, http })
    }

    /// `pos.network.links` of a platform that is connected to it, with a weight for each door.
    pub(crate) fn links(&self, weights: [u32; 2]) -> String {
        let link = |(name, (door, weight))| format!("{{name=\"{name}\",address=\"{door}\",weight={weight}}}");
        let links: Vec<String> = ["a", "b"].into_iter().zip(self.doors.iter().zip(weights)).map(link).collect();
        format!("[{}]", links.join(","))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it something.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Result<String> {
        let method = method.parse().with_context(|| format!("{method} is no HTTP method"))?;
        let request = self.http.request(method, format!("http://{}{path}", self.control));
        let response = request.send().await.with_context(|| format!("asking the card network for {path}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| format!("reading the card network's {path}"))?;
        ensure!(status.is_success(), "the card network answers {path} with {status}: {text}");
        Ok(text)
    }

    /// What its books hold.
    pub(crate) async fn books(&self) -> Result<Value> {
        let text = self.ask("GET", "/books").await?;
        serde_json::from_str(&text).with_context(|| format!("the network's books: {text}"))
    }
}
