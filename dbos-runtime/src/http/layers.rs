//! What stands around a route besides its own code: layers of tower.

use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use axum::routing::MethodRouter;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

use super::route::Route;

/// Puts a layer around the handlers of a path.
pub(super) type Layer = fn(MethodRouter) -> MethodRouter;

/// A layer around every route of a module, as `dbos::layer!` registers it.
#[derive(Debug)]
pub struct ModuleLayer {
    /// The module it is in.
    pub module: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it is at.
    pub line: u32,
    /// Puts it around a route.
    pub layer: Layer,
}

inventory::collect!(ModuleLayer);

impl ModuleLayer {
    /// Whether it stands around what is in `module`.
    fn holds(&self, module: &str) -> bool {
        module.strip_prefix(self.module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// Puts around `methods` what the route and its modules want there: nearest the route what its own attribute says, then
/// the layers of its module, from the last one written to the first, then those of the modules around that.
pub(super) fn around(route: &Route, methods: MethodRouter) -> MethodRouter {
    let mut layers: Vec<_> = inventory::iter::<ModuleLayer>().filter(|layer| layer.holds(route.module)).collect();
    layers.sort_by_key(|layer| (layer.module.len(), layer.file, layer.line));
    let own = route.options.layer.into_iter();
    let methods = own.chain(layers.iter().rev().map(|layer| layer.layer)).fold(methods, |inner, layer| layer(inner));
    match route.options.compress {
        Some(true) => methods.layer(CompressionLayer::new()),
        Some(false) => methods.layer(axum::middleware::map_response(leave_as_it_is)),
        None => methods,
    }
}

/// Marks an answer that its route wants uncompressed.
#[derive(Clone, Copy)]
struct Uncompressed;

async fn leave_as_it_is(mut response: axum::response::Response) -> axum::response::Response {
    response.extensions_mut().insert(Uncompressed);
    response
}

/// Compresses what is worth it, except where a route says no.
pub(super) fn compression() -> CompressionLayer<impl Predicate> {
    let wanted = |_: StatusCode, _: Version, _: &HeaderMap, marks: &Extensions| marks.get::<Uncompressed>().is_none();
    CompressionLayer::new().compress_when(DefaultPredicate::new().and(wanted))
}
