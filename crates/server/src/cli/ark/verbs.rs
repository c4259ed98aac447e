//! What is asked of the running platform.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::client::{Client, target};
use super::super::remote::Answer;
use super::super::table::{Field, number, record, table, text};
use super::{Ark, Audit, Input, Why};
use crate::files;

/// Keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key.
    Create {
        /// 1 to 128 of a-z0-9-_./
        name: String,
        /// sm4, hmac-sm3, sm2, aes-128, aes-256, rsa-2048, rsa-3072, p-256 or ed25519; of a terminal or zone des, 3des-2
        /// or sm4.
        #[arg(long, default_value = "sm4")]
        kind: String,
        /// encrypt, sign, mac or wrap; terminal- or zone- with master, pin, mac, track or derive.
        #[arg(long, default_value = "encrypt")]
        purpose: String,
        /// It may leave, wrapped.
        #[arg(long)]
        exportable: bool,
        /// Its first version waits to be activated.
        #[arg(long)]
        pre_active: bool,
        /// Rotate it at this age.
        #[arg(long, value_name = "MS")]
        rotate_after_ms: Option<i64>,
        /// Rotate it after so many uses.
        #[arg(long, value_name = "USES")]
        rotate_after_uses: Option<u64>,
        /// How long a scheduled destruction waits: seven days unless said.
        #[arg(long, value_name = "MS")]
        destroy_wait_ms: Option<i64>,
        #[command(flatten)]
        why: Why,
    },
    /// All keys.
    List,
    /// One key with its versions.
    Show {
        /// Its name.
        name: String,
    },
    /// Make a new version, which protects from now on; of a key that signs for the platform, after its overlap.
    Rotate {
        /// Its name.
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Take a step of a version's life.
    Step {
        /// The key's name.
        name: String,
        /// Which version.
        version: u32,
        /// activate, suspend, resume, deactivate, compromise, schedule-destruction (takes an approval) or
        /// cancel-destruction.
        step: String,
        #[command(flatten)]
        why: Why,
    },
    /// Print a version wrapped under another key; takes an approval.
    Export {
        /// The key's name.
        name: String,
        /// Which version.
        version: u32,
        /// A key of purpose wrap.
        #[arg(long)]
        under: String,
        #[command(flatten)]
        why: Why,
    },
    /// Take in a secret that somebody gave, such as a bank: hexadecimal digits from standard input or a file.
    ///
    /// For one that comes wrapped, `import` is better: nobody sees it. Take the file away afterwards.
    TakeIn {
        /// Its name here, such as channel/our-bank.
        name: String,
        /// Its kind.
        #[arg(long, default_value = "hmac-sm3")]
        kind: String,
        /// What it is for.
        #[arg(long, default_value = "mac")]
        purpose: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Take in a wrapped key, in base64 from standard input.
    Import {
        /// Its name here.
        name: String,
        /// Its kind.
        #[arg(long)]
        kind: String,
        /// What it is for.
        #[arg(long)]
        purpose: String,
        /// The key of purpose wrap that it lies under.
        #[arg(long)]
        under: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
}

/// Encrypt, decrypt, rewrap.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// The key's name.
    name: String,
    /// A pair that it is bound to; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    context: Vec<String>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    why: Why,
}

/// Sign, make tags.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// The key's name.
    name: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    why: Why,
}

/// Verify.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The key's name.
    name: String,
    /// The signature or tag, ark:v1:…
    value: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    why: Why,
}

