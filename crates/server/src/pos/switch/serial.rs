//! The serial that a message shows (终端唯一序列号, TUSN; 259号文): a terminal's keys in another device show by it.
//!
//! ```text
//!  message whose MAC is right ─► shows no serial ─ may lack ─► goes on; else 30
//!                                shows another, or cannot prove it ─► suspended, 58, nothing is booked
//! ```

use domain::terminal::{TerminalCommand, TerminalStatus};
use domain::{Command, State};

use super::desk::{Desk, key_service_failed};
use super::known::Known;
use super::{Asked, Decision, Told};
use crate::pos::acquirer::further::Shown;
use crate::pos::network::CardNetwork;

impl<N: CardNetwork> Desk<N> {
    /// Refuses a message of another device, and suspends the terminal.
    pub(super) async fn require_own_serial(&self, asked: &Asked<'_>, known: &Known) -> Result<(), Decision> {
        let further = &asked.acquirer.further;
        // What books nothing may come without.
        let wanted = if asked.kind.needs_mac() { further.serial_shown } else { Shown::MayLack };
        let Some(shown) = further.serial(asked.message) else {
            return if wanted == Shown::MayLack { Ok(()) } else { Err(asked.format_error()) };
        };
        let (terminal, serial) = (known.id, shown.serial.clone());
        let look = move |state: &State| state.terminal(terminal).is_ok_and(|row| row.serial == serial);
        let mut why = if self.look(asked.acquirer, look).await? { None } else { Some("serial") };
        match &shown.proof {
            Some(proof) if why.is_none() => {
                let text = format!("{}{}", shown.serial, shown.factor);
                let proved = self.keys.serial_is(terminal, text, proof).await;
                let proved = proved.map_err(|error| key_service_failed(asked.acquirer, &error))?;
                // Where proofs are not asked for, a terminal without a key for them may send what it likes.
                why = (!proved && wanted == Shown::Proved).then_some("proof");
            }
            None if wanted == Shown::Proved => return Err(asked.format_error()),
            Some(_) | None => {}
        }
        let Some(why) = why else { return Ok(()) };
        tracing::warn!(%terminal, why, "a message of another device than the terminal: it is suspended");
        metrics::counter!("lintel_pos_foreign_serials_total", "why" => why).increment(1);
        if matches!(known.status, TerminalStatus::Bound | TerminalStatus::Online) {
            let command = Command::Terminal(TerminalCommand::ForeignSerial(terminal));
            self.submit(asked.acquirer, terminal, command, |_, _| Some(())).await?;
        }
        Err(Decision::Tell(Told::of(&asked.acquirer.codes.foreign_serial)))
    }
}
