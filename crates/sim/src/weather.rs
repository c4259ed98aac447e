//! How bad the world is to one seed: each kind of trouble is there or not, and more or less of it.

use crate::random::Random;

/// Rates, in 1,000 occasions. Zero: this seed never sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// The process stops, at any step.
    pub(crate) crash: u64,
    /// The process stops while it starts.
    pub(crate) crash_in_start: u64,
    /// A start stands on an older image of the store: the last commits were not synced.
    pub(crate) store_lost: u64,
    /// The disk is full at an append.
    pub(crate) disk_full: u64,
    /// An append fails.
    pub(crate) disk_error: u64,
    /// An append takes seconds.
    pub(crate) disk_slow: u64,
    /// Files of history cannot be written when a checkpoint is due or a day closes.
    pub(crate) lake_fails: u64,
    /// The projector takes seconds for a batch.
    pub(crate) behind: u64,
    /// A call to a bank finds no connection.
    pub(crate) not_written: u64,
    /// A site of a channel is down, for twenty seconds at a time.
    pub(crate) site_down: u64,
    /// A message to or from a bank is lost.
    pub(crate) lost: u64,
    /// It comes late, perhaps after its caller gave up.
    pub(crate) late: u64,
    /// It comes twice.
    pub(crate) doubled: u64,
    /// An answer is damaged, or claims what nobody signed.
    pub(crate) garbled: u64,
    /// A bank says "declined" of a debit or a refund it did; its clearing file tells the truth.
    pub(crate) lie: u64,
    /// A client's request or its answer is lost.
    pub(crate) client_lost: u64,
    /// A client sends an old request again.
    pub(crate) repeat: u64,
    /// A bank declines, or does later, or lets a payment come back: of 10,000 operations.
    pub(crate) bank: u32,
}

impl Weather {
    /// The weather of a seed.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let mut rate = |most: u64| if random.chance(650) { 1 + random.below(most) } else { 0 };
        Self {
            crash: rate(12),
            crash_in_start: rate(400),
            store_lost: rate(500),
            disk_full: rate(30),
            disk_error: rate(40),
            disk_slow: rate(60),
            lake_fails: rate(150),
            behind: rate(150),
            not_written: rate(200),
            // Of a stream of its own: what was drawn before there were sites stays as it was.
            site_down: 0,
            lost: rate(250),
            late: rate(250),
            doubled: rate(250),
            garbled: rate(150),
            lie: rate(150),
            client_lost: rate(150),
            repeat: rate(200),
            bank: u32::try_from(rate(2_500)).expect("it is small"),
        }
    }
}
