//! The reading of a module's answers without a module, for the fuzz target of it.

use zeroize::Zeroizing;

use super::{
    dialect::{Command, Dialect},
    layout::{self, Awaited, Field},
    wire::{self, Answer},
};
use crate::financial::TerminalCipher;

impl Dialect {
    /// Reads a frame as the answer to the command of this number, in a request that said `purpose`: the lengths of the
    /// fields that it gives, a status as its code, or `None` for what is no such answer.
    #[doc(hidden)]
    #[must_use]
    pub fn read_answer(&self, command: usize, purpose: &[u8], frame: &[u8]) -> Option<Vec<usize>> {
        let command = Command::ALL[command % Command::ALL.len()];
        let verb = self.verb(command).ok()?;
        let fields = match wire::parse(self, &self.header(0), verb, frame).ok()? {
            Answer::Done(fields) => fields,
            Answer::Status(status) => {
                let _ = self.status("fuzz", command.name(), &status);
                return Some(vec![status.len()]);
            }
        };
        let sent = vec![(Field::Purpose, Zeroizing::new(purpose.to_vec()))];
        let names = self.cipher(TerminalCipher::Sm4).ok()?;
        let key = Some((names.prefix.as_slice(), self.key_coding, names.bytes));
        let lengths = [(Field::Check, self.check_bytes), (Field::Mac, 8), (Field::Block, 16), (Field::Encrypted, 16)];
        let given = layout::read(&verb.response, &fields, &sent, &Awaited { key, lengths: &lengths }).ok()?;
        Some(given.iter().map(|(_, bytes)| bytes.len()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Dialect};

    /// Some bytes behind the right front are an answer, and fewer are another one or none.
    #[test]
    fn a_frame_is_read_as_the_command_answers() {
        let dialect = Dialect::from_toml(include_str!("../../tests/it/fhsm/text.toml")).expect("a profile");
        let place = Command::ALL.iter().position(|command| *command == Command::CheckMac).expect("one of them");
        let verb = dialect.verb(Command::CheckMac).expect("in the profile");
        let frame = [dialect.header(0), verb.answer.clone(), dialect.ok.clone()].concat();
        assert_eq!(dialect.read_answer(place, b"", &frame), Some(vec![]));
        assert_eq!(dialect.read_answer(place, b"", &frame[1..]), None, "another header");
        assert_eq!(dialect.read_answer(place, b"", &frame[..frame.len() - 1]), None, "without its status");
        assert_eq!(dialect.read_answer(place, b"", &[frame.as_slice(), b"x"].concat()), None, "a byte too many");
        let mut other = frame;
        let last = other.len() - 1;
        other[last] ^= 1;
        assert_eq!(dialect.read_answer(place, b"", &other), Some(vec![dialect.ok.len()]), "a status");
    }
}
