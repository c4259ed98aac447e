//! Signing in (签到) and out (签退): new work keys under the terminal's master key, and the number of its batch.
//!
//! A sign-in carries no MAC in the dialect: it changes keys and books nothing. A serial or merchant number that is not the
//! terminal's own suspends it (259号文).

use ark::keys::Exported;
use domain::terminal::{SignIn, TerminalCommand, TerminalStatus};
use domain::{Command, Reply};

use super::desk::{Desk, key_service_failed};
use super::known::{Known, digits};
use super::{Asked, Decision, Told};
use crate::pos::acquirer::{CheckAt, Security};
use crate::pos::keys::{Renewal, WorkKeys, beside};
use crate::pos::network::{CardNetwork, Fields};

/// The field that the work keys go to, and that of the batch.
const WORK_KEYS: u8 = 62;
const TYPE_AND_BATCH: u8 = 60;
/// Bytes that a MAC key of 8 bytes is filled up with.
const FILL: [u8; 8] = [0; 8];

impl<N: CardNetwork> Desk<N> {
    pub(super) async fn sign_in(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let Asked { acquirer, message, .. } = *asked;
        let (security, codes) = (&acquirer.security, &acquirer.codes);
        let network_code = acquirer.network_code_of(message).ok_or_else(|| asked.format_error())?;
        let Some(track) = security.brings_track_key(&network_code) else {
            return Ok(Told::of(&codes.not_supported));
        };
        let serial = message.bytes(security.serial_field).ok().and_then(|field| security.serial(field));
        let serial = serial.ok_or_else(|| asked.format_error())?.to_owned();
        let Some(number) = asked.merchant() else { return Ok(Told::of(&codes.unknown_merchant)) };
        let terminal = known.id;
        let command = Command::Terminal(TerminalCommand::SignIn(SignIn { terminal, serial, number }));
        let view = move |state: &domain::State, _: &Reply| Known::of(state, terminal);
        let known = self.submit(acquirer, terminal, command, view).await.map_err(without_sign_in)?;
        if known.status != TerminalStatus::Online {
            tracing::warn!(%terminal, "a sign-in with another serial or merchant: the terminal is suspended");
            metrics::counter!("lintel_pos_sign_ins_total", "outcome" => "foreign").increment(1);
            return Ok(Told::of(&codes.not_signed_in));
        }
        let renewal = Renewal { mac: security.mac_key, track };
        let keys = beside(&self.keys, move |keys| keys.renew(terminal, renewal)).await;
        let keys = keys.map_err(|error| key_service_failed(acquirer, &error))?;
        metrics::counter!("lintel_pos_sign_ins_total", "outcome" => "signed_in").increment(1);
        let download = self.missing(asked, terminal).await?;
        let mut told = Told { download, ..Told::of(&codes.approved) };
        told.fields.set(WORK_KEYS, laid_out(&keys, security));
        put_batch(&mut told.fields, asked, known.batch)?;
        Ok(told)
    }

    pub(super) async fn sign_out(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let terminal = known.id;
        if known.status == TerminalStatus::Online {
            let command = Command::Terminal(TerminalCommand::SignOut(terminal));
            self.submit(asked.acquirer, terminal, command, |_, _| Some(())).await?;
        }
        self.sessions.leave(terminal);
        Ok(Told::of(&asked.acquirer.codes.approved))
    }
}

/// Who may not sign in is not asked to.
fn without_sign_in(decision: Decision) -> Decision {
    match decision {
        Decision::Tell(told) => Decision::Tell(Told { sign_in: false, ..told }),
        close @ Decision::Close(_) => close,
    }
}

/// The batch that the terminal is in, in the place of the one that it said.
pub(super) fn put_batch(fields: &mut Fields, asked: &Asked<'_>, batch: u32) -> Result<(), Decision> {
    let said = digits(asked.message, TYPE_AND_BATCH, None).ok_or_else(|| asked.format_error())?;
    let (kind, rest) = (said.get(..2), said.get(8..));
    let (kind, rest) = kind.zip(rest).ok_or_else(|| asked.format_error())?;
    fields.set(TYPE_AND_BATCH, format!("{kind}{batch:06}{rest}"));
    Ok(())
}

/// Field 62: PIN key, MAC key, key for tracks, each with the start of its check value.
fn laid_out(keys: &WorkKeys, security: &Security) -> Vec<u8> {
    let check = |key: &Exported| key.check_value.iter().copied().take(security.check_bytes).collect::<Vec<_>>();
    let whole = |key: &Exported| [key.encrypted.clone(), check(key)].concat();
    let mac = match (keys.mac.encrypted.len() == FILL.len(), security.mac_check_at) {
        (false, _) => whole(&keys.mac),
        (true, CheckAt::End) => [keys.mac.encrypted.clone(), FILL.to_vec(), check(&keys.mac)].concat(),
        (true, CheckAt::Key) => [whole(&keys.mac), FILL.to_vec()].concat(),
    };
    [whole(&keys.pin), mac, keys.track.as_ref().map(whole).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pos::acquirer::Acquirer;

    fn exported(encrypted: &str, check: &str) -> Exported {
        let mut check_value = [0; 8];
        hex::decode_to_slice(check, &mut check_value).unwrap();
        Exported { encrypted: hex::decode(encrypted).unwrap(), check_value }
    }

    #[test]
    fn work_keys_lie_as_the_vector_has_them_and_as_others_do() {
        let mut security = Acquirer::load(Path::new("")).unwrap().security;
        let keys = WorkKeys {
            pin: exported("6701EAD6A9AD51E51AA406E2C27FCFA9", "8D0A74B800000000"),
            mac: exported("B651F9E9BACE9AE1", "AB7153CA00000000"),
            track: None,
        };
        let vector = "6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA";
        assert_eq!(hex::encode_upper(laid_out(&keys, &security)), vector);
        security.mac_check_at = CheckAt::Key;
        let other = "6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE1AB7153CA0000000000000000";
        assert_eq!(hex::encode_upper(laid_out(&keys, &security)), other);
        let sm4 = || exported("3D66234C49E4296FF9C78D8BACBD6A76", "861E83E31FAEBF10");
        let keys = WorkKeys { pin: sm4(), mac: sm4(), track: Some(sm4()) };
        assert_eq!(hex::encode_upper(laid_out(&keys, &security)), "3D66234C49E4296FF9C78D8BACBD6A76861E83E3".repeat(3));
    }
}
