//! Where the journal and its sealed ranges lie, as the settings say; opens it for whoever leads it or reads it.

use std::sync::Arc;

use anyhow::{Context, Result};
use journal::{DirectoryLock, Journal, JournalError, Keep, Postgres, PostgresConfig, RangePlace, Reader, Sqlite};

use super::clock::wall_ms;
use crate::backup::place::Place;
use crate::config::Config;

/// Where the journal is, and how much of it stays in the database.
#[derive(Debug, Clone)]
pub(crate) struct JournalPlace {
    at: At,
    keep: Option<Keep>,
}

#[derive(Debug, Clone)]
enum At {
    Embedded(RangePlace),
    Postgres(PostgresConfig),
}

impl JournalPlace {
    /// What the settings say.
    ///
    /// # Errors
    /// A place for ranges that is none.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let journal = &config.journal;
        let own = RangePlace::of_data_dir(&config.data_dir);
        let ranges = match journal.ranges.as_str() {
            "" => None,
            text => Some(match Place::named(text).context("journal.ranges")? {
                Place::Directory(folder) => RangePlace::folder(folder),
                // Its copies lie where ranges would be without it, so that those of before are found.
                Place::Bucket(bucket) => own.clone().behind(Arc::new(bucket)),
            }),
        };
        let at = if journal.is_embedded() {
            At::Embedded(ranges.unwrap_or(own))
        } else {
            At::Postgres(PostgresConfig { ranges, ..PostgresConfig::new(journal.url.expose(), &journal.schema) })
        };
        Ok(Self { at, keep: journal.keep() })
    }

    /// True on the embedded default.
    pub(crate) const fn is_embedded(&self) -> bool {
        matches!(self.at, At::Embedded(_))
    }

    /// The settings of one in PostgreSQL.
    pub(crate) fn postgres(&self) -> Option<&PostgresConfig> {
        match &self.at {
            At::Embedded(_) => None,
            At::Postgres(config) => Some(config),
        }
    }

    /// Opens it to lead it.
    ///
    /// # Errors
    /// As [`Sqlite::open`] and [`Postgres::open`].
    pub(crate) fn open(&self, lock: &DirectoryLock) -> Result<Box<dyn Journal>, JournalError> {
        Ok(match &self.at {
            At::Embedded(ranges) => self.embedded(Sqlite::open_with(lock, ranges, wall_ms())?),
            At::Postgres(config) => {
                let journal = Postgres::open(config, wall_ms())?;
                match self.keep {
                    Some(keep) => Box::new(journal.keeping(keep)),
                    None => Box::new(journal),
                }
            }
        })
    }

    /// Opens it again after it failed.
    ///
    /// # Errors
    /// As [`Sqlite::reopen`] and [`Postgres::open`].
    pub(crate) fn reopen(&self, lock: &DirectoryLock) -> Result<Box<dyn Journal>, JournalError> {
        match &self.at {
            At::Embedded(ranges) => Ok(self.embedded(Sqlite::reopen_with(lock, ranges, wall_ms())?)),
            At::Postgres(_) => self.open(lock),
        }
    }

    fn embedded(&self, journal: Sqlite) -> Box<dyn Journal> {
        match self.keep {
            Some(keep) => Box::new(journal.keeping(keep)),
            None => Box::new(journal),
        }
    }

    /// Opens it to read it, the embedded one of a directory that is held; that in PostgreSQL beside whoever writes it.
    ///
    /// # Errors
    /// As [`Reader::sqlite`] and [`Reader::postgres`].
    pub(crate) fn reader(&self, lock: &DirectoryLock) -> Result<Reader, JournalError> {
        match &self.at {
            At::Embedded(ranges) => Reader::sqlite_with(lock, ranges),
            At::Postgres(config) => Reader::postgres(config),
        }
    }
}
