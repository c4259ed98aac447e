//! The other side's golden fixtures: the bank takes their requests and gives their answers, byte for byte.
//!
//! They lie in `fixtures/channels`, where the platform's channels are held to the same bytes. So both
//! sides are held to one format without sharing a line of code.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{DAY, NEXT_DAY, World};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/channels").join(name)
}

/// The blocks of a conversation: the lines marked `>` (requests) and `<` (responses).
pub(crate) fn blocks(name: &str, mark: &str) -> Vec<String> {
    let path = fixture(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    let block = |block: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n").map(block).filter(|block| !block.is_empty()).collect()
}

/// Sends the first request of a fixture and holds the answer against its first response.
async fn first(world: &World, name: &str) {
    let request = blocks(name, ">").remove(0);
    let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
    let mut head = head.lines();
    let (method, target) = head.next().unwrap().split_once(' ').unwrap();
    let mut sent =
        world.client.request(method.parse().unwrap(), format!("{}{target}", world.url)).body(body.to_owned());
    for (key, value) in head.map(|line| line.split_once(": ").unwrap()) {
        sent = sent.header(key, value);
    }
    let answer = sent.send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let shown = format!(
        "{}\nx-nonce: {}\nx-signature: {}\n",
        answer.status().as_u16(),
        header("x-nonce"),
        header("x-signature")
    );
    let shown = format!("{shown}\n{}", answer.text().await.unwrap());
    assert_eq!(shown, blocks(name, "<").remove(0), "{name}");
}

async fn clearing(world: &World, target: &str, name: &str) {
    let reply = world.get(target).await;
    assert_eq!(String::from_utf8(reply.body).unwrap(), fs::read_to_string(fixture(name)).unwrap(), "{name}");
}

#[tokio::test]
async fn the_bank_speaks_as_the_fixtures_do() {
    let world = World::start("return_nth = [1]").await;
    for name in ["debit", "debit_unionpay", "refund", "pay", "pay_own_bank"] {
        first(&world, &format!("sandbox_bank/{name}.txt")).await;
    }
    first(&world, "sandbox_bank/returns_and_notifications.txt").await;
    assert_eq!(world.bank.return_all(), 1);
    world.bank.set_clearing_date(NEXT_DAY).unwrap();
    clearing(&world, &format!("/bank/v1/clearing?date={DAY}&rail=epcc&part=1"), "sandbox_bank/clearing_1_of_1.clr")
        .await;
}

#[tokio::test]
async fn the_fund_holds_and_captures_a_part_as_the_fixtures_do() {
    let world = World::start("[part]\nhold = 10000\ncapture = 10000\nshare = 5000").await;
    for name in ["hold_part", "capture_part"] {
        first(&world, &format!("sandbox_fund/{name}.txt")).await;
    }
    assert_eq!(world.bank.day_totals(DAY, sandbox::bank::Rail::Fund).in_sum, 150_000, "what was captured is cleared");
}

#[tokio::test]
async fn the_fund_speaks_as_the_fixtures_do() {
    let world = World::start("").await;
    for name in ["hold", "capture", "release", "refund"] {
        first(&world, &format!("sandbox_fund/{name}.txt")).await;
    }
    world.bank.set_clearing_date(jiff::civil::date(2026, 3, 7)).unwrap();
    clearing(&world, &format!("/fund/v1/clearing?date={DAY}&rail=fund&part=1"), "sandbox_fund/clearing_1_of_1.clr")
        .await;
    clearing(&world, &format!("/fund/v1/clearing?date={NEXT_DAY}&rail=fund"), "sandbox_fund/clearing_empty.clr").await;
}
