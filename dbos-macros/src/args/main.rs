//! `#[dbos::main(…)]`.

use proc_macro2::TokenStream;
use syn::LitStr;

use super::options;
use crate::errors::Mistakes;

const KNOWN: [&str; 5] =
    ["name = \"…\"", "migrations = \"migrations\"", "port = 3000", "admin_port = 3001", "supervise"];

#[derive(Default)]
pub(crate) struct MainArgs {
    pub(crate) name: Option<LitStr>,
    /// A folder, from the package's own.
    pub(crate) migrations: Option<LitStr>,
    /// The defaults of the two settings.
    pub(crate) port: Option<u16>,
    pub(crate) admin_port: Option<u16>,
    pub(crate) supervise: bool,
}

impl MainArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        for option in options::read(tokens, &KNOWN, mistakes) {
            match option.key.to_string().as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                "migrations" => args.migrations = mistakes.keep(option.text()),
                "port" => args.port = mistakes.keep(option.port()),
                "admin_port" => args.admin_port = mistakes.keep(option.port()),
                _ => args.supervise = mistakes.keep(option.flag()).is_some(),
            }
        }
        args
    }
}
