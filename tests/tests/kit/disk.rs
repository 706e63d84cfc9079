//! Disks that fill, and what may not be written on them.

use std::fs;
use std::io::ErrorKind;

use dbos_testkit::{Database, Disk, behaviours};

behaviours! { disk:
    a_full_disk_takes_nothing_until_it_is_freed on sqlite_disk,
    what_is_read_only_is_so_until_it_is_writable on sqlite_disk,
}

async fn a_full_disk_takes_nothing_until_it_is_freed(disk: Disk, _: Database) {
    let file = disk.path().join("file");

    disk.fill();
    assert_eq!(fs::write(&file, [1; 4096]).unwrap_err().kind(), ErrorKind::StorageFull);

    disk.free();
    fs::write(&file, [1; 4096]).unwrap();
}

async fn what_is_read_only_is_so_until_it_is_writable(disk: Disk, _: Database) {
    let file = disk.path().join("file");
    fs::write(&file, "before").unwrap();

    disk.make_read_only(&file);
    assert_eq!(fs::write(&file, "meanwhile").unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);

    disk.make_writable(&file);
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    fs::write(&file, "after").unwrap();
}