/// Roles and policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Access {
    /// As they stand.
    Show,
    /// Give a role.
    Grant {
        /// `operator` for the institution's programs, or an operator's id.
        caller: String,
        /// administrator, custodian, operator or auditor.
        role: String,
        #[command(flatten)]
        why: Why,
    },
    /// Take a role.
    Revoke {
        /// Whose.
        caller: String,
        /// Which.
        role: String,
        #[command(flatten)]
        why: Why,
    },
    /// Put a policy in the place of the one for this prefix.
    Allow {
        /// For whom.
        caller: String,
        /// How the names of the keys begin; all of them unless said.
        #[arg(long, default_value = "")]
        prefix: String,
        /// encrypt, decrypt, rewrap, datakey, sign, verify, hmac, verify-hmac, random; check-value, terminal-import,
        /// terminal-export, terminal-derive, terminal-issue, terminal-mac, terminal-verify-mac, translate-pin,
        /// translate-pin-card, encrypt-track, translate-track.
        #[arg(required = true)]
        operations: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Take the policy for this prefix away.
    Forbid {
        /// Whose.
        caller: String,
        /// Its prefix.
        #[arg(long, default_value = "")]
        prefix: String,
        #[command(flatten)]
        why: Why,
    },
}

impl Access {
    fn change(&self) -> Option<(Value, &Why)> {
        match self {
            Self::Show => None,
            Self::Grant { caller, role, why } => {
                Some((json!({"action": "grant", "caller": caller, "role": role}), why))
            }
            Self::Revoke { caller, role, why } => {
                Some((json!({"action": "revoke", "caller": caller, "role": role}), why))
            }
            Self::Allow { caller, prefix, operations, why } => {
                let change = json!({"action": "allow", "caller": caller, "prefix": prefix, "operations": operations});
                Some((change, why))
            }
            Self::Forbid { caller, prefix, why } => {
                Some((json!({"action": "forbid", "caller": caller, "prefix": prefix}), why))
            }
        }
    }
}

/// What takes two people.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// The last ones.
    List,
    /// Ask for one.
    #[command(subcommand)]
    Propose(Propose),
    /// Approve what someone else asked for; the one-time code comes from standard input.
    Approve {
        /// Its number.
        id: i64,
        #[command(flatten)]
        input: Input,
    },
    /// Reject what someone else asked for; the one-time code comes from standard input.
    Reject {
        /// Its number.
        id: i64,
        #[command(flatten)]
        input: Input,
    },
}

