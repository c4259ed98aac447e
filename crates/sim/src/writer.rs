//! The writer's and the projector's part of a life, step by step as the server's shell drives them.

use domain::Command;
use domain::ids::AccountId;
use engine::{Admitted, Answer, EngineError, LookedUp, Parked, Projection, Request, engine as requests};
use journal::{Hash, Journal as _};
use node::executor;
use node::keys;
use node::merger::{Merged, Merger};
use node::projector::Projected;

use crate::check::{Checked, broken};
use crate::client::Outstanding;
use crate::disk::Fate;
use crate::fault::Fault;
use crate::node::{Asker, Carried, Output};
use crate::world::{Event, World};

impl World {
    /// The node's clock.
    pub(crate) fn clock(&self) -> domain::envelope::Time {
        domain::envelope::Time(self.now + self.node.as_ref().map_or(0, |node| node.skew_ms))
    }

    /// A request is decided, if the node is there.
    pub(crate) fn arrives(&mut self, client: usize, outstanding: Outstanding) -> Checked {
        let Outstanding { number, request, .. } = outstanding;
        let clock = self.clock();
        let Some(node) = &mut self.node else { return Ok(()) };
        let admitted = node.engine.admit(request, clock);
        self.admitted((client, number), admitted)
    }

    /// An answer goes its way; what left memory is looked up while others go on.
    fn admitted(&mut self, asker: Asker, admitted: Result<Admitted, EngineError>) -> Checked {
        match admitted.or_else(|error| broken("no command breaks the engine", error.to_string()))? {
            Admitted::Answered(answer) => {
                self.decided(&answer)?;
                self.give(Output::Answer(asker, answer))
            }
            Admitted::Parked(parked) => {
                let (rows, least) = (parked.rows().to_vec(), parked.least());
                self.say("engine", format_args!("asks the store at {least} for {rows:?}"));
                // A row may have come back for it and stand in the open batch.
                self.soon(1, 8, Event::Idle(self.life));
                self.soon(0, 30, Event::LooksUp(self.life, asker, Box::new(parked)));
                Ok(())
            }
        }
    }

    /// The store is asked; one that is behind is asked again.
    pub(crate) fn looks_up(&mut self, asker: Asker, parked: Parked) -> Checked {
        let Some(node) = &mut self.node else { return Ok(()) };
        let told = keys::look_up(&node.store, &parked);
        let told = told.or_else(|error| broken("what left memory is in the store", error.to_string()))?;
        if let Some(told) = told {
            self.soon(0, 30, Event::LookedUp(self.life, asker, Box::new((parked, told))));
        } else {
            self.stats.behind += 1;
            self.soon(5, 200, Event::LooksUp(self.life, asker, Box::new(parked)));
        }
        Ok(())
    }

    /// What the store has reaches the engine.
    pub(crate) fn looked_up(&mut self, asker: Asker, (parked, told): (Parked, LookedUp)) -> Checked {
        let clock = self.clock();
        let Some(node) = &mut self.node else { return Ok(()) };
        self.stats.recalled += told.rows.len() as u64;
        let admitted = node.engine.resume(parked, &told, clock);
        self.admitted(asker, admitted)
    }

    /// Decides a request of the platform's own on the node's state, with what it asks for of what left memory; nothing if
    /// there is no node, or the store is behind what left.
    pub(crate) fn submit(&mut self, request: Request) -> Checked<Option<Answer>> {
        let clock = self.clock();
        let Some(node) = &mut self.node else { return Ok(None) };
        let unbroken = |admitted: Result<Admitted, EngineError>| {
            admitted.or_else(|error| broken("no command breaks the engine", error.to_string()))
        };
        let mut admitted = unbroken(node.engine.admit(request, clock))?;
        loop {
            let parked = match admitted {
                Admitted::Answered(answer) => {
                    self.decided(&answer)?;
                    return Ok(Some(answer));
                }
                Admitted::Parked(parked) => parked,
            };
            let told = keys::look_up(&node.store, &parked);
            let told = told.or_else(|error| broken("what left memory is in the store", error.to_string()))?;
            let Some(told) = told else {
                self.stats.behind += 1;
                return Ok(None);
            };
            self.stats.recalled += told.rows.len() as u64;
            admitted = unbroken(node.engine.resume(parked, &told, clock))?;
        }
    }

    /// What was decided stands in the open batch.
    fn decided(&mut self, answer: &Answer) -> Checked {
        if let Err(refusal) = &answer.result
            && refusal.code == domain::RefusalCode::CommandFailed
        {
            return broken("no command breaks the engine", refusal.message.clone());
        }
        // Often more requests wait, and join the batch.
        if self.random.chance(500) {
            self.seal();
        } else {
            self.soon(1, 8, Event::Idle(self.life));
        }
        Ok(())
    }

