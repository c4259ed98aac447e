//! `cargo run --profile fast -p iso8583 --example sale`: how many full sales a second one core reads and writes.

use std::hint::black_box;
use std::time::Instant;

use iso8583::profile::POS_TERMINAL;
use iso8583::{Builder, Message, Profile};

const ROUNDS: u32 = 1_000_000;

#[expect(clippy::print_stdout, reason = "what it is run for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profile = Profile::parse(POS_TERMINAL)?;
    let mut builder = Builder::new(&profile, *b"0200")?;
    let mut bytes = Vec::new();
    fill(&mut builder, 1)?;
    builder.encode_into(&mut bytes)?;
    println!("a sale of {} bytes, {} fields", bytes.len(), Message::decode(&profile, &bytes)?.fields().count());

    let begin = Instant::now();
    for _ in 0..ROUNDS {
        black_box(Message::decode(&profile, black_box(&bytes))?);
    }
    report("decode", begin);
    let begin = Instant::now();
    for amount in 0..ROUNDS {
        fill(&mut builder, i64::from(amount))?;
        bytes.clear();
        builder.encode_into(&mut bytes)?;
        black_box(Message::decode(&profile, black_box(&bytes))?.amount(4)?);
    }
    report("set all fields, encode and decode", begin);
    Ok(())
}

/// Every field of a sale by chip and PIN.
fn fill(sale: &mut Builder<'_>, amount: i64) -> Result<(), iso8583::Error> {
    sale.clear(*b"0200")?;
    sale.digits(2, "6230606601007726888")?.digits(3, "000000")?.amount(4, amount)?.digits(11, "000077")?;
    sale.digits(14, "3012")?.digits(22, "051")?.digits(23, "001")?.digits(25, "00")?.digits(26, "12")?;
    sale.digits(35, "6230606601007726888D30122010000012345")?;
    sale.text(41, "10000001")?.text(42, "898110070110001")?.text(49, "156")?;
    sale.bytes(52, &[7; 8])?.digits(53, "2600000000000000")?.bytes(55, &[0x95; 120])?;
    sale.digits(60, "22000001000")?.bytes(64, &[7; 8])?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it is run for")]
fn report(what: &str, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    println!("{what}: {:.0} a second", f64::from(ROUNDS) / seconds);
}
