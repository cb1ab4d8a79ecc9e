//! Work, counted instead of timed: bytes × passes. The same input costs the same on every machine.

/// What inspecting one exchange may cost.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: u64,
    spent: u64,
}

impl Budget {
    /// A budget of `work_bytes` bytes × passes.
    pub const fn new(work_bytes: u64) -> Self {
        Self { limit: work_bytes, spent: 0 }
    }

    /// Spends `work`; `false` once the budget is exhausted, and from then on.
    pub const fn spend(&mut self, work: usize) -> bool {
        self.spent = self.spent.saturating_add(work as u64);
        !self.exhausted()
    }

    /// Whether more was asked for than there was.
    pub const fn exhausted(&self) -> bool {
        self.spent > self.limit
    }

    /// Bytes × passes spent so far.
    pub const fn spent(&self) -> u64 {
        self.spent
    }
}
