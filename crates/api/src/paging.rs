//! Lists come in pages.

use serde::Serialize;
use utoipa::ToSchema;

use crate::records::{Page, PageRequest};

/// Items on a page unless the caller says otherwise.
pub(crate) const LIMIT: u32 = 50;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paged<T> {
    /// The items.
    items: Vec<T>,
    /// Send this as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> From<Page<T>> for Paged<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next: page.next }
    }
}

/// The page a caller asks for.
pub(crate) fn page(limit: Option<u32>, cursor: Option<String>) -> PageRequest {
    PageRequest { limit: limit.unwrap_or(LIMIT), cursor }
}
