//! Sums of how tries at channels ended, by day, direction, channel, product and bank.
//!
//! ```text
//!  checkpoint ─ ended tries ─► the sums of each key, and through which position ─► read by day
//!                                └ an answer at or before that position was counted: passed over
//! ```
//! They are written in the transaction of the checkpoint that holds the answers, so that a rebuild counts the same. Answers from
//! before this table count once the store is rebuilt.

use std::collections::BTreeMap;

use domain::attempt::FailureClass;
use domain::calendar::Date;
use domain::channel::ChannelName;
use domain::rates::Rate;
use domain::rates::channel::{Direction, EndedTry, RateKey, TryEnd};

use crate::db::{Database, Row, Session, Value};
use crate::error::StoreError;

const TABLE: &str = "channel_rates";

/// How tries ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// Done.
    pub success: u64,
    /// Failures of payers.
    pub user: u64,
    /// Of risk rules.
    pub risk: u64,
    /// Of banks.
    pub bank: u64,
    /// Of systems between.
    pub system: u64,
    /// Those that channels never saw.
    pub not_found: u64,
    /// Those whose answer is missing since an earlier day. No row holds them: they are looked for in the state.
    pub unknown: u64,
}

impl Ends {
    fn of(&mut self, end: TryEnd) -> &mut u64 {
        match end {
            TryEnd::Success => &mut self.success,
            TryEnd::Failure(FailureClass::User) => &mut self.user,
            TryEnd::Failure(FailureClass::Risk) => &mut self.risk,
            TryEnd::Failure(FailureClass::Bank) => &mut self.bank,
            TryEnd::Failure(FailureClass::System) => &mut self.system,
            TryEnd::NotFound => &mut self.not_found,
        }
    }

    fn count(&mut self, ended: &EndedTry) {
        *self.of(ended.end) += 1;
        if let Some(before) = ended.before {
            let count = self.of(before);
            // The refusal may have been answered before there was this table.
            *count = count.saturating_sub(1);
        }
    }

    /// Adds others to them.
    pub fn add(&mut self, other: &Self) {
        let Self { success, user, risk, bank, system, not_found, unknown } = other;
        self.success += success;
        self.user += user;
        self.risk += risk;
        self.bank += bank;
        self.system += system;
        self.not_found += not_found;
        self.unknown += unknown;
    }

    /// Every try that ended, and those without an answer.
    #[must_use]
    pub const fn tries(&self) -> u64 {
        let Self { success, user, risk, bank, system, not_found, unknown } = self;
        *success + *user + *risk + *bank + *system + *not_found + *unknown
    }

    /// Effective success (有效成功率): success / (success + failures of systems + never seen + unknown a day later).
    #[must_use]
    pub const fn effective(&self) -> Rate {
        let denominator = self.success + self.system + self.not_found + self.unknown;
        Rate { numerator: self.success, denominator }
    }

    fn columns(&self) -> [Value; 6] {
        let Self { success, user, risk, bank, system, not_found, unknown: _ } = *self;
        [success, user, risk, bank, system, not_found].map(Value::from)
    }
}

/// Counts what a checkpoint's answers ended.
pub(crate) fn count(session: &dyn Session, ended: &[EndedTry]) -> Result<(), StoreError> {
    let mut by_key: BTreeMap<&RateKey, Vec<&EndedTry>> = BTreeMap::new();
    for ended in ended {
        by_key.entry(&ended.key).or_default().push(ended);
    }
    let read = "SELECT through, success, by_user, by_risk, by_bank, by_system, not_found FROM channel_rates \
        WHERE date = $1 AND direction = $2 AND channel = $3 AND product = $4 AND bank = $5";
    let write = "INSERT INTO channel_rates (date, direction, channel, product, bank, through, success, by_user, by_risk, by_bank, \
        by_system, not_found) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
        ON CONFLICT (date, direction, channel, product, bank) DO UPDATE SET through = excluded.through, \
        success = excluded.success, by_user = excluded.by_user, by_risk = excluded.by_risk, by_bank = excluded.by_bank, \
        by_system = excluded.by_system, not_found = excluded.not_found";
    for (key, ended) in by_key {
        let named: [Value; 5] = [
            key.date.0.into(),
            key.direction.name().into(),
            key.channel.to_string().into(),
            key.product.as_str().into(),
            key.bank.as_str().into(),
        ];
        let rows = session.query(read, &named)?;
        let (mut through, mut ends) = match rows.first() {
            Some(row) => (row.unsigned(0)?, ends(row, 1)?),
            None => (0, Ends::default()),
        };
        for ended in ended {
            if ended.position > through {
                ends.count(ended);
                through = ended.position;
            }
        }
        let values: Vec<Value> = named.into_iter().chain([through.into()]).chain(ends.columns()).collect();
        session.execute(write, &values)?;
    }
    Ok(())
}

fn ends(row: &Row, at: usize) -> Result<Ends, StoreError> {
    Ok(Ends {
        success: row.unsigned(at)?,
        user: row.unsigned(at + 1)?,
        risk: row.unsigned(at + 2)?,
        bank: row.unsigned(at + 3)?,
        system: row.unsigned(at + 4)?,
        not_found: row.unsigned(at + 5)?,
        unknown: 0,
    })
}

/// The sums of the days from `from` to `to`, both inclusive, a row for each key.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] naming a row that is not what was written.
pub fn between(database: &Database, from: Date, to: Date) -> Result<Vec<(RateKey, Ends)>, StoreError> {
    let sql = "SELECT date, direction, channel, product, bank, success, by_user, by_risk, by_bank, by_system, not_found \
        FROM channel_rates WHERE date >= $1 AND date <= $2 ORDER BY date, direction, channel, product, bank";
    let rows = database.query(sql, &[from.0.into(), to.0.into()])?;
    rows.iter().map(|row| Ok((key(row)?, ends(row, 5)?))).collect()
}

fn key(row: &Row) -> Result<RateKey, StoreError> {
    let (date, direction, channel) = (row.int(0)?, row.text(1)?, row.text(2)?);
    let corrupt = |reason: String| StoreError::corrupt(TABLE, date, reason);
    let known = Direction::ALL.into_iter().find(|known| known.name() == direction);
    let direction = known.ok_or_else(|| corrupt(format!("there is no direction '{direction}'")))?;
    let unknown = || corrupt(format!("there is no channel '{channel}'"));
    let channel = ChannelName::parse(channel).ok_or_else(unknown)?;
    let date = i32::try_from(date).map(Date).map_err(|_| corrupt("its date is none".to_owned()))?;
    Ok(RateKey { date, direction, channel, product: row.text(3)?.to_owned(), bank: row.text(4)?.to_owned() })
}
