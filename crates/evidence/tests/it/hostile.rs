//! Bundles made to harm whoever checks them.

use std::fs;
use std::io::Write as _;

use quell_evidence::{Manifest, ManifestError, VerifyError, VerifyLimits, verify};

use crate::bundle::{as_tar, check, prepare};

/// A tar entry with correct checksum and whatever else is asked for.
fn entry(name: &str, size: &str, kind: u8) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000444\x000000000\x000000000\0");
    put(124, size.as_bytes());
    put(136, b"00000000000\0        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000\x000000000\0");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[test]
fn entries_that_are_no_plain_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar");
    for (what, first) in [
        ("symbolic link", entry("items/a", "00000000000\0", b'2')),
        ("hard link", entry("items/a", "00000000000\0", b'1')),
        ("folder", entry("items/", "00000000000\0", b'5')),
        ("long name", entry("././@LongLink", "00000000000\0", b'L')),
        ("extended header", entry("x", "00000000000\0", b'x')),
        ("no digits", entry("items/a", "0000000000x\0", b'0')),
        ("binary size", entry("items/a", "\u{1}\u{1}\u{1}\u{1}\0\0\0\0\0\0\0\u{7f}", b'0')),
        ("no name", entry("", "00000000000\0", b'0')),
    ] {
        let mut bytes = first;
        bytes.extend([0; 1_024]);
        fs::write(&path, bytes).unwrap();
        let result = verify(&path, None, &VerifyLimits::default());
        assert!(matches!(result, Err(VerifyError::Unreadable { .. })), "{what}: {result:?}");
    }
}

#[test]
fn paths_that_climb_out_are_only_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar");
    let mut bytes = entry("../../climbed", "00000000000\0", b'0');
    bytes.extend([0; 1_024]);
    fs::write(&path, bytes).unwrap();
    let report = check(&path);
    assert_eq!(report.unexpected, ["../../climbed"]);
    assert!(!report.is_intact());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn sizes_are_limited_and_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar");
    // States 8 GiB, has 512 bytes.
    let mut bytes = entry("items/a", "77777777777\0", b'0');
    bytes.extend([0; 512]);
    fs::write(&path, &bytes).unwrap();
    let result = verify(&path, None, &VerifyLimits::default());
    assert!(matches!(result, Err(VerifyError::Unreadable { .. })), "{result:?}");

    let (source, blobs, manifest) = prepare(&[("a", &[1; 2_000]), ("b", &[2; 2_000])]);
    let tar = as_tar(source.path(), &blobs, &manifest);
    let limits = VerifyLimits::default();
    for limits in [
        VerifyLimits { files: 3, ..limits.clone() },
        VerifyLimits { item_bytes: 1_999, ..limits.clone() },
        VerifyLimits { manifest_bytes: 100, ..limits.clone() },
        VerifyLimits { total_bytes: 4_000, ..limits },
    ] {
        let result = verify(&tar, None, &limits);
        assert!(matches!(result, Err(VerifyError::TooLarge { .. })), "{limits:?}: {result:?}");
    }
}

#[test]
fn doubled_trailing_and_truncated_bytes_are_refused() {
    let (folder, blobs, manifest) = prepare(&[("a", b"one")]);
    let tar = as_tar(folder.path(), &blobs, &manifest);
    let whole = fs::read(&tar).unwrap();
    let entries = &whole[..whole.len() - 1_024];

    fs::write(&tar, [entries, entries, &[0; 1_024]].concat()).unwrap();
    let result = verify(&tar, None, &VerifyLimits::default());
    assert!(matches!(result, Err(VerifyError::Duplicate { .. })), "{result:?}");

    fs::write(&tar, [&whole[..], b"x"].concat()).unwrap();
    assert!(verify(&tar, None, &VerifyLimits::default()).is_err());
    for cut in [0, 1, 511, 512, 600, entries.len(), entries.len() + 512, whole.len() - 1] {
        fs::write(&tar, &whole[..cut]).unwrap();
        assert!(verify(&tar, None, &VerifyLimits::default()).is_err(), "cut at {cut}");
    }
}

#[cfg(unix)]
#[test]
fn links_in_a_folder_are_not_followed() {
    let (folder, blobs, manifest) = prepare(&[("a", b"one")]);
    let dir = folder.path().join("bundle");
    quell_evidence::write_dir(&dir, &manifest, &blobs).unwrap();
    let elsewhere = folder.path().join("same");
    fs::File::create(&elsewhere).unwrap().write_all(b"one").unwrap();
    fs::remove_file(dir.join("items/a")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, dir.join("items/a")).unwrap();
    std::os::unix::fs::symlink(folder.path(), dir.join("loop")).unwrap();
    let report = check(&dir);
    assert_eq!(report.missing, ["a"]);
    let mut unexpected = report.unexpected;
    unexpected.sort();
    assert_eq!(unexpected, ["items/a", "loop"]);
}

#[test]
fn a_manifest_has_exactly_one_spelling() {
    let (_folder, _blobs, manifest) = prepare(&[("a", b"one")]);
    let text = String::from_utf8(manifest.canonical_bytes().unwrap()).unwrap();
    for (what, altered) in [
        ("white space", text.replacen(':', ": ", 1)),
        ("a key twice", text.replacen("\"version\":1", "\"version\":1,\"version\":1", 1)),
        ("an unknown key", text.replacen("\"version\":1", "\"version\":1,\"x\":1", 1)),
        ("an escape", text.replacen("INC-", "\\u0049NC-", 1)),
        ("a climbing name", text.replacen("\"name\":\"a\"", "\"name\":\"../a\"", 1)),
        ("depth", "[".repeat(100_000)),
    ] {
        assert_ne!(altered, text, "{what}");
        assert!(Manifest::parse(altered.as_bytes()).is_err(), "{what}");
    }
    let (_folder, _blobs, doubled) = prepare(&[("a", b"one"), ("A", b"two")]);
    assert!(matches!(doubled.canonical_bytes(), Err(ManifestError::DuplicateName(_))));
}
