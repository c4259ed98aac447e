//! Which rule chooses, what it leaves out, and files that cannot be.

use std::slice;

use super::*;

const EPCC: ChannelName = ChannelName { rail: Rail::Epcc, word: None };
const UNIONPAY: ChannelName = ChannelName { rail: Rail::UnionPay, word: None };

fn rule(name: &str, channels: &[&str]) -> Rule {
    Rule {
        name: name.to_owned(),
        instruments: BTreeSet::new(),
        banks: BTreeSet::new(),
        amount_from: None,
        amount_to: None,
        channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        prefer: Prefer::Listed,
        min_success: None,
        min_tries: 50,
        cascade: true,
    }
}

fn asked(amount: Minor) -> Asked {
    let offered = vec![EPCC, UNIONPAY];
    Asked { paying: Paying::DebitCard, bank: Some("102".to_owned()), amount, offered }
}

fn known() -> Known {
    let rate = |numerator| Rate { numerator, denominator: 1_000 };
    Known {
        configured: BTreeSet::from([EPCC, UNIONPAY]),
        success: BTreeMap::from([(EPCC, rate(900)), (UNIONPAY, rate(990))]),
    }
}

fn routing(rules: Vec<Rule>) -> Routing {
    let costs =
        [("epcc", Cost { rate: 0, fixed: 100, cap: None }), ("unionpay", Cost { rate: 1_000, fixed: 0, cap: None })];
    let routing = Routing { costs: costs.map(|(name, cost)| (name.to_owned(), cost)).into(), rules };
    routing.check().unwrap();
    routing
}

#[test]
fn the_first_rule_that_matches_chooses_and_the_others_say_why_not() {
    let rules = vec![
        Rule { instruments: [Paying::CreditCard].into(), ..rule("credit", &["unionpay"]).alone() },
        Rule { banks: ["105".to_owned()].into(), ..rule("ccb", &["unionpay"]).alone() },
        Rule { amount_from: Some(10_000), amount_to: Some(20_000), ..rule("middle", &["unionpay", "epcc"]) },
        rule("rest", &["epcc", "unionpay"]),
    ];
    let routing = routing(rules);
    let middle = routing.route(&asked(10_000), &known());
    assert_eq!((middle.rule.as_deref(), middle.channels), (Some("middle"), vec![UNIONPAY, EPCC]));
    let whys: Vec<_> = middle.verdicts.iter().map(|verdict| (verdict.matched, verdict.why.join("; "))).collect();
    assert_eq!(
        whys,
        [
            (false, "it is for credit_card, not debit_card".to_owned()),
            (false, "it is for bank 105, not 102".to_owned()),
            (true, String::new()),
        ]
    );
    let rest = |amount| routing.route(&asked(amount), &known()).rule;
    assert_eq!([rest(9_999), rest(20_000), rest(20_001)].map(Option::unwrap), ["rest", "middle", "rest"]);
    let unknown = Asked { bank: None, ..asked(1) };
    assert_eq!(routing.route(&unknown, &known()).verdicts[1].why, ["it is for bank 105, not a bank that is not known"]);
}

impl Rule {
    fn alone(self) -> Self {
        Self { cascade: false, ..self }
    }
}

#[test]
fn cost_counts_for_the_amount_and_success_with_enough_tries() {
    let by = |prefer| routing(vec![Rule { prefer, ..rule("all", &["epcc", "unionpay"]) }]);
    let first = |routing: &Routing, amount, known: &Known| routing.route(&asked(amount), known).channels[0].clone();
    let cost = by(Prefer::Cost);
    assert_eq!([99_000, 101_000].map(|amount| first(&cost, amount, &known())), [UNIONPAY, EPCC]);
    assert_eq!(first(&cost, 100_000, &known()), EPCC, "the same cost: as listed");
    let success = by(Prefer::Success);
    assert_eq!(first(&success, 1, &known()), UNIONPAY);
    let mut few = known();
    few.success.insert(UNIONPAY, Rate { numerator: 49, denominator: 49 });
    assert_eq!(first(&success, 1, &few), EPCC, "49 tries say nothing");
    assert_eq!(Cost { rate: 3_800, fixed: 0, cap: Some(1_300) }.of(1_000_000), 1_300);
    assert_eq!(Cost { rate: 1_500, fixed: 2, cap: None }.of(333), 2, "0.4995 is rounded half up");
}

