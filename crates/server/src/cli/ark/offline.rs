//! What is done to the keys file itself, where no platform has it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ark::Soft;
use ark::keys::By;
use ark::provider::{KeyKind, PublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::super::{print, tell};
use crate::config::Config;
use crate::http::auth::OPERATOR;
use crate::shell::clock::wall_ms;
use crate::shell::key_devices::{Device, Devices};
use crate::shell::key_service;

/// Makes the key service and prints its shares, unless a device keeps its root key. A process that runs finds it by itself.
pub(super) fn init(config: &Config, dealt: Option<(u8, u8)>, as_json: bool) -> Result<()> {
    let directory = &config.data_dir;
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    ark::vault::refuse_lost_keys(directory)?;
    let by = By::new(OPERATOR, "lintel ark init", wall_ms());
    let device = Devices::of(&config.ark).map(|devices| devices.get()).transpose()?;
    if let Some(device) = device.filter(|device| device.keeps_root()) {
        return init_in(&device, directory, &by, dealt, as_json);
    }
    let (threshold, shares) =
        dealt.context("say to how many custodians the root key is dealt: --shares N --threshold M")?;
    let (service, dealt) = key_service::init(directory, threshold, shares, &by)?;
    let public = BASE64_STANDARD.encode(service.audit_public_key()?.bytes);
    service.seal(&by)?;
    if as_json {
        print(&format!("{}\n", json!({"shares": dealt, "audit_public_key": public})));
        return Ok(());
    }
    tell(&format!(
        "The key service is made, and sealed. Give each custodian one line; any {threshold} of the {shares} open it, and with\n\
         `lintel key --shares` show the secret that the institution's programs sign with.\n\
         They are shown this once and are nowhere else. Keep the public key of the trail elsewhere too:\n{public}\n"
    ));
    print(&format!("{}\n", dealt.join("\n")));
    Ok(())
}

fn init_in(device: &Device, directory: &Path, by: &By<'_>, dealt: Option<(u8, u8)>, as_json: bool) -> Result<()> {
    if dealt.is_some() {
        bail!(
            "the device of ark.provider keeps the root key: there is nothing to deal; leave --shares and --threshold out"
        );
    }
    let Some(service) = device.init_service(directory, by)? else { bail!("this device keeps no root key") };
    let public = BASE64_STANDARD.encode(service.audit_public_key()?.bytes);
    service.seal(by)?;
    if as_json {
        print(&format!("{}\n", json!({"shares": [], "audit_public_key": public})));
        return Ok(());
    }
    tell(
        "The key service is made; its root key is in the device, which opens it at start. Keep the public key of the trail \
         elsewhere:",
    );
    print(&format!("{public}\n"));
    Ok(())
}

/// Puts a backup in place.
pub(super) fn restore(config: &Config, file: &Path) -> Result<()> {
    ark::keys::restore(file, &config.data_dir)?;
    tell(
        "The backup is in place. What was destroyed since is destroyed again when it is unsealed, if keys.tombstones is there.",
    );
    Ok(())
}

/// Verifies the trail in a copy.
pub(super) fn verify(file: &Path, public: Option<&str>, as_json: bool) -> Result<()> {
    let needed = "--file needs --public-key: a trail is as good as the key that it is verified with, and that in the file \
                  may be another's; `lintel ark status` shows it";
    let bytes = BASE64_STANDARD.decode(public.context(needed)?).context("--public-key is not base64")?;
    let public = PublicKey { kind: KeyKind::Sm2, bytes };
    let soft = Arc::new(Soft::new()?);
    let found = ark::audit::verify_file(file, &*soft, &public).with_context(|| format!("{}", file.display()))?;
    let (records, checkpoints, signed_to) = (found.records, found.checkpoints, found.signed_to);
    if as_json {
        print(&format!("{}\n", json!({"records": records, "checkpoints": checkpoints, "signed_to": signed_to})));
    } else {
        print(&format!(
            "{records} records in the chain, {checkpoints} checkpoints signed, the last at record {signed_to}\n"
        ));
    }
    Ok(())
}
