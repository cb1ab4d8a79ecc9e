//! Segment bytes, version 1. All numbers are little-endian.
//!
//! ```text
//! header: magic 8 | version u16 | header length u16 | key id 16 | first sequence u64
//!         | last chain value of the segment before u32 | gateway name | crc32 of the above u32
//! frame:  payload length u32 | sequence u64 | chain u32 | payload
//! chain:  crc32(chain of the frame before | sequence | payload)
//! ```

/// The format this build writes, and the newest it reads.
pub const FORMAT_VERSION: u16 = 1;
/// Largest payload of one record.
pub const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

pub(crate) const FRAME_HEADER: usize = 16;
/// Largest header, and therefore all that has to be read to decode one.
pub(crate) const MAX_HEADER: usize = HEADER_FIXED + MAX_NAME + 4;

const MAGIC: &[u8; 8] = b"quelllog";
const HEADER_FIXED: usize = 40;
const MAX_NAME: usize = 64;

/// What the start of a segment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Zero: not encrypted.
    pub(crate) key_id: [u8; 16],
    pub(crate) gateway: String,
    pub(crate) first_sequence: u64,
    /// Chain value of the last frame of the segment before; 0 for the first segment.
    pub(crate) previous_chain: u32,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged,
    Version(u16),
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = HEADER_FIXED + self.gateway.len() + 4;
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(length as u16).to_le_bytes());
        out.extend_from_slice(&self.key_id);
        out.extend_from_slice(&self.first_sequence.to_le_bytes());
        out.extend_from_slice(&self.previous_chain.to_le_bytes());
        out.extend_from_slice(self.gateway.as_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header at the start of `bytes` and its length.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        if bytes.get(..8) != Some(MAGIC) {
            return Err(HeaderError::Damaged);
        }
        let version = u16::from_le_bytes(array(bytes, 8).ok_or(HeaderError::Damaged)?);
        let length = usize::from(u16::from_le_bytes(array(bytes, 10).ok_or(HeaderError::Damaged)?));
        if !(HEADER_FIXED + 4..=MAX_HEADER).contains(&length) || bytes.len() < length {
            return Err(if version > FORMAT_VERSION {
                HeaderError::Version(version)
            } else {
                HeaderError::Damaged
            });
        }
        let body = &bytes[..length - 4];
        let crc = u32::from_le_bytes(array(bytes, length - 4).ok_or(HeaderError::Damaged)?);
        if crc32fast::hash(body) != crc {
            return Err(HeaderError::Damaged);
        }
        if version != FORMAT_VERSION {
            return Err(HeaderError::Version(version));
        }
        let gateway = std::str::from_utf8(&body[HEADER_FIXED..])
            .ok()
            .filter(|name| is_gateway_name(name))
            .ok_or(HeaderError::Damaged)?;
        let header = Self {
            key_id: array(bytes, 12).ok_or(HeaderError::Damaged)?,
            gateway: gateway.to_owned(),
            first_sequence: u64::from_le_bytes(array(bytes, 28).ok_or(HeaderError::Damaged)?),
            previous_chain: u32::from_le_bytes(array(bytes, 36).ok_or(HeaderError::Damaged)?),
        };
        Ok((header, length))
    }
}

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) length: usize,
    pub(crate) sequence: u64,
    pub(crate) chain: u32,
}

impl FrameHeader {
    /// The frame header at `offset`, if `bytes` reaches that far.
    pub(crate) fn decode(bytes: &[u8], offset: usize) -> Option<Self> {
        Some(Self {
            length: u32::from_le_bytes(array(bytes, offset)?) as usize,
            sequence: u64::from_le_bytes(array(bytes, offset + 4)?),
            chain: u32::from_le_bytes(array(bytes, offset + 12)?),
        })
    }
}

/// Appends one frame to `out` and returns its chain value.
pub(crate) fn encode_frame(out: &mut Vec<u8>, previous: u32, sequence: u64, payload: &[u8]) -> u32 {
    let chain = chain_value(previous, sequence, payload);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&chain.to_le_bytes());
    out.extend_from_slice(payload);
    chain
}

/// The checksum that ties a frame to the one before it.
pub(crate) fn chain_value(previous: u32, sequence: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&previous.to_le_bytes());
    hasher.update(&sequence.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Names are folder names and stand in headers.
pub(crate) fn is_gateway_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { key_id: [0; 16], gateway: "gw-1".into(), first_sequence: 77, previous_chain: 9 }
    }

    #[test]
    fn version_1_headers_keep_their_bytes() {
        let fixture = concat!(
            "7175656c6c6c6f6701003000000000000000000000000000000000004d0000000000000009000000",
            "67772d31"
        );
        let bytes = header().encode();
        let text = bytes[..44].iter().fold(String::new(), |text, b| text + &format!("{b:02x}"));
        assert_eq!(text, fixture);
        assert_eq!(Header::decode(&bytes), Ok((header(), bytes.len())));
    }

    #[test]
    fn any_changed_byte_of_a_header_is_noticed() {
        let bytes = header().encode();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x10;
            assert!(Header::decode(&altered).is_err(), "byte {at}");
            assert!(Header::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let end = bytes.len() - 4;
        let crc = crc32fast::hash(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&crc);
        assert_eq!(Header::decode(&bytes), Err(HeaderError::Version(2)));
    }

    #[test]
    fn gateway_names_are_safe_folder_names() {
        for good in ["a", "gateway-1", "gw_2.eu", &"x".repeat(64)] {
            assert!(is_gateway_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".x", "a/b", "A", "a b", &"x".repeat(65)] {
            assert!(!is_gateway_name(bad), "{bad}");
        }
    }
}
