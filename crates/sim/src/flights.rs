//! The executor's part of a life: the flights of `node::executor`, driven over the simulated network as the server's
//! shell drives them over HTTP.

use channels::Response;
use domain::attempt::{Attempt, Outcome};
use domain::ids::AttemptId;
use domain::{Actor, Command, Origin, RefusalCode};
use engine::{Meta, Request};
use node::executor::{Call, Step};
use node::site::Errand;

use crate::check::Checked;
use crate::fault::Fault;
use crate::network::{self, Message, Network};
use crate::node::{Output, Waits};
use crate::sites::Down;
use crate::world::{Event, World};

impl World {
    /// A flight takes its next step.
    pub(crate) fn flies(&mut self, id: AttemptId) -> Checked {
        let (clock, life) = (self.clock(), self.life);
        let nonce = format!("{:016x}{:016x}", self.random.next(), self.random.next());
        let Some(carried) = self.node.as_mut().and_then(|node| node.flights.get_mut(&id)) else { return Ok(()) };
        if carried.waits != Waits::Time {
            return Ok(());
        }
        match carried.flight.step(clock, &nonce) {
            Step::Send(request) => {
                let attempt = carried.flight.attempt().clone();
                let errand = carried.flight.errand().unwrap_or(Errand::Query);
                let call = self.network.next_call();
                carried.waits = Waits::Call(call);
                self.calls(&attempt, call, errand, request)
            }
            Step::Report(outcome) => {
                carried.waits = Waits::Report;
                self.reports(id, outcome)
            }
            Step::Wait { ms } => {
                let ms = i64::try_from(ms.min(self.terms.patience.max_ms)).expect("patience is short");
                self.after(ms, Event::Flies(life, id));
                Ok(())
            }
            Step::Done => {
                self.node.as_mut().map(|node| node.flights.remove(&id));
                self.stats.settled += 1;
                Ok(())
            }
        }
    }

    fn calls(&mut self, attempt: &Attempt, call: u64, errand: Errand, request: channels::Request) -> Checked {
        self.stats.calls += 1;
        let (id, life, is_operation) = (attempt.id, self.life, errand == Errand::Send);
        let down = match self.picks(id, attempt.rail, errand) {
            Ok(down) => down,
            Err(ms) => {
                self.after(ms, Event::Fails(life, id, call, false));
                return Ok(());
            }
        };
        if self.random.chance(self.weather.not_written) || down == Some(Down::Refuses) {
            self.say("executor", format_args!("{id} finds no connection"));
            self.soon(1, 50, Event::Fails(life, id, call, false));
            return Ok(());
        }
        let site = self.node.as_ref().and_then(|node| node.flights.get(&id)?.site);
        let through = site.map(|site| (attempt.rail, site));
        let was_open = through.is_some_and(|(rail, site)| self.takes_connection(rail, site));
        if down == Some(Down::Cut) && !was_open {
            self.is_cut();
            self.say("executor", format_args!("{id} waits for a connection"));
            self.after(self.connect_ms(), Event::Fails(life, id, call, false));
            return Ok(());
        }
        if is_operation {
            self.network.writes(attempt, &request, &self.follower)?;
        }
        let path = &request.path;
        self.trace.say(self.now, "executor", format_args!("{id} writes call {call}: {path} {}", attempt.serial()));
        let may_be_denied = is_operation && network::may_be_denied(attempt) && self.random.chance(self.weather.lie);
        let is_mute = down == Some(Down::Mute);
        let message = Message { attempt: id, call, request, is_operation, may_be_denied, through, is_mute };
        for ms in self.request_ways() {
            self.after(ms, Event::ToBank(Box::new(message.clone())));
        }
        self.after(self.terms.timeout_ms, Event::Fails(life, id, call, true));
        Ok(())
    }

    /// The bank gets a message and answers.
    pub(crate) fn at_the_bank(&mut self, message: Message) {
        if self.is_on_a_cut_way(&message) {
            return;
        }
        let mut response = self.network.exchange(&message.request);
        let code = network::code_of(&response);
        let (id, call) = (message.attempt, message.call);
        self.say("bank", format_args!("gets call {call} of {id} and answers {code}"));
        let attempt = self.follower.state().attempts.get(id.0).cloned();
        if let Some(attempt) = attempt.filter(|_| message.may_be_denied)
            && let Some(denial) = self.network.denial(&attempt, &response)
        {
            self.stats.lies += 1;
            self.say("bank", format_args!("lies: it says that it declined {id}"));
            response = denial;
        }
        if message.is_mute {
            return;
        }
        for ms in self.answer_ways() {
            let garbled = self.random.chance(self.weather.garbled);
            let response = if garbled { Network::garbled(&response, &mut self.random) } else { response.clone() };
            self.after(ms, Event::FromBank(Box::new(message.clone()), Box::new(response)));
        }
    }

