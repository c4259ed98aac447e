//! A platform for tests, without HTTP: books, vault and key service in a directory of their own, on real disks and threads.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use ark::Vault;
use store::Database;

use super::{clock, initialise, open_vault, recover, take_directory};
use crate::config::Config;
use crate::shell::journal_place::JournalPlace;
use crate::shell::key_service::Ark;
use crate::shell::lease::Leadership;
use crate::shell::projector::{self, Handle, Message};
use crate::shell::term::{self, Durable, TermError, Terms};
use crate::shell::{Clock, Platform};

type Projecting = JoinHandle<Result<(), node::projector::ProjectorError>>;

/// It. Ends when it is dropped.
pub(crate) struct Running {
    pub(crate) platform: Platform,
    pub(crate) store: Arc<Database>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) ark: Arc<Ark>,
    pub(crate) clock: Clock,
    handle: Handle,
    threads: Option<(JoinHandle<Result<(), TermError>>, Projecting)>,
}

impl Running {
    /// Begins or goes on in a directory; the books begin at nine on 2026-03-05, where time stands.
    pub(crate) async fn begin(directory: &Path) -> Self {
        let data = format!("data_dir={}", directory.display());
        let sets = [data.as_str(), "sandbox=true", "clock=manual", "first_day=2026-03-05", "ark.unseal=file"];
        let config = Config::load(None, &sets.map(str::to_owned)).unwrap();
        let (lock, place) = (take_directory(&config).unwrap(), JournalPlace::of(&config).unwrap());
        let ark = Arc::new(Ark::start(&config.data_dir, &config.ark).unwrap());
        let recovered = recover(&config, &place, &lock).unwrap();
        let state = recovered.term.engine.state();
        let (position, epoch) = (state.position, recovered.term.journal.tip().epoch);
        let (is_new, clock) = (state.genesis.is_none(), clock(&config, state).unwrap());
        let vault = Arc::new(open_vault(&config, ark.keys(), state).unwrap());
        let (handle, projecting) = projector::start(recovered.projector, position).unwrap();
        let (sender, inputs) = mpsc::channel();
        let platform = Platform::new(sender, Leadership::new(None), epoch, handle.behind());
        let store = Arc::clone(&recovered.store);
        let (attempts, _) = tokio::sync::mpsc::unbounded_channel();
        let terms = Terms {
            place,
            lock,
            store: recovered.store,
            history: recovered.history,
            projector: handle.clone(),
            platform: platform.clone(),
            clock: clock.clone(),
            attempts,
            durable: Durable::new(position),
            run_keys: config.keys.run,
            batch_every: config.journal.batch_every(),
        };
        let leading = term::start(terms, recovered.term, inputs).unwrap();
        if is_new {
            initialise(&config, &platform).await.unwrap();
        }
        Self { platform, store, vault, ark, clock, handle, threads: Some((leading, projecting)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.platform.stop();
        let Some((leading, projecting)) = self.threads.take() else { return };
        let ended = leading.join();
        self.handle.send(Message::Stop);
        let projected = projecting.join();
        self.platform.close();
        self.ark.stop();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
            projected.unwrap().unwrap();
        }
    }
}
