//! Looking at the whole vault: the file, that its ids are without gaps, that each wrapped key opens. What it says names ids and
//! nothing that is kept under them.

use rusqlite::Connection;

use super::{CustomerId, Vault, card, customer_of, wrap::is_barred};
use crate::error::Error;

/// Gaps and keys of one kind that are named; those behind them are counted.
const NAMED: usize = 100;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// The highest customer id given out.
    pub last: Option<CustomerId>,
    /// Data keys, secrets of one-time codes and card numbers that opened.
    pub opened: u64,
    /// What is wrong, a line each.
    pub damages: Vec<String>,
}

impl Vault {
    /// Looks at everything that it holds: SQLite's own check of the file, rows that belong together, ids from 1 without a gap, and
    /// every wrapped key, which must open under the root key and be there exactly where its customer is not erased. One whose version
    /// of `platform/vault` may not open any more, such as a compromised one, is named like one that is damaged.
    ///
    /// # Errors
    /// [`Error::Database`] if the file does not read; what it holds that is wrong is in the answer.
    pub fn verify(&self) -> Result<Checked, Error> {
        let mut checked = Checked::default();
        let (keys, codes, cards) = {
            let connection = self.lock();
            let mut look = || {
                checked.damages = of_file(&connection)?;
                for table in ["customer", "data_key"] {
                    checked.damages.extend(gaps(&connection, table)?);
                }
                checked.damages.extend(strays(&connection)?);
                Ok((data_keys(&connection)?, codes(&connection)?, card::tokens(&connection)?))
            };
            look().map_err(self.failed("look at the whole vault"))?
        };
        checked.last = self.last_customer()?;
        let mut refused = Vec::new();
        for DataKey { id, customer, is_erased, wrapped } in keys {
            let key = id.cast_unsigned();
            match (is_erased, wrapped) {
                (true, None) => {}
                (true, Some(_)) => {
                    refused.push(format!("data key {id}: its customer {customer} is erased and it is not"))
                }
                (false, None) => {
                    refused.push(format!("data key {id}: it is gone, and its customer {customer} is not erased"))
                }
                (false, wrapped @ Some(_)) => match self.unwrap(customer, key, wrapped) {
                    Ok(_) => checked.opened += 1,
                    Err(Error::DataKeyDamaged { .. }) => {
                        refused.push(format!("data key {id} of customer {customer}: the root key does not open it"));
                    }
                    Err(Error::Keys(error)) if is_barred(&error) => {
                        refused.push(format!("data key {id} of customer {customer}: {error}"));
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        for (operator, serial) in codes {
            match self.totp(operator, serial) {
                Ok(Some(_)) => checked.opened += 1,
                Ok(None) | Err(Error::TotpDamaged { .. }) => {
                    refused.push(format!(
                        "one-time codes of operator {operator}: the root key does not open their secret"
                    ));
                }
                Err(Error::Keys(error)) if is_barred(&error) => {
                    refused.push(format!("one-time codes of operator {operator}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        checked.opened += self.open_cards(&cards, &mut refused)?;
        checked.damages.extend(shortened(refused));
        Ok(checked)
    }

    /// How many cards open; what does not is told by its token.
    fn open_cards(&self, tokens: &[String], refused: &mut Vec<String>) -> Result<u64, Error> {
        let mut opened = 0;
        for token in tokens {
            match self.card_number(token) {
                Ok(Some(number)) if card::card_token(&self.request_keys()?.root, &number) == *token => opened += 1,
                Ok(Some(_)) => refused.push(format!("card {token}: what lies there is the number of another")),
                Ok(None) | Err(Error::CardDamaged { .. }) => {
                    refused.push(format!("card {token}: the key service does not open it"));
                }
                Err(Error::Keys(error)) if is_barred(&error) => refused.push(format!("card {token}: {error}")),
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }
}

/// A wrapped data key.
struct DataKey {
    id: i64,
    customer: CustomerId,
    is_erased: bool,
    wrapped: Option<Vec<u8>>,
}

/// The first of them, and how many more there are.
fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    if more > 0 {
        lines.push(format!("{more} more like these"));
    }
    lines
}

/// What SQLite says against the file and its references.
fn of_file(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut said = lines(connection, "PRAGMA integrity_check(100)")?;
    said.retain(|words| words != "ok");
    let references = "SELECT 'table ' || \"table\" || ': row ' || coalesce(rowid, '?') || ' refers to no customer' \
                      FROM pragma_foreign_key_check";
    said.extend(shortened(lines(connection, references)?));
    Ok(said)
}

/// Ids that are missing before the last.
fn gaps(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = format!(
        "SELECT '{table} ' || (before + 1) || ' is missing' FROM
             (SELECT id, lag(id, 1, 0) OVER (ORDER BY id) AS before FROM {table}) WHERE id > before + 1"
    );
    lines(connection, &sql).map(shortened)
}

/// Customers that lack what each has.
fn strays(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let without = |what: &str, table: &str| {
        format!(
            "SELECT 'customer ' || id || ' has no {what}' FROM customer
             WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.customer = customer.id) ORDER BY id"
        )
    };
    let mut found = shortened(lines(connection, &without("identity", "identity"))?);
    found.extend(shortened(lines(connection, &without("data key", "data_key"))?));
    Ok(found)
}

fn data_keys(connection: &Connection) -> rusqlite::Result<Vec<DataKey>> {
    let sql = "SELECT data_key.id, data_key.customer, coalesce(customer.erased, 0), data_key.wrapped
               FROM data_key LEFT JOIN customer ON customer.id = data_key.customer ORDER BY data_key.id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let customer = customer_of(row.get(1)?);
        Ok(DataKey { id: row.get(0)?, customer, is_erased: row.get(2)?, wrapped: row.get(3)? })
    })?;
    rows.collect()
}

/// Operators with one-time codes, and the serials of these.
fn codes(connection: &Connection) -> rusqlite::Result<Vec<(u64, u32)>> {
    let mut statement = connection.prepare("SELECT operator, serial FROM totp ORDER BY operator")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
    rows.collect()
}

fn lines(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}
