//! The command line: what an operator does by hand.

mod account;
mod acquiring;
mod advance;
mod api_key;
mod approval;
mod ark;
mod arrears;
mod attempt;
mod backup;
mod bank_card;
mod bin;
mod block_list;
mod calendar;
mod card_network;
mod certificate;
mod channel;
mod chargeback;
mod clearing;
pub(crate) mod client;
mod day;
pub(crate) mod day_vouchers;
mod export;
mod fee_plan;
mod freeze;
mod fund_batch;
mod import;
mod inside;
mod iso8583;
mod journal;
mod key;
mod ledger;
mod limit;
mod object;
mod operator;
mod order;
mod outflow;
mod pay_password;
mod payout;
mod progress;
mod rates;
mod real_name_check;
mod rebuild;
mod receipt;
mod receiver;
mod refund;
mod remote;
mod reserve_line;
mod route;
mod seal;
mod settlement;
mod sign_up;
mod split;
mod split_plan;
mod still;
mod suspense;
mod table;
mod task;
mod terminal;
mod top_up;
mod trade;
mod transfer;
mod tree;
mod verify;
mod webhook;
mod withdrawal;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::remote::Remote;
use crate::config::{self, Config};
use crate::log;
use crate::serve;

/// Lintel: an open-source core for a payment institution that serves property.
#[derive(Debug, Parser)]
#[command(name = "lintel", version, max_term_width = 100)]
struct Cli {
    /// A file of settings; see `lintel config`.
    #[arg(long, global = true, env = "LINTEL_CONFIG")]
    config: Option<PathBuf>,
    /// One setting, as KEY=VALUE; may be given several times.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The data directory (setting data_dir).
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run the platform.
    Serve(Serve),
    /// Print every setting with its default and its meaning.
    Config,
    /// Accounting days: list, cut, close, trial balance.
    #[command(after_help = day::EXAMPLES)]
    Day(Remote<day::Day>),
    /// Working days by year: which are known, one with its holidays, propose one.
    #[command(after_help = calendar::EXAMPLES)]
    Calendar(Remote<calendar::Calendar>),
    /// Accounts: one with its balances, or its statement.
    #[command(after_help = account::EXAMPLES)]
    Account(Remote<account::Account>),
    /// Freezes: queues, place, stop payments, renew.
    #[command(after_help = freeze::EXAMPLES)]
    Freeze(Remote<freeze::Freeze>),
    /// Parent and child accounts: the tree with its roll-ups, links, sweeps, rules, quotas.
    #[command(after_help = tree::EXAMPLES)]
    Tree(Remote<tree::Tree>),
    /// Orders and their legs: look, create, pay, close, open a cashier session.
    #[command(after_help = order::EXAMPLES)]
    Order(Remote<order::Order>),
    /// Payouts: look, create, send, cancel, book one that came back, fetch what came back.
    #[command(after_help = payout::EXAMPLES)]
    Payout(Remote<payout::Payout>),
    #[command(flatten)]
    Trade(trade::Trade),
    /// Attempts at channels, above all those without a certain answer.
    #[command(after_help = attempt::EXAMPLES)]
    Attempt(Remote<attempt::Attempt>),
    /// Channels and their sites: who gets which share of new requests, and which site is sick.
    #[command(after_help = channel::EXAMPLES)]
    Channel(Remote<channel::Channel>),
    /// What leaves by a channel: how much may in an hour, and stopping it.
    #[command(after_help = outflow::EXAMPLES)]
    Outflow(Remote<outflow::Outflow>),
    /// Monthly batches of a provident fund: close one, ask about it, bring its result.
    #[command(after_help = fund_batch::EXAMPLES)]
    FundBatch(Remote<fund_batch::FundBatch>),
    /// What orders, payouts and withdrawals cost: versions of plans, and setting one.
    #[command(after_help = fee_plan::EXAMPLES)]
    FeePlan(Remote<fee_plan::FeePlan>),
    /// Settlements (T+1): what is due, and settling it.
    #[command(after_help = settlement::EXAMPLES)]
    Settlement(Remote<settlement::Settlement>),
    /// Electronic receipts: take one, as a page to print too; verify one.
    #[command(after_help = receipt::EXAMPLES)]
    Receipt(Remote<receipt::Receipt>),
    /// The card network: its links, and its daily files.
    #[command(after_help = card_network::EXAMPLES)]
    CardNetwork(Remote<card_network::CardNetwork>),
    /// Clearing files: fetch one, its parts and differences.
    #[command(after_help = clearing::EXAMPLES)]
    Clearing(Remote<clearing::Clearing>),
    /// Books from and for other systems: import, export.
    Ledger(Remote<ledger::Ledger>),
    /// Copies of the journal and the vault: take one beside a running platform, list, check.
    #[command(after_help = backup::HELP)]
    Backup(Remote<backup::Backup>),
    Restore(backup::Restore),
    Verify(verify::Verify),
    Rebuild(rebuild::Rebuild),
    /// Success rates, each with numerator and denominator.
    #[command(after_help = rates::EXAMPLES)]
    Rates(rates::Rates),
    /// The people of the institution: register, roles, suspend, one-time codes.
    #[command(after_help = operator::EXAMPLES)]
    Operator(Remote<operator::Operator>),
    /// What takes two people: propose, approve, reject.
    #[command(after_help = approval::EXAMPLES)]
    Approval(Remote<approval::Approval>),
    /// The key service (ARK): make it, open it, keys, encryption, signatures, trail.
    #[command(after_help = self::ark::EXAMPLES)]
    Ark(Remote<self::ark::Ark>),
    /// Suspense (2241): items, their age, where they belong.
    #[command(after_help = suspense::EXAMPLES)]
    Suspense(Remote<suspense::Suspense>),
    /// What channels refused and only a person can move on: look, try again, settle by hand.
    #[command(after_help = task::EXAMPLES)]
    Task(Remote<task::Task>),
    /// Automatic withdrawals: plans, what is due, batches, retries, notices.
    #[command(after_help = withdrawal::EXAMPLES)]
    Withdrawal(Remote<withdrawal::Withdrawal>),
    /// Bank cards that sent a withdrawal back: look, verify.
    #[command(after_help = bank_card::EXAMPLES)]
    BankCard(Remote<bank_card::BankCard>),
    /// Limits on personal payment accounts: in force, classes, what is used.
    #[command(after_help = limit::EXAMPLES)]
    Limit(Remote<limit::Limit>),
    /// Rules of routing: try them, check a file.
    #[command(subcommand, after_help = route::EXAMPLES)]
    Route(route::Route),
    #[command(subcommand, after_help = bin::EXAMPLES)]
    Bin(bin::Bin),
    /// Where merchants are told what became of orders, refunds, payouts and settlements.
    #[command(after_help = webhook::help())]
    Webhook(Remote<webhook::Webhook>),
    /// Secrets of API keys: which sign, the next one, the end of an old one.
    #[command(after_help = api_key::EXAMPLES)]
    ApiKey(Remote<api_key::ApiKey>),
    /// Users' pay passwords: set, reset, verify, look.
    #[command(after_help = pay_password::EXAMPLES)]
    PayPassword(Remote<pay_password::PayPassword>),
    /// Agreements to debit cards: have a code sent, bring it, cancel.
    #[command(after_help = sign_up::EXAMPLES)]
    SignUp(Remote<sign_up::SignUp>),
    /// Real-name checks: have a bank compare who a card's holder is, look.
    #[command(after_help = real_name_check::EXAMPLES)]
    RealNameCheck(Remote<real_name_check::RealNameCheck>),
    /// Certificates by which merchants sign, and the platform's public keys.
    #[command(after_help = certificate::EXAMPLES)]
    Certificate(Remote<certificate::Certificate>),
    /// Receivers of splits: who may receive from a merchant's orders.
    #[command(after_help = receiver::EXAMPLES)]
    Receiver(Remote<receiver::Receiver>),
    /// Block lists: look, add, propose a removal.
    #[command(after_help = block_list::EXAMPLES)]
    BlockList(Remote<block_list::BlockList>),
    /// Terminals at points of sale: register, load keys, bind, suspend, batches.
    #[command(after_help = terminal::EXAMPLES)]
    Terminal(Remote<terminal::Terminal>),
    /// Merchants' acquiring: open, terms, suspend.
    #[command(after_help = acquiring::EXAMPLES)]
    Acquiring(Remote<acquiring::Acquiring>),
    /// Card messages (ISO 8583): show one, make one, look at profiles.
    #[command(subcommand, after_help = self::iso8583::EXAMPLES)]
    Iso8583(self::iso8583::Iso8583),
    /// Print the secret of an API key, or make a merchant's pair in a sandbox.
    #[command(after_help = key::EXAMPLES)]
    Key(key::Key),
    /// Look at the journal.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Load generators: runs `lintel-sandbox bench …`.
    Bench {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The sandbox bank, centres and players: runs `lintel-sandbox …`.
    Sandbox {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Debug, Parser)]
struct Serve {
    /// Where to listen (setting listen).
    #[arg(long)]
    listen: Option<String>,
    /// Begin sandbox books if there are none yet (setting sandbox).
    #[arg(long)]
    sandbox: bool,
    /// `wall` or `manual` (setting clock).
    #[arg(long)]
    clock: Option<String>,
    /// Write the address that is listened on to this file.
    #[arg(long)]
    port_file: Option<PathBuf>,
}

impl Serve {
    /// What keeps it from running goes to its log, in the log's form: programs read that too.
    fn run(self, file: Option<&Path>, mut sets: Vec<String>) -> Result<ExitCode> {
        let Self { listen, sandbox, clock, port_file } = self;
        sets.extend(listen.map(|listen| format!("listen={listen}")));
        sets.extend(sandbox.then(|| "sandbox=true".to_owned()));
        sets.extend(clock.map(|clock| format!("clock={clock}")));
        let config = Config::load(file, &sets)?;
        log::begin(config.log);
        let Err(error) = serve::run(&config, port_file.as_deref()) else { return Ok(ExitCode::SUCCESS) };
        tracing::error!("stopped: {error:#}");
        Ok(ExitCode::FAILURE)
    }
}

/// Runs what the command line says.
///
/// # Errors
/// What went wrong, with what was being done.
pub(crate) fn run() -> Result<ExitCode> {
    let matches = with_examples(Cli::command()).get_matches();
    let Cli { config, mut sets, data_dir, command } =
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Some(directory) = data_dir {
        sets.push(format!("data_dir={}", directory.display()));
    }
    let load = || Config::load(config.as_deref(), &sets);
    match command {
        What::Serve(serve) => return serve.run(config.as_deref(), sets),
        What::Config => print(config::DEFAULT),
        What::Day(day) => day.run(&load()?, day::Day::ask)?,
        What::Calendar(calendar) => calendar.run(&load()?, calendar::Calendar::ask)?,
        What::Account(account) => account.run(&load()?, account::Account::ask)?,
        What::Freeze(freeze) => freeze.run(&load()?, freeze::Freeze::ask)?,
        What::Tree(tree) => tree.run(&load()?, tree::Tree::ask)?,
        What::Order(order) => order.run(&load()?, order::Order::ask)?,
        What::Payout(payout) => payout.run(&load()?, payout::Payout::ask)?,
        What::Trade(trade) => trade.run(&load()?)?,
        What::Attempt(attempt) => attempt.run(&load()?, attempt::Attempt::ask)?,
        What::Channel(channel) => channel.run(&load()?, channel::Channel::ask)?,
        What::FundBatch(batch) => batch.run(&load()?, fund_batch::FundBatch::ask)?,
        What::Outflow(outflow) => outflow.run(&load()?, outflow::Outflow::ask)?,
        What::FeePlan(plan) => plan.run(&load()?, fee_plan::FeePlan::ask)?,
        What::Settlement(settlement) => settlement.run(&load()?, settlement::Settlement::ask)?,
        What::Receipt(receipt) => receipt.run(&load()?, receipt::Receipt::ask)?,
        What::CardNetwork(network) => network.run(&load()?, card_network::CardNetwork::ask)?,
        What::Clearing(clearing) => clearing.run(&load()?, clearing::Clearing::ask)?,
        What::Ledger(ledger) => ledger::run(&ledger, &load()?)?,
        What::Backup(backup) => backup::run(&backup, &load()?)?,
        What::Restore(restore) => restore.run(&load()?)?,
        What::Verify(verify) => verify.run(&load()?)?,
        What::Rebuild(rebuild) => rebuild.run(&load()?)?,
        What::Rates(rates) => rates.run(&load()?)?,
        What::Operator(operator) => operator.run(&load()?, operator::Operator::ask)?,
        What::Approval(approval) => approval.run(&load()?, approval::Approval::ask)?,
        What::Ark(ark) => return self::ark::run(&ark, load()?),
        What::Suspense(suspense) => suspense.run(&load()?, suspense::Suspense::ask)?,
        What::Task(task) => task.run(&load()?, task::Task::ask)?,
        What::Withdrawal(withdrawal) => withdrawal.run(&load()?, withdrawal::Withdrawal::ask)?,
        What::BankCard(card) => card.run(&load()?, bank_card::BankCard::ask)?,
        What::Limit(limit) => limit.run(&load()?, limit::Limit::ask)?,
        What::Certificate(certificate) => certificate.run(&load()?, certificate::Certificate::ask)?,
        What::Receiver(receiver) => receiver.run(&load()?, receiver::Receiver::ask)?,
        What::Route(route) => route.run(&load()?)?,
        What::Bin(bin) => bin.run(&load()?)?,
        What::ApiKey(keys) => keys.run(&load()?, api_key::ApiKey::ask)?,
        What::PayPassword(password) => password.run(&load()?, pay_password::PayPassword::ask)?,
        What::SignUp(sign_up) => sign_up.run(&load()?, sign_up::SignUp::ask)?,
        What::RealNameCheck(check) => check.run(&load()?, real_name_check::RealNameCheck::ask)?,
        What::Webhook(webhook) => webhook.run(&load()?, webhook::Webhook::ask)?,
        What::BlockList(list) => list.run(&load()?, block_list::BlockList::ask)?,
        What::Terminal(terminal) => terminal.run(&load()?, terminal::Terminal::ask)?,
        What::Acquiring(acquiring) => acquiring.run(&load()?, acquiring::Acquiring::ask)?,
        What::Iso8583(iso8583) => iso8583.run()?,
        What::Key(key) => key.run(&load()?)?,
        What::Journal(journal) => journal.run(&load()?)?,
        What::Bench { args } => return sandbox(&["bench".to_owned()], &args),
        What::Sandbox { args } => return sandbox(&[], &args),
    }
    Ok(ExitCode::SUCCESS)
}

/// The examples of a noun stand in the help of each of its verbs too.
fn with_examples(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|noun| match noun.get_after_help().cloned() {
        Some(examples) => noun.mut_subcommands(|verb| verb.after_help(examples.clone())),
        None => noun,
    })
}

/// Tells what went wrong on standard error; a closed pipe is not an error of ours.
pub(crate) fn complain(error: &anyhow::Error) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "lintel: {error:#}"));
}

/// Says how far something is, on standard error.
pub(crate) fn tell(text: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Prints to standard output; a closed pipe is not an error of ours.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    drop(std::io::stdout().write_all(text.as_bytes()));
}

fn sandbox(first: &[String], args: &[String]) -> Result<ExitCode> {
    use anyhow::Context;
    let own = std::env::current_exe().context("finding this program")?;
    let beside = own.with_file_name(format!("lintel-sandbox{}", std::env::consts::EXE_SUFFIX));
    let mut command = std::process::Command::new(&beside);
    command.args(first).args(args).env("LINTEL_BINARY", &own);
    let status =
        command.status().with_context(|| format!("running {}; it is built beside lintel", beside.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests;
