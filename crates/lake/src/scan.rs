//! Whole-log reads: queries that look at every record, and verification.

use std::ops::ControlFlow;
use std::path::Path;

use crate::error::{Damage, LakeError};
use crate::reader::{LogRecord, damaged, record};
use crate::segment::{Place, Segment, Step, segments};

/// Which end a scan starts at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By rising sequence.
    OldestFirst,
    /// By falling sequence.
    NewestFirst,
}

/// Shows `visit` every readable record until it breaks. Returns the damage that was passed over.
pub fn scan(
    dir: &Path,
    order: Order,
    mut visit: impl FnMut(&LogRecord) -> ControlFlow<()>,
) -> Result<Vec<Damage>, LakeError> {
    let mut damage = Vec::new();
    let mut listed = segments(dir)?;
    if order == Order::NewestFirst {
        listed.reverse();
    }
    for info in listed {
        let mut segment = Segment::open(info)?;
        let flow = match order {
            Order::OldestFirst => {
                walk(&mut segment, &mut damage, |payload, _, after| visit(&record(payload, after)))?
                    .1
            }
            Order::NewestFirst => newest_first(&mut segment, &mut damage, &mut visit)?,
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(damage)
}

/// What verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Segments read.
    pub segments: usize,
    /// Records that verify.
    pub records: u64,
    /// The first of them.
    pub first_sequence: u64,
    /// The last of them.
    pub last_sequence: u64,
    /// Bytes after it: a record being written now, or cut off by a crash.
    pub torn_bytes: u64,
    /// What is wrong, in words that name the place.
    pub problems: Vec<String>,
}

impl LogReport {
    /// Whether every record from the first to the last is there and verifies.
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks every frame, every header and every seam between segments.
pub fn verify(dir: &Path) -> Result<LogReport, LakeError> {
    let mut report = LogReport::default();
    let mut previous: Option<Place> = None;
    let listed = segments(dir)?;
    let last = listed.len().saturating_sub(1);
    for (index, info) in listed.into_iter().enumerate() {
        let mut segment = Segment::open(info)?;
        report.segments += 1;
        if let Some(problem) = seam(&segment, previous) {
            report.problems.push(problem.to_string());
        }
        let mut damage = Vec::new();
        let (mut records, mut first) = (0, None);
        let (end, _) = walk(&mut segment, &mut damage, |_, _, after| {
            records += 1;
            first.get_or_insert(after.sequence);
            ControlFlow::Continue(())
        })?;
        report.problems.extend(damage.iter().map(Damage::to_string));
        let torn = segment.info.bytes.saturating_sub(end.offset);
        if torn > 0 && index == last {
            report.torn_bytes = torn;
        } else if torn > 0 {
            report.problems.push(damaged(&segment, end, end.sequence + 1).to_string());
        }
        if report.records == 0 {
            report.first_sequence = first.unwrap_or(0);
        }
        report.records += records;
        report.last_sequence = end.sequence;
        previous = Some(end);
    }
    Ok(report)
}

fn seam(segment: &Segment, previous: Option<Place>) -> Option<LakeError> {
    let end = previous?;
    let path = segment.info.path.clone();
    if segment.info.first_sequence != end.sequence + 1 {
        let (expected, found) = (end.sequence + 1, segment.info.first_sequence);
        return Some(LakeError::Gap { segment: path, expected, found });
    }
    let header = segment.header.as_ref()?;
    (header.previous_chain != end.chain).then_some(LakeError::ChainBroken { segment: path })
}

/// Gives every frame of a segment to `visit` with the places before and after it.
fn walk(
    segment: &mut Segment,
    damage: &mut Vec<Damage>,
    mut visit: impl FnMut(Vec<u8>, Place, Place) -> ControlFlow<()>,
) -> Result<(Place, ControlFlow<()>), LakeError> {
    let mut place = segment.start();
    loop {
        match segment.step(place)? {
            Step::Frame(payload, next) => {
                let before = std::mem::replace(&mut place, next);
                if visit(payload, before, next).is_break() {
                    return Ok((place, ControlFlow::Break(())));
                }
            }
            Step::Damaged(next) => {
                damage.push(Damage {
                    segment: segment.info.path.clone(),
                    offset: place.offset,
                    last_good: place.sequence,
                    resumes_at: next.sequence + 1,
                });
                place = next;
            }
            Step::End | Step::Torn => return Ok((place, ControlFlow::Continue(()))),
        }
    }
}

/// Reads a segment once for its places, then its frames backwards.
fn newest_first(
    segment: &mut Segment,
    damage: &mut Vec<Damage>,
    visit: &mut impl FnMut(&LogRecord) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, LakeError> {
    let mut places = Vec::new();
    let _ = walk(segment, damage, |_, before, _| {
        places.push(before);
        ControlFlow::Continue(())
    })?;
    for place in places.into_iter().rev() {
        if let Step::Frame(payload, after) = segment.step(place)?
            && visit(&record(payload, after)).is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
