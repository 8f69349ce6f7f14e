use super::*;

const POD: &str = "kind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n";

/// What a run prints on both streams, and whether it succeeds.
fn run_with(options: &Options, mut input: &[u8]) -> (Result<bool, String>, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let result = run(
        options,
        &mut Streams {
            input: &mut input,
            out: &mut out,
            err: &mut err,
            is_terminal: true,
        },
    );
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (result, text(out), text(err))
}

fn inject(paths: &[PathBuf], own: InjectOptions) -> Options {
    Options {
        paths: paths.to_vec(),
        output: None,
        direction: Direction::Inject(Box::new(own)),
    }
}

#[test]
fn standard_input_is_injected_and_comes_back() {
    let path = [PathBuf::from("-")];
    let (result, out, err) = run_with(&inject(&path, InjectOptions::default()), POD.as_bytes());
    assert_eq!((result, err.as_str()), (Ok(true), ""));
    assert!(out.contains("- name: istio-proxy"), "{out}");
    let back = Options {
        paths: path.to_vec(),
        output: None,
        direction: Direction::Uninject,
    };
    assert_eq!(
        run_with(&back, out.as_bytes()),
        (Ok(true), POD.to_owned(), String::new())
    );
}

#[test]
fn folders_are_read_in_order_and_joined() {
    let folder = tempfile::tempdir().expect("folder");
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("b.yaml", "kind: Service # b");
    write("a.yml", "kind: Service # a");
    write("c.txt", "no manifest");
    write("d.json", "{\"kind\": \"Service\"}\n");
    let paths = [folder.path().to_owned()];
    let (result, out, _) = run_with(&inject(&paths, InjectOptions::default()), b"");
    assert_eq!(result, Ok(true));
    assert_eq!(
        out,
        "kind: Service # a\n---\nkind: Service # b\n---\n{\"kind\": \"Service\"}\n"
    );
}

#[test]
fn an_error_writes_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let output = folder.path().join("out.yaml");
    let text = POD.replace(
        "name: a\nspec",
        "annotations: {sidecar.istio.io/proxyCPU: x}\nspec",
    );
    let mut options = inject(&[PathBuf::from("-")], InjectOptions::default());
    options.output = Some(output.clone());
    let (result, out, err) = run_with(&options, text.as_bytes());
    assert_eq!((result, out.as_str()), (Ok(false), ""));
    let expected = "error: standard input:3: Pod default/: annotation sidecar.istio.io/proxyCPU: \"x\": expected a quantity";
    assert!(err.starts_with(expected), "{err}");
    assert!(!output.exists());
}

#[test]
fn settings_come_from_files_and_assignments() {
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let own = InjectOptions {
        settings: Some(write(
            "s.yaml",
            "image: example/egret:1\nglobal:\n  network: one\n",
        )),
        assignments: vec!["global.network=two".to_owned()],
        mesh_config: Some(write(
            "m.yaml",
            "proxyListenPort: 16001\ndefaultConfig: {concurrency: 3}\n",
        )),
        native: Some(NativeSidecar::Auto),
        kubernetes_minor: Some(33),
    };
    let (result, out, err) = run_with(&inject(&[PathBuf::from("-")], own), POD.as_bytes());
    assert_eq!((result, err.as_str()), (Ok(true), ""));
    for expected in [
        "image: example/egret:1",
        "value: two",
        "--outbound-port=16001",
        "--threads=3",
        "restartPolicy: Always",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    let path = write("s.yaml", "global:\n  proxy:\n    cpu: 1\n");
    let own = InjectOptions {
        settings: Some(path.clone()),
        ..InjectOptions::default()
    };
    let (result, _, err) = run_with(&inject(&[PathBuf::from("-")], own), POD.as_bytes());
    assert_eq!(result, Ok(false));
    let expected = format!(
        "error: {}:3: global.proxy.cpu: no such setting; ",
        path.display()
    );
    assert!(err.starts_with(&expected), "{err}");
}

#[test]
fn what_is_skipped_and_what_is_lost_is_noted() {
    let text = POD.replace("  name: a\n", "  name: a # why\n");
    let (_, _, err) = run_with(
        &inject(&[PathBuf::from("-")], InjectOptions::default()),
        text.as_bytes(),
    );
    assert_eq!(err, "note: comments inside of changed objects are lost\n");
    let text = POD.replace(
        "name: a\n",
        "name: a\n  labels: {sidecar.istio.io/inject: \"false\"}\n",
    );
    let text = text.replacen(
        "  - name: a\n  labels: {sidecar.istio.io/inject: \"false\"}\n",
        "  - name: a\n",
        1,
    );
    let (_, out, err) = run_with(
        &inject(&[PathBuf::from("-")], InjectOptions::default()),
        text.as_bytes(),
    );
    assert_eq!(out, text);
    assert_eq!(
        err,
        "note: Pod default/a: not injected: label sidecar.istio.io/inject is \"false\"\n"
    );
}
