//! Whole runs: seeds that find nothing, faults that are found, and the same run twice.

mod planted;
mod seeds;
