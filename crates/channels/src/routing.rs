//! Routing between channels (路由): which channel a payment goes to where several may carry it, of several networks or of one, by rules
//! in a file.
//!
//! ```text
//!  what is to be paid ─► rule 1 ─ does not match: why ─► rule 2 ─ … ─► the first that matches and leaves a channel
//!                          └ its channels, without those that are not offered, not configured or too unsuccessful
//!                              └ in the order listed, by cost, or by success ─► the route: the first, then where a refusal cascades to
//!  no rule matches ─► the channels as they were offered, without a cascade
//!  a payout ─► only rules for payouts; one channel, and a failure there goes on nowhere
//! ```
//! A choice is made once, before the order's try is decided, and stands in the journal as the instruments of the try; a later change
//! of rules changes nothing that was tried. The route's further channels are asked only after a **definite** failure of a bank or a
//! system: never while an answer is unknown, never after a refusal of the payer's or of a risk rule.
//!
//! Pure: it reads no file and no clock. Rates of success come with the question, so that an explanation can be tried on any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::attempt::Rail;
use domain::channel::ChannelName;
use domain::money::Minor;
use domain::payment::MAX_ALTERNATIVES;
use domain::payout;
use domain::rates::Rate;
use serde::{Deserialize, Serialize};

/// The most rules of a file.
const RULES: usize = 500;
/// Millionths of a whole.
const MILLION: i128 = 1_000_000;

/// What pays, as rules name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paying {
    /// A debit card under an agreement.
    DebitCard,
    /// A credit card under an agreement.
    CreditCard,
    /// The channel's own page.
    Redirect,
    /// A payout or withdrawal, which leaves: only rules that name it are about it.
    Payout,
}

impl Paying {
    /// Every instrument.
    pub const ALL: [Self; 4] = [Self::DebitCard, Self::CreditCard, Self::Redirect, Self::Payout];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DebitCard => "debit_card",
            Self::CreditCard => "credit_card",
            Self::Redirect => "redirect",
            Self::Payout => "payout",
        }
    }

    /// Whether it may travel over a rail.
    #[must_use]
    pub fn travels(self, rail: Rail) -> bool {
        match self {
            Self::DebitCard | Self::CreditCard | Self::Redirect => takes_cards(rail),
            Self::Payout => rail == payout::RAIL,
        }
    }
}

/// In which order a rule's channels are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// As the rule lists them.
    #[default]
    Listed,
    /// What costs the institution least for this amount first; the same cost as listed.
    Cost,
    /// What succeeds most often first; too few tries say nothing and stand behind, as listed.
    Success,
}

/// What a payment over a channel costs the institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// In millionths of the amount.
    #[serde(default)]
    pub rate: i64,
    /// Minor units for each payment.
    #[serde(default)]
    pub fixed: Minor,
    /// The most it costs, in minor units; without a bound unless said.
    pub cap: Option<Minor>,
}

impl Cost {
    /// Minor units for an amount, rounded half up.
    #[must_use]
    pub fn of(&self, amount: Minor) -> Minor {
        let share = (i128::from(amount) * i128::from(self.rate) + MILLION / 2) / MILLION;
        let all = Minor::try_from(share + i128::from(self.fixed)).unwrap_or(Minor::MAX);
        self.cap.map_or(all, |cap| all.min(cap))
    }
}

/// One rule. What is empty, or not there, is anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// By what explanations and logs name it; its own.
    pub name: String,
    /// What pays.
    #[serde(default)]
    pub instruments: BTreeSet<Paying>,
    /// The first three digits of the bank's interbank number (联行号), such as "102".
    #[serde(default)]
    pub banks: BTreeSet<String>,
    /// Minor units, this many among them.
    pub amount_from: Option<Minor>,
    /// Minor units, this many among them.
    pub amount_to: Option<Minor>,
    /// Channels that may carry it.
    pub channels: Vec<String>,
    /// In which order they are asked.
    #[serde(default)]
    pub prefer: Prefer,
    /// Channels below this rate of effective success, in thousandths, are left out.
    pub min_success: Option<u16>,
    /// So many tries at least say something of a channel's success.
    #[serde(default = "fifty")]
    pub min_tries: u64,
    /// Whether a definite failure goes on to the next channel.
    #[serde(default)]
    pub cascade: bool,
}

const fn fifty() -> u64 {
    50
}

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// What channels cost, by name; those that are not here cost nothing.
    #[serde(default)]
    pub costs: BTreeMap<String, Cost>,
    /// In the order in which they are looked at.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// A file that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoutingError {
    /// A name that is no channel.
    #[error(
        "{place} names the channel '{name}': use epcc or unionpay, or a further channel of theirs, such as unionpay_b"
    )]
    Channel {
        /// Where.
        place: String,
        /// What stands there.
        name: String,
    },
    /// A rule that cannot be, or never matches.
    #[error("rule '{rule}': {why}")]
    Rule {
        /// Its name.
        rule: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// Too many.
    #[error("there are {0} rules: use at most {RULES}")]
    TooMany(usize),
}

