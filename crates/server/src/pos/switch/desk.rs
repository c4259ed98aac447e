//! The switch of a running platform: who sends, whether the message is the terminal's own, and then what its kind asks for.
//!
//! ```text
//!  message ─► terminal known? ─ no ─► 97
//!               │ sign-in ───────────► new work keys
//!               └ MAC ─ wrong, or none where there must be one ─► A0, sign in again
//!                  │ right: its session is on this connection
//!                  └► merchant ─► books ─► network ─► books ─► answer with its MAC
//! ```
//! Invariants: nothing is booked, taken back or shown on the word of a message without a right MAC; a message under a trace
//! that was answered is answered the same and goes nowhere; where it is not known what the books hold, nothing is answered
//! and the terminal takes it back.

use std::sync::Arc;
use std::time::Duration;

use ark::Vault;
use domain::calendar::Date;
use domain::card_transaction::{
    CardTransaction, CardTransactionCommand, ReversalReason, ReverseCardTransaction, Reverser, answer_code,
};
use domain::ids::{CardTransactionId, TerminalId};
use domain::terminal::TerminalStatus;
use domain::terminal_parameter::ParameterPart;
use domain::{Actor, Command, Origin, Refusal, Reply, State};
use engine::{Meta, Request};
use store::Database;

use super::downloads::Downloads;
use super::known::Known;
use super::turns::Turns;
use super::{Asked, Decision, Switch, Told};
use crate::pos::acquirer::{Acquirer, Kind};
use crate::pos::keys::TerminalKeys;
use crate::pos::network::CardNetwork;
use crate::pos::session::Sessions;
use crate::shell::{Clock, Platform, Unavailable, recall};

/// The switch.
pub(crate) struct Desk<N> {
    platform: Platform,
    store: Arc<Database>,
    pub(super) keys: TerminalKeys,
    pub(super) vault: Arc<Vault>,
    pub(super) network: Arc<N>,
    clock: Clock,
    /// How long the network may take.
    pub(super) patience: Duration,
    pub(super) sessions: Sessions,
    pub(super) turns: Turns,
    pub(super) downloads: Downloads,
}

impl<N: CardNetwork> Desk<N> {
    pub(crate) fn new(
        (platform, store, clock): (Platform, Arc<Database>, Clock),
        keys: TerminalKeys,
        vault: Arc<Vault>,
        (network, patience): (Arc<N>, Duration),
    ) -> Self {
        let (sessions, turns, downloads) = (Sessions::default(), Turns::default(), Downloads::default());
        Self { platform, store, keys, vault, network, clock, patience, sessions, turns, downloads }
    }

    async fn decided(&self, asked: &Asked<'_>) -> Result<Told, Decision> {
        let codes = &asked.acquirer.codes;
        let Some(known) = self.known(asked).await? else {
            tracing::debug!(kind = ?asked.kind, "a message of a terminal that nobody registered");
            return Err(Decision::Tell(Told::of(&codes.unknown_terminal)));
        };
        if asked.kind == Kind::SignIn {
            return self.sign_in(asked, &known).await;
        }
        // It may be with no merchant yet.
        if asked.kind == Kind::MasterKey {
            return self.master_key(asked, &known).await;
        }
        if !self.is_proved(asked, &known).await? {
            return self.proved(asked, &known).await;
        }
        self.sessions.take(known.id, asked.connected);
        let with_proof = |told| Told { proof: Some(known.id), ..told };
        let own = self.require_own_serial(asked, &known).await;
        let told = match own {
            Ok(()) => self.proved(asked, &known).await,
            Err(decision) => Err(decision),
        };
        match told {
            Ok(told) | Err(Decision::Tell(told)) => Ok(with_proof(told)),
            close @ Err(Decision::Close(_)) => close,
        }
    }

    /// The terminal that a message names.
    async fn known(&self, asked: &Asked<'_>) -> Result<Option<Known>, Decision> {
        let Some(id) = asked.terminal() else { return Ok(None) };
        self.look(asked.acquirer, move |state| Known::of(state, id)).await
    }

