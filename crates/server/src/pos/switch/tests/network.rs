//! A card network in this process: an issuer with balances and PINs that says yes and no by rules, and the silence and the
//! losses that a test asks for. What reaches it are the fields of the host link, with the PIN under the zone's own key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::super::network::{Answered, CardNetwork, Exchange, Fields, Outgoing};

/// What becomes of the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// It arrives and is answered.
    Fair,
    /// It arrives, and the answer does not come back.
    AnswerLost,
    /// It does not leave.
    NoLink,
}

/// The element of field 59 with the code that a customer shows.
pub(super) const CODE: &str = "A30196212345678901234567";

#[derive(Debug, Default)]
struct Books {
    /// Fen by card.
    balances: HashMap<String, i64>,
    /// The right PIN block of a card under the zone's key.
    pins: HashMap<String, Vec<u8>>,
    /// By reference.
    taken: HashMap<String, (String, i64)>,
    heard: Vec<(String, Fields)>,
    weather: Vec<Weather>,
}

/// The issuer of all cards.
#[derive(Debug, Default)]
pub(super) struct Issuer(Mutex<Books>);

impl Issuer {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn opens(&self, card: &str, balance: i64, pin: Vec<u8>) {
        let mut books = self.books();
        books.balances.insert(card.to_owned(), balance);
        books.pins.insert(card.to_owned(), pin);
    }

    pub(super) fn balance(&self, card: &str) -> i64 {
        self.books().balances[card]
    }

    /// For the next requests, in turn.
    pub(super) fn becomes(&self, weather: &[Weather]) {
        self.books().weather = weather.iter().rev().copied().collect();
    }

    /// Message types and fields that arrived.
    pub(super) fn heard(&self) -> Vec<(String, Fields)> {
        self.books().heard.clone()
    }
}

impl Books {
    fn answer(&mut self, request: &Outgoing) -> Fields {
        let text = |number| request.fields.text(number).unwrap_or_default().to_owned();
        let amount = text(4).parse::<i64>().unwrap_or(0);
        let reference = String::from_utf8_lossy(&request.identity.reference).into_owned();
        // A payer's code is that of the one card whose telephone shows it; what follows on it names the original.
        let shown = request.fields.text(59).is_some_and(|further| further == CODE);
        let about = request.fields.text(90).and_then(|original| original.get(4..10)).map(|trace| {
            let trace: u64 = trace.parse().unwrap();
            format!("{:012}", trace - 1)
        });
        let card = match (text(2), about.and_then(|reference| self.taken.get(&reference))) {
            (card, _) if !card.is_empty() => card,
            (_, Some((card, _))) => card.clone(),
            (_, None) if shown => super::shop::CARD.to_owned(),
            (_, None) => String::new(),
        };
        let right = self.pins.get(&card).cloned();
        let code = match (self.balances.get_mut(&card), request.fields.get(52)) {
            (None, _) => "14",
            (Some(_), Some(pin)) if right.as_deref() != Some(pin) => "55",
            (Some(balance), _) => match (text(3).as_str(), text(25).as_str()) {
                ("300000", _) => "00",
                // A pre-authorisation holds nothing here.
                ("030000", _) | ("200000", "06") => "00",
                ("200000", _) => {
                    *balance += amount;
                    "00"
                }
                _ if *balance < amount => "51",
                _ => {
                    *balance -= amount;
                    "00"
                }
            },
        };
        let mut told = Fields::default();
        told.set(39, code).set(15, "0305");
        if code == "00" {
            told.set(38, format!("A{}", &reference[7..])).set(44, "ISSUER1    ACQUIRER1  ");
            self.taken.insert(reference, (card.clone(), amount));
        }
        if text(3) == "300000" {
            told.set(54, format!("1002156C{:012}", self.balances[&card]));
        }
        // A script for the chip.
        if request.fields.get(55).is_some() {
            told.set(55, hex::decode("720A9F180400000001860106").unwrap());
        }
        told
    }
}

impl CardNetwork for Issuer {
    async fn exchange(&self, request: Outgoing) -> Exchange {
        let mut books = self.books();
        let weather = books.weather.pop().unwrap_or(Weather::Fair);
        if weather == Weather::NoLink {
            return Exchange::NotSent { reason: "no_link" };
        }
        let mti = String::from_utf8_lossy(&request.mti).into_owned();
        books.heard.push((mti, request.fields.clone()));
        let fields = books.answer(&request);
        if weather == Weather::AnswerLost { Exchange::Unanswered } else { Exchange::Answered(Answered { fields }) }
    }

    fn pin_key(&self) -> &'static str {
        super::ZONE_PIN
    }

    fn track_key(&self) -> Option<&str> {
        None
    }

    fn member(&self) -> &'static str {
        "48021000"
    }
}
