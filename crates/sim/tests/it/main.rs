//! Whole runs: seeds that find nothing, faults that are found, and the same run twice.

mod day;
mod planted;
mod seeds;
