//! What is done to the keys themselves, in their file or schema, without asking the process that has them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ark::Soft;
use ark::keys::{By, Home};
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

/// Where a trail is read.
pub(super) enum Trail<'a> {
    /// In a file like `keys.db`.
    Copy(&'a Path),
    /// Where the settings say.
    Lying(&'a Config),
}

/// Makes the key service and prints its shares, unless a device keeps its root key. A process that runs finds it by itself.
pub(super) fn init(config: &Config, dealt: Option<(u8, u8)>, as_json: bool) -> Result<()> {
    let (directory, home) = (&config.data_dir, config.ark_home());
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    ark::vault::refuse_lost_keys(&home)?;
    let by = By::new(OPERATOR, "lintel ark init", wall_ms());
    let device = Devices::of(&config.ark).map(|devices| devices.get()).transpose()?;
    if let Some(device) = device.filter(|device| device.keeps_root()) {
        return init_in(&device, &home, &by, dealt, as_json);
    }
    let (threshold, shares) =
        dealt.context("say to how many custodians the root key is dealt: --shares N --threshold M")?;
    let (service, dealt) = key_service::init(&home, threshold, shares, &by)?;
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

fn init_in(device: &Device, home: &Home, by: &By<'_>, dealt: Option<(u8, u8)>, as_json: bool) -> Result<()> {
    if dealt.is_some() {
        bail!(
            "the device of ark.provider keeps the root key: there is nothing to deal; leave --shares and --threshold out"
        );
    }
    let Some(service) = device.init_service(home, by)? else { bail!("this device keeps no root key") };
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
pub(super) fn restore(config: &Config, file: &Path, as_json: bool) -> Result<()> {
    let (directory, home) = (&config.data_dir, config.ark_home());
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    ark::keys::restore(file, &home)?;
    let place = home.name();
    if as_json {
        print(&format!("{}\n", json!({"restored": place.display().to_string()})));
        return Ok(());
    }
    tell(&format!(
        "The backup is in {}. What was destroyed since is destroyed again when it is unsealed, if {} is in {}.",
        place.display(),
        ark::keys::TOMBSTONES_NAME,
        directory.display()
    ));
    Ok(())
}

/// Verifies the trail in a copy, or where it lies.
pub(super) fn verify(trail: &Trail<'_>, public: Option<&str>, as_json: bool) -> Result<()> {
    let needed = "this needs --public-key: a trail is as good as the key that it is verified with, and that beside the trail \
                  may be another's; `lintel ark status` shows it";
    let bytes = BASE64_STANDARD.decode(public.context(needed)?).context("--public-key is not base64")?;
    let public = PublicKey { kind: KeyKind::Sm2, bytes };
    let soft = Arc::new(Soft::new()?);
    let found = match trail {
        Trail::Copy(file) => ark::audit::verify_file(file, &*soft, &public).with_context(|| file.display().to_string()),
        Trail::Lying(config) => {
            let home = config.ark_home();
            ark::audit::verify_beside(&home, &*soft, &public).with_context(|| home.name().display().to_string())
        }
    }?;
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
