//! The ten-minute guide, followed word for word: every `sh` block of `docs/guide.md` in one shell, with no change but the three port
//! numbers, which other tests may be using. What is left out is the build, which is what made the programs that are run here.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::skip::skip;

fn guide(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap()
}

/// The blocks that begin with this fence.
fn blocks(text: &str, fence: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == fence {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// Three ports that are free now.
fn ports() -> [String; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port().to_string())
}

#[test]
fn the_guide_leads_to_a_signed_payment_and_a_webhook() {
    let programs = Path::new(env!("CARGO_BIN_EXE_lintel")).parent().unwrap();
    if !programs.join("lintel-sandbox").exists() {
        return skip("lintel-sandbox", "cargo build -p sandbox");
    }
    for (program, remedy) in [("curl", "apt-get install curl"), ("openssl", "apt-get install openssl")] {
        if Command::new(program).arg("version").output().is_err() {
            return skip(program, remedy);
        }
    }
    let commands = blocks(&guide("guide.md"), "```sh");
    assert!(commands.len() >= 7, "{} blocks", commands.len());
    let mut script = format!("set -eu\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{}\n", commands.join("\n"));
    for (written, free) in ["7880", "7881", "9009"].into_iter().zip(ports()) {
        script = script.replace(written, &free);
    }
    let directory = TempDir::new().unwrap();
    let path = std::env::join_paths(
        std::iter::once(programs.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut run = Command::new("timeout");
    run.args(["300", "bash", "-c", &script]).current_dir(directory.path()).env("PATH", path.unwrap());
    let output = run.env_remove("LINTEL_CONFIG").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let log =
        |name: &str| std::fs::read_to_string(directory.path().join("first-payment").join(name)).unwrap_or_default();
    let all = || format!("{told}\n{}\n{}", String::from_utf8_lossy(&output.stderr), log("platform.log"));
    assert!(output.status.success(), "{}", all());
    let orders: Vec<&str> = told.lines().filter(|line| line.contains("\"out_trade_no\":\"T1\"")).collect();
    let paid =
        orders.iter().filter(|line| line.contains("\"status\":\"success\"") && line.contains("\"id\":\"ord_1\""));
    assert_eq!(paid.count(), 2, "{}", all());
    let webhook =
        told.lines().find(|line| line.contains("\"kind\":\"order.paid\"")).unwrap_or_else(|| panic!("{}", all()));
    assert!(webhook.contains("\"id\":\"ord_1\""), "{webhook}");
}

#[test]
fn the_chinese_guide_has_the_same_commands() {
    for fence in ["```sh", "```shell"] {
        assert_eq!(blocks(&guide("guide.zh-CN.md"), fence), blocks(&guide("guide.md"), fence));
    }
}
