use std::path::Path;

use notify::event::{CreateKind, DataChange, Flag, RemoveKind, RenameMode};

use super::*;

#[test]
fn a_file_is_unfinished_from_its_first_write_to_its_end() {
    let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let create = EventKind::Create(CreateKind::File);
    let remove = EventKind::Remove(RemoveKind::File);
    let rename = EventKind::Modify(ModifyKind::Name(RenameMode::From));
    let mut unfinished = HashSet::new();
    for (kind, file, left) in [
        (create, "a", 0),
        (write, "a", 1),
        (write, "a", 1),
        (write, "b", 2),
        (close, "c", 2),
        (close, "a", 1),
        (rename, "b", 0),
        (write, "a", 1),
        (remove, "a", 0),
    ] {
        let event = Event::new(kind).add_path(Path::new(file).to_path_buf());
        note(&mut unfinished, &event);
        assert_eq!(unfinished.len(), left, "after {event:?}");
    }
    // The kernel dropped notices: the end of a write may be among them.
    unfinished.insert(PathBuf::from("a"));
    note(
        &mut unfinished,
        &Event::new(EventKind::Other).set_flag(Flag::Rescan),
    );
    assert!(unfinished.is_empty());
    for number in 0..2 * UNFINISHED_MAX {
        note(
            &mut unfinished,
            &Event::new(write).add_path(PathBuf::from(number.to_string())),
        );
    }
    assert_eq!(unfinished.len(), UNFINISHED_MAX);
}
