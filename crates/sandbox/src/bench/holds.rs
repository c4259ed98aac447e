//! Two-phase transfers: money is held, then moved, as items of postings. A posting of a lane confirms what the one before it
//! held and holds the next chunk, so that each has about as many of the one as of the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use minicbor::{Decode, Encoder};
use tokio::sync::mpsc::Receiver;

use super::connection::{Connection, Signer};
use super::load::{Lane, Shared, exchange};
use super::postings::Transfer;
use super::preset::Codec;

/// How long a hold lasts unless it is confirmed, in milliseconds: longer than any run.
const LASTS_MS: u64 = 86_400_000;

/// What was held and is to be confirmed.
#[derive(Debug, Default)]
struct Held {
    /// Holds with their receivers.
    holds: Vec<(u64, u64)>,
    amount: i128,
    /// When they were sent.
    began: Option<Instant>,
}

/// The fields of an answer that a lane needs: what was refused, and what was made.
#[derive(Debug, Decode)]
struct Answer {
    #[n(4)]
    refused: Vec<(u32, (u64, String, String))>,
    #[n(5)]
    #[cbor(default)]
    made: Vec<u64>,
}

/// Holds and confirms what comes.
///
/// # Errors
/// If the platform refuses something or the connection breaks.
pub(crate) async fn lane(
    mut chunks: Receiver<Vec<Transfer>>,
    mut connection: Connection,
    signer: Signer,
    shared: Arc<Shared>,
) -> Result<Lane> {
    /// Streams are the process's: each lane has its own.
    static LANES: AtomicU64 = AtomicU64::new(1);
    let stream = format!("bench-hold-{}", LANES.fetch_add(1, Ordering::Relaxed));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let until = u64::try_from(now)? + LASTS_MS;
    let (mut lane, mut held, mut number) = (Lane::default(), Held::default(), 0);
    loop {
        // At the end, or asked to stop, what is held is still confirmed.
        let chunk = if shared.stop.is_asked() { None } else { chunks.recv().await };
        let chunk = chunk.unwrap_or_default();
        if chunk.is_empty() && held.holds.is_empty() {
            return Ok(lane);
        }
        number += 1;
        let body = posting(&stream, number, &held.holds, &chunk, until)?;
        let began = Instant::now();
        let answer = exchange(&mut connection, &signer, Codec::Cbor, &body, &shared).await?;
        let Answer { refused, made } = minicbor::decode(&answer).context("reading the answer to holds")?;
        ensure!(refused.is_empty(), "{} holds or confirms were refused; the first: {:?}", refused.len(), refused[0]);
        ensure!(made.len() == held.holds.len() + chunk.len(), "{} items were answered: {}", made.len(), stream);
        if let Some(began) = held.began {
            lane.times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        let confirmed = held.holds.len();
        lane.transfers += confirmed as u64;
        lane.amount += held.amount;
        shared.done.fetch_add(confirmed as u64, Ordering::Relaxed);
        let holds = made[confirmed..].iter().zip(&chunk).map(|(hold, transfer)| (*hold, transfer.credit)).collect();
        let amount = chunk.iter().map(|transfer| i128::from(transfer.amount)).sum();
        held = Held { holds, amount, began: (!chunk.is_empty()).then_some(began) };
    }
}

/// `[stream, number, false, [[hold, null, receiver], …, [account, amount, CNY, expiry, null, null], …]]`.
fn posting(stream: &str, number: u64, confirm: &[(u64, u64)], hold: &[Transfer], until: u64) -> Result<Vec<u8>> {
    let mut out = Encoder::new(Vec::with_capacity(64 + confirm.len() * 16 + hold.len() * 24));
    out.array(4)?.str(stream)?.u64(number)?.bool(false)?.array((confirm.len() + hold.len()) as u64)?;
    for (hold, receiver) in confirm {
        out.array(3)?.u64(*hold)?.null()?.u64(*receiver)?;
    }
    for Transfer { debit, amount, .. } in hold {
        out.array(6)?.u64(*debit)?.i64(*amount)?.u8(0)?.u64(until)?.null()?.null()?;
    }
    Ok(out.into_writer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posting_confirms_first_and_holds_then() {
        let hold = [Transfer { debit: 5, credit: 6, amount: 70 }];
        let body = posting("s", 9, &[(3, 4)], &hold, 1_000).unwrap();
        let expected = [
            &[0x84, 0x61, b's', 9, 0xf4, 0x82][..],
            &[0x83, 3, 0xf6, 4],
            &[0x86, 5, 0x18, 70, 0, 0x19, 0x03, 0xe8, 0xf6, 0xf6],
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn an_answer_is_read_with_and_without_what_was_made() {
        let refused = [(1_u32, (7_u64, "hold", "no"))];
        let whole = minicbor::to_vec((1_u64, 2_u64, 3_u32, 4_u64, refused, [5_u64, 6])).unwrap();
        let answer: Answer = minicbor::decode(&whole).unwrap();
        assert_eq!((answer.refused[0].0, answer.made), (1, vec![5, 6]));
        let plain = minicbor::to_vec((1_u64, 2_u64, 3_u32, 4_u64, [0_u64; 0])).unwrap();
        assert!(minicbor::decode::<Answer>(&plain).unwrap().made.is_empty());
    }
}
