//! What is sent: transfers drawn from a seed, written as postings in CBOR or JSON.
//!
//! Invariant: each transfer debits one account and credits another by the same amount, so a load conserves money.
//!
//! Written by hand, byte by byte: at a million transfers a second the load must cost a small part of what it measures.

use super::numbers::Numbers;
use super::preset::{Codec, Spread};

/// The largest amount of a transfer, in minor units.
pub(crate) const AMOUNT_MAX: i64 = 10_000;

/// The accounts of a run: ids without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accounts {
    /// The first id.
    pub(crate) first: u64,
    /// How many.
    pub(crate) count: u64,
}

impl Accounts {
    /// Any of them.
    pub(crate) fn pick(self, numbers: &mut Numbers) -> u64 {
        self.first + numbers.below(self.count)
    }
}

/// Money from one account to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Whose balance falls (借).
    pub(crate) debit: u64,
    /// Whose balance grows (贷).
    pub(crate) credit: u64,
    /// Minor units.
    pub(crate) amount: i64,
}

/// An endless series of transfers.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    numbers: Numbers,
    accounts: Accounts,
    spread: Spread,
}

impl Draws {
    /// The series of a seed.
    pub(crate) fn new(seed: u64, accounts: Accounts, spread: Spread) -> Self {
        Self { numbers: Numbers(seed), accounts, spread }
    }

    /// The next one.
    pub(crate) fn draw(&mut self) -> Transfer {
        let one = match self.spread {
            Spread::Uniform => self.accounts.pick(&mut self.numbers),
            Spread::Hot => self.accounts.first,
        };
        // Any but `one`: the place behind it, so many on, around the end.
        let step = 1 + self.numbers.below(self.accounts.count - 1);
        let other = self.accounts.first + (one - self.accounts.first + step) % self.accounts.count;
        let drawn = self.numbers.below(AMOUNT_MAX.unsigned_abs() * 2);
        let amount = i64::try_from(drawn / 2).unwrap_or_default() + 1;
        let (debit, credit) = if drawn.is_multiple_of(2) { (one, other) } else { (other, one) };
        Transfer { debit, credit, amount }
    }
}

impl Codec {
    /// The header line of a posting.
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Cbor => "content-type: application/cbor\r\n",
            Self::Json => "content-type: application/json\r\n",
        }
    }

    /// Whether an answer refuses none of the vouchers.
    pub(crate) fn accepts_all(self, answer: &[u8]) -> bool {
        match self {
            Self::Cbor => answer.last() == Some(&0x80),
            Self::Json => answer.ends_with(b"\"refused\":[]}"),
        }
    }

    /// A posting; the second value is the sum of its amounts.
    pub(crate) fn posting(
        self,
        stream: &str,
        number: u64,
        transfers: impl ExactSizeIterator<Item = Transfer>,
    ) -> (Vec<u8>, i128) {
        match self {
            Self::Cbor => cbor(stream, number, transfers),
            Self::Json => json(stream, number, transfers),
        }
    }
}

fn cbor(stream: &str, number: u64, transfers: impl ExactSizeIterator<Item = Transfer>) -> (Vec<u8>, i128) {
    let mut out = Vec::with_capacity(64 + transfers.len() * 32);
    out.push(0x84);
    head(&mut out, 3, stream.len() as u64);
    out.extend_from_slice(stream.as_bytes());
    head(&mut out, 0, number);
    out.push(0xf4);
    head(&mut out, 4, transfers.len() as u64);
    let mut sum = 0;
    for Transfer { debit, credit, amount } in transfers {
        // [event 0, [[account, side, amount, currency 0], …]]
        out.extend_from_slice(&[0x82, 0, 0x82]);
        for (side, account) in [(0, debit), (1, credit)] {
            out.push(0x84);
            head(&mut out, 0, account);
            out.push(side);
            head(&mut out, 0, amount.unsigned_abs());
            out.push(0);
        }
        sum += i128::from(amount);
    }
    (out, sum)
}

/// The head of a CBOR item (RFC 8949, 3.1).
fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..=0xffff => out.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
        0x1_0000..=0xffff_ffff => out.extend_from_slice(&[major | 26, bytes[4], bytes[5], bytes[6], bytes[7]]),
        0x1_0000_0000.. => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

fn json(stream: &str, number: u64, transfers: impl ExactSizeIterator<Item = Transfer>) -> (Vec<u8>, i128) {
    let mut out = Vec::with_capacity(64 + transfers.len() * 170);
    out.extend_from_slice(format!("{{\"stream\":\"{stream}\",\"number\":{number},\"vouchers\":[").as_bytes());
    let mut sum = 0;
    for (index, Transfer { debit, credit, amount }) in transfers.enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"entries\":[" } else { b",{\"entries\":[" });
        for (before, account, side) in [("", debit, "debit"), (",", credit, "credit")] {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(b"{\"account\":\"acc_");
            digits(&mut out, account);
            out.extend_from_slice(b"\",\"side\":\"");
            out.extend_from_slice(side.as_bytes());
            out.extend_from_slice(b"\",\"amount\":");
            digits(&mut out, amount.unsigned_abs());
            out.extend_from_slice(b",\"currency\":\"CNY\"}");
        }
        out.extend_from_slice(b"]}");
        sum += i128::from(amount);
    }
    out.extend_from_slice(b"]}");
    (out, sum)
}

