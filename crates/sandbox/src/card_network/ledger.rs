//! The network's books: every transaction by its name, what the issuers said, and what was undone.
//!
//! ```text
//!  APPROVED ─┬─ a void, cancel or completion's void of it ─► UNDONE ◄─► APPROVED (that void is reversed)
//!            └─ its reversal ─► REVERSED, once
//!  DECLINED  ─ its reversal ─► DECLINED: there is nothing to undo
//! ```

use std::collections::HashMap;

use jiff::civil::Date;
use serde::Serialize;

use super::cipher::Zone;
use super::file::{Line, cost};
use super::issuer::{Codes, Issuers, is_credit, pin_of};
use super::plan::CardPlan;
use super::wire::{Fields, text};

/// What a transaction does to the card's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Does {
    /// Takes money: sale, completion, offline, tip.
    Takes,
    /// Gives money: refund.
    Gives,
    /// Keeps money aside: pre-authorisation.
    Holds,
    /// Undoes another: void, cancel.
    Undoes,
    /// Says what there is.
    Looks,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    Approved,
    Declined,
    Undone,
    Reversed,
}

/// A transaction.
#[derive(Debug, Clone)]
struct Transaction {
    does: Does,
    stands: Stands,
    card: String,
    amount: i64,
    reference: String,
    /// What it is about: what it undoes, completes, adds to.
    about: Option<usize>,
    told: Fields,
    /// What its chip made of the issuer's scripts, in hex.
    scripts: Option<String>,
}

/// One transaction of the books, for whoever compares them with a member's; nothing of its card.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    reference: String,
    does: Does,
    stands: Stands,
    /// Fen.
    amount: i64,
    /// What its chip made of the issuer's scripts (field 55 of the report, in hex).
    scripts: Option<String>,
}

/// What the books hold, for whoever compares them with a member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Transactions that brought the member money, and stand.
    pub taken_count: u64,
    /// Σ of them, fen.
    pub taken: i64,
    /// Refunds.
    pub given_count: u64,
    /// Σ of them, fen.
    pub given: i64,
    /// Transactions that were reversed.
    pub reversed: u64,
    /// Transactions that were declined.
    pub declined: u64,
    /// Reversals of what was never here, and of what was undone already.
    pub reversals_of_nothing: u64,
}

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    date: Date,
    issuers: Issuers,
    codes: Codes,
    all: Vec<Transaction>,
    by_name: HashMap<String, usize>,
    of_nothing: u64,
}

/// A transaction's name in its own message.
pub(super) fn name_of(mti: [u8; 4], fields: &Fields) -> String {
    name(&String::from_utf8_lossy(&mti[..2]), text(fields, 11), text(fields, 7), text(fields, 32), text(fields, 33))
}

fn name(class: &str, trace: &str, sent_at: &str, acquirer: &str, forwarder: &str) -> String {
    let code = |text: &str| text.trim_start_matches('0').to_owned();
    format!("{class}/{trace}/{sent_at}/{}/{}", code(acquirer), code(forwarder))
}

/// The name that F90 gives: type 4, trace 6, time 10, acquirer 11, forwarder 11.
fn original_of(fields: &Fields) -> Option<String> {
    let data = text(fields, 90);
    let part = |from: usize, to: usize| data.get(from..to);
    Some(name(part(0, 2)?, part(4, 10)?, part(10, 20)?, part(20, 31)?, part(31, 42)?))
}

impl Ledger {
    pub(super) fn new(date: Date, balance: i64) -> Self {
        let (all, by_name) = (Vec::new(), HashMap::new());
        Self { date, issuers: Issuers::new(balance), codes: Codes::default(), all, by_name, of_nothing: 0 }
    }

    /// A one-time code of a card, as its holder's telephone shows it.
    pub(super) fn show_code(&mut self, card: &str) -> String {
        self.codes.show(card)
    }

    /// Whose account a request is about: the card's; that of the code, which is used up by it; that of the original.
    fn payer(&mut self, fields: &Fields, about: Option<usize>) -> String {
        let card = text(fields, 2);
        if !card.is_empty() {
            return card.to_owned();
        }
        let code = text(fields, 59).strip_prefix("A3").and_then(|element| element.get(3..));
        let of_code = code.map(|code| self.codes.take(code).unwrap_or_default());
        let original = || about.and_then(|at| self.all.get(at)).map(|original| original.card.clone());
        of_code.or_else(original).unwrap_or_default()
    }

