//! Schemas of the types that serialise themselves.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::actor::Actor;
use crate::id::{Id, IdKind};

impl<K: IdKind> PartialSchema for Id<K> {
    fn schema() -> RefOr<Schema> {
        text(format!("^{}_[0-9a-f]{{32}}$", K::PREFIX), "An id.")
    }
}

impl<K: IdKind> ToSchema for Id<K> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("Id_{}", K::PREFIX))
    }
}

impl PartialSchema for Actor {
    fn schema() -> RefOr<Schema> {
        text("^(system|(user|token|policy|rule):.+)$".into(), "Whoever changed something.")
    }
}

impl ToSchema for Actor {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Actor")
    }
}

fn text(pattern: String, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(description))
        .into()
}
