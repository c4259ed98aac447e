//! `lintel ledger export`: vouchers of closed days as CSV for a finance ledger, with control totals.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use domain::calendar::Date;

use super::client::{Client, target};
use super::day_vouchers::{self, Day, Page, Voucher};
use super::print;
use super::remote::Connection;
use crate::config::Config;
use crate::export::check;
use crate::export::control::{BookTotal, Control, DayTotal, FileTotal, Sides, Turnovers, turnovers};
use crate::export::rows::Place;
use crate::export::template::{Encoding, Template};
use crate::files::{beside, publish};

pub(super) const HELP: &str = "\
One row an entry, with the columns that the template names. Beside FILE stands FILE.control.json with the control totals: \
vouchers, entries, debits and credits by book and currency, the first and the last voucher, the journal's position and hash \
they were read at, and the file's own size and SM3.

Before FILE appears, it is read back: its sums must equal the turnovers of the days' trial balances. If they differ, or if \
anything fails, there is no FILE.

Days that may still get vouchers are refused unless --open asks for them.

Example:
  lintel ledger export --from 2026-03-01 --to 2026-03-31 --template finance.toml --out march.csv

docs/export.md explains the template with an example.";

/// Write vouchers for a finance ledger, with control totals.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Export {
    /// The first accounting date.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last accounting date.
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// Which columns, and what the finance ledger calls our subjects.
    #[arg(long, value_name = "TEMPLATE.toml")]
    template: PathBuf,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Take days too that are neither sealed nor closed: they may get more vouchers afterwards.
    #[arg(long)]
    open: bool,
}

/// What was written so far.
struct Written {
    csv: csv::Writer<Vec<u8>>,
    control: Control,
    /// What the vouchers of all days moved.
    moved: Turnovers,
}

impl Export {
    /// Does it, and prints the control totals.
    ///
    /// # Errors
    /// Days that are not over, sums that differ, files that cannot be written.
    pub(super) fn run(&self, connection: &Connection, config: &Config) -> Result<()> {
        connection.refuse_idempotency_key()?;
        if self.from > self.to {
            bail!("{} comes after {}; name the earlier date first", self.from, self.to);
        }
        let template = Template::read(&self.template)?;
        let control_path = beside(&self.out, ".control.json");
        for path in [&self.out, &control_path] {
            if path.exists() {
                bail!("{} is there already; name another file", path.display());
            }
        }
        let client = connection.client(config)?;
        let mut written = self.read(&client, &template)?;
        let bytes = bytes(&template, &mut written)?;
        check::check(&template, &bytes, written.control.entries, &written.moved)
            .context("the file was read back and is not published")?;
        written.control.file = Some(FileTotal {
            name: self.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            bytes: bytes.len() as u64,
            sm3: hex::encode(ark::sm3(&bytes)),
        });
        let totals = serde_json::to_string_pretty(&written.control).context("writing the control totals")?;
        publish(&control_path, format!("{totals}\n").as_bytes())?;
        publish(&self.out, &bytes)?;
        if connection.wants_json() {
            print(&format!("{}\n", serde_json::to_string(&written.control).context("writing the control totals")?));
        } else {
            print(&text(&written.control, &self.out));
        }
        Ok(())
    }

    /// Reads every day's vouchers and compares each day with its trial balance.
    fn read(&self, client: &Client, template: &Template) -> Result<Written> {
        let mut writer = csv::WriterBuilder::new();
        writer.delimiter(u8::try_from(template.file.delimiter).context("the template was checked")?);
        writer.terminator(csv::Terminator::CRLF);
        let control = Control::new(self.from.to_string(), self.to.to_string());
        let mut written = Written { csv: writer.from_writer(Vec::new()), control, moved: Turnovers::new() };
        if template.file.titles {
            written.csv.write_record(template.titles()).context("writing the titles")?;
        }
        for day in self.days(client)? {
            written.day(client, template, day)?;
        }
        Ok(written)
    }

    /// The days of the range, if all of them are over or open ones are asked for.
    fn days(&self, client: &Client) -> Result<Vec<Date>> {
        let mut days = Vec::new();
        for day in day_vouchers::days(client)?.data {
            let date = day.date()?;
            if date < self.from || self.to < date {
                continue;
            }
            let Day { status, sealed, .. } = day;
            if status != "closed" && sealed.is_none() && !self.open {
                bail!(
                    "{date} is {status}, not closed: it may get more vouchers; close it, or take it as it is with --open"
                );
            }
            days.push(date);
        }
        if days.is_empty() {
            bail!("the books have no accounting day from {} to {}", self.from, self.to);
        }
        Ok(days)
    }
}

