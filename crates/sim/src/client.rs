//! Clients: each asks for one thing at a time, under a key, and asks again until it hears an answer; at times it repeats
//! what was answered long ago, with the same content or another. The operator is one of them.

use std::collections::BTreeMap;

use domain::fund_batch::FundBatchCommand;
use domain::reserve_line::ReserveLineCommand;
use domain::{Actor, Command, Origin, Refusal, RefusalCode, Reply};
use engine::{Answer, Meta, Request};

use crate::check::{Checked, broken};

/// What a client waits for.
#[derive(Debug, Clone)]
pub(crate) struct Outstanding {
    pub(crate) number: u64,
    pub(crate) request: Request,
    /// It was answered before: nothing new may come of it.
    pub(crate) is_repeat: bool,
}

/// A client.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) outstanding: Option<Outstanding>,
    /// What it asked and was told, to be repeated.
    pub(crate) told: Vec<Request>,
    /// How many more things it will ask for.
    pub(crate) left: u64,
    /// The number of its last bulk posting.
    pub(crate) bulk: u64,
}

/// What an answer is known by: a request's scope and key, or a bulk posting's stream and number.
type Known = (String, String);

/// The first answers, for ever.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<Known, ([u8; 16], Result<Reply, Refusal>)>);

fn known(request: &Request) -> Option<(Known, [u8; 16])> {
    if let Command::PostBulk(bulk) = &request.command {
        return Some(((bulk.stream.to_string(), bulk.number.to_string()), bulk.fingerprint));
    }
    let Meta { scope, keys, fingerprint, .. } = &request.meta;
    keys.first().map(|key| ((scope.clone(), key.clone()), *fingerprint))
}

/// Whether an answer stays: a refusal that does not depend on the state binds nothing, nor does a refusal of a bulk
/// posting as a whole, which moves no mark, nor a result file or a line of the statement that says nothing new, which does nothing.
fn binds(request: &Request, result: &Result<Reply, Refusal>) -> bool {
    match result {
        Ok(_) => !matches!(
            request.command,
            Command::FundBatch(FundBatchCommand::TakeResult(_)) | Command::ReserveLine(ReserveLineCommand::TakeLine(_))
        ),
        Err(refusal) => !request.meta.keys.is_empty() && refusal.code.depends_on_state(),
    }
}

impl Ledger {
    /// An answer leaves the platform: what was answered before is answered the same.
    pub(crate) fn answers(&mut self, request: &Request, answer: &Answer) -> Checked {
        let Some((known, fingerprint)) = known(request) else { return Ok(()) };
        let law = "a key is answered the same for ever";
        let Some((first_body, first)) = self.0.get(&known) else {
            if binds(request, &answer.result) {
                self.0.insert(known, (fingerprint, answer.result.clone()));
            }
            return Ok(());
        };
        let same_body = *first_body == fingerprint;
        let lets = match &answer.result {
            Ok(_) => same_body && *first == answer.result,
            Err(refusal) if refusal.code == RefusalCode::KeyReused => !same_body,
            // A stream keeps its last answers only.
            Err(refusal) if refusal.code == RefusalCode::NumberExpired => request.meta.keys.is_empty(),
            Err(_) => same_body && *first == answer.result,
        };
        if lets {
            return Ok(());
        }
        broken(law, format!("{known:?} was answered {first:?}, now {:?}", answer.result))
    }

    /// Whether a state's keys give what was answered.
    pub(crate) fn held_by(&self, keys: &engine::Keys) -> Checked {
        for ((scope, key), (fingerprint, first)) in &self.0 {
            if !key.contains(':') {
                continue;
            }
            let found = keys.find(scope, std::slice::from_ref(key), *fingerprint);
            let found = found.ok().flatten().map(|(answer, _)| answer);
            let same = match (&found, first) {
                (Some(engine::keys::FirstAnswer::Done(reply)), Ok(first)) => reply == first,
                (Some(engine::keys::FirstAnswer::Refused(refusal)), Err(first)) => refusal == first,
                (Some(_) | None, _) => false,
            };
            if !same {
                return broken("a key is answered the same for ever", format!("{key} of {scope} is lost: {found:?}"));
            }
        }
        Ok(())
    }
}

/// A client's request under a key of its own.
pub(crate) fn request(client: usize, number: u64, command: Command) -> Request {
    let mut meta = Meta::unkeyed(Actor::Operator(format!("client {client}")), Origin::Api);
    if !matches!(command, Command::PostBulk(_)) {
        meta.scope = format!("client {client}");
        meta.keys = vec![format!("Idempotency-Key:{number}")];
        meta.fingerprint[..8].copy_from_slice(&number.to_be_bytes());
    }
    Request { command, meta }
}

/// The same keys with other content.
pub(crate) fn twisted(request: &Request) -> Request {
    let mut twisted = request.clone();
    twisted.meta.fingerprint[15] ^= 1;
    if let Command::PostBulk(bulk) = &mut twisted.command {
        bulk.fingerprint[15] ^= 1;
    }
    twisted
}

/// What a command is called in the trace.
pub(crate) fn name(command: &Command) -> String {
    let shown = format!("{command:?}");
    let end = shown.find(['(', ' ', '{']).unwrap_or(shown.len());
    shown[..end].to_owned()
}

/// What an answer is called in the trace.
pub(crate) fn told(result: &Result<Reply, Refusal>) -> String {
    match result {
        Ok(Reply::Bulk(reply)) => format!("bulk {} with {} refused", reply.number, reply.refused.len()),
        Ok(reply) => format!("{reply:?}"),
        Err(refusal) => format!("refused {}: {}", refusal.code.name(), refusal.message),
    }
}
