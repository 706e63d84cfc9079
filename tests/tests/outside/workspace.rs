//! A cargo workspace of its own, with programs that know of this one only what they list as dependencies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The executable of one of the programs. The first call builds all of them; later runs of the tests build what changed.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    lay_out(&folder);
    let target = folder.join("target");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--offline", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(&folder)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the programs do not build:\n{}", String::from_utf8_lossy(&output.stderr));
    target.join("release")
}

fn lay_out(folder: &Path) {
    let root = Path::new(ROOT).canonicalize().expect("the tests lie in the workspace");
    write(&folder.join("Cargo.toml"), &manifest(&root));
    // The versions that this workspace is tested with; cargo leaves out what is not needed.
    write(&folder.join("Cargo.lock"), &read(&root.join("Cargo.lock")));
    write(&folder.join("quickstart/Cargo.toml"), &package("quickstart", &["dbos-runtime"]));
    write(&folder.join("quickstart/src/main.rs"), &read(&root.join("dbos-runtime/examples/quickstart.rs")));
    write(
        &folder.join("depot/Cargo.toml"),
        &(package("depot", &["dbos-runtime"]) + "depot-workflows.path = \"../library\"\n"),
    );
    write(&folder.join("depot/src/main.rs"), DEPOT);
    write(&folder.join("library/Cargo.toml"), &package("depot-workflows", &["dbos-runtime", "serde", "sqlx", "tokio"]));
    write(&folder.join("library/src/lib.rs"), include_str!("library.rs"));
    copy(&root.join("shop-app"), &folder.join("shop-app"));
}

/// A binary that does nothing with its library but to link it.
const DEPOT: &str = "use depot_workflows as _;\n\n#[dbos::main]\nasync fn main() {}\n";

/// The shared versions of this workspace, with its own crates where they lie, and members and profile of its own.
fn manifest(root: &Path) -> String {
    let shared = read(&root.join("Cargo.toml"));
    let from = shared.find("[workspace.package]").expect("the workspace shares its package fields");
    let to = shared.find("[profile.dev]").expect("profiles stand at the end");
    let shared = shared[from..to].replace("path = \"", &format!("path = \"{}/", root.display()));
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\"quickstart\", \"depot\", \"library\", \"shop-app\"]\n\n{shared}\
         [profile.release]\nlto = \"thin\"\nopt-level = 0\n"
    )
}

fn package(name: &str, dependencies: &[&str]) -> String {
    let head = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n");
    dependencies.iter().fold(head, |manifest, dependency| manifest + dependency + ".workspace = true\n")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a file, unless it says that already: cargo would compile it again.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("files lie in folders")).expect("a writable target folder");
    fs::write(path, text).expect("a writable target folder");
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("a readable folder").path();
        let to = to.join(path.file_name().expect("entries have names"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            write(&to, &read(&path));
        }
    }
}
