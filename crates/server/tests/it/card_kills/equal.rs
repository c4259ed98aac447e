//! Both sides say the same, transaction by transaction, and so does the network's file.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::shift::{Asked, Kind};
use crate::card_network::Network;
use crate::client::Client;
use crate::open::text;

const PATIENCE: Duration = Duration::from_secs(60);

/// All transactions, once the network owes no answer.
pub(super) fn settled(client: &Client) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let position = client.get("/v1/card-network").position();
        let path = format!("/v1/card-transactions?limit=500&min_position={position}");
        let rows = client.get(&path).ok()["data"].as_array().unwrap().clone();
        let is_owed = |row: &Value| row["scripts"].is_object() && row["scripts"]["taken_at"].is_null();
        let is_open = |row: &Value| ["requested", "unknown", "reversing"].contains(&text(row, "/status").as_str());
        let open = |row: &Value| is_open(row) || is_owed(row);
        if !rows.iter().any(open) {
            return rows;
        }
        assert!(began.elapsed() < PATIENCE, "the network owes answers: {rows:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the terminal saw is what the books have: it was done if and only if the terminal saw that it was.
pub(super) fn as_seen(rows: &[Value], asked: &Asked, code: &str) {
    let is_it = |row: &&Value| row["batch"] == json!(asked.batch) && row["trace"] == json!(asked.trace);
    let row = rows.iter().find(is_it);
    let status = row.map_or_else(String::new, |row| text(row, "/status"));
    let told = format!("{asked:?} answered {code}: {row:?}");
    if asked.kind == Kind::Close {
        assert_eq!(code, "00", "{told}");
    } else if asked.kind == Kind::Reversal {
        assert_eq!((code, status.as_str()), ("00", "reversed"), "{told}");
    } else if asked.kind == Kind::Scripts {
        let taken = row.map(|row| row["scripts"]["code"].clone());
        assert_eq!((code, status.as_str(), taken), ("00", "approved", Some(json!("00"))), "{told}");
    } else {
        assert_eq!(code == "00", status == "approved", "{told}");
    }
}

/// Our transactions and the network's, by reference: what each did and how it stands.
pub(super) fn both_sides(rows: &[Value], network: &Network) {
    let approved = |row: &&Value| text(row, "/status") == "approved";
    let is_undone = |id: &str| {
        rows.iter().filter(approved).any(|row| {
            let undoes = ["void", "preauthorisation_cancel", "completion_void"].contains(&text(row, "/kind").as_str());
            let is_of_it = row["original"] == json!(id);
            // A completion takes its pre-authorisation's place, for as long as it stands itself.
            let completes = ["completion", "completion_advice"].contains(&text(row, "/kind").as_str());
            let own = text(row, "/id");
            let is_voided = rows.iter().filter(approved).any(|void| {
                void["original"] == json!(own) && ["void", "completion_void"].contains(&text(void, "/kind").as_str())
            });
            is_of_it && (undoes || (completes && !is_voided))
        })
    };
    // A sale with its tip is one amount here, and two there.
    let tips = |id: &str| -> i64 {
        let is_tip = |row: &&Value| text(row, "/kind") == "adjustment" && row["original"] == json!(id);
        rows.iter().filter(approved).filter(is_tip).filter_map(|row| row["amount"].as_i64()).sum()
    };
    let mut ours: BTreeMap<String, (String, i64, Option<String>)> = BTreeMap::new();
    for row in rows {
        let stands = match text(row, "/status").as_str() {
            "approved" if is_undone(&text(row, "/id")) => "undone",
            "approved" => "approved",
            // What was taken back, or declined here, may never have reached it.
            _ => continue,
        };
        let amount = row["amount"].as_i64().unwrap() - tips(&text(row, "/id"));
        let scripts = row["scripts"]["results"].as_str().map(|results| format!("DF3105{results}"));
        ours.insert(text(row, "/reference"), (stands.to_owned(), amount, scripts));
    }
    let told: Vec<Value> = serde_json::from_str(&network.ask("GET", "/transactions")).unwrap();
    let stands = |row: &Value| ["approved", "undone"].contains(&text(row, "/stands").as_str());
    let theirs: BTreeMap<String, (String, i64, Option<String>)> = told
        .iter()
        .filter(|row| stands(row))
        .map(|row| {
            let scripts = row["scripts"].as_str().map(ToOwned::to_owned);
            (text(row, "/reference"), (text(row, "/stands"), row["amount"].as_i64().unwrap(), scripts))
        })
        .collect();
    assert_eq!(ours, theirs);
}

/// The network's file names exactly what we have.
pub(super) fn file(client: &Client, network: &Network) {
    let taken = client.post("/v1/card-clearing", &json!({"file": network.ask("GET", "/file/48021000")})).ok();
    let part = &taken["parts"][0];
    assert_eq!((&part["different"], &part["cost_difference"]), (&json!(0), &json!(0)), "{taken}");
    assert_eq!(part["matched"], taken["lines"], "{taken}");
    assert!(taken["lines"].as_u64().unwrap() > 5, "{taken}");
}
