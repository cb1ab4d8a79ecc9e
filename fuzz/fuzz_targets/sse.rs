//! Reading server-sent events: the same frames however the bytes are split, and a bounded buffer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quell_wire::{Frame, SseParser};

fn frames<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let mut parser = SseParser::new(64 * 1024);
    let mut frames = Vec::new();
    for part in parts {
        parser.push(part);
        loop {
            match parser.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, false),
            }
        }
    }
    match parser.finish() {
        Ok(last) => {
            frames.extend(last);
            (frames, true)
        }
        Err(_) => (frames, false),
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = frames(std::iter::once(bytes));
    assert_eq!(frames(bytes.chunks(usize::from(size) + 1)), whole);
});
