//! Writing bundles and checking them.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use quell_domain::{Actor, IncidentId};
use quell_evidence::{
    BlobStore as _, BundleError, CustodyAction, CustodyEvent, FsBlobs, Item, MANIFEST_NAME,
    Manifest, ManifestV1, Sha256Digest, VerifyLimits, VerifyReport, verify, write_dir, write_tar,
};
use tempfile::TempDir;

pub(crate) fn incident() -> IncidentId {
    "inc_0198c0de00007000800000000000000a".parse().unwrap()
}

/// A manifest over `items`, with their bytes in a store.
pub(crate) fn prepare(items: &[(&str, &[u8])]) -> (TempDir, FsBlobs, Manifest) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FsBlobs::new(folder.path().join("evidence"));
    let at = "2026-01-05T09:00:00.25Z".parse().unwrap();
    let items = items
        .iter()
        .map(|(name, bytes)| Item {
            name: (*name).to_owned(),
            sha256: blobs.put(incident(), bytes).unwrap(),
            size: bytes.len() as u64,
            media_type: "application/json".into(),
            source: "lake:gateway-1".into(),
            collected_at: at,
            actor: Actor::System,
            interactions: vec!["int_0198c0de00007000800000000000000b".parse().unwrap()],
        })
        .collect();
    let custody = vec![CustodyEvent {
        at,
        actor: Actor::User("responder".into()),
        action: CustodyAction::Exported,
        item: None,
        reason: "asked for by the \"regulator\"".into(),
    }];
    let number = "INC-2026-0001".into();
    let manifest = ManifestV1 { incident: incident(), number, created_at: at, items, custody };
    (folder, blobs, Manifest::V1(manifest))
}

const ITEMS: [(&str, &[u8]); 3] =
    [("interactions/one.json", b"{\"one\":1}"), ("config.toml", b""), ("rules/a.yml", &[7; 513])];

pub(crate) fn as_tar(folder: &Path, blobs: &FsBlobs, manifest: &Manifest) -> PathBuf {
    let path = folder.join("bundle.tar");
    write_tar(fs::File::create(&path).unwrap(), manifest, blobs).unwrap();
    path
}

pub(crate) fn check(path: &Path) -> VerifyReport {
    verify(path, None, &VerifyLimits::default()).unwrap()
}

#[test]
fn a_folder_and_a_tar_verify_without_the_store() {
    let (folder, blobs, manifest) = prepare(&ITEMS);
    let dir = folder.path().join("bundle");
    let digest = write_dir(&dir, &manifest, &blobs).unwrap();
    let tar = as_tar(folder.path(), &blobs, &manifest);
    fs::remove_dir_all(folder.path().join("evidence")).unwrap();
    for path in [&dir, &tar] {
        let report = verify(path, Some(digest), &VerifyLimits::default()).unwrap();
        assert!(report.is_intact(), "{report:?}");
        assert_eq!(report.items_ok, 3);
        assert_eq!(report.manifest_sha256, Some(digest));
        assert_eq!(report.incident, Some(incident()));
        let other = Some(Sha256Digest::of(b"other"));
        assert!(!verify(path, other, &VerifyLimits::default()).unwrap().is_intact());
    }
    let full = write_dir(&dir, &manifest, &blobs).unwrap_err();
    assert!(matches!(full, BundleError::NotEmpty(_)), "{full}");
}

#[test]
fn common_tools_agree() {
    let (folder, blobs, manifest) = prepare(&ITEMS);
    let tar = as_tar(folder.path(), &blobs, &manifest);
    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program)
            .args(arguments)
            .current_dir(&unpacked)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !run("tar", &["--version"]) || !run("sha256sum", &["--version"]) {
        println!("skipped: no tar or sha256sum");
        return;
    }
    assert!(run("tar", &["xf", tar.to_str().unwrap()]));
    assert!(run("sha256sum", &["-c", "SHA256SUMS"]));
    assert!(check(&unpacked).is_intact());
}

#[test]
fn version_1_keeps_its_bytes() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bundle-v1.tar");
    let (folder, blobs, manifest) = prepare(&ITEMS);
    let made = as_tar(folder.path(), &blobs, &manifest);
    if std::env::var_os("QUELL_WRITE_FIXTURES").is_some() {
        fs::copy(&made, &fixture).unwrap();
    }
    assert!(fs::read(&made).unwrap() == fs::read(&fixture).unwrap(), "the bundle format changed");
    let report = check(&fixture);
    assert!(report.is_intact(), "{report:?}");
    let read = Manifest::parse(&manifest.canonical_bytes().unwrap()).unwrap();
    assert_eq!(read, manifest);
    assert_eq!(read.upgrade().number, "INC-2026-0001");
}

#[test]
fn missing_altered_and_unexpected_are_listed_by_name() {
    let (folder, blobs, manifest) = prepare(&ITEMS);
    let dir = folder.path().join("bundle");
    write_dir(&dir, &manifest, &blobs).unwrap();
    fs::remove_file(dir.join("items/config.toml")).unwrap();
    fs::write(dir.join("items/rules/a.yml"), [7; 512]).unwrap();
    fs::write(dir.join("items/extra"), "x").unwrap();
    let report = check(&dir);
    assert!(report.manifest_ok);
    assert_eq!(report.items_ok, 1);
    assert_eq!(report.missing, ["config.toml"]);
    assert_eq!(report.altered, ["rules/a.yml"]);
    assert_eq!(report.unexpected, ["items/extra"]);
    fs::remove_file(dir.join(MANIFEST_NAME)).unwrap();
    let report = check(&dir);
    assert_eq!(report.manifest_problem.as_deref(), Some("there is no manifest.json"));
    assert!(!report.is_intact());
}

#[test]
fn an_altered_store_does_not_export() {
    let (folder, blobs, manifest) = prepare(&ITEMS);
    let digest = manifest.items()[0].sha256;
    let path = folder.path().join(format!("evidence/{}/{digest}", incident()));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "other").unwrap();
    let error = write_tar(Vec::new(), &manifest, &blobs).unwrap_err();
    assert!(matches!(error, BundleError::Item { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_byte_of_a_bundle_is_noticed(
        items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..5),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let names: Vec<String> = (0..items.len()).map(|n| format!("part/{n}.bin")).collect();
        let named: Vec<(&str, &[u8])> =
            names.iter().map(String::as_str).zip(items.iter().map(Vec::as_slice)).collect();
        let (folder, blobs, manifest) = prepare(&named);

        let tar = as_tar(folder.path(), &blobs, &manifest);
        let mut bytes = fs::read(&tar).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        fs::write(&tar, bytes).unwrap();
        let noticed = verify(&tar, None, &VerifyLimits::default());
        prop_assert!(!noticed.is_ok_and(|report| report.is_intact()));

        let dir = folder.path().join("bundle");
        write_dir(&dir, &manifest, &blobs).unwrap();
        let mut files = vec![dir.join(MANIFEST_NAME), dir.join("SHA256SUMS")];
        files.extend(
            named.iter().filter(|(_, bytes)| !bytes.is_empty())
                .map(|(name, _)| dir.join("items").join(name)),
        );
        let file = &files[at.index(files.len())];
        let mut bytes = fs::read(file).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        fs::write(file, bytes).unwrap();
        prop_assert!(!check(&dir).is_intact());
    }
}
