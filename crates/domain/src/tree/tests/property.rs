//! Random trees, links over days, transfers, sweeps and runs. After every step the roll-up of every account at the end of
//! every day, and now, is what a plain recursion over plain maps says; no cycle and no second parent is ever let in.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::business_day::DayStatus;
use crate::calendar::Date;
use crate::voucher::{BusinessNumber, Entry, PostVoucher};

#[derive(Debug, Clone)]
enum Step {
    Link { parent: Index, child: Index },
    Unlink { link: Index },
    Transfer { from: Index, to: Index, amount: Minor },
    Move { link: Index, movement: Movement },
    Rule { link: Index, rule: Option<SweepRule> },
    Run { parent: Index, number: u8 },
    Freeze { account: Index, amount: Minor },
    Quota { link: Index, day: Option<Minor> },
    Pay { account: Index, amount: Minor },
    Cut,
    Close,
    Tick { hours: i64 },
    Restore,
}

fn kind() -> impl Strategy<Value = RuleKind> {
    prop_oneof![
        Just(RuleKind::SweepAll),
        (0..600_i64).prop_map(RuleKind::SweepAbove),
        (1..1_500_i64).prop_map(RuleKind::TopUpTo),
    ]
}

fn movement() -> impl Strategy<Value = Movement> {
    prop_oneof![
        (1..900_i64).prop_map(Movement::Sweep),
        (1..900_i64).prop_map(Movement::Allocate),
        kind().prop_map(Movement::Rule),
    ]
}

fn rule() -> impl Strategy<Value = SweepRule> {
    let minute = proptest::option::of(0..1_440_u16);
    (kind(), 1..50_i64, minute).prop_map(|(kind, minimum, minute_of_day)| SweepRule { kind, minimum, minute_of_day })
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        8 => (index(), index()).prop_map(|(parent, child)| Step::Link { parent, child }),
        3 => index().prop_map(|link| Step::Unlink { link }),
        6 => (index(), index(), 1..700_i64).prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        4 => (index(), movement()).prop_map(|(link, movement)| Step::Move { link, movement }),
        3 => (index(), proptest::option::of(rule())).prop_map(|(link, rule)| Step::Rule { link, rule }),
        3 => (index(), 0..4_u8).prop_map(|(parent, number)| Step::Run { parent, number }),
        1 => (index(), 1..500_i64).prop_map(|(account, amount)| Step::Freeze { account, amount }),
        2 => (index(), proptest::option::of(1..400_i64)).prop_map(|(link, day)| Step::Quota { link, day }),
        2 => (index(), 1..300_i64).prop_map(|(account, amount)| Step::Pay { account, amount }),
        3 => Just(Step::Cut),
        3 => Just(Step::Close),
        2 => (1..30_i64).prop_map(|hours| Step::Tick { hours }),
        2 => Just(Step::Restore),
    ]
}

/// What was on a day's end: who was under whom, and what each account held.
#[derive(Debug, Clone, Default)]
struct End {
    parents: BTreeMap<AccountId, AccountId>,
    balances: BTreeMap<AccountId, Minor>,
}

impl End {
    fn children(&self, of: AccountId) -> impl Iterator<Item = AccountId> {
        self.parents.iter().filter(move |(_, parent)| **parent == of).map(|(child, _)| *child)
    }

    /// Own + Σ children's roll-ups, by subject.
    fn roll_up(&self, kit: &Kit, of: AccountId) -> BTreeMap<Subject, i128> {
        let mut sums = BTreeMap::from([(account(kit, of).subject, i128::from(self.balances[&of]))]);
        for child in self.children(of) {
            for (subject, sum) in self.roll_up(kit, child) {
                *sums.entry(subject).or_default() += sum;
            }
        }
        sums
    }

    fn levels_above(&self, of: AccountId) -> usize {
        self.parents.get(&of).map_or(0, |parent| 1 + self.levels_above(*parent))
    }

    fn levels_below(&self, of: AccountId) -> usize {
        self.children(of).map(|child| 1 + self.levels_below(child)).max().unwrap_or(0)
    }

