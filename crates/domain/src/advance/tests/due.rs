//! Which advances the reserve may pay back by a working day.

use super::*;

const NEXT_DAY: &str = "2026-03-06";

fn stands(kit: &Kit, today: &str) -> Vec<(AdvanceId, Repayable)> {
    let page = repay_page(&kit.state, date(today), AdvanceId(0), usize::MAX);
    assert_eq!(page.next, None);
    page.advances
}

#[test]
fn an_advance_is_due_by_the_day_on_which_its_orders_are_until_its_repayment_is_instructed() {
    let (mut kit, merchant, order) = world();
    let id = kit.advance(merchant, &[order]);
    assert!(stands(&kit, NEXT_DAY).is_empty(), "its bank has not answered");
    kit.answered(success(DAY));
    assert_eq!(stands(&kit, NEXT_DAY), [(id, Repayable::NotCleared)]);
    kit.clear(Rail::Epcc, DAY);
    assert_eq!(stands(&kit, DAY), [(id, Repayable::NotCleared)], "by the next working day");
    assert_eq!(stands(&kit, NEXT_DAY), [(id, Repayable::Due)]);
    kit.restore();
    assert_eq!(stands(&kit, NEXT_DAY), [(id, Repayable::Due)]);

    let Reply::OwnTransfer(first) = kit.given(repay(id)) else { panic!("a transfer") };
    assert!(stands(&kit, NEXT_DAY).is_empty(), "it is under way");
    kit.given(Command::OwnTransfer(OwnTransferCommand::Cancel(first)));
    assert_eq!(stands(&kit, NEXT_DAY), [(id, Repayable::Cancelled)], "people know why");
    kit.restore();
    assert_eq!(stands(&kit, NEXT_DAY), [(id, Repayable::Cancelled)]);
    kit.given(repay(id));
    let line = kit.line("out-1", LineDirection::Out, 4_990);
    kit.take_line(line);
    assert!(stands(&kit, NEXT_DAY).is_empty(), "it is paid back");
}

#[test]
fn an_advance_that_failed_or_came_back_is_never_due() {
    let (mut kit, merchant, order) = world();
    kit.advance(merchant, &[order]);
    kit.answered(declined(FailureClass::Bank));
    kit.clear(Rail::Epcc, DAY);
    assert!(stands(&kit, NEXT_DAY).is_empty());
    let id = kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    assert_eq!(stands(&kit, NEXT_DAY), [(id, Repayable::Due)], "advanced after its file");
    kit.given(came_back(id));
    assert!(stands(&kit, NEXT_DAY).is_empty());
}

#[test]
fn an_advance_waits_for_its_last_order_and_pages_leave_none_out() {
    let (mut kit, merchant, first) = world();
    kit.capital(4_990);
    let early = kit.advance(merchant, &[first]);
    kit.answered(success(DAY));
    kit.clear(Rail::Epcc, DAY);
    let second = kit.paid_rent(merchant, 100);
    let late = kit.advance(merchant, &[second]);
    kit.answered(success(DAY));
    let all = [(early, Repayable::Due), (late, Repayable::NotCleared)];
    assert_eq!(stands(&kit, NEXT_DAY), all);
    let (mut paged, mut next) = (Vec::new(), Some(AdvanceId(0)));
    while let Some(from) = next {
        let page = repay_page(&kit.state, date(NEXT_DAY), from, 1);
        assert_eq!(page.advances.len(), 1);
        paged.extend(page.advances);
        next = page.next;
    }
    assert_eq!(paged, all);
}