    /// An answer comes to whatever call of the attempt is open: a late one to a later call too.
    pub(crate) fn answered_by_the_bank(&mut self, message: &Message, response: Response) -> Checked {
        if self.is_on_a_cut_way(message) {
            return Ok(());
        }
        let (id, call) = (message.attempt, message.call);
        let early = self.fault == Some(Fault::EarlyNotFound)
            && !message.is_operation
            && String::from_utf8_lossy(&response.body).contains(r#""code":"00000003""#);
        let Some(carried) = self.node.as_mut().and_then(|node| node.flights.get_mut(&id)) else { return Ok(()) };
        let Waits::Call(open) = carried.waits else { return Ok(()) };
        self.site_ended(id, (open == call).then_some(true));
        let Some(carried) = self.node.as_mut().and_then(|node| node.flights.get_mut(&id)) else { return Ok(()) };
        if early {
            carried.waits = Waits::Report;
            return self.reports(id, Outcome::NotFound);
        }
        carried.flight.ended(Call::Answered(response));
        carried.waits = Waits::Time;
        let stale = if open == call { "" } else { ", an old one" };
        self.say("executor", format_args!("{id} gets the answer to call {call}{stale}"));
        self.after(0, Event::Flies(self.life, id));
        Ok(())
    }

    /// Whether no packet passes where a message is now; then it is lost.
    fn is_on_a_cut_way(&mut self, message: &Message) -> bool {
        let is_cut = message.through.is_some_and(|(rail, site)| self.down_now(rail, site) == Some(Down::Cut));
        if is_cut {
            self.is_cut();
            self.say("network", format_args!("loses a message of call {} of {}", message.call, message.attempt));
        }
        is_cut
    }

    /// A call found no connection or got no answer.
    pub(crate) fn call_failed(&mut self, id: AttemptId, call: u64, written: bool) -> Checked {
        let resends = self.fault == Some(Fault::ResendNewSerial);
        let (clock, life) = (self.clock(), self.life);
        let open = self.node.as_ref().and_then(|node| node.flights.get(&id)).map(|carried| carried.waits);
        if open != Some(Waits::Call(call)) {
            return Ok(());
        }
        let is_first = |carried: &crate::node::Carried| carried.site.is_some() && carried.avoid.is_none();
        let is_first = self.node.as_ref().and_then(|node| node.flights.get(&id)).is_some_and(is_first);
        self.site_ended(id, Some(false));
        let Some(node) = &mut self.node else { return Ok(()) };
        let Some(carried) = node.flights.get_mut(&id) else { return Ok(()) };
        carried.waits = Waits::Time;
        if !written {
            carried.flight.ended(Call::NotWritten);
            let usual = i64::try_from(carried.flight.retry_ms()).expect("patience is short");
            let ms = if self.terms.at_once && is_first { 0 } else { usual };
            self.after(ms, Event::Flies(life, id));
            return Ok(());
        }
        carried.flight.ended(Call::Lost);
        if resends {
            let mut attempt = carried.flight.attempt().clone();
            (attempt.requested_at, attempt.send_before) = (clock.plus_ms(86_400_000), clock.plus_ms(30_000));
            attempt.epoch = node.epoch;
            node.carry(attempt, &self.network.channels);
        }
        self.say("executor", format_args!("{id} gets no answer to call {call}"));
        self.after(0, Event::Flies(life, id));
        Ok(())
    }

    /// Tells the engine an outcome.
    pub(crate) fn reports(&mut self, id: AttemptId, outcome: Outcome) -> Checked {
        self.say("executor", format_args!("{id} is {outcome:?}"));
        self.stats.unknown += u64::from(outcome == Outcome::Unknown);
        let command = Command::AnswerAttempt { attempt: id, outcome: outcome.clone() };
        let meta = Meta::unkeyed(Actor::Channel("executor".into()), Origin::Channel);
        let Some(answer) = self.submit(Request { command, meta })? else {
            // The store is behind what left memory, and is asked again.
            self.soon(5, 200, Event::Reports(self.life, id, outcome));
            return Ok(());
        };
        if let Err(refusal) = &answer.result {
            self.say("executor", format_args!("{id}: its answer is refused: {refusal}"));
            if refusal.code != RefusalCode::AttemptState {
                return self.refused(id);
            }
        }
        self.give(Output::Reported(id, outcome))
    }

    /// The engine cannot take it: the channel is asked again.
    fn refused(&mut self, id: AttemptId) -> Checked {
        let carried = self.node.as_mut().and_then(|node| node.flights.get_mut(&id));
        let Some(carried) = carried else { return Ok(()) };
        carried.flight.refused();
        carried.waits = Waits::Time;
        self.after(0, Event::Flies(self.life, id));
        Ok(())
    }

    /// The engine knows the outcome, and the journal holds it.
    pub(crate) fn reported(&mut self, id: AttemptId, outcome: &Outcome) -> Checked {
        let believed = self.fault == Some(Fault::EarlyNotFound) && *outcome == Outcome::NotFound;
        let Some(node) = &mut self.node else { return Ok(()) };
        if believed {
            node.flights.remove(&id);
            return Ok(());
        }
        let Some(carried) = node.flights.get_mut(&id) else { return Ok(()) };
        carried.flight.reported(outcome);
        carried.waits = Waits::Time;
        self.after(0, Event::Flies(self.life, id));
        Ok(())
    }
}