    /// Whether a MAC proves the message; without one it is not proved, where that may be.
    async fn is_proved(&self, asked: &Asked<'_>, known: &Known) -> Result<bool, Decision> {
        let Asked { acquirer, message, kind, .. } = *asked;
        let field = acquirer.security.mac_field;
        let wrong = || Decision::Tell(Told::of(&acquirer.codes.mac_wrong));
        let (Some(bytes), Ok(mac)) = (message.before(field), message.bytes(field)) else {
            return if kind.needs_mac() { Err(wrong()) } else { Ok(false) };
        };
        match self.keys.mac_is(known.id, acquirer.security.mac, bytes, mac).await {
            Ok(true) => Ok(true),
            Ok(false) => {
                tracing::warn!(terminal = %known.id, ?kind, "a message whose MAC is wrong");
                metrics::counter!("lintel_pos_wrong_macs_total").increment(1);
                Err(wrong())
            }
            Err(error) => Err(key_service_failed(acquirer, &error)),
        }
    }

    /// What a message asks for that is the terminal's own, or needs no proof.
    async fn proved(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        if known.number.is_none() || asked.merchant() != known.number {
            tracing::warn!(terminal = %known.id, "a message for a merchant that the terminal is not with");
            return Ok(Told::of(&asked.acquirer.codes.unknown_merchant));
        }
        match asked.kind {
            Kind::Balance => self.balance(asked, known).await,
            Kind::Sale
            | Kind::QrSale
            | Kind::Void
            | Kind::PreAuthorisation
            | Kind::PreAuthorisationCancel
            | Kind::Completion
            | Kind::CompletionVoid
            | Kind::CompletionAdvice
            | Kind::Refund
            | Kind::OfflineSale
            | Kind::Adjustment
            | Kind::Tip => self.transact(asked, known).await,
            Kind::Reversal => self.reverse(asked, known).await,
            Kind::ScriptResults => self.report_scripts(asked, known).await,
            Kind::SignIn => self.sign_in(asked, known).await,
            Kind::SignOut => self.sign_out(asked, known).await,
            Kind::BatchClose => self.close_batch(asked, known).await,
            Kind::BatchUpload => self.upload_batch(asked, known).await,
            Kind::BatchUploadEnd => self.end_upload(asked, known).await,
            Kind::PublicKeyList => self.list(asked, known, ParameterPart::PublicKeys).await,
            Kind::PublicKeyDownload => self.download(asked, known, ParameterPart::PublicKeys).await,
            Kind::PublicKeyEnd => self.downloaded(asked, known, ParameterPart::PublicKeys).await,
            Kind::ApplicationList => self.list(asked, known, ParameterPart::Applications).await,
            Kind::ApplicationDownload => self.download(asked, known, ParameterPart::Applications).await,
            Kind::ApplicationEnd => self.downloaded(asked, known, ParameterPart::Applications).await,
            Kind::SettingsDownload => self.download(asked, known, ParameterPart::Settings).await,
            Kind::SettingsEnd => self.downloaded(asked, known, ParameterPart::Settings).await,
            Kind::MasterKey => self.master_key(asked, known).await,
        }
    }

    /// Refuses a terminal that takes no card now.
    pub(super) fn require_online(asked: &Asked<'_>, known: &Known) -> Result<(), Decision> {
        if known.status == TerminalStatus::Online {
            return Ok(());
        }
        let sign_in = known.status == TerminalStatus::Bound;
        Err(Decision::Tell(Told { sign_in, ..Told::of(&asked.acquirer.codes.not_signed_in) }))
    }

    pub(super) fn today(&self) -> Date {
        Date::in_shanghai(self.clock.now())
    }

    pub(super) fn now(&self) -> domain::envelope::Time {
        self.clock.now()
    }

