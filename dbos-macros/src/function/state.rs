//! `#[state]`: an argument that the program provides. Callers do not see it, and nothing of it is stored.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta, PatType, Type};

use super::{Function, ungrouped};
use crate::errors::Mistakes;
use crate::paths::private;

/// Whether the attribute says that the program provides the argument.
pub(super) fn is_state(attribute: &Attribute) -> bool {
    attribute.path().is_ident("state")
}

impl Function {
    /// Takes what the program provides out of the signature, and binds it at the beginning of the body.
    pub(crate) fn take_state(&mut self, mistakes: &mut Mistakes) {
        let mut provided = Vec::new();
        let mut others = syn::punctuated::Punctuated::new();
        for input in std::mem::take(&mut self.signature.inputs) {
            match input {
                FnArg::Typed(argument) if argument.attrs.iter().any(is_state) => provided.push(argument),
                other => others.push(other),
            }
        }
        self.signature.inputs = others;
        let name = self.name();
        let bindings: Vec<_> = provided
            .iter()
            .enumerate()
            .filter_map(|(position, argument)| Some(binding(&name, position, argument, shared(argument, mistakes)?)))
            .collect();
        if !bindings.is_empty() {
            self.body = beginning_with(&bindings, &self.body);
        }
    }
}

/// The type behind the reference.
fn shared<'a>(argument: &'a PatType, mistakes: &mut Mistakes) -> Option<&'a Type> {
    for attribute in argument.attrs.iter().filter(|attribute| is_state(attribute)) {
        if !matches!(attribute.meta, Meta::Path(_)) {
            mistakes.at(attribute, "write `#[state]` alone");
        }
    }
    match ungrouped(&argument.ty) {
        Type::Reference(reference) if reference.mutability.is_none() => Some(&reference.elem),
        Type::Reference(reference) => {
            mistakes.at(
                reference,
                "what the program provides is shared by all who ask for it; take it by `&`, and put what changes into a `Mutex` or the like",
            );
            None
        }
        other => {
            mistakes.at(other, "what the program provides is lent to this function; take it by `&`");
            None
        }
    }
}

/// Looks the value up, and lets a launch know that it will be looked up.
fn binding(function: &str, position: usize, argument: &PatType, ty: &Type) -> TokenStream {
    let span = ty.span();
    let [inventory, need, state] = ["inventory", "StateNeed", "state"].map(|name| private(name, span));
    let (variable, pattern) = (format_ident!("__state_{position}"), &argument.pat);
    let looked_up = quote_spanned!(span=> #state::<#ty>());
    quote! {
        #inventory::submit! {
            #need {
                function: #function,
                file: ::core::file!(),
                line: ::core::line!(),
                name: ::core::any::type_name::<#ty>,
                id: ::core::any::TypeId::of::<#ty>,
            }
        }
        let #variable = #looked_up;
        let #pattern: &#ty = &*#variable;
    }
}

/// The same braces with something in front of what is in them.
fn beginning_with(statements: &[TokenStream], body: &TokenStream) -> TokenStream {
    let own = body.clone().into_iter().map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let inner = group.stream();
            let mut braces = Group::new(Delimiter::Brace, quote!(#(#statements)* #inner));
            braces.set_span(group.span());
            TokenTree::Group(braces)
        }
        other => other,
    });
    own.collect()
}
