//! `lintel payout`: payouts and withdrawals; create one, send it, cancel one that was not sent, book one that came back (退票), fetch what
//! came back.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::json_file;
use super::remote::{Answer, Page};
use super::seal::Sealer;
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel payout create acc_51 --to settlement --amount 100000 --send
  lintel payout create acc_42 --to bank --bank-account account.json --amount 5000
  lintel payout create acc_42 --to bank --bank-account account.json --amount 5000 --bank-name ICBC --bank-code 102100099996
  lintel payout send pay_5
  lintel payout list --status unknown
  lintel payout cancel pay_5
  lintel payout return pay_5 --reference RT20260306000001 --date 2026-03-06
  lintel payout fetch-returns --date 2026-03-06

account.json: {\"account\": \"6222…\", \"holder\": \"…\"}; it is encrypted before it is sent.";

/// Payouts and withdrawals.
#[derive(Debug, Subcommand)]
pub(crate) enum Payout {
    /// One payout.
    Show {
        /// Its id, such as pay_5.
        id: String,
    },
    /// Payouts, oldest first.
    List {
        /// created, held, sent, unknown, success, failed, cancelled or returned.
        #[arg(long)]
        status: Option<String>,
        /// From this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Created on this date or later.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Created on this date or earlier.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Create one: amount and fee are held at once, and leave when it is sent.
    Create {
        /// The account that pays, such as acc_51.
        account: String,
        /// settlement, company or bank.
        #[arg(long, value_name = "WHERE")]
        to: String,
        /// With --to bank: the account's number and holder in JSON; - for standard input.
        #[arg(long, value_name = "FILE")]
        bank_account: Option<PathBuf>,
        /// What shall arrive.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// A fee beside it in place of the fee plan's, which 0 leaves to the plan.
        #[arg(long, value_name = "FEN", default_value_t = 0)]
        fee: i64,
        /// The account's currency.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
        /// The receiver's bank, where it is known: its name.
        #[arg(long, value_name = "NAME", requires = "bank_code")]
        bank_name: Option<String>,
        /// And its interbank number: 12 digits. Rules of routing may go by it.
        #[arg(long, value_name = "DIGITS", requires = "bank_name")]
        bank_code: Option<String>,
        /// Send it in the same step.
        #[arg(long)]
        send: bool,
    },
    /// Send a payout that is held.
    Send {
        /// Its id.
        id: String,
    },
    /// Cancel a payout that was not sent; its money is free again.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Book a payout that came back after success; its money returns to the account.
    Return {
        /// Its id.
        id: String,
        /// The channel's reference of the return.
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// The network's clearing date of the return.
        #[arg(long, value_name = "DATE")]
        date: String,
    },
    /// Fetch from the channels which payouts and advances came back, and book them; may be asked for again at any time.
    FetchReturns {
        /// The date on which they came back.
        #[arg(long)]
        date: String,
    },
}

const PAYOUT: [Field; 22] = [
    text("id"),
    text("kind"),
    text("account"),
    text("to"),
    text("bank_account/account"),
    text("bank_account/holder"),
    text("card"),
    text("bank/name"),
    text("channel"),
    text("withdrawal"),
    money("amount"),
    money("fee"),
    text("fee_plan"),
    text("status"),
    text("attempt"),
    text("failure/code"),
    text("cancelled"),
    text("reference"),
    text("return_reference"),
    text("created_at"),
    text("ended_at"),
    text("allowed_actions"),
];
const PAYOUTS: [Field; 8] = [
    text("id"),
    text("kind"),
    text("account"),
    text("to"),
    money("amount"),
    text("status"),
    text("attempt"),
    text("created_at"),
];
const RETURNS: [Field; 4] = [text("date"), number("listed"), number("booked"), number("already")];
const REFUSED: [Field; 3] = [text("serial"), text("code"), text("message")];

impl Payout {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "payouts", id], &[]))?)),
            Self::List { status, account, from, to, page: wanted } => {
                let filters = [
                    ("status", status.as_deref()),
                    ("account", account.as_deref()),
                    ("created_from", from.as_deref()),
                    ("created_to", to.as_deref()),
                ];
                let payouts = client.get(&wanted.target(&["v1", "payouts"], &filters))?;
                let text = page(&PAYOUTS, &payouts, None);
                Ok(Answer::new(payouts, text))
            }
            Self::Create { account, to, bank_account, amount, fee, currency, bank_name, bank_code, send } => {
                let mut body = json!({"account": account, "to": {"type": to}, "amount": amount, "fee": fee,
                    "currency": currency, "send_now": send});
                if let (Some(name), Some(code)) = (bank_name, bank_code) {
                    body["bank"] = json!({"name": name, "code": code});
                }
                create(client, body, bank_account.as_deref())
            }
            Self::Send { id } => Ok(shown(client.post(&target(&["v1", "payouts", id, "send"], &[]), &json!({}))?)),
            Self::Cancel { id } => Ok(shown(client.post(&target(&["v1", "payouts", id, "cancel"], &[]), &json!({}))?)),
            Self::Return { id, reference, date } => {
                let body = json!({ "reference": reference, "date": date });
                Ok(shown(client.post(&target(&["v1", "payouts", id, "return"], &[]), &body)?))
            }
            Self::FetchReturns { date } => {
                let returns = client.post("/v1/payouts/returns/fetch", &json!({ "date": date }))?;
                let refused = table(&REFUSED, &returns["refused"], None);
                let text = format!("{}\nNot booked:\n{refused}", record(&RETURNS, &returns));
                Ok(Answer::new(returns, text))
            }
        }
    }
}

/// Creates a payout; the number and the holder of a bank account come from a file and go out encrypted.
fn create(client: &Client, mut body: Value, bank_account: Option<&Path>) -> Result<Answer> {
    let to_bank = body["to"]["type"] == "bank";
    let Some(file) = bank_account else {
        if to_bank {
            bail!("name the bank account's file with --bank-account");
        }
        return Ok(shown(client.post("/v1/payouts", &body)?));
    };
    if !to_bank {
        bail!("--bank-account goes with --to bank");
    }
    let (account, sealer) = (json_file(file)?, Sealer::of(client)?);
    for name in ["account", "holder"] {
        let text = account[name].as_str().with_context(|| format!("the bank account lacks {name}"))?;
        body["to"]["bank_account"][name] = sealer.seal(text)?;
    }
    Ok(shown(client.post_sealed("/v1/payouts", &body, sealer.serial())?))
}

fn shown(payout: Value) -> Answer {
    let text = record(&PAYOUT, &payout);
    Answer::new(payout, text)
}
