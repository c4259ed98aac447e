//! The sandbox bank over real TCP: each fault, exact books, determinism, the wire format, the process; and the benchmarks
//! against a real server.

mod batch;
mod bench;
mod books;
mod contract;
mod epcc;
mod faults;
mod pingan;
mod process;
mod refusals;
mod returns;
mod sites;
mod support;
mod terminals;
mod unionpay;
