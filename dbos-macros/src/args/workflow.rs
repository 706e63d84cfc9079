//! `#[workflow(…)]`.

use proc_macro2::{Ident, TokenStream};
use syn::LitStr;

use super::{RetryArgs, options};
use crate::errors::Mistakes;

const KNOWN: [&str; 12] = [
    "name = \"…\"",
    "max_recovery_attempts = 100",
    "timeout = \"1h\"",
    "retries = 3",
    "interval = \"1s\"",
    "backoff = 2.0",
    "max_interval = \"1h\"",
    "retry_if = is_temporary",
    "schedule = \"0 */5 * * * *\"",
    "timezone = \"Europe/Berlin\"",
    "late = \"skip\"",
    "allow_nondeterminism",
];

#[derive(Default)]
pub(crate) struct WorkflowArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) max_recovery_attempts: Option<u32>,
    /// An expression of type `Duration`.
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) retry: RetryArgs,
    pub(crate) schedule: Option<ScheduleArgs>,
    pub(crate) allow_nondeterminism: bool,
}

/// When it is started without anybody asking.
pub(crate) struct ScheduleArgs {
    pub(crate) cron: LitStr,
    pub(crate) timezone: Option<LitStr>,
    /// A variant of `Late`.
    pub(crate) late: Option<Ident>,
}

impl WorkflowArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        let (mut cron, mut timezone, mut late) = (None, None, None);
        let mut needs_schedule: Vec<Ident> = Vec::new();
        for option in options::read(tokens, &KNOWN, mistakes) {
            if args.retry.take(&option, mistakes) {
                continue;
            }
            if ["timezone", "late"].iter().any(|key| option.key == key) {
                needs_schedule.push(option.key.clone());
            }
            match option.key.to_string().as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                "max_recovery_attempts" => args.max_recovery_attempts = mistakes.keep(option.count(1)),
                "timeout" => args.timeout = mistakes.keep(option.duration()),
                "schedule" => cron = mistakes.keep(option.cron()),
                "timezone" => timezone = mistakes.keep(option.timezone()),
                "late" => late = mistakes.keep(option.late()),
                _ => args.allow_nondeterminism = mistakes.keep(option.flag()).is_some(),
            }
        }
        args.retry.check(mistakes);
        if cron.is_none() {
            for key in needs_schedule {
                let message = format!("`{key}` is about a schedule; add `schedule = \"0 */5 * * * *\"`");
                mistakes.at(key, message);
            }
        }
        args.schedule = cron.map(|cron| ScheduleArgs { cron, timezone, late });
        args
    }
}
