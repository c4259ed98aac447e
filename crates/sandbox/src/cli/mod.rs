//! The commands: one file each, with its arguments and what it does.

mod bank;
mod card_network;
mod receive;
mod terminals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sandbox::bench::keys::Keys;
use sandbox::bench::ledger::Ledger;
use sandbox::bench::payments::Payments;
use sandbox::bench::pos::Pos;
use sandbox::bench::terminals::Terminals;
use sandbox::crash::Crash;
use sandbox::play::Play;

/// The world around the Lintel platform, simulated.
#[derive(Debug, Parser)]
#[command(name = "lintel-sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sandbox bank and the sandbox provident-fund centre.
    Bank(bank::Arguments),
    CardNetwork(card_network::Arguments),
    Receive(receive::Arguments),
    Terminals(terminals::Arguments),
    /// Play one business day against a real platform and the sandbox bank: what `cargo xtask demo` runs.
    Play(Play),
    /// Kill a real platform under load, again and again, and check that it loses nothing: what `cargo xtask crash` runs.
    Crash(Crash),
    /// Measure a real platform under load.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Subcommand)]
enum Bench {
    Ledger(Ledger),
    Payments(Payments),
    Keys(Keys),
    Terminals(Terminals),
    Pos(Pos),
}

/// Reads the arguments and runs the command.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Bank(arguments) => bank::run(&arguments),
        Command::CardNetwork(arguments) => card_network::run(&arguments),
        Command::Receive(arguments) => receive::run(&arguments),
        Command::Terminals(arguments) => terminals::run(&arguments),
        Command::Play(play) => play.run().map(|holds| if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Command::Crash(crash) => crash.run().map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Ledger(ledger)) => ledger.run(&mut std::io::stdout()).map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Payments(payments)) => payments.run(&mut std::io::stdout()).map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Keys(keys)) => keys.run(&mut std::io::stdout()).map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Pos(pos)) => pos.run(&mut std::io::stdout()).map(|()| ExitCode::SUCCESS),
        Command::Bench(Bench::Terminals(all)) => all.run(&mut std::io::stdout()).map(|()| ExitCode::SUCCESS),
    }
}
