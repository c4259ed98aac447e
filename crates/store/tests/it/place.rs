//! Where a test's store lies: a SQLite file or a PostgreSQL schema of its own, that can be opened more than once.

use std::path::PathBuf;

use store::{Database, PostgresConfig};
use tempfile::TempDir;

use crate::cluster::cluster;

/// A new, empty place.
pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres(PostgresConfig),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    /// `None` where there is no PostgreSQL.
    pub(crate) fn postgres(test: &str) -> Option<Self> {
        let cluster = cluster(test)?;
        Some(Self::Postgres(PostgresConfig::new(cluster.url(), cluster.schema())))
    }

    pub(crate) fn open(&self) -> Database {
        match self {
            Self::Sqlite(_) => Database::sqlite(&self.file().unwrap()).unwrap(),
            Self::Postgres(config) => Database::postgres(config).unwrap(),
        }
    }

    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(directory) => Some(directory.path().join("store.db")),
            Self::Postgres(_) => None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// Makes each function a test on both databases.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                super::$test(&crate::place::Place::sqlite());
            })*
        }

        mod postgres {
            $(#[test]
            fn $test() {
                if let Some(place) = crate::place::Place::postgres(concat!(module_path!(), "::", stringify!($test))) {
                    super::$test(&place);
                }
            })*
        }
    };
}

pub(crate) use on_both;
