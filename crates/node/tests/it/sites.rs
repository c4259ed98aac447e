//! Sites of a channel on simulated time: who gets which share, how soon a site that is down is found and left alone, what
//! becomes of the attempts it had, and how it comes back.

use std::collections::BTreeMap;

use domain::attempt::{AttemptStatus, Outcome};
use domain::ids::AttemptId;
use node::executor::{Call, Step};
use node::site::circuit::{CircuitState, CircuitTerms};
use node::site::{BreakerTerms, Cause, Change, Errand, Health, Pick, RAMP, SiteTerms, Sites, Wheel};
use proptest::prelude::*;

use crate::scripted::{EPOCH, Pilot, attempt, is_query, says, scripted};

/// As `lintel.toml` has them.
const TERMS: BreakerTerms = BreakerTerms {
    probe_every_ms: 5_000,
    probe_failures: 3,
    probe_answers: 3,
    window_ms: 30_000,
    calls_min: 20,
    confirm_percent: 20,
    trip_percent: 50,
    hold_down_ms: 60_000,
    hold_down_max_ms: 960_000,
    ramp_step_ms: 60_000,
    peak: 0,
    circuit: CircuitTerms { percent: 90, open_ms: 5_000, trial_ms: 1_000, answers: 3 },
};
/// The longest from the beginning of an outage to the confirmed finding, and to the last new request.
const FOUND_MS: u64 = 60_000;
const DRAINED_MS: u64 = 120_000;
/// How long an answer takes, and how long is waited for one.
const ANSWER_MS: u64 = 80;
const TIMEOUT_MS: u64 = 2_000;
/// A step of the world.
const STEP_MS: u64 = 20;

fn site(name: &str, weight: u32, capacity: u32) -> SiteTerms {
    SiteTerms { name: name.to_owned(), weight, capacity, connections: 1_000 }
}

/// What a site that is down does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    /// No connection.
    Refuses,
    /// Takes it and says nothing.
    Silent,
    /// Answers that it has a fault; probes are answered well.
    Errs,
}

/// A channel's sites, some of them down at times, and what came of the calls.
struct World {
    sites: Sites,
    now: u64,
    /// Which, from when, until when, how.
    outages: Vec<(usize, u64, u64, Down)>,
    /// Calls under way, by their end: the site, and whether it answers.
    calls: BTreeMap<u64, Vec<(usize, bool)>>,
    probes: BTreeMap<u64, Vec<(usize, bool)>>,
    /// New requests by site and time, and changes by time.
    picked: Vec<(u64, usize)>,
    changed: Vec<(u64, Change)>,
}

impl World {
    fn new(sites: Vec<SiteTerms>, outages: Vec<(usize, u64, u64, Down)>) -> Self {
        let sites = Sites::new(sites, TERMS);
        let (calls, probes, picked, changed) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
        Self { sites, now: 0, outages, calls, probes, picked, changed }
    }

    fn down(&self, site: usize) -> Option<Down> {
        let mut all = self.outages.iter();
        all.find(|(at, from, until, _)| *at == site && (*from..*until).contains(&self.now)).map(|outage| outage.3)
    }

    /// Passes the time up to `until`, with so many new requests a second.
    fn run(&mut self, until: u64, per_second: u64) {
        while self.now < until {
            self.now += STEP_MS;
            for (site, answered) in due(&mut self.calls, self.now) {
                self.sites.ended(self.now, site, answered);
            }
            for (site, answered) in due(&mut self.probes, self.now) {
                self.sites.probed(self.now, site, answered);
            }
            self.sites.tick(self.now);
            for site in self.sites.probes(self.now) {
                let down = self.down(site).filter(|down| *down != Down::Errs);
                let at = self.now + if down == Some(Down::Silent) { TIMEOUT_MS } else { ANSWER_MS };
                self.probes.entry(at).or_default().push((site, down.is_none()));
            }
            let (before, after) = ((self.now - STEP_MS) * per_second / 1_000, self.now * per_second / 1_000);
            (before..after).for_each(|_| self.request());
            self.changed.extend(self.sites.changes().into_iter().map(|change| (self.now, change)));
        }
    }

