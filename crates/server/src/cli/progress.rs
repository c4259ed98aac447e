//! How far long work is, on standard error: a line that moves on a terminal; elsewhere a line a stage, and one a million
//! positions.

use indicatif::{ProgressBar, ProgressStyle};

use super::tell;

/// Between two lines where there is no terminal.
const POSITIONS: u64 = 1_000_000;

/// What is shown of work under way.
pub(super) struct Shown {
    bar: ProgressBar,
    stage: String,
    told: u64,
}

impl Shown {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{elapsed_precise} {msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, stage: String::new(), told: 0 }
    }

    /// This is being done.
    pub(super) fn stage(&mut self, stage: &str) {
        self.detail(stage, "");
    }

    /// This is being done, and this part of it now.
    pub(super) fn detail(&mut self, stage: &str, detail: &str) {
        if self.bar.is_hidden() {
            if self.stage != stage {
                tell(stage);
            }
        } else {
            self.bar.set_message(format!("{stage} {detail}"));
        }
        if self.stage != stage {
            (self.stage, self.told) = (stage.to_owned(), 0);
        }
    }

    /// This is being done, up to here.
    pub(super) fn position(&mut self, stage: &str, position: u64, last: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{stage}: position {position} of {last}"));
            return;
        }
        self.stage(stage);
        if position / POSITIONS > self.told {
            self.told = position / POSITIONS;
            tell(&format!("{stage}: position {position} of {last}"));
        }
    }

    /// It is done.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}
