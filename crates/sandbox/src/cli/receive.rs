//! `lintel-sandbox receive`: a merchant's receiver of webhooks as a process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use client::{Client, Credential};
use sandbox::receive::receive;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::bank::write_whole;

/// Receive webhooks as a merchant does: check each signature, print what the platform told, one JSON object a line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9009")]
    listen: SocketAddr,
    /// Where the platform is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7880")]
    platform: String,
    /// The merchant that the webhook belongs to.
    #[arg(long, value_name = "mch_…")]
    merchant: String,
    /// Its API secret, 64 hexadecimal digits: the platform's keys are taken with it.
    #[arg(long, env = "LINTEL_SECRET", hide_env_values = true)]
    secret: String,
    /// End after so many deliveries.
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Write the address to this file once it listens.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let credential = Credential::secret(&arguments.merchant, &arguments.secret).context("reading --secret")?;
    let client = Client::new(&arguments.platform, credential).context("reading --platform")?;
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("listening on {}", arguments.listen))?;
    let address = listener.local_addr().context("asking for the address of the listener")?;
    if let Some(path) = &arguments.port_file {
        write_whole(path, &address.to_string())?;
    }
    eprintln!("receiving webhooks at http://{address}");
    let (told, mut deliveries) = mpsc::unbounded_channel();
    let (enough, stop) = oneshot::channel::<()>();
    let interrupted = super::bank::stop()?;
    let stop = async move {
        tokio::select! {
            _ = stop => {}
            () = interrupted => {}
        }
    };
    let receiving = tokio::spawn(receive(listener, client, told, stop));
    let mut left = arguments.count;
    let mut enough = Some(enough);
    while let Some(delivery) = deliveries.recv().await {
        let line = json!({ "id": delivery.id, "kind": delivery.kind, "object": delivery.object });
        println!("{line}");
        left = left.map(|left| left.saturating_sub(1));
        if left == Some(0)
            && let Some(enough) = enough.take()
        {
            // The receiver may have ended by itself.
            if enough.send(()).is_err() {
                break;
            }
        }
    }
    receiving.await.context("the receiver stopped")?
}
