use super::*;
use syncline_core::api::{GroupId, Membership, ReplicaId, RootId};

fn facts() -> Facts {
    Facts {
        group: GroupId::from_bytes([1; 16]),
        group_key: [2; 32],
        identity: [3; 32],
        root: RootId::from_bytes([4; 16]),
        membership: Membership::Founder,
        name: "desk".into(),
        place: 77,
        path: "/home/desk".into(),
    }
}

fn put(key: &str, value: &str) -> Write {
    Write { key: key.into(), value: Some(value.into()) }
}

fn range(store: &Store, start: &str, end: &str, bytes_max: u32) -> (Vec<String>, bool) {
    let query = LoadQuery::Range { start: start.into(), end: end.into(), bytes_max };
    let (pairs, more) = store.load(&query).unwrap();
    (pairs.into_iter().map(|pair| String::from_utf8(pair.key).unwrap()).collect(), more)
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::create(&path, &facts()).unwrap();
    store.save(&[put("b", "2"), put("a", "1"), put("c", "3")]).unwrap();
    store.save(&[put("b", "two"), Write { key: "c".into(), value: None }]).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert!(store.facts().unwrap() == facts());
    assert_eq!(range(&store, "", "z", 1000), (vec!["a".into(), "b".into()], false));
    let keys = ["b", "missing", "a"].map(|key| Key { bytes: key.into() }).to_vec();
    let (pairs, _) = store.load(&LoadQuery::Keys { keys }).unwrap();
    assert_eq!(pairs, [Pair { key: "b".into(), value: "two".into() }, Pair { key: "a".into(), value: "1".into() }]);
}

#[test]
fn ranges_come_in_pages_and_never_empty_ones() {
    let store = Store::in_memory(&facts()).unwrap();
    store.save(&[put("a", "1234"), put("b", "1234"), put("c", "1234")]).unwrap();
    assert_eq!(range(&store, "a", "z", 0), (vec!["a".into()], true));
    assert_eq!(range(&store, "a", "z", 5), (vec!["a".into(), "b".into()], true));
    assert_eq!(range(&store, "c", "z", 0), (vec!["c".into()], false));
    assert_eq!(range(&store, "a", "b", 100), (vec!["a".into()], false));
    assert_eq!(range(&store, "z", "a", 100), (vec![], false));
}

#[test]
fn a_copy_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::create(&path, &facts()).unwrap();
    store.save(&[put("a", "1")]).unwrap();
    drop(store);
    let before = std::fs::read(&path).unwrap();
    let copy = Store::open_copy(&path).unwrap();
    copy.save(&[put("a", "2"), put("b", "3")]).unwrap();
    assert_eq!(range(&copy, "", "z", 1000).0, ["a", "b"]);
    drop(copy);
    assert!(std::fs::read(&path).unwrap() == before, "the original file changed");
    assert_eq!(range(&Store::open(&path).unwrap(), "", "z", 1000).0, ["a"]);
}

#[test]
fn partners_are_remembered_by_path() {
    let store = Store::in_memory(&facts()).unwrap();
    let partner = Partner { path: "/a/b".into(), replica: ReplicaId::from_bytes([9; 16]) };
    assert!(!store.remembers(&partner.path).unwrap());
    store.remember(&partner).unwrap();
    store.remember(&partner).unwrap();
    assert!(store.remembers(&partner.path).unwrap());
    assert_eq!(store.partners().unwrap(), [partner]);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::create(&path, &facts()).unwrap();
    let transaction = store.database.begin_write().unwrap();
    let host: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("host");
    transaction.open_table(host).unwrap().insert("format", (FORMAT + 1).to_le_bytes().as_slice()).unwrap();
    transaction.commit().unwrap();
    let Err(error) = store.facts() else { panic!("a newer format was read") };
    assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_damaged_store_is_an_error_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, b"this is no store at all, whatever it is called").unwrap();
    assert!(Store::open(&path).is_err());
    let store = Store::create(&folder.path().join("other.redb"), &facts()).unwrap();
    drop(store);
    let mut bytes = std::fs::read(folder.path().join("other.redb")).unwrap();
    for byte in bytes.iter_mut().skip(64) {
        *byte ^= 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();
    let opened = Store::open(&path).and_then(|store| store.facts().map(|_| ()));
    assert!(opened.is_err());
}
