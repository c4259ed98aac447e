//! How keys of terminals and zones come to be: checked before the provider is asked, which happens outside of all locks,
//! and written with their record in one transaction. And the components of custodians, until all are here.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

use super::Components;
use crate::{
    audit,
    financial::{Purpose as Duty, TerminalCipher, check_components},
    keys::{
        By, Error, Info, KeyService, Kind, Spec,
        held::Held,
        service::{Open, act, checked, shown},
    },
};

/// How long components wait for the others, in milliseconds.
const WAIT_MS: i64 = 3_600_000;
/// Keys whose components are being brought, at most.
const WAITING_MAX: usize = 128;
/// Bytes of a component at most: as a module's console gives it out, it is longer than the key.
const COMPONENT_MAX: usize = 256;

/// Whether what comes is a new key or the next version of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// A new key.
    Key,
    /// The next version of the key of this name, which is of the same kind and purpose; what else it was made with stays.
    Version,
}

/// How far the components of a key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formed {
    /// How many are here.
    pub found: usize,
    /// How many it takes.
    pub wanted: usize,
    /// The key, with the last of them.
    pub key: Option<Info>,
}

/// Keys by name whose components are not all here. No `Debug`.
pub(in crate::keys) type Forming = BTreeMap<String, Waiting>;

/// One of them.
pub(in crate::keys) struct Waiting {
    spec: Spec<'static>,
    birth: Birth,
    wanted: usize,
    since: i64,
    callers: Vec<String>,
    components: Components,
}

impl KeyService {
    /// Begins to form a key of so many components, two to nine, each of which another custodian brings. One of the same
    /// name that was begun before is forgotten.
    ///
    /// # Errors
    /// [`Error::Provider`] with `length_invalid` for another number; [`Error::Forming`] if too many keys wait; and as
    /// [`KeyService::create`].
    pub fn begin_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        components: usize,
    ) -> Result<Formed, Error> {
        self.recorded(by, spec.name, "terminal-begin", || {
            let open = self.opened()?;
            check_components(components)?;
            self.arriving(&open, spec, birth)?;
            let mut forming = self.forming(by.now);
            if forming.len() >= WAITING_MAX {
                return Err(Error::Forming("too many keys wait for their components; bring those first"));
            }
            let waiting = Waiting {
                spec: Spec { name: "", ..*spec },
                birth,
                wanted: components,
                since: by.now,
                callers: Vec::new(),
                components: Vec::new(),
            };
            forming.insert(spec.name.to_owned(), waiting);
            Ok(Formed { found: 0, wanted: components, key: None })
        })
    }

    /// Brings one component: clear where keys lie in this process, as its console gave it out where they lie in a module.
    /// With the last one the key is formed; if they form none, all are forgotten.
    ///
    /// # Errors
    /// [`Error::Forming`] if no such key was begun within the hour, or this caller brought one already;
    /// [`Error::Decryption`] if the sum is no key; [`Error::Provider`] with `length_invalid`; [`Error::TooLarge`].
    pub fn bring_component(&self, by: &By<'_>, name: &str, component: &[u8]) -> Result<Formed, Error> {
        let mut all = None;
        let brought = self.recorded(by, name, "terminal-component", || {
            self.opened()?;
            if component.len() > COMPONENT_MAX {
                let found = component.len();
                return Err(Error::TooLarge { what: "component, bytes", found, limit: COMPONENT_MAX });
            }
            let mut forming = self.forming(by.now);
            let waiting = forming.get_mut(name);
            let waiting = waiting.ok_or(Error::Forming("no key of this name waits for components; begin it first"))?;
            if waiting.callers.iter().any(|caller| caller == by.caller) {
                return Err(Error::Forming("each component comes from another custodian, and this one brought one"));
            }
            waiting.callers.push(by.caller.to_owned());
            waiting.components.push(Zeroizing::new(component.to_vec()));
            let (found, wanted) = (waiting.components.len(), waiting.wanted);
            if found == wanted {
                all = forming.remove(name);
            }
            Ok(Formed { found, wanted, key: None })
        })?;
        let Some(Waiting { spec, birth, components, .. }) = all else { return Ok(brought) };
        let spec = Spec { name, ..spec };
        let info = self.arrive(by, &spec, birth, "terminal-form", |_, (duty, cipher)| {
            let parts: Vec<&[u8]> = components.iter().map(|component| component.as_slice()).collect();
            self.held(self.financial()?.form_terminal_key(duty, cipher, &parts)?)
        })?;
        Ok(Formed { key: Some(info), ..brought })
    }

    /// What waits, without what waited too long.
    pub(in crate::keys) fn forming(&self, now: i64) -> MutexGuard<'_, Forming> {
        let mut forming = self.forming.lock().unwrap_or_else(PoisonError::into_inner);
        forming.retain(|_, waiting| now.saturating_sub(waiting.since) < WAIT_MS);
        forming
    }

    /// Does it, and keeps in the trail what came of it.
    fn recorded<T>(
        &self,
        by: &By<'_>,
        name: &str,
        operation: &'static str,
        run: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        checked(by)?;
        let result = run();
        if !matches!(result, Err(Error::Sealed)) {
            let outcome = result.as_ref().err().map_or(audit::OK, Error::code);
            self.write_trail(&mut self.file(), Some((by.now, act(by, name, 0, operation, outcome))))?;
        }
        result
    }

    /// A key that `make` has the provider make, written as a new one or as the next version.
    pub(super) fn arrive(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        operation: &'static str,
        make: impl FnOnce(&Open, (Duty, TerminalCipher)) -> Result<Held, Error>,
    ) -> Result<Info, Error> {
        checked(by)?;
        let made = self.opened().and_then(|open| {
            let parts = self.arriving(&open, spec, birth)?;
            make(&open, parts)
        });
        self.change(by, spec.name, 0, operation, |file, open| {
            let held = made?;
            let written = self.arriving(open, spec, birth).and_then(|_| match birth {
                Birth::Key => self.born(by, file, open, spec, held.clone()),
                Birth::Version => self.next(by, file, open, &*self.key(open, spec.name)?, held.clone()),
            });
            if written.is_err() {
                self.let_go(&held);
            }
            written
        })
    }

    /// What a key that is to come will be, if it may.
    fn arriving(&self, open: &Open, spec: &Spec<'_>, birth: Birth) -> Result<(Duty, TerminalCipher), Error> {
        let Spec { name, kind, purpose, .. } = *spec;
        match birth {
            Birth::Key => self.fresh(open, spec)?,
            Birth::Version => {
                let row = &self.key(open, name)?.row;
                if (row.kind, row.purpose) != (kind, purpose) {
                    let operation = "get a version of another kind or purpose";
                    return Err(Error::Usage { name: shown(name), purpose: row.purpose, operation });
                }
            }
        }
        match (purpose.duty(), kind) {
            (Some(duty), Kind::Financial(cipher)) => Ok((duty, cipher)),
            (Some(_), Kind::General(_)) | (None, Kind::General(_) | Kind::Financial(_)) => {
                Err(Error::Kind { kind, purpose })
            }
        }
    }
}
