//! Cards at terminals: `card-plan`, `card-cost`, `acquire`, `terms`, `stop-cards`, `take-cards`, `terminal`, `key`, `bind`,
//! `sign-in`, `at`, `suspend-terminal`, `resume-terminal`, `recover`, `scrap`; `card` (ask), `yes`, `no`, `silence`, `take-back`,
//! `reversal`, `scripts`, `scripts-taken`, `credit-card`; `close-batch`, `upload`, `end-upload`; `card-file`. See the features of acquiring.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Read, Script, Step, minor};
use crate::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, OpenAcquiring};
use crate::batch_close::{BatchCloseCommand, BatchTotals, Totals, UploadedRecord};
use crate::calendar::Date;
use crate::card_clearing::{CardLine, TakeCardFile};
use crate::card_fee::{CardFeeCommand, CardRate, CardScheme, CardType, SetCardCost, SetCardFeePlan};
use crate::card_transaction::{
    CardAnswer, CardKind, CardTransactionCommand, CreditAdjustment, OriginalRef, ReportScripts, RequestCardTransaction,
    ReversalReason, ReverseCardTransaction, Reverser, TraceKey,
};
use crate::command::Command;
use crate::ids::{AcquiringId, CardTransactionId, MerchantId, TerminalId};
use crate::terminal::{BindTerminal, Place, SignIn, TerminalCommand};
use crate::testkit::cards::{HOME, card, of_card, terms};
use crate::testkit::{date, sealed};

/// Reads a verb of cards.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let read = acquiring(script, words).or_else(|| terminal(script, words));
    read.or_else(|| transaction(script, words)).or_else(|| batch(script, words))
}

/// `0.60%` is 6,000 millionths; a cap in fen stands behind a slash.
fn rate(text: &str) -> CardRate {
    let (rate, cap) = text.split_once('/').map_or((text, None), |(rate, cap)| (rate, Some(minor(cap))));
    CardRate { rate: minor(rate), cap }
}

fn limit(text: &str) -> CardLimit {
    let (single, daily) = text.split_once('/').unwrap_or((text, "-"));
    let bound = |text: &str| (text != "-").then(|| minor(text));
    CardLimit { single: bound(single), daily: bound(daily) }
}

fn acquiring(script: &Script, words: &[&str]) -> Read {
    let id = |name: &str| AcquiringId(script.id(name));
    let command = match *words {
        ["card-plan", name, code, "debit", debit, "credit", credit, "from", from] => {
            let (code, from) = (code.to_string(), date(from));
            let plan = SetCardFeePlan { code, from, debit: rate(debit), credit: rate(credit) };
            return Some(Step::named(name, CardFeeCommand::SetPlan(plan).into()));
        }
        ["card-cost", name, scheme, "debit", debit, "credit", credit, "network", network, "from", from] => {
            let scheme = CardScheme::ALL.into_iter().find(|it| it.name() == scheme).expect("a scheme");
            let (debit, credit, network) = (rate(debit), rate(credit), rate(network));
            let cost = SetCardCost { scheme, from: date(from), debit, credit, network };
            return Some(Step::named(name, CardFeeCommand::SetCost(cost).into()));
        }
        ["acquire", name, merchant, category, plan] => {
            let (merchant, fee_plan) = (MerchantId(script.id(merchant)), plan.to_string());
            let (category, terms) = (category.parse().expect("a category"), AcquiringTerms { fee_plan, ..terms() });
            let open = OpenAcquiring { merchant, acquirer: 898, area: 1_100, category, terms };
            return Some(Step::named(name, Command::Acquiring(AcquiringCommand::Open(open))));
        }
        ["terms", name, "debit", debit, "credit", credit] => {
            let terms = AcquiringTerms { debit: limit(debit), credit: limit(credit), ..terms() };
            AcquiringCommand::Change { acquiring: id(name), terms }
        }
        ["stop-cards", name] => AcquiringCommand::Suspend { acquiring: id(name), reason: String::from("review") },
        ["take-cards", name] => AcquiringCommand::Resume(id(name)),
        _ => return None,
    };
    Some(Step::of(Command::Acquiring(command)))
}

fn terminal(script: &Script, words: &[&str]) -> Read {
    let id = |name: &str| TerminalId(script.id(name));
    let command = match *words {
        ["terminal", name, serial] => {
            let register = TerminalCommand::Register { serial: serial.to_string(), model: String::from("N5") };
            return Some(Step::named(name, Command::Terminal(register)));
        }
        ["key", name] => TerminalCommand::LoadKey {
            terminal: id(name),
            name: String::from("terminal/master"),
            check_value: String::from("861E83E3"),
        },
        ["bind", name, to] => TerminalCommand::Bind(BindTerminal {
            terminal: id(name),
            acquiring: AcquiringId(script.id(to)),
            address: sealed("北京市东城区***"),
            place: HOME,
            tolerance_m: 500,
        }),
        ["sign-in", name, serial, "for", of] => {
            let number = script.kit.state.acquiring(AcquiringId(script.id(of))).expect("it was opened").number;
            TerminalCommand::SignIn(SignIn { terminal: id(name), serial: serial.to_string(), number })
        }
        ["sign-out", name] => TerminalCommand::SignOut(id(name)),
        ["at", name, north] => {
            let place = Place { latitude: HOME.latitude + i32::try_from(minor(north)).expect("a place"), ..HOME };
            TerminalCommand::ReportLocation { terminal: id(name), place }
        }
        ["suspend-terminal", name] => TerminalCommand::Suspend { terminal: id(name), reason: String::from("broken") },
        ["resume-terminal", name] => TerminalCommand::Resume(id(name)),
        ["recover", name] => TerminalCommand::Recover(id(name)),
        ["scrap", name] => TerminalCommand::Scrap(id(name)),
        _ => return None,
    };
    Some(Step::of(Command::Terminal(command)))
}

