//! The network's daily file (ZM), written from its books.
//!
//! ```text
//! 00|ZM|1|clearing date|member
//! 10|reference (F37)|in or out|amount|cost            fen
//! 99|lines|Σ in|Σ out|Σ cost of in − Σ cost of out|SM3 of all bytes before this line
//! ```

use std::fmt::Write as _;

use jiff::civil::Date;

/// A transaction that was cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) reference: String,
    pub(super) comes_in: bool,
    pub(super) amount: i64,
    pub(super) cost: i64,
}

/// Rates are of so many.
const WHOLE: i64 = 1_000_000;

/// What issuer and network keep: 0.35 % up to 13.00 of debit, 0.45 % of credit cards; 0.0325 % up to 3.25 for the network.
pub(super) fn cost(amount: i64, credit: bool) -> i64 {
    let part = |rate: i64, cap: Option<i64>| {
        let exact = amount * rate;
        let rounded = (exact * 2 + WHOLE) / (WHOLE * 2);
        cap.map_or(rounded, |cap| rounded.min(cap))
    };
    let issuer = if credit { part(4_500, None) } else { part(3_500, Some(1_300)) };
    issuer + part(325, Some(325))
}

/// The file.
pub(super) fn write(date: Date, member: &str, lines: &[Line]) -> String {
    let mut file = format!("00|ZM|1|{date}|{member}\n");
    let (mut paid, mut refunded, mut kept) = (0_i64, 0_i64, 0_i64);
    for Line { reference, comes_in, amount, cost } in lines {
        let way = if *comes_in { "in" } else { "out" };
        // Writing to a text does not fail.
        let _ = writeln!(file, "10|{reference}|{way}|{amount}|{cost}");
        if *comes_in {
            paid += amount;
            kept += cost;
        } else {
            refunded += amount;
            kept -= cost;
        }
    }
    let hash = hex::encode(ark::sm3(file.as_bytes()));
    let _ = writeln!(file, "99|{}|{paid}|{refunded}|{kept}|{hash}", lines.len());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_rounded_half_up_and_capped() {
        // 10,000.00 by credit card: 45.00 and 3.25; 100.00 by debit card: 0.35 and 0.0325.
        assert_eq!((cost(1_000_000, true), cost(10_000, false), cost(1_000_000, false)), (4_825, 38, 1_625));
    }
}
