//! The files of a day (6103), as the fixtures show them: JY has payments and refunds, TX withdrawals and those that came back. The
//! bank's layout is not public.
//!
//! ```text
//! type&date&in count&in sum&out count&out sum&            sums of both files
//! flag&ThirdLogNo&FrontLogNo&amount&our sub-account&
//! ```

use std::fmt::Write as _;

use jiff::civil::Date;

use super::super::days::{FileLine, NoFile};
use super::super::names::{Rail, Verb};
use super::message::Asked;
use super::{
    Bank, Refused, SANDBOX_PINGAN_ACCOUNT, SANDBOX_PINGAN_SUMMARY, Said, codes, day_of, digits, front, log_of,
    return_id, yuan,
};

impl Bank {
    /// 6103: a file of a day that is over.
    pub(super) fn pingan_file(&self, asked: &Asked) -> Result<Said, Refused> {
        let [summary, kind, day, _] = asked.values.as_slice() else { return Err(Refused::Field("body")) };
        let date = day_of(day).filter(|_| summary == SANDBOX_PINGAN_SUMMARY).ok_or(Refused::Field("FileDate"))?;
        let takes: fn(Option<Verb>) -> bool = match kind.as_str() {
            "JY" => |verb| matches!(verb, Some(Verb::Debit | Verb::Refund)),
            "TX" => |verb| matches!(verb, Some(Verb::Pay) | None),
            _ => return Err(Refused::Field("FileType")),
        };
        Ok(match self.pingan_lines(date, kind, takes) {
            Ok(text) => Said::Message(self.pingan.answered(asked, codes::DONE, text)),
            Err(NoFile::NotReady) => Said::NotReady,
            Err(NoFile::NoPart) => Said::NoPart,
        })
    }

    fn pingan_lines(&self, date: Date, kind: &str, takes: fn(Option<Verb>) -> bool) -> Result<String, NoFile> {
        let part = self.days.part(date, Rail::PingAn, 1, usize::MAX)?;
        let totals = part.totals;
        let (into, out) = (yuan(totals.in_sum), yuan(totals.out_sum));
        let mut text = format!("{kind}&{}&{}&{into}&{}&{out}&\n", digits(date), totals.in_count, totals.out_count);
        for FileLine { serial, verb, amount } in part.lines.iter().filter(|line| takes(line.verb)) {
            let (flag, number) = match verb {
                Some(verb) => (codes::of(*verb).map_or("", |(_, flag)| flag), front(*serial)),
                None => ("T", return_id(*serial)),
            };
            let (log, amount) = (log_of(*serial), yuan(*amount));
            writeln!(text, "{flag}&{log}&{number}&{amount}&{SANDBOX_PINGAN_ACCOUNT}&")
                .expect("a String takes every text");
        }
        Ok(text)
    }
}
