//! How a return type is written to the database and read back, chosen per type by the compiler.
//!
//! The runtime has a trait per way, each on one more reference than the next (autoref
//! specialisation), so the first that fits the type wins. The traits are imported nameless: nothing
//! in here can shadow the user's names.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::Type;
use syn::spanned::Spanned;

use crate::paths::private;

/// An expression of type `Codec<ty>`.
pub(super) fn codec(ty: &Type) -> TokenStream {
    let span = ty.span();
    let (probe, tiers) = (private("Probe", span), private("tiers", span));
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use #tiers::*;
            let __probe = #probe::<#ty>::NEW;
            (&&&&&&&__probe).codec().comparing((&&&&&__probe).comparison()).describing((&&&__probe).description())
        }
    }
}

/// An expression of type `Comparison<ty>`: how two values of it are compared, if they can be.
pub(super) fn comparison(ty: &Type) -> TokenStream {
    let span = ty.span();
    let (probe, tiers) = (private("Probe", span), private("tiers", span));
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use #tiers::*;
            (&&&&&#probe::<#ty>::NEW).comparison()
        }
    }
}

/// An expression of type `Option<&sqlx::Error>`: the database error inside `outcome`, if there is one.
pub(super) fn database_error(ty: &Type, outcome: &TokenStream) -> TokenStream {
    let span = ty.span();
    let (probe, tiers) = (private("Probe", span), private("tiers", span));
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use #tiers::*;
            (&&&&#probe::<#ty>::NEW).database_error(&#outcome)
        }
    }
}
