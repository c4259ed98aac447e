//! Steps on trees: links, sweeps and allocations.

use domain::book::Subject;
use domain::ids::{AccountId, TreeLinkId};
use domain::tree::{LinkAccounts, Movement, TreeCommand};
use domain::{Command, Reply};

use super::{Walk, pick, wide};
use crate::model::Link;

impl Walk {
    pub(super) fn link(&mut self, parent: u8, child: u8) {
        let (parent, child) =
            if child.is_multiple_of(4) { self.two(parent, child) } else { self.pooled(parent, child) };
        let expected = self.model.may_link(parent, child);
        let result = self.tries(Command::Tree(TreeCommand::Link(LinkAccounts { parent, child, agreement: None })));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if let Ok(Reply::TreeLink(id)) = result {
            self.model.links.push(Link { id, parent, child, from: self.model.today, until: None });
        }
    }

    /// Two accounts of one currency between which money often may move.
    fn pooled(&self, parent: u8, child: u8) -> (AccountId, AccountId) {
        let pools = [Subject::Personal, Subject::MerchantAvailable, Subject::Company, Subject::CustodySub];
        let of = |id: &AccountId| self.model.accounts.get(id).expect("it is known");
        let all = self.accounts.iter().copied().filter(|id| pools.contains(&of(id).subject));
        let child = pick(all.clone(), child).expect("there are such accounts");
        let fits = |id: &AccountId| *id != child && of(id).currency == of(&child).currency;
        let above = all.filter(fits).filter(|id| of(id).subject != Subject::MerchantAvailable);
        (pick(above, parent).expect("there are such accounts"), child)
    }

    fn a_link(&self, selector: u8) -> Link {
        let unknown = || {
            let (parent, child) = self.two(0, 1);
            Link { id: TreeLinkId(1_000_000), parent, child, from: self.model.today, until: Some(self.model.today) }
        };
        let at = pick(0..self.model.links.len(), selector);
        at.and_then(|at| self.model.links.get(at)).cloned().unwrap_or_else(unknown)
    }

    pub(super) fn unlink(&mut self, selector: u8) {
        let link = self.a_link(selector);
        let result = self.tries(Command::Tree(TreeCommand::Unlink(link.id)));
        assert_eq!(result.is_ok(), link.until.is_none(), "{result:?}");
        let today = self.model.today;
        if let Some(link) = self.model.links.iter_mut().find(|known| known.id == link.id && result.is_ok()) {
            link.until = Some(today);
        }
    }

    pub(super) fn move_in_tree(&mut self, link: u8, up: bool, amount: i64) {
        let link = self.a_link(link);
        let (from, to) = if up { (link.child, link.parent) } else { (link.parent, link.child) };
        let expected =
            link.until.is_none() && self.may_pool(&link, up) && self.model.may_transfer(from, to, wide(amount));
        let movement = if up { Movement::Sweep(amount) } else { Movement::Allocate(amount) };
        let result = self.tries(Command::Tree(TreeCommand::Move { link: link.id, movement }));
        assert_eq!(result.is_ok(), expected, "{result:?}");
        if expected {
            self.model.transfer(from, to, wide(amount));
        }
    }

    /// Whether money moves between the two at all: 2206 and 9201 both ways, 2201 of one customer, 2203 up to its
    /// merchant's 2206.
    fn may_pool(&self, link: &Link, up: bool) -> bool {
        let subject = |id: AccountId| self.model.accounts[&id].subject;
        let to_its_own = |(_, company): &(_, Option<AccountId>)| *company == Some(link.parent);
        let pooled = match (subject(link.child), subject(link.parent)) {
            (Subject::Company, Subject::Company)
            | (Subject::CustodySub, Subject::CustodySub)
            | (Subject::Personal, Subject::Personal) => true,
            (Subject::MerchantAvailable, Subject::Company) => {
                up && self.merchants.get(&link.child).is_some_and(to_its_own)
            }
            _ => false,
        };
        pooled
            && !self.model.accounts[&link.child].of_agreement
            && self.currency(link.child) == self.currency(link.parent)
    }
}
