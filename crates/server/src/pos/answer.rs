//! The bytes of an answer, from the message that it answers.

use domain::envelope::Time;
use iso8583::profile::Format;
use iso8583::{Builder, Digits, Message, Value};

use super::acquirer::Acquirer;
use super::moment::local;
use super::switch::Told;

/// Field 39.
const ANSWER_CODE: u8 = 39;
/// Bytes of a MAC.
pub(crate) const MAC: usize = 8;

/// The type of the answer to a request or an advice; `None` of what is answered by nothing, as an answer is.
pub(crate) fn answer_type(mti: [u8; 4]) -> Option<[u8; 4]> {
    let [version, class, function, _] = mti;
    let function = match function {
        b'0' => b'1',
        b'2' => b'3',
        _ => return None,
    };
    Some([version, class, function, b'0'])
}

/// The answer: what the profile repeats, date and time, the code, what it says besides; zeros for its MAC, if it has one.
///
/// # Errors
/// [`iso8583::Error`]: the profile lays out one of these fields so that it cannot hold what goes there.
pub(crate) fn answer(
    acquirer: &Acquirer,
    asked: &Message<'_, '_>,
    answer_type: [u8; 4],
    told: &Told,
    now: Time,
) -> Result<Vec<u8>, iso8583::Error> {
    let mut answer = Builder::new(&acquirer.messages, answer_type)?;
    for number in acquirer.repeated.iter().copied().filter(|number| asked.has(*number)) {
        answer.set(number, asked.value(number)?)?;
    }
    let (date, time) = local(now);
    answer.digits(acquirer.date, &date)?.digits(acquirer.time, &time)?.text(ANSWER_CODE, &told.code)?;
    for (number, content) in told.fields.iter() {
        let value = match acquirer.messages.field(number).map(|field| field.format) {
            Some(Format::N | Format::Z) => Value::Digits(Digits::of(std::str::from_utf8(content).unwrap_or_default())),
            Some(Format::An | Format::Ans) => Value::Text(content),
            Some(Format::B) | None => Value::Bytes(content),
        };
        answer.set(number, value)?;
    }
    if told.proof.is_some() {
        answer.bytes(acquirer.security.mac_field, &[0; MAC])?;
    }
    answer.encode()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn requests_and_advices_are_answered_and_answers_are_not() {
        for (asked, told) in [(b"0200", Some(b"0210")), (b"0421", Some(b"0430")), (b"0210", None), (b"0840", None)] {
            assert_eq!(answer_type(*asked), told.copied());
        }
    }

    #[test]
    fn an_answer_repeats_what_the_profile_says_and_has_the_time_of_shanghai() {
        let acquirer = Acquirer::load(Path::new("")).unwrap();
        let mut sale = Builder::new(&acquirer.messages, *b"0200").unwrap();
        sale.digits(2, "6230606601007726888").unwrap().digits(3, "000000").unwrap().digits(11, "000077").unwrap();
        let bytes = sale.text(41, "10000001").unwrap().encode().unwrap();
        let asked = Message::decode(&acquirer.messages, &bytes).unwrap();
        // 2026-12-31 16:00:59.999 in Greenwich is the next year in Shanghai.
        let bytes = answer(&acquirer, &asked, *b"0210", &Told::of("51"), Time(1_798_732_859_999)).unwrap();
        let told = Message::decode(&acquirer.messages, &bytes).unwrap();
        assert_eq!((told.mti(), told.fields().collect::<Vec<_>>()), (*b"0210", vec![3, 11, 12, 13, 39, 41]));
        assert_eq!(told.digits(12).unwrap(), "000059");
        assert_eq!(told.digits(13).unwrap(), "0101");
        assert_eq!(told.text(39).unwrap(), "51");
    }
}
