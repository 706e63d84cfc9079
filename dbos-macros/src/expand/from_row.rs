//! `#[derive(FromRow)]`: reads a struct from a row of any database, its fields by name.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Field, Fields, GenericParam, Lifetime, LifetimeParam, Result, WherePredicate,
    parse_quote, parse_quote_spanned,
};

use crate::args::ColumnArgs;
use crate::errors::Mistakes;
use crate::paths::private;

/// Expands `#[derive(FromRow)] item`.
pub(crate) fn from_row(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut mistakes = Mistakes::default();
    let fields = named_fields(&input)?;
    let columns: Vec<_> = fields.iter().map(|field| column(field, &mut mistakes)).collect();
    mistakes.check()?;
    Ok(expand(&input, &fields, &columns))
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter().collect()),
            Fields::Unnamed(_) | Fields::Unit => Err(Error::new_spanned(
                &input.ident,
                "`FromRow` reads fields by name; write `struct … { field: Type }`, or fetch a tuple",
            )),
        },
        Data::Enum(_) | Data::Union(_) => {
            Err(Error::new_spanned(&input.ident, "`FromRow` can be derived for structs only"))
        }
    }
}

/// The column a field is read from.
fn column(field: &Field, mistakes: &mut Mistakes) -> String {
    match ColumnArgs::read(&field.attrs, mistakes).rename {
        Some(name) => name.value(),
        None => field.ident.as_ref().expect("the field has a name").unraw().to_string(),
    }
}

fn expand(input: &DeriveInput, fields: &[&Field], columns: &[String]) -> TokenStream {
    let ident = &input.ident;
    let sqlx = private("sqlx", ident.span());
    let (_, type_generics, _) = input.generics.split_for_impl();
    let mut generics = input.generics.clone();
    let row = Lifetime::new("'__row", proc_macro2::Span::call_site());
    generics.params.insert(0, GenericParam::Lifetime(LifetimeParam::new(row)));
    generics.params.push(parse_quote!(__R: #sqlx::Row));
    let bounds = &mut generics.make_where_clause().predicates;
    if !fields.is_empty() {
        bounds.push(parse_quote!(&'static str: #sqlx::ColumnIndex<__R>));
    }
    bounds.extend(fields.iter().map(|field| readable(field, &sqlx)));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let reads = fields.iter().zip(columns).map(|(field, column)| {
        let (name, ty) = (&field.ident, &field.ty);
        quote!(#name: #sqlx::Row::try_get::<#ty, &'static str>(__row, #column)?)
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #sqlx::FromRow<'__row, __R> for #ident #type_generics #where_clause {
            #[allow(unused_variables)]
            fn from_row(__row: &'__row __R) -> #sqlx::Result<Self> {
                ::core::result::Result::Ok(Self { #(#reads),* })
            }
        }
    }
}

/// The row's database can give the field's type.
fn readable(field: &Field, sqlx: &TokenStream) -> WherePredicate {
    let ty = &field.ty;
    parse_quote_spanned! {ty.span()=>
        #ty: #sqlx::Decode<'__row, <__R as #sqlx::Row>::Database> + #sqlx::Type<<__R as #sqlx::Row>::Database>
    }
}
