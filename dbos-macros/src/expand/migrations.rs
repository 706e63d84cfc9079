//! Embeds an application's SQL: a folder with `postgres/NNNN_name.sql` and `sqlite/NNNN_name.sql`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, LitStr};

use crate::paths::private;

/// The migrations of both databases, each as (file name, path from the package's folder).
#[derive(Debug, Default)]
pub(super) struct Migrations {
    postgres: Vec<(String, String)>,
    sqlite: Vec<(String, String)>,
}

/// Lists the files under `folder`, which is relative to the package that is being compiled.
pub(super) fn read(folder: &LitStr) -> syn::Result<Migrations> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    list(&package, &folder.value()).map_err(|reason| Error::new_spanned(folder, reason))
}

fn list(package: &Path, folder: &str) -> Result<Migrations, String> {
    let root = package.join(folder);
    if !root.is_dir() {
        return Err(format!(
            "there is no folder `{}`; `migrations` is relative to the package's Cargo.toml",
            root.display()
        ));
    }
    let postgres = dialect(package, folder, "postgres")?;
    let sqlite = dialect(package, folder, "sqlite")?;
    match (postgres, sqlite) {
        (None, None) => Err(format!("`{}` has neither a folder `postgres` nor a folder `sqlite`", root.display())),
        (postgres, sqlite) => {
            if let (Some(postgres), Some(sqlite)) = (&postgres, &sqlite) {
                same_numbers(postgres, sqlite)?;
            }
            let files = |found: Option<BTreeMap<u32, File>>| found.unwrap_or_default().into_values().collect();
            Ok(Migrations { postgres: files(postgres), sqlite: files(sqlite) })
        }
    }
}

type File = (String, String);

/// The files of one database by number; `None` if it has no folder.
fn dialect(package: &Path, folder: &str, dialect: &str) -> Result<Option<BTreeMap<u32, File>>, String> {
    let path = package.join(folder).join(dialect);
    if !path.is_dir() {
        return Ok(None);
    }
    let unreadable = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let mut files: BTreeMap<u32, File> = BTreeMap::new();
    for entry in std::fs::read_dir(&path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let number =
            number(&name).ok_or_else(|| format!("`{dialect}/{name}` is not called like `0001_create_orders.sql`"))?;
        let relative = format!("{}/{dialect}/{name}", folder.trim_matches('/'));
        if let Some((other, _)) = files.insert(number, (name.clone(), relative)) {
            return Err(format!("`{dialect}/{other}` and `{dialect}/{name}` have the same number"));
        }
    }
    Ok(Some(files))
}

/// The number of `NNNN_name.sql`.
fn number(name: &str) -> Option<u32> {
    let (number, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !rest.is_empty() { number.parse().ok() } else { None }
}

/// A migration that only one database has is a table the other lacks.
fn same_numbers(postgres: &BTreeMap<u32, File>, sqlite: &BTreeMap<u32, File>) -> Result<(), String> {
    for (one, other, missing_in) in [(postgres, sqlite, "sqlite"), (sqlite, postgres, "postgres")] {
        if let Some((number, (name, _))) = one.iter().find(|(number, _)| !other.contains_key(number)) {
            return Err(format!(
                "`{missing_in}` lacks migration {number:04}, which the other database has as `{name}`"
            ));
        }
    }
    Ok(())
}

impl Migrations {
    /// An expression of type `Migrations`.
    pub(super) fn expand(&self, span: Span) -> TokenStream {
        let migrations = private("Migrations", span);
        let embed = |files: &[File]| {
            let files = files.iter().map(|(name, path)| {
                let path = format!("/{path}");
                quote!((#name, ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #path))))
            });
            quote!(&[#(#files),*])
        };
        let (postgres, sqlite) = (embed(&self.postgres), embed(&self.sqlite));
        quote!(#migrations { postgres: #postgres, sqlite: #sqlite })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::list;

    /// Lists a folder `sql` that holds `files`.
    fn listed(files: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let package = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = package.path().join("sql").join(file);
            fs::create_dir_all(path.parent().expect("the file has a folder")).expect("a folder");
            fs::write(path, "SELECT 1").expect("a file");
        }
        let paths = |files: Vec<super::File>| files.into_iter().map(|(_, path)| path).collect();
        list(package.path(), "sql")
            .map(|found| (paths(found.postgres), paths(found.sqlite)))
            .map_err(|reason| reason.replace(&package.path().display().to_string(), "…"))
    }

    #[test]
    fn files_are_listed_in_the_order_of_their_numbers() {
        let files =
            ["sqlite/0002_b.sql", "sqlite/0001_a.sql", "sqlite/.hidden", "postgres/0001_a.sql", "postgres/0002_c.sql"];

        assert_eq!(
            listed(&files),
            Ok((
                vec!["sql/postgres/0001_a.sql".to_owned(), "sql/postgres/0002_c.sql".to_owned()],
                vec!["sql/sqlite/0001_a.sql".to_owned(), "sql/sqlite/0002_b.sql".to_owned()]
            ))
        );
    }

    #[test]
    fn one_database_is_enough() {
        assert_eq!(listed(&["sqlite/0001_a.sql"]), Ok((vec![], vec!["sql/sqlite/0001_a.sql".to_owned()])));
    }

    #[test]
    fn what_would_be_overlooked_is_refused() {
        for (files, reason) in [
            (&[][..], "there is no folder `…/sql`; `migrations` is relative to the package's Cargo.toml"),
            (&["0001_a.sql"], "`…/sql` has neither a folder `postgres` nor a folder `sqlite`"),
            (&["sqlite/1_a.sql"], "`sqlite/1_a.sql` is not called like `0001_create_orders.sql`"),
            (&["sqlite/notes.txt"], "`sqlite/notes.txt` is not called like `0001_create_orders.sql`"),
            (
                &["sqlite/0001_a.sql", "postgres/0001_a.sql", "postgres/0002_b.sql"],
                "`sqlite` lacks migration 0002, which the other database has as `0002_b.sql`",
            ),
        ] {
            assert_eq!(listed(files), Err(reason.to_owned()));
        }
        let twice = listed(&["sqlite/0001_a.sql", "sqlite/0001_b.sql"]).expect_err("two files have one number");
        assert!(twice.ends_with("have the same number"), "{twice}");
    }
}
