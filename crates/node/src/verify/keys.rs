//! The table of idempotency keys, and the filters of keys, beside what the replayed journal bound; a stretch of the journal at a
//! time.

use engine::keys::filter::hash;
use engine::{KeyFilter, Projection, Span};
use store::{Database, KeyRow};

use super::{Damage, Part};
use crate::publisher::key_row;

/// Keys of the journal that are held at once.
const STRETCH: usize = 50_000;
const TABLE: &str = "idempotency_keys";
const FILTERS: &str = "key_filters";

/// The comparison under way.
#[derive(Debug, Default)]
pub(super) struct KeyWalk {
    /// Up to where both were compared.
    after: u64,
    expected: Vec<KeyRow>,
    /// Those that every key so far was known to.
    filters: Vec<KeyFilter>,
    /// The table does not read, which was said.
    unreadable: bool,
    /// How many keys the journal bound.
    pub(super) seen: u64,
}

impl KeyWalk {
    /// Reads the filters.
    pub(super) fn begin(store: &Database) -> (Self, Vec<Damage>) {
        let (mut filters, mut damages) = (Vec::new(), Vec::new());
        match store::key_filter::all(store) {
            Ok(rows) => {
                for (through, row) in rows {
                    let of = |row: store::FilterRow| {
                        let span = Span { after: row.after, through: row.through };
                        KeyFilter::from_bytes(span, row.keys, &row.filter).ok()
                    };
                    match row.and_then(of) {
                        Some(filter) => filters.push(filter),
                        None => damages.push(of_filter(through, "it is not what was written; a start makes it again")),
                    }
                }
            }
            Err(error) => damages.push(Damage::of_store(FILTERS, error)),
        }
        (Self { filters, ..Self::default() }, damages)
    }

    /// Takes the keys of a batch.
    pub(super) fn take(&mut self, store: &Database, projection: Projection) -> Vec<Damage> {
        let (now, last) = (projection.now.0, projection.last);
        let before = self.expected.len();
        self.expected.extend(projection.keys.into_iter().map(|binding| key_row(binding, now)));
        let mut damages = Vec::new();
        for key in self.expected.iter().skip(before) {
            let hash = hash(&key.scope, &key.key);
            let lacks = |filter: &mut KeyFilter| {
                let Span { after, through } = filter.span();
                (after + 1..=through).contains(&key.position) && !filter.may_contain(hash)
            };
            for filter in self.filters.extract_if(.., lacks) {
                let what = format!("it does not know a key that was bound at position {}", key.position);
                damages.push(of_filter(filter.span().through, &what));
            }
        }
        if self.expected.len() >= STRETCH {
            damages.extend(self.compare(store, last));
        }
        damages
    }

    /// Compares what was taken since the last time with the table's keys up to `through`.
    pub(super) fn compare(&mut self, store: &Database, through: u64) -> Vec<Damage> {
        let mut expected = std::mem::take(&mut self.expected);
        self.seen += expected.len() as u64;
        let order = |a: &KeyRow, b: &KeyRow| {
            (a.position, a.scope.as_bytes(), a.key.as_bytes()).cmp(&(b.position, b.scope.as_bytes(), b.key.as_bytes()))
        };
        expected.sort_by(order);
        let mut expected = expected.into_iter().peekable();
        let mut damages = Vec::new();
        if self.unreadable {
            return damages;
        }
        let read = store::key::audit(store, self.after, through, |found, is_sound| {
            while let Some(missing) = expected.next_if(|own| order(own, &found).is_lt()) {
                damages.push(damage(&missing, "is missing from the store, or has another position there"));
            }
            match expected.next_if(|own| order(own, &found).is_eq()) {
                Some(own) if own == found && is_sound => {}
                Some(own) if own == found => damages.push(damage(&found, "has a checksum that is not that of its row")),
                Some(_) => damages.push(damage(&found, "has another body, answer or month than the journal gives it")),
                None => damages.push(damage(&found, "is in the store and not in the journal")),
            }
        });
        self.after = through;
        if let Err(error) = read {
            self.unreadable = true;
            damages.push(Damage::of_store(TABLE, error));
            return damages;
        }
        damages.extend(expected.map(|own| damage(&own, "is missing from the store, or has another position there")));
        damages
    }
}

fn damage(key: &KeyRow, what: &str) -> Damage {
    let id = Some(format!("{} {}", key.scope, key.key));
    Damage { id, position: Some(key.position), ..Damage::new(Part::Table, TABLE, what) }
}

fn of_filter(through: u64, what: &str) -> Damage {
    Damage { id: Some(format!("through {through}")), ..Damage::new(Part::Table, FILTERS, what) }
}
