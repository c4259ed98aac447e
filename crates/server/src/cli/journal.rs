//! `lintel journal`: look at the journal and check it, with the platform stopped (or beside it, on PostgreSQL).

use anyhow::{Result, bail};
use clap::Subcommand;
use engine::record;
use journal::{DirectoryLock, Reader, Record};
use serde_json::json;

use super::print;
use crate::config::Config;
use crate::shell::journal_place::JournalPlace;

/// How much is read at once.
const PAGE_BYTES: usize = 8 << 20;

/// Look at the journal.
#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Print rows, with their commands and events.
    Cat {
        /// Begin at this position.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Print at most so many rows.
        #[arg(long, default_value_t = u64::MAX)]
        limit: u64,
        /// One JSON object a row.
        #[arg(long)]
        json: bool,
    },
    /// Check every row: checksum, chain, order. Names the first that is wrong.
    Verify {
        /// End with one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl Journal {
    /// Does it.
    ///
    /// # Errors
    /// A journal that does not read; for `verify`, one that does not hold.
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let mut reader = reader(config)?;
        match self {
            Self::Cat { from, limit, json } => cat(&mut reader, *from, *limit, *json),
            Self::Verify { json } => verify(&mut reader, *json),
        }
    }
}

/// Opens the journal of a data directory that is held.
///
/// # Errors
/// No journal there, or one that does not open.
pub(super) fn open(config: &Config, lock: &DirectoryLock) -> Result<Reader> {
    Ok(JournalPlace::of(config)?.reader(lock)?)
}

/// Opens the journal: the embedded one that nobody holds, or that in PostgreSQL, beside whoever writes it.
///
/// # Errors
/// As [`Reader::sqlite`] and [`Reader::postgres`]; a process that holds the directory.
pub(super) fn reader(config: &Config) -> Result<Reader> {
    let place = JournalPlace::of(config)?;
    Ok(match place.postgres() {
        None => place.reader(&DirectoryLock::acquire(&config.data_dir)?)?,
        Some(settings) => Reader::postgres(settings)?,
    })
}

fn cat(reader: &mut Reader, from: u64, limit: u64, as_json: bool) -> Result<()> {
    let (mut next, mut left) = (from, limit);
    loop {
        let rows = reader.read(next, PAGE_BYTES)?;
        let Some(last) = rows.last() else { return Ok(()) };
        next = last.next();
        for row in &rows {
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            print(&shown(row, as_json)?);
        }
    }
}

fn shown(row: &Record, as_json: bool) -> Result<String> {
    let commands = record::decode(&row.payload)?;
    if as_json {
        let commands: Vec<_> = commands
            .iter()
            .map(|command| {
                let events: Vec<String> = command.events.iter().map(|event| format!("{event:?}")).collect();
                let approval = command.header.approval.map(|id| id.to_string());
                json!({ "actor": format!("{:?}", command.header.actor), "approval": approval, "events": events })
            })
            .collect();
        let object = json!({
            "row": row.row, "first": row.first, "count": row.count, "epoch": row.epoch, "level": row.level,
            "time_ms": row.time_ms, "hash": row.hash.to_string(), "commands": commands,
        });
        return Ok(format!("{object}\n"));
    }
    let mut text = format!(
        "row {} positions {}–{} epoch {} hash {}\n",
        row.row,
        row.first,
        row.next().saturating_sub(1),
        row.epoch,
        row.hash
    );
    let mut position = row.first;
    for command in commands {
        let approval = command.header.approval.map(|id| format!(" for {id}")).unwrap_or_default();
        text.push_str(&format!("  {:?} {:?}{approval}\n", command.header.actor, command.header.origin));
        for event in command.events {
            text.push_str(&format!("    {position} {event:?}\n"));
            position += 1;
        }
    }
    Ok(text)
}

fn verify(reader: &mut Reader, as_json: bool) -> Result<()> {
    let report = reader.verify(|_| ())?;
    let fault = report.fault.as_ref().map(ToString::to_string);
    if as_json {
        let object = json!({
            "rows": report.rows, "events": report.events, "payload_bytes": report.payload_bytes,
            "hash": report.tip.hash.to_string(), "fault": fault,
        });
        print(&format!("{object}\n"));
    } else {
        print(&format!(
            "{} rows, {} events, {} payload bytes; chain ends in {}\n",
            report.rows, report.events, report.payload_bytes, report.tip.hash
        ));
    }
    match fault {
        None => Ok(()),
        Some(fault) => bail!("{fault}"),
    }
}
