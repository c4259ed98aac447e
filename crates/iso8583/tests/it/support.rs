//! Messages that several tests use.

use iso8583::profile::{ASCII_1987, HOST_LINK, POS_TERMINAL};
use iso8583::{Builder, Profile};

/// The three profiles.
pub(crate) fn profiles() -> [Profile; 3] {
    [POS_TERMINAL, HOST_LINK, ASCII_1987].map(|text| Profile::parse(text).unwrap())
}

/// The terminals' profile.
pub(crate) fn terminals() -> Profile {
    Profile::parse(POS_TERMINAL).unwrap()
}

/// A sale by chip and PIN as a terminal sends it, from the message type to the MAC.
pub(crate) fn sale(profile: &Profile) -> Vec<u8> {
    let mut sale = Builder::new(profile, *b"0200").unwrap();
    sale.digits(2, "6230606601007726888").unwrap();
    sale.digits(3, "000000").unwrap();
    sale.amount(4, 12_345).unwrap();
    sale.digits(11, "000077").unwrap();
    sale.digits(14, "3012").unwrap();
    sale.digits(22, "051").unwrap();
    sale.digits(23, "001").unwrap();
    sale.digits(25, "00").unwrap();
    sale.digits(26, "12").unwrap();
    sale.digits(35, "6230606601007726888D30122010000012345").unwrap();
    sale.text(41, "10000001").unwrap();
    sale.text(42, "898110070110001").unwrap();
    sale.text(49, "156").unwrap();
    sale.bytes(52, &hex::decode("CD01D6AD8F0A484C").unwrap()).unwrap();
    sale.digits(53, "2600000000000000").unwrap();
    sale.bytes(55, &hex::decode("9F2608112233445566778895050000000000DF81290130").unwrap()).unwrap();
    sale.digits(60, "22000001000").unwrap();
    sale.bytes(64, b"9EC7D31F").unwrap();
    sale.encode().unwrap()
}
