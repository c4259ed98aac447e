//! Amounts as messages write them: a currency and two places.

use domain::money::Minor;

/// `CNY5000.00`.
pub(crate) fn amount_text(amount: Minor) -> String {
    format!("CNY{}.{:02}", amount.div_euclid(100), amount.rem_euclid(100))
}

/// Fen of exactly that form, above zero.
pub(crate) fn amount_of(text: &str) -> Option<Minor> {
    sum_of(text).filter(|amount| *amount > 0)
}

/// As [`amount_of`], or zero: a sum.
pub(crate) fn sum_of(text: &str) -> Option<Minor> {
    let (yuan, fen) = text.strip_prefix("CNY")?.split_once('.')?;
    let (yuan, fen): (Minor, Minor) = (yuan.parse().ok()?, fen.parse().ok()?);
    let amount = yuan.checked_mul(100)?.checked_add(fen).filter(|amount| *amount >= 0)?;
    (amount_text(amount) == text).then_some(amount)
}

/// `5000.00`: yuan without a currency.
pub(crate) fn yuan_text(amount: Minor) -> String {
    amount_text(amount).split_off("CNY".len())
}

/// Fen of exactly that form, above zero.
pub(crate) fn yuan_of(text: &str) -> Option<Minor> {
    amount_of(&format!("CNY{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_one_form() {
        assert_eq!((sum_of("CNY0.00"), amount_of("CNY0.00"), amount_of("CNY5000.05")), (Some(0), None, Some(500_005)));
        assert_eq!(
            (yuan_text(500_005), yuan_of("5000.05"), yuan_of("CNY5.00")),
            (String::from("5000.05"), Some(500_005), None)
        );
        for wrong in ["", "5000.00", "CNY5000", "CNY5000.0", "CNY05000.00", "CNY-1.00", "CNY92233720368547758.08"] {
            assert_eq!(sum_of(wrong), None, "{wrong}");
        }
    }
}
