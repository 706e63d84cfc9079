//! `key = value` lists: reading them, and saying which keys there are when one is unknown.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Result, Token};

use crate::errors::Mistakes;

/// One option as written: `retries = 3`, or `read_only` alone.
pub(super) struct Given {
    pub(super) key: Ident,
    value: Option<Expr>,
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = input.parse::<Ident>()?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Self { key, value })
    }
}

/// The options in `tokens`. Each entry of `known` shows how an option is written, its name first.
pub(super) fn read(tokens: TokenStream, known: &[&str], mistakes: &mut Mistakes) -> Vec<Given> {
    let parser = Punctuated::<Given, Token![,]>::parse_terminated;
    let mut options: Vec<Given> = Vec::new();
    for given in mistakes.keep(parser.parse2(tokens)).unwrap_or_default() {
        if !known.iter().any(|usage| given.key == name_of(usage)) {
            mistakes.at(&given.key, unknown(&given.key, known));
        } else if options.iter().any(|earlier| earlier.key == given.key) {
            mistakes.at(&given.key, format!("`{}` is given twice; remove one", given.key));
        } else {
            options.push(given);
        }
    }
    options
}

/// The option's name at the start of its usage, `retries` in `retries = 3`.
fn name_of(usage: &str) -> &str {
    usage.split([' ', '=']).next().unwrap_or(usage)
}

fn unknown(key: &Ident, known: &[&str]) -> String {
    match known {
        [] => format!("there is no option `{key}`; this attribute takes none"),
        known => {
            let usages: Vec<_> = known.iter().map(|usage| format!("`{usage}`")).collect();
            format!("there is no option `{key}`; there are {}", usages.join(", "))
        }
    }
}

impl Given {
    /// A piece of text.
    pub(super) fn text(&self) -> Result<LitStr> {
        match self.value()? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
            other => Err(Error::new_spanned(other, format!("`{}` is a text in quotes", self.key))),
        }
    }

    /// A list of texts with at least one.
    pub(super) fn texts(&self) -> Result<Vec<LitStr>> {
        let value = self.value()?;
        let refused = || Error::new_spanned(value, format!("`{0}` is a list of texts: `{0} = [\"…\"]`", self.key));
        let Expr::Array(list) = value else { return Err(refused()) };
        let text = |element: &Expr| match element {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
            _ => Err(refused()),
        };
        let texts = list.elems.iter().map(text).collect::<Result<Vec<_>>>()?;
        if texts.is_empty() { Err(refused()) } else { Ok(texts) }
    }

    /// A whole number from `least` up.
    pub(super) fn count(&self, least: u32) -> Result<u32> {
        let wanted = || format!("`{}` is a whole number from {least} to {}", self.key, u32::MAX);
        match self.value()? {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => match number.base10_parse::<u32>() {
                Ok(count) if count >= least => Ok(count),
                _ => Err(Error::new_spanned(number, wanted())),
            },
            other => Err(Error::new_spanned(other, wanted())),
        }
    }

    /// How often something is done again: a whole number, or `"unlimited"`, which is more than anything can be counted to.
    pub(super) fn retries(&self) -> Result<u32> {
        match self.value()? {
            Expr::Lit(ExprLit { lit: Lit::Str(word), .. }) if word.value() == "unlimited" => Ok(u32::MAX),
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.base10_parse::<u32>().is_ok() => self.count(0),
            other => Err(Error::new_spanned(
                other,
                format!("`{}` is a whole number from 0 to {}, or `\"unlimited\"`", self.key, u32::MAX),
            )),
        }
    }

    /// A port.
    pub(super) fn port(&self) -> Result<u16> {
        let value = self.value()?;
        let port = match value {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse::<u16>().ok(),
            _ => None,
        };
        port.ok_or_else(|| Error::new_spanned(value, format!("`{}` is a port, from 0 to {}", self.key, u16::MAX)))
    }

    /// A factor of at least 1.
    pub(super) fn factor(&self) -> Result<f64> {
        let value = self.value()?;
        let factor = match value {
            Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse::<f64>().ok(),
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse::<f64>().ok(),
            _ => None,
        };
        factor.filter(|factor| factor.is_finite() && *factor >= 1.0).ok_or_else(|| {
            Error::new_spanned(value, format!("`{}` is a number from 1.0 up, for example `2.0`", self.key))
        })
    }

    /// An option that is there or not.
    pub(super) fn flag(&self) -> Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => {
                Err(Error::new_spanned(value, format!("`{0}` takes no value; write `{0}`, or leave it out", self.key)))
            }
        }
    }

    /// An option that is on where it stands alone, and can be said to be off.
    pub(super) fn switch(&self) -> Result<bool> {
        match &self.value {
            None => Ok(true),
            Some(Expr::Lit(ExprLit { lit: Lit::Bool(on), .. })) => Ok(on.value),
            Some(value) => Err(Error::new_spanned(value, format!("write `{0}`, or `{0} = false`", self.key))),
        }
    }

    /// The name under which a function is recorded.
    pub(super) fn name(&self) -> Result<LitStr> {
        let text = self.text()?;
        let name = text.value();
        let problem = if name.trim().is_empty() {
            "a name needs at least one letter"
        } else if name.len() > 255 {
            "a name has at most 255 bytes"
        } else if name.contains('\0') {
            "a name cannot hold a NUL character"
        } else if name.starts_with("DBOS.") {
            "names that begin with `DBOS.` belong to built-in steps; choose another"
        } else {
            return Ok(text);
        };
        Err(Error::new_spanned(text, problem))
    }

    /// Any expression.
    pub(super) fn value(&self) -> Result<&Expr> {
        let key = &self.key;
        let mut value = self.value.as_ref();
        // A `$name:literal` of a `macro_rules!` comes wrapped in a group.
        while let Some(Expr::Group(group)) = value {
            value = Some(&group.expr);
        }
        value.ok_or_else(|| Error::new_spanned(key, format!("`{key}` needs a value: `{key} = …`")))
    }
}
