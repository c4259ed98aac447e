//! Power cuts: the platform is killed without warning at moments given by the seed, and started again at the same place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use super::{Play, Stage};
use crate::bench::numbers::Numbers;
use crate::process::{Launch, Platform};

/// The cuts under way.
pub(super) struct Cuts {
    task: Option<JoinHandle<Result<()>>>,
}

impl Cuts {
    /// Begins to cut, if the player was asked to.
    pub(super) fn begin(play: &Play, stage: &Stage) -> Self {
        let (launch, platform) = stage.power();
        let (kills, seed) = (play.kills, play.seed);
        let task = (kills > 0).then(|| tokio::spawn(cut(launch, platform, kills, seed)));
        Self { task }
    }

    /// Waits for the last cut, or gives up those that are left.
    pub(super) async fn end(self) -> Result<()> {
        let Some(task) = self.task else { return Ok(()) };
        task.await.context("the power cuts failed")?
    }
}

async fn cut(launch: Launch, platform: Arc<Mutex<Option<Platform>>>, kills: u32, seed: u64) -> Result<()> {
    let mut numbers = Numbers(seed ^ 0x6b69_6c6c);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(300 + numbers.draw() % 3_000)).await;
        let (launch, platform) = (launch.clone(), platform.clone());
        let restarted = tokio::task::spawn_blocking(move || -> Result<()> {
            let mut place = platform.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(mut running) = place.take() {
                running.process.kill()?;
            }
            *place = Some(launch.start()?);
            Ok(())
        });
        restarted.await.context("restarting the platform")??;
    }
    Ok(())
}
