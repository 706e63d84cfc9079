//! One argument of an annotated function, as its caller sees it and as its body binds it.

use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, Pat, PatType, Receiver, ReceiverKind, Type};

use super::state::is_state;
use super::{Function, ungrouped};
use crate::args::is_binding;
use crate::errors::Mistakes;

/// An argument with a type.
#[derive(Clone)]
pub(crate) struct Argument {
    /// What callers, stored inputs and routes call it.
    pub(crate) name: Ident,
    /// What the body binds, for example `mut amount` or `(width, height)`.
    pub(crate) pattern: Pat,
    pub(crate) ty: Type,
    /// What is written on it for routes: `#[header("…")]` and the like.
    pub(crate) bindings: Vec<Attribute>,
}

impl Argument {
    /// The argument at `position`; a pattern without a name of its own is called `arg0`, `arg1`, ….
    fn new(position: usize, argument: &PatType) -> Self {
        let name = match &*argument.pat {
            Pat::Ident(binding) if binding.subpat.is_none() => binding.ident.clone(),
            pattern => format_ident!("arg{position}", span = pattern.span()),
        };
        let bindings = argument.attrs.iter().filter(|attribute| is_binding(attribute)).cloned().collect();
        Self { name, pattern: (*argument.pat).clone(), ty: ungrouped(&argument.ty).clone(), bindings }
    }

    /// Whether the type is a reference, and whether a mutable one.
    pub(crate) fn reference(&self) -> Option<Access> {
        match &self.ty {
            Type::Reference(reference) if reference.mutability.is_some() => Some(Access::Exclusive),
            Type::Reference(_) => Some(Access::Shared),
            _ => None,
        }
    }

    /// Whether the type is written `Option<…>`.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(&self.ty, Type::Path(path) if super::is_named(&path.path, "Option"))
    }
}

/// How a reference may be used.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Access {
    Shared,
    Exclusive,
}

impl Function {
    /// The receiver and the typed arguments, whatever their types.
    pub(crate) fn arguments(&self) -> (Option<&Receiver>, Vec<Argument>) {
        let mut receiver = None;
        let mut arguments = Vec::new();
        for (position, input) in self.signature.inputs.iter().enumerate() {
            match input {
                FnArg::Receiver(found) => receiver = Some(found),
                FnArg::Typed(argument) => arguments.push(Argument::new(position, argument)),
            }
        }
        (receiver, arguments)
    }

    /// Takes off the arguments what is there for us; the compiler does not know these attributes.
    pub(crate) fn strip_bindings(&mut self) {
        for input in &mut self.signature.inputs {
            if let FnArg::Typed(argument) = input {
                argument.attrs.retain(|attribute| !is_binding(attribute) && !is_state(attribute));
            }
        }
    }

    /// The arguments of a workflow or route: owned, of a named type, and without `self`. `why` says
    /// where such arguments come from.
    pub(crate) fn owned_arguments(&self, what: &str, why: &str, mistakes: &mut Mistakes) -> Vec<Argument> {
        let (receiver, arguments) = self.arguments();
        if let Some(receiver) = receiver {
            mistakes.at(
                receiver,
                format!("a {what} cannot take `self`: {why}; take what it needs as arguments, and for `Self::…` put `#[workflows]` on the `impl` block"),
            );
        }
        for argument in &arguments {
            match &argument.ty {
                Type::Reference(reference) => mistakes.at(
                    reference,
                    format!("a {what} cannot borrow its arguments: {why}; take `{}` by value", owned(&reference.elem)),
                ),
                Type::ImplTrait(open) => mistakes.at(
                    open,
                    format!(
                        "a {what} needs to know the type of each argument: {why}; write the type instead of `impl`"
                    ),
                ),
                _ => {}
            }
        }
        arguments
    }
}

/// The owned type to suggest for `&ty`.
fn owned(ty: &Type) -> String {
    let written = ty.to_token_stream().to_string().replace(' ', "");
    match (written.as_str(), ty) {
        ("str", _) => "String".to_owned(),
        ("Path", _) => "PathBuf".to_owned(),
        (_, Type::Slice(slice)) => format!("Vec<{}>", slice.elem.to_token_stream()),
        _ => written,
    }
}

/// Whether the receiver is `self` by value.
pub(crate) fn takes_self_by_value(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Value)
}
