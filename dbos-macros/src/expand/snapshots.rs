//! What each attribute expands to. Read these to see what a change does to every user's code; accept
//! with `INSTA_UPDATE=always cargo test -p dbos-macros`.

use proc_macro2::TokenStream;
use quote::quote;

fn pretty(expanded: syn::Result<TokenStream>) -> String {
    let tokens = expanded.unwrap_or_else(|error| error.to_compile_error());
    prettyplease::unparse(&syn::parse2(tokens).expect("an expansion is a list of items"))
}

/// Snapshots the expansion of `$source` by `$expand`.
macro_rules! snapshot {
    ($name:ident, $expand:expr, $source:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(pretty($expand(source($source))));
        }
    };
}

/// Source text as tokens; read from text so that doc comments and line breaks are as users write them.
fn source(text: &str) -> TokenStream {
    text.parse().expect("test sources are tokens")
}

snapshot!(
    a_workflow,
    |item| super::workflow(quote!(), item),
    "/// Pays.
     pub async fn pay(order: Order, (a, _): (i64, i64)) -> Result<i64> { charge(&order).await?; Ok(a) }"
);

snapshot!(
    a_workflow_with_options_and_a_warning,
    |item| super::workflow(
        quote!(
            name = "nightly",
            max_recovery_attempts = 3,
            timeout = "1h 30m",
            retries = "unlimited",
            interval = "15m",
            retry_if = is_late
        ),
        item
    ),
    "#[tracing::instrument] async fn nightly() -> Result<()> { let now = SystemTime::now(); Ok(()) }"
);

snapshot!(
    a_workflow_with_routes,
    |item| super::workflow(quote!(), item),
    r#"#[::dbos::post_api("/pay/:key")] #[::dbos::put_api("/pay/{key}")] async fn pay(key: String, amount: i64) -> Result<i64> { Ok(amount) }"#
);

snapshot!(
    a_step,
    |item| super::step(quote!(), item),
    "/// Charges.
     #[inline] pub async fn charge(cart: &Cart, mut user: String) -> Result<(), ShopError> { user.push('x'); bank(cart, user).await }"
);

snapshot!(
    a_step_with_every_option,
    |item| super::step(
        quote!(
            name = "bank.charge",
            retries = 3,
            interval = "500ms",
            backoff = 1.5,
            max_interval = LONGEST,
            timeout = "2s",
            retry_if = ShopError::is_temporary
        ),
        item
    ),
    "async fn charge(cart: &Cart, log: &mut Log, (a, b): (u8, u8), user: String) -> Result<(), ShopError> { Ok(()) }"
);

snapshot!(
    a_generic_step_with_self,
    |item| super::step(quote!(), item),
    "async fn quote<'a, T: Serialize>(&self, value: &'a T, names: impl Iterator<Item = &str>) -> Result<T, String> where T: Clone { Ok(value.clone()) }"
);

snapshot!(
    a_step_with_a_route,
    |item| super::step(quote!(), item),
    r#"#[::dbos::get_api("/price/:item")] async fn price(item: String, currency: Option<String>) -> Result<i64> { Ok(1) }"#
);

snapshot!(
    a_transaction,
    |item| super::transaction(quote!(isolation = "read committed", read_only), item),
    "pub async fn stock(tx: &mut Tx, item: &str, tag: String) -> sqlx::Result<i64> { tx.query(SQL).bind(item).fetch_scalar().await }"
);

snapshot!(
    a_transaction_with_self,
    |item| super::transaction(quote!(), item),
    "async fn reserve(&self, connection: &mut sqlx::PgConnection) -> Result<(), Self::Error> { Ok(()) }"
);

snapshot!(
    a_step_with_state,
    |item| super::step(quote!(), item),
    "async fn send(#[state] http: &Http, url: &str) -> Result<u16> { http.get(url).await }"
);

snapshot!(
    a_route,
    |item| super::route("post_api", quote!("/checkout/:key?"), item),
    "/// Checks out.
     pub async fn checkout(key: Option<String>, r#type: u8) -> Result<String, HttpError> { Ok(String::new()) }"
);

snapshot!(
    a_route_that_says_where_its_arguments_come_from,
    |item| super::route("post_api", quote!("/hook/:shop?"), item),
    r#"async fn hook(#[default("main")] shop: String, #[header("Stripe-Signature")] signature: String,
        #[header] user_agent: Option<String>, #[query] #[default(20)] limit: u32, #[raw] body: Bytes) {}"#
);

snapshot!(
    a_route_with_options,
    |item| super::route(
        "get_api",
        quote!("/x", required_roles = ["admin", "clerk"], timeout = "2s", max_body_bytes = 10, max_concurrent = 3),
        item
    ),
    "async fn x() {}"
);

snapshot!(
    an_authenticator,
    |item| super::authenticator(quote!(), item),
    "/// Knows everybody.
     pub async fn bearer() -> Result<Option<Identity>, HttpError> { Ok(None) }"
);

snapshot!(
    a_route_without_arguments,
    |item| super::route("get_api", quote!("/"), item),
    "async fn home() -> &'static str { \"hi\" }"
);

snapshot!(
    a_route_steps_behind_what_it_is_written_above,
    |item| super::route("delete_api", quote!("/orders/{id}"), item),
    "#[dbos::workflow(name = \"drop\")] async fn drop_order(id: i64) -> Result<()> { Ok(()) }"
);

snapshot!(
    a_step_lets_the_routes_below_it_pass,
    |item| super::step(quote!(retries = 3), item),
    "#[get_api(\"/price\")] async fn price() -> i64 { 1 }"
);

snapshot!(
    an_impl_block,
    |item| super::workflows(quote!(), item),
    "impl Shelf<u8> {
        const FEE: i64 = 3;
        #[workflow] pub async fn close(self_test: Self) -> Result<Self, String> {
            struct Node { next: Option<Box<Self>> }
            impl Node { fn new() -> Self { Self { next: None } } }
            Ok(Self { fee: Self::FEE })
        }
        #[step] async fn total(&self) -> Result<Self> { Self::x() }
        fn plain() -> Self { Self }
    }"
);

snapshot!(
    a_main_function,
    |item| super::main(quote!(name = "shop", port = 8082, admin_port = 8083, supervise), item),
    "async fn main() { tracing::info!(\"up\"); }"
);

snapshot!(
    a_main_function_that_may_fail,
    |item| super::main(quote!(), item),
    "async fn main() -> anyhow::Result<()> { Ok(()) }"
);

snapshot!(
    a_row,
    super::from_row,
    "pub struct Product<T> { pub id: i64, #[from_row(rename = \"product_name\")] name: Option<T>, r#type: String }"
);

/// A body that does not parse is the compiler's to explain; the item still expands.
#[test]
fn a_half_typed_body_still_expands() {
    let item = source("async fn pay(order: Order) -> Result<i64> { order. }");

    let expanded = super::workflow(quote!(), item).expect("the body is not read").to_string();

    assert!(expanded.contains("{ order . }"), "{expanded}");
}

/// A failed expansion keeps the function, without our attributes.
#[test]
fn a_failed_expansion_keeps_the_function() {
    let item = source("/// Pays.\n #[::dbos::post_api(\"/pay\")] fn pay() -> Result<i64> { Ok(1) }");

    let kept = super::or_keep(item, |item| super::workflow(quote!(nam = "x"), item));

    insta::assert_snapshot!(pretty(Ok(kept)));
}

snapshot!(
    a_queue,
    |item| super::queue(quote!(), item),
    "/// Orders.
     pub static ORDERS: Queue = Queue::new(\"orders\").concurrency(2);"
);
