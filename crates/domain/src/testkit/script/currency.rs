//! `rate`, `withdraw-rate`, `convert`, `reverse`: see [`crate::exchange_rate`] and [`crate::conversion`].

use alloc::string::{String, ToString};

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::conversion::{ConversionCommand, Convert, ReverseConversion};
use crate::exchange_rate::{ExchangeRateCommand, RateDirection, SetExchangeRate};
use crate::ids::{ConversionId, ExchangeRateId};
use crate::money::Currency;

/// Reads a verb of currencies.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let command = match *words {
        // `rate r1 USD to CNY 71234 4 from 0m for 24h`: one dollar given brings 7.1234 yuan.
        ["rate", name, base, way, quote, value, decimals, "from", from, "for", lasting] => {
            let currency = |code| Currency::parse(code).expect("a currency");
            let direction = if way == "to" { RateDirection::BaseToQuote } else { RateDirection::QuoteToBase };
            let valid_from = script.at(from);
            let set = SetExchangeRate {
                base: currency(base),
                quote: currency(quote),
                direction,
                value: minor(value),
                decimals: decimals.parse().expect("how many decimals"),
                source: String::from("a bank"),
                document: [7; 32].into(),
                valid_from,
                valid_until: valid_from.plus_ms(super::duration_ms(lasting)),
            };
            return Some(Step::named(name, set.into()));
        }
        ["withdraw-rate", rate] => {
            Command::ExchangeRate(ExchangeRateCommand::Withdraw(ExchangeRateId(script.id(rate))))
        }
        ["convert", name, rate, from, amount, to] => {
            let rate = ExchangeRateId(script.id(rate));
            let (from, to, amount) = (script.account(from), script.account(to), minor(amount));
            let convert = ConversionCommand::Convert(Convert { rate, from, to, amount });
            return Some(Step::named(name, Command::Conversion(convert)));
        }
        ["reverse", conversion, ref reason @ ..] => {
            let (conversion, reason) = (ConversionId(script.id(conversion)), reason.join(" ").to_string());
            ReverseConversion { conversion, reason }.into()
        }
        _ => return None,
    };
    Some(Step::of(command))
}
