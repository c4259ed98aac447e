//! What field 39 of an answer says, in the codes of the UnionPay dialect that public code and captures show.

/// The codes and what they mean, ascending.
const MEANINGS: [(&str, &str); 42] = [
    ("00", "approved"),
    ("01", "ask the issuer"),
    ("03", "invalid merchant"),
    ("04", "keep the card"),
    ("05", "declined"),
    ("10", "approved in part"),
    ("11", "approved, important person"),
    ("12", "invalid transaction"),
    ("13", "invalid amount"),
    ("14", "invalid card number"),
    ("15", "no such issuer"),
    ("21", "card not active"),
    ("22", "operation wrong"),
    ("25", "original transaction not found"),
    ("30", "format error"),
    ("34", "suspected fraud"),
    ("36", "restricted card"),
    ("38", "PIN tried too often"),
    ("40", "function not supported"),
    ("41", "lost card"),
    ("43", "stolen card"),
    ("51", "balance too low"),
    ("54", "card expired"),
    ("55", "PIN wrong"),
    ("57", "not permitted to the cardholder"),
    ("58", "not permitted to the terminal"),
    ("59", "cardholder suspected"),
    ("61", "amount over limit"),
    ("62", "restricted card"),
    ("64", "does not match the original"),
    ("65", "too many transactions"),
    ("68", "answer came too late"),
    ("75", "PIN tries used up"),
    ("90", "day being cut, try later"),
    ("91", "issuer not available"),
    ("92", "network error"),
    ("94", "duplicate"),
    ("96", "system error"),
    ("97", "unknown terminal"),
    ("98", "no answer from the issuer"),
    ("99", "PIN format wrong, sign in again"),
    ("A0", "MAC wrong, sign in again"),
];

/// What a code means; `None` of one that the dialect does not have.
pub(crate) fn meaning(code: &str) -> Option<&'static str> {
    let found = MEANINGS.binary_search_by(|(known, _)| (*known).cmp(code)).ok()?;
    MEANINGS.get(found).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_the_common_ones_are_known() {
        assert!(MEANINGS.is_sorted_by(|(one, _), (next, _)| one < next));
        assert_eq!(meaning("55"), Some("PIN wrong"));
        assert_eq!((meaning("ZZ"), meaning("")), (None, None));
    }
}
