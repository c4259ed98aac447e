//! The card network of the day, a process of its own, and where terminals connect.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::stage::DAY;
use crate::process::Process;

/// How the network loses, delays and doubles answers and cuts links, of 10,000 messages.
const PLAN: &str = "late_ms = 900\nlost_before = 200\nlost_after = 250\nlate = 150\ntwice = 300\ncut = 100\n";
/// The platform's patience with the network: less than what is late there.
const ANSWER_MS: u32 = 600;
/// The institution's number at the network.
pub(super) const MEMBER: &str = "48021000";

/// The card network, and where the platform lets terminals in.
#[derive(Debug)]
pub(super) struct CardStage {
    _network: Process,
    /// Where members connect.
    doors: [String; 2],
    /// Where its books are asked for.
    pub(super) control: String,
    /// The same through every restart of the platform.
    pub(super) terminals: SocketAddr,
}

impl CardStage {
    /// Starts the network.
    pub(super) fn raise(seed: u64, data_dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(data_dir).with_context(|| format!("making {}", data_dir.display()))?;
        let (plan, port_file) = (data_dir.join("card-plan.toml"), data_dir.join("card-network-address"));
        std::fs::write(&plan, format!("seed = {seed}\n{PLAN}"))
            .with_context(|| format!("writing {}", plan.display()))?;
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(own);
        let anywhere = ["--listen", "127.0.0.1:0"];
        command.arg("card-network").args(anywhere).args(anywhere).args(["--date", DAY, "--faults"]).arg(&plan);
        command.arg("--port-file").arg(&port_file).stdout(Stdio::null());
        let mut network = Process::start("the sandbox card network", &mut command)?;
        let addresses = network.address(&port_file)?;
        let mut lines = addresses.lines().map(str::to_owned);
        let mut next = || lines.next().context("the card network says three addresses");
        let (doors, control) = ([next()?, next()?], next()?);
        Ok(Self { _network: network, doors, control, terminals: free_address()? })
    }

    /// The settings of a platform that is connected to it.
    pub(super) fn settings(&self) -> Vec<String> {
        let [first, second] = &self.doors;
        let links =
            format!("[{{name=\"a\",address=\"{first}\",weight=3}},{{name=\"b\",address=\"{second}\",weight=1}}]");
        let answer = format!("answer_timeout_ms={ANSWER_MS}");
        let own = [
            "name=unionpay",
            "pin_block_bytes=16",
            "echo_ms=500",
            "reconnect_ms=20",
            "forward_ms=50",
            "forward_max_ms=1000",
            &answer,
        ];
        let own = own.iter().map(|setting| format!("pos.network.{setting}"));
        let named = [
            format!("pos.network.member={MEMBER}"),
            format!("pos.network.links={links}"),
            format!("pos.listen={}", self.terminals),
        ];
        own.chain(named).collect()
    }
}

/// One that nobody listens at now.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    listener.local_addr().context("asking for the address of a listener")
}
