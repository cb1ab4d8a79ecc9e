//! The one writer of a log: a thread that owns the file and writes whatever waits, at once.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::LakeError;
use crate::format::{Header, encode_frame, is_gateway_name};
use crate::queue::{AppendError, Appending, Queue, Waiting};
use crate::recovery::{Repair, Tail, recover};
use crate::segment::segment_path;
use crate::sync::Syncer;

/// The buffer is given back to the system when one batch made it larger than this.
const KEPT_BUFFER: usize = 4 * 1024 * 1024;
/// Between two writes, so that under load one write and one waking of this thread serve several
/// records. Whoever waits for the log waits no longer than this; a record that comes alone does not.
const BETWEEN_WRITES: Duration = Duration::from_micros(200);
/// Smaller segments would be all header.
const LEAST_SEGMENT: u64 = 4 * 1024;

/// Limits of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// A segment that has this many bytes is sealed.
    pub segment_bytes: u64,
    /// Records that may wait.
    pub queue_records: usize,
    /// Bytes that may wait.
    pub queue_bytes: usize,
    /// What power loss may take.
    pub fsync_every: Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            queue_records: 8_192,
            queue_bytes: 128 * 1024 * 1024,
            fsync_every: Duration::from_millis(100),
        }
    }
}

/// How a writer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterStatus {
    /// The last record that was handed to the kernel.
    pub last_sequence: u64,
    /// Records that wait.
    pub queued: usize,
    /// What the disk says, while it refuses.
    pub failing: Option<Arc<str>>,
}

/// Appends to one log. Dropping it writes and syncs what waits, then frees the log.
#[derive(Debug)]
pub struct LogWriter {
    queue: Arc<Queue>,
    health: Arc<Health>,
    syncer: Arc<Syncer>,
    writing: Option<JoinHandle<()>>,
    syncing: Option<JoinHandle<()>>,
    /// Holds the lock until both threads ended.
    _lock: File,
}

#[derive(Debug, Default)]
struct Health {
    last_sequence: AtomicU64,
    failing: Mutex<Option<Arc<str>>>,
}

impl LogWriter {
    /// Opens the log in `dir` (see [`crate::log_dir`]) for writing, repairing a torn tail.
    pub fn open(
        dir: &Path,
        gateway: &str,
        options: WriterOptions,
    ) -> Result<(Self, Repair), LakeError> {
        if !is_gateway_name(gateway) {
            return Err(LakeError::GatewayName { name: gateway.chars().take(80).collect() });
        }
        std::fs::create_dir_all(dir).map_err(LakeError::io("create", dir))?;
        let lock = lock(dir)?;
        let (tail, repair) = recover(dir, gateway)?;
        let mut writer = Self {
            queue: Arc::new(Queue::new(options.queue_records, options.queue_bytes)),
            health: Arc::new(Health::default()),
            syncer: Arc::new(Syncer::default()),
            writing: None,
            syncing: None,
            _lock: lock,
        };
        writer.health.last_sequence.store(repair.last_sequence, Ordering::Relaxed);
        let mut output = Output::new(dir, gateway, options.segment_bytes, &tail, &writer.syncer);
        output.ready().map_err(LakeError::io("write to", dir))?;
        writer
            .start(output, options.fsync_every)
            .map_err(LakeError::io("start writing to", dir))?;
        Ok((writer, repair))
    }

    fn start(&mut self, output: Output, fsync_every: Duration) -> io::Result<()> {
        let syncer = Arc::clone(&self.syncer);
        let syncing = std::thread::Builder::new().name("lake-fsync".into());
        self.syncing = Some(syncing.spawn(move || syncer.run(fsync_every))?);
        let (queue, health) = (Arc::clone(&self.queue), Arc::clone(&self.health));
        let writing = std::thread::Builder::new().name("lake-write".into());
        self.writing = Some(writing.spawn(move || run(&queue, &health, output))?);
        Ok(())
    }

    /// Queues a record. The returned future resolves when it was handed to the kernel.
    pub fn append(&self, payload: Vec<u8>) -> Result<Appending, AppendError> {
        self.queue.push(payload)
    }

    /// How writing goes.
    pub fn status(&self) -> WriterStatus {
        WriterStatus {
            last_sequence: self.health.last_sequence.load(Ordering::Relaxed),
            queued: self.queue.records(),
            failing: self.health.failing.lock().clone(),
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.queue.close();
        let written = self.writing.take().map_or(Ok(()), JoinHandle::join);
        self.syncer.close();
        let synced = self.syncing.take().map_or(Ok(()), JoinHandle::join);
        if written.and(synced).is_err() {
            tracing::error!("a thread of the interaction log ended early");
        }
    }
}

fn lock(dir: &Path) -> Result<File, LakeError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(LakeError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LakeError::Locked { path }),
        Err(std::fs::TryLockError::Error(error)) => Err(LakeError::io("lock", &path)(error)),
    }
}

