//! Gives the references in a signature one lifetime, `'dbos`, so that the returned call can say how
//! long it borrows them.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, GenericParam, Generics, Ident, Lifetime, ReceiverKind, Signature, Token, Type, TypeImplTrait,
    TypeParamBound, TypeReference, WhereClause, WherePredicate, parse_quote,
};

/// The lifetime of everything a call borrows.
fn lifetime() -> Lifetime {
    Lifetime::new("'dbos", Span::call_site())
}

/// Names every elided lifetime in the arguments, bounds all parameters by it, and gives back the
/// lifetime of the call: `'dbos`, or `'static` if nothing is borrowed and nothing is generic.
pub(crate) fn name_lifetimes(signature: &mut Signature) -> TokenStream {
    let mut elided = Elided { found: false };
    for input in &mut signature.inputs {
        elided.visit_fn_arg_mut(input);
    }
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first()
        && matches!(receiver.kind, ReceiverKind::Value)
    {
        elided.found = true;
        signature.generics.make_where_clause().predicates.push(parse_quote!(Self: 'dbos));
    }
    if !elided.found && signature.generics.params.is_empty() {
        return quote!('static);
    }
    bound_parameters(&mut signature.generics);
    lifetime().into_token_stream()
}

/// Adds `'dbos`, and makes every other parameter outlive it.
fn bound_parameters(generics: &mut Generics) {
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) => parameter.bounds.push(lifetime()),
            // Beside the bounds it has: the user's lints want them in one place.
            GenericParam::Type(parameter) => {
                let elsewhere = bounds_in_where(&mut generics.where_clause, &parameter.ident);
                let bounds = match elsewhere {
                    Some(bounds) if parameter.bounds.is_empty() => bounds,
                    _ => &mut parameter.bounds,
                };
                bounds.push(parse_quote!('dbos));
            }
            GenericParam::Const(_) => {}
        }
    }
    generics.params.insert(0, parse_quote!('dbos));
}

/// The bounds that the `where` clause puts on a parameter, if it does.
fn bounds_in_where<'a>(clause: &'a mut Option<WhereClause>, parameter: &Ident) -> Option<&'a mut Bounds> {
    clause.as_mut()?.predicates.iter_mut().find_map(|predicate| match predicate {
        WherePredicate::Type(predicate) => match &predicate.bounded_ty {
            Type::Path(path) if path.path.is_ident(parameter) => Some(&mut predicate.bounds),
            _ => None,
        },
        _ => None,
    })
}

/// Bounds as they are written: `A + B`.
type Bounds = Punctuated<TypeParamBound, Token![+]>;

struct Elided {
    found: bool,
}

impl Elided {
    fn name(&mut self) -> Lifetime {
        self.found = true;
        lifetime()
    }
}

impl VisitMut for Elided {
    fn visit_receiver_mut(&mut self, receiver: &mut syn::Receiver) {
        if let ReceiverKind::Reference(_, elided @ None, _) = &mut receiver.kind {
            *elided = Some(self.name());
        }
        visit_mut::visit_receiver_mut(self, receiver);
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.name());
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.name();
        }
    }

    fn visit_type_impl_trait_mut(&mut self, open: &mut TypeImplTrait) {
        self.found = true;
        open.bounds.push(parse_quote!('dbos));
        visit_mut::visit_type_impl_trait_mut(self, open);
    }

    // `fn(&str)` and `Fn(&str)` have lifetimes of their own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}
}