impl Written {
    fn day(&mut self, client: &Client, template: &Template, date: Date) -> Result<()> {
        let mut total = DayTotal { date: date.to_string(), status: String::new(), vouchers: 0, entries: 0 };
        let mut moved = Turnovers::new();
        day_vouchers::pages(client, date, |page| {
            let Page { status, journal, data, .. } = page;
            total.status = status;
            self.control.journal = Some(journal);
            for mut voucher in data {
                voucher.entries.retain(|entry| template.takes(&entry.book));
                if !voucher.entries.is_empty() {
                    self.voucher(template, &voucher, &mut moved)?;
                    total.vouchers += 1;
                    total.entries += voucher.entries.len() as u64;
                }
            }
            Ok(())
        })?;
        let trial = client.get(&target(&["v1", "days", &total.date, "trial-balance"], &[]))?;
        let mut expected = turnovers(trial)?;
        expected.retain(|(book, ..), _| template.takes(book));
        refuse_difference(&total, &moved, &expected)?;
        for (key, sides) in moved {
            let sum = self.moved.entry(key).or_default();
            sum.debit += sides.debit;
            sum.credit += sides.credit;
        }
        self.control.days.push(total);
        self.control.totals = by_book(&self.moved);
        Ok(())
    }

    fn voucher(&mut self, template: &Template, voucher: &Voucher, moved: &mut Turnovers) -> Result<()> {
        self.control.count(voucher);
        for (line, entry) in (1..).zip(&voucher.entries) {
            let key = (entry.book.clone(), entry.subject, entry.currency.clone());
            moved.entry(key).or_default().add(entry.side == "debit", entry.amount);
            let place = Place { voucher, entry, voucher_number: self.control.vouchers, line };
            self.csv.write_record(template.row(place)?).context("writing a row")?;
        }
        Ok(())
    }
}

fn refuse_difference(day: &DayTotal, moved: &Turnovers, expected: &Turnovers) -> Result<()> {
    if moved == expected {
        return Ok(());
    }
    let differs = |key: &&(String, u16, String)| moved.get(*key) != expected.get(*key);
    let Some(key) = moved.keys().chain(expected.keys()).find(differs) else { return Ok(()) };
    let of = |sums: &Turnovers| sums.get(key).copied().unwrap_or_default();
    let (Sides { debit, credit }, trial) = (of(moved), of(expected));
    bail!(
        "{}: the vouchers move {} {} {} by debits {debit} and credits {credit}, the trial balance says {} and {} (minor \
         units){}",
        day.date,
        key.0,
        key.1,
        key.2,
        trial.debit,
        trial.credit,
        if day.status == "closed" { "" } else { "; the day goes on: try again when it does not" }
    )
}

fn by_book(moved: &Turnovers) -> Vec<BookTotal> {
    let mut totals: Vec<BookTotal> = Vec::new();
    for ((book, _, currency), sides) in moved {
        let at = totals.iter().position(|total| total.book == *book && total.currency == *currency);
        let at = at.unwrap_or_else(|| {
            totals.push(BookTotal { book: book.clone(), currency: currency.clone(), sides: Sides::default() });
            totals.len() - 1
        });
        if let Some(total) = totals.get_mut(at) {
            total.sides.debit += sides.debit;
            total.sides.credit += sides.credit;
        }
    }
    totals
}

/// The whole file in its encoding.
fn bytes(template: &Template, written: &mut Written) -> Result<Vec<u8>> {
    written.csv.flush().context("writing the rows")?;
    let rows = std::str::from_utf8(written.csv.get_ref()).context("the rows are text")?;
    let lines = |lines: &[String]| -> Result<String> {
        lines.iter().map(|line| written.control.fill(line).map(|line| format!("{line}\r\n"))).collect()
    };
    let text = format!("{}{rows}{}", lines(&template.header)?, lines(&template.trailer)?);
    Ok(match template.file.encoding {
        Encoding::Utf8 if template.file.byte_order_mark => format!("\u{feff}{text}").into_bytes(),
        Encoding::Utf8 => text.into_bytes(),
        Encoding::Gb18030 => encoding_rs::GB18030.encode(&text).0.into_owned(),
    })
}

fn text(control: &Control, out: &Path) -> String {
    let mut text = format!(
        "{} vouchers, {} entries on {} days, {} to {}\n",
        control.vouchers,
        control.entries,
        control.days.len(),
        control.from,
        control.to
    );
    for BookTotal { book, currency, sides } in &control.totals {
        text.push_str(&format!(
            "{book} {currency}: debits {} and credits {} (minor units)\n",
            sides.debit, sides.credit
        ));
    }
    if let Some(journal) = &control.journal {
        text.push_str(&format!("read at journal position {} (hash {})\n", journal.position, journal.hash));
    }
    text.push_str(&format!(
        "{} equals the trial balances; control totals in {}.control.json\n",
        out.display(),
        out.display()
    ));
    text
}
