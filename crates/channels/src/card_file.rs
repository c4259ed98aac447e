//! The card network's daily file (银联商户清算明细, ZM): what it cleared for us, transaction by transaction.
//!
//! ```text
//! 00|ZM|1|clearing date|member                                        the first line
//! 10|reference (F37)|in or out|amount|cost                            a transaction each; fen
//! 99|lines|Σ in|Σ out|Σ cost of in − Σ cost of out|SM3                of all bytes before this line
//! ```
//! Each line ends with a line feed. The layout is ours: members get theirs from the network, and a reader like this one makes
//! the same [`CardFile`] of it. The hash shows a file that was damaged or cut off, not who made it: whoever takes a file vouches
//! for where it came from.

use ark::sm3;
use domain::calendar::Date;
use domain::card_clearing::{CardLine, CardLineKind, TakeCardFile};
use domain::clearing::MAX_LINES;
use domain::money::Minor;
use thiserror::Error;

/// No file has more lines.
pub const LINES_MAX: usize = 1_000_000;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardFileError {
    /// A line.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Of another member.
    #[error("the file is of member {found:.11}, not of {wanted}")]
    Member {
        /// Whose it is.
        found: String,
        /// Who reads it.
        wanted: String,
    },
    /// Too long.
    #[error("the file has {found} transactions; at most {LINES_MAX} are taken")]
    TooLong {
        /// How many.
        found: usize,
    },
}

/// A file that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    /// The network's clearing date.
    pub date: Date,
    /// Whose it is.
    pub member: String,
    /// Its transactions.
    pub lines: Vec<CardLine>,
}

/// What the last line says of the others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    lines: usize,
    paid: Minor,
    refunded: Minor,
    cost: Minor,
}

impl CardFile {
    /// Reads a file; `member` must be its own, where it is given.
    ///
    /// # Errors
    /// [`CardFileError`], with the line.
    pub fn read(text: &str, member: Option<&str>) -> Result<Self, CardFileError> {
        let all: Vec<&str> = text.lines().collect();
        let at = |line: usize, what: &str| CardFileError::Line { line, what: what.to_owned() };
        let count = all.len();
        let [first, middle @ .., last] = all.as_slice() else {
            return Err(at(1, "a file has a first line 00|ZM|1|date|member and a last line 99|…"));
        };
        if middle.len() > LINES_MAX {
            return Err(CardFileError::TooLong { found: middle.len() });
        }
        let (date, owner) = header(first).ok_or_else(|| at(1, "it is not 00|ZM|1|date|member"))?;
        if let Some(wanted) = member.filter(|wanted| *wanted != owner) {
            return Err(CardFileError::Member { found: owner.to_owned(), wanted: wanted.to_owned() });
        }
        let (sums, hash) = trailer(last).ok_or_else(|| at(count, "it is not 99|lines|in|out|cost|SM3"))?;
        let covered = text.strip_suffix('\n').unwrap_or(text).len() - last.len();
        if hash != hex::encode(sm3(text.as_bytes().get(..covered).unwrap_or_default())) {
            return Err(at(count, "its SM3 is not that of the lines before it: get the file again"));
        }
        let mut lines = Vec::with_capacity(middle.len());
        let mut found = Sums::default();
        for (index, text) in middle.iter().enumerate() {
            let line = line(text).ok_or_else(|| at(index + 2, "it is not 10|12 digits|in or out|amount|cost"))?;
            found.add(&line).ok_or_else(|| at(index + 2, "the sums are larger than any money"))?;
            lines.push(line);
        }
        if found != sums {
            return Err(at(count, "its count and sums are not those of the lines"));
        }
        Ok(Self { date, member: owner.to_owned(), lines })
    }

    /// The commands that take it, in their order.
    #[must_use]
    pub fn parts(&self) -> Vec<TakeCardFile> {
        let chunks: Vec<&[CardLine]> = match self.lines.is_empty() {
            true => vec![&[]],
            false => self.lines.chunks(MAX_LINES).collect(),
        };
        let parts = chunks.len();
        let part = |(index, lines): (usize, &[CardLine])| TakeCardFile {
            date: self.date,
            part: u32::try_from(index + 1).unwrap_or(u32::MAX),
            last: index + 1 == parts,
            lines: lines.to_vec(),
        };
        chunks.into_iter().enumerate().map(part).collect()
    }
}

