//! Lists come in pages.

/// The longest page.
const MOST: u32 = 500;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// How many items at most; 1 to 500.
    pub limit: u32,
    /// [`Page::next`] of the page before; the first page without.
    pub cursor: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, cursor: None }
    }
}

impl PageRequest {
    /// The first `limit` items.
    pub const fn first(limit: u32) -> Self {
        Self { limit, cursor: None }
    }

    fn size(&self) -> usize {
        self.limit.clamp(1, MOST) as usize
    }

    /// One more than the page holds, to learn whether there is a next one.
    pub(crate) fn fetch(&self) -> i64 {
        self.size() as i64 + 1
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, newest first unless stated otherwise.
    pub items: Vec<T>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn cut(
        mut items: Vec<T>,
        request: &PageRequest,
        key: impl Fn(&T) -> String,
    ) -> Self {
        let more = items.len() > request.size();
        items.truncate(request.size());
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }
}