/// `2/17` is trace 17 of batch 2.
fn key(script: &Script, terminal: &str, trace: &str) -> TraceKey {
    let (batch, trace) = trace.split_once('/').expect("a batch and a trace");
    let number = |text: &str| text.parse().expect("a number");
    TraceKey { terminal: TerminalId(script.id(terminal)), batch: number(batch), trace: number(trace) }
}

fn transaction(script: &Script, words: &[&str]) -> Read {
    let id = |name: &str| CardTransactionId(script.id(name));
    let today = Date::in_shanghai(script.kit.now);
    let answer = |transaction, answer| CardTransactionCommand::Answer { transaction, answer };
    let command = match *words {
        ["card", name, kind, terminal, trace, of, amount, ref original @ ..] => {
            let kind = CardKind::ALL.into_iter().find(|it| it.name() == kind).expect("a kind");
            let of = CardType::ALL.into_iter().find(|it| it.name() == of).expect("debit or credit");
            let original = match *original {
                ["of", trace] => {
                    let TraceKey { batch, trace, .. } = key(script, terminal, trace);
                    Some(OriginalRef::Trace { batch, trace })
                }
                ["by", reference] => Some(OriginalRef::Reference(reference.to_string())),
                ["under", code] => Some(OriginalRef::Authorisation(code.to_string())),
                _ => None,
            };
            let (key, card, amount) = (key(script, terminal, trace), card(of), minor(amount));
            let authorisation = None;
            let request =
                RequestCardTransaction { kind, key, local_date: today, card, amount, original, authorisation };
            return Some(Step::named(name, of_card(CardTransactionCommand::Request(Box::new(request)))));
        }
        ["yes", name] => {
            answer(id(name), CardAnswer::Approved { authorisation: Some("A00001".into()), clearing_date: today })
        }
        ["no", name, code] => answer(id(name), CardAnswer::Declined { code: code.to_string() }),
        ["silence", name] => answer(id(name), CardAnswer::NotAnswered),
        ["take-back", terminal, trace, amount] => CardTransactionCommand::Reverse(ReverseCardTransaction {
            key: key(script, terminal, trace),
            local_date: today,
            amount: minor(amount),
            reason: ReversalReason::Other,
            by: Reverser::Terminal,
        }),
        ["reversal", name, code] => {
            CardTransactionCommand::AnswerReversal { transaction: id(name), code: code.to_string() }
        }
        // So many bytes of what the chip made of the issuer's scripts.
        ["scripts", terminal, trace, bytes] => {
            let TraceKey { terminal, batch, trace } = key(script, terminal, trace);
            let results = alloc::vec![0x20; bytes.parse().expect("a count of bytes")];
            CardTransactionCommand::ReportScripts(ReportScripts {
                terminal,
                of: OriginalRef::Trace { batch, trace },
                results,
            })
        }
        ["scripts-taken", name, code] => {
            CardTransactionCommand::AnswerScripts { transaction: id(name), code: code.to_string() }
        }
        ["credit-card", name, of, amount] => {
            let case_number = String::from("case-1");
            let credit = CreditAdjustment { transaction: id(of), amount: minor(amount), case_number };
            return Some(Step::named(name, CardTransactionCommand::credit(credit)));
        }
        _ => return None,
    };
    Some(Step::of(of_card(command)))
}

fn batch(script: &Script, words: &[&str]) -> Read {
    let id = |name: &str| TerminalId(script.id(name));
    let command = match *words {
        ["close-batch", terminal, batch, debit, debit_count, credit, credit_count] => {
            let count = |text: &str| text.parse().expect("a count");
            let domestic = Totals {
                debit: minor(debit),
                debit_count: count(debit_count),
                credit: minor(credit),
                credit_count: count(credit_count),
            };
            let theirs = BatchTotals { domestic, foreign: Totals::default() };
            BatchCloseCommand::Close { terminal: id(terminal), batch: count(batch), theirs }
        }
        ["upload", terminal, ref records @ ..] => {
            let record = |text: &&str| {
                let (trace, amount) = text.split_once(':').expect("a trace and an amount");
                UploadedRecord { trace: trace.parse().expect("a trace"), amount: minor(amount) }
            };
            BatchCloseCommand::Upload { terminal: id(terminal), records: records.iter().map(record).collect() }
        }
        ["end-upload", terminal, count] => {
            BatchCloseCommand::EndUpload { terminal: id(terminal), count: count.parse().expect("a count") }
        }
        ["card-file", day, part, ref lines @ ..] => {
            // A name, and behind a sign by how much the network took more or less than was booked.
            let line = |text: &&str| {
                let (name, more) = text.split_once(['+', '-']).map_or((*text, 0), |(name, more)| (name, minor(more)));
                let line = script.kit.card_line(CardTransactionId(script.id(name)));
                let more = if text.contains('-') { -more } else { more };
                CardLine { cost: line.cost + more, ..line }
            };
            let lines: Vec<CardLine> = lines.iter().map(line).collect();
            let file = TakeCardFile { date: date(day), part: part.parse().expect("a part"), last: true, lines };
            return Some(Step::of(Command::TakeCardFile(file)));
        }
        _ => return None,
    };
    Some(Step::of(Command::BatchClose(command)))
}
