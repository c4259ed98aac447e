//! Which version of its parameters a terminal is downloading: what it says at the end is about the list that it was given.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::TerminalId;
use domain::terminal_parameter::ParameterPart;

/// Downloads under way. What a restart forgets is asked for again at the next sign-in.
#[derive(Debug, Default)]
pub(super) struct Downloads(Mutex<HashMap<(TerminalId, ParameterPart), u32>>);

impl Downloads {
    fn all(&self) -> MutexGuard<'_, HashMap<(TerminalId, ParameterPart), u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is given a list of this version, `anew` or the rest of one: of a list of two versions the older one counts.
    pub(super) fn begin(&self, terminal: TerminalId, part: ParameterPart, (version, anew): (u32, bool)) {
        let mut all = self.all();
        let known = all.entry((terminal, part)).or_insert(version);
        *known = if anew { version } else { version.min(*known) };
    }

    /// It says that it has all of it.
    pub(super) fn end(&self, terminal: TerminalId, part: ParameterPart) -> Option<u32> {
        self.all().remove(&(terminal, part))
    }
}