    fn is_below(&self, of: AccountId, top: AccountId) -> bool {
        of == top || self.parents.get(&of).is_some_and(|parent| self.is_below(*parent, top))
    }
}

struct Walk {
    kit: Kit,
    accounts: Vec<AccountId>,
    parents: BTreeMap<AccountId, AccountId>,
    ends: BTreeMap<Date, End>,
    numbers: BTreeSet<(AccountId, u8)>,
    texts: u64,
}

impl Walk {
    /// One company's accounts: eleven 2206, a 2203 and a 2202, each with 1,000.
    fn new() -> Self {
        let mut kit = Kit::new();
        let (owner, head) = company(&mut kit);
        let merchant = kit.state.merchant(owner).unwrap().clone();
        let mut accounts = vec![head, merchant.available, merchant.pending];
        accounts.extend((0..10).map(|_| kit.account(Subject::Company, Owner::Merchant(owner))));
        accounts.iter().for_each(|account| kit.fund(*account, 1_000));
        let (parents, ends) = (BTreeMap::new(), BTreeMap::new());
        Self { kit, accounts, parents, ends, numbers: BTreeSet::new(), texts: 0 }
    }

    fn link_at(&self, at: Index) -> TreeLinkId {
        let links = self.kit.state.tree_links.next_id();
        TreeLinkId(at.index(usize::try_from(links).unwrap()) as u64 + 1)
    }

    fn as_it_is(&self) -> End {
        let balances = self.accounts.iter().map(|id| (*id, self.kit.balance(*id))).collect();
        End { parents: self.parents.clone(), balances }
    }

    fn link(&mut self, parent: AccountId, child: AccountId) {
        let tree = self.as_it_is();
        let taken = tree.parents.contains_key(&child);
        let cycle = tree.is_below(parent, child);
        let deep = tree.levels_above(parent) + tree.levels_below(child) + 2 > MAX_DEPTH;
        let code = self.kit.when(super::link(parent, child)).err().map(|refusal| refusal.code);
        let expected =
            if taken { Some(RefusalCode::AccountLinked) } else { (cycle || deep).then_some(RefusalCode::TreeShape) };
        assert_eq!(code, expected, "{child} under {parent}");
        if code.is_none() {
            self.parents.insert(child, parent);
        }
    }

    fn unlink(&mut self, id: TreeLinkId) {
        let child = self.kit.state.tree_link(id).ok().filter(|link| link.is_current()).map(|link| link.child);
        let done = self.kit.when(tree(TreeCommand::Unlink(id)));
        assert_eq!(done.is_ok(), child.is_some());
        if let Some(child) = child {
            self.parents.remove(&child);
        }
    }

    fn run(&mut self, parent: AccountId, number: u8) {
        let before = self.kit.posted().count();
        let known = !self.numbers.insert((parent, number));
        let run = ran(&self.kit.given(tree(TreeCommand::RunRules { parent, number: number.to_string() })));
        let run = self.kit.state.tree_run(run).unwrap().clone();
        let posted = self.kit.posted().count() - before;
        let moved = run.lines.iter().filter(|line| line.voucher.is_some()).count();
        assert_eq!(posted, if known { 0 } else { moved });
        for line in &run.lines {
            assert_eq!((line.amount > 0, line.voucher.is_some()), (line.skipped.is_none(), line.skipped.is_none()));
        }
    }

    fn close(&mut self) {
        let state = &self.kit.state;
        let oldest = state.days.iter().find(|day| day.status != DayStatus::Closed).map(|day| (day.date, day.status));
        let Some((day, DayStatus::Cutting)) = oldest else { return };
        self.kit.given(Command::SealDay(day));
        let position = self.kit.state.days.get(day).unwrap().sealed.unwrap();
        let checks = checks::run(&self.kit.state, day);
        self.kit.given(Command::CloseDay { date: day, position, checks });
    }