#[test]
fn a_channel_that_cannot_carry_it_is_left_out_by_name() {
    let routing = routing(vec![
        Rule { min_success: Some(950), ..rule("good", &["epcc", "unionpay"]) },
        Rule { min_success: Some(999), ..rule("perfect", &["unionpay"]).alone() },
    ]);
    let found = routing.route(&asked(1), &known());
    assert_eq!(
        (found.channels, found.verdicts[0].why.as_slice()),
        (vec![UNIONPAY], ["epcc: 900 of a thousand succeed, and the rule asks for 950".to_owned()].as_slice(),)
    );
    let epcc_only = Asked { offered: vec![EPCC], ..asked(1) };
    let none = routing.route(&epcc_only, &known());
    assert_eq!((none.rule, none.channels), (None, vec![EPCC]), "no rule is left: as offered");
    assert_eq!(none.verdicts[0].why[1], "unionpay: the instrument has no agreement there");
    let nothing = routing.route(&asked(1), &Known::default());
    assert!(nothing.channels.is_empty());
    assert!(nothing.verdicts.iter().all(|verdict| verdict.why.iter().any(|why| why.contains("configured"))));
}

#[test]
fn without_a_cascade_there_is_one_channel() {
    let one = routing(vec![rule("one", &["unionpay", "epcc"]).alone()]);
    assert_eq!(one.route(&asked(1), &known()).channels, [UNIONPAY]);
}

#[test]
fn rules_choose_between_channels_of_one_network() {
    let further = ChannelName::parse("unionpay_acme").unwrap();
    let mut known = known();
    known.configured.insert(further.clone());
    known.success.insert(further.clone(), Rate { numerator: 995, denominator: 1_000 });
    let asked = |amount| Asked { offered: vec![EPCC, UNIONPAY, further.clone()], ..asked(amount) };
    let both = |name| rule(name, &["unionpay", "unionpay_acme"]);
    let mut routing = routing(vec![
        Rule { amount_from: Some(10_000), ..both("large") },
        Rule { prefer: Prefer::Cost, amount_to: Some(99), ..both("small") },
        Rule { prefer: Prefer::Success, ..both("rest") },
    ]);
    routing.costs.insert("unionpay_acme".to_owned(), Cost { rate: 0, fixed: 2, cap: None });
    routing.check().unwrap();
    let to = |amount| routing.route(&asked(amount), &known).channels;
    assert_eq!(to(10_000), [UNIONPAY, further.clone()], "as listed, and on to the other after a definite failure");
    assert_eq!(to(99), [UNIONPAY, further.clone()], "0.099 is less than 2");
    assert_eq!(to(500), [further.clone(), UNIONPAY], "995 of a thousand are more than 990");
    known.success.clear();
    known.configured.remove(&further);
    let left = routing.route(&asked(500), &known);
    assert_eq!(left.channels, [UNIONPAY]);
    assert_eq!(left.verdicts[2].why, ["unionpay_acme: no such channel is configured"]);
}