fn run(queue: &Queue, health: &Health, mut output: Output) {
    while let Some(mut batch) = queue.take() {
        let (records, bytes) = (batch.len(), batch.iter().map(|record| record.payload.len()).sum());
        while !batch.is_empty() {
            let Err(error) = output.write_some(&mut batch, health) else { continue };
            let text: Arc<str> = error.to_string().into();
            if health.failing.lock().replace(Arc::clone(&text)).is_none() {
                tracing::error!(error = %text, "the interaction log cannot be written");
            }
            for record in batch.drain(..) {
                // Nobody waits for this record any more: there is nobody to tell.
                let _ = record.reply.send(Err(AppendError::Disk(Arc::clone(&text))));
            }
        }
        queue.release(records, bytes);
        std::thread::sleep(BETWEEN_WRITES);
    }
}

/// The file at the end of the log.
#[derive(Debug)]
struct Output {
    dir: PathBuf,
    gateway: String,
    segment_bytes: u64,
    syncer: Arc<Syncer>,
    /// The segment at the end; none when the next write has to start one.
    path: Option<PathBuf>,
    /// None: to be opened (again) before the next write.
    file: Option<Arc<File>>,
    /// Bytes of the segment that hold whole frames.
    offset: u64,
    sequence: u64,
    chain: u32,
    buffer: Vec<u8>,
}

impl Output {
    fn new(
        dir: &Path,
        gateway: &str,
        segment_bytes: u64,
        tail: &Tail,
        syncer: &Arc<Syncer>,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            gateway: gateway.to_owned(),
            segment_bytes: segment_bytes.max(LEAST_SEGMENT),
            syncer: Arc::clone(syncer),
            path: tail.segment.clone(),
            file: None,
            offset: tail.place.offset,
            sequence: tail.place.sequence,
            chain: tail.place.chain,
            buffer: Vec::new(),
        }
    }

    /// Writes the records of `batch` that fit the segment, in one write, and answers them.
    /// On an error the records whose frames were written whole are answered and gone.
    fn write_some(&mut self, batch: &mut VecDeque<Waiting>, health: &Health) -> io::Result<()> {
        if let Some(failure) = self.syncer.take_failure() {
            tracing::warn!(%failure, "starting a new segment after a failed fsync");
            self.file = None;
            self.path.take_if(|path| *path != segment_path(&self.dir, self.sequence + 1));
        }
        self.ready()?;
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
        let (mut sequence, mut chain) = (self.sequence, self.chain);
        let mut ends = Vec::with_capacity(batch.len());
        for record in batch.iter() {
            if self.offset + self.buffer.len() as u64 >= self.segment_bytes {
                break;
            }
            sequence += 1;
            chain = encode_frame(&mut self.buffer, chain, sequence, &record.payload);
            ends.push((self.buffer.len(), chain));
        }
        let (written, result) = match &self.file {
            Some(file) => write_counting(file, &self.buffer),
            None => (0, Err(io::Error::other("no segment is open"))),
        };
        let whole = ends.iter().take_while(|(end, _)| *end <= written).count();
        if let Some((end, chain)) = whole.checked_sub(1).and_then(|last| ends.get(last)) {
            self.offset += *end as u64;
            self.chain = *chain;
            if let (Some(path), Some(file)) = (&self.path, &self.file) {
                self.syncer.mark(path, file);
            }
        }
        if result.is_ok() {
            *health.failing.lock() = None;
        }
        for record in batch.drain(..whole) {
            self.sequence += 1;
            health.last_sequence.store(self.sequence, Ordering::Relaxed);
            // Nobody waits for this record any more: it is in the log all the same.
            let _ = record.reply.send(Ok(self.sequence));
        }
        if result.is_err() {
            self.file = None;
        }
        result
    }

    /// Has a segment open, positioned after its last whole frame, with room for a frame.
    fn ready(&mut self) -> io::Result<()> {
        if self.offset >= self.segment_bytes {
            self.path = None;
        } else if self.file.is_some() && self.path.is_some() {
            return Ok(());
        }
        match self.path.clone() {
            Some(path) => self.reopen(&path),
            None => self.start_segment(),
        }
    }

    /// Opens the segment again, dropping what a failed write left behind the last whole frame.
    fn reopen(&mut self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() < self.offset {
            return Err(io::Error::other(format!("{} lost bytes", path.display())));
        }
        file.set_len(self.offset)?;
        file.seek(SeekFrom::Start(self.offset))?;
        self.file = Some(Arc::new(file));
        Ok(())
    }

    fn start_segment(&mut self) -> io::Result<()> {
        let path = segment_path(&self.dir, self.sequence + 1);
        let header = Header {
            key_id: [0; 16],
            gateway: self.gateway.clone(),
            first_sequence: self.sequence + 1,
            previous_chain: self.chain,
        }
        .encode();
        // Shorter than its header: left behind by a start that failed half-way.
        if path.metadata().is_ok_and(|found| found.is_file() && found.len() < header.len() as u64) {
            std::fs::remove_file(&path)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(&header)?;
        let file = Arc::new(file);
        self.syncer.mark(&path, &file);
        if let Ok(dir) = File::open(&self.dir) {
            self.syncer.mark(&self.dir, &Arc::new(dir));
        }
        (self.offset, self.path, self.file) = (header.len() as u64, Some(path), Some(file));
        Ok(())
    }
}

/// Writes all of `bytes` and says how many were taken when that fails.
fn write_counting(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
