//! How long the calendar of working days lasts, for who watches: a gauge, and from sixty days before its end on a line in the log, each
//! day once. What is due on a working day of a year that nobody set is refused.

use std::time::Duration;

use domain::State;
use domain::calendar::Date;

use super::executor::Executor;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From how many days before its end on it is told.
const TOLD_FROM_DAYS: u32 = 60;

/// Looks until the platform stops, on the node that leads.
pub(crate) async fn run(executor: Executor) {
    let mut watch = Watch::default();
    while executor.platform.is_running() {
        tokio::time::sleep(LOOK_EVERY).await;
        if !executor.platform.leads() {
            continue;
        }
        let today = Date::in_shanghai(executor.clock.now());
        let look = move |state: &State| (state.calendar.days_left(today), state.calendar.known_until(today));
        // What cannot be read now is read by the next look.
        if let Ok(((days_left, until), _)) = executor.platform.read(look).await
            && watch.sees(today, days_left)
        {
            tell(today, days_left, until);
        }
    }
}

/// What was told.
#[derive(Debug, Default)]
struct Watch {
    last: Option<Date>,
}

impl Watch {
    /// Shows how many days are left; whether that is to be told.
    fn sees(&mut self, today: Date, days_left: u32) -> bool {
        metrics::gauge!("lintel_calendar_days_left").set(f64::from(days_left));
        let tells = days_left <= TOLD_FROM_DAYS && self.last != Some(today);
        if tells {
            self.last = Some(today);
        }
        tells
    }
}

fn tell(today: Date, days_left: u32, until: Option<Date>) {
    match until {
        Some(until) => tracing::warn!(
            days_left,
            %until,
            "the calendar of working days ends soon: propose the next year's with lintel calendar set"
        ),
        None => tracing::error!(
            %today,
            "the working days of this year are not known, and what is due on the next one is refused: propose them with lintel \
             calendar set"
        ),
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn the_end_of_the_calendar_is_told_from_sixty_days_before_each_day_once() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut watch = Watch::default();
        let mut sees = |today: &str, days_left| {
            let today = today.parse().unwrap();
            metrics::with_local_recorder(&recorder, || watch.sees(today, days_left))
        };
        let looks = [("2026-11-01", 61), ("2026-11-02", 60), ("2026-11-02", 60), ("2026-11-03", 59)];
        assert_eq!(looks.map(|(today, left)| sees(today, left)), [false, true, false, true]);
        assert!(!sees("2026-11-04", 423), "two people set the next year");
        assert!(recorder.handle().render().contains("lintel_calendar_days_left 423\n"));
        assert!(sees("2028-01-01", 0));
        assert!(recorder.handle().render().contains("lintel_calendar_days_left 0\n"));
    }
}
