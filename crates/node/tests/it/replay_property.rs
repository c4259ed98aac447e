//! Random batches with checkpoints, cuts and restarts between them: statements and tables always say what the engine did.

use domain::Command;
use domain::ids::AccountId;
use proptest::prelude::*;

use crate::world::{World, transfer};

#[derive(Debug, Clone)]
enum Act {
    Open,
    Transfer { from: prop::sample::Index, to: prop::sample::Index, amount: i64, is_keyed: bool },
    Cut,
    Flush,
    Checkpoint,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let transfer = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1_i64..1_000_000, any::<bool>());
    let transfer = transfer.prop_map(|(from, to, amount, is_keyed)| Act::Transfer { from, to, amount, is_keyed });
    let act = prop_oneof![
        1 => Just(Act::Open),
        12 => transfer,
        1 => Just(Act::Cut),
        4 => Just(Act::Flush),
        2 => Just(Act::Checkpoint),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..80)
}

fn perform(world: &mut World, accounts: &mut Vec<AccountId>, number: usize, act: &Act) {
    match act {
        Act::Open => accounts.push(world.open_account()),
        Act::Transfer { from, to, amount, is_keyed } => {
            let command = transfer(*from.get(accounts), *to.get(accounts), *amount);
            // An account that pays itself, for one, is refused: some keys are bound to refusals.
            let _ = if *is_keyed { world.keyed(&number.to_string(), command) } else { world.when(command) };
        }
        // The eighth open day is refused.
        Act::Cut => drop(world.when(Command::CutDay { next: None })),
        Act::Flush => world.flush(),
        Act::Checkpoint => {
            world.checkpoint();
            world.store_equals_state();
        }
        // A restart loses the open batch, and with it the accounts it opened.
        Act::Restart => {
            let durable = world.durable_accounts();
            accounts.retain(|account| account.0 <= durable);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn files_and_tables_follow_the_journal(acts in acts()) {
        let mut world = World::of("Test Pay");
        let mut accounts = vec![world.open_account(), world.open_account()];
        world.flush();
        for (number, act) in acts.iter().enumerate() {
            perform(&mut world, &mut accounts, number, act);
            if matches!(act, Act::Restart) {
                world = world.reopened();
                let checkpoint = world.projector.checkpoint();
                let behind = world.posted.iter().filter(|entry| entry.voucher.0 > checkpoint).count();
                prop_assert_eq!(world.tail.snapshot().entries(), behind as u64);
                world.statements_equal_postings();
            }
        }
        world.flush();
        world.statements_equal_postings();
        world.checkpoint();
        world.statements_equal_postings();
        world.store_equals_state();
    }
}
