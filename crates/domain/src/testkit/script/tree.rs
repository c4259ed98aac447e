//! `link`, `unlink`, `sweep`, `allocate`, `rule`, `run`, `quota`, `rolls`: see [`crate::tree`].

use alloc::string::ToString;

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::ids::TreeLinkId;
use crate::money::Minor;
use crate::testkit::date;
use crate::tree::{
    Figures, LinkAccounts, Movement, Quota, RuleKind, SweepRule, TreeCommand, own_at_end, roll_up, walk,
};

/// Reads a verb of parent and child accounts.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let command = match *words {
        ["link", name, parent, child, ref agreement @ ..] => {
            let (parent, child) = (script.account(parent), script.account(child));
            let agreement = agreement.first().map(|text| text.replace('_', " "));
            return Some(Step::named(name, TreeCommand::link(LinkAccounts { parent, child, agreement })));
        }
        ["unlink", link] => TreeCommand::Unlink(id(script, link)),
        ["sweep", link, amount] => moves(script, link, Movement::Sweep(minor(amount))),
        ["allocate", link, amount] => moves(script, link, Movement::Allocate(minor(amount))),
        ["as-rule", link, ref kind @ ..] => moves(script, link, Movement::Rule(kind_of(kind))),
        ["rule", link, "none"] => TreeCommand::SetRule { link: id(script, link), rule: None },
        ["rule", link, ref kind @ .., "least", minimum] => {
            let rule = SweepRule { kind: kind_of(kind), minimum: minor(minimum), minute_of_day: None };
            TreeCommand::SetRule { link: id(script, link), rule: Some(rule) }
        }
        ["rule", link, ref kind @ .., "daily-at", minute] => {
            let minute_of_day = Some(minute.parse().expect("a minute of the day"));
            let rule = SweepRule { kind: kind_of(kind), minimum: 1, minute_of_day };
            TreeCommand::SetRule { link: id(script, link), rule: Some(rule) }
        }
        ["run", parent, number] => {
            TreeCommand::RunRules { parent: script.account(parent), number: number.to_string().replace('_', " ") }
        }
        ["quota", link, "none"] => TreeCommand::SetQuota { link: id(script, link), quota: None },
        ["quota", link, single, day, month] => {
            let limit = |text: &str| -> Option<Minor> { (text != "-").then(|| minor(text)) };
            let quota = Some(Quota { single: limit(single), day: limit(day), month: limit(month) });
            TreeCommand::SetQuota { link: id(script, link), quota }
        }
        // Own and all below: balance held frozen available, of one subject and currency.
        ["rolls", top, ref wanted @ ..] => {
            let state = &script.kit.state;
            let own = |id| {
                let account = state.account(id, "account").expect("it stands in the tree");
                Some(((account.subject, account.currency), Figures::now(state, account)))
            };
            let sums = roll_up(&walk(state, script.account(top), None), own).remove(0);
            let found = sums.values().next().expect("the top is there");
            let wanted: [i128; 4] = core::array::from_fn(|at| minor(wanted.get(at).expect("four numbers")).into());
            assert_eq!((sums.len(), [found.balance, found.held, found.frozen, found.available]), (1, wanted), "{top}");
            return Some(Step::Done);
        }
        // The same at the end of a day: balance alone.
        ["rolled", top, day, wanted] => {
            let (state, top) = (&script.kit.state, script.account(top));
            let sums = roll_up(&walk(state, top, Some(date(day))), |id| own_at_end(state, id, date(day))).remove(0);
            let balance = sums.values().next().map_or(0, |sum| sum.balance);
            assert_eq!((sums.len(), balance), (1, minor(wanted).into()), "{day}");
            return Some(Step::Done);
        }
        _ => return None,
    };
    Some(Step::of(Command::Tree(command)))
}

fn id(script: &Script, link: &str) -> TreeLinkId {
    TreeLinkId(script.id(link))
}

fn moves(script: &Script, link: &str, movement: Movement) -> TreeCommand {
    TreeCommand::Move { link: id(script, link), movement }
}

fn kind_of(words: &[&str]) -> RuleKind {
    match *words {
        ["sweep-all"] => RuleKind::SweepAll,
        ["sweep-above", keep] => RuleKind::SweepAbove(minor(keep)),
        ["top-up-to", target] => RuleKind::TopUpTo(minor(target)),
        _ => panic!("{words:?} is no rule"),
    }
}
