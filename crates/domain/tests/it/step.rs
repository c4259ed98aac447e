//! The steps of a random walk. Selectors are bytes: each picks one of what there is by then.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

/// What makes a transfer wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Twist {
    /// Credits one more than debits.
    Unbalanced,
    /// Names an account that is not there.
    UnknownAccount,
    /// Names another currency.
    OtherCurrency,
    /// Dated yesterday.
    Yesterday,
    /// Has one entry.
    Short,
    /// Takes from 1101.
    CentralBank,
}

/// One transfer: two selectors and minor units.
pub(crate) type Transfer = (u8, u8, i64);

/// What a channel may answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Success,
    Declined,
    NotFound,
    Unknown,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Transfer(Transfer, Option<Twist>),
    Bulk {
        stream: u8,
        transfers: Vec<Transfer>,
        atomic: bool,
    },
    RepeatBulk {
        changed: bool,
    },
    OpenAccount(u8),
    CloseAccount(u8),
    PlaceHold {
        account: u8,
        amount: i64,
        minutes: i64,
    },
    ConfirmHold {
        hold: u8,
        amount: Option<i64>,
        to: u8,
    },
    CancelHold(u8),
    Announce {
        account: u8,
        source: u8,
        amount: i64,
        minutes: i64,
    },
    Receive {
        hold: u8,
        amount: Option<i64>,
    },
    Link {
        parent: u8,
        child: u8,
    },
    Unlink(u8),
    MoveInTree {
        link: u8,
        up: bool,
        amount: i64,
    },
    Restrict {
        account: u8,
        in_barred: bool,
        out_barred: bool,
    },
    Freeze {
        account: u8,
        amount: i64,
        minutes: Option<i64>,
    },
    FreezeCustomer {
        amount: i64,
        dollars: bool,
        minutes: Option<i64>,
    },
    Release {
        freeze: u8,
        amount: Option<i64>,
        same_authority: bool,
    },
    CreatePayout {
        account: u8,
        to: u8,
        amount: i64,
        fee: i64,
        send_now: bool,
    },
    SendPayout(u8),
    CancelPayout(u8),
    ReturnPayout(u8),
    Verify(u8),
    Answer(u8, Answer),
    CreateAgreement {
        receiver: u8,
    },
    PayFromAgreement {
        agreement: u8,
        to: u8,
        amount: i64,
    },
    CloseAgreement(u8),
    Cut,
    Seal,
    Close {
        sound: bool,
    },
    Tick {
        minutes: i64,
    },
    /// Goes on with a state restored from what a store and history would hold.
    Restore,
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        30 => 1..=400_i64,
        1 => Just(0),
        1 => -5..0_i64,
        1 => Just(i64::MAX),
    ]
}

fn transfer() -> impl Strategy<Value = Transfer> {
    (any::<u8>(), any::<u8>(), amount())
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        Just(Twist::Unbalanced),
        Just(Twist::UnknownAccount),
        Just(Twist::OtherCurrency),
        Just(Twist::Yesterday),
        Just(Twist::Short),
        Just(Twist::CentralBank),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::Success),
        2 => Just(Answer::Declined),
        1 => Just(Answer::NotFound),
        2 => Just(Answer::Unknown),
    ]
}

fn money() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (transfer(), weighted(0.1, twist())).prop_map(|(transfer, twist)| Step::Transfer(transfer, twist)),
        4 => (any::<u8>(), vec(transfer(), 1..6), any::<bool>())
            .prop_map(|(stream, transfers, atomic)| Step::Bulk { stream, transfers, atomic }),
        1 => any::<bool>().prop_map(|changed| Step::RepeatBulk { changed }),
        1 => any::<u8>().prop_map(Step::OpenAccount),
        1 => any::<u8>().prop_map(Step::CloseAccount),
        3 => (any::<u8>(), amount(), 1..30_i64)
            .prop_map(|(account, amount, minutes)| Step::PlaceHold { account, amount, minutes }),
        3 => (any::<u8>(), weighted(0.5, amount()), any::<u8>())
            .prop_map(|(hold, amount, to)| Step::ConfirmHold { hold, amount, to }),
        1 => any::<u8>().prop_map(Step::CancelHold),
    ]
}

fn tree() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<u8>(), any::<u8>()).prop_map(|(parent, child)| Step::Link { parent, child }),
        1 => any::<u8>().prop_map(Step::Unlink),
        3 => (any::<u8>(), any::<bool>(), amount())
            .prop_map(|(link, up, amount)| Step::MoveInTree { link, up, amount }),
    ]
}

fn announced() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<u8>(), any::<u8>(), amount(), 1..30_i64)
            .prop_map(|(account, source, amount, minutes)| Step::Announce { account, source, amount, minutes }),
        3 => (any::<u8>(), weighted(0.5, amount())).prop_map(|(hold, amount)| Step::Receive { hold, amount }),
    ]
}

fn law() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (any::<u8>(), prop::bool::weighted(0.2), prop::bool::weighted(0.4))
            .prop_map(|(account, in_barred, out_barred)| Step::Restrict { account, in_barred, out_barred }),
        2 => (any::<u8>(), amount(), weighted(0.5, 1..30_i64))
            .prop_map(|(account, amount, minutes)| Step::Freeze { account, amount, minutes }),
        1 => (1..4_000_i64, prop::bool::weighted(0.3), weighted(0.7, 1..30_i64))
            .prop_map(|(amount, dollars, minutes)| Step::FreezeCustomer { amount, dollars, minutes }),
        2 => (any::<u8>(), weighted(0.5, amount()), prop::bool::weighted(0.9))
            .prop_map(|(freeze, amount, same_authority)| Step::Release { freeze, amount, same_authority }),
        1 => any::<u8>().prop_map(|receiver| Step::CreateAgreement { receiver }),
        2 => (any::<u8>(), any::<u8>(), amount())
            .prop_map(|(agreement, to, amount)| Step::PayFromAgreement { agreement, to, amount }),
        1 => any::<u8>().prop_map(Step::CloseAgreement),
    ]
}

fn payout() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u8>(), any::<u8>(), amount(), 0..5_i64, any::<bool>())
            .prop_map(|(account, to, amount, fee, send_now)| Step::CreatePayout { account, to, amount, fee, send_now }),
        2 => any::<u8>().prop_map(Step::SendPayout),
        1 => any::<u8>().prop_map(Step::CancelPayout),
        1 => any::<u8>().prop_map(Step::ReturnPayout),
        1 => any::<u8>().prop_map(Step::Verify),
        5 => (any::<u8>(), answer()).prop_map(|(attempt, answer)| Step::Answer(attempt, answer)),
    ]
}

fn day() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Cut),
        2 => Just(Step::Seal),
        2 => prop::bool::weighted(0.8).prop_map(|sound| Step::Close { sound }),
        2 => (0..10_i64).prop_map(|minutes| Step::Tick { minutes }),
        2 => Just(Step::Restore),
    ]
}

/// Some steps of a walk.
pub(crate) fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![8 => money(), 3 => tree(), 2 => announced(), 4 => law(), 6 => payout(), 3 => day()], count)
}
