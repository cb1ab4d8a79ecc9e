//! Reads a folder of detection content.

use std::path::Path;

use quell_domain::snapshot::ContentFile;

use crate::exit::Failure;

const FILE_BYTES_MAX: u64 = 1024 * 1024;
const FILES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 4;
const FOLDERS: [&str; 2] = ["patterns", "rules"];

/// The content files in `folder`: `rules/….yaml` and `patterns/….yaml`.
pub(in crate::commands) fn read(folder: &Path) -> Result<Vec<ContentFile>, Failure> {
    let mut found = Vec::new();
    for name in FOLDERS {
        let inner = folder.join(name);
        if inner.is_dir() {
            walk(&inner, name, 0, &mut found)?;
        }
    }
    if found.is_empty() {
        return Err(Failure::usage(format!(
            "{} has no rules/….yaml and no patterns/….yaml; give the folder above rules/",
            folder.display()
        )));
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    name: &str,
    depth: usize,
    found: &mut Vec<ContentFile>,
) -> Result<(), Failure> {
    let wrong = |path: &Path, what: String| Failure::usage(format!("{}: {what}", path.display()));
    let entries = std::fs::read_dir(folder).map_err(|error| wrong(folder, error.to_string()))?;
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() && depth < DEPTH_MAX {
            walk(&path, &inner, depth + 1, found)?;
        } else if extension == Some("yml") {
            return Err(wrong(&path, "content files end with .yaml; rename it".into()));
        } else if extension == Some("yaml") {
            if found.len() == FILES_MAX {
                return Err(wrong(&path, format!("more than {FILES_MAX} files")));
            }
            found.push(ContentFile { text: text(&path)?, path: inner });
        }
    }
    Ok(())
}

/// The text of one content file.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}