    /// Looks at what of the books is in memory.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        acquirer: &Acquirer,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Decision> {
        let looked = self.platform.read(look).await;
        looked.map(|(seen, _)| seen).map_err(|_| Decision::Tell(Told::of(&acquirer.codes.system)))
    }

    /// Looks at the books, whatever of them left memory; again while something is missing.
    pub(super) async fn see<T: Send + 'static>(
        &self,
        acquirer: &Acquirer,
        look: impl FnMut(&State) -> T + Send + 'static,
    ) -> Result<T, Decision> {
        let seen = recall::see(&self.platform, &self.store, look).await;
        seen.map(|(seen, _)| seen).map_err(|_| Decision::Tell(Told::of(&acquirer.codes.system)))
    }

    /// Has a command decided and sees what it brought about; a refusal is told by its code. Where it is not known what was
    /// decided, nothing is answered.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        acquirer: &Acquirer,
        terminal: TerminalId,
        command: Command,
        view: impl FnOnce(&State, &Reply) -> Option<T> + Send + 'static,
    ) -> Result<T, Decision> {
        let system = || Decision::Tell(Told::of(&acquirer.codes.system));
        match self.submitted(terminal, command, view).await {
            Ok(Ok(seen)) => seen.ok_or_else(system),
            Ok(Err(refusal)) => Err(Decision::Tell(refused(&refusal))),
            Err(Unavailable::Unknown) => Err(Decision::Close("unknown")),
            Err(
                Unavailable::Overloaded
                | Unavailable::Behind
                | Unavailable::Stopped
                | Unavailable::Recovering
                | Unavailable::Elsewhere
                | Unavailable::Damaged,
            ) => Err(system()),
        }
    }

    /// As [`Self::submit`], with the refusal itself.
    pub(super) async fn submitted<T: Send + 'static>(
        &self,
        terminal: TerminalId,
        command: Command,
        view: impl FnOnce(&State, &Reply) -> T + Send + 'static,
    ) -> Result<Result<T, Refusal>, Unavailable> {
        let meta = Meta::unkeyed(Actor::Channel(terminal.to_string()), Origin::Channel);
        self.platform.submit_and_view(Request { command, meta }, view).await.map(|seen| seen.result)
    }
}

/// How a refusal is told.
pub(super) fn refused(refusal: &Refusal) -> Told {
    tracing::debug!(code = refusal.code.name(), "a terminal is refused");
    Told { sign_in: answer_code::asks_sign_in(refusal.code), ..Told::of(answer_code::of(refusal.code)) }
}

/// The key service does not do it now: nothing was done.
pub(super) fn key_service_failed(acquirer: &Acquirer, error: &ark::keys::Error) -> Decision {
    tracing::error!(code = error.code(), "the key service does not do what a terminal needs");
    Decision::Tell(Told::of(&acquirer.codes.system))
}

impl<N: CardNetwork> Switch for Desk<N> {
    async fn decide<'m>(&'m self, asked: Asked<'m>) -> Decision {
        match self.decided(&asked).await {
            Ok(told) => Decision::Tell(told),
            Err(decision) => decision,
        }
    }

    async fn prove<'m>(&'m self, acquirer: &'m Acquirer, terminal: TerminalId, bytes: &'m [u8]) -> Option<[u8; 8]> {
        match self.keys.mac(terminal, acquirer.security.mac, bytes).await {
            Ok(mac) => Some(mac),
            Err(error) => {
                tracing::error!(code = error.code(), %terminal, "the MAC of an answer cannot be made");
                None
            }
        }
    }

    async fn undelivered(&self, card: CardTransactionId) {
        let look = move |state: &State| state.card_transaction(card).ok().cloned();
        let row: Option<CardTransaction> = self.platform.read(look).await.ok().and_then(|(row, _)| row);
        let Some((row, key)) = row.and_then(|row| row.key.map(|key| (row, key))) else { return };
        metrics::counter!("lintel_pos_undelivered_total").increment(1);
        let command = CardTransactionCommand::Reverse(ReverseCardTransaction {
            key,
            local_date: row.local_date,
            amount: row.amount,
            reason: ReversalReason::Other,
            by: Reverser::Switch,
        });
        // Where it cannot be asked for now, the terminal asks for it: it has heard nothing.
        match self.submitted(key.terminal, Command::CardTransaction(command), |_, _| ()).await {
            Ok(Ok(())) => tracing::info!(transaction = %card, "an approval that could not be delivered is taken back"),
            Ok(Err(refusal)) => tracing::warn!(transaction = %card, code = refusal.code.name(), "it is not taken back"),
            Err(error) => tracing::warn!(transaction = %card, %error, "it is not taken back yet"),
        }
    }
}
