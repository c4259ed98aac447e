//! Weights of a channel's sites (站点权重), as people set them while the platform runs.
//!
//! ```text
//!  settings ─ two people ─► version 1 ─ two people ─► version 2 … in force: the newest
//!                              └──────── undo, one person: a new version with the weights that stood before ──┘
//! ```
//! Who set which weights, when and why, stands in the journal, and the next leader goes by the same ones. What is undone was
//! in force before, by two people or by the settings, so one person is enough: it must be quick. A site is known by its name;
//! which sites a channel has is the settings' to say, and a name that is no site's weighs nothing. A version without weights
//! says that those of the settings are in force.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::attempt::Rail;
use crate::channel::ChannelName;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::SiteWeightsId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most sites of a channel.
pub const MAX_SITES: usize = 16;
/// The most bytes of a site's name.
pub const MAX_NAME: usize = 32;
/// The largest weight.
pub const MAX_WEIGHT: u32 = 1_000;

/// The weight of a site.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SiteWeight {
    /// The site's name in the settings.
    #[n(0)]
    pub site: String,
    /// Its share of new requests, against the others'; 0 takes it out.
    #[n(1)]
    pub weight: u32,
}

/// A version of the weights of a channel's sites.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SiteWeights {
    /// Its id.
    #[n(0)]
    pub id: SiteWeightsId,
    /// The channel, by the rail that it carries.
    #[n(1)]
    pub rail: Rail,
    /// Which of the channel's versions; the first is 1.
    #[n(2)]
    pub version: u64,
    /// A weight a site; empty for those of the settings.
    #[n(3)]
    pub weights: Vec<SiteWeight>,
    /// The version that it takes back.
    #[n(4)]
    pub undoes: Option<u64>,
    /// When it was set.
    #[n(5)]
    pub set_at: Time,
    /// Who proposed or undid.
    #[n(6)]
    pub set_by: String,
    /// Who approved it.
    #[n(7)]
    pub approver: Option<String>,
    /// The word of the rail's further channel; its first if none.
    #[n(8)]
    pub channel: Option<String>,
}

impl SiteWeights {
    /// The channel.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }

    fn is_of(&self, channel: &ChannelName) -> bool {
        self.rail == channel.rail && self.channel == channel.word
    }
}

/// Sets the weights of a channel's sites.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetSiteWeights {
    /// The channel.
    #[n(0)]
    pub rail: Rail,
    /// 1 to [`MAX_SITES`], each site once, one of them above zero.
    #[n(1)]
    pub weights: Vec<SiteWeight>,
    /// The word of the rail's further channel; its first if none.
    #[n(2)]
    pub channel: Option<String>,
}

impl SetSiteWeights {
    /// The channel.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }

    /// The command that carries it out once it is approved.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::SiteWeight(SiteWeightCommand::Set(self))
    }
}

/// What is wanted of the weights of sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteWeightCommand {
    /// Set them; two people.
    Set(SetSiteWeights),
    /// Take this version of a channel back, which must be the newest: what stood before is in force again.
    Undo {
        /// The channel.
        channel: ChannelName,
        /// The version.
        version: u64,
    },
}

/// What happened to the weights of sites.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SiteWeightEvent {
    /// A version is in force.
    #[n(0)]
    Set(#[n(0)] SiteWeights),
}

/// Changes the weights of sites.
///
/// # Errors
/// `value_invalid`; for setting them, `approval_required`.
pub fn decide(draft: &mut Draft<'_>, command: SiteWeightCommand) -> Result<Reply, Refusal> {
    let (channel, weights, undoes) = match command {
        SiteWeightCommand::Set(set) => {
            approval::require(draft, "setting the weights of a channel's sites")?;
            let channel = set.channel_name();
            channel.check()?;
            check(&set.weights)?;
            (channel, set.weights, None)
        }
        SiteWeightCommand::Undo { channel, version } => {
            let before = before(draft.state, &channel, version)?;
            (channel, before, Some(version))
        }
    };
    let newest = draft.state.site_weights_of(&channel).map_or(0, |newest| newest.version);
    let version = newest.checked_add(1).ok_or_else(|| invalid("version", "there can be no further version"))?;
    let id = SiteWeightsId(draft.state.site_weights.next_id());
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    let ChannelName { rail, word: channel } = channel;
    let set = SiteWeights { id, rail, version, weights, undoes, set_at, set_by, approver, channel };
    draft.emit(Event::SiteWeight(SiteWeightEvent::Set(set)));
    Ok(Reply::SiteWeights(id))
}

fn check(weights: &[SiteWeight]) -> Result<(), Refusal> {
    if weights.is_empty() || weights.len() > MAX_SITES {
        return Err(invalid("weights", &format!("{} sites; name 1 to {MAX_SITES}", weights.len())));
    }
    for (at, SiteWeight { site, weight }) in weights.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if site.is_empty() || site.len() > MAX_NAME || !site.bytes().all(plain) {
            let message = format!("'{site:.40}' is no site's name: 1 to {MAX_NAME} small letters, digits, '-' or '_'");
            return Err(invalid("site", &message));
        }
        if weights.iter().take(at).any(|other| other.site == *site) {
            return Err(invalid("site", &format!("{site} is named twice; name each site once")));
        }
        if *weight > MAX_WEIGHT {
            return Err(invalid("weight", &format!("{weight} for {site}; at most {MAX_WEIGHT} is possible")));
        }
    }
    if weights.iter().all(|weight| weight.weight == 0) {
        return Err(invalid("weights", "all of them are 0; one site must get what comes"));
    }
    Ok(())
}

/// The weights that stood before the newest version, which must be this one.
fn before(state: &State, channel: &ChannelName, version: u64) -> Result<Vec<SiteWeight>, Refusal> {
    let Some(newest) = state.site_weights_of(channel) else {
        let message = format!("nothing was set for the sites of {channel}: the weights of the settings are in force");
        return Err(invalid("rail", &message));
    };
    if newest.version != version {
        let newest = newest.version;
        return Err(invalid(
            "version",
            &format!("version {version} of {channel} is not the newest, which is {newest}"),
        ));
    }
    let all = state.site_weights.iter().map(|(_, weights)| weights);
    let earlier = all.filter(|weights| weights.is_of(channel) && weights.version < version);
    Ok(earlier.max_by_key(|weights| weights.version).map(|earlier| earlier.weights.clone()).unwrap_or_default())
}

fn invalid(param: &'static str, message: &str) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

impl State {
    /// The version that is in force for a channel; none if that is the settings'.
    #[must_use]
    pub fn site_weights_of(&self, channel: &ChannelName) -> Option<&SiteWeights> {
        let all = self.site_weights.iter().map(|(_, weights)| weights);
        all.filter(|weights| weights.is_of(channel)).max_by_key(|weights| weights.version)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &SiteWeightEvent) {
    match event {
        SiteWeightEvent::Set(weights) => state.site_weights.insert(weights.id.0, weights.clone()),
    }
}
