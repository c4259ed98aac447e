//! How many operations a second the sandbox bank carries out on one core.
//!
//! ```text
//! cargo run --profile fast -p sandbox --example bank_speed -- [SECONDS]
//! ```
//!
//! Starts a bank with one thread and no faults, signs debits beforehand and sends them over four kept-alive
//! connections with one request in flight on each. It prints operations a second by the clock and by the processor
//! time of the bank's thread: the second is what one core can do, whatever else the machine does.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::Context as _;
use ark::MacKey;
use sandbox::bank::{self, Bank, EpccSettings, Plan, Rail, Settings, today};
use tokio::net::TcpListener;

const CONNECTIONS: u64 = 4;
const THREAD: &str = "bank-speed";

static STOP: AtomicBool = AtomicBool::new(false);
static NEXT: AtomicU64 = AtomicU64::new(1);

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse()).context("SECONDS is a whole number")?;
    let key = MacKey::from_bytes([0x5a; 32]);
    let settings = Settings {
        plan: Plan::default(),
        seed: 1,
        key: key.clone(),
        date: today(),
        notify_url: None,
        unionpay: sandbox::bank::UnionPaySign::sandbox(),
        pingan: sandbox::bank::PingAnSettings::default(),
        epcc: EpccSettings::default(),
    };
    let bank = Bank::new(settings);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name(THREAD).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(bank::serve(listener, bank.clone(), future::pending()));

    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let key = key.clone();
            thread::spawn(move || debits(address, &key))
        })
        .collect();
    let (started, cpu_before) = (Instant::now(), cpu_ticks()?);
    thread::sleep(Duration::from_secs(seconds));
    let (elapsed, cpu) = (started.elapsed(), cpu_ticks()? - cpu_before);
    let done = bank.day_totals(today(), Rail::Epcc).in_count;
    STOP.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("a client does not panic")?;
    }
    // Linux counts processor time in hundredths of a second.
    let by_clock = u128::from(done) * 1_000 / elapsed.as_millis();
    println!("{done} debits in {} ms: {by_clock} a second by the clock", elapsed.as_millis());
    println!("processor time of the bank's thread: {} ms: {} a second a core", cpu * 10, done * 100 / cpu.max(1));
    Ok(())
}

/// Debits, one after the other, until told to stop.
fn debits(address: SocketAddr, key: &MacKey) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; 4096];
    while !STOP.load(Ordering::Relaxed) {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        stream.write_all(&request(key, number))?;
        let length = stream.read(&mut answer)?;
        anyhow::ensure!(
            answer[..length].starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer[..length])
        );
    }
    Ok(())
}

fn request(key: &MacKey, number: u64) -> Vec<u8> {
    let serial = format!("20260305{number:016}0{:06}", number % 1_000_000);
    let body =
        format!(r#"{{"serial":"{serial}","rail":"epcc","agreement":"AGR-0007","amount":500000,"currency":"CNY"}}"#);
    let tag = hex::encode(key.tag(format!("POST\n/bank/v1/debit\n{serial}\n{body}").as_bytes()));
    format!(
        "POST /bank/v1/debit HTTP/1.1\r\nhost: bank\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-institution: lintel\r\nx-nonce: {serial}\r\nx-signature: {tag}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Processor time, in hundredths of a second, of the bank's thread so far.
fn cpu_ticks() -> anyhow::Result<u64> {
    for task in fs::read_dir("/proc/self/task").context("reading /proc: this measurement needs Linux")? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        let (name, fields) = stat.rsplit_once(") ").context("a stat line has a name")?;
        if name.ends_with(THREAD) {
            let field = |index| fields.split(' ').nth(index).and_then(|text| text.parse::<u64>().ok());
            // Fields 14 and 15 of proc_pid_stat(5), counted from the third.
            return field(11).zip(field(12)).map(|(user, system)| user + system).context("ticks are whole numbers");
        }
    }
    Ok(0)
}
