//! What a ledger benchmark found out: a table for people, or one JSON object.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::monitor::Point;
use super::place::Disk;
use super::preset::Plan;
use super::progress::thousands;
use super::raw::Raw;
use super::statistics::Percentiles;

/// The machine it ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Memory, where the system tells.
    pub(crate) memory_bytes: Option<u64>,
    /// The processor's name, where the system tells.
    pub(crate) processor: Option<String>,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let value = |file: &str, name: &str| {
            let text = std::fs::read_to_string(file).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kibibytes = value("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes.map(|kibibytes| kibibytes * 1_024),
            processor: value("/proc/cpuinfo", "model name"),
        }
    }
}

/// A run and all that was measured of it.
#[derive(Debug)]
pub(crate) struct Report {
    /// The preset's name.
    pub(crate) preset: String,
    /// What was run, overrides included.
    pub(crate) plan: Plan,
    /// The machine.
    pub(crate) machine: Machine,
    /// Transfers answered.
    pub(crate) transfers: u64,
    /// From the first request's making to the last answer.
    pub(crate) wall_seconds: f64,
    /// What the lanes spent waiting for answers, on the mean.
    pub(crate) waited_seconds: f64,
    /// Of postings, from send to answer.
    pub(crate) batch: Percentiles,
    /// Of holds with their confirms.
    pub(crate) hold: Percentiles,
    /// Of statements during the load.
    pub(crate) statement: Percentiles,
    /// Of statements after it.
    pub(crate) query: Percentiles,
    /// What it took to open the accounts.
    pub(crate) opening_seconds: f64,
    /// Processor time of server and load during the load.
    pub(crate) server_cpu_seconds: f64,
    /// As above.
    pub(crate) client_cpu_seconds: f64,
    /// Resident memory of the server after the load.
    pub(crate) resident_bytes: u64,
    /// The most it had.
    pub(crate) resident_peak_bytes: u64,
    /// On disk once the server has stopped.
    pub(crate) disk: Disk,
    /// What was on disk before the load.
    pub(crate) disk_before: Disk,
    /// From start to listening, if it was started again.
    pub(crate) start_up_seconds: Option<f64>,
    /// The bare disk.
    pub(crate) raw: Raw,
    /// Slices of the run.
    pub(crate) points: Vec<Point>,
    /// Answers that said to come back later.
    pub(crate) overloaded: u64,
    /// Stopped before its end.
    pub(crate) interrupted: bool,
}

impl Report {
    fn wall_per_second(&self) -> f64 {
        self.transfers as f64 / self.wall_seconds.max(f64::EPSILON)
    }

    /// How much of the speed of a bare append this is: 1 is as fast.
    fn raw_ratio(&self) -> f64 {
        self.raw.seconds / self.wall_seconds.max(f64::EPSILON)
    }

    fn per_transfer(&self, bytes: u64) -> f64 {
        bytes as f64 / self.transfers.max(1) as f64
    }

    /// Disk that the load took, by what for.
    fn disk_grown(&self) -> Disk {
        let (after, before) = (&self.disk, &self.disk_before);
        Disk {
            journal: after.journal.saturating_sub(before.journal),
            store: after.store.saturating_sub(before.store),
            segments: after.segments.saturating_sub(before.segments),
            postgres: after.postgres.saturating_sub(before.postgres),
            other: after.other.saturating_sub(before.other),
        }
    }

    /// As one JSON object.
    pub(crate) fn json(&self) -> Value {
        let grown = self.disk_grown();
        json!({
            "bench": "ledger",
            "preset": self.preset,
            "plan": self.plan,
            "machine": self.machine,
            "interrupted": self.interrupted,
            "transfers": self.transfers,
            "transfers_per_second": self.transfers as f64 / self.waited_seconds.max(f64::EPSILON),
            "wall_seconds": self.wall_seconds,
            "wall_transfers_per_second": self.wall_per_second(),
            "batch_p50_ms": self.batch.p50, "batch_p95_ms": self.batch.p95,
            "batch_p99_ms": self.batch.p99, "batch_max_ms": self.batch.max,
            "hold_ms": self.hold,
            "statement_ms": self.statement,
            "statement_p50_ms": self.statement.p50, "statement_p99_ms": self.statement.p99,
            "query_p99_ms": self.query.p99,
            "opening_seconds": self.opening_seconds,
            "server_cpu_seconds": self.server_cpu_seconds, "client_cpu_seconds": self.client_cpu_seconds,
            "resident_bytes": self.resident_bytes, "resident_peak_bytes": self.resident_peak_bytes,
            "disk_bytes": self.disk.total(), "disk": self.disk,
            "disk_bytes_per_transfer": self.per_transfer(grown.total()),
            "start_up_seconds": self.start_up_seconds,
            "raw": self.raw, "raw_ratio": self.raw_ratio(),
            "overloaded": self.overloaded,
            "points": self.points,
        })
    }