    /// A new request; one that finds no connection is written through another site.
    fn request(&mut self) {
        let mut avoid = None;
        loop {
            let Pick::Site(site) = self.sites.pick(self.now, Errand::Send, avoid) else { return };
            if avoid.is_none() {
                self.picked.push((self.now, site));
            }
            let (ms, answered) = match self.down(site) {
                Some(Down::Refuses) if avoid.is_none() => {
                    self.sites.ended(self.now, site, false);
                    avoid = Some(site);
                    continue;
                }
                None => (ANSWER_MS, true),
                Some(Down::Errs) => (ANSWER_MS, false),
                Some(Down::Refuses | Down::Silent) => (TIMEOUT_MS, false),
            };
            self.calls.entry(self.now + ms).or_default().push((site, answered));
            return;
        }
    }

    fn when(&self, found: impl Fn(&Change) -> bool) -> Option<u64> {
        self.changed.iter().find(|(_, change)| found(change)).map(|(at, _)| *at)
    }

    /// How many of the new requests between two times went to a site, of how many.
    fn share(&self, site: usize, from: u64, until: u64) -> (usize, usize) {
        let within = self.picked.iter().filter(|(at, _)| (from..until).contains(at));
        (within.clone().filter(|(_, to)| *to == site).count(), within.count())
    }

    fn health(&mut self, site: usize) -> Health {
        self.sites.standing(self.now)[site].health
    }
}

fn due(of: &mut BTreeMap<u64, Vec<(usize, bool)>>, now: u64) -> Vec<(usize, bool)> {
    let later = of.split_off(&(now + 1));
    std::mem::replace(of, later).into_values().flatten().collect()
}

fn drained(site: usize) -> impl Fn(&Change) -> bool {
    move |change| matches!(change, Change::Drained { site: at, .. } if *at == site)
}

/// The next pick of a call that is answered at once.
fn answered(sites: &mut Sites, now: u64) -> usize {
    let Pick::Site(site) = sites.pick(now, Errand::Send, None) else { panic!("no site is free") };
    sites.ended(now, site, true);
    site
}

fn divisor(weights: &[u32]) -> u32 {
    weights.iter().fold(0, |found, weight| {
        let (mut a, mut b) = (found, *weight);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    })
}

#[test]
fn pages_of_payers_go_by_the_weights_and_to_no_site_that_is_drained() {
    let mut world = World::new(vec![site("a", 8, 0), site("b", 1, 0)], vec![(0, 60_000, 180_000, Down::Refuses)]);
    let pages = |world: &mut World| -> Vec<usize> { (0..9).map(|_| world.sites.page()).collect() };
    let to_the_first = |pages: &[usize]| pages.iter().filter(|site| **site == 0).count();
    assert_eq!(to_the_first(&pages(&mut world)), 8);
    world.run(170_000, 50);
    assert_eq!(pages(&mut world), [1; 9], "{:?}", world.changed);
    // Pages bend no row of requests, and it has all of its weight again once it has come back.
    world.run(1_200_000, 50);
    assert_eq!(to_the_first(&pages(&mut world)), 8, "{:?}", world.changed);
}

#[test]
fn where_no_site_is_well_a_page_goes_by_the_weights_of_the_settings() {
    let mut sites = Sites::new(vec![site("a", 0, 0), site("b", 3, 0)], TERMS);
    assert_eq!((sites.page(), sites.page()), (1, 1), "one of weight 0 is taken out");
    sites.set_weights(&BTreeMap::from([("a".to_owned(), 0), ("b".to_owned(), 0)]));
    assert_eq!((sites.page(), sites.page()), (0, 1), "everyone alike, where nobody has any");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_nine_picks_in_a_row_at_eight_to_one_are_eight_and_one(skipped in 0_usize..1_000, queries: Vec<bool>) {
        let mut sites = Sites::new(vec![site("a", 8, 0), site("b", 1, 0)], TERMS);
        (0..skipped).for_each(|_| { answered(&mut sites, 0); });
        let mut picks = Vec::new();
        for query in queries.into_iter().take(60).chain([false; 20]) {
            // Queries and requests that go again around a site leave the row of new ones as it is.
            if query {
                sites.pick(0, Errand::Query, Some(0));
                sites.pick(0, Errand::Send, Some(1));
            } else {
                picks.push(answered(&mut sites, 0));
            }
        }
        for nine in picks.windows(9) {
            prop_assert_eq!(nine.iter().filter(|site| **site == 0).count(), 8, "{:?}", picks);
        }
    }

    #[test]
    fn a_window_of_picks_holds_every_site_by_its_weight(
        weights in proptest::collection::vec(0_u32..30, 1..6), skipped in 0_usize..200
    ) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let divisor = divisor(&weights);
        let length = usize::try_from(weights.iter().sum::<u32>() / divisor).unwrap();
        let mut wheel = Wheel::new(weights.len());
        let picks: Vec<usize> = (0..skipped + 2 * length).map(|_| wheel.next(&weights).unwrap()).collect();
        for window in picks[skipped..].windows(length) {
            for (at, weight) in weights.iter().enumerate() {
                let count = window.iter().filter(|site| **site == at).count();
                prop_assert_eq!(count, usize::try_from(weight / divisor).unwrap());
            }
        }
    }
}

