//! What goes on to the card network of a terminal's message, and what of the network's answer comes back.

use domain::card_transaction::CardTransaction;
use domain::envelope::Time;
use iso8583::{Message, Value};

use super::Asked;
use super::card::{Payer, Presented};
use super::known::{Known, digits};
use crate::pos::forward::original;
use crate::pos::moment::local;
use crate::pos::network::{Answered, Fields};

/// Fields that go on as they came: entry mode, card sequence number, PIN length, security control, chip data.
const AS_CAME: [u8; 5] = [22, 23, 26, 53, 55];
/// Fields of the card (C3), which go on and stay nowhere: expiry.
const OF_CARD: [u8; 1] = [14];
/// A payer's one-time code, in the elements of the acquirer's profile.
const CODE: u8 = 59;
const CODE_TAG: &str = "A3";
/// The country and the currency of everything here.
const CHINA: &str = "156";

/// The fields of a request, but for those of what it is about.
pub(super) fn fields(
    asked: &Asked<'_>,
    known: &Known,
    (processing, condition): (&str, &str),
    (presented, pin): (&Presented, Option<Vec<u8>>),
    now: Time,
) -> Fields {
    let mut fields = presented.tracks.clone();
    let (date, time) = local(now);
    match &presented.payer {
        Payer::Card(number) => drop(fields.set(2, number.expose())),
        Payer::Code(code) => drop(fields.set(CODE, format!("{CODE_TAG}{:03}{}", code.expose().len(), code.expose()))),
        // The original says who pays.
        Payer::Original => {}
    }
    fields.set(3, processing).set(25, condition);
    fields.set(12, time).set(13, date).set(19, CHINA).set(49, CHINA);
    fields.set(41, format!("{:08}", known.id.0));
    if let Some(merchant) = known.number {
        fields.set(18, format!("{:04}", merchant.category())).set(42, merchant.to_string());
    }
    for field in AS_CAME.into_iter().chain(OF_CARD) {
        if let Some(content) = content(asked.message, field) {
            fields.set(field, content);
        }
    }
    if let Some(amount) = digits(asked.message, 4, None) {
        fields.set(4, amount);
    }
    if let Some(block) = pin {
        fields.set(52, block);
    }
    fields
}

/// A field without its encoding.
fn content(message: &Message<'_, '_>, field: u8) -> Option<Vec<u8>> {
    match message.value(field).ok()? {
        Value::Digits(digits) => Some(digits.iter().collect()),
        Value::Text(bytes) | Value::Bytes(bytes) => Some(bytes.to_vec()),
        Value::Hex(text) => hex::decode(text).ok(),
    }
}

/// What a request says of the transaction that it is about: its authorisation, and the names that went out with it (F90).
pub(super) fn about(fields: &mut Fields, of: &CardTransaction, member: &str) {
    if let Some(authorisation) = &of.authorisation {
        fields.set(38, authorisation.as_str());
    }
    fields.set(90, original(of, member));
}

/// What the terminal gets of the network's answer: additional data, balance, chip data with scripts. What it cannot hold is
/// left out.
pub(super) fn passed_back(answered: &Answered) -> Fields {
    let mut fields = Fields::default();
    let fits = |field, most: usize| answered.fields.get(field).filter(|content| content.len() <= most);
    if let Some(text) = fits(44, 25).filter(|text| text.is_ascii()) {
        fields.set(44, text);
    }
    // Of several balances the first.
    if let Some(balance) = answered.fields.get(54).and_then(|balances| balances.get(..20)) {
        fields.set(54, balance);
    }
    if let Some(chip) = fits(55, 255) {
        fields.set(55, chip);
    }
    fields
}
