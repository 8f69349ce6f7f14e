//! [`Accounts`]: user and group names of this machine.
//!
//! The files are read directly, because a static binary in an image without a shell has no name service to ask.

use std::fs;

/// The contents of the user and the group file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    /// Lines of `name:password:uid:…`.
    pub passwd: String,
    /// Lines of `name:password:gid:…`.
    pub group: String,
}

impl Accounts {
    /// Reads the machine's files; a file that is missing has no names in it.
    pub fn of_machine() -> Self {
        let read = |path| {
            fs::read(path)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default()
        };
        Self {
            passwd: read("/etc/passwd"),
            group: read("/etc/group"),
        }
    }

    /// The uid of a user.
    pub fn uid(&self, name: &str) -> Option<u32> {
        find(&self.passwd, name)
    }

    /// The gid of a group.
    pub fn gid(&self, name: &str) -> Option<u32> {
        find(&self.group, name)
    }
}

/// Both files have the name first and the number third.
fn find(lines: &str, name: &str) -> Option<u32> {
    lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (own, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        if own == name {
            number.parse().ok()
        } else {
            None
        }
    })
}
