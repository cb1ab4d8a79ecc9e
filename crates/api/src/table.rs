//! Puts an operation and what it needs together: the guard in front of its handler, and the same
//! need in its OpenAPI entry.

use axum::middleware::from_fn_with_state;
use quell_control::Control;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::access::{Need, guard};

/// The name of the need in an operation's OpenAPI entry.
pub(crate) const NEED_EXTENSION: &str = "x-quell-access";

/// Operations on their way into a router.
pub(crate) struct Table {
    control: Control,
    router: OpenApiRouter<Control>,
}

impl Table {
    pub(crate) const fn new(control: Control, router: OpenApiRouter<Control>) -> Self {
        Self { control, router }
    }

    /// Adds operations that all have the same need.
    pub(crate) fn add(
        mut self,
        need: Need,
        operations: impl IntoIterator<Item = UtoipaMethodRouter<Control>>,
    ) -> Self {
        for (schemas, mut paths, methods) in operations {
            for item in paths.paths.values_mut() {
                all_of(item).for_each(|operation| describe(operation, need));
            }
            let state = (self.control.clone(), need);
            let guarded = methods.route_layer(from_fn_with_state(state, guard));
            self.router = self.router.routes((schemas, paths, guarded));
        }
        self
    }

    pub(crate) fn finish(self) -> OpenApiRouter<Control> {
        self.router
    }
}

fn all_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
        .into_iter()
        .flatten()
}

fn describe(operation: &mut Operation, need: Need) {
    let extensions = ExtensionsBuilder::new().add(NEED_EXTENSION, need.as_str()).build();
    operation.extensions.get_or_insert_default().merge(extensions);
    operation.security = Some(match need {
        Need::Anyone => Vec::new(),
        Need::Node => vec![scheme("token")],
        Need::Role(_) => vec![scheme("token"), scheme("session")],
    });
    let responses = &mut operation.responses.responses;
    responses.entry("default".into()).or_insert_with(|| RefOr::T(problem()));
}

fn scheme(name: &str) -> SecurityRequirement {
    SecurityRequirement::new(name, Vec::<String>::new())
}

fn problem() -> Response {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description("What went wrong, with a stable `code`.")
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}
