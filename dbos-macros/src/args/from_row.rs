//! `#[from_row(…)]` on a field.

use syn::{Attribute, LitStr};

use super::options;
use crate::errors::Mistakes;

const KNOWN: [&str; 1] = ["rename = \"…\""];

#[derive(Default)]
pub(crate) struct ColumnArgs {
    pub(crate) rename: Option<LitStr>,
}

impl ColumnArgs {
    pub(crate) fn read(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("from_row")) {
            let Some(list) = mistakes.keep(attribute.meta.require_list()) else { continue };
            for option in options::read(list.tokens.clone(), &KNOWN, mistakes) {
                args.rename = mistakes.keep(option.text());
            }
        }
        args
    }
}