    pub(crate) fn reads(&mut self, account: AccountId) -> Checked {
        let Some(node) = &self.node else { return Ok(()) };
        let Some(balance) = node.engine.state().accounts.get(account.0).map(|account| account.balance) else {
            return Ok(());
        };
        self.give(Output::Seen(account, balance))
    }

    /// Lets an output out, or parks it until what it was computed from is durable.
    pub(crate) fn give(&mut self, output: Output) -> Checked {
        let Some(node) = &mut self.node else { return Ok(()) };
        let position = node.engine.state().position;
        let early = match self.fault {
            Some(Fault::EarlyReply) => matches!(output, Output::Answer(..)),
            Some(Fault::EarlyRead) => matches!(output, Output::Seen(..)),
            Some(_) | None => false,
        };
        if position <= node.gate.durable() || early {
            return self.leaves(position, output, Hash::ZERO);
        }
        node.gate.park(position, (position, output));
        Ok(())
    }

    /// The open batch goes to the journal, if that is idle.
    pub(crate) fn seal(&mut self) {
        let Some(node) = &mut self.node else { return };
        if node.syncing.is_some() {
            return;
        }
        let Some(sealed) = node.engine.seal() else { return };
        let (position, count, bytes) = (sealed.projection.last, sealed.batch.count, sealed.batch.payload.len());
        node.gate.park(position, (position, Output::Projection(Box::new(sealed.projection))));
        node.syncing = Some(sealed.batch);
        let fate = self.fate();
        let slow = self.random.chance(self.weather.disk_slow);
        let ms = if slow { self.random.between(500, 9_000) } else { self.random.between(1, 12) };
        self.say("journal", format_args!("appends {count} events to {position} ({bytes} bytes)"));
        self.after(ms, Event::Appended(self.life, fate));
    }

    fn fate(&mut self) -> Fate {
        if self.random.chance(self.weather.disk_full) {
            return Fate::Full;
        }
        if self.random.chance(self.weather.disk_error) {
            return if self.random.chance(500) { Fate::Kept } else { Fate::Lost };
        }
        Fate::Synced
    }

    /// The journal says what became of the batch.
    pub(crate) fn appended(&mut self, fate: Fate) -> Checked {
        let Some(node) = &mut self.node else { return Ok(()) };
        let Some(batch) = node.syncing.take() else { return Ok(()) };
        self.disk.next(fate);
        let appended = node.journal.append(&batch);
        self.follower.catch_up(&self.disk)?;
        match appended {
            Ok(tip) => {
                let durable = tip.next.saturating_sub(1);
                let outputs: Vec<(u64, Output)> = node.gate.release(durable).collect();
                self.say("journal", format_args!("is durable to {durable}"));
                for (position, output) in outputs {
                    self.leaves(position, output, tip.hash)?;
                }
                self.seal();
                Ok(())
            }
            Err(error) => {
                self.stats.crashes += 1;
                self.stats.kept += u64::from(fate == Fate::Kept);
                self.say("journal", format_args!("{}: {error}; the state is dropped", fate.name()));
                self.node = None;
                self.life += 1;
                self.after_a_crash()
            }
        }
    }

    pub(crate) fn ticks(&mut self) -> Checked {
        let clock = self.clock();
        if self.node.as_ref().is_some_and(|node| node.engine.is_due(clock)) {
            self.say("timer", format_args!("ticks"));
            self.submit(requests::tick())?;
        }
        self.probes_sites();
        let (low, high) = self.terms.tick_ms;
        self.soon(low, high, Event::Ticks(self.life));
        Ok(())
    }

    /// What a durable batch brought goes to the executor at once and to the projector's queue.
    pub(crate) fn project(&mut self, projection: Projection, hash: Hash) {
        let Some(node) = &mut self.node else { return };
        let mut fresh = Vec::new();
        for attempt in executor::requested(&projection) {
            let id = attempt.id;
            if node.carry(attempt.clone(), &self.network.channels) {
                fresh.push(id);
            }
        }
        for id in executor::settled(&projection) {
            // It ends at its next step, whatever it waits for.
            if let Some(carried) = node.flights.get_mut(&id) {
                carried.flight.settled();
            }
        }
        for closing in executor::closing(&projection) {
            let of_it = |carried: &&mut Carried| carried.flight.attempt().purpose == closing;
            node.flights.values_mut().filter(of_it).for_each(|carried| carried.flight.close());
        }
        node.behind.push_back(Projected { projection, hash });
        let waits = node.behind.len() > 1;
        for id in fresh {
            self.after(0, Event::Flies(self.life, id));
        }
        if !waits {
            self.takes_soon();
        }
    }

