//! Random walks of one customer with three accounts against a model that serves the queue fen by fen.

use proptest::prelude::*;

use super::*;
use crate::attempt::{FailureClass, Outcome};
use crate::hold::PlaceHold;
use crate::ids::HoldId;
use crate::payout::Receiver;
use crate::testkit::{declined, sealed, success};

const ACCOUNTS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Credit {
        account: usize,
        amount: Minor,
    },
    /// One voucher: what each account pays, and how much of it goes to which one of them; the rest leaves.
    Pay {
        from: [Minor; ACCOUNTS],
        to: usize,
        stays: Minor,
    },
    Place {
        on: Option<usize>,
        amount: Minor,
        priority: u16,
    },
    Release {
        freeze: usize,
        amount: Minor,
    },
    Hold {
        account: usize,
        amount: Minor,
    },
    CancelHold {
        hold: usize,
    },
    Deduct {
        freeze: usize,
        account: usize,
        amount: Minor,
        answer: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let account = 0..ACCOUNTS;
    let amount = 1_i64..12;
    let step = prop_oneof![
        5 => (account.clone(), 1_i64..20).prop_map(|(account, amount)| Step::Credit { account, amount }),
        4 => ([0_i64..9, 0..9, 0..9], account.clone(), 0_i64..9)
            .prop_map(|(from, to, stays)| Step::Pay { from, to, stays }),
        3 => (proptest::option::of(account.clone()), amount.clone(), 0_u16..3)
            .prop_map(|(on, amount, priority)| Step::Place { on, amount, priority }),
        2 => (0_usize..6, 1_i64..6).prop_map(|(freeze, amount)| Step::Release { freeze, amount }),
        2 => (account.clone(), amount.clone()).prop_map(|(account, amount)| Step::Hold { account, amount }),
        1 => (0_usize..4).prop_map(|hold| Step::CancelHold { hold }),
        4 => (0_usize..6, account, 1_i64..6, 0_u8..4)
            .prop_map(|(freeze, account, amount, answer)| Step::Deduct { freeze, account, amount, answer }),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What is still frozen, on what, in which place.
#[derive(Debug, Clone)]
struct Frozen {
    on: Option<usize>,
    left: Minor,
    priority: u16,
}

#[derive(Debug, Clone, Default)]
struct Model {
    balances: [Minor; ACCOUNTS],
    held: [Minor; ACCOUNTS],
    freezes: Vec<Frozen>,
}

impl Model {
    fn own(&self, account: usize) -> Minor {
        self.freezes.iter().filter(|freeze| freeze.on == Some(account)).map(|freeze| freeze.left).sum()
    }

    /// What its own freezes leave of an account.
    fn free(&self, account: usize) -> Minor {
        (self.balances[account] - self.held[account] - self.own(account)).max(0)
    }

    /// What the customer's freezes have of what is free.
    fn covered(&self) -> Minor {
        let wanted: Minor = self.freezes.iter().filter(|freeze| freeze.on.is_none()).map(|freeze| freeze.left).sum();
        wanted.min((0..ACCOUNTS).map(|account| self.free(account)).sum())
    }

    /// What each freeze takes of each account, one fen at a time.
    fn bites(&self) -> Vec<[Minor; ACCOUNTS]> {
        let mut rests: Vec<Minor> = (0..ACCOUNTS).map(|at| self.balances[at] - self.held[at]).collect();
        let mut bites = vec![[0; ACCOUNTS]; self.freezes.len()];
        let mut order: Vec<usize> = (0..self.freezes.len()).collect();
        order.sort_by_key(|at| (self.freezes[*at].priority, *at));
        for (served, &at) in order.iter().enumerate() {
            for _ in 0..self.freezes[at].left {
                let later = |account: usize| -> Minor {
                    let after = order[served + 1..].iter().map(|at| &self.freezes[*at]);
                    after.filter(|freeze| freeze.on == Some(account)).map(|freeze| freeze.left).sum()
                };
                let from = match self.freezes[at].on {
                    Some(account) => Some(account).filter(|account| rests[*account] > 0),
                    None => (0..ACCOUNTS)
                        .find(|account| rests[*account] > later(*account))
                        .or_else(|| (0..ACCOUNTS).find(|account| rests[*account] > 0)),
                };
                let Some(from) = from else { break };
                rests[from] -= 1;
                bites[at][from] += 1;
            }
        }
        bites
    }

    fn taken(&self) -> Minor {
        self.bites().iter().flatten().sum()
    }

    /// The most that can leave the account alone without anything frozen leaving.
    fn available(&self, account: usize) -> Minor {
        let may = |amount: Minor| {
            let mut after = self.clone();
            after.balances[account] -= amount;
            amount <= self.balances[account] - self.held[account] && after.taken() == self.taken()
        };
        (0..).take_while(|amount| may(*amount)).last().unwrap_or(0)
    }
}

struct Walk {
    kit: Kit,
    accounts: Vec<AccountId>,
    customer: CustomerId,
    holds: Vec<(HoldId, usize, Minor)>,
    model: Model,
}

impl Walk {
    fn begin() -> Self {
        let (mut kit, first) = world(0);
        let mut accounts = vec![first];
        while accounts.len() < ACCOUNTS {
            accounts.push(sibling(&mut kit, first, 0));
        }
        let customer = customer(&kit, first);
        Self { kit, accounts, customer, holds: Vec::new(), model: Model::default() }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Credit { account, amount } => {
                self.kit.fund(self.accounts[account], amount);
                self.model.balances[account] += amount;
            }
            Step::Pay { from, to, stays } => self.pay(from, to, stays),
            Step::Place { on, amount, priority } => {
                let scope = on.map_or(self.customer.into(), |at| FreezeScope::Account(self.accounts[at]));
                place(&mut self.kit, PlaceFreeze { priority, ..court(scope, amount) });
                self.model.freezes.push(Frozen { on, left: amount, priority });
            }
            Step::Release { freeze, amount } => {
                let Some(freeze) = freeze.checked_rem(self.model.freezes.len()) else { return };
                let frozen = &mut self.model.freezes[freeze];
                let result = self.kit.when_approved(release(id_of(freeze), Some(amount)));
                assert_eq!(result.is_ok(), amount <= frozen.left, "{result:?}");
                frozen.left -= if result.is_ok() { amount } else { 0 };
            }
            Step::Hold { account, amount } => {
                let expires_at = self.kit.now.plus_ms(1_000);
                let hold = PlaceHold { account: self.accounts[account], amount, currency: CNY, expires_at };
                let result = self.kit.when(Command::PlaceHold(hold));
                assert_eq!(result.is_ok(), amount <= self.model.available(account), "{result:?}");
                if let Ok(Reply::Hold(id)) = result {
                    self.holds.push((id, account, amount));
                    self.model.held[account] += amount;
                }
            }
            Step::CancelHold { hold } => {
                if hold < self.holds.len() {
                    let (id, account, amount) = self.holds.remove(hold);
                    self.kit.given(Command::CancelHold(id));
                    self.model.held[account] -= amount;
                }
            }
            Step::Deduct { freeze, account, amount, answer } => self.deduct(freeze, account, amount, answer),
        }
    }

    /// Pays from several accounts at once; `stays` of it comes to one of them.
    fn pay(&mut self, from: [Minor; ACCOUNTS], to: usize, stays: Minor) {
        let clearing = self.kit.state.institution(Subject::ClearingEpcc, CNY).unwrap();
        let (total, mut after) = (from.iter().sum::<Minor>(), self.model.clone());
        let stays = stays.min(total);
        let mut entries = Vec::new();
        for (at, amount) in from.into_iter().enumerate().filter(|(_, amount)| *amount > 0) {
            entries.push(Entry::debit(self.accounts[at], amount, CNY));
            after.balances[at] -= amount;
        }
        for (account, amount) in [(self.accounts[to], stays), (clearing, total - stays)] {
            if amount > 0 {
                entries.push(Entry::credit(account, amount, CNY));
            }
        }
        after.balances[to] += stays;
        if entries.len() < 2 {
            return;
        }
        let (business, event) = (BusinessNumber::Text("pay".into()), EventCode::Transfer);
        let voucher = PostVoucher { business, event, date: None, entries, dimensions: None };
        let each_has_it = (0..ACCOUNTS).all(|at| {
            let falls = self.model.balances[at] - after.balances[at];
            falls <= 0 || falls <= self.model.free(at)
        });
        let expected = each_has_it && after.covered() >= self.model.covered();
        let result = self.kit.when(Command::PostVoucher(voucher));
        assert_eq!(result.is_ok(), expected, "{result:?} of {:?}", self.model);
        if expected {
            self.model = after;
        }
    }

    fn deduct(&mut self, freeze: usize, account: usize, amount: Minor, answer: u8) {
        let Some(freeze) = freeze.checked_rem(self.model.freezes.len()) else { return };
        let bites = self.model.bites()[freeze];
        let on = self.model.freezes[freeze].on;
        let order = DeductFreeze {
            freeze: id_of(freeze),
            account: Some(self.accounts[account]),
            amount,
            authority: "district court".to_string(),
            document: "4".to_string(),
            receiver: Receiver { account: sealed("6222"), name: sealed("*院"), own: false, token: None },
        };
        let result = self.kit.when_approved(Command::Freeze(FreezeCommand::Deduct(order)));
        let expected = on.is_none_or(|on| on == account) && amount <= bites[account];
        assert_eq!(result.is_ok(), expected, "{result:?} of {:?}", self.model);
        if !expected {
            return;
        }
        let (before, free) = (self.model.clone(), (0..ACCOUNTS).map(|at| self.model.free(at)).sum::<Minor>());
        let room = free - self.model.covered();
        self.model.balances[account] -= amount;
        self.model.freezes[freeze].left -= amount;
        let left = (0..ACCOUNTS).map(|at| self.model.free(at)).sum::<Minor>() - self.model.covered();
        assert_eq!(left, room, "a deduction frees nothing and takes nothing that was free");
        self.agree();
        let waiting = self.kit.waiting().id;
        match answer {
            0 => self.kit.answer(waiting, success("2026-03-05")),
            1 => self.kit.answer(waiting, declined(FailureClass::Bank)),
            2 => self.kit.answer(waiting, Outcome::NotFound),
            _ => {
                self.kit.answer(waiting, Outcome::Unknown);
                self.agree();
                self.kit.answer(waiting, declined(FailureClass::System));
            }
        }
        if answer != 0 {
            self.model = before;
        }
    }

    fn agree(&self) {
        let (state, bites) = (&self.kit.state, self.model.bites());
        for (at, expected) in bites.iter().enumerate() {
            let mut found = [0; ACCOUNTS];
            for bite in state.bites(state.freeze(id_of(at)).unwrap()) {
                found[self.accounts.iter().position(|account| *account == bite.account).unwrap()] = bite.amount;
            }
            assert_eq!(found, *expected, "{at} of {:?}", self.model);
        }
        for (at, account) in self.accounts.iter().enumerate() {
            let (row, expected) = (row(&self.kit, *account), self.model.available(at));
            assert_eq!(state.available(row), expected, "{at} of {:?}", self.model);
            assert!(row.available() >= expected);
        }
    }
}

fn id_of(at: usize) -> FreezeId {
    FreezeId(u64::try_from(at).unwrap() + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn queues_and_available_are_what_the_model_says(steps in steps()) {
        let mut walk = Walk::begin();
        for (at, step) in steps.iter().enumerate() {
            walk.take(step);
            walk.agree();
            if at % 5 == 4 {
                walk.kit.restore();
            }
        }
    }
}

/// The walks must be able to find what they look for.
#[test]
fn walks_reach_what_is_rare() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = alloc::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..64 {
        let mut walk = Walk::begin();
        for step in &steps().new_tree(&mut runner).unwrap().current() {
            let before = walk.kit.events.len();
            walk.take(step);
            let refused = matches!(step, Step::Pay { .. }) && walk.kit.events.len() == before;
            *reached.entry("a payment is refused").or_default() += u32::from(refused);
            let bites = walk.model.bites();
            let in_two = |bites: &[Minor; ACCOUNTS]| bites.iter().filter(|bite| **bite > 0).count() > 1;
            *reached.entry("a freeze bites in two accounts").or_default() += u32::from(bites.iter().any(in_two));
        }
        let freezes = walk.kit.state.freezes.iter().map(|(_, freeze)| freeze);
        for change in freezes.flat_map(|freeze| &freeze.changes) {
            let name = match change.what {
                Change::Placed => "placed",
                Change::Released { .. } => "released",
                Change::Deducted { .. } => "deducted",
                Change::GivenBack { .. } => "given back",
                Change::Renewed { .. } | Change::Expired | Change::Lapsed | Change::Followed { .. } => "another",
            };
            *reached.entry(name).or_default() += 1;
        }
    }
    let rare = reached.iter().filter(|(_, count)| **count < 5).collect::<Vec<_>>();
    assert!(rare.is_empty() && reached.len() == 6, "{reached:?}");
}
