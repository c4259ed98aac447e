//! What is done with keys of terminals and zones. Each takes a policy for every key that it names.

use ark::financial::{Purpose as Duty, TerminalMac, Track, TrackForm};
use ark::keys::{By, Error, KeyAt, PinAt, Proposal, TrackAt};
use ark::provider::{KeyError, KeyKind, PublicKey};
use ark::{KeyService, Secret};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Asked, FinancialKey, FinancialOutcome, text};
use crate::http::ark::body::{Base64, Calls};
use crate::http::ark::{App, Caller, Why};
use crate::http::extract::{Id, Query};

/// Letters of a track at most: 104 characters in whole blocks, in hexadecimal.
const TRACK_MAX: usize = 128;

/// What to give out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinancialExport {
    #[schema(example = "t1/pik")]
    key: String,
    /// The current one unless said.
    version: Option<u32>,
    /// The master key of the same side.
    #[schema(example = "t1/tmk")]
    under: String,
}

/// A PIN key and the card number that is part of the block.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinancialPin {
    #[schema(example = "t1/pik")]
    key: String,
    /// The current one unless said.
    version: Option<u32>,
    /// 13 to 19 digits.
    #[schema(example = "6230606601007726888")]
    card_number: String,
}

/// A PIN block to be translated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TranslatePin {
    from: FinancialPin,
    /// A zone's key.
    to: FinancialPin,
    /// In base64.
    block: Base64,
}

/// How a MAC is made.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
pub(crate) enum MacForm {
    /// Blocks added up, in hexadecimal, encrypted half by half.
    #[serde(rename = "ecb")]
    Ecb,
    /// The chain (X9.9).
    #[serde(rename = "cbc")]
    Cbc,
    /// The chain under the first part, the last block through both.
    #[serde(rename = "x9.19")]
    X919,
    /// SP 800-38B.
    #[serde(rename = "cmac")]
    Cmac,
}

impl MacForm {
    const fn read(self) -> TerminalMac {
        match self {
            Self::Ecb => TerminalMac::Ecb,
            Self::Cbc => TerminalMac::Cbc,
            Self::X919 => TerminalMac::X919,
            Self::Cmac => TerminalMac::Cmac,
        }
    }
}

/// What to make a MAC of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MacWanted {
    form: MacForm,
    /// In base64.
    message: Base64,
    /// Of the key; the current one unless said.
    version: Option<u32>,
}

/// A MAC to verify.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MacToVerify {
    form: MacForm,
    /// In base64.
    message: Base64,
    /// As it stood in field 64, in base64.
    mac: Base64,
    /// Of the key; the current one unless said.
    version: Option<u32>,
}

/// How much of a track is encrypted.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WireTrackForm {
    /// All of it.
    Whole,
    /// One block that ends before the last byte.
    Tail,
}

impl WireTrackForm {
    const fn read(self) -> TrackForm {
        match self {
            Self::Whole => TrackForm::Whole,
            Self::Tail => TrackForm::Tail,
        }
    }
}

/// Which track.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
pub(crate) enum WireTrack {
    /// Field 35.
    #[serde(rename = "2")]
    Two,
    /// Field 36.
    #[serde(rename = "3")]
    Three,
}

impl WireTrack {
    const fn read(self) -> Track {
        match self {
            Self::Two => Track::Two,
            Self::Three => Track::Three,
        }
    }
}

/// A track to encrypt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrackToEncrypt {
    form: WireTrackForm,
    track: WireTrack,
    /// Digits and `D` (or `=`), readable.
    text: String,
    /// Of the key; the current one unless said.
    version: Option<u32>,
}

/// A key for tracks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinancialTrack {
    #[schema(example = "t1/tdk")]
    key: String,
    /// The current one unless said.
    version: Option<u32>,
    form: WireTrackForm,
}

/// A track to be translated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TranslateTrack {
    from: FinancialTrack,
    /// A zone's key.
    to: FinancialTrack,
    track: WireTrack,
    /// As it came, hexadecimal.
    text: String,
}