/// What is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What pays.
    pub paying: Paying,
    /// The bank's three digits, where they are known.
    pub bank: Option<String>,
    /// Minor units.
    pub amount: Minor,
    /// The channels that could carry it: of a card those that it has an agreement for, of a payout those that pay out.
    pub offered: Vec<ChannelName>,
}

/// What is known of channels when the question is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Those that are configured.
    pub configured: BTreeSet<ChannelName>,
    /// The effective success of each, of what goes the same way: in, or out.
    pub success: BTreeMap<ChannelName, Rate>,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule.
    pub rule: String,
    /// Whether it chose.
    pub matched: bool,
    /// Why it did not match, or what it left out.
    pub why: Vec<String>,
}

/// A choice, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The rule that chose; none if none matched.
    pub rule: Option<String>,
    /// The channels in the order in which they are asked: further ones only after a definite failure. Empty: nothing carries it.
    pub channels: Vec<ChannelName>,
    /// Every rule that was looked at.
    pub verdicts: Vec<Verdict>,
}

const fn takes_cards(rail: Rail) -> bool {
    match rail {
        Rail::Epcc | Rail::UnionPay => true,
        Rail::Fund | Rail::OwnBank | Rail::PingAn => false,
    }
}

fn channel(place: impl fmt::Display, name: &str) -> Result<ChannelName, RoutingError> {
    let unknown = || RoutingError::Channel { place: place.to_string(), name: name.chars().take(32).collect() };
    ChannelName::parse(name).filter(|channel| takes_cards(channel.rail)).ok_or_else(unknown)
}

impl Rule {
    fn check(&self) -> Result<(), RoutingError> {
        let wrong = |why: String| Err(RoutingError::Rule { rule: self.name.clone(), why });
        if self.channels.is_empty() {
            return wrong("it has no channels: name at least one".to_owned());
        }
        let mut seen = BTreeSet::new();
        for name in &self.channels {
            channel(format_args!("rule '{}'", self.name), name)?;
            if !seen.insert(name) {
                return wrong(format!("it names {name} twice"));
            }
        }
        if let Some(why) = self.wrong_for_payouts() {
            return wrong(why);
        }
        if let Some(bank) = self.banks.iter().find(|bank| !is_bank(bank)) {
            return wrong(format!(
                "'{bank:.16}' is no bank: use the first three digits of its interbank number, such as \"102\""
            ));
        }
        let (from, to) = (self.amount_from.unwrap_or(0), self.amount_to.unwrap_or(Minor::MAX));
        if from < 0 || from > to {
            return wrong(format!("no amount is from {from} to {to} minor units"));
        }
        if let Some(least) = self.min_success.filter(|least| *least > 1_000) {
            return wrong(format!("min_success is {least}: use thousandths, 0 to 1000"));
        }
        if self.cascade && self.channels.len() == 1 {
            return wrong("it cascades, and has one channel: name another, or leave cascade out".to_owned());
        }
        let most = MAX_ALTERNATIVES + 1;
        if self.cascade && self.channels.len() > most {
            return wrong(format!("it cascades over {} channels: name at most {most}", self.channels.len()));
        }
        Ok(())
    }

    /// What a rule for payouts may not say.
    fn wrong_for_payouts(&self) -> Option<String> {
        if !self.is_for_payouts() {
            return None;
        }
        if self.instruments.len() > 1 {
            return Some("it is for payouts and for what pays: make two rules of it".to_owned());
        }
        let rail = payout::RAIL.name();
        let strays = |name: &&String| ChannelName::parse(name).is_none_or(|name| !Paying::Payout.travels(name.rail));
        if let Some(name) = self.channels.iter().find(strays) {
            return Some(format!(
                "payouts leave over {rail}, and {name} is of another network: name channels of {rail}"
            ));
        }
        self.cascade.then(|| "a payout that failed goes on to no other channel: leave cascade out".to_owned())
    }

    /// Whether it is about what leaves. A rule that names no instrument is about what pays.
    #[must_use]
    pub fn is_for_payouts(&self) -> bool {
        self.instruments.contains(&Paying::Payout)
    }

    /// Why it is not for this; empty if it is.
    fn misses(&self, asked: &Asked) -> Vec<String> {
        let mut why = Vec::new();
        if self.instruments.is_empty() && asked.paying == Paying::Payout {
            why.push("it names no instrument, and payouts go by rules that name them".to_owned());
        }
        if !self.instruments.is_empty() && !self.instruments.contains(&asked.paying) {
            let wanted: Vec<_> = self.instruments.iter().map(|paying| paying.name()).collect();
            why.push(format!("it is for {}, not {}", wanted.join(", "), asked.paying.name()));
        }
        if !self.banks.is_empty() && !asked.bank.as_ref().is_some_and(|bank| self.banks.contains(bank)) {
            let wanted: Vec<_> = self.banks.iter().map(String::as_str).collect();
            let bank = asked.bank.as_deref().unwrap_or("a bank that is not known");
            why.push(format!("it is for bank {}, not {bank}", wanted.join(", ")));
        }
        if let Some(from) = self.amount_from.filter(|from| asked.amount < *from) {
            why.push(format!("it is for {from} and more, not {}", asked.amount));
        }
        if let Some(to) = self.amount_to.filter(|to| asked.amount > *to) {
            why.push(format!("it is for {to} and less, not {}", asked.amount));
        }
        why
    }

