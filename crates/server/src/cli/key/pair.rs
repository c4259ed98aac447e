//! `lintel key mch_1 --pair DIR`: a pair for a merchant of a sandbox, made here and registered with the platform that runs.
//!
//! ```text
//!  a sandbox's books? ─ no ─► refused: nothing was made
//!     └─ yes ─► its merchant? ─ yes ─► pair ─► two new files ─► the public half is registered
//! ```
//! Invariants: the private half is in its file alone, which its owner alone may read: in no request, answer, log or error. No
//! file is written over.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ark::signing::Scheme;
use ark::soft::NewPair;
use domain::ids::MerchantId;
use serde_json::{Value, json};

use super::super::client::{Client, target};
use super::super::remote::Answer;
use super::super::table::{Field, record, text};
use crate::files;
use crate::http::public_pem;

const MADE: [Field; 7] = [
    text("merchant"),
    text("certificate"),
    text("scheme"),
    text("serial_no"),
    text("not_after"),
    text("private_key_file"),
    text("public_key_file"),
];

/// Makes a pair, writes it and registers its public half.
///
/// # Errors
/// Books of no sandbox, an unknown merchant, a file that is there, the platform's refusal.
pub(super) fn make(client: &Client, id: &str, scheme: Scheme, directory: &Path) -> Result<Answer> {
    let folder = directory.display();
    let whose = || format!("a pair is a merchant's: lintel key mch_1 --pair {folder}");
    let merchant = id.parse::<MerchantId>().with_context(whose)?.to_string();
    let clock = client.get("/v1/sandbox/clock")?;
    ensure!(
        clock["sandbox"].as_bool().unwrap_or(false),
        "the books of this platform are not a sandbox's, and pairs are made for a sandbox alone: {merchant} makes its own, \
         whose private half never leaves it, and hands in the public one (docs/api/signing.md; \
         `lintel certificate register {merchant} FILE`)"
    );
    client.get(&target(&["v1", "merchants", &merchant], &[]))?;
    let files = Files::of(directory, &merchant, scheme);
    files.are_new()?;
    let pair = NewPair::generate(scheme.kind()).context("making a pair")?;
    files.write(&pair)?;
    let (private, public) = (files.private.display(), files.public.display());
    let body = json!({"certificate": public_pem(pair.public())});
    let registered =
        client.post(&target(&["v1", "merchants", &merchant, "certificates"], &[]), &body).with_context(|| {
            format!(
                "{private} and {public} are written, but it is not known that the public half is registered: look with \
                 `lintel certificate list --merchant {merchant}`, register it with \
                 `lintel certificate register {merchant} {public}`"
            )
        })?;
    Ok(shown(&registered, scheme, &files))
}

/// Where a pair is written.
#[derive(Debug)]
struct Files {
    private: PathBuf,
    public: PathBuf,
}

impl Files {
    fn of(directory: &Path, merchant: &str, scheme: Scheme) -> Self {
        let kind = scheme.kind();
        let [private, public] = ["key", "pub"].map(|half| directory.join(format!("{merchant}.{kind}.{half}.pem")));
        Self { private, public }
    }

    /// Refuses names that are taken, before a pair is made for nothing.
    fn are_new(&self) -> Result<()> {
        for path in [&self.private, &self.public] {
            ensure!(!path.exists(), "{} is there, and is not written over: name another directory", path.display());
        }
        Ok(())
    }

    fn write(&self, pair: &NewPair) -> Result<()> {
        if let Some(directory) = self.private.parent() {
            std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        }
        files::create_private(&self.private, pair.private_pem().expose().as_bytes())?;
        files::create(&self.public, public_pem(pair.public()).as_bytes())
    }
}

