//! The card of a message: its number from whichever field has it, what the books may know of it, its track and PIN for the
//! network.
//!
//! A payer's one-time code (付款码) stands in a card's place: it goes to the network and nowhere else; nothing of it is kept but
//! its digest.
//!
//! Invariants: number, code, track and PIN live in [`Presented`] for as long as the message is decided, wiped when it goes; the
//! books get a token and the first 6 and last 4 digits; a PIN comes out of here under the zone's key only.

use ark::Secret;
use ark::financial::Track;
use domain::card_transaction::Card;
use iso8583::Message;
use iso8583::tlv::Reader;
use zeroize::Zeroizing;

use super::desk::{Desk, key_service_failed};
use super::known::{Known, digits};
use super::{Asked, Decision, Told};
use crate::pos::acquirer::{Acquirer, Kind};
use crate::pos::network::{CardNetwork, Fields};

const NUMBER: u8 = 2;
const TRACKS: [(u8, Track); 2] = [(35, Track::Two), (36, Track::Three)];
const PIN: u8 = 52;
const SECURITY: u8 = 53;
/// The part of field 53 that says whether tracks are encrypted.
const TRACK_ENCRYPTED: usize = 2;
const CHIP: u8 = 55;
/// A card's number and the image of its track 2 in chip data.
const CHIP_NUMBER: u32 = 0x5A;
const CHIP_TRACK: u32 = 0x57;

/// Who pays, or is paid back.
pub(super) enum Payer {
    /// By a card of this number.
    Card(Secret),
    /// By a code that the customer's telephone shows.
    Code(Secret),
    /// Who paid what the message is about, by a code: the network knows.
    Original,
}

/// A card that was presented.
pub(super) struct Presented {
    pub(super) payer: Payer,
    /// What the books may know.
    pub(super) card: Card,
    /// Tracks as the network takes them.
    pub(super) tracks: Fields,
}

impl<N: CardNetwork> Desk<N> {
    /// The card of a message; `kept` is that of what the message is about, where it brings none of its own.
    pub(super) async fn card(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        kept: Option<&Card>,
    ) -> Result<Presented, Decision> {
        if asked.kind == Kind::QrSale {
            return self.scanned(asked).await;
        }
        if let Some(kept) = kept.filter(|kept| kept.is_code()) {
            return Ok(Presented { payer: Payer::Original, card: kept.clone(), tracks: Fields::default() });
        }
        let codes = &asked.acquirer.codes;
        let wrong = || Decision::Tell(Told::of(&codes.card_number));
        let (tracks, of_track) = self.tracks(asked, known).await?;
        let number = read_number(asked.message).or(of_track);
        let number = match (number, kept) {
            (Some(number), _) => number,
            (None, Some(kept)) => self.kept_number(asked.acquirer, kept).await?.ok_or_else(wrong)?,
            (None, None) => return Err(wrong()),
        };
        if !is_number(number.expose()) {
            return Err(wrong());
        }
        let found = asked.acquirer.cards.find(number.expose());
        let (scheme, kind) = found.ok_or_else(|| Decision::Tell(Told::of(&codes.no_issuer)))?;
        let token = match self.vault.kept_card(&number) {
            Some(token) => token,
            None => self.kept_now(asked.acquirer, &number).await?,
        };
        let card = Card { token, mask: mask(number.expose()), kind, scheme };
        Ok(Presented { payer: Payer::Card(number), card, tracks })
    }

