//! A cron pattern in a time zone: which instant is next.

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Five fields, or six with seconds first, by the clocks of a time zone.
///
/// When clocks go forward, a time of the day that is left out ticks at the first instant after the gap, and what repeats
/// (`*/10`) leaves the gap out. When they go back, a time of the day ticks the first time it comes, and what repeats
/// ticks both times.
#[derive(Debug)]
pub(crate) struct Cron {
    pattern: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Reads a pattern; without a zone it goes by UTC.
    pub(crate) fn parse(pattern: &str, zone: Option<&str>) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let read = parser.parse(pattern).map_err(|error| format!("`{pattern}` is no cron pattern: {error}"))?;
        let zone = match zone {
            Some(name) => TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?,
            None => TimeZone::UTC,
        };
        Ok(Self { pattern: read, zone })
    }

    /// The first tick after an instant; `None` if there is none.
    pub(crate) fn next_after(&self, instant_ms: i64) -> Option<i64> {
        let after = Timestamp::from_millisecond(instant_ms).ok()?.to_zoned(self.zone.clone());
        let next = self.pattern.find_next_occurrence(&after, false).ok()?;
        Some(next.timestamp().as_millisecond()).filter(|next_ms| *next_ms > instant_ms)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::DateTime;
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn ticks(cron: &Cron, after_ms: i64, until_ms: i64) -> Vec<i64> {
        let next = |instant: &i64| cron.next_after(*instant).filter(|tick| *tick <= until_ms);
        std::iter::successors(next(&after_ms), next).collect()
    }

    #[track_caller]
    fn assert_ticks(pattern: &str, zone: &str, after: &str, expected: &[&str]) {
        let cron = Cron::parse(pattern, Some(zone)).unwrap();
        let expected: Vec<_> = expected.iter().map(|instant| ms(instant)).collect();
        let found = ticks(&cron, ms(after), *expected.last().unwrap());
        assert_eq!(found, expected, "{pattern} in {zone}");
    }

    #[test]
    fn seconds_may_be_left_out() {
        assert_ticks("*/5 * * * *", "UTC", "2026-11-22T12:01:07Z", &["2026-11-22T12:05:00Z", "2026-11-22T12:10:00Z"]);
        assert_ticks("*/20 * * * * *", "UTC", "2026-11-22T12:00:41Z", &["2026-11-22T12:01:00Z"]);
        assert_ticks("30 9 * * MON-FRI", "UTC", "2026-11-20T10:00:00Z", &["2026-11-23T09:30:00Z"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (pattern, zone) in [
            ("", None),
            ("* * * *", None),
            ("0 0 0 1 1 * 2027", None),
            ("60 * * * *", None),
            ("every day", None),
            ("* * * * *", Some("Europe/Bonn")),
            ("* * * * *", Some("")),
        ] {
            assert!(Cron::parse(pattern, zone).is_err(), "{pattern} {zone:?}");
        }
        assert_eq!(Cron::parse("0 0 30 2 *", None).unwrap().next_after(0), None);
    }

    #[test]
    fn a_leap_day_comes_every_four_years() {
        assert_ticks(
            "0 12 29 2 *",
            "Europe/Berlin",
            "2027-01-01T00:00:00Z",
            &["2028-02-29T11:00:00Z", "2032-02-29T11:00:00Z"],
        );
        assert_ticks("0 0 L 2 *", "UTC", "2027-01-01T00:00:00Z", &["2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"]);
    }

    #[test]
    fn a_time_of_the_day_ticks_once_on_the_days_when_clocks_change() {
        let forward = ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"];
        assert_ticks("30 2 * * *", "Europe/Berlin", "2027-03-27T00:00:00Z", &forward);
        let back = ["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"];
        assert_ticks("30 2 * * *", "Europe/Berlin", "2027-10-30T00:00:00Z", &back);
        let forward = ["2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z"];
        assert_ticks("30 2 * * *", "America/New_York", "2027-03-14T00:00:00Z", &forward);
        let back = ["2027-11-07T05:30:00Z", "2027-11-08T06:30:00Z"];
        assert_ticks("30 1 * * *", "America/New_York", "2027-11-07T00:00:00Z", &back);
        // Half an hour, from 02:00 to 02:30.
        let forward = ["2027-10-02T15:30:00Z", "2027-10-03T15:15:00Z"];
        assert_ticks("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z", &forward);
    }

    #[test]
    fn what_repeats_goes_by_the_clock_on_the_wall() {
        let forward = ["2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z"];
        assert_ticks("*/30 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", &forward);
        let back = ["2027-10-31T00:00:00Z", "2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z", "2027-10-31T01:30:00Z"];
        assert_ticks("*/30 2 * * *", "Europe/Berlin", "2027-10-30T23:00:00Z", &back);
    }

    /// A pattern by its minutes and hours, and a day on which the clocks of a zone change.
    #[derive(Clone, Debug)]
    struct Case {
        minutes: BTreeSet<i8>,
        hours: BTreeSet<i8>,
        zone: &'static str,
        change: &'static str,
    }

    impl Case {
        fn pattern(&self) -> String {
            let list = |numbers: &BTreeSet<i8>| numbers.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
            format!("0 {} {} * * *", list(&self.minutes), list(&self.hours))
        }

        fn has(&self, wall: DateTime) -> bool {
            self.minutes.contains(&wall.minute()) && self.hours.contains(&wall.hour())
        }

        /// Goes through all minutes of some days, with no other knowledge of clocks than what they show.
        fn ticks(&self, from_ms: i64, until_ms: i64) -> Vec<i64> {
            let zone = TimeZone::get(self.zone).unwrap();
            let wall = |minute: i64| zone.to_datetime(Timestamp::from_millisecond(minute * MINUTE).unwrap());
            let is_time_of_day = self.minutes.len() == 1 && self.hours.len() == 1;
            let shown: Vec<_> =
                (from_ms / MINUTE - 1440..=until_ms / MINUTE).map(|minute| (minute, wall(minute))).collect();
            let mut found = BTreeSet::new();
            for (index, (minute, now)) in shown.iter().enumerate().skip(1) {
                let was_shown_before =
                    shown[index.saturating_sub(180)..index].iter().any(|(_, earlier)| earlier == now);
                if self.has(*now) && !(is_time_of_day && was_shown_before) {
                    found.insert(minute * MINUTE);
                }
                let mut left_out = shown[index - 1].1 + jiff::Span::new().minutes(1);
                while left_out < *now {
                    if is_time_of_day && self.has(left_out) {
                        found.insert(minute * MINUTE);
                    }
                    left_out += jiff::Span::new().minutes(1);
                }
            }
            found.into_iter().filter(|tick| *tick > from_ms && *tick <= until_ms).collect()
        }
    }

    fn cases() -> impl Strategy<Value = Case> {
        let changes = prop::sample::select(vec![
            ("Europe/Berlin", "2027-03-28T01:00:00Z"),
            ("Europe/Berlin", "2027-10-31T01:00:00Z"),
            ("America/New_York", "2027-03-14T07:00:00Z"),
            ("America/New_York", "2027-11-07T06:00:00Z"),
            ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
            ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
        ]);
        let minutes = prop::collection::btree_set(0..60_i8, 1..4);
        let hours = prop_oneof![
            3 => prop::collection::btree_set(0..4_i8, 1..2),
            2 => prop::collection::btree_set(0..24_i8, 1..24),
        ];
        (changes, minutes, hours).prop_map(|((zone, change), minutes, hours)| Case { minutes, hours, zone, change })
    }

    proptest! {
        /// Also from instants between two ticks, and from within an hour that comes twice.
        #[test]
        fn the_next_tick_is_that_of_a_slow_reference(case in cases(), before_ms in 0..DAY) {
            let cron = Cron::parse(&case.pattern(), Some(case.zone)).unwrap();
            let after_ms = ms(case.change) + DAY / 6 - before_ms;
            let until_ms = ms(case.change) + DAY;

            prop_assert_eq!(ticks(&cron, after_ms, until_ms), case.ticks(after_ms, until_ms));
        }
    }
}