/// What is asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Propose {
    /// Schedule the destruction of a version.
    Destroy {
        /// The key's name.
        name: String,
        /// Which version.
        version: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Export a version, wrapped.
    Export {
        /// The key's name.
        name: String,
        /// Which version.
        version: u32,
        /// Under which key.
        #[arg(long)]
        under: String,
        #[command(flatten)]
        why: Why,
    },
    /// Open or verify with compromised versions, in one call.
    Compromised {
        /// The key's name.
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Deal another root key.
    ChangeRoot {
        /// How many custodians have a share each.
        #[arg(long)]
        shares: u8,
        /// How many of them open the key service.
        #[arg(long)]
        threshold: u8,
        #[command(flatten)]
        why: Why,
    },
    /// Change roles or policies.
    #[command(subcommand)]
    ChangeAccess(Access),
}

const KEYS: [Field; 4] = [text("name"), text("kind"), text("purpose"), text("exportable")];
const KEY: [Field; 8] = [
    text("name"),
    text("kind"),
    text("purpose"),
    text("approved"),
    text("exportable"),
    number("rotate_after_ms"),
    number("rotate_after_uses"),
    number("destroy_wait_ms"),
];
const VERSIONS: [Field; 8] = [
    number("version"),
    text("state"),
    text("created_at"),
    text("signs_from"),
    text("destroy_at"),
    number("uses"),
    text("check_value"),
    text("public_key"),
];
const SEALED: [Field; 3] = [text("sealed"), number("found"), number("threshold")];
const STATUS: [Field; 7] = [
    text("made"),
    text("sealed"),
    text("mode"),
    text("founding"),
    number("keys"),
    text("audit_public_key"),
    text("signing_public_key"),
];
const RANDOMNESS: [Field; 4] = [text("name"), number("samples"), number("passed"), text("good")];
const APPROVAL: [Field; 8] = [
    number("id"),
    text("operation"),
    text("key"),
    number("version"),
    text("detail"),
    text("state"),
    text("proposed_by"),
    text("decided_by"),
];
const RECORD: [Field; 9] = [
    number("number"),
    text("at"),
    text("caller"),
    text("operation"),
    text("key"),
    number("version"),
    text("outcome"),
    number("count"),
    text("reason"),
];

pub(super) fn path(path: &[&str]) -> String {
    target(&[&["v1", "ark"][..], path].concat(), &[])
}

/// What is asked without a key; `None` if there is more to say to who has one.
pub(super) fn ask_unsigned(ark: &Ark, client: &Client) -> Result<Option<Answer>> {
    if let Ark::Unseal { forget, input } = ark {
        let body = json!({"share": input.text()?, "forget": forget});
        return shown(client.post(&path(&["unseal"]), &body)?, collected).map(Some);
    }
    let status = client.get(&path(&["seal-status"]))?;
    if status["sealed"] != true { Ok(None) } else { shown(status, |status| record(&SEALED, status)).map(Some) }
}

/// Asks for it.
pub(super) fn ask(ark: &Ark, client: &Client) -> Result<Answer> {
    match ark {
        Ark::Serve(_) | Ark::Init { .. } | Ark::Restore { .. } => bail!("this is done without a platform"),
        Ark::Unseal { .. } => bail!("this is asked without a key"),
        Ark::Status => shown(client.get(&path(&["status"]))?, |status| record(&STATUS, status)),
        Ark::Seal { why } => {
            shown(client.post(&why.target(&["seal"]), &json!({}))?, |_| "The key service is sealed.\n".to_owned())
        }
        Ark::ChangeRoot { shares, threshold, why } => {
            let answer = client.post(&why.target(&["root"]), &json!({"shares": shares, "threshold": threshold}))?;
            shown(answer, |dealt| lines(&dealt["shares"]))
        }
        Ark::RewrapKeys { why } => {
            let answer = client.post(&why.target(&["rewrap-keys"]), &json!({}))?;
            shown(answer, |moved| format!("All keys lie under key-encryption key {}.\n", moved["generation"]))
        }
        Ark::RewrapVault(wanted) => super::rewrap_vault::ask(wanted, client),
        Ark::Backup { file, why } => backup(client, file, why),
        Ark::Keys(keys) => ask_keys(keys, client),
        Ark::Encrypt(seal) => {
            let body =
                json!({"plaintext": BASE64_STANDARD.encode(seal.input.bytes()?), "context": pairs(&seal.context)?});
            one(client.post(&seal.why.target(&["encrypt", &seal.name]), &body)?, "ciphertext")
        }
        Ark::Decrypt(seal) => decrypt(client, seal),
        Ark::Rewrap(seal) => {
            let body = json!({"ciphertext": seal.input.text()?, "context": pairs(&seal.context)?});
            one(client.post(&seal.why.target(&["rewrap", &seal.name]), &body)?, "ciphertext")
        }
        Ark::Datakey { name, bytes, context, why } => {
            let body = json!({"bytes": bytes, "context": pairs(context)?});
            let answer = client.post(&why.target(&["datakey", name]), &body)?;
            shown(answer, |made| record(&[text("plaintext"), text("ciphertext")], made))
        }
        Ark::Sign(Tag { name, input, why }) => {
            one(client.post(&why.target(&["sign", name]), &message(input)?)?, "signature")
        }
        Ark::Hmac(Tag { name, input, why }) => one(client.post(&why.target(&["hmac", name]), &message(input)?)?, "tag"),
        Ark::Verify(check) => verify(client, check, "verify", "signature"),
        Ark::VerifyHmac(check) => verify(client, check, "verify-hmac", "tag"),
        Ark::Random { bytes, why } => one(client.post(&why.target(&["random"]), &json!({"bytes": bytes}))?, "random"),
        Ark::SelfTest { randomness, why } => {
            let answer = client.post(&why.target(&["self-test"]), &json!({"randomness": randomness}))?;
            shown(answer, |tested| {
                [record(&[text("good"), text("failed")], tested), table(&RANDOMNESS, &tested["randomness"], None)]
                    .concat()
            })
        }
        Ark::Access(access) => {
            let answer = match access.change() {
                None => client.get(&path(&["access"]))?,
                Some((change, why)) => client.post(&why.target(&["access"]), &change)?,
            };
            shown(answer, rights)
        }
        Ark::Financial(command) => super::financial::ask(command, client),
        Ark::Approvals(approvals) => ask_approvals(approvals, client),
        Ark::Audit(Audit::List { after, limit }) => {
            let (after, limit) = (after.to_string(), limit.to_string());
            let query = [("after", Some(after.as_str())), ("limit", Some(limit.as_str()))];
            shown(client.get(&target(&["v1", "ark", "audit"], &query))?, |trail| table(&RECORD, &trail["data"], None))
        }
        Ark::Audit(Audit::Verify { public_key, .. }) => {
            let body = public_key.as_ref().map_or(json!({}), |public| json!({"public_key": public}));
            let answer = client.post(&path(&["audit", "verify"]), &body)?;
            shown(answer, |found| record(&[number("records"), number("checkpoints"), number("signed_to")], found))
        }
    }
}

fn ask_keys(keys: &Keys, client: &Client) -> Result<Answer> {
    let answer = match keys {
        Keys::Create {
            name,
            kind,
            purpose,
            exportable,
            pre_active,
            rotate_after_ms,
            rotate_after_uses,
            destroy_wait_ms,
            why,
        } => {
            let body = json!({
                "name": name, "kind": kind, "purpose": purpose, "exportable": exportable, "pre_active": pre_active,
                "rotate_after_ms": rotate_after_ms, "rotate_after_uses": rotate_after_uses,
                "destroy_wait_ms": destroy_wait_ms,
            });
            client.post(&why.target(&["keys"]), &body)?
        }
        Keys::List => return shown(client.get(&path(&["keys"]))?, |keys| table(&KEYS, &keys["data"], None)),
        Keys::Show { name } => client.get(&path(&["keys", name]))?,
        Keys::Rotate { name, why } => client.post(&why.target(&["keys", name, "rotate"]), &json!({}))?,
        Keys::Step { name, version, step, why } => {
            client.post(&why.target(&["keys", name, "step"]), &json!({"version": version, "step": step}))?
        }
        Keys::Export { name, version, under, why } => {
            let body = json!({"version": version, "under": under});
            return one(client.post(&why.target(&["keys", name, "export"]), &body)?, "wrapped");
        }
        Keys::TakeIn { name, kind, purpose, input, why } => {
            let key = json!({"name": name, "kind": kind, "purpose": purpose});
            let text = Zeroizing::new(input.text()?);
            let bytes = Zeroizing::new(hex::decode(text.as_bytes()).ok().context("this is not hexadecimal")?);
            let secret = Zeroizing::new(BASE64_STANDARD.encode(&bytes));
            client.post(&why.target(&["take-in"]), &json!({"key": key, "secret": secret.as_str()}))?
        }
        Keys::Import { name, kind, purpose, under, input, why } => {
            let key = json!({"name": name, "kind": kind, "purpose": purpose});
            let body = json!({"key": key, "wrapped": input.text()?, "under": under});
            client.post(&why.target(&["import"]), &body)?
        }
    };
    shown(answer, key_text)
}

/// A key with its versions.
pub(super) fn key_text(key: &Value) -> String {
    format!("{}\n{}", record(&KEY, key), table(&VERSIONS, &key["versions"], None))
}

fn ask_approvals(approvals: &Approvals, client: &Client) -> Result<Answer> {
    let decide = |id: &i64, approve: bool, input: &Input| {
        // Where a certificate proves who decides, there is no code.
        let code = if client.signs() { Some(input.text()?) } else { None };
        let body = json!({"approve": approve, "totp": code});
        client.post(&path(&["approvals", id.to_string().as_str(), "decide"]), &body)
    };
    let answer = match approvals {
        Approvals::List => {
            return shown(client.get(&path(&["approvals"]))?, |approvals| table(&APPROVAL, &approvals["data"], None));
        }
        Approvals::Approve { id, input } => decide(id, true, input)?,
        Approvals::Reject { id, input } => decide(id, false, input)?,
        Approvals::Propose(propose) => {
            let (body, why) = match propose {
                Propose::Destroy { name, version, why } => {
                    (json!({"operation": "destroy", "key": name, "version": version}), why)
                }
                Propose::Export { name, version, under, why } => {
                    (json!({"operation": "export", "key": name, "version": version, "under": under}), why)
                }
                Propose::Compromised { name, why } => (json!({"operation": "compromised", "key": name}), why),
                Propose::ChangeRoot { shares, threshold, why } => {
                    (json!({"operation": "change-root", "shares": shares, "threshold": threshold}), why)
                }
                Propose::ChangeAccess(access) => {
                    let (change, why) = access.change().context("name a change: grant, revoke, allow or forbid")?;
                    (json!({"operation": "change-access", "change": change}), why)
                }
            };
            client.post(&why.target(&["approvals"]), &body)?
        }
    };
    shown(answer, |approval| record(&APPROVAL, approval))
}

fn backup(client: &Client, file: &Path, why: &Why) -> Result<Answer> {
    // First: a copy is not asked for that has no place.
    files::check_new(file)?;
    let answer = client.post(&why.target(&["backup"]), &json!({}))?;
    let bytes = BASE64_STANDARD.decode(answer["file"].as_str().unwrap_or_default()).context("the copy")?;
    files::create_private(file, &bytes)?;
    let said = json!({"file": file.display().to_string(), "bytes": bytes.len()});
    Ok(Answer::new(said, format!("{} bytes in {}\n", bytes.len(), file.display())))
}

fn verify(client: &Client, check: &Check, operation: &str, name: &str) -> Result<Answer> {
    let body = json!({"message": BASE64_STANDARD.encode(check.input.bytes()?), name: check.value});
    let answer = client.post(&check.why.target(&[operation, &check.name]), &body)?;
    let valid = answer["valid"] == true;
    let complaint = (!valid).then(|| format!("this is not the {name} of this message under `{}`", check.name));
    Ok(Answer::new(answer, if valid { "valid\n".to_owned() } else { String::new() }).complaining(complaint))
}

fn decrypt(client: &Client, seal: &Seal) -> Result<Answer> {
    let body = json!({"ciphertext": seal.input.text()?, "context": pairs(&seal.context)?});
    let answer = client.post(&seal.why.target(&["decrypt", &seal.name]), &body)?;
    let bytes = BASE64_STANDARD.decode(answer["plaintext"].as_str().unwrap_or_default())?;
    let text = String::from_utf8(bytes).unwrap_or_else(|_| "not text; ask with --json for its base64\n".to_owned());
    Ok(Answer::new(answer, text))
}

/// How far the shares are.
fn collected(progress: &Value) -> String {
    let state = if progress["sealed"] == false { "open" } else { "sealed" };
    format!("{} of {} shares are here; the key service is {state}\n", progress["found"], progress["threshold"])
}

fn rights(access: &Value) -> String {
    let roles = table(&[text("caller"), text("role")], &access["roles"], None);
    let policies = [text("caller"), text("prefix"), text("operations")];
    format!("{roles}\n{}", table(&policies, &access["policies"], None))
}

fn message(input: &Input) -> Result<Value> {
    Ok(json!({"message": BASE64_STANDARD.encode(input.bytes()?)}))
}

fn pairs(context: &[String]) -> Result<BTreeMap<&str, &str>> {
    context.iter().map(|text| text.split_once('=').context("a context is NAME=VALUE")).collect()
}

pub(super) fn one(answer: Value, name: &str) -> Result<Answer> {
    let text = format!("{}\n", answer[name].as_str().unwrap_or_default());
    Ok(Answer::new(answer, text))
}

fn lines(list: &Value) -> String {
    let lines = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.map(|line| format!("{line}\n")).collect()
}

pub(super) fn shown(answer: Value, text: impl FnOnce(&Value) -> String) -> Result<Answer> {
    let text = text(&answer);
    Ok(Answer::new(answer, text))
}
