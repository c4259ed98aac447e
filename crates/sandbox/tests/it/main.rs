//! The sandbox bank over real TCP: each fault, exact books, determinism, the wire format, the process.

mod books;
mod contract;
mod faults;
mod process;
mod refusals;
mod returns;
mod support;
