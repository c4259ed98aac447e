//! A small day under the committed plan: every law holds, the rates reach what so few orders can show of them, the outage is found and
//! left alone in time.

use sim::{DayOutcome, run_day};

const ORDERS: u64 = 2_000;

#[test]
fn a_small_day_ends_balanced_and_heals_itself() {
    let DayOutcome { figures, violation, stats, .. } = run_day(None, Some(ORDERS), false).unwrap();
    assert_eq!(violation, None);
    // A day on which nothing happens would hold every law.
    assert_eq!((figures.asked, figures.orders + figures.payouts, figures.refused), (ORDERS, ORDERS, 0), "{figures:#?}");
    assert!(figures.orders > ORDERS / 2 && figures.payouts > ORDERS / 10, "{figures:#?}");
    assert!(figures.answers_lost > 10 && figures.answers_slow > 5 && figures.messages_doubled > 0, "{figures:#?}");
    assert!(figures.queries > 10 && stats.unknown > 10 && stats.checkpoints > 100 && stats.compared > 5, "{stats:#?}");
    let (found, drained) = (figures.found_ms.unwrap(), figures.drained_ms.unwrap());
    assert!(found <= 60_000 && drained <= 120_000, "found after {found} ms, drained after {drained} ms");
    assert!(figures.back_ms.is_some_and(|ms| ms > 600_000) && figures.up_ms > figures.back_ms, "{figures:#?}");
    // The three rates among them: as many failures at most as the plan itself makes of so few.
    assert_eq!(figures.missed, [""; 0], "{figures:#?}");
    let counted = [figures.effective_in, figures.effective_out, figures.first_try].map(|rate| rate.denominator);
    assert!(counted[0] > ORDERS / 2 && counted[1] > ORDERS / 10 && counted[2] > ORDERS / 2, "{counted:?}");
    assert_eq!((figures.duplicates, figures.lost, figures.open_at_file), (0, 0, 0));
    assert!(figures.pick_rows > 500 && figures.pick_rows_bent == 0, "{figures:#?}");
}

#[test]
fn a_plan_that_cannot_be_says_what_is_wrong() {
    let error = run_day(Some("seed = 1"), None, false).unwrap_err().to_string();
    assert!(error.contains("missing field"), "{error}");
    let error = run_day(None, Some(0), false).unwrap_err().to_string();
    assert!(error.contains("1 at least"), "{error}");
}