fn bounded(text: &str) -> Result<&str, Error> {
    let found = text.len();
    if found > TRACK_MAX {
        return Err(Error::TooLarge { what: "track, letters", found, limit: TRACK_MAX });
    }
    Ok(text)
}

/// Give a key out under a master key
///
/// Of its own side, if it was made exportable. Takes the policy `terminal-export` for both keys, and for a master key an
/// approval of `export` as well. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/export", tag = "ark_financial", request_body = FinancialExport, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<FinancialExport>,
) -> Answer {
    let approval = why.approval;
    let one = move |service: &KeyService, by: &By<'_>, item: &FinancialExport| {
        for key in [&item.key, &item.under] {
            service.check_policy(by, key, "terminal-export")?;
        }
        let found = service.info(&item.key).ok();
        if let Some(master) = found.filter(|info| info.purpose.duty() == Some(Duty::Master)) {
            let last = master.versions.last().map_or(0, |version| version.version);
            let version = item.version.unwrap_or(last);
            service.redeem(by, approval, &Proposal::export(&item.key, version, &item.under))?;
        }
        let key = KeyAt { name: &item.key, version: item.version };
        let out = service.export_terminal_key(by, key, &item.under)?;
        let check_value = Some(hex::encode(out.check_value));
        Ok(FinancialOutcome { encrypted: text(&out.encrypted), check_value, ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// A terminal's master key for its public key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinancialIssue {
    #[schema(example = "terminal/7/master")]
    key: String,
    /// The current one unless said.
    version: Option<u32>,
    /// The terminal's public key of SM2: `04 ‖ x ‖ y`, 65 bytes in base64.
    to: Base64,
}

/// Give a terminal's master key out by SM2
///
/// For whoever has the private key of `to`, if it was made exportable. Takes the policy `terminal-export` and an approval of
/// `export` under `SM2`. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/issue", tag = "ark_financial", request_body = FinancialIssue, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn issue(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<FinancialIssue>,
) -> Answer {
    let approval = why.approval;
    let one = move |service: &KeyService, by: &By<'_>, item: &FinancialIssue| {
        service.check_policy(by, &item.key, "terminal-export")?;
        let info = service.info(&item.key)?;
        let last = info.versions.last().map_or(0, |version| version.version);
        let version = item.version.unwrap_or(last);
        service.redeem(by, approval, &Proposal::export(&item.key, version, "SM2"))?;
        let to = PublicKey { kind: KeyKind::Sm2, bytes: item.to.0.clone() };
        let out = service.issue_terminal_key(by, KeyAt { name: &item.key, version: item.version }, &to)?;
        let check_value = Some(hex::encode(out.check_value));
        Ok(FinancialOutcome { encrypted: text(&out.encrypted), check_value, ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Ask for a check value
///
/// Made by the provider now. Takes the policy `check-value`. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/check-value", tag = "ark_financial", request_body = FinancialKey, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn check_value(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<FinancialKey>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, item: &FinancialKey| {
        service.check_policy(by, &item.key, "check-value")?;
        let check_value = Some(hex::encode(service.terminal_check_value(by, item.at())?));
        Ok(FinancialOutcome { check_value, ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Translate a PIN block
///
/// From a terminal's or a zone's key to a zone's, between triple DES and SM4. Takes the policy `translate-pin` for both
/// keys, and onto another card number `translate-pin-card` for the zone's. One, or up to 1,000 as `{"batch": […]}`. Whatever is wrong with the block is `decryption_failed`.
#[utoipa::path(
    post, path = "/v1/ark/financial/translate-pin", tag = "ark_financial", request_body = TranslatePin, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn translate_pin(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<TranslatePin>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, item: &TranslatePin| {
        for key in [&item.from.key, &item.to.key] {
            service.check_policy(by, key, "translate-pin")?;
        }
        // Onto another card number only who may: it is how a PIN can be tried against cards.
        if item.from.card_number != item.to.card_number {
            service.check_policy(by, &item.to.key, "translate-pin-card")?;
        }
        let block = service.translate_pin(by, pin_at(&item.from), pin_at(&item.to), item.block.bounded()?)?;
        Ok(FinancialOutcome { block: text(&block), ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

fn pin_at(side: &FinancialPin) -> PinAt<'_> {
    PinAt { key: KeyAt { name: &side.key, version: side.version }, card_number: &side.card_number }
}

fn track_at(side: &FinancialTrack) -> TrackAt<'_> {
    TrackAt { key: KeyAt { name: &side.key, version: side.version }, form: side.form.read() }
}

/// Make a terminal's or zone's MAC
///
/// Takes the policy `terminal-mac`. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/mac/{name}", tag = "ark_financial", request_body = MacWanted,
    params(("name" = String, Path, example = "t1/mak"), Why), responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn mac(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<MacWanted>,
) -> Answer {
    let one = move |service: &KeyService, by: &By<'_>, item: &MacWanted| {
        service.check_policy(by, &name, "terminal-mac")?;
        let key = KeyAt { name: &name, version: item.version };
        let mac = service.terminal_mac(by, key, item.form.read(), item.message.bounded()?)?;
        Ok(FinancialOutcome { mac: text(&mac), ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Verify a terminal's or zone's MAC
///
/// Takes the policy `terminal-verify-mac`. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/verify-mac/{name}", tag = "ark_financial", request_body = MacToVerify,
    params(("name" = String, Path, example = "t1/mak"), Why), responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn verify_mac(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<MacToVerify>,
) -> Answer {
    let one = move |service: &KeyService, by: &By<'_>, item: &MacToVerify| {
        service.check_policy(by, &name, "terminal-verify-mac")?;
        let key = KeyAt { name: &name, version: item.version };
        let (message, mac) = (item.message.bounded()?, item.mac.bounded()?);
        let valid = match service.verify_terminal_mac(by, key, item.form.read(), message, mac) {
            Ok(()) => true,
            Err(Error::Provider(KeyError::Tag)) => false,
            Err(error) => return Err(error),
        };
        Ok(FinancialOutcome { valid: Some(valid), ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Encrypt a track
///
/// Takes the policy `encrypt-track`. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/encrypt-track/{name}", tag = "ark_financial", request_body = TrackToEncrypt,
    params(("name" = String, Path, example = "t1/tdk"), Why), responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn encrypt_track(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<TrackToEncrypt>,
) -> Answer {
    let one = move |service: &KeyService, by: &By<'_>, item: &TrackToEncrypt| {
        service.check_policy(by, &name, "encrypt-track")?;
        let key = KeyAt { name: &name, version: item.version };
        let side = TrackAt { key, form: item.form.read() };
        let readable = Secret::new(bounded(&item.text)?.to_owned());
        let track = Some(service.encrypt_track(by, side, item.track.read(), &readable)?);
        Ok(FinancialOutcome { track, ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Translate a track
///
/// To a zone's key; gives out the card number, for routing, and nothing else of it. Takes the policy `translate-track` for
/// both keys. One, or up to 1,000 as `{"batch": […]}`. Whatever is wrong with the track is `decryption_failed`.
#[utoipa::path(
    post, path = "/v1/ark/financial/translate-track", tag = "ark_financial", request_body = TranslateTrack, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn translate_track(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<TranslateTrack>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, item: &TranslateTrack| {
        for key in [&item.from.key, &item.to.key] {
            service.check_policy(by, key, "translate-track")?;
        }
        let (from, to) = (track_at(&item.from), track_at(&item.to));
        let translated = service.translate_track(by, from, to, item.track.read(), bounded(&item.text)?)?;
        let card_number = Some(translated.card_number.expose().to_owned());
        Ok(FinancialOutcome { card_number, track: Some(translated.track), ..FinancialOutcome::default() })
    };
    Asked { app, caller, why }.each(calls, one).await
}
