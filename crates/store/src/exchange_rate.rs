//! Exchange rates as rows. Whether one is valid follows from the time and stands in no column; their table is in the
//! schema file of `conversion`.

use domain::exchange_rate::ExchangeRate;
use domain::ids::ExchangeRateId;
use domain::money::Currency;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for ExchangeRate {
    type Id = ExchangeRateId;
    const TABLE: &'static str = "exchange_rates";
    const COLUMNS: &'static [&'static str] = &["sold", "bought", "valid_from", "valid_until"];

    fn id(&self) -> ExchangeRateId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let (sold, bought) = (self.sold().code(), self.bought().code());
        vec![sold.into(), bought.into(), self.terms.valid_from.0.into(), self.terms.valid_until.0.into()]
    }
}

/// What lists of exchange rates may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExchangeRateFilter {
    /// For who gives this currency.
    pub sold: Option<Currency>,
    /// For who gets this currency.
    pub bought: Option<Currency>,
}

impl Filter for ExchangeRateFilter {
    type Of = ExchangeRate;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.sold.map(|sold| Term::equal("sold", sold.code())),
            self.bought.map(|bought| Term::equal("bought", bought.code())),
        ]
    }
}
