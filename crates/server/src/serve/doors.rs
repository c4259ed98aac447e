//! Where the platform listens, from before it runs where its key service is sealed.
//!
//! ```text
//!  open ──────────────────────────────────────────────► recover ─► listen, serve
//!  sealed ─► listen: health and shares only ─► unsealed ─► recover, still answering ─► serve on the same port
//! ```

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::WhileSealed;
use crate::config::Config;
use crate::http;
use crate::shell::key_service::Ark;

/// Whether the process was asked to stop; several may wait for it.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Asked once the future ends.
    pub(super) fn when(runtime: &Runtime, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        let (asked, seen) = watch::channel(false);
        runtime.spawn(async move {
            stop.await;
            asked.send_replace(true);
        });
        Self(seen)
    }

    /// Ends once it was asked.
    pub(super) async fn asked(mut self) {
        // The sender ends by asking, or with the runtime.
        drop(self.0.wait_for(|asked| *asked).await);
    }
}

/// Where the platform will be, and who is to be told.
pub(super) struct Doors<R> {
    ready: Option<R>,
    waiting: Option<Waiting>,
}

/// What answers until the platform does.
struct Waiting {
    listener: StdListener,
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Waits for the custodians, if the key service is sealed; `None` if it was asked to stop meanwhile.
///
/// # Errors
/// An address that cannot be listened on, what `ready` says, and a sealed key service where nobody may wait.
pub(super) fn open_doors<R: FnOnce(SocketAddr) -> Result<()>>(
    runtime: &Runtime,
    config: &Config,
    ark: &Arc<Ark>,
    sealed: WhileSealed,
    ready: R,
    stop: &Stop,
) -> Result<Option<Doors<R>>> {
    if !ark.is_sealed() {
        return Ok(Some(Doors { ready: Some(ready), waiting: None }));
    }
    if sealed == WhileSealed::Refuse {
        bail!("the key service is sealed: run `lintel serve`, have its custodians unseal it, and name it with --url");
    }
    // Before anything is counted: what comes earlier is lost.
    http::health::recorder();
    let listener = StdListener::bind(config.listen).with_context(|| format!("listening on {}", config.listen))?;
    listener.set_nonblocking(true).context("listening")?;
    let (address, own) = (listener.local_addr()?, listener.try_clone().context("listening")?);
    let router = http::sealed::routes(Arc::clone(ark));
    let (end, ended) = oneshot::channel::<()>();
    let own = {
        let _inside = runtime.enter();
        TcpListener::from_std(own).context("listening")?
    };
    let task = runtime.spawn(async move {
        let served = axum::serve(own, router).with_graceful_shutdown(async { drop(ended.await) }).await;
        if let Err(error) = served {
            tracing::error!(%error, "waiting for the custodians");
        }
    });
    ready(address)?;
    tracing::warn!(%address, "the key service is sealed: custodians bring their shares with `lintel ark unseal`");
    let unsealed = runtime.block_on(async {
        tokio::select! {
            () = ark.unsealed() => true,
            () = stop.clone().asked() => false,
        }
    });
    let waiting = Waiting { listener, end, task };
    if unsealed {
        tracing::info!("the key service is open; the platform starts");
        return Ok(Some(Doors { ready: None, waiting: Some(waiting) }));
    }
    tracing::info!("asked to stop");
    runtime.block_on(waiting.end()).map(drop)?;
    ark.stop();
    Ok(None)
}

impl Waiting {
    /// Answers no more; what listens goes on listening.
    async fn end(self) -> Result<StdListener> {
        // Who is not there any more needs no telling.
        self.end.send(()).ok();
        self.task.await.context("waiting for the custodians")?;
        Ok(self.listener)
    }
}

impl<R: FnOnce(SocketAddr) -> Result<()>> Doors<R> {
    /// What the platform listens on, from now on alone.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub(super) async fn listener(&mut self, config: &Config) -> Result<TcpListener> {
        match self.waiting.take() {
            Some(waiting) => TcpListener::from_std(waiting.end().await?).context("listening"),
            None => TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen)),
        }
    }

    /// Tells who is to be told, unless they know.
    ///
    /// # Errors
    /// What they say.
    pub(super) fn opened(self, address: SocketAddr) -> Result<()> {
        self.ready.map_or(Ok(()), |ready| ready(address))
    }
}