    /// Carries a request out, or tells again what came of it. What comes back are the fields of the answer.
    pub(super) fn ask(&mut self, mti: [u8; 4], fields: &Fields, plan: &CardPlan, zone: &Zone) -> Fields {
        let name = name_of(mti, fields);
        if let Some(known) = self.by_name.get(&name).and_then(|at| self.all.get(*at)) {
            return known.told.clone();
        }
        let amount = text(fields, 4).parse().unwrap_or(0);
        let about = original_of(fields).and_then(|name| self.by_name.get(&name).copied());
        let card = self.payer(fields, about);
        let Some(does) = does(mti, fields) else { return self.told(fields, "12", None) };
        let code = self.decide(does, &card, amount, about, fields, plan, zone);
        let approved = code == "00";
        if approved {
            self.carry_out(does, &card, amount, about);
        }
        let authorisation = approved.then(|| format!("{:06}", (self.all.len() + 1) % 1_000_000));
        let mut told = self.told(fields, &code, authorisation);
        if does == Does::Looks && approved {
            let balance = self.issuers.available(&card);
            told.insert(54, format!("1002156C{balance:012}").into_bytes());
        }
        let stands = if approved { Stands::Approved } else { Stands::Declined };
        let reference = text(fields, 37).to_owned();
        self.by_name.insert(name, self.all.len());
        self.all.push(Transaction { does, stands, card, amount, reference, about, told: told.clone(), scripts: None });
        told
    }

    /// Takes a transaction back, once.
    pub(super) fn reverse(&mut self, fields: &Fields) -> Fields {
        let found = original_of(fields).and_then(|name| self.by_name.get(&name).copied());
        let Some(at) = found else {
            self.of_nothing += 1;
            return self.told(fields, "25", None);
        };
        match self.all[at].stands {
            Stands::Approved => {
                self.undo(at);
                self.all[at].stands = Stands::Reversed;
            }
            Stands::Declined | Stands::Reversed => self.of_nothing += 1,
            // Its void stands: that is reversed first.
            Stands::Undone => return self.told(fields, "12", None),
        }
        self.told(fields, "00", None)
    }

    /// Keeps what a chip made of an issuer's scripts; a report that comes again says the same.
    pub(super) fn report(&mut self, fields: &Fields) -> Fields {
        let found = original_of(fields).and_then(|name| self.by_name.get(&name).copied());
        let (Some(at), Some(chip)) = (found, fields.get(&55)) else {
            return self.told(fields, if found.is_none() { "25" } else { "30" }, None);
        };
        let results = hex::encode_upper(chip);
        let known = self.all[at].scripts.get_or_insert_with(|| results.clone());
        let code = if *known == results { "00" } else { "94" };
        self.told(fields, code, None)
    }

    /// What may be spent: a completion spends what its pre-authorisation holds too.
    fn available_for(&mut self, card: &str, about: Option<usize>) -> i64 {
        let held = about.and_then(|at| self.all.get(at)).filter(|original| original.does == Does::Holds);
        let held = held.map_or(0, |original| original.amount);
        self.issuers.available(card) + held
    }

    /// The issuer's code.
    #[expect(clippy::too_many_arguments, reason = "an issuer looks at all of it")]
    fn decide(
        &mut self,
        does: Does,
        card: &str,
        amount: i64,
        about: Option<usize>,
        fields: &Fields,
        plan: &CardPlan,
        zone: &Zone,
    ) -> String {
        if !(13..=19).contains(&card.len()) {
            return "14".to_owned();
        }
        if let Some(block) = fields.get(&52)
            && zone.pin(block, card).as_deref() != Some(pin_of(card))
        {
            return "55".to_owned();
        }
        if let Some(code) = plan.declines(amount) {
            return code.to_owned();
        }
        let available = self.available_for(card, about);
        let original = about.and_then(|at| self.all.get(at));
        let used_up = |original: &Transaction| original.does == Does::Holds && original.stands != Stands::Approved;
        let code = match does {
            Does::Takes if original.is_some_and(used_up) => "25",
            Does::Takes | Does::Holds if amount > available => "51",
            Does::Undoes if original.is_none_or(|original| original.stands != Stands::Approved) => "25",
            Does::Undoes if original.is_some_and(|original| original.amount != amount) => "64",
            Does::Undoes if original.is_some_and(|original| original.card != card) => "40",
            Does::Takes | Does::Holds | Does::Undoes | Does::Gives | Does::Looks => "00",
        };
        code.to_owned()
    }

    fn carry_out(&mut self, does: Does, card: &str, amount: i64, about: Option<usize>) {
        match does {
            Does::Takes => {
                self.issuers.take(card, amount);
                // A completion lets go what its pre-authorisation held.
                if let Some(held) = self.turn(about, Stands::Approved, Stands::Undone) {
                    self.issuers.hold(card, -held);
                }
            }
            Does::Gives => self.issuers.take(card, -amount),
            Does::Holds => self.issuers.hold(card, amount),
            Does::Undoes => {
                if let Some(at) = about {
                    self.undo(at);
                    self.all[at].stands = Stands::Undone;
                }
            }
            Does::Looks => {}
        }
    }

