//! `lintel pay-password`: users' pay passwords, which are read and never given as arguments.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::Answer;
use super::seal::{Sealer, read};
use super::table::{Field, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel pay-password show usr_7
  lintel pay-password set usr_7                        six digits from standard input
  lintel pay-password reset usr_7 --sign-up sgn_2      by a real-name check of the last fifteen minutes
  lintel pay-password verify usr_7 --from digits";

/// Users' pay passwords.
#[derive(Debug, Subcommand)]
pub(crate) enum PayPassword {
    /// How one stands.
    Show {
        /// The user, such as usr_7.
        user: String,
    },
    /// Set the first one.
    Set {
        /// The user.
        user: String,
        /// Payments by agreement ask for it too: true or false.
        #[arg(long)]
        agreements: Option<bool>,
        /// The file that holds it; - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        from: PathBuf,
    },
    /// Set another one for a user who forgot it.
    Reset {
        /// The user.
        user: String,
        /// The agreement that the user just signed; without it the institution vouches for the user.
        #[arg(long, value_name = "ID")]
        sign_up: Option<String>,
        /// The file that holds it; - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        from: PathBuf,
    },
    /// Compare one: a wrong one is a try.
    Verify {
        /// The user.
        user: String,
        /// The file that holds it; - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        from: PathBuf,
    },
}

const PASSWORD: [Field; 6] =
    [text("user"), text("agreements"), text("set_at"), text("version"), text("tries_left"), text("locked_until")];

impl PayPassword {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let post = |user: &str, verb: &[&str], from: &PathBuf, mut body: Value| {
            let (password, sealer) = (read(from)?, Sealer::of(client)?);
            body["password"] = sealer.seal(password.expose())?;
            let target = target(&[&["v1", "users", user, "pay-password"], verb].concat(), &[]);
            Ok(shown(client.post_sealed(&target, &body, sealer.serial())?))
        };
        match self {
            Self::Show { user } => Ok(shown(client.get(&target(&["v1", "users", user, "pay-password"], &[]))?)),
            Self::Set { user, agreements, from } => post(user, &[], from, json!({"agreements": agreements})),
            Self::Reset { user, sign_up, from } => post(user, &["reset"], from, json!({"sign_up": sign_up})),
            Self::Verify { user, from } => post(user, &["verify"], from, json!({})),
        }
    }
}

fn shown(password: Value) -> Answer {
    let text = record(&PASSWORD, &password);
    Answer::new(password, text)
}
