//! The one shape of tar that bundles have: POSIX ustar, regular files only, fixed owner, mode and
//! time. The same files give the same bytes, and a reader can insist on exactly these bytes:
//! links, long names, sparse files and every other extension of tar do not exist here.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
const LONGEST_NAME: usize = 100;
/// Eleven octal digits.
const LARGEST_FILE: u64 = 0o777_7777_7777;

/// Writes one file.
pub(crate) fn write_file(out: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    let header = header(name, bytes.len() as u64)
        .ok_or_else(|| io::Error::other(format!("{name:?} does not fit a bundle")))?;
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.write_all(&[0; BLOCK][..padding(bytes.len() as u64)])
}

/// Writes the end of the archive.
pub(crate) fn write_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// Reads what comes next: a file's name and size, or none at the end of the archive, after which
/// there must be nothing. The caller reads the file's bytes, then calls [`skip_padding`].
pub(crate) fn read_header(input: &mut impl Read) -> io::Result<Option<(String, u64)>> {
    let mut block = [0; BLOCK];
    input.read_exact(&mut block)?;
    if block == [0; BLOCK] {
        input.read_exact(&mut block)?;
        let mut more = [0];
        return if block == [0; BLOCK] && input.read(&mut more)? == 0 {
            Ok(None)
        } else {
            Err(strange("bytes follow its end"))
        };
    }
    let name = block[..LONGEST_NAME].split(|b| *b == 0).next().unwrap_or_default();
    let size = std::str::from_utf8(&block[124..135])
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 8).ok());
    match (std::str::from_utf8(name), size) {
        (Ok(name), Some(size)) if header(name, size) == Some(block) => {
            Ok(Some((name.to_owned(), size)))
        }
        _ => Err(strange("an entry is not one that a bundle has")),
    }
}

/// Reads the zeros after a file of `size` bytes.
pub(crate) fn skip_padding(input: &mut impl Read, size: u64) -> io::Result<()> {
    let mut block = [0; BLOCK];
    let zeros = &mut block[..padding(size)];
    input.read_exact(zeros)?;
    if zeros.iter().any(|b| *b != 0) {
        return Err(strange("bytes stand between its entries"));
    }
    Ok(())
}

fn strange(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "{what}: it was altered, or packed by another program (unpack and verify the folder)"
        ),
    )
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    if name.is_empty() || name.len() > LONGEST_NAME || size > LARGEST_FILE {
        return None;
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000444\0"); // mode
    put(108, b"0000000\0"); // owner
    put(116, b"0000000\0"); // group
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0"); // time
    put(148, b"        "); // checksum, counted as spaces
    put(156, b"0"); // a regular file
    put(257, b"ustar\x0000");
    put(329, b"0000000\0"); // device
    put(337, b"0000000\0");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}
