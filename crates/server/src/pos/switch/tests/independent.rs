//! A terminal that someone else wrote: `fixtures/pos/terminal.py`, on pyiso8583, with a cipher of its own.

use std::path::PathBuf;
use std::process::Command;

use super::shop::{CARD, MASTER, NUMBER, PIN, SERIAL, Shop};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/pos/terminal.py");

/// A Python that has pyiso8583.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let own = cache.map(|cache| cache.join("lintel/venv/bin/python"));
    let has_it = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import iso8583, iso8583.specs"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    own.into_iter().chain([PathBuf::from("python3")]).find(has_it)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_of_another_making_signs_in_sells_voids_and_settles() {
    let Some(python) = python() else {
        let line = "SKIP independent: python3 -m venv ~/.cache/lintel/venv && ~/.cache/lintel/venv/bin/pip install pyiso8583==4.0.1";
        tracing::warn!("{line}");
        assert!(std::env::var_os("LINTEL_CI").is_none(), "under LINTEL_CI a skip fails: {line}");
        return;
    };
    let shop = Shop::open("sm4").await;
    let (address, master) = (shop.address.to_string(), hex::encode_upper(MASTER));
    let run = move || {
        Command::new(python).arg(SCRIPT).args([&address, "00000001", NUMBER, SERIAL, &master, CARD, PIN]).output()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("settled: batch 1 balanced"), "{said}");
    assert_eq!((shop.issuer.balance(CARD), shop.batch().await), (80_000, 2));
}
