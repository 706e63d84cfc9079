//! The schemas that hold the tables: `dbos` and `dbos_rust`, as every statement spells them, or two of another name.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::config::{DEFAULT_SCHEMA, LONGEST_SCHEMA, is_schema_name};
use crate::error::{Error, Result};

/// Where the tables are. The default costs nothing: its statements are sent as they are written.
#[derive(Clone)]
pub(super) struct Schema(Option<Arc<Other>>);

struct Other {
    name: String,
    /// What statements spell, and what that is here.
    spellings: [(&'static str, String); 4],
    /// Every statement that was run so far. They are few, and each is run often.
    spelled: RwLock<HashMap<&'static str, Arc<str>>>,
}

impl Schema {
    /// The schema `name`, and `name_rust` for the tables that are this library's own.
    pub(super) fn named(name: &str) -> Result<Self> {
        if !is_schema_name(name) {
            return Err(Error::Configuration(format!(
                "`schema` is {name:?}, which is no name for a schema here: it needs 1 to {LONGEST_SCHEMA} of the letters \
                 a to z, digits and `_`, without a digit in front, and may not begin with `pg_`"
            )));
        }
        Ok(Self((name != DEFAULT_SCHEMA).then(|| Arc::new(Other::named(name)))))
    }

    pub(super) fn name(&self) -> &str {
        self.0.as_ref().map_or(DEFAULT_SCHEMA, |other| &other.name)
    }

    pub(super) fn is_default(&self) -> bool {
        self.0.is_none()
    }

    /// `sql` with the tables where they are.
    pub(super) fn spelled(&self, sql: &'static str) -> SqlStr {
        match &self.0 {
            None => SqlStr::from_static(sql),
            // The name is a plain word, and quoted.
            Some(other) => AssertSqlSafe(other.spelled(sql)).into_sql_str(),
        }
    }
}

impl Other {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            spellings: [
                ("dbos_rust.", format!("\"{name}_rust\".")),
                ("dbos.", format!("\"{name}\".")),
                ("SCHEMA IF NOT EXISTS dbos_rust;", format!("SCHEMA IF NOT EXISTS \"{name}_rust\";")),
                ("SCHEMA IF NOT EXISTS dbos;", format!("SCHEMA IF NOT EXISTS \"{name}\";")),
            ],
            spelled: RwLock::default(),
        }
    }

    fn spelled(&self, sql: &'static str) -> Arc<str> {
        if let Some(known) = self.spelled.read().expect("no panic while held").get(sql) {
            return Arc::clone(known);
        }
        let spelled = self.spellings.iter().fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to));
        let mut all = self.spelled.write().expect("no panic while held");
        Arc::clone(all.entry(sql).or_insert_with(|| spelled.into()))
    }
}

#[cfg(test)]
mod tests {
    use dbos_migrations::{POSTGRES_OWN, POSTGRES_SYSTEM};

    use super::*;

    fn spelled(name: &str, sql: &'static str) -> String {
        Schema::named(name).expect("a name").spelled(sql).as_str().to_owned()
    }

    #[test]
    fn a_statement_finds_both_schemas() {
        let sql = "SELECT 1 FROM dbos.workflow_status JOIN dbos_rust.executors USING (executor_id)";
        assert_eq!(spelled("dbos", sql), sql);
        assert_eq!(
            spelled("shop", sql),
            "SELECT 1 FROM \"shop\".workflow_status JOIN \"shop_rust\".executors USING (executor_id)"
        );
        assert_eq!(spelled("dbos_rust", "dbos.a, dbos_rust.b"), "\"dbos_rust\".a, \"dbos_rust_rust\".b");
    }

    #[test]
    fn no_migration_names_the_default_schema_in_another() {
        for step in POSTGRES_SYSTEM.iter().chain(POSTGRES_OWN) {
            let text = spelled("shop", step.sql);
            assert!(!text.contains("dbos.") && !text.contains("dbos_rust"), "{}", step.name);
            assert!(!text.contains("SCHEMA IF NOT EXISTS dbos"), "{}", step.name);
        }
    }
}
