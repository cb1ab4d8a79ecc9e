//! One segment file, read frame by frame. The only place that decides what verifies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::LakeError;
use crate::format::{
    FRAME_HEADER, FrameHeader, Header, HeaderError, MAX_HEADER, MAX_PAYLOAD, chain_value,
};

const WINDOW: usize = 256 * 1024;
const SUFFIX: &str = ".qlog";

/// A segment of a log, as the folder lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The file.
    pub path: PathBuf,
    /// The first sequence it can hold.
    pub first_sequence: u64,
    /// Its size now.
    pub bytes: u64,
}

/// The segments of the log in `dir`, oldest first. None if the folder does not exist yet.
pub fn segments(dir: &Path) -> Result<Vec<SegmentInfo>, LakeError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LakeError::io("list", dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(LakeError::io("list", dir))?;
        let Some(first_sequence) = entry.file_name().to_str().and_then(parse_name) else {
            continue;
        };
        let metadata = entry.metadata().map_err(LakeError::io("look at", &entry.path()))?;
        if metadata.is_file() {
            found.push(SegmentInfo { path: entry.path(), first_sequence, bytes: metadata.len() });
        }
    }
    found.sort_unstable_by_key(|segment| segment.first_sequence);
    Ok(found)
}

pub(crate) fn segment_path(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}{SUFFIX}"))
}

fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where the next frame starts.
    pub(crate) offset: u64,
    /// The frame before.
    pub(crate) sequence: u64,
    /// Its chain value.
    pub(crate) chain: u32,
}

/// What comes at a place.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame that verifies, and the place after it.
    Frame(Vec<u8>, Place),
    /// The end of the file, exactly.
    End,
    /// Bytes that do not verify, with nothing after them that does: a frame being written now,
    /// or one that a crash cut off.
    Torn,
    /// Bytes that do not verify, and the place before the next frame that does.
    Damaged(Place),
}

/// An open segment with a read-ahead window.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) info: SegmentInfo,
    /// None: the header does not verify.
    pub(crate) header: Option<Header>,
    start: Place,
    file: File,
    window: Vec<u8>,
    window_start: u64,
}

impl Segment {
    pub(crate) fn open(info: SegmentInfo) -> Result<Self, LakeError> {
        let mut file = File::open(&info.path).map_err(LakeError::io("open", &info.path))?;
        let mut bytes = Vec::with_capacity(MAX_HEADER);
        file.by_ref()
            .take(MAX_HEADER as u64)
            .read_to_end(&mut bytes)
            .map_err(LakeError::io("read", &info.path))?;
        let before = info.first_sequence.saturating_sub(1);
        let (header, start) = match Header::decode(&bytes) {
            Ok((header, length)) if header.first_sequence == info.first_sequence => {
                if header.key_id != [0; 16] {
                    return Err(LakeError::Encrypted { segment: info.path });
                }
                let chain = header.previous_chain;
                (Some(header), Place { offset: length as u64, sequence: before, chain })
            }
            Err(HeaderError::Version(version)) => {
                return Err(LakeError::Version { segment: info.path, version });
            }
            // The magic is no frame, so the first step from here finds the damage.
            Ok(_) | Err(HeaderError::Damaged) => {
                (None, Place { offset: 0, sequence: before, chain: 0 })
            }
        };
        Ok(Self { info, header, start, file, window: Vec::new(), window_start: 0 })
    }

    /// The place before the first frame.
    pub(crate) fn start(&self) -> Place {
        self.start
    }

    /// What comes at `place`.
    pub(crate) fn step(&mut self, place: Place) -> Result<Step, LakeError> {
        self.try_step(place).map_err(|error| LakeError::io("read", &self.info.path)(error))
    }

    fn try_step(&mut self, place: Place) -> io::Result<Step> {
        if let Some(frame) = self.frame_at(place)? {
            return Ok(frame);
        }
        // What the window held may have been a write in progress; look at the file once more.
        self.window.clear();
        if let Some(frame) = self.frame_at(place)? {
            return Ok(frame);
        }
        let rest = self.rest_from(place.offset)?;
        if rest.is_empty() {
            return Ok(Step::End);
        }
        Ok(next_intact(&rest, place).map_or(Step::Torn, Step::Damaged))
    }