fn shown(registered: &Value, scheme: Scheme, files: &Files) -> Answer {
    let next = next(registered, scheme, files);
    let made = json!({
        "merchant": registered["merchant"],
        "certificate": registered["id"],
        "scheme": scheme.name(),
        "serial_no": registered["serial_no"],
        "not_after": registered["not_after"],
        "private_key_file": files.private.display().to_string(),
        "public_key_file": files.public.display().to_string(),
        "next": next,
    });
    let text = format!("{}\n{next}", record(&MADE, &made));
    Answer::new(made, text)
}

/// What to do with a pair that is registered.
fn next(registered: &Value, scheme: Scheme, files: &Files) -> String {
    let of = |name: &str| registered[name].as_str().unwrap_or_default();
    let (name, private, merchant, serial) = (scheme.name(), files.private.display(), of("merchant"), of("serial_no"));
    let (digest, id) =
        if scheme == Scheme::Sm2WithSm3 { ("-sm3", " -sigopt distid:1234567812345678") } else { ("-sha256", "") };
    format!(
        "It signs from now on. The string to sign (docs/api/signing.md) goes through\n  \
         openssl dgst {digest} -sign '{private}'{id} | base64 -w0\n\
         and the signature into the header\n  \
         Authorization: {name} mch_id=\"{merchant}\",nonce=\"…\",timestamp=\"…\",serial_no=\"{serial}\",signature=\"…\"\n\
         Answers are then signed by the platform's pair, which `lintel certificate platform` prints.\n"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use ark::provider::KeyKind;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_private_half_is_its_owners_alone_and_nothing_is_written_over() {
        let directory = TempDir::new().unwrap();
        let files = Files::of(&directory.path().join("keys"), "mch_1", Scheme::Sm2WithSm3);
        let [pair, other] = [(); 2].map(|()| NewPair::generate(KeyKind::Sm2).unwrap());
        files.are_new().unwrap();
        files.write(&pair).unwrap();
        assert!(files.private.ends_with("keys/mch_1.sm2.key.pem") && files.public.ends_with("mch_1.sm2.pub.pem"));
        assert_eq!(fs::metadata(&files.private).unwrap().permissions().mode() & 0o777, 0o600);
        let held = || [&files.private, &files.public].map(|path| fs::read_to_string(path).unwrap());
        let first = held();
        assert_eq!(first, [pair.private_pem().expose().to_owned(), public_pem(pair.public())]);

        for refused in [files.are_new().unwrap_err(), files.write(&other).unwrap_err()] {
            let said = format!("{refused:#}");
            assert!(said.contains("mch_1.sm2.key.pem") && !said.contains("BEGIN"), "{said}");
        }
        assert_eq!(held(), first);
        fs::remove_file(&files.private).unwrap();
        let said = files.are_new().unwrap_err().to_string();
        assert!(said.contains("mch_1.sm2.pub.pem"), "{said}");
    }

    #[test]
    fn what_is_said_next_names_the_file_and_the_serial_number_and_no_key() {
        let registered =
            json!({"id": "crt_1", "merchant": "mch_1", "serial_no": "7A10F3C2", "public_key": "-----BEGIN"});
        let said = |scheme| {
            let files = Files::of(Path::new("keys"), "mch_1", scheme);
            next(&registered, scheme, &files)
        };
        let (sm2, rsa) = (said(Scheme::Sm2WithSm3), said(Scheme::Sha256Rsa2048));
        assert!(sm2.contains("-sm3 -sign 'keys/mch_1.sm2.key.pem' -sigopt distid:1234567812345678"), "{sm2}");
        assert!(
            sm2.contains("LINTEL-SM2-WITH-SM3 mch_id=\"mch_1\"") && sm2.contains("serial_no=\"7A10F3C2\""),
            "{sm2}"
        );
        assert!(rsa.contains("-sha256 -sign 'keys/mch_1.rsa-2048.key.pem' |") && !rsa.contains("distid"), "{rsa}");
        assert!(!sm2.contains("BEGIN") && !rsa.contains("BEGIN"));
    }
}
