//! Ping An's two headers as a table: that of all its interfaces for companies, 222 bytes, and that of a transaction, 122. All of it is of
//! public code but the place of the signature, which is ours: public code leaves signing to the bank's own program.

use crate::error::ChannelError;
use crate::fixed_header::Holds::{Filler, Length, Ours, Signature, Text, Told};
use crate::fixed_header::Layout;
use crate::message;

/// What `service` says.
pub(super) const REQUEST: &str = "01";
pub(super) const ANSWER: &str = "02";
/// What `code` says in a request.
pub(super) const NO_CODE: &str = "999999";

/// Both; from the second "function" on it is the business header.
pub(super) const HEADERS: Layout = &[
    (4, Text("A001")),
    (2, Ours("target")),
    (2, Ours("charset")),
    (2, Text("02")), // HTTP: it is the body of a POST
    (20, Ours("market")),
    (10, Length(122)),
    (6, Filler("000000")),
    (5, Filler("PA001")), // teller
    (2, Told("service")),
    (14, Told("time")),
    (20, Told("log")),
    (6, Told("code")),
    (100, Filler("")), // what the code means
    (1, Text("0")),    // one packet
    (3, Text("000")),
    (1, Text("1")), // signed, with a bare signature
    (1, Text("0")),
    (12, Ours("algorithm")),
    (10, Signature),
    (1, Text("0")), // no attachments
    (4, Told("function")),
    (2, Told("service")),
    (16, Filler("")), // MAC
    (14, Told("time")),
    (6, Told("code")),
    (42, Filler("")),
    (1, Text("0")),
    (8, Length(0)),
    (5, Filler("PA001")),
    (20, Told("log")),
    (4, Ours("market")),
];

/// ThirdLogNo of our serial number: YYMMDD and 14 digits of it.
pub(super) fn log_of(serial: &str) -> Result<String, ChannelError> {
    message::serial(serial)?;
    let parts = serial.get(2..8).zip(serial.get(10..24));
    let log =
        parts.map(|(date, number)| [date, number].concat()).filter(|log| serial_of(log).as_deref() == Some(serial));
    log.ok_or_else(|| ChannelError::Serial(serial.to_owned()))
}

/// The serial number of a ThirdLogNo of ours.
pub(super) fn serial_of(log: &str) -> Option<String> {
    let digits = log.len() == 20 && log.bytes().all(|byte| byte.is_ascii_digit());
    let (date, number) = log.split_at_checked(6).filter(|_| digits)?;
    Some(format!("20{date}00{number}0{}", number.get(8..)?))
}

/// ThirdLogNo of a question: the first 20 characters of its nonce.
pub(super) fn log_of_nonce(nonce: &str) -> Result<String, ChannelError> {
    let nonce = message::nonce(nonce)?;
    Ok(format!("{:0<20}", nonce.get(..20).unwrap_or(nonce)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_goes_into_twenty_characters_and_comes_back() {
        let serial = "2026030500000000000000420000042";
        assert_eq!(log_of(serial).unwrap(), "26030500000000000042");
        assert_eq!(serial_of("26030500000000000042").as_deref(), Some(serial));
        assert_eq!(
            serial_of(&log_of("2026030500000012345678900567890").unwrap()).unwrap(),
            "2026030500000012345678900567890"
        );
        // What would not come back is no serial number of ours: another century, a number too long, other control digits.
        for wrong in [
            "",
            "1926030500000000000000420000042",
            "2026030501000000000000420000042",
            "2026030500000000000000420000043",
        ] {
            assert!(matches!(log_of(wrong), Err(ChannelError::Serial(_))), "{wrong}");
        }
        for wrong in ["", "2603050000000000004", "2603050000000000004x", "260305000000000000420"] {
            assert_eq!(serial_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_question_has_twenty_characters_of_its_nonce() {
        assert_eq!(log_of_nonce("0123456789abcdef").unwrap(), "0123456789abcdef0000");
        assert_eq!(log_of_nonce("0123456789abcdefghijklm").unwrap(), "0123456789abcdefghij");
        assert!(log_of_nonce("short").is_err());
    }

    #[test]
    fn the_widths_are_those_of_the_headers() {
        let widths: Vec<usize> = HEADERS.iter().map(|(width, _)| *width).collect();
        assert_eq!((widths[..20].iter().sum::<usize>(), widths[20..].iter().sum::<usize>()), (222, 122));
    }
}