    /// Its channels that may carry this, in the order in which they are asked; and what is left out, and why.
    fn route(&self, costs: &BTreeMap<String, Cost>, asked: &Asked, known: &Known) -> (Vec<ChannelName>, Vec<String>) {
        let mut left_out = Vec::new();
        let mut channels = Vec::new();
        for channel in self.channels.iter().filter_map(|name| ChannelName::parse(name)) {
            match self.leaves_out(&channel, asked, known) {
                Some(why) => left_out.push(format!("{channel}: {why}")),
                None => channels.push(channel),
            }
        }
        let cost = |channel: &ChannelName| costs.get(&channel.to_string()).map_or(0, |cost| cost.of(asked.amount));
        match self.prefer {
            Prefer::Listed => {}
            Prefer::Cost => channels.sort_by_cached_key(cost),
            Prefer::Success => channels.sort_by_key(|channel| std::cmp::Reverse(self.permille(channel, known))),
        }
        if !self.cascade {
            channels.truncate(1);
        }
        (channels, left_out)
    }

    /// Thousandths of effective success; `None` if too few tries were made to say.
    fn permille(&self, channel: &ChannelName, known: &Known) -> Option<u64> {
        let Rate { numerator, denominator } = *known.success.get(channel)?;
        let enough = denominator >= self.min_tries.max(1);
        enough.then(|| u64::try_from(u128::from(numerator) * 1_000 / u128::from(denominator)).unwrap_or(u64::MAX))
    }

    fn leaves_out(&self, channel: &ChannelName, asked: &Asked, known: &Known) -> Option<String> {
        if !asked.offered.contains(channel) {
            let why = match asked.paying {
                Paying::DebitCard | Paying::CreditCard | Paying::Redirect => "the instrument has no agreement there",
                Paying::Payout => "it is not among those that pay out",
            };
            return Some(why.to_owned());
        }
        if !known.configured.contains(channel) {
            return Some("no such channel is configured".to_owned());
        }
        let (least, found) = (u64::from(self.min_success?), self.permille(channel, known)?);
        (found < least).then(|| format!("{found} of a thousand succeed, and the rule asks for {least}"))
    }
}

/// Whether a text is the three digits that name a bank.
#[must_use]
pub fn is_bank(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Routing {
    /// Looks for what cannot be, or could never match.
    ///
    /// # Errors
    /// [`RoutingError`], naming the rule and what would be right.
    pub fn check(&self) -> Result<(), RoutingError> {
        if self.rules.len() > RULES {
            return Err(RoutingError::TooMany(self.rules.len()));
        }
        for (name, cost) in &self.costs {
            channel("[costs]", name)?;
            let Cost { rate, fixed, cap } = *cost;
            if !(0..=1_000_000).contains(&rate) || fixed < 0 || cap.is_some_and(|cap| cap < 0) {
                let why = "a rate is 0 to 1000000 millionths, fixed and cap are minor units from 0".to_owned();
                return Err(RoutingError::Rule { rule: format!("costs.{name}"), why });
            }
        }
        let mut names = BTreeSet::new();
        for rule in &self.rules {
            if rule.name.trim().is_empty() || rule.name.len() > 64 || !names.insert(&rule.name) {
                let why = "a name has 1 to 64 bytes and is its rule's alone".to_owned();
                return Err(RoutingError::Rule { rule: rule.name.chars().take(64).collect(), why });
            }
            rule.check()?;
        }
        Ok(())
    }

    /// Which channels this goes to, and why no others.
    #[must_use]
    pub fn route(&self, asked: &Asked, known: &Known) -> Route {
        let mut verdicts = Vec::new();
        for rule in &self.rules {
            let mut why = rule.misses(asked);
            if why.is_empty() {
                let (channels, left_out) = rule.route(&self.costs, asked, known);
                let matched = !channels.is_empty();
                why = left_out;
                verdicts.push(Verdict { rule: rule.name.clone(), matched, why });
                if matched {
                    return Route { rule: Some(rule.name.clone()), channels, verdicts };
                }
                continue;
            }
            verdicts.push(Verdict { rule: rule.name.clone(), matched: false, why });
        }
        let first = asked.offered.iter().find(|channel| known.configured.contains(channel)).cloned();
        Route { rule: None, channels: first.into_iter().collect(), verdicts }
    }
}

#[cfg(test)]
mod tests;
