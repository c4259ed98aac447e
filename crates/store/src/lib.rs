//! SQL: the tables behind lists, the state for recovery, the catalogue of runs.

pub mod run;
