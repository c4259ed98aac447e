//! Dates as other systems write them: `YYMMDD`, `DD.MM.YYYY`, `YYYY-MM-DD *`.

use anyhow::{Result, bail};
use domain::calendar::Date;

/// How dates are written: years, months and days between characters that stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateForm {
    text: String,
    parts: Vec<Part>,
    /// Years of two digits at or above it are of 19xx, others of 20xx.
    pivot: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year4,
    Year2,
    Month,
    Day,
    Mark(char),
    /// Whatever follows, such as a time of day.
    Rest,
}

impl DateForm {
    /// Reads a form: `YYYY` or `YY`, `MM`, `DD`, each once; `*` at its end is any further text.
    ///
    /// # Errors
    /// A form without year, month or day, or with one twice; `YY` without a pivot, or a pivot without it.
    pub(crate) fn new(form: &str, pivot: Option<u8>) -> Result<Self> {
        let words =
            [("YYYY", Part::Year4), ("YY", Part::Year2), ("MM", Part::Month), ("DD", Part::Day), ("*", Part::Rest)];
        let (mut rest, mut parts) = (form, Vec::new());
        while let Some(mark) = rest.chars().next() {
            let word = words.iter().find(|(word, _)| rest.starts_with(word));
            let (length, part) = word.map_or((mark.len_utf8(), Part::Mark(mark)), |(word, part)| (word.len(), *part));
            parts.push(part);
            rest = rest.get(length..).unwrap_or_default();
        }
        let count = |wanted: &[Part]| parts.iter().filter(|part| wanted.contains(part)).count();
        let is_whole =
            [&[Part::Year4, Part::Year2][..], &[Part::Month], &[Part::Day]].iter().all(|part| count(part) == 1);
        if !is_whole {
            bail!("form is '{form:.64}'; write YYYY or YY, MM and DD, each once, such as YYYY-MM-DD");
        }
        if parts.iter().rev().skip(1).any(|part| *part == Part::Rest) {
            bail!("form is '{form:.64}'; * stands for the rest, at the end");
        }
        let pivot = match (count(&[Part::Year2]), pivot) {
            (0, None) => 0,
            (0, Some(_)) => bail!("pivot goes with years of two digits, and form is '{form}'"),
            (_, Some(pivot @ 0..=99)) => pivot,
            (_, Some(pivot)) => bail!("pivot is {pivot}; use 0 to 99"),
            (_, None) => bail!("years of two digits take a pivot: with pivot = 70, 70 is 1970 and 69 is 2069"),
        };
        Ok(Self { text: form.to_owned(), parts, pivot })
    }

    /// The date of a text.
    ///
    /// # Errors
    /// What is wrong with it, for who mends the row.
    pub(crate) fn parse(&self, text: &str) -> Result<Date, String> {
        let wrong = || format!("the date '{text:.32}' is not of the form {}", self.text);
        let (mut rest, mut year, mut month, mut day) = (text, 0_i16, 0_i8, 0_i8);
        for part in &self.parts {
            let mut number = |length: usize| -> Option<i16> {
                let digits = rest.get(..length).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
                rest = rest.get(length..)?;
                digits.parse().ok()
            };
            match part {
                Part::Year4 => year = number(4).ok_or_else(wrong)?,
                Part::Year2 => {
                    let of_century = number(2).ok_or_else(wrong)?;
                    let century = if of_century >= i16::from(self.pivot) { 1900 } else { 2000 };
                    year = century + of_century;
                }
                Part::Month => month = number(2).and_then(|month| i8::try_from(month).ok()).ok_or_else(wrong)?,
                Part::Day => day = number(2).and_then(|day| i8::try_from(day).ok()).ok_or_else(wrong)?,
                Part::Mark(mark) => rest = rest.strip_prefix(*mark).ok_or_else(wrong)?,
                Part::Rest => rest = "",
            }
        }
        if !rest.is_empty() {
            return Err(wrong());
        }
        Date::new(year, month, day)
            .ok_or_else(|| format!("there is no date {year:04}-{month:02}-{day:02} ('{text:.32}')"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(form: &str, pivot: Option<u8>) -> DateForm {
        DateForm::new(form, pivot).unwrap()
    }

    fn date(year: i16, month: i8, day: i8) -> Date {
        Date::new(year, month, day).unwrap()
    }

    #[test]
    fn a_date_is_read_by_its_form() {
        let cases = [
            ("YYMMDD", Some(70), "930101", date(1993, 1, 1)),
            ("YYMMDD", Some(70), "691231", date(2069, 12, 31)),
            ("YYMMDD", Some(70), "700101", date(1970, 1, 1)),
            ("YYYY-MM-DD", None, "2024-02-29", date(2024, 2, 29)),
            ("DD.MM.YYYY", None, "31.12.1999", date(1999, 12, 31)),
            ("YYYY年MM月DD日", None, "2026年03月05日", date(2026, 3, 5)),
            ("YYYY-MM-DD *", None, "2026-03-05 17:01:59", date(2026, 3, 5)),
        ];
        for (pattern, pivot, text, expected) in cases {
            assert_eq!(form(pattern, pivot).parse(text), Ok(expected), "{pattern} {text}");
        }
        // 1900 was no leap year.
        assert!(form("YYMMDD", Some(0)).parse("000229").unwrap_err().contains("there is no date 1900-02-29"));
    }

    #[test]
    fn what_is_no_date_is_said() {
        let six = form("YYMMDD", Some(70));
        for text in ["", "93010", "9301011", "93-101", "93０101", "93010x", "+30101"] {
            assert!(six.parse(text).unwrap_err().contains("is not of the form YYMMDD"), "{text}");
        }
        for text in ["930229", "931301", "930100", "930001"] {
            assert!(six.parse(text).unwrap_err().contains("there is no date"), "{text}");
        }
        assert!(form("DD.MM.YYYY", None).parse("5.3.2026").is_err());
    }

    #[test]
    fn a_form_names_year_month_and_day_once() {
        for (pattern, pivot) in [
            ("", None),
            ("YYYYMM", None),
            ("YYYYMMDDDD", None),
            ("YYYY-YY-MM-DD", Some(70)),
            ("* YYYY-MM-DD", None),
            ("YYMMDD", None),
            ("YYMMDD", Some(100)),
            ("YYYYMMDD", Some(70)),
        ] {
            assert!(DateForm::new(pattern, pivot).is_err(), "{pattern}");
        }
    }
}