    /// A refusal is an answer too: what matters are the laws after it.
    fn take(&mut self, step: &Step) {
        let account = |at: &Index| *at.get(&self.accounts);
        let command = match step {
            Step::Link { parent, child } => return self.link(account(parent), account(child)),
            Step::Unlink { link } => return self.unlink(self.link_at(*link)),
            Step::Run { parent, number } => return self.run(account(parent), *number),
            Step::Close => return self.close(),
            Step::Restore => return self.kit.restore(),
            Step::Cut => {
                if self.kit.state.days.open_days().count() < 7 {
                    let today = self.kit.state.days.current().unwrap();
                    self.ends.insert(today, self.as_it_is());
                    self.kit.given(Command::CutDay { next: None });
                }
                return;
            }
            Step::Tick { hours } => {
                self.kit.later(hours * 3_600_000);
                Command::Tick
            }
            Step::Transfer { from, to, amount } => {
                let (from, to, amount) = (account(from), account(to), *amount);
                self.texts += 1;
                Command::PostVoucher(PostVoucher {
                    business: BusinessNumber::Text(format!("t-{}", self.texts).into_boxed_str()),
                    event: EventCode::Transfer,
                    date: None,
                    entries: vec![Entry::debit(from, amount, Currency::Cny), Entry::credit(to, amount, Currency::Cny)],
                    dimensions: None,
                })
            }
            Step::Move { link, movement } => tree(TreeCommand::Move { link: self.link_at(*link), movement: *movement }),
            Step::Rule { link, rule } => tree(TreeCommand::SetRule { link: self.link_at(*link), rule: *rule }),
            Step::Quota { link, day } => {
                let quota = day.map(|day| Quota { single: None, day: Some(day), month: None });
                tree(TreeCommand::SetQuota { link: self.link_at(*link), quota })
            }
            Step::Freeze { account: at, amount } => {
                let at = account(at);
                return freeze(&mut self.kit, at, *amount);
            }
            Step::Pay { account: at, amount } => {
                let expires_at = self.kit.now.plus_ms(40 * 3_600_000);
                Command::PlaceHold(PlaceHold {
                    account: account(at),
                    amount: *amount,
                    currency: Currency::Cny,
                    expires_at,
                })
            }
        };
        drop(self.kit.when(command));
    }

    fn assert_roll_ups(&self) {
        let today = self.kit.state.days.current().unwrap();
        let now = self.as_it_is();
        let ends = self.ends.iter().map(|(day, end)| (Some(*day), end));
        for (day, end) in ends.chain([(Some(today), &now), (None, &now)]) {
            for top in &self.accounts {
                let nodes = walk(&self.kit.state, *top, day);
                // A closed day's balances lie in its file, as they were when it was sealed.
                let own = |id: AccountId| match day {
                    Some(day) => own_at_end(&self.kit.state, id, day).or_else(|| {
                        let row = account(&self.kit, id);
                        Some(((row.subject, row.currency), Figures::at_end(end.balances[&id])))
                    }),
                    None => {
                        let row = account(&self.kit, id);
                        Some(((row.subject, row.currency), Figures::now(&self.kit.state, row)))
                    }
                };
                let sums = roll_up(&nodes, own).remove(0);
                let found: BTreeMap<Subject, i128> =
                    sums.into_iter().map(|((subject, _), sum)| (subject, sum.balance)).collect();
                assert_eq!(found, end.roll_up(&self.kit, *top), "{top} on {day:?}");
            }
        }
    }

    /// What counts on each link's open holds and vouchers never passes its day's limit at the time it was used.
    fn assert_quotas(&self) {
        for (_, link) in self.kit.state.tree_links.iter() {
            let charged: Minor = self
                .kit
                .state
                .quota_charges
                .iter()
                .filter(|(_, charge)| charge.link == link.id && link.used.is_some_and(|used| used.date == charge.date))
                .map(|(_, charge)| charge.amount)
                .sum();
            let used = link.used.map_or(0, |used| used.day);
            assert!(charged <= used, "{}: holds use {charged}, the day's use is {used}", link.id);
            assert!(link.used.is_none_or(|used| used.day <= used.month), "{link:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn roll_ups_of_every_day_equal_a_plain_recursion(steps in proptest::collection::vec(step(), 1..60)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.take(step);
            walk.assert_roll_ups();
            walk.assert_quotas();
        }
        walk.kit.restore();
    }
}
