//! Settings as `fuzz/` makes them up.

use super::keys::Field;
use super::{KEYS, Settings, file};
use crate::app::Application;
use crate::config::Migrations;

const APPLICATION: Application = Application {
    name: "fuzz",
    version: "0.0.0",
    migrations: Migrations { postgres: &[], sqlite: &[] },
    port: None,
    admin_port: None,
    supervise: false,
    started: || Box::pin(async { Ok(()) }),
};

/// A settings file, and the text as the value of each setting.
pub fn fuzz_settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    file::parse(text).ok();
    let mut settings = Settings::new(&APPLICATION);
    for key in KEYS {
        if key.field.set(&mut settings, text).is_err() || matches!(key.field, Field::Url(_)) {
            continue;
        }
        let Some(shown) = key.shown(&settings) else { continue };
        key.field.set(&mut settings, &shown).expect("what is shown may be set");
        assert_eq!(key.shown(&settings), Some(shown), "and is what it was");
    }
}
