//! The sandbox's card network as a process of its own, whose books are asked for over HTTP.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::Process;

/// The platform's member code there.
pub(super) const MEMBER: &str = "48021000";
/// What each card's account holds at first, in fen: nobody runs out of money here.
const BALANCE: &str = "1000000000000";

/// The network.
pub(super) struct Network {
    process: Process,
    addresses: Vec<String>,
    http: reqwest::Client,
}

impl Network {
    /// Starts it: of 10,000 answers so many are lost, and so many come late.
    pub(super) fn start(folder: &Path, [lost, late]: [u32; 2], delay_ms: u64, seed: u64) -> Result<Self> {
        let (plan, port_file) = (folder.join("network-plan.toml"), folder.join("network-address"));
        let text = format!("seed = {seed}\nlost_after = {lost}\nlate = {late}\ndelay_ms = {delay_ms}\n");
        std::fs::write(&plan, text).with_context(|| format!("writing {}", plan.display()))?;
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(own);
        command.args(["card-network", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--balance", BALANCE]);
        command.args(["--date", crate::play::stage::DAY, "--faults"]).arg(&plan).arg("--port-file").arg(&port_file);
        let mut process = Process::start("the sandbox card network", command.stdout(Stdio::null()))?;
        let addresses: Vec<String> = process.address(&port_file)?.lines().map(str::to_owned).collect();
        ensure!(addresses.len() == 3, "the card network listens at {addresses:?}");
        let http = reqwest::Client::builder().no_proxy().build().context("making an HTTP client")?;
        Ok(Self { process, addresses, http })
    }

    /// The setting of the links to it.
    pub(super) fn links(&self) -> String {
        let link = |(at, address): (usize, &String)| format!("{{name=\"link{at}\",address=\"{address}\",weight=1}}");
        let links: Vec<String> = self.addresses.iter().take(2).enumerate().map(link).collect();
        format!("[{}]", links.join(","))
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What its books hold.
    pub(super) async fn books(&self) -> Result<Value> {
        let url = format!("http://{}/books", self.addresses.last().context("an address")?);
        let text = self.http.get(url).send().await.context("asking the network for its books")?.text().await?;
        serde_json::from_str(&text).with_context(|| format!("the network's books: {text}"))
    }
}