#[test]
fn payouts_go_by_rules_that_name_them_over_one_channel_that_pays_out() {
    let further = ChannelName::parse("epcc_b").unwrap();
    let out = |name, channels: &[&str]| Rule { instruments: [Paying::Payout].into(), ..rule(name, channels).alone() };
    let mut routing = routing(vec![
        rule("whatever pays", &["epcc_b", "epcc"]),
        Rule { banks: ["102".to_owned()].into(), ..out("icbc", &["epcc_b"]) },
        Rule { amount_from: Some(10_000), prefer: Prefer::Cost, ..out("large", &["epcc", "epcc_b"]) },
        Rule { prefer: Prefer::Success, amount_to: Some(99), ..out("small", &["epcc", "epcc_b"]) },
    ]);
    routing.costs.insert("epcc_b".to_owned(), Cost { rate: 0, fixed: 99, cap: None });
    let rate = |numerator| Rate { numerator, denominator: 1_000 };
    let known = Known {
        configured: BTreeSet::from([EPCC, further.clone(), UNIONPAY]),
        success: BTreeMap::from([(EPCC, rate(990)), (further.clone(), rate(995))]),
    };
    let to = |bank: Option<&str>, amount| {
        let (bank, offered) = (bank.map(str::to_owned), vec![EPCC, further.clone()]);
        routing.route(&Asked { paying: Paying::Payout, bank, amount, offered }, &known)
    };
    let icbc = to(Some("102"), 500);
    assert_eq!((icbc.rule.as_deref(), icbc.channels), (Some("icbc"), vec![further.clone()]));
    assert_eq!(icbc.verdicts[0].why, ["it names no instrument, and payouts go by rules that name them"]);
    assert_eq!(to(Some("105"), 10_000).channels, slice::from_ref(&further), "99 is less than 100, and nothing goes on");
    assert_eq!(to(None, 99).channels, slice::from_ref(&further), "995 of a thousand are more than 990");
    let none = to(None, 500);
    assert_eq!((none.rule, none.channels), (None, vec![EPCC]), "without a rule the first");
    let card = Asked { offered: vec![EPCC, further.clone()], ..asked(500) };
    assert_eq!(routing.route(&card, &known).rule.as_deref(), Some("whatever pays"));
    let refused = |rule: Rule| Routing { costs: BTreeMap::new(), rules: vec![rule] }.check().unwrap_err().to_string();
    for (rule, says) in [
        (out("r", &["epcc", "unionpay"]), "unionpay is of another network"),
        (Rule { cascade: true, ..out("r", &["epcc", "epcc_b"]) }, "goes on to no other channel"),
        (Rule { instruments: [Paying::Payout, Paying::Redirect].into(), ..out("r", &["epcc"]) }, "make two rules"),
    ] {
        let told = refused(rule);
        assert!(told.contains("rule 'r'") && told.contains(says), "{says}: {told}");
    }
}

#[test]
fn a_file_that_cannot_be_is_refused_by_the_rule_and_what_would_be_right() {
    let refused = |rules: Vec<Rule>| Routing { costs: BTreeMap::new(), rules }.check().unwrap_err().to_string();
    let base = || rule("r", &["epcc", "unionpay"]);
    for (rules, says) in [
        (vec![rule("r", &[])], "no channels"),
        (vec![rule("r", &["fund", "epcc"])], "use epcc or unionpay"),
        (vec![rule("r", &["unionpay_A", "epcc"])], "'unionpay_A'"),
        (vec![rule("r", &["epcc", "epcc_b", "epcc_c", "unionpay", "unionpay_b"])], "name at most 4"),
        (vec![rule("r", &["own_bank_b", "epcc"])], "'own_bank_b'"),
        (vec![rule("r", &["epcc", "epcc"])], "twice"),
        (vec![rule("r", &["epcc"])], "name another"),
        (vec![base(), base()], "alone"),
        (vec![rule(" ", &["epcc", "unionpay"])], "1 to 64 bytes"),
        (vec![Rule { banks: ["icbc".to_owned()].into(), ..base() }], "three digits"),
        (vec![Rule { amount_from: Some(2), amount_to: Some(1), ..base() }], "no amount is from 2 to 1"),
        (vec![Rule { min_success: Some(1_001), ..base() }], "thousandths"),
        (vec![base(); RULES + 1], "at most"),
    ] {
        let told = refused(rules);
        assert!(told.contains(says), "{says}: {told}");
    }
    let costs = |cost: Cost, name: &str| Routing { costs: [(name.to_owned(), cost)].into(), rules: vec![] }.check();
    assert!(costs(Cost { rate: -1, ..Cost::default() }, "epcc").unwrap_err().to_string().contains("millionths"));
    assert!(costs(Cost::default(), "visa").unwrap_err().to_string().contains("'visa'"));
}
