//! What a terminal asks and what it is answered, field by field (`docs/pos.md`).
//!
//! ```text
//!  Transaction ─► Request: message type, fields, trace and batch ─► bytes with their MAC
//!  bytes ─► Heard: code, fields, whether it is proved ─► Receipt
//! ```

use std::fmt;

use iso8583::profile::Format;
use iso8583::{Builder, Message, Profile, Value};
use serde::Serialize;

use super::wire::Fault;
use crate::cipher::{CardKey, MacForm};

/// The field of the MAC, and its bytes.
const MAC: u8 = 64;
const MAC_BYTES: usize = 8;
/// The end of track 2 behind the number: expiry, service code, discretionary data.
const TRACK_END: &str = "D30122010000012345";
const EXPIRY: &str = "3012";
/// A cryptogram with what goes with it.
const CHIP: &str = "9F26081122334455667788950500000000009F3704DEADBEEF";
const CURRENCY: &str = "156";
/// What an offline sale says that it was authorised by.
const OFFLINE: &str = "OFF001";

/// A card. Debug shows its last four digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    number: String,
    pin: String,
}

impl Card {
    /// A card with its PIN.
    #[must_use]
    pub fn new(number: &str, pin: &str) -> Self {
        Self { number: number.to_owned(), pin: pin.to_owned() }
    }

    /// A made-up card of the sandbox's card network, where the PIN is the last six digits: one of each ten is a credit card.
    #[must_use]
    pub fn made_up(which: u64) -> Self {
        let issuer = if which % 10 == 9 { "62500106" } else { "62306066" };
        let number = format!("{issuer}{:011}", which % 100_000_000_000);
        let pin = number.get(13..).unwrap_or_default().to_owned();
        Self { number, pin }
    }

    /// The same card and a PIN that it does not have.
    #[must_use]
    pub fn with_wrong_pin(&self) -> Self {
        let pin = if self.pin == "111111" { "222222" } else { "111111" };
        Self { number: self.number.clone(), pin: pin.to_owned() }
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.number.get(self.number.len().saturating_sub(4)..).unwrap_or_default();
        write!(f, "Card(…{last})")
    }
}

/// What a terminal can ask of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 余额查询
    Balance,
    /// 消费
    Sale,
    /// 消费撤销
    Void,
    /// 预授权
    PreAuthorisation,
    /// 预授权撤销
    PreAuthorisationCancel,
    /// 预授权完成
    Completion,
    /// 预授权完成撤销
    CompletionVoid,
    /// 预授权完成通知
    CompletionAdvice,
    /// 退货
    Refund,
    /// 离线消费
    Offline,
    /// 小费
    Tip,
}

/// What becomes of a transaction that no answer was heard to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// It is taken back (0400).
    Reversed,
    /// It is asked again.
    Repeated,
    /// Nothing.
    Forgotten,
}

impl Kind {
    /// Message type, F3, F25, 60.1.
    const fn shape(self) -> ([u8; 4], &'static str, &'static str, &'static str) {
        match self {
            Self::Balance => (*b"0200", "310000", "00", "01"),
            Self::Sale => (*b"0200", "000000", "00", "22"),
            Self::Void => (*b"0200", "200000", "00", "23"),
            Self::PreAuthorisation => (*b"0100", "030000", "06", "10"),
            Self::PreAuthorisationCancel => (*b"0100", "200000", "06", "11"),
            Self::Completion => (*b"0200", "000000", "06", "20"),
            Self::CompletionVoid => (*b"0200", "200000", "06", "21"),
            Self::CompletionAdvice => (*b"0220", "000000", "06", "24"),
            Self::Refund => (*b"0220", "200000", "00", "25"),
            Self::Offline => (*b"0220", "000000", "00", "30"),
            Self::Tip => (*b"0220", "000000", "00", "34"),
        }
    }

    pub(super) const fn unheard(self) -> Unheard {
        match self {
            Self::Balance => Unheard::Forgotten,
            Self::Sale
            | Self::Void
            | Self::PreAuthorisation
            | Self::PreAuthorisationCancel
            | Self::Completion
            | Self::CompletionVoid => Unheard::Reversed,
            Self::CompletionAdvice | Self::Refund | Self::Offline | Self::Tip => Unheard::Repeated,
        }
    }
}

