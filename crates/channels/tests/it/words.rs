//! What a case of a fixture may show, and which words must be shown of what: the tables of `fixtures/channels/README.md`.

use crate::fixture::Ask;

/// What an answer to this proves that nobody signed so.
pub(crate) fn unbelieved(ask: &Ask) -> &'static str {
    match ask {
        Ask::Do(_) | Ask::Redirect(_) | Ask::Query { .. } | Ask::Close { .. } => "unknown",
        Ask::SignUp(_) | Ask::Confirm { .. } | Ask::RealName(_) | Ask::RealNameQuery { .. } => "unknown",
        Ask::Returns { .. } | Ask::Notify => "channel_signature",
    }
}

/// What a case must prove that shows this. A channel that takes an operation without doing it at once says "pending". Of signing an
/// agreement (`signs`) nothing is queried: what is in progress, and what nobody asked for, proves nothing and is never a refusal.
pub(crate) fn proves(shows: &str, signs: bool) -> &'static [&'static str] {
    match shows {
        "pending" | "not-found" if signs => &["unknown"],
        "success" => &["success", "answered", "matched"],
        "part" => &["success"],
        "taken" => &["success", "pending", "code_sent", "signed", "matched"],
        "decline" => &["declined", "answered", "refused"],
        "pending" => &["pending"],
        "not-found" => &["not_found"],
        "closed" => &["closed"],
        "duplicate" => &["unknown", "pending"],
        "returned" => &["returned ", "returns 2"],
        "twice" => &["returns 2"],
        "none" => &["returns"],
        "unknown-field" => &["success", "pending", "answered", "code_sent", "signed", "matched", "returns 2"],
        "forged" => &["unknown", "channel_signature"],
        "wrong-amount" | "wrong-currency" | "wrong-merchant" | "contradiction" | "replayed" | "cut" => {
            &["unknown", "channel_signature", "channel_format"]
        }
        other => panic!("no case shows '{other}': fixtures/channels/README.md lists the words"),
    }
}

/// What must be shown of each operation when it is asked for.
pub(crate) const ASKED: [&str; 9] = [
    "taken",
    "decline",
    "duplicate",
    "unknown-field",
    "forged",
    "wrong-amount",
    "wrong-currency",
    "wrong-merchant",
    "contradiction",
];

/// What must be shown of a query about it: the way out of every time-out.
pub(crate) const QUERIED: [&str; 10] = [
    "success",
    "decline",
    "pending",
    "not-found",
    "unknown-field",
    "forged",
    "wrong-amount",
    "wrong-currency",
    "wrong-merchant",
    "contradiction",
];

/// What must be shown of notifications.
pub(crate) const TOLD: [&str; 6] = ["success", "decline", "unknown-field", "forged", "wrong-merchant", "contradiction"];

/// What must be shown of a list of the payments that came back (退票).
pub(crate) const RETURNED: [&str; 10] = [
    "returned",
    "none",
    "twice",
    "unknown-field",
    "forged",
    "cut",
    "wrong-amount",
    "wrong-currency",
    "wrong-merchant",
    "contradiction",
];

/// What must be shown of asking for a code, and of bringing it.
pub(crate) const SIGNED: [&str; 9] = [
    "taken",
    "decline",
    "duplicate",
    "pending",
    "not-found",
    "unknown-field",
    "forged",
    "wrong-merchant",
    "contradiction",
];

/// What must be shown of a real-name check.
pub(crate) const CHECKED: [&str; 8] =
    ["taken", "decline", "duplicate", "pending", "unknown-field", "forged", "wrong-merchant", "contradiction"];

/// What must be shown of the query about it.
pub(crate) const FOUND: [&str; 8] =
    ["success", "decline", "pending", "not-found", "unknown-field", "forged", "wrong-merchant", "contradiction"];
