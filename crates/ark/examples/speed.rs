//! How fast the ark is here: `cargo run --profile fast -p ark --example speed`.
//!
//! Each figure stands beside another of the same run, because machines differ and ratios less so.
#![expect(clippy::print_stdout, reason = "a program that prints its measurements")]

use std::{hint::black_box, time::Instant};

use ark::{CertificateType, Error, Field, Identity, Kind, MacKey, Vault, sm4_gcm::Sm4Key};

const MEGABYTE: usize = 1 << 20;
const PHONE: Field = Field::new("customer.phone", Kind::Phone);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let block = vec![0x5a; MEGABYTE];
    let (key, mac_key) = (Sm4Key::generate()?, MacKey::generate()?);
    report("SM3, MB", per_second(200, |_| Ok(black_box(ark::sm3(&block))))?);
    report("SM4-GCM sealing, MB", per_second(50, |_| key.seal(b"", &block))?);
    report("HMAC-SM3 of 500 bytes", per_second(200_000, |_| Ok(black_box(mac_key.tag(&block[..500]))))?);

    let directory = tempfile::tempdir()?;
    let vault = Vault::open_with_key_file(directory.path())?;
    let people = |first: u64, count: u64| -> Result<Vec<Identity>, ark::IdentityError> {
        (first..first + count)
            .map(|number| Identity::new(CertificateType::Passport, &format!("P{number:09}").into()))
            .collect()
    };
    let (singly, together) = (people(0, 500)?, people(500, 20_000)?);
    report("customers created one by one", per_second(500, |index| vault.get_or_create(&singly[index]))?);
    let started = Instant::now();
    vault.get_or_create_many(&together)?;
    report("customers created together", together.len() as f64 / started.elapsed().as_secs_f64());
    report("customers found", per_second(20_000, |index| vault.identity(&together[index]))?);

    let one = vault.get_or_create(&singly[0])?.id();
    let sealed = vault.seal(one, PHONE, &"13812345678".into())?;
    report("fields sealed", per_second(20_000, |_| vault.seal(one, PHONE, &"13812345678".into()))?);
    report("fields unsealed", per_second(20_000, |_| vault.unseal(one, PHONE, &sealed))?);
    Ok(())
}

fn per_second<T>(times: usize, mut work: impl FnMut(usize) -> Result<T, Error>) -> Result<f64, Error> {
    let started = Instant::now();
    for index in 0..times {
        black_box(work(index)?);
    }
    Ok(times as f64 / started.elapsed().as_secs_f64())
}

fn report(what: &str, rate: f64) {
    println!("{what:32} {rate:>12.0} /s");
}