    fn takes_soon(&mut self) {
        let slow = self.random.chance(self.weather.behind);
        let ms = if slow { self.random.between(500, 4_000) } else { self.random.between(0, 3) };
        self.after(ms, Event::Takes(self.life));
    }

    /// The projector takes the next batch.
    pub(crate) fn takes(&mut self) -> Checked {
        let at_ms = u64::try_from(self.now).expect("time is after 1970");
        let Some(node) = &mut self.node else { return Ok(()) };
        if let Some(projected) = node.behind.pop_front() {
            node.projected = projected.projection.last;
            node.projector.take(projected, at_ms);
        }
        if !node.behind.is_empty() {
            self.takes_soon();
        }
        self.close_if_projected()
    }

    /// A checkpoint, if it is time; now and then the process stops in it, or the files do not take it and the process ends.
    pub(crate) fn projects(&mut self) -> Checked {
        let (low, high) = self.terms.checkpoint_ms;
        self.soon(low, high, Event::Projects(self.life));
        let at_ms = u64::try_from(self.now).expect("time is after 1970");
        let fails = self.random.chance(self.weather.lake_fails);
        let Some(node) = &mut self.node else { return Ok(()) };
        if !node.projector.is_due(at_ms) {
            return Ok(());
        }
        self.files.keep();
        match self.files.with_lake(!fails, || node.projector.write(&[])) {
            Ok(()) => {}
            Err(_) if fails => {
                // Not the error's words: they name the run's own directory, which the seed does not choose.
                self.say("projector", format_args!("cannot write its files"));
                return self.crash();
            }
            Err(error) => return broken("checkpoint", error.to_string()),
        }
        self.stats.checkpoints += 1;
        let checkpoint = node.projector.checkpoint();
        self.say("projector", format_args!("writes a checkpoint at {checkpoint}"));
        if self.random.chance(self.weather.crash.saturating_mul(8)) {
            // Before its files or its rows were synced.
            return self.crash();
        }
        if self.random.chance(800) {
            let before = self.rows_in_memory();
            self.submit(requests::checkpoint(checkpoint))?;
            let left = before.saturating_sub(self.rows_in_memory());
            self.say("engine", format_args!("lets go of {left} rows"));
        }
        self.merges()
    }

    /// Files of history become one, if there are enough of them.
    fn merges(&mut self) -> Checked {
        let Some(node) = &self.node else { return Ok(()) };
        let merger = Merger::new(node.store.clone(), node.history.clone(), self.terms.merged);
        let step = merger.step(|| true).or_else(|error| broken("merge", error.to_string()))?;
        if let Some(Merged { files, entries }) = step.merged {
            // Its commit is synced, and with it all before it, ere a file is removed.
            self.files.keep();
            self.stats.merges += 1;
            self.say("merger", format_args!("makes one file of {files}, with {entries} entries"));
        }
        Ok(())
    }

    fn rows_in_memory(&self) -> usize {
        self.node.as_ref().map_or(0, |node| node.engine.state().counts().map(|(_, count)| count).sum())
    }

    /// The check of a sealed day, once the projector has everything up to its snapshot.
    pub(crate) fn close_if_projected(&mut self) -> Checked {
        let Some(node) = &mut self.node else { return Ok(()) };
        let Some(snapshot) = node.closing.take_if(|snapshot| snapshot.position <= node.projected) else {
            return Ok(());
        };
        self.files.keep();
        let fails = self.random.chance(self.weather.lake_fails);
        let result = match self.files.with_lake(!fails, || node.projector.close(&snapshot)) {
            Ok(result) => result,
            // Whoever asked is told and asks again; the projector goes on.
            Err(_) if fails => {
                // Not the error's words, as for a checkpoint.
                self.say("projector", format_args!("cannot write the end of the day"));
                return Ok(());
            }
            Err(error) => return broken("close", error.to_string()),
        };
        let (date, position) = (snapshot.date, snapshot.sealed);
        let mut checks = snapshot.checks;
        checks.push(result);
        if let Some(failed) = checks.iter().find(|check| !check.holds) {
            return broken("checks of the day", format!("{} at the close of {date}: {}", failed.name, failed.detail));
        }
        self.say("operator", format_args!("the checks of {date} hold at {position}"));
        self.operator_closes(Command::CloseDay { date, position, checks });
        Ok(())
    }
}
