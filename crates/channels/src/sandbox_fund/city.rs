//! What a fund's city differs in from others, as settings of its channel: name, route, cut-off, how much the fund pays for a lease,
//! and whether it may pay a part at once.

use domain::fund_batch::FundRoute;
use domain::fund_batch::cut_off::CutOff;
use domain::fund_batch::quota::{Every, Frequency, QuotaRules};
use domain::money::Minor;

use crate::batch::FundCentre;
use crate::error::ChannelError;
use crate::manifest::Setting;
use crate::message;
use crate::settings::Settings;

pub(super) const CITY: Setting = Setting::open(
    "city",
    "the city of the centre, as its files name it: 1 to 32 letters, digits, `_` or `-`; 310000 (Shanghai) unless set",
);
pub(super) const FUND_ROUTE: Setting = Setting::open(
    "fund_route",
    "to whom the centre pays a month's batch: `reserve` (to us, the usual) or `direct` (to the landlord: a memo here)",
);
pub(super) const CUT_OFF: Setting = Setting::open(
    "cut_off",
    "when the platform closes the batch of a month by itself: its day and the time in China, as `25 17:00`, on the working day on or \
          before it; unless set, nobody does but the command",
);
pub(super) const QUOTA: Setting = Setting::open(
    "quota",
    "`ask`: the centre is asked what a lease may draw before a payment is taken; `leave` (unless set): the centre pays less, or \
          nothing, where it was too much",
);
pub(super) const CAP_MINOR: Setting = Setting::open(
    "cap_minor",
    "with quota `ask`: the most that the city's fund pays a month for any lease, in fen, as `250000`; no such cap unless set",
);
pub(super) const MONTHS_MIN: Setting = Setting::open(
    "months_min",
    "with quota `ask`: the least months without a gap that contributions were paid for, as `3`; 0 unless set",
);
pub(super) const FREQUENCY: Setting = Setting::open(
    "frequency",
    "with quota `ask`: how often a lease may draw: payments per `month`, `quarter` or `year`, as `1/quarter`; as often as the centre \
          pays unless set",
);
pub(super) const IN_PART: Setting = Setting::open(
    "in_part",
    "`take`: the centre may hold or capture less than it is asked for at once, and says how much; `refuse` (unless set): a success of \
     another amount is not believed",
);
const CITY_LENGTH_MAX: usize = 32;

/// The centre as the settings have it.
///
/// # Errors
/// [`ChannelError::Config`] with the setting, its value, and what would be right.
pub(super) fn read(settings: &Settings<'_>) -> Result<FundCentre, ChannelError> {
    let fits = |text: &str| text.len() <= CITY_LENGTH_MAX && message::is_word(text);
    let city = settings.fitting_or(&CITY, "310000", fits)?;
    let cut_off = match settings.maybe(&CUT_OFF)? {
        Some(text) => Some(text.parse::<CutOff>().map_err(|error| settings.refused(&CUT_OFF, &error.to_string()))?),
        None => None,
    };
    Ok(FundCentre { city, route: route(settings)?, cut_off, quota: quota(settings)? })
}

/// Whether the centre may pay a part at once.
///
/// # Errors
/// [`ChannelError::Config`].
pub(super) fn in_part(settings: &Settings<'_>) -> Result<bool, ChannelError> {
    match settings.text_or(&IN_PART, "refuse")? {
        "take" => Ok(true),
        "refuse" => Ok(false),
        other => Err(settings.refused(&IN_PART, &format!("'{other:.32}' is neither `take` nor `refuse`"))),
    }
}

fn route(settings: &Settings<'_>) -> Result<FundRoute, ChannelError> {
    let name = settings.text_or(&FUND_ROUTE, FundRoute::Reserve.name())?;
    if name == "custody" {
        let reason = "'custody' needs a bank's register of virtual accounts behind 9101 and 9201, and no channel keeps one yet; use \
                      'reserve', or 'direct' where the centre pays the landlord itself";
        return Err(settings.refused(&FUND_ROUTE, reason));
    }
    FundRoute::ALL.into_iter().find(|route| route.name() == name).ok_or_else(|| settings.wrong(&FUND_ROUTE))
}

fn quota(settings: &Settings<'_>) -> Result<Option<QuotaRules>, ChannelError> {
    match settings.text_or(&QUOTA, "leave")? {
        "ask" => {}
        "leave" => {
            let reason = "it bounds what the centre is asked about: set quota to `ask` too, or leave it out";
            for setting in [&CAP_MINOR, &MONTHS_MIN, &FREQUENCY] {
                settings.absent(setting, reason)?;
            }
            return Ok(None);
        }
        other => return Err(settings.refused(&QUOTA, &format!("'{other:.32}' is neither `ask` nor `leave`"))),
    }
    let not =
        |setting: &Setting, text: &str, right: &str| settings.refused(setting, &format!("'{text:.32}' is not {right}"));
    let cap = settings.maybe(&CAP_MINOR)?.map(|text| {
        let cap = message::number(text).filter(|cap: &Minor| *cap > 0);
        cap.ok_or_else(|| not(&CAP_MINOR, text, "an amount in fen above 0, as `250000`"))
    });
    let months_min = settings.maybe(&MONTHS_MIN)?.map(|text| {
        message::number::<u32>(text).ok_or_else(|| not(&MONTHS_MIN, text, "a whole number of months, as `3`"))
    });
    let frequency = settings.maybe(&FREQUENCY)?.map(|text| {
        frequency(text).ok_or_else(|| not(&FREQUENCY, text, "payments per month, quarter or year, as `1/quarter`"))
    });
    let (cap, months_min) = (cap.transpose()?, months_min.transpose()?.unwrap_or(0));
    Ok(Some(QuotaRules { cap, months_min, frequency: frequency.transpose()? }))
}

fn frequency(text: &str) -> Option<Frequency> {
    let (draws, name) = text.split_once('/')?;
    let every = Every::ALL.into_iter().find(|every| every.name() == name)?;
    let draws = message::number(draws).filter(|draws: &u32| *draws > 0)?;
    Some(Frequency { draws, every })
}