/// A number in decimal digits.
fn digits(out: &mut Vec<u8>, mut value: u64) {
    let mut text = [0; 20];
    let mut begin = text.len();
    loop {
        begin -= 1;
        text[begin] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[begin..]);
}

#[cfg(test)]
mod tests {
    use minicbor::{Decode, Decoder};
    use serde_json::Value;

    use super::*;

    const ACCOUNTS: Accounts = Accounts { first: 300, count: 70_000 };

    fn drawn(spread: Spread, count: usize) -> Vec<Transfer> {
        let mut draws = Draws::new(7, ACCOUNTS, spread);
        (0..count).map(|_| draws.draw()).collect()
    }

    #[test]
    fn transfers_go_between_two_accounts_of_the_run_and_move_something() {
        for spread in [Spread::Uniform, Spread::Hot] {
            for transfer in drawn(spread, 20_000) {
                let Transfer { debit, credit, amount } = transfer;
                let ours = |account: u64| (300..70_300).contains(&account);
                assert!(ours(debit) && ours(credit) && debit != credit, "{transfer:?}");
                assert!((1..=AMOUNT_MAX).contains(&amount), "{transfer:?}");
                assert!(spread == Spread::Uniform || debit == 300 || credit == 300, "{transfer:?}");
            }
        }
    }

    #[test]
    fn two_accounts_are_enough_and_both_directions_occur() {
        let mut draws = Draws::new(1, Accounts { first: 5, count: 2 }, Spread::Hot);
        let towards = (0..1_000).filter(|_| draws.draw().credit == 5).count();
        assert!((400..600).contains(&towards), "{towards}");
    }

    #[derive(Decode)]
    struct Posting(#[n(0)] String, #[n(1)] u64, #[n(2)] bool, #[n(3)] Vec<Voucher>);
    #[derive(Decode)]
    struct Voucher(#[n(0)] u16, #[n(1)] Vec<Entry>);
    #[derive(Decode)]
    struct Entry(#[n(0)] u64, #[n(1)] u8, #[n(2)] i64, #[n(3)] u8);

    #[test]
    fn the_cbor_of_a_posting_says_its_transfers_and_conserves_money() {
        let transfers = drawn(Spread::Uniform, 500);
        let (bytes, sum) = Codec::Cbor.posting("bench-3", 1 << 33, transfers.iter().copied());
        let mut decoder = Decoder::new(&bytes);
        let Posting(stream, number, atomic, vouchers) = decoder.decode().unwrap();
        assert_eq!((decoder.position(), stream.as_str(), number, atomic), (bytes.len(), "bench-3", 1 << 33, false));
        let read = |Voucher(event, entries): &Voucher| {
            let [Entry(debit, 0, amount, 0), Entry(credit, 1, same, 0)] = entries[..] else { panic!("two entries") };
            assert_eq!((*event, amount), (0, same));
            Transfer { debit, credit, amount }
        };
        assert_eq!(vouchers.iter().map(read).collect::<Vec<_>>(), transfers);
        assert_eq!(sum, transfers.iter().map(|transfer| i128::from(transfer.amount)).sum());
    }

    #[test]
    fn the_json_of_a_posting_says_its_transfers_and_conserves_money() {
        let transfers = drawn(Spread::Hot, 50);
        let (bytes, sum) = Codec::Json.posting("bench-1", 12, transfers.iter().copied());
        let posting: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((posting["stream"].as_str(), posting["number"].as_u64()), (Some("bench-1"), Some(12)));
        let read = |voucher: &Value| {
            let at = |index: usize, side: &str| {
                let entry = &voucher["entries"][index];
                assert_eq!((entry["side"].as_str(), entry["currency"].as_str()), (Some(side), Some("CNY")));
                let account = entry["account"].as_str().unwrap().strip_prefix("acc_").unwrap().parse().unwrap();
                (account, entry["amount"].as_i64().unwrap())
            };
            let ((debit, amount), (credit, same)) = (at(0, "debit"), at(1, "credit"));
            assert_eq!(amount, same);
            Transfer { debit, credit, amount }
        };
        let read: Vec<Transfer> = posting["vouchers"].as_array().unwrap().iter().map(read).collect();
        assert_eq!(read, transfers);
        assert_eq!(sum, transfers.iter().map(|transfer| i128::from(transfer.amount)).sum());
    }

    #[test]
    fn numbers_are_written_in_each_length() {
        for value in [0, 9, 10, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let (mut text, mut item) = (Vec::new(), Vec::new());
            digits(&mut text, value);
            head(&mut item, 0, value);
            assert_eq!(String::from_utf8(text).unwrap(), value.to_string());
            assert_eq!(item, minicbor::to_vec(value).unwrap());
        }
    }

    #[test]
    fn an_answer_with_a_refusal_is_told_from_one_without() {
        assert!(Codec::Json.accepts_all(br#"{"number":1,"refused":[]}"#));
        assert!(!Codec::Json.accepts_all(br#"{"number":1,"refused":[{"index":0}]}"#));
        assert!(Codec::Cbor.accepts_all(&[0x85, 0x80]));
        assert!(!Codec::Cbor.accepts_all(&[0x85, 0x81, 0x00]));
    }
}