    /// A pre-authorisation that stands so stands otherwise from now on; what it is about.
    fn turn(&mut self, about: Option<usize>, from: Stands, to: Stands) -> Option<i64> {
        let original = about.and_then(|at| self.all.get_mut(at))?;
        if original.does != Does::Holds || original.stands != from {
            return None;
        }
        original.stands = to;
        Some(original.amount)
    }

    /// Turns what a transaction did round.
    fn undo(&mut self, at: usize) {
        let Transaction { does, ref card, amount, about, .. } = self.all[at];
        let card = card.clone();
        match does {
            Does::Takes => {
                self.issuers.take(&card, -amount);
                if let Some(held) = self.turn(about, Stands::Undone, Stands::Approved) {
                    self.issuers.hold(&card, held);
                }
            }
            Does::Gives => self.issuers.take(&card, amount),
            Does::Holds => self.issuers.hold(&card, -amount),
            Does::Undoes => {
                if let Some(original) = about {
                    self.all[original].stands = Stands::Approved;
                    let Transaction { does, amount, about, .. } = self.all[original];
                    self.carry_out(does, &card, amount, about);
                }
            }
            Does::Looks => {}
        }
    }

    /// The fields of an answer.
    fn told(&self, asked: &Fields, code: &str, authorisation: Option<String>) -> Fields {
        let back = [2, 3, 4, 7, 11, 12, 13, 18, 25, 32, 33, 37, 41, 42, 49, 60, 90];
        let mut told: Fields =
            back.into_iter().filter_map(|number| Some((number, asked.get(&number)?.clone()))).collect();
        told.insert(15, self.date.strftime("%m%d").to_string().into_bytes());
        told.insert(39, code.as_bytes().to_vec());
        if let Some(authorisation) = authorisation {
            told.insert(38, authorisation.into_bytes());
        }
        told
    }

    pub(super) fn balance(&self, card: &str) -> i64 {
        self.issuers.balance(card)
    }

    /// All transactions, in their order.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let show = |row: &Transaction| {
            let Transaction { does, stands, amount, .. } = *row;
            Shown { reference: row.reference.clone(), does, stands, amount, scripts: row.scripts.clone() }
        };
        self.all.iter().map(show).collect()
    }

    /// What stands.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { reversals_of_nothing: self.of_nothing, ..Totals::default() };
        for transaction in &self.all {
            match (transaction.stands, transaction.does) {
                (Stands::Approved, Does::Takes) => {
                    totals.taken_count += 1;
                    totals.taken += transaction.amount;
                }
                (Stands::Approved, Does::Gives) => {
                    totals.given_count += 1;
                    totals.given += transaction.amount;
                }
                (Stands::Reversed, _) => totals.reversed += 1,
                (Stands::Declined, _) => totals.declined += 1,
                (Stands::Approved | Stands::Undone, _) => {}
            }
        }
        totals
    }

    /// The daily file: what stands, a sale with its tip as one line.
    pub(super) fn file(&self, member: &str) -> String {
        let mut lines: Vec<Line> = Vec::new();
        let mut at_line: HashMap<usize, usize> = HashMap::new();
        for (at, transaction) in self.all.iter().enumerate() {
            let comes_in = match (transaction.stands, transaction.does) {
                (Stands::Approved, Does::Takes) => true,
                (Stands::Approved, Does::Gives) => false,
                _ => continue,
            };
            let tipped = transaction.about.filter(|_| comes_in).and_then(|about| at_line.get(&about).copied());
            if let Some(line) = tipped.and_then(|line| lines.get_mut(line)) {
                line.amount += transaction.amount;
                line.cost = cost(line.amount, is_credit(&transaction.card));
                continue;
            }
            at_line.insert(at, lines.len());
            let (reference, amount) = (transaction.reference.clone(), transaction.amount);
            lines.push(Line { reference, comes_in, amount, cost: cost(amount, is_credit(&transaction.card)) });
        }
        super::file::write(self.date, member, &lines)
    }
}

/// What a request does, by message type, processing code and condition.
fn does(mti: [u8; 4], fields: &Fields) -> Option<Does> {
    let (class, undoes) = (&mti[..2], text(fields, 3).starts_with("20"));
    match (class, text(fields, 3)) {
        // A balance of the host link; some members pass on what their terminals say.
        (b"02", "300000" | "310000") => Some(Does::Looks),
        (b"01", "030000") => Some(Does::Holds),
        (b"02", _) if undoes && mti[2] == b'2' => Some(Does::Gives),
        (b"01" | b"02", _) if undoes => Some(Does::Undoes),
        (b"02", "000000") => Some(Does::Takes),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
