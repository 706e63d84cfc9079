//! `#[queue]`, which takes no options: the limits are the static's.

use proc_macro2::TokenStream;

use super::options;
use crate::errors::Mistakes;

pub(crate) struct QueueArgs;

impl QueueArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) {
        options::read(tokens, &[], mistakes);
    }
}
