use super::*;
use crate::domain::ids::TenantId;
use crate::store::{Store, StoreSettings};

async fn store_at(folder: &Path) -> (Store, PathBuf) {
    let file = folder.join("results.db");
    (Store::open(&StoreSettings::new(&file)).await.unwrap(), file)
}

#[tokio::test]
async fn a_backup_is_whole_says_what_it_holds_and_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = store_at(folder.path()).await;
    let to = folder.path().join("copy.db");
    let made = Backup::make(&file, &to, false).await.unwrap();
    assert_eq!((Backup::verify(&to).await.unwrap(), made.counts.records), ((made.clone(), true), 0));
    assert!(made.counts.migration >= 1 && made.bytes > 0);
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| name_of(&entry.path())).collect();
    assert!(!left.iter().any(|name| name.contains("draft")), "{left:?}");
    drop(store);
}

#[tokio::test]
async fn what_exists_stays_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, file) = store_at(folder.path()).await;
    let to = folder.path().join("copy.db");
    std::fs::write(&to, "mine").unwrap();
    assert!(matches!(Backup::make(&file, &to, false).await, Err(StoreError::Exists { .. })));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
    Backup::make(&file, &to, true).await.unwrap();
    Backup::verify(&to).await.unwrap();
}

#[tokio::test]
async fn without_a_database_there_is_nothing_to_back_up_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let made = Backup::make(&folder.path().join("results.db"), &folder.path().join("copy.db"), false).await;
    assert!(matches!(made, Err(StoreError::NoDatabase { .. })), "{made:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_backup_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, file) = store_at(folder.path()).await;
    let to = folder.path().join("copy.db");
    Backup::make(&file, &to, false).await.unwrap();
    let whole = std::fs::read(&to).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&to, &flipped).unwrap();
    assert!(matches!(Backup::verify(&to).await, Err(StoreError::BadBackup { .. })));
    std::fs::remove_file(sum_file(&to)).unwrap();
    std::fs::write(&to, &whole[..whole.len() - 16_384]).unwrap();
    assert!(matches!(Backup::verify(&to).await, Err(StoreError::BadBackup { .. })));
    std::fs::write(&to, "a letter to my aunt. ".repeat(20)).unwrap();
    assert!(matches!(Backup::verify(&to).await, Err(StoreError::BadBackup { .. })));
}

#[tokio::test]
async fn a_store_in_use_is_never_replaced_and_a_restored_one_has_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = store_at(folder.path()).await;
    let name = store.store_id().await.unwrap();
    let to = folder.path().join("copy.db");
    Backup::make(&file, &to, false).await.unwrap();
    let refused = Restored::put(&to, &file, false, 5).await;
    assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
    let refused = Restored::put(&to, &file, true, 5).await;
    assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
    store.close(std::time::Duration::from_secs(5)).await.unwrap();
    drop(store);
    let restored = Restored::put(&to, &file, true, 5).await.unwrap();
    let kept = restored.replaced.unwrap();
    assert_eq!(name_of(&kept), "results.db.replaced-5");
    assert!(kept.exists() && restored.digest_known);
    let (store, _) = store_at(folder.path()).await;
    assert_ne!(store.store_id().await.unwrap(), name);
    store.tenant(&TenantId::default()).summary().await.unwrap();
}

#[tokio::test]
async fn a_damaged_store_with_a_log_is_replaced_and_its_log_never_played_into_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = store_at(folder.path()).await;
    let to = folder.path().join("copy.db");
    Backup::make(&file, &to, false).await.unwrap();
    store.close(std::time::Duration::from_secs(5)).await.unwrap();
    drop(store);
    std::fs::write(&file, [0xaa; 5_000]).unwrap();
    std::fs::write(beside(&file, "-wal"), [0xbb; 5_000]).unwrap();
    let restored = Restored::put(&to, &file, true, 7).await.unwrap();
    let kept = restored.replaced.unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), [0xaa; 5_000]);
    assert_eq!(std::fs::read(beside(&kept, "-wal")).unwrap(), [0xbb; 5_000]);
    let (store, _) = store_at(folder.path()).await;
    store.tenant(&TenantId::default()).summary().await.unwrap();
}
