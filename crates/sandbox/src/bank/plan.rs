//! The fault plan: how often what goes wrong, and for a seed and a serial number, what.
//!
//! A plan is a TOML file; [`DEFAULT_PLAN`] is one with every field and its meaning. Rates are whole numbers of 10,000
//! operations. Two independent draws decide over a serial number: whether it is declined (and with which code), and
//! what happens to its answer; [`Shares`] are counted instead.

use serde::{Deserialize, Serialize};

use super::batch::BatchPlan;
use super::names::{Rail, Serial, Verb};
use super::part::PartPlan;
use super::quota::QuotaPlan;
use super::shares::Shares;

/// The plan of `--faults default`.
pub const DEFAULT_PLAN: &str = include_str!("plan.toml");

/// Rates are of so many operations.
pub(super) const WHOLE: u64 = 10_000;

/// What goes wrong, and how often. The default is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// How long a connection is held when no answer comes, before it is cut.
    pub hold_ms: u64,
    /// How long a late answer takes.
    pub late_ms: u64,
    /// Which query of an operation in progress is the first to get its outcome, from 1.
    pub in_progress_queries: u32,
    /// Which of the payments that succeed come back, counted from 1 as they arrive.
    pub return_nth: Vec<u64>,
    /// How many days later they come back; 0 is at once.
    pub return_after_days: u32,
    /// Faults that so many of all operations have, besides the rates of their verbs.
    pub shares: Shares,
    /// Rates of debits.
    pub debit: Rates,
    /// Rates of refunds.
    pub refund: Rates,
    /// Rates of payments.
    pub pay: Rates,
    /// Rates of holds.
    pub hold: Rates,
    /// Rates of captures.
    pub capture: Rates,
    /// Rates of releases.
    pub release: Rates,
    /// Rates of payments at UnionPay's and EPCC's pages.
    pub redirect: Rates,
    /// What becomes of the rows of the fund's monthly batches.
    pub batch: BatchPlan,
    /// What the fund says of leases.
    pub quota: QuotaPlan,
    /// What the fund holds and captures in part.
    pub part: PartPlan,
    /// Rails whose debits are refused more often than others'.
    pub rail: Vec<RailRates>,
    /// Sites that go down for a while.
    pub outage: Vec<Outage>,
}

/// A rail whose debits are refused more often.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RailRates {
    /// Its word: epcc, unionpay.
    pub name: String,
    /// How many debits of 10,000 it refuses, before its other rates are looked at.
    pub decline: u32,
    /// With this code: 8 digits.
    pub code: String,
}

/// A site that goes down for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Which, of the addresses that the bank listens on; the first is 1.
    pub site: usize,
    /// How long after the bank began, in milliseconds.
    pub after_ms: u64,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            hold_ms: 300,
            late_ms: 150,
            in_progress_queries: 2,
            return_nth: Vec::new(),
            return_after_days: 1,
            shares: Shares::default(),
            debit: Rates::default(),
            refund: Rates::default(),
            pay: Rates::default(),
            hold: Rates::default(),
            capture: Rates::default(),
            release: Rates::default(),
            redirect: Rates::default(),
            batch: BatchPlan::default(),
            quota: QuotaPlan::default(),
            part: PartPlan::default(),
            rail: Vec::new(),
            outage: Vec::new(),
        }
    }
}

/// How often what goes wrong with one verb, of 10,000.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Refused.
    pub decline: u32,
    /// With one of these codes; if there is none, with one of the verb's usual ones.
    pub decline_codes: Vec<String>,
    /// The request never arrived.
    pub lost_before: u32,
    /// Carried out, but the answer never comes.
    pub lost_after: u32,
    /// Carried out and answered late.
    pub late: u32,
    /// Answered "in progress"; carried out at a later query.
    pub in_progress: u32,
    /// HTTP 500 and garbage; nothing was done.
    pub garbage_before: u32,
    /// HTTP 500 and garbage; it was carried out.
    pub garbage_after: u32,
    /// Answered, and told twice more by notification; a return of it is listed twice.
    pub twice: u32,
    /// A payment that succeeds comes back.
    pub returned: u32,
}

