//! What the response codes (应答码) of UnionPay online settle. [public] pages list them; a code that is not here settles
//! nothing and is asked about again.

use domain::attempt::FailureClass;

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Done; to an order that was only taken, "taken".
    Done,
    /// Not finished, or the network does not know yet.
    InProgress,
    /// The order number was seen before.
    Duplicate,
    /// There is no such order.
    NotFound,
    /// Refused for good.
    Declined(FailureClass),
    /// Nothing that settles.
    Nothing,
}

/// Codes that refuse for good, and whose failure each is.
const DECLINES: &[(&str, FailureClass)] = &[
    ("01", FailureClass::System), // failed
    ("02", FailureClass::System), // the system is closed or not open yet
    ("10", FailureClass::System), // the message is not in its form
    ("11", FailureClass::System), // our signature does not fit
    ("13", FailureClass::System), // a field is missing
    ("30", FailureClass::System), // not let through
    ("31", FailureClass::System), // the merchant's state
    ("32", FailureClass::System), // the merchant may not do this
    ("33", FailureClass::Risk),   // over the limit of an amount
    ("35", FailureClass::System), // the original is not there or not in a state for this
    ("36", FailureClass::System), // it is not what the original was
    ("38", FailureClass::Risk),   // refused by risk control
    ("39", FailureClass::System), // outside the hours
    ("40", FailureClass::User),   // the binding does not hold
    ("60", FailureClass::Bank),   // the issuer says no
    ("61", FailureClass::User),   // the card number is not valid
    ("62", FailureClass::Bank),   // the issuer does not take this merchant
    ("63", FailureClass::User),   // the card's state
    ("64", FailureClass::User),   // the balance is too low
    ("65", FailureClass::User),   // password, expiry or CVN2
    ("66", FailureClass::User),   // name, certificate or phone
    ("67", FailureClass::Risk),   // too many wrong passwords
    ("68", FailureClass::Bank),   // the card does not do this business
    ("71", FailureClass::User),   // the one-time code is wrong
    ("72", FailureClass::User),   // the card is not signed up
    ("73", FailureClass::User),   // the card has expired
    ("77", FailureClass::User),   // the card is not signed up with its bank
    ("78", FailureClass::Bank),   // the issuer restricts the card
    ("80", FailureClass::User),   // the one-time code has expired
];

/// What a code says.
pub(super) fn said(code: &str) -> Said {
    match code {
        // A6: done, with a defect that does not concern the money.
        "00" | "A6" => Said::Done,
        "03" | "04" | "05" => Said::InProgress,
        "12" => Said::Duplicate,
        "34" => Said::NotFound,
        code => match DECLINES.iter().find(|(known, _)| *known == code) {
            Some((_, class)) => Said::Declined(*class),
            None => Said::Nothing,
        },
    }
}
