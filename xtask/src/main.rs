//! `cargo xtask`: everything a developer or CI does with this repository, behind one word.
//!
//! It depends on nothing of ours: it builds the binaries, starts them and reads what they print, so it
//! still works when no crate of the workspace compiles. Arguments are matched by hand, which keeps the
//! first `cargo xtask` of a fresh clone quick.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks through its standard streams"
)]

mod bench;
mod binaries;
mod clients;
mod crash;
mod days;
mod demo;
mod deny;
mod fuzz;
mod node_packages;
mod pyiso8583;
mod sim;
mod softhsm;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  demo [ARGS…]        build everything, then play one business day of house payments
                      and close its books: platform and sandbox bank are real processes
                      on this machine. ARGS go to `lintel-sandbox play`:
                      --orders N, --seed N, --exit, --data-dir DIR, …
  test [STEP…]        what CI runs: fmt, tidy, clippy, deny, build, test, postgres, sim,
                      days, crash, in this order (or only the steps named); ends with a
                      summary of what was skipped
  bench NAME [ARGS…]  build, then run `lintel bench NAME ARGS…`, e.g. `bench ledger`
  crash [ARGS…]       build, then kill the platform (SIGKILL) under mixed load again and
                      again, start it and check that it lost nothing. ARGS go to
                      `lintel-sandbox crash`: --rounds N, --seed S, --cold N, --json, …
  sim SEED            replay one run of the simulator and print everything that happened;
                      `sim --seeds N [--from S]` runs N and prints the first that fails;
                      `sim day [--orders N] [--json]` runs a day under a plan and its figures
  fuzz [TARGET] [--seconds N] [--keep]
                      feed the parsers of `ark` and `iso8583` with what coverage suggests,
                      N seconds (else 60) a target, all of them or one; stops at the first
                      failure. --keep adds to the committed seeds what reaches more
  clients             write the generated clients for merchants (TypeScript, Bruno) from
                      docs/openapi.json; `tidy` refuses stale ones
  tidy                the rules no compiler knows: direction of dependencies, length of
                      files and functions, headers, features present in each layer, …
  advisories          published security advisories against Cargo.lock (needs the network;
                      exit code 2 when the list could not be fetched)

New here? Begin with `cargo xtask demo`. Before a commit, `cargo xtask test` must be green.

  CARGO_TARGET_DIR    where cargo builds, as always
  LINTEL_CI           set: a step or a test that would be skipped fails instead, but for want of
                      SoftHSM, which `test` then installs where it may
  XDG_CACHE_HOME      tools that `test` installs lie in lintel/tools below it (else ~/.cache)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["help" | "--help" | "-h", ..] => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ["demo", rest @ ..] => demo::run(rest),
        ["test", rest @ ..] => test::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["crash", rest @ ..] => crash::run(rest),
        ["sim", rest @ ..] => sim::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["clients"] => clients::run(),
        ["tidy"] => tidy::run(),
        ["advisories"] => deny::advisories(),
        [command @ ("clients" | "tidy" | "advisories"), surplus, ..] => {
            anyhow::bail!("`{command}` takes no arguments, but got `{surplus}`")
        }
        [unknown, ..] => anyhow::bail!(
            "there is no command `{unknown}`: demo, test, bench, crash, sim, fuzz, clients, tidy, advisories (see `cargo xtask --help`)"
        ),
    }
}
