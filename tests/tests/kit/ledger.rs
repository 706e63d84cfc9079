use std::io;

use dbos_testkit::{Ledger, behaviours};

behaviours! { ledger:
    lines_are_kept_in_order on nothing,
    a_line_cut_off_by_a_crash_does_not_count on nothing,
}

async fn lines_are_kept_in_order() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let ledger = Ledger::at(folder.path().join("ledger"));
    assert!(ledger.lines()?.is_empty());

    ledger.append("paid 1")?;
    Ledger::at(ledger.path()).append("paid 2")?;
    ledger.append("paid 1")?;

    assert_eq!(ledger.lines()?, ["paid 1", "paid 2", "paid 1"]);
    assert_eq!(ledger.count("paid 1")?, 2);
    Ok(())
}

async fn a_line_cut_off_by_a_crash_does_not_count() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let ledger = Ledger::at(folder.path().join("ledger"));
    std::fs::write(ledger.path(), "paid 1\npai")?;

    assert_eq!(ledger.lines()?, ["paid 1"]);
    Ok(())
}