impl Sums {
    /// `None` beyond 64 bits.
    fn add(&mut self, line: &CardLine) -> Option<()> {
        self.lines += 1;
        match line.kind {
            CardLineKind::In => {
                self.paid = self.paid.checked_add(line.amount)?;
                self.cost = self.cost.checked_add(line.cost)?;
            }
            CardLineKind::Out => {
                self.refunded = self.refunded.checked_add(line.amount)?;
                self.cost = self.cost.checked_sub(line.cost)?;
            }
        }
        Some(())
    }
}

fn header(text: &str) -> Option<(Date, &str)> {
    let ["00", "ZM", "1", date, member] = text.split('|').collect::<Vec<_>>()[..] else { return None };
    let is_code = (1..=11).contains(&member.len()) && member.bytes().all(|byte| byte.is_ascii_digit());
    Some((date.parse().ok()?, Some(member).filter(|_| is_code)?))
}

fn trailer(text: &str) -> Option<(Sums, &str)> {
    let ["99", lines, paid, refunded, cost, hash] = text.split('|').collect::<Vec<_>>()[..] else { return None };
    let lines = lines.parse().ok()?;
    let (paid, refunded, cost) = (paid.parse().ok()?, refunded.parse().ok()?, cost.parse().ok()?);
    Some((Sums { lines, paid, refunded, cost }, hash))
}

fn line(text: &str) -> Option<CardLine> {
    let ["10", reference, kind, amount, cost] = text.split('|').collect::<Vec<_>>()[..] else { return None };
    let is_reference = reference.len() == 12 && reference.bytes().all(|byte| byte.is_ascii_digit());
    let kind = [CardLineKind::In, CardLineKind::Out].into_iter().find(|known| known.name() == kind)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (amount, cost) = (digits(amount)?, digits(cost)?);
    is_reference.then(|| CardLine { reference: reference.to_owned(), kind, amount, cost })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &str, sums: &str) -> String {
        let covered = format!("00|ZM|1|2026-03-05|48021000\n{lines}");
        format!("{covered}99|{sums}|{}\n", hex::encode(sm3(covered.as_bytes())))
    }

    const LINES: &str = "10|000000000001|in|1000000|4825\n10|000000000002|out|200000|965\n";

    #[test]
    fn a_file_is_read_whole_and_taken_in_parts() {
        let read = CardFile::read(&file(LINES, "2|1000000|200000|3860"), Some("48021000")).unwrap();
        assert_eq!((read.date, read.lines.len()), ("2026-03-05".parse().unwrap(), 2));
        let part = &read.parts()[0];
        assert_eq!((part.part, part.last, part.lines[1].kind), (1, true, CardLineKind::Out));
        let empty = CardFile::read(&file("", "0|0|0|0"), None).unwrap();
        assert_eq!((empty.parts().len(), empty.parts()[0].last), (1, true));
        let long = CardFile { lines: vec![read.lines[0].clone(); MAX_LINES + 1], ..read };
        let parts = long.parts();
        assert_eq!((parts.len(), parts[0].last, parts[1].last, parts[1].lines.len()), (2, false, true, 1));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line() {
        let good = file(LINES, "2|1000000|200000|3860");
        for (text, told) in [
            (String::new(), "line 1: a file has a first line 00|ZM|1|date|member and a last line 99|…"),
            (good.replacen("|48021000", "|4802X", 1), "line 1: it is not 00|ZM|1|date|member"),
            (
                good.replacen("|4825", "|4826", 1),
                "line 4: its SM3 is not that of the lines before it: get the file again",
            ),
            (file(LINES, "2|1000000|200000|3861"), "line 4: its count and sums are not those of the lines"),
            (file(LINES, "x|1000000|200000|3860"), "line 4: it is not 99|lines|in|out|cost|SM3"),
            (file("10|000000000001|in|-5|0\n", "1|-5|0|0"), "line 2: it is not 10|12 digits|in or out|amount|cost"),
            (file("10|1|in|5|0\n", "1|5|0|0"), "line 2: it is not 10|12 digits|in or out|amount|cost"),
            (
                file(&"10|000000000001|in|9223372036854775807|0\n".repeat(2), "2|0|0|0"),
                "line 3: the sums are larger than any money",
            ),
        ] {
            assert_eq!(CardFile::read(&text, None).unwrap_err().to_string(), told);
        }
        let other = CardFile::read(&good, Some("48021001")).unwrap_err();
        assert_eq!(other.to_string(), "the file is of member 48021000, not of 48021001");
    }
}