#[test]
fn a_site_that_is_down_is_found_and_drained_in_time_however_it_fails() {
    for (down, per_second) in
        [(Down::Refuses, 50), (Down::Silent, 50), (Down::Errs, 50), (Down::Refuses, 0), (Down::Silent, 1)]
    {
        for begins in [100_000, 101_700, 103_300] {
            let sites = vec![site("a", 8, 0), site("b", 1, 0)];
            let mut world = World::new(sites, vec![(0, begins, 400_000, down)]);
            world.run(300_000, per_second);
            let at = world.when(drained(0)).unwrap_or_else(|| panic!("{down:?} at {per_second}/s was not found"));
            assert!((begins..=begins + FOUND_MS).contains(&at), "{down:?} at {per_second}/s: {at}");
            let (to, of) = world.share(0, at + 1, begins + DRAINED_MS);
            assert_eq!(of > 0, per_second > 0);
            // Where probes are answered, a handful tries whether it is well again.
            let tries = if down == Down::Errs { 2 * usize::try_from(TERMS.probe_failures).unwrap() } else { 0 };
            assert!(to <= tries, "{down:?} at {per_second}/s: {to} after it was drained");
            assert!(world.share(0, begins + DRAINED_MS, 300_000).0 <= tries);
            assert_eq!(world.when(drained(1)), None, "{down:?}: the other is well");
            assert_eq!(world.sites.circuit(300_000).0, CircuitState::Closed, "{down:?}");
        }
    }
}

#[test]
fn probes_that_the_traffic_contradicts_drain_nothing() {
    let mut sites = Sites::new(vec![site("a", 1, 0), site("b", 1, 0)], TERMS);
    for round in 0..100 {
        let now = round * 1_000;
        sites.tick(now);
        sites.probes(now).into_iter().for_each(|site| sites.probed(now, site, false));
        (0..10).for_each(|_| {
            answered(&mut sites, now);
        });
    }
    assert_eq!(sites.changes(), []);
}

#[test]
fn a_site_comes_back_by_1_5_25_and_100_percent_and_no_sooner_than_its_hold_down() {
    let mut world = World::new(vec![site("a", 1, 0), site("b", 1, 0)], vec![(0, 100_000, 130_000, Down::Refuses)]);
    world.run(500_000, 200);
    let out = world.when(drained(0)).unwrap();
    let steps = RAMP.map(|step| {
        world.when(|change| matches!(change, Change::Ramped { site: 0, percent } if *percent == step)).unwrap()
    });
    let up = world.when(|change| *change == Change::Up { site: 0 }).unwrap();
    assert!(steps[0] >= out + TERMS.hold_down_ms, "{out} {steps:?}");
    let times = [steps[0], steps[1], steps[2], up];
    assert!(times.windows(2).all(|two| two[1] >= two[0] + TERMS.ramp_step_ms), "{times:?}");
    for (percent, two) in RAMP.into_iter().zip(times.windows(2)) {
        let (to, of) = world.share(0, two[0] + STEP_MS, two[1]);
        let expected = f64::from(percent) / (100.0 + f64::from(percent));
        let found = to as f64 / of as f64;
        assert!((found - expected).abs() < 0.003, "{percent} %: {to} of {of}");
    }
    let (to, of) = world.share(0, up + STEP_MS, 500_000);
    assert!(to.abs_diff(of - to) <= 1, "{to} of {of}");
}

