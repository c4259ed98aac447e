//! A balance (余额查询): asked of the network and passed on. Nothing is booked, and nothing of it stays.

use std::sync::atomic::{AtomicU32, Ordering};

use super::desk::Desk;
use super::known::Known;
use super::outgoing::{fields, passed_back};
use super::{Asked, Decision, Told};
use crate::pos::network::{CardNetwork, Exchange, Identity, Outgoing, digits, sent_at};

/// No transaction of the books names a balance: it takes the highest references, which those will never reach, in turn.
static ASKED: AtomicU32 = AtomicU32::new(0);
const TURNS: u32 = 500_000;
/// Field 3 and field 25 of a balance on the host link.
const SHAPE: (&str, &str) = ("300000", "00");
const LAST_TRACE: u32 = 999_999;

impl<N: CardNetwork> Desk<N> {
    pub(super) async fn balance(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let codes = &asked.acquirer.codes;
        Self::require_online(asked, known)?;
        if asked.batch()? != known.batch {
            return Ok(Told { sign_in: true, ..Told::of(&codes.not_signed_in) });
        }
        let presented = self.card(asked, known, None).await?;
        let pin = self.pin(asked, known, &presented).await?;
        let (turn, now) = (ASKED.fetch_add(1, Ordering::Relaxed) % TURNS, self.now());
        let trace = LAST_TRACE.saturating_sub(turn);
        let identity = Identity {
            sent_at: sent_at(now),
            trace: digits(&format!("{trace:06}")),
            reference: digits(&format!("999999{trace:06}")),
        };
        let fields = fields(asked, known, SHAPE, (&presented, pin), now);
        let outgoing = Outgoing { mti: *b"0200", identity, fields, timeout: self.patience };
        Ok(match self.network.exchange(outgoing).await {
            Exchange::Answered(answered) if answered.is_yes() => {
                Told { fields: passed_back(&answered), ..Told::of(&codes.approved) }
            }
            Exchange::Answered(answered) => Told { fields: passed_back(&answered), ..Told::of(answered.code()) },
            Exchange::NotSent { .. } => Told::of(&codes.unreachable),
            Exchange::Unanswered => Told::of(&codes.no_answer),
        })
    }
}
