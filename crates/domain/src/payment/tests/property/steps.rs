//! The steps of a walk, and how often each is drawn.

use super::*;

/// A step of a walk.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Order {
        merchant: Index,
        rent: Minor,
        deposit: Minor,
        tries: u8,
        agreement: bool,
        expires: bool,
        wallet: bool,
    },
    Pay {
        order: Index,
        how: u8,
    },
    Answer {
        attempt: Index,
        how: u8,
    },
    Late {
        attempt: Index,
    },
    Close {
        order: Index,
    },
    /// A batch of the month is closed.
    Batch,
    /// A result file of a batch, a word a row in turn.
    Result {
        batch: Index,
        says: [u8; 4],
    },
    HandOut {
        order: Index,
    },
    Later,
    Split {
        order: Index,
        permille: Minor,
        receivers: usize,
    },
    /// A receiver gives of a split back.
    Return {
        split: Index,
        part: Index,
        permille: Minor,
    },
    Refund {
        order: Index,
        permille: Minor,
        return_fee: bool,
        names: u8,
    },
    /// What waits for a person: asked again, or settled by hand.
    Act {
        task: Index,
        by_hand: bool,
    },
    /// Own money pays today what is settled later.
    Advance {
        order: Index,
    },
    /// The reserve pays an advance back.
    Repay {
        advance: Index,
    },
    /// An advance comes back from its merchant's bank, whether it was paid back or not.
    ComeBack {
        advance: Index,
    },
    TopUp {
        wallet: Index,
        amount: Minor,
    },
    /// A file says that a top-up brought more than it asked for.
    Brought {
        top_up: Index,
        more: Minor,
    },
    Transfer {
        from: Index,
        permille: Minor,
    },
    Clear {
        rail: Index,
        skip: usize,
    },
    NextDay,
    Settle {
        merchant: Index,
    },
    Bar {
        merchant: Index,
        in_barred: bool,
        out_barred: bool,
    },
    Restore,
}

/// Any step.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), 1..10_000_i64, 0..5_000_i64, 1..4_u8, any::<u8>()).prop_map(
            |(merchant, rent, deposit, tries, kind)| {
                let (agreement, expires, wallet) = (kind < 25, kind >= 240, (100..200).contains(&kind));
                Step::Order { merchant, rent, deposit, tries, agreement, expires, wallet }
            }),
        8 => (index(), 0..WAYS).prop_map(|(order, how)| Step::Pay { order, how }),
        16 => (index(), 0..10_u8).prop_map(|(attempt, how)| Step::Answer { attempt, how }),
        3 => index().prop_map(|attempt| Step::Late { attempt }),
        2 => index().prop_map(|order| Step::Close { order }),
        3 => Just(Step::Batch),
        4 => (index(), any::<[u8; 4]>()).prop_map(|(batch, says)| Step::Result { batch, says }),
        6 => index().prop_map(|order| Step::HandOut { order }),
        1 => Just(Step::Later),
        3 => (index(), 1..1_100_i64, 1..4_usize).prop_map(
            |(order, permille, receivers)| Step::Split { order, permille, receivers }),
        2 => (index(), index(), 1..1_100_i64).prop_map(
            |(split, part, permille)| Step::Return { split, part, permille }),
        7 => (index(), 1..1_050_i64, any::<bool>(), 0..6_u8).prop_map(
            |(order, permille, return_fee, names)| Step::Refund { order, permille, return_fee, names }),
        7 => (index(), any::<bool>()).prop_map(|(task, by_hand)| Step::Act { task, by_hand }),
        2 => index().prop_map(|order| Step::Advance { order }),
        1 => index().prop_map(|advance| Step::Repay { advance }),
        3 => index().prop_map(|advance| Step::ComeBack { advance }),
        2 => (index(), 1..40_000_i64).prop_map(|(wallet, amount)| Step::TopUp { wallet, amount }),
        2 => (index(), 1..500_i64).prop_map(|(top_up, more)| Step::Brought { top_up, more }),
        1 => (index(), 1..1_100_i64).prop_map(|(from, permille)| Step::Transfer { from, permille }),
        5 => (index(), 0..16_usize).prop_map(|(rail, skip)| Step::Clear { rail, skip }),
        3 => Just(Step::NextDay),
        6 => index().prop_map(|merchant| Step::Settle { merchant }),
        1 => (index(), any::<bool>(), any::<bool>()).prop_map(
            |(merchant, in_barred, out_barred)| Step::Bar { merchant, in_barred, out_barred }),
        3 => Just(Step::Restore),
    ]
}
