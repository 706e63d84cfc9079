//! `#[queue]`: a static that becomes one of the program's queues.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemStatic, Result, StaticMutability};

use crate::args::QueueArgs;
use crate::errors::Mistakes;
use crate::paths::private;

/// Expands `#[queue] item`.
pub(crate) fn queue(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    QueueArgs::read(args, &mut mistakes);
    let declared = mistakes.keep(read(item));
    mistakes.check()?;
    Ok(expand(&declared.expect("there was no mistake")))
}

fn read(item: TokenStream) -> Result<ItemStatic> {
    let usage = "`#[queue]` goes on a static: `static ORDERS: Queue = Queue::new(\"orders\");`";
    let item: ItemStatic = syn::parse2(item.clone()).map_err(|_| Error::new_spanned(item, usage))?;
    match &item.mutability {
        StaticMutability::Mut(word) => Err(Error::new_spanned(word, "a queue does not change; remove `mut`")),
        _ => Ok(item),
    }
}

fn expand(item: &ItemStatic) -> TokenStream {
    let span = item.ty.span();
    let ident = &item.ident;
    let (inventory, declared) = (private("inventory", span), private("DeclaredQueue", span));
    // At the user's type, so that another than `Queue` is refused there.
    let queue = quote_spanned!(span=> &#ident);
    quote! {
        #item
        #inventory::submit! {
            #declared {
                queue: #queue,
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}
