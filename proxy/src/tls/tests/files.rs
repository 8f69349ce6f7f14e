//! Certificates and authorities in files: reloads, and messages about unusable files.

use std::fs;
use std::path::Path;

use super::*;

fn write(folder: &Path, name: &str, text: &str) -> Arc<str> {
    let path = folder.join(name);
    fs::write(&path, text).expect("write");
    path.to_str().expect("UTF-8").into()
}

#[tokio::test]
async fn files_are_read_again_and_broken_ones_leave_what_was() {
    let folder = tempfile::tempdir().expect("folder");
    let (old, new) = (Authority::new(), Authority::new());
    let roots = write(folder.path(), "ca.pem", &old.pem);
    let (chain, key) = old.leaf(&["shop.example"]);
    let keys = KeyFiles::Files {
        certificate: write(folder.path(), "chain.pem", &chain),
        key: write(folder.path(), "key.pem", &key),
    };
    let (originator, terminator) = (Originator::new(), Terminator::new());
    let (policy, server) = (client(Roots::File(roots.clone())), server(vec![keys]));
    let met = async || {
        originator.look_again();
        terminator.look_again();
        let ends = (&originator, &terminator);
        let met = meet_with(ends, &policy, &[], Some("shop.example"), &server).await;
        met.client
    };
    assert!(met().await.is_ok());
    let (chain, key) = new.leaf(&["shop.example"]);
    write(folder.path(), "chain.pem", &chain);
    assert!(met().await.is_ok(), "a chain without its key is not used");
    write(folder.path(), "key.pem", &key);
    assert!(error_message(met().await).contains(&format!("trusted authority (`{roots}`) but by ")));
    write(folder.path(), "ca.pem", &new.pem);
    assert!(met().await.is_ok());
    write(folder.path(), "ca.pem", "nothing");
    assert!(met().await.is_ok());
}

#[test]
fn unusable_files_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    let authority = Authority::new();
    let (chain, key) = authority.leaf(&["shop.example"]);
    let (_, other_key) = authority.leaf(&["shop.example"]);
    let chain = write(folder.path(), "chain.pem", &chain);
    let key = write(folder.path(), "key.pem", &key);
    let other = write(folder.path(), "other.pem", &other_key);
    let missing: Arc<str> = folder
        .path()
        .join("missing.pem")
        .to_str()
        .expect("UTF-8")
        .into();
    for (certificate, private, expected) in [
        (
            &missing,
            &key,
            format!("cannot read `{missing}`: No such file or directory (os error 2)"),
        ),
        (&key, &key, format!("`{key}` holds no certificate")),
        (&chain, &chain, format!("`{chain}` holds no private key")),
        (
            &chain,
            &other,
            format!("`{other}` is not the key of the first certificate in `{chain}`"),
        ),
    ] {
        let keys = KeyFiles::Files {
            certificate: certificate.clone(),
            key: private.clone(),
        };
        let unusable = Terminator::new()
            .check(&Hashed::new(server(vec![keys])))
            .expect_err(&expected);
        assert_eq!(unusable.to_string(), expected);
    }
}
