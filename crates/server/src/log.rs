//! The log: lines on standard error, for people or for programs; the filter is in `LINTEL_LOG` (`info` unless said).
//!
//! Each line of a request bears the request's id, which the caller sees in `Lintel-Request-Id`.

use std::io::IsTerminal;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people; in colour only on a terminal.
    Text,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, the fields, and the request in `span`.
    Json,
}

/// Begins the log. Once a process; what was logged before is lost.
pub(crate) fn begin(format: LogFormat) {
    let filter = EnvFilter::try_from_env("LINTEL_LOG").unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