    fn frame_at(&mut self, place: Place) -> io::Result<Option<Step>> {
        let bytes = self.ensure(place.offset, FRAME_HEADER)?;
        let Some(header) = FrameHeader::decode(bytes, 0) else { return Ok(None) };
        if header.length > MAX_PAYLOAD || Some(header.sequence) != place.sequence.checked_add(1) {
            return Ok(None);
        }
        let whole = FRAME_HEADER + header.length;
        let bytes = self.ensure(place.offset, whole)?;
        let Some(payload) = bytes.get(FRAME_HEADER..whole) else { return Ok(None) };
        if FrameHeader::decode(bytes, 0) != Some(header)
            || chain_value(place.chain, header.sequence, payload) != header.chain
        {
            return Ok(None);
        }
        let payload = payload.to_vec();
        let next = Place {
            offset: place.offset + whole as u64,
            sequence: header.sequence,
            chain: header.chain,
        };
        Ok(Some(Step::Frame(payload, next)))
    }

    /// The bytes from `offset` that are in the file, at least `wanted` if there are that many.
    fn ensure(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let have = offset
            .checked_sub(self.window_start)
            .map(|skip| skip as usize)
            .filter(|skip| self.window.len().saturating_sub(*skip) >= wanted);
        let skip = match have {
            Some(skip) => skip,
            None => self.fill(offset, wanted)?,
        };
        Ok(&self.window[skip..])
    }

    /// Fills the window so that it holds `offset`, and says where in it.
    fn fill(&mut self, offset: u64, wanted: usize) -> io::Result<usize> {
        // Who steps backwards will want what comes before.
        let backwards = !self.window.is_empty() && offset < self.window_start;
        let before = if backwards { offset.min(WINDOW as u64 / 2) } else { 0 };
        self.window.clear();
        self.window.shrink_to(WINDOW);
        self.window_start = offset - before;
        self.file.seek(SeekFrom::Start(self.window_start))?;
        let most = before + wanted.max(WINDOW / 2) as u64;
        self.file.by_ref().take(most).read_to_end(&mut self.window)?;
        Ok((before as usize).min(self.window.len()))
    }

    fn rest_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.by_ref().take(MAX_REST).read_to_end(&mut rest)?;
        Ok(rest)
    }
}

/// How far past bad bytes a frame that verifies is looked for: more than any segment holds.
const MAX_REST: u64 = 4 * MAX_PAYLOAD as u64;

/// The place before the first frame in `rest` that verifies, where `rest` starts with bytes that
/// do not. A frame verifies against the stored chain value of the bad frame itself, or of the
/// candidate frame before it. (A payload of JSON cannot pose as a frame: it has no zero bytes.)
fn next_intact(rest: &[u8], bad: Place) -> Option<Place> {
    let bad_chain = FrameHeader::decode(rest, 0).map(|header| header.chain);
    let most = bad.sequence.saturating_add(rest.len() as u64 / FRAME_HEADER as u64 + 1);
    (1..rest.len().saturating_sub(FRAME_HEADER - 1)).find_map(|at| {
        let header = FrameHeader::decode(rest, at)?;
        if header.sequence <= bad.sequence || header.sequence > most {
            return None;
        }
        let at_place = |at: usize, sequence: u64, chain: u32| Place {
            offset: bad.offset + at as u64,
            sequence: sequence - 1,
            chain,
        };
        if header.sequence == bad.sequence.saturating_add(2)
            && let Some(chain) = bad_chain
            && verifies(rest, at, chain).is_some()
        {
            return Some(at_place(at, header.sequence, chain));
        }
        if header.length > MAX_PAYLOAD {
            return None;
        }
        let next = at + FRAME_HEADER + header.length;
        let sequence = verifies(rest, next, header.chain)?;
        (sequence == header.sequence + 1).then(|| at_place(next, sequence, header.chain))
    })
}

/// The sequence of the frame at `at`, if it is whole and follows `chain`.
fn verifies(bytes: &[u8], at: usize, chain: u32) -> Option<u64> {
    let header = FrameHeader::decode(bytes, at)?;
    let start = at + FRAME_HEADER;
    let payload = bytes.get(start..start.checked_add(header.length)?)?;
    (chain_value(chain, header.sequence, payload) == header.chain).then_some(header.sequence)
}