/// What happens on the way of a request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    None,
    /// The request never arrives.
    LostBefore,
    /// The answer never comes.
    LostAfter,
    /// The answer comes late.
    Late,
    /// The answer is "in progress".
    InProgress,
    /// The answer is garbage; nothing was done.
    GarbageBefore,
    /// The answer is garbage; it was done.
    GarbageAfter,
    /// The outcome is told three times.
    Twice,
}

/// What the plan wants to become of an operation that does arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Carry it out.
    Accept,
    /// Decline it with this code.
    Decline(&'a str),
}

/// A plan that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not TOML, or an unknown or ill-typed field.
    #[error("the fault plan cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// Rates of one draw that make more than everything.
    #[error("the fault plan, [{verb}]: the rates of {what} are {sum} of 10,000 together; at most 10,000 are possible")]
    Rates {
        /// The verb.
        verb: &'static str,
        /// Which draw.
        what: &'static str,
        /// Their sum.
        sum: u64,
    },
    /// Shares that make more than everything.
    #[error("the fault plan, [shares]: they are {0} of 10,000 together; at most 10,000 are possible")]
    Shares(u64),
    /// A code that is no decline.
    #[error("the fault plan, [{verb}]: '{code:.20}' is not a code of a decline: 8 digits, the first 1 to 4")]
    Code {
        /// The verb.
        verb: &'static str,
        /// The code.
        code: String,
    },
    /// A rail that there is not.
    #[error("the fault plan, [[rail]]: '{0:.20}' is no rail: epcc, unionpay, fund, pingan or own_bank")]
    Rail(String),
    /// A figure of parts that there is not.
    #[error(
        "the fault plan, [part]: {0} is out of its range: rates and the share are 0 to 10,000, and at_most is in fen"
    )]
    Part(&'static str),
    /// An outage of no site.
    #[error("the fault plan, [[outage]]: site is 0; the first site is 1")]
    Outage,
    /// A query number that there is not.
    #[error("the fault plan: in_progress_queries is 0; the first query is 1")]
    Queries,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError`] naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text)?;
        if plan.in_progress_queries == 0 {
            return Err(PlanError::Queries);
        }
        if plan.outage.iter().any(|outage| outage.site == 0) {
            return Err(PlanError::Outage);
        }
        if let Some(name) = plan.part.wrong() {
            return Err(PlanError::Part(name));
        }
        if plan.shares.sum() > WHOLE {
            return Err(PlanError::Shares(plan.shares.sum()));
        }
        for verb in Verb::ALL.iter().copied() {
            plan.rates(verb).check(verb.name())?;
        }
        for rail in &plan.rail {
            if Rail::parse(&rail.name).is_none() {
                return Err(PlanError::Rail(rail.name.clone()));
            }
            let rates = Rates { decline: rail.decline, decline_codes: vec![rail.code.clone()], ..Rates::default() };
            rates.check("rail")?;
        }
        Ok(plan)
    }

    /// The rates of a verb.
    #[must_use]
    pub const fn rates(&self, verb: Verb) -> &Rates {
        match verb {
            Verb::Debit => &self.debit,
            Verb::Refund => &self.refund,
            Verb::Pay => &self.pay,
            Verb::Hold => &self.hold,
            Verb::Capture => &self.capture,
            Verb::Release => &self.release,
            Verb::Redirect => &self.redirect,
        }
    }

    /// What happens on the way of a serial number by the rates of its verb.
    #[must_use]
    pub fn fault(&self, seed: u64, serial: Serial, verb: Verb) -> Fault {
        let mut left = draw(seed, Draw::Fault, serial) % WHOLE;
        for (rate, fault) in self.rates(verb).faults() {
            if left < u64::from(rate) {
                return fault;
            }
            left -= u64::from(rate);
        }
        Fault::None
    }

    /// Whether the plan declines a serial number, and how.
    #[must_use]
    pub fn verdict(&self, seed: u64, serial: Serial, verb: Verb) -> Verdict<'_> {
        let rates = self.rates(verb);
        if draw(seed, Draw::Decline, serial) % WHOLE >= u64::from(rates.decline) {
            return Verdict::Accept;
        }
        let choose = |count: usize| {
            let count = u64::try_from(count).unwrap_or(1).max(1);
            usize::try_from(draw(seed, Draw::Code, serial) % count).unwrap_or(0)
        };
        let usual = usual_codes(verb);
        match rates.decline_codes.get(choose(rates.decline_codes.len())) {
            Some(code) => Verdict::Decline(code),
            None => Verdict::Decline(usual[choose(usual.len())]),
        }
    }

    /// As [`Plan::verdict`], with what a rail refuses besides.
    #[must_use]
    pub fn verdict_on(&self, seed: u64, serial: Serial, verb: Verb, rail: Rail) -> Verdict<'_> {
        let of_rail = |rates: &&RailRates| verb == Verb::Debit && rates.name == rail.name();
        let refused = |rates: &&RailRates| draw(seed, Draw::Rail, serial) % WHOLE < u64::from(rates.decline);
        match self.rail.iter().find(of_rail).filter(refused) {
            Some(rates) => Verdict::Decline(&rates.code),
            None => self.verdict(seed, serial, verb),
        }
    }

    /// Whether a payment that succeeds comes back because of its rate.
    #[must_use]
    pub fn returned(&self, seed: u64, serial: Serial) -> bool {
        draw(seed, Draw::Return, serial) % WHOLE < u64::from(self.pay.returned)
    }
}

impl Rates {
    fn faults(&self) -> [(u32, Fault); 7] {
        [
            (self.lost_before, Fault::LostBefore),
            (self.lost_after, Fault::LostAfter),
            (self.late, Fault::Late),
            (self.in_progress, Fault::InProgress),
            (self.garbage_before, Fault::GarbageBefore),
            (self.garbage_after, Fault::GarbageAfter),
            (self.twice, Fault::Twice),
        ]
    }

    fn check(&self, verb: &'static str) -> Result<(), PlanError> {
        let faults = self.faults().iter().map(|(rate, _)| u64::from(*rate)).sum();
        let draws = [("faults", faults), ("decline", u64::from(self.decline)), ("returned", u64::from(self.returned))];
        if let Some((what, sum)) = draws.into_iter().find(|(_, sum)| *sum > WHOLE) {
            return Err(PlanError::Rates { verb, what, sum });
        }
        let is_code = |code: &str| {
            let digits = code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit());
            digits && (b'1'..=b'4').contains(&code.as_bytes()[0])
        };
        match self.decline_codes.iter().find(|code| !is_code(code)) {
            Some(code) => Err(PlanError::Code { verb, code: code.clone() }),
            None => Ok(()),
        }
    }
}

/// What a verb is usually declined for: mostly the payer, then risk control, banks and the network.
const fn usual_codes(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Debit | Verb::Redirect => {
            &["10000001", "10000001", "10000001", "10000002", "20000001", "20000002", "30000001", "40000001"]
        }
        Verb::Pay => &["10000003", "10000004", "20000001", "30000001", "40000001"],
        Verb::Refund | Verb::Capture | Verb::Release => &["30000001", "40000001"],
        Verb::Hold => &["10000005", "10000005", "10000006", "20000001", "30000001", "40000001"],
    }
}

#[derive(Clone, Copy)]
pub(super) enum Draw {
    Fault = 1,
    Decline,
    Code,
    Return,
    Rail,
    Sms,
    Part,
}

/// The code that a phone is told, six digits.
pub(crate) fn code_of(seed: u64, serial: Serial) -> String {
    format!("{:06}", draw(seed, Draw::Sms, serial) % 1_000_000)
}

/// A number that looks random and depends on nothing but its arguments.
pub(super) fn draw(seed: u64, draw: Draw, serial: Serial) -> u64 {
    let [low, high] = serial.halves();
    [low, high, draw as u64].into_iter().fold(mix(seed), |state, word| mix(state ^ word))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
pub(super) fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serials(count: u64) -> impl Iterator<Item = Serial> {
        (0..count).map(|number| format!("20260305{number:016}0{:06}", number % 1_000_000).parse().unwrap())
    }

    #[test]
    fn the_default_plan_is_a_plan() {
        let plan = Plan::parse(DEFAULT_PLAN).unwrap();
        assert!(plan.debit.decline > 0 && plan.return_nth == [3]);
    }

    #[test]
    fn a_plan_that_is_written_is_read_as_it_was() {
        let plan = Plan::parse(&format!(
            "{DEFAULT_PLAN}\n[shares]\nlost = 100\n[[outage]]\nsite = 1\nafter_ms = 1\nfor_ms = 2\n"
        ))
        .unwrap();
        assert_eq!(Plan::parse(&toml::to_string(&plan).unwrap()).unwrap(), plan);
    }

    #[test]
    fn without_a_plan_nothing_goes_wrong() {
        let plan = Plan::parse("").unwrap();
        assert_eq!(plan, Plan::default());
        for serial in serials(1_000) {
            for verb in Verb::ALL.iter().copied() {
                assert_eq!(plan.fault(7, serial, verb), Fault::None);
                assert_eq!(plan.verdict(7, serial, verb), Verdict::Accept);
            }
        }
    }

    #[test]
    fn rates_are_met_within_a_tenth_and_draws_are_independent() {
        let plan = Plan::parse("[debit]\ndecline = 2000\nlost_after = 1000\nlate = 1000").unwrap();
        let (mut declined, mut lost, mut both) = (0, 0, 0);
        for serial in serials(100_000) {
            let decline = plan.verdict(1, serial, Verb::Debit) != Verdict::Accept;
            let fault = plan.fault(1, serial, Verb::Debit) == Fault::LostAfter;
            declined += u32::from(decline);
            lost += u32::from(fault);
            both += u32::from(decline && fault);
        }
        assert!((18_000..22_000).contains(&declined), "{declined}");
        assert!((9_000..11_000).contains(&lost), "{lost}");
        assert!((1_800..2_200).contains(&both), "{both}");
    }

    #[test]
    fn another_seed_hits_other_serials() {
        let plan = Plan::parse("[pay]\ndecline = 5000").unwrap();
        let hit = |seed| serials(64).map(move |serial| plan.verdict(seed, serial, Verb::Pay) == Verdict::Accept);
        let (first, again, other): (Vec<_>, Vec<_>, Vec<_>) =
            (hit.clone()(1).collect(), hit.clone()(1).collect(), hit(2).collect());
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn codes_of_the_plan_go_before_the_usual_ones() {
        let plan =
            Plan::parse("[pay]\ndecline = 10000\ndecline_codes = [\"10000004\"]\n[hold]\ndecline = 10000").unwrap();
        for serial in serials(100) {
            assert_eq!(plan.verdict(1, serial, Verb::Pay), Verdict::Decline("10000004"));
            let Verdict::Decline(code) = plan.verdict(1, serial, Verb::Hold) else { panic!("accepted") };
            assert!(usual_codes(Verb::Hold).contains(&code));
        }
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused_by_name() {
        let refused = |text: &str| Plan::parse(text).unwrap_err().to_string();
        assert!(refused("[debit]\nlate = 6000\nlost_after = 6000").contains("[debit]: the rates of faults are 12000"));
        assert!(refused("[pay]\nreturned = 10001").contains("[pay]: the rates of returned"));
        assert!(refused("[debit]\nlat = 1").contains("lat"));
        assert!(refused("[debit]\nlate = -1").contains("late"));
        assert!(refused("[hold]\ndecline_codes = [\"00000000\"]").contains("'00000000' is not a code of a decline"));
        assert!(refused("[shares]\nlost = 9000\nslow = 1001").contains("[shares]: they are 10001"));
        assert!(refused("[part]\ncapture = 10001").contains("[part]: capture is out of its range"));
        assert!(refused("in_progress_queries = 0").contains("in_progress_queries"));
        assert!(refused("[[outage]]\nsite = 0\nafter_ms = 1\nfor_ms = 1").contains("the first site is 1"));
        assert!(refused("[[outage]]\nsite = 1\nafter_ms = 1").contains("for_ms"));
        assert!(refused("[[rail]]\nname = \"visa\"\ndecline = 1\ncode = \"30000001\"").contains("'visa' is no rail"));
        assert!(refused("[[rail]]\nname = \"epcc\"\ndecline = 1\ncode = \"00000000\"").contains("[rail]"));
    }
}
