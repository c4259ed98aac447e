//! A member's link on the network's side: what is heard on it, and what is said, late, twice or never, as the plan has it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::CardNetwork;
use super::ledger::name_of;
use super::plan::Fate;
use super::wire::{self, Came, Fields, MAC, answer_type, text};

/// Answers that wait for a member to read, at most.
const WAITING: usize = 10_000;

/// A member's link until it ends or is cut.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite, network: Arc<CardNetwork>) {
    let mut cut = network.cut.subscribe();
    cut.mark_unchanged();
    let (reading, mut writing) = tokio::io::split(stream);
    let (say, mut says) = mpsc::channel::<Vec<u8>>(WAITING);
    let (end, mut ends) = mpsc::channel::<()>(1);
    let reads = async {
        let mut reading = BufReader::new(reading);
        while let Ok(frame) = wire::next(&mut reading).await {
            let Ok(came) = network.wire.read(&frame) else { return };
            hear(&network, came, &say, &end).await;
        }
    };
    let writes = async {
        while let Some(frame) = says.recv().await {
            if writing.write_all(&frame).await.is_err() || writing.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reads => {}
        () = writes => {}
        _ = ends.recv() => {}
        _ = cut.changed() => {}
    }
}

/// Takes a message.
async fn hear(network: &Arc<CardNetwork>, came: Came, say: &mpsc::Sender<Vec<u8>>, end: &mpsc::Sender<()>) {
    if came.mti[2] == b'1' || came.mti[2] == b'3' {
        // The answer to a key reset: a member that refuses asks again.
        return;
    }
    if came.mti[1] == b'8' {
        if let Ok(frames) = manage(network, &came) {
            for frame in frames {
                drop(say.send(frame).await);
            }
        }
        return;
    }
    let right = came.fields.get(&MAC).is_some_and(|mac| mac[..] == network.zone.tag(&came.covered));
    if !right {
        let mut fields = came.fields.clone();
        fields.retain(|number, _| [3, 4, 7, 11, 32, 33, 37, 41, 42].contains(number));
        fields.insert(39, b"A0".to_vec());
        if let Ok(frame) = signed(network, &came, answer_type(came.mti), &fields) {
            drop(say.send(frame).await);
        }
        return;
    }
    let (network, say, end) = (Arc::clone(network), say.clone(), end.clone());
    tokio::spawn(async move { answer(&network, &came, &say, &end).await });
}

/// Carries it out and answers, as the plan has it.
async fn answer(network: &CardNetwork, came: &Came, say: &mpsc::Sender<Vec<u8>>, end: &mpsc::Sender<()>) {
    let plan = &network.plan;
    let fate = network.fate(came.mti, &name_of(came.mti, &came.fields));
    if fate == Fate::LostBefore {
        return;
    }
    let ms = Duration::from_millis;
    if plan.delay_ms > 0 {
        sleep(ms(plan.delay_ms)).await;
    }
    let told = match came.mti[1] {
        b'4' => network.ledger().reverse(&came.fields),
        b'6' => network.ledger().report(&came.fields),
        _ => network.ledger().ask(came.mti, &came.fields, plan, &network.zone),
    };
    let Ok(frame) = signed(network, came, answer_type(came.mti), &told) else { return };
    let times = match fate {
        Fate::LostBefore | Fate::LostAfter => 0,
        Fate::Cut => {
            // An end that is known already needs no telling.
            end.try_send(()).ok();
            0
        }
        Fate::Late => {
            sleep(ms(plan.late_ms)).await;
            1
        }
        Fate::Answered => 1,
        Fate::Twice => 2,
    };
    for _ in 0..times {
        drop(say.send(frame.clone()).await);
    }
}

fn signed(network: &CardNetwork, to: &Came, mti: [u8; 4], fields: &Fields) -> Result<Vec<u8>> {
    network.wire.frame(to, mti, fields, Some(&|covered| network.zone.tag(covered)))
}

/// Answers what is about the link, and brings a key that was asked for.
fn manage(network: &CardNetwork, came: &Came) -> Result<Vec<Vec<u8>>> {
    let mut fields: Fields = came.fields.clone();
    fields.retain(|number, _| [7, 11, 33, 70].contains(number));
    fields.insert(39, b"00".to_vec());
    let mut frames = vec![network.wire.frame(came, answer_type(came.mti), &fields, None)?];
    if text(&came.fields, 70) == "101" {
        let which = text(&came.fields, 53).as_bytes().first().copied().context("which key")?;
        frames.push(brought(network, came, which)?);
    }
    Ok(frames)
}

fn brought(network: &CardNetwork, came: &Came, which: u8) -> Result<Vec<u8>> {
    let (encrypted, check) = network.zone.brought(which).context("no such key")?;
    let mut fields: Fields = came.fields.clone();
    fields.retain(|number, _| [7, 33, 53, 70].contains(number));
    fields.insert(11, format!("{:06}", network.next_trace()).into_bytes());
    fields.insert(48, format!("NK{}", hex::encode_upper(encrypted)).into_bytes());
    fields.insert(96, check.to_vec());
    signed(network, came, *b"0800", &fields)
}