    /// As a table.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::default();
        let Plan { accounts, batch, clients, two_phase, .. } = self.plan;
        let early = if self.interrupted { " (stopped early)" } else { "" };
        table.row(
            "load",
            format!(
                "{} transfers{early} between {} accounts, {} a request, {clients} at a time, {two_phase} % two-phase",
                thousands(self.transfers),
                thousands(accounts),
                thousands(batch),
            ),
        );
        let wall = thousands(self.wall_per_second() as u64);
        table.row(
            "rate",
            format!("{wall} transfers/s over {:.2} s of wall time, generator included", self.wall_seconds),
        );
        table.times("batch", &self.batch);
        table.times("hold + confirm", &self.hold);
        table.times("statement, under load", &self.statement);
        table.times("statement, after it", &self.query);
        let (server, client) = (self.server_cpu_seconds, self.client_cpu_seconds);
        let million = self.transfers.max(1) as f64 / 1e6;
        table.row(
            "processor",
            format!(
                "{:.2} s a million transfers in the server, {:.2} s in this program",
                server / million,
                client / million
            ),
        );
        let (resident, peak) = (self.resident_bytes >> 20, self.resident_peak_bytes >> 20);
        table.row("memory", format!("{resident} MiB resident at the end, {peak} MiB at most"));
        table.row("disk", self.disk_line());
        if let Some(seconds) = self.start_up_seconds {
            table.row("start-up", format!("{seconds:.2} s"));
        }
        let Raw { appends, bytes, seconds, .. } = self.raw;
        table.row(
            "bare disk",
            format!(
                "{} appends of {} bytes each with fdatasync take {seconds:.2} s: the platform reaches {:.0} % of that speed",
                thousands(appends),
                thousands(bytes / appends.max(1)),
                self.raw_ratio() * 100.0
            ),
        );
        table.row("opening", format!("{} accounts in {:.1} s", thousands(accounts), self.opening_seconds));
        if self.overloaded > 0 {
            table.row("overloaded", format!("{} answers said to come back later", thousands(self.overloaded)));
        }
        table.0
    }

    fn disk_line(&self) -> String {
        let grown = self.disk_grown();
        let parts = [
            ("journal", grown.journal),
            ("store", grown.store),
            ("segments", grown.segments),
            ("PostgreSQL", grown.postgres),
        ];
        let parts = parts.into_iter().filter(|(_, bytes)| *bytes > 0);
        let parts: Vec<String> = parts.map(|(name, bytes)| format!("{name} {:.0}", self.per_transfer(bytes))).collect();
        let (total, each) = (self.disk.total() >> 20, self.per_transfer(grown.total()));
        format!("{total} MiB; {each:.0} bytes a transfer: {}", parts.join(", "))
    }
}

/// Lines with their names in a column.
#[derive(Debug, Default)]
pub(crate) struct Table(pub(crate) String);

impl Table {
    /// A line.
    pub(crate) fn row(&mut self, name: &str, text: impl AsRef<str>) {
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "{name:<22} {}", text.as_ref());
    }

    /// A line of percentiles; none if nothing was measured.
    pub(crate) fn times(&mut self, name: &str, times: &Percentiles) {
        let Percentiles { count, p50, p95, p99, max } = times;
        if *count > 0 {
            let many = thousands(*count as u64);
            self.row(name, format!("p50 {p50:.2} ms, p95 {p95:.2}, p99 {p99:.2}, max {max:.2} ({many} measured)"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::preset::Preset;

    fn report() -> Report {
        let batch = Percentiles { count: 4, p50: 1.0, p95: 2.0, p99: 3.0, max: 4.0 };
        Report {
            preset: "uniform".into(),
            plan: Preset::Uniform.plan(),
            machine: Machine { cores: 2, memory_bytes: None, processor: None },
            transfers: 1_000_000,
            wall_seconds: 2.0,
            waited_seconds: 1.0,
            batch,
            hold: Percentiles::default(),
            statement: batch,
            query: batch,
            opening_seconds: 0.5,
            server_cpu_seconds: 2.5,
            client_cpu_seconds: 0.5,
            resident_bytes: 300 << 20,
            resident_peak_bytes: 400 << 20,
            disk: Disk { journal: 17_000_000, store: 1_000_000, segments: 26_000_000, postgres: 0, other: 10 },
            disk_before: Disk { journal: 1_000_000, store: 1_000_000, segments: 0, postgres: 0, other: 10 },
            start_up_seconds: Some(1.25),
            raw: Raw { appends: 100, bytes: 16_000_000, repeated: 100, seconds: 0.5 },
            points: Vec::new(),
            overloaded: 0,
            interrupted: false,
        }
    }

    #[test]
    fn the_object_keeps_the_old_fields_and_counts_wall_time() {
        let object = report().json();
        let number = |name: &str| object[name].as_f64().unwrap();
        assert_eq!((number("transfers_per_second"), number("wall_transfers_per_second")), (1_000_000.0, 500_000.0));
        assert_eq!((number("batch_p50_ms"), number("batch_p99_ms"), number("query_p99_ms")), (1.0, 3.0, 3.0));
        assert_eq!((number("resident_bytes"), number("disk_bytes")), (314_572_800.0, 44_000_010.0));
        assert_eq!((number("disk_bytes_per_transfer"), number("raw_ratio")), (42.0, 0.25));
        assert_eq!(object["plan"]["two_phase"], 0);
    }

    #[test]
    fn the_table_says_what_was_measured_and_leaves_out_what_was_not() {
        let table = report().table();
        assert!(table.contains("500,000 transfers/s over 2.00 s"), "{table}");
        assert!(table.contains("42 bytes a transfer: journal 16, segments 26"), "{table}");
        assert!(table.contains("100 appends of 160,000 bytes") && table.contains("reaches 25 % of that"), "{table}");
        assert!(!table.contains("hold + confirm") && !table.contains("overloaded"), "{table}");
    }
}
