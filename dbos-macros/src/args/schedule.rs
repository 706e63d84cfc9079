//! Schedules as people write them, checked while they are compiled.

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proc_macro2::Ident;
use syn::{Error, LitStr, Result};

use super::options::Given;

impl Given {
    /// A cron pattern: five fields, or six with seconds first.
    pub(super) fn cron(&self) -> Result<LitStr> {
        let text = self.text()?;
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let pattern = parser.parse(&text.value()).map_err(|error| {
            let usage = "write five fields, minute, hour, day, month, weekday, or six with seconds first";
            let reason = error.to_string();
            Error::new_spanned(&text, format!("this is no cron pattern ({}); {usage}", reason.trim_end_matches('.')))
        })?;
        let start = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        match pattern.find_next_occurrence(&start, false) {
            Ok(_) => Ok(text),
            Err(_) => Err(Error::new_spanned(text, "this never comes")),
        }
    }

    /// The name of a time zone.
    pub(super) fn timezone(&self) -> Result<LitStr> {
        let text = self.text()?;
        match TimeZone::get(&text.value()) {
            Ok(_) => Ok(text),
            Err(_) => Err(Error::new_spanned(text, "there is no such time zone; write one as `\"Europe/Berlin\"`")),
        }
    }

    /// What becomes of late ticks: a variant of `Late`.
    pub(super) fn late(&self) -> Result<Ident> {
        let text = self.text()?;
        let variant = match text.value().as_str() {
            "skip" => "Skip",
            "last" => "RunLast",
            "all" => "RunAll",
            _ => return Err(Error::new_spanned(text, "`late` is `\"skip\"`, `\"last\"` or `\"all\"`")),
        };
        Ok(Ident::new(variant, text.span()))
    }
}