#[test]
fn one_that_fails_while_it_comes_back_stays_out_twice_as_long() {
    // Down, back for the first step of the ramp, down again.
    let outages = vec![(0, 100_000, 150_000, Down::Refuses), (0, 190_000, 230_000, Down::Refuses)];
    let mut world = World::new(vec![site("a", 1, 0), site("b", 1, 0)], outages);
    world.run(700_000, 50);
    let held: Vec<u64> = world
        .changed
        .iter()
        .filter_map(|(_, change)| match change {
            Change::Drained { hold_down_ms, .. } => Some(*hold_down_ms),
            Change::Kept { .. } | Change::Ramped { .. } | Change::Up { .. } | Change::Circuit(_) | Change::Weights => {
                None
            }
        })
        .collect();
    assert_eq!(held, [60_000, 120_000], "{:?}", world.changed);
    assert_eq!(world.health(0), Health::Up);
}

#[test]
fn a_site_is_kept_where_the_others_cannot_carry_the_peak_and_drained_once_they_can() {
    // 50 a second were seen; 40 are what the other can carry, and then three of them.
    let outage = vec![(0, 100_000, 9_000_000, Down::Errs)];
    let mut world = World::new(vec![site("a", 1, 100), site("b", 1, 40)], outage.clone());
    world.run(200_000, 50);
    assert_eq!(world.health(0), Health::Kept);
    let kept = world.changed.iter().find_map(|(_, change)| match change {
        Change::Kept { site: 0, cause, peak } => Some((*cause, *peak)),
        Change::Kept { .. }
        | Change::Drained { .. }
        | Change::Ramped { .. }
        | Change::Up { .. }
        | Change::Circuit(_)
        | Change::Weights => None,
    });
    assert_eq!(kept, Some((Cause::Traffic, 50)));
    assert!(world.share(0, 150_000, 200_000).0 > 1_000, "half of the requests still go there");

    // The busiest second is remembered for an hour; after it, what comes can be carried.
    assert_eq!(world.when(drained(0)), None);
    world.run(200_000 + 3_700_000, 5);
    assert!(world.when(drained(0)).is_some_and(|at| at > 200_000 + 3_500_000), "{:?}", world.changed);
    let mut world = World::new(vec![site("a", 1, 100), site("b", 1, 25), site("c", 1, 25)], outage);
    world.run(200_000, 50);
    assert!(world.when(drained(0)).is_some_and(|at| at <= 160_000), "{:?}", world.changed);
}

#[test]
fn the_last_site_is_never_drained_and_sends_wait_until_it_answers() {
    let mut world = World::new(vec![site("a", 1, 0)], vec![(0, 100_000, 200_000, Down::Silent)]);
    world.run(200_000, 50);
    assert_eq!(world.health(0), Health::Kept);
    assert!(world.when(|change| *change == Change::Circuit(CircuitState::Open)).is_some());
    let (sent, _) = world.share(0, 150_000, 200_000);
    assert!((1..=50).contains(&sent), "{sent}: a trial now and then");
    assert!(matches!(world.sites.pick(world.now, Errand::Query, None), Pick::Site(0)), "queries never wait");
    world.run(260_000, 50);
    assert_eq!(world.sites.circuit(260_000).0, CircuitState::Closed);
    assert_eq!(world.health(0), Health::Up);
    assert_eq!(world.share(0, 250_000, 260_000).1, 500);
}

#[test]
fn where_all_fail_the_first_that_answers_takes_everything_at_once() {
    let both = vec![(0, 100_000, 180_000, Down::Refuses), (1, 140_000, 900_000, Down::Refuses)];
    let mut world = World::new(vec![site("a", 1, 0), site("b", 1, 0)], both);
    world.run(175_000, 50);
    assert!(matches!(world.health(0), Health::Drained { .. }));
    assert_eq!(world.health(1), Health::Kept);
    // Its hold-down would be over by then, its ramp would not.
    world.run(230_000, 50);
    assert!(matches!(world.health(1), Health::Drained { .. }), "{:?}", world.changed);
    let (to, of) = world.share(0, 220_000, 230_000);
    assert_eq!((to, of), (500, 500));
}