    /// The token of a card's number that is not known to be kept: the vault writes it.
    async fn kept_now(&self, acquirer: &Acquirer, number: &Secret) -> Result<String, Decision> {
        let (vault, number) = (self.vault.clone(), number.clone());
        match tokio::task::spawn_blocking(move || vault.keep_card(&number)).await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(_)) | Err(_) => {
                tracing::error!("the vault cannot keep a card's number");
                Err(Decision::Tell(Told::of(&acquirer.codes.system)))
            }
        }
    }

    /// The payer's one-time code that the terminal scanned.
    async fn scanned(&self, asked: &Asked<'_>) -> Result<Presented, Decision> {
        let codes = &asked.acquirer.codes;
        let further = &asked.acquirer.further;
        let code = further.code(asked.message).ok_or_else(|| asked.format_error())?;
        let found = further.whose(code.expose());
        let (scheme, kind) = found.ok_or_else(|| Decision::Tell(Told::of(&codes.no_issuer)))?;
        let (vault, own) = (self.vault.clone(), code.clone());
        let Ok(Ok(token)) = tokio::task::spawn_blocking(move || vault.code_token(&own)).await else {
            tracing::error!("the vault cannot make the digest of a code");
            return Err(Decision::Tell(Told::of(&codes.system)));
        };
        let card = Card { token, mask: mask_of_code(code.expose()), kind, scheme };
        Ok(Presented { payer: Payer::Code(code), card, tracks: Fields::default() })
    }

    async fn kept_number(&self, acquirer: &Acquirer, card: &Card) -> Result<Option<Secret>, Decision> {
        let (vault, token) = (self.vault.clone(), card.token.clone());
        match tokio::task::spawn_blocking(move || vault.card_number(&token)).await {
            Ok(Ok(number)) => Ok(number),
            Ok(Err(_)) | Err(_) => {
                tracing::error!("the vault cannot read a card's number");
                Err(Decision::Tell(Told::of(&acquirer.codes.system)))
            }
        }
    }

    /// The tracks as the network takes them, and the card's number of one that came encrypted or readable.
    async fn tracks(&self, asked: &Asked<'_>, known: &Known) -> Result<(Fields, Option<Secret>), Decision> {
        let (mut fields, mut number) = (Fields::default(), None);
        let encrypted = digits(asked.message, SECURITY, Some(TRACK_ENCRYPTED)).is_some_and(|flag| flag == "1");
        let form = asked.acquirer.security.track;
        for (field, track) in TRACKS {
            let Some(text) = digits(asked.message, field, None).map(Zeroizing::new) else { continue };
            let zone = self.network.track_key().map(str::to_owned);
            let goes = match (encrypted, zone) {
                (false, None) => {
                    number = number.or_else(|| of_track(&text, track));
                    text.replace('D', "=")
                }
                (false, Some(zone)) => {
                    number = number.or_else(|| of_track(&text, track));
                    let secret = Secret::new(text.to_string());
                    let made = self.keys.encrypt_track(&zone, form, (track, secret)).await;
                    made.map_err(|error| key_service_failed(asked.acquirer, &error))?
                }
                (true, Some(zone)) => {
                    let translated = self.keys.translate_track(known.id, &zone, form, (track, text)).await;
                    let (found, text) = translated.map_err(|error| {
                        // It is no track under this key, or the terminal has none.
                        tracing::debug!(code = error.code(), "a track that does not open");
                        Decision::Tell(Told::of(&asked.acquirer.codes.pin_wrong))
                    })?;
                    number = number.or(Some(found));
                    text
                }
                (true, None) => return Err(Decision::Tell(Told::of(&asked.acquirer.codes.not_supported))),
            };
            fields.set(field, goes);
        }
        Ok((fields, number))
    }

    /// The PIN block under the zone's key; `None` of a message without one.
    pub(super) async fn pin(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        presented: &Presented,
    ) -> Result<Option<Vec<u8>>, Decision> {
        let Ok(block) = asked.message.bytes(PIN) else { return Ok(None) };
        let Payer::Card(number) = &presented.payer else {
            // Who pays by a code gives a PIN, if any, to the telephone.
            return Err(Decision::Tell(Told::of(&asked.acquirer.codes.not_supported)));
        };
        let block = Zeroizing::new(block.to_vec());
        match self.keys.translate_pin(known.id, self.network.pin_key(), number.clone(), block).await {
            Ok(block) => Ok(Some(block)),
            Err(error) if matches!(error.code(), "decryption_failed" | "length_invalid") => {
                Err(Decision::Tell(Told::of(&asked.acquirer.codes.pin_wrong)))
            }
            // The network has given no key yet, or there is none.
            Err(error) if matches!(error.code(), "key_not_found" | "key_name") => {
                Err(Decision::Tell(Told::of(&asked.acquirer.codes.unreachable)))
            }
            Err(error) => Err(key_service_failed(asked.acquirer, &error)),
        }
    }
}

/// The number that lies readable in a message, but for its tracks.
fn read_number(message: &Message<'_, '_>) -> Option<Secret> {
    let plain = digits(message, NUMBER, None).map(Secret::new);
    plain.or_else(|| message.bytes(CHIP).ok().and_then(of_chip))
}

fn of_chip(bytes: &[u8]) -> Option<Secret> {
    let mut of_track = None;
    for element in Reader::new(bytes).map_while(Result::ok) {
        let packed = || Zeroizing::new(hex::encode_upper(element.value));
        match element.tag {
            CHIP_NUMBER => return Some(Secret::new(packed().trim_end_matches('F').to_owned())),
            CHIP_TRACK => of_track = self::of_track(&packed(), Track::Two),
            _ => {}
        }
    }
    of_track
}

/// The number at the beginning of a readable track.
fn of_track(text: &str, track: Track) -> Option<Secret> {
    let text = match track {
        Track::Two => text,
        // Two digits of format go before it.
        Track::Three => text.get(2..)?,
    };
    let (number, _) = text.split_once(['D', '='])?;
    Some(number).filter(|number| is_number(number)).map(|number| Secret::new(number.to_owned()))
}

fn is_number(text: &str) -> bool {
    (13..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first 6 and the last 4 digits.
fn mask(number: &str) -> String {
    let hidden = number.len().saturating_sub(10);
    let (first, last) = (number.get(..6).unwrap_or_default(), number.get(6 + hidden..).unwrap_or_default());
    format!("{first}{}{last}", "*".repeat(hidden))
}

/// The first 2 and the last 4 digits of a code, of at most 19.
fn mask_of_code(code: &str) -> String {
    let hidden = code.len().min(19).saturating_sub(6);
    let last = code.get(code.len().saturating_sub(4)..).unwrap_or_default();
    format!("{}{}{last}", code.get(..2).unwrap_or_default(), "*".repeat(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_tracks_and_chip_data() {
        let found = |number: Option<Secret>| number.map(|number| number.expose().to_owned());
        let card = Some("6230606601007726888".to_owned());
        assert_eq!(found(of_track("6230606601007726888D30122010000012345", Track::Two)), card);
        assert_eq!(found(of_track("6230606601007726888=3012", Track::Two)), card);
        assert_eq!(found(of_track("996230606601007726888D156", Track::Three)), card);
        assert_eq!(found(of_track("6230606601007726888", Track::Two)), None);
        let chip = |text: &str| found(of_chip(&hex::decode(text).unwrap()));
        assert_eq!(chip("9F2601005A0A6230606601007726888F"), card);
        assert_eq!(chip("57136230606601007726888D30122010000012345F"), card);
        assert_eq!(chip("9F260100"), None);
        assert_eq!(chip("5A0A62"), None, "cut off");
        assert_eq!(
            (mask("6230606601007726888"), mask("6230606601007")),
            ("623060*********6888".into(), "623060***1007".into())
        );
    }
}
