//! Opening a log after whatever happened: find its end, cut off what a crash tore.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Damage, LakeError};
use crate::segment::{Place, Segment, SegmentInfo, Step, segments};

/// What opening found and did. Callers report it when it is not [`Repair::is_clean`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repair {
    /// The last record of the log; 0 when it is empty.
    pub last_sequence: u64,
    /// The segment whose tail was cut off, if any.
    pub segment: Option<PathBuf>,
    /// Bytes cut off. Nothing in them was acknowledged, unless power was lost.
    pub lost_bytes: u64,
    /// Where those bytes were copied to.
    pub saved_to: Option<PathBuf>,
    /// Bytes in the middle of the last segment that do not verify; left as they are.
    pub damage: Vec<Damage>,
}

impl Repair {
    /// Whether there was nothing to repair or report.
    pub fn is_clean(&self) -> bool {
        self.segment.is_none() && self.damage.is_empty()
    }
}

/// The end of a log.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The segment to write on; none when a new one has to be started.
    pub(crate) segment: Option<PathBuf>,
    pub(crate) place: Place,
}

/// Finds the end of the log in `dir`, which the caller has locked.
pub(crate) fn recover(dir: &Path, gateway: &str) -> Result<(Tail, Repair), LakeError> {
    let mut repair = Repair::default();
    let mut listed = segments(dir)?;
    while let Some(info) = listed.pop() {
        let mut segment = Segment::open(info.clone())?;
        if let Some(header) = &segment.header
            && header.gateway != gateway
        {
            let found = header.gateway.clone();
            return Err(LakeError::OtherGateway {
                segment: info.path,
                found,
                expected: gateway.to_owned(),
            });
        }
        let (place, torn) = walk_to_end(&mut segment, &mut repair.damage)?;
        let headless = segment.header.is_none();
        if headless && place == segment.start() {
            set_aside(&info, &mut repair)?;
            continue;
        }
        if torn {
            cut_off(&info, place.offset, &mut repair)?;
        }
        repair.last_sequence = place.sequence;
        return Ok((Tail { segment: (!headless).then_some(info.path), place }, repair));
    }
    Ok((Tail { segment: None, place: Place { offset: 0, sequence: 0, chain: 0 } }, repair))
}

/// The place after the last frame that verifies, and whether bytes follow it.
fn walk_to_end(
    segment: &mut Segment,
    damage: &mut Vec<Damage>,
) -> Result<(Place, bool), LakeError> {
    let mut place = segment.start();
    loop {
        match segment.step(place)? {
            Step::Frame(_, next) => place = next,
            Step::End => return Ok((place, false)),
            Step::Torn => return Ok((place, true)),
            Step::Damaged(next) => {
                damage.push(Damage {
                    segment: segment.info.path.clone(),
                    offset: place.offset,
                    last_good: place.sequence,
                    resumes_at: next.sequence + 1,
                });
                place = next;
            }
        }
    }
}

/// Copies the bytes after `offset` to a file beside the segment, then truncates.
fn cut_off(info: &SegmentInfo, offset: u64, repair: &mut Repair) -> Result<(), LakeError> {
    let saved = info.path.with_extension(format!("{offset}.torn"));
    let mut source = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&info.path)
        .map_err(LakeError::io("open", &info.path))?;
    source.seek(SeekFrom::Start(offset)).map_err(LakeError::io("read", &info.path))?;
    let mut copy = File::create(&saved).map_err(LakeError::io("create", &saved))?;
    let rest = info.bytes.saturating_sub(offset);
    let lost = std::io::copy(&mut source.by_ref().take(rest), &mut copy)
        .map_err(LakeError::io("write", &saved))?;
    copy.sync_all().map_err(LakeError::io("sync", &saved))?;
    source.set_len(offset).map_err(LakeError::io("truncate", &info.path))?;
    source.sync_all().map_err(LakeError::io("sync", &info.path))?;
    note(repair, info, lost, saved);
    Ok(())
}

/// Renames a segment without a header and without a frame.
fn set_aside(info: &SegmentInfo, repair: &mut Repair) -> Result<(), LakeError> {
    let saved = info.path.with_extension("0.torn");
    std::fs::rename(&info.path, &saved).map_err(LakeError::io("rename", &info.path))?;
    note(repair, info, info.bytes, saved);
    Ok(())
}

fn note(repair: &mut Repair, info: &SegmentInfo, lost: u64, saved: PathBuf) {
    repair.segment = Some(info.path.clone());
    repair.lost_bytes += lost;
    repair.saved_to = Some(saved);
}