/// What is asked for. Amounts are fen.
#[derive(Debug, Clone, Copy)]
pub enum Transaction<'a> {
    /// What may be spent, by chip and PIN.
    Balance(&'a Card),
    /// By chip and PIN.
    Sale(&'a Card, i64),
    /// All of a sale of this batch.
    Void(&'a Receipt),
    /// By chip and PIN.
    PreAuthorisation(&'a Card, i64),
    /// All of a pre-authorisation.
    PreAuthorisationCancel(&'a Receipt),
    /// Of a pre-authorisation, so much.
    Completion(&'a Receipt, i64),
    /// All of a completion of this batch.
    CompletionVoid(&'a Receipt),
    /// Of a pre-authorisation, so much, without asking the issuer.
    CompletionAdvice(&'a Receipt, i64),
    /// Of a sale, so much.
    Refund(&'a Receipt, i64),
    /// What was sold without a connection.
    Offline(&'a Card, i64),
    /// On a sale of this batch, so much more.
    Tip(&'a Receipt, i64),
}

impl Transaction<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Balance(_) => Kind::Balance,
            Self::Sale(..) => Kind::Sale,
            Self::Void(_) => Kind::Void,
            Self::PreAuthorisation(..) => Kind::PreAuthorisation,
            Self::PreAuthorisationCancel(_) => Kind::PreAuthorisationCancel,
            Self::Completion(..) => Kind::Completion,
            Self::CompletionVoid(_) => Kind::CompletionVoid,
            Self::CompletionAdvice(..) => Kind::CompletionAdvice,
            Self::Refund(..) => Kind::Refund,
            Self::Offline(..) => Kind::Offline,
            Self::Tip(..) => Kind::Tip,
        }
    }

    /// Fen; 0 of a balance.
    #[must_use]
    pub const fn amount(&self) -> i64 {
        match self {
            Self::Balance(_) => 0,
            Self::Void(of) | Self::PreAuthorisationCancel(of) | Self::CompletionVoid(of) => of.amount,
            Self::Sale(_, amount)
            | Self::PreAuthorisation(_, amount)
            | Self::Completion(_, amount)
            | Self::CompletionAdvice(_, amount)
            | Self::Refund(_, amount)
            | Self::Offline(_, amount)
            | Self::Tip(_, amount) => *amount,
        }
    }

    const fn card(&self) -> &Card {
        match self {
            Self::Balance(card) | Self::Sale(card, _) | Self::PreAuthorisation(card, _) | Self::Offline(card, _) => {
                card
            }
            Self::Void(of)
            | Self::PreAuthorisationCancel(of)
            | Self::Completion(of, _)
            | Self::CompletionVoid(of)
            | Self::CompletionAdvice(of, _)
            | Self::Refund(of, _)
            | Self::Tip(of, _) => &of.card,
        }
    }

    /// What it is about.
    const fn original(&self) -> Option<&Receipt> {
        match self {
            Self::Balance(_) | Self::Sale(..) | Self::PreAuthorisation(..) | Self::Offline(..) => None,
            Self::Void(of)
            | Self::PreAuthorisationCancel(of)
            | Self::Completion(of, _)
            | Self::CompletionVoid(of)
            | Self::CompletionAdvice(of, _)
            | Self::Refund(of, _)
            | Self::Tip(of, _) => Some(of),
        }
    }
}

/// What is kept of an approved transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What it was.
    pub kind: Kind,
    /// The batch it is in.
    pub batch: u32,
    /// F11.
    pub trace: u32,
    /// Fen.
    pub amount: i64,
    /// Whose it was.
    pub card: Card,
    /// F13 of the answer: the platform's date, MMDD.
    pub date: String,
    /// F37.
    pub reference: String,
    /// F38.
    pub authorisation: Option<String>,
    /// F54 of a balance, fen.
    pub balance: Option<i64>,
}

/// A field: digits and text as they are, bytes in hexadecimal.
pub(super) type Field = (u8, String);

/// A transaction that has its trace.
#[derive(Clone)]
pub struct Request {
    pub(super) kind: Kind,
    pub(super) mti: [u8; 4],
    pub(super) batch: u32,
    pub(super) trace: u32,
    pub(super) amount: i64,
    pub(super) card: Card,
    /// The trace of what it is about.
    pub(super) original: Option<u32>,
    pub(super) fields: Vec<Field>,
}

/// No field: they have track and PIN block.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, batch, trace, amount, .. } = self;
        write!(f, "Request({kind:?}, batch {batch}, trace {trace}, {amount} fen)")
    }
}

impl Request {
    /// What it asks for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// F11, by which the platform and an operator know it.
    #[must_use]
    pub fn trace(&self) -> u32 {
        self.trace
    }

    /// A transaction under a trace, its PIN under the terminal's key.
    pub(super) fn new(asked: &Transaction<'_>, (batch, trace): (u32, u32), pin: &CardKey) -> Result<Self, Fault> {
        let (kind, amount, card) = (asked.kind(), asked.amount(), asked.card().clone());
        let (mti, processing, condition, code) = kind.shape();
        let mut fields = vec![
            (2, card.number.clone()),
            (3, processing.to_owned()),
            (11, format!("{trace:06}")),
            (25, condition.to_owned()),
            (49, CURRENCY.to_owned()),
            (60, format!("{code}{batch:06}000500")),
        ];
        if kind != Kind::Balance {
            fields.push((4, format!("{amount:012}")));
        }
        match asked {
            Transaction::Balance(_) | Transaction::Sale(..) | Transaction::PreAuthorisation(..) => {
                let block = pin.pin_block(&card.pin, &card.number);
                let block = block.ok_or_else(|| Fault::Unmakeable("a card whose number is none".to_owned()))?;
                fields.extend([
                    (14, EXPIRY.to_owned()),
                    (22, "051".to_owned()),
                    (26, "12".to_owned()),
                    (35, format!("{}{TRACK_END}", card.number)),
                    (52, hex::encode(block)),
                    (53, "2600000000000000".to_owned()),
                    (55, CHIP.to_owned()),
                ]);
            }
            Transaction::Offline(..) => {
                fields.extend([(14, EXPIRY.to_owned()), (22, "012".to_owned()), (38, OFFLINE.to_owned())]);
            }
            Transaction::Void(of) | Transaction::CompletionVoid(of) | Transaction::Tip(of, _) => {
                fields.extend([(22, "012".to_owned()), (61, named(of))]);
            }
            Transaction::PreAuthorisationCancel(of)
            | Transaction::Completion(of, _)
            | Transaction::CompletionAdvice(of, _) => {
                let authorisation = of.authorisation.clone().unwrap_or_default();
                fields.extend([(22, "012".to_owned()), (38, authorisation), (61, named(of))]);
            }
            Transaction::Refund(of, _) => {
                fields.extend([(22, "012".to_owned()), (37, of.reference.clone()), (61, named(of))]);
            }
        }
        let original = asked.original().map(|of| of.trace);
        Ok(Self { kind, mti, batch, trace, amount, card, original, fields })
    }

    /// The reversal of it (0400), with this reason: everything but PIN, track, chip data and reference.
    pub(super) fn reversal(&self, code: &str) -> Vec<Field> {
        let kept = |number: &u8| ![26, 35, 36, 37, 52, 53, 55].contains(number);
        let kept = self.fields.iter().filter(|(number, _)| kept(number)).cloned();
        kept.chain([(39, code.to_owned())]).collect()
    }

    /// What is kept of it once it is approved.
    pub(super) fn receipt(&self, heard: &Heard) -> Receipt {
        let text = |number| heard.field(number).map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
        // Account type 2, amount type 2, currency 3, sign 1, amount 12.
        let balance = text(54).and_then(|text| text.get(8..20)?.parse().ok());
        Receipt {
            kind: self.kind,
            batch: self.batch,
            trace: self.trace,
            amount: self.amount,
            card: self.card.clone(),
            date: text(13).unwrap_or_default(),
            reference: text(37).unwrap_or_default(),
            authorisation: text(38),
            balance,
        }
    }
}

/// F61 that names a transaction: batch, trace, date.
fn named(of: &Receipt) -> String {
    format!("{:06}{:06}{:0>4}", of.batch, of.trace, of.date)
}

/// Whose messages these are: F41 and F42.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) terminal: String,
    pub(super) merchant: String,
}

/// The bytes of a message, with a MAC where there is a key.
pub(super) fn encode(
    layout: &Profile,
    names: &Names,
    mti: [u8; 4],
    fields: &[Field],
    mac: Option<&CardKey>,
) -> Result<Vec<u8>, Fault> {
    let made = || -> Result<Vec<u8>, iso8583::Error> {
        let mut builder = Builder::new(layout, mti)?;
        builder.text(41, &names.terminal)?.text(42, &names.merchant)?;
        for (number, content) in fields {
            match layout.field(*number).map(|field| field.format) {
                Some(Format::An | Format::Ans) => builder.text(*number, content)?,
                Some(Format::B) => builder.bytes(*number, &hex::decode(content).unwrap_or_default())?,
                Some(Format::N | Format::Z) | None => builder.digits(*number, content)?,
            };
        }
        if mac.is_some() {
            builder.bytes(MAC, &[0; MAC_BYTES])?;
        }
        builder.encode()
    };
    let mut bytes = made().map_err(|error| Fault::Unmakeable(error.to_string()))?;
    if let (Some(key), Some(at)) = (mac, bytes.len().checked_sub(MAC_BYTES)) {
        let (covered, tag) = bytes.split_at_mut(at);
        tag.copy_from_slice(&key.mac(MacForm::Ecb, covered));
    }
    Ok(bytes)
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its message type.
    pub mti: [u8; 4],
    /// F39.
    pub code: String,
    /// The processing request of its header; 3 asks for a sign-in.
    pub asks: u8,
    /// Whether its MAC is right; `None` without one.
    pub proved: Option<bool>,
    fields: Vec<Field>,
}

impl Heard {
    /// Reads an answer.
    pub(super) fn read(layout: &Profile, bytes: &[u8], asks: u8, mac: Option<&CardKey>) -> Result<Self, Fault> {
        let read = || -> Result<Self, iso8583::Error> {
            let message = Message::decode(layout, bytes)?;
            let mut fields = Vec::new();
            for number in message.fields() {
                let content = match message.value(number)? {
                    Value::Digits(digits) => digits.iter().map(char::from).collect(),
                    Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    Value::Bytes(bytes) | Value::Hex(bytes) => hex::encode_upper(bytes),
                };
                fields.push((number, content));
            }
            let proved = match (message.before(MAC), message.bytes(MAC)) {
                (Some(covered), Ok(tag)) => Some(mac.is_some_and(|key| tag == key.mac(MacForm::Ecb, covered))),
                (Some(_) | None, _) => None,
            };
            let code = message.text(39).unwrap_or("").to_owned();
            Ok(Self { mti: message.mti(), code, asks, proved, fields })
        };
        read().map_err(|error| Fault::Unreadable(error.to_string()))
    }

    /// A field: digits and text as they are, bytes in hexadecimal.
    #[must_use]
    pub fn field(&self, number: u8) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == number).map(|(_, content)| content.as_str())
    }

    /// Whether it asks the terminal to sign in again.
    #[must_use]
    pub fn asks_sign_in(&self) -> bool {
        self.asks == 3 || matches!(self.code.as_str(), "99" | "A0")
    }

    /// Whether it answers this message type under this trace.
    pub(super) fn answers(&self, mti: [u8; 4], trace: u32) -> bool {
        let [version, class, function, origin] = mti;
        self.mti == [version, class, function.saturating_add(1), origin]
            && self.field(11).and_then(|text| text.parse().ok()) == Some(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::CardCipher;

    const NUMBER: &str = "6230606601007726888";

    fn sale() -> (Request, CardKey) {
        let key = CardKey::new(CardCipher::TripleDes, &[7; 16]).unwrap();
        let card = Card::new(NUMBER, "726888");
        (Request::new(&Transaction::Sale(&card, 12_345), (3, 77), &key).unwrap(), key)
    }

    #[test]
    fn a_reversal_keeps_what_names_the_sale_and_drops_what_is_the_cards() {
        let (request, _) = sale();
        let numbers: Vec<u8> = request.reversal("98").iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [2, 3, 11, 25, 49, 60, 4, 14, 22, 39]);
    }

    #[test]
    fn a_message_reads_as_it_was_made_and_its_mac_proves_it() {
        let (request, key) = sale();
        let layout = super::super::Dialect::new().unwrap().layout(CardCipher::TripleDes);
        let names = Names { terminal: "00000001".into(), merchant: "898110065130001".into() };
        let bytes = encode(&layout, &names, request.mti, &request.fields, Some(&key)).unwrap();
        let heard = Heard::read(&layout, &bytes, 0, Some(&key)).unwrap();
        assert_eq!(
            (heard.proved, heard.field(4), heard.field(41)),
            (Some(true), Some("000000012345"), Some("00000001"))
        );
        assert_eq!(heard.field(60), Some("22000003000500"));
        let other = CardKey::new(CardCipher::TripleDes, &[9; 16]).unwrap();
        assert_eq!(Heard::read(&layout, &bytes, 0, Some(&other)).unwrap().proved, Some(false));
        assert_eq!(
            Heard::read(&layout, &bytes, 0, None).unwrap().proved,
            Some(false),
            "who has no key believes nothing"
        );
    }

    #[test]
    fn made_up_cards_are_cards_of_the_sandboxs_network() {
        for which in [0, 9, 123_456_789] {
            let card = Card::made_up(which);
            assert_eq!((card.number.len(), card.number.get(13..)), (19, Some(card.pin.as_str())));
        }
        assert!(Card::made_up(9).number.starts_with("625"));
        assert_eq!(format!("{:?}", Card::new(NUMBER, "726888")), "Card(…6888)");
    }
}
