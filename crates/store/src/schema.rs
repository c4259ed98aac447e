//! The tables' shape: numbered SQL files, one a feature, applied in order and once.
//!
//! A file that was released is never edited: a change is a new file. The store of a newer program is refused, since
//! this one would leave its new columns empty.

use crate::db::{Session, Value};
use crate::error::StoreError;
use crate::{recall, refund};

/// A numbered file.
struct File {
    name: &'static str,
    sql: &'static str,
}

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(File { name: $name, sql: include_str!(concat!("../schema/", $name)) },)*]
    };
}

/// In the order in which they are applied; the first has number 1.
const FILES: &[File] = files![
    "0001_checkpoint.sql",
    "0002_run.sql",
    "0003_key.sql",
    "0004_account.sql",
    "0005_hold.sql",
    "0006_customer.sql",
    "0007_user.sql",
    "0008_merchant.sql",
    "0009_bulk.sql",
    "0010_attempt.sql",
    "0011_business_day.sql",
    "0012_payout.sql",
    "0013_agreement.sql",
    "0014_freeze.sql",
    "0015_order.sql",
    "0016_leg.sql",
    "0017_split.sql",
    "0018_refund.sql",
    "0019_clearing.sql",
    "0020_settlement.sql",
    "0021_core.sql",
    "0022_operator.sql",
    "0023_approval.sql",
    "0024_manual_voucher.sql",
    "0025_suspense.sql",
    "0026_freeze.sql",
    "0027_tree.sql",
    "0028_hold.sql",
    "0029_agreement.sql",
    "0030_conversion.sql",
    "0031_top_up.sql",
    "0032_transfer.sql",
    "0033_withdrawal.sql",
    "0034_limit.sql",
    "0035_block_list.sql",
    "0036_bank_card.sql",
    "0037_reserve_line.sql",
    "0038_own_transfer.sql",
    "0039_arrears.sql",
    "0040_chargeback.sql",
    "0041_advance.sql",
    "0042_key_filter.sql",
    "0043_recall.sql",
    "0044_key.sql",
    "0045_recall.sql",
    "0046_card_fee.sql",
    "0047_acquiring.sql",
    "0048_terminal.sql",
    "0049_card_transaction.sql",
    "0050_batch_close.sql",
    "0051_card_clearing.sql",
    "0052_site_weight.sql",
    "0053_certificate.sql",
    "0054_webhook.sql",
    "0055_webhook_delivery.sql",
    "0056_channel_rate.sql",
    "0057_terminal_parameter.sql",
    "0058_recall.sql",
    "0059_sign_up.sql",
    "0060_api_key.sql",
    "0061_pay_password.sql",
    "0062_outflow.sql",
    "0063_fund_batch.sql",
    "0064_receiver.sql",
    "0065_fee_plan.sql",
    "0066_task.sql",
    "0067_real_name_check.sql",
    "0068_payout_task.sql",
    "0069_suspense.sql",
    "0070_advance_task.sql",
    "0071_clearing.sql",
];

/// What a migration cannot say in SQL.
type Step = fn(&dyn Session) -> Result<(), StoreError>;

/// What follows a file once, where SQL alone cannot know it.
const THEN: &[(&str, Step)] = &[
    ("0045_recall.sql", recall::mark_closed),
    ("0058_recall.sql", recall::mark_closed_cards),
    ("0066_task.sql", refund::mark_needs_person),
];

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    checksum BIGINT NOT NULL
)";

/// Applies the files that the store has not seen, all or none.
pub(crate) fn upgrade(session: &dyn Session) -> Result<(), StoreError> {
    session.lock_schema()?;
    session.batch(VERSIONS)?;
    let applied = session.query("SELECT version, name, checksum FROM schema_version ORDER BY version", &[])?;
    for (row, at) in applied.iter().zip(0..) {
        let (version, name, checksum) = (row.int(0)?, row.text(1)?, row.int(2)?);
        let wrong = |reason: &str| StoreError::Schema { file: name.to_owned(), reason: reason.to_owned() };
        let file = FILES.get(at).ok_or_else(|| wrong("this program does not know it; use the newer one"))?;
        if (version, name) != (number(at), file.name) {
            return Err(wrong("this program has another file of that number; use the program that wrote the store"));
        }
        if checksum != checksum_of(file) {
            return Err(wrong("it was edited after it was applied; put it back and write a new one"));
        }
    }
    for (at, file) in FILES.iter().enumerate().skip(applied.len()) {
        session.batch(file.sql)?;
        for (_, then) in THEN.iter().filter(|(name, _)| *name == file.name) {
            then(session)?;
        }
        let row: [Value; 3] = [number(at).into(), file.name.into(), checksum_of(file).into()];
        session.execute("INSERT INTO schema_version (version, name, checksum) VALUES ($1, $2, $3)", &row)?;
    }
    Ok(())
}

fn number(at: usize) -> i64 {
    i64::try_from(at).map_or(i64::MAX, |at| at.saturating_add(1))
}

fn checksum_of(file: &File) -> i64 {
    crc32fast::hash(file.sql.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_without_gaps_and_all_of_them_are_applied() {
        let mut on_disk: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schema"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        on_disk.sort();
        assert_eq!(FILES.iter().map(|file| file.name).collect::<Vec<_>>(), on_disk);
        for (at, file) in FILES.iter().enumerate() {
            assert!(file.name.starts_with(&format!("{:04}_", at + 1)), "{}", file.name);
        }
    }
}
