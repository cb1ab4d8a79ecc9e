//! Reading a log by cursor, also while it is being written.

use std::path::{Path, PathBuf};

use crate::error::{Damage, LakeError};
use crate::format::MAX_HEADER;
use crate::segment::{Place, Segment, SegmentInfo, Step, segments};

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its number, from 1.
    pub sequence: u64,
    /// Its chain value. Kept beside a cursor, it tells whether the log still is the same one.
    pub chain: u32,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// Reads one log. Keeps its place, so that polling costs one read of the file's end.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    position: Option<(Segment, Place)>,
}

impl LogReader {
    /// A reader of the log in `dir`, which need not exist yet.
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), position: None }
    }

    /// The segments there are now, oldest first.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, LakeError> {
        segments(&self.dir)
    }

    /// Records after `sequence` in order, until either limit is reached (but at least one, if
    /// there is one) or the log ends. A frame that is being written is the end, not an error.
    pub fn read_after(
        &mut self,
        sequence: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, LakeError> {
        let mut records = Vec::new();
        if !self.seek(sequence)? {
            return Ok(records);
        }
        let mut bytes = 0;
        while records.len() < max_records && (bytes < max_bytes || records.is_empty()) {
            match self.next() {
                Ok(Some(record)) => {
                    bytes += record.payload.len();
                    records.push(record);
                }
                Ok(None) => break,
                // What was read before the damage is delivered first; the next call reports it.
                Err(_) if !records.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// The record numbered `sequence`; none if the log does not have it (any more, or yet).
    pub fn find(&mut self, sequence: u64) -> Result<Option<LogRecord>, LakeError> {
        let Some(before) = sequence.checked_sub(1) else { return Ok(None) };
        let first = self.segments()?.first().map_or(u64::MAX, |segment| segment.first_sequence);
        if sequence < first {
            return Ok(None);
        }
        match self.read_after(before, 1, 1) {
            Ok(records) => Ok(records.into_iter().find(|record| record.sequence == sequence)),
            Err(LakeError::BeyondEnd { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stands after `sequence`. False: the log has nothing yet.
    fn seek(&mut self, sequence: u64) -> Result<bool, LakeError> {
        if self.position.as_ref().is_some_and(|(_, place)| place.sequence == sequence) {
            return Ok(true);
        }
        self.position = None;
        let listed = segments(&self.dir)?;
        let after = listed.partition_point(|segment| segment.first_sequence <= sequence + 1);
        let Some(info) = listed.get(after.saturating_sub(1)) else {
            return match sequence {
                0 => Ok(false),
                asked => Err(LakeError::BeyondEnd { asked, last: 0 }),
            };
        };
        // The oldest segments may be gone (retention): whoever starts, starts with what is left.
        if info.first_sequence > sequence + 1 && sequence > 0 {
            return Err(LakeError::Gap {
                segment: info.path.clone(),
                expected: sequence + 1,
                found: info.first_sequence,
            });
        }
        let following = listed.get(after.max(1)).map(|next| next.first_sequence);
        let mut segment = Segment::open(info.clone())?;
        let mut place = segment.start();
        while place.sequence < sequence {
            match segment.step(place)? {
                Step::Frame(_, next) => place = next,
                // The caller was told about this damage, or it is reported by the next read.
                Step::Damaged(next) if next.sequence <= sequence => place = next,
                Step::Damaged(next) => return Err(damaged(&segment, place, next.sequence + 1)),
                Step::End | Step::Torn => {
                    return Err(match following {
                        Some(first) => damaged(&segment, place, first),
                        None => LakeError::BeyondEnd { asked: sequence, last: place.sequence },
                    });
                }
            }
        }
        self.position = Some((segment, place));
        Ok(true)
    }

    /// The next record, moving on to the next segment where one ends.
    fn next(&mut self) -> Result<Option<LogRecord>, LakeError> {
        loop {
            let Some((segment, place)) = &mut self.position else { return Ok(None) };
            match segment.step(*place)? {
                Step::Frame(payload, next) => {
                    *place = next;
                    return Ok(Some(record(payload, next)));
                }
                Step::Damaged(next) => return Err(damaged(segment, *place, next.sequence + 1)),
                Step::End | Step::Torn => {}
            }
            let own = segment.info.first_sequence;
            let following = segments(&self.dir)?.into_iter().find(|info| info.first_sequence > own);
            let Some(info) = following else { return Ok(None) };
            // The last frames may have come between the look at this segment and the list.
            match segment.step(*place)? {
                Step::Frame(..) | Step::Damaged(_) => continue,
                Step::Torn if info.first_sequence != place.sequence + 1 => {
                    return Err(damaged(segment, *place, info.first_sequence));
                }
                Step::End | Step::Torn => {}
            }
            match enter(info, *place)? {
                Some(entered) => self.position = Some(entered),
                None => return Ok(None),
            }
        }
    }
}

pub(crate) fn record(payload: Vec<u8>, place: Place) -> LogRecord {
    LogRecord { sequence: place.sequence, chain: place.chain, payload }
}

/// Opens the segment that follows `end`. None: its header is not written yet.
fn enter(info: SegmentInfo, end: Place) -> Result<Option<(Segment, Place)>, LakeError> {
    if info.first_sequence != end.sequence + 1 {
        return Err(LakeError::Gap {
            segment: info.path,
            expected: end.sequence + 1,
            found: info.first_sequence,
        });
    }
    let segment = Segment::open(info)?;
    let start = segment.start();
    if segment.header.is_none() && segment.info.bytes < MAX_HEADER as u64 {
        return Ok(None);
    }
    if let Some(header) = &segment.header
        && header.previous_chain != end.chain
    {
        return Err(LakeError::ChainBroken { segment: segment.info.path });
    }
    Ok(Some((segment, start)))
}

pub(crate) fn damaged(segment: &Segment, place: Place, resumes_at: u64) -> LakeError {
    LakeError::Damaged(Damage {
        segment: segment.info.path.clone(),
        offset: place.offset,
        last_good: place.sequence,
        resumes_at,
    })
}