#[test]
fn a_full_site_is_passed_over_and_where_all_are_full_calls_wait() {
    let small = |name| SiteTerms { connections: 2, ..site(name, 1, 0) };
    let mut sites = Sites::new(vec![small("a"), small("b")], TERMS);
    let mut picks: Vec<Pick> = (0..5).map(|_| sites.pick(0, Errand::Send, None)).collect();
    assert!(matches!(picks.pop(), Some(Pick::Later { .. })));
    assert_eq!(picks.iter().filter(|pick| **pick == Pick::Site(0)).count(), 2);
    sites.ended(0, 1, true);
    assert_eq!(sites.pick(0, Errand::Send, None), Pick::Site(1));
}

#[test]
fn other_weights_are_in_force_at_once_and_names_of_no_site_are_told() {
    let mut sites = Sites::new(vec![site("a", 8, 0), site("b", 1, 0)], TERMS);
    let weights = BTreeMap::from([("b".to_owned(), 3), ("c".to_owned(), 5)]);
    assert_eq!(sites.set_weights(&weights), ["c"]);
    let picks: Vec<usize> = (0..11).map(|_| answered(&mut sites, 0)).collect();
    assert_eq!(picks.iter().filter(|site| **site == 1).count(), 3, "8:3");
    assert_eq!(sites.set_weights(&BTreeMap::from([("a".to_owned(), 0)])), [""; 0]);
    assert!((0..9).all(|_| answered(&mut sites, 0) == 1), "a person took a out");
    assert_eq!(sites.set_weights(&BTreeMap::new()), [""; 0]);
    assert_eq!((0..9).filter(|_| answered(&mut sites, 0) == 0).count(), 8, "as in the settings");
}

/// A bank behind two sites: what it carried out, by serial number.
#[derive(Default)]
struct Bank {
    done: BTreeMap<String, u32>,
    through: Vec<(usize, bool)>,
}

#[test]
fn attempts_at_a_site_that_goes_down_are_asked_about_through_another_and_never_sent_again() {
    let mut sites = Sites::new(vec![site("a", 8, 0), site("b", 1, 0)], TERMS);
    let mut bank = Bank::default();
    for number in 0..500 {
        let mut asked = attempt(AttemptStatus::Requested);
        asked.id = AttemptId(number);
        let serial = asked.serial();
        let mut pilot = Pilot::new(asked, scripted(), EPOCH);
        // From the hundredth on, site a takes no connections, and what it had under way is never answered.
        let down = number >= 100;
        let (mut avoid, mut success) = (None, false);
        loop {
            match pilot.step() {
                Step::Send(request) => {
                    let errand = pilot.flight.errand().unwrap();
                    assert_eq!(errand == Errand::Query, is_query(&request));
                    let Pick::Site(site) = sites.pick(number, errand, avoid) else { panic!("no site") };
                    assert!(avoid != Some(site), "another site is there");
                    bank.through.push((site, errand == Errand::Query));
                    let call = match (errand, site) {
                        (Errand::Send, 0) if down && number % 2 == 0 => Call::NotWritten,
                        (Errand::Send, _) => {
                            *bank.done.entry(serial.clone()).or_default() += 1;
                            if site == 0 && down { Call::Lost } else { says("success") }
                        }
                        (Errand::Query, 0) if down => Call::Lost,
                        (Errand::Query, _) => {
                            says(if bank.done.contains_key(&serial) { "success" } else { "not_found" })
                        }
                    };
                    let answered = matches!(call, Call::Answered(_));
                    sites.ended(number, site, answered);
                    avoid = (!answered).then_some(site);
                    pilot.flight.ended(call);
                }
                Step::Report(outcome) => {
                    success |= matches!(outcome, Outcome::Success { .. });
                    pilot.flight.reported(&outcome);
                }
                Step::Wait { .. } => {}
                Step::Done => break,
            }
        }
        assert!(success, "attempt {number}");
    }
    assert_eq!(bank.done.len(), 500);
    assert!(bank.done.values().all(|times| *times == 1), "each was carried out once");
    assert!(bank.through.iter().filter(|(_, query)| *query).all(|(site, _)| *site == 1));
    assert!(bank.through.iter().filter(|(site, query)| *site == 0 && !query).count() < 200, "it was drained");
    assert!(bank.through.iter().any(|(_, query)| *query));
}
