use super::*;

fn loaded(objects: &[(&str, &str)], problems: Vec<Problem>) -> Loaded {
    Loaded {
        version: 1,
        at: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
        fingerprint: 0,
        files: Vec::new(),
        counts: BTreeMap::new(),
        objects: objects
            .iter()
            .map(|(title, file)| ((*title).to_owned(), location(file, 1)))
            .collect(),
        services: Vec::new(),
        mesh: objects
            .iter()
            .any(|(title, _)| title.starts_with("MeshConfig")),
        mesh_kept: false,
        problems,
    }
}

fn location(file: &str, line: u32) -> Location {
    Location::file(file, line)
}

fn problem(severity: Severity, file: &str, line: u32, object: &str) -> Problem {
    Problem {
        severity,
        location: location(file, line),
        object: object.to_owned(),
        field: String::new(),
        value: String::new(),
        reason: "wrong".to_owned(),
        hint: String::new(),
    }
}

#[test]
fn what_breaks_and_what_does_not() {
    use Severity::{Error, Warning};
    const A: (&str, &str) = ("ServiceEntry default/a", "a.yaml");
    const B: (&str, &str) = ("ServiceEntry default/b", "b.yaml");
    const MESH: (&str, &str) = ("MeshConfig istio-system/istio", "mesh.yaml");
    let known = || problem(Error, "c.yaml", 1, "ServiceEntry default/c");
    let before = loaded(&[A, B, MESH], vec![known()]);
    for (what, objects, problems, breaks) in [
        ("nothing new", &[A, B, MESH][..], vec![known()], false),
        (
            "the old error on another line",
            &[A, B, MESH],
            vec![problem(Error, "c.yaml", 9, "ServiceEntry default/c")],
            false,
        ),
        (
            "an object in force",
            &[B, MESH],
            vec![problem(Error, "a.yaml", 1, A.0)],
            true,
        ),
        (
            "an object in force, from another file",
            &[A, B, MESH],
            vec![problem(Error, "z.yaml", 1, A.0)],
            true,
        ),
        (
            "a warning about it",
            &[A, B, MESH],
            vec![problem(Warning, "a.yaml", 1, A.0)],
            false,
        ),
        (
            "no object, in a file in force",
            &[A, B, MESH],
            vec![problem(Error, "a.yaml", 7, "")],
            true,
        ),
        (
            "no object, in a new file",
            &[A, B, MESH],
            vec![problem(Error, "z.yaml", 1, "")],
            false,
        ),
        (
            "a new object, in a file in force",
            &[A, B, MESH],
            vec![problem(Error, "a.yaml", 7, "Gateway x/y")],
            false,
        ),
        (
            "another name in a file that lost one",
            &[B, MESH],
            vec![problem(Error, "a.yaml", 1, "Gateway x/y")],
            true,
        ),
        ("a deletion", &[B, MESH], vec![known()], false),
        (
            "a deletion and an error elsewhere",
            &[B, MESH],
            vec![problem(Error, "z.yaml", 1, "")],
            false,
        ),
        (
            "MeshConfig lost with an error elsewhere",
            &[A, B],
            vec![problem(Error, "z.yaml", 1, "")],
            true,
        ),
        (
            "an error in MeshConfig under another name",
            &[A, B, MESH],
            vec![problem(Error, "z.yaml", 1, "MeshConfig")],
            true,
        ),
        ("MeshConfig deleted", &[A, B], vec![known()], false),
    ] {
        let next = loaded(objects, problems);
        assert_eq!(!before.broken_by(&next).is_empty(), breaks, "{what}");
    }
}

#[test]
fn a_row_of_rejections_began_with_the_first() {
    let status = Status::default();
    let first = Timestamp::UNIX_EPOCH;
    status.reject(first, vec!["one".to_owned()]);
    status.reject(Timestamp::now(), vec!["two".to_owned()]);
    let rejected = status.state().rejected.expect("rejected");
    assert_eq!(
        (rejected.since, &*rejected.reasons),
        (first, &["two".to_owned()][..])
    );
    status.accept(Arc::new(loaded(&[], Vec::new())));
    assert!(status.state().rejected.is_none());
}
