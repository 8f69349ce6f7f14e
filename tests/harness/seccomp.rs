//! Runs a program under a seccomp profile as container runtimes do: the profile's JSON becomes a filter of the kernel, and a
//! small Python program installs it and becomes the program.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

/// A profile in the format of the Open Container Initiative, as far as ours use it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: Action,
    default_errno_ret: u32,
    architectures: Vec<String>,
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    names: Vec<String>,
    action: Action,
    #[serde(default)]
    errno_ret: u32,
    #[serde(default)]
    args: Vec<Argument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Action {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
}

/// The argument `index`, and `value`, is `value_two`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    index: u32,
    value: u32,
    value_two: u32,
    op: Operator,
}

#[derive(Debug, Deserialize)]
enum Operator {
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// Installs the filter of the first argument, and becomes the program of the others; `--errno NUMBER` prints what the kernel
/// answers to that system call with arguments that are all zero.
const LOADER: &str = "
import ctypes, os, sys
code = open(sys.argv[1], 'rb').read()
class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
if code:
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Filter(len(code) // 8, code))):
        sys.exit(os.strerror(ctypes.get_errno()))
if sys.argv[2] == '--errno':
    ctypes.set_errno(0)
    libc.syscall(int(sys.argv[3]), 0, 0, 0, 0, 0, 0)
    print(ctypes.get_errno())
else:
    os.execv(sys.argv[2], sys.argv[2:])
";

/// The program and the arguments that run `program` under the filter in a file.
#[must_use]
pub fn under(filter: &Path, program: &[String]) -> (&'static Path, Vec<String>) {
    let filter = filter.display().to_string();
    let loader = ["-c".to_owned(), LOADER.to_owned(), filter];
    (Path::new("python3"), [&loader, program].concat())
}

/// Writes the filter of a profile below `deploy/seccomp` to `to`.
///
/// # Errors
/// When the profile has what is not understood here, or this machine's system calls cannot be listed.
pub fn compile(profile: &str, to: &Path) -> anyhow::Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/seccomp");
    let path = folder.join(profile);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let profile: Profile = serde_json::from_str(&text)?;
    fs::write(to, profile.filter(&numbers()?)?)?;
    Ok(())
}

/// The number of a system call on this machine.
///
/// # Errors
/// When there is none of that name.
pub fn number(name: &str) -> anyhow::Result<u32> {
    let numbers = numbers()?;
    let number = numbers.get(name).copied();
    number.with_context(|| format!("no system call {name}"))
}

/// The system calls of this machine, as the C compiler's headers number them.
fn numbers() -> anyhow::Result<HashMap<String, u32>> {
    let mut compiler = Command::new("cc");
    compiler.args([
        "-E",
        "-dM",
        "-include",
        "sys/syscall.h",
        "-x",
        "c",
        "/dev/null",
    ]);
    let output = compiler.output().context("a C compiler is needed")?;
    let text = String::from_utf8(output.stdout)?;
    let defined: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .collect();
    let mut numbers = HashMap::new();
    for (name, value) in &defined {
        if let Some(name) = name.strip_prefix("__NR_") {
            let value = defined.get(value).unwrap_or(value);
            numbers.extend(value.parse().ok().map(|value| (name.to_owned(), value)));
        }
    }
    anyhow::ensure!(numbers.len() > 100, "the headers list no system calls");
    Ok(numbers)
}

/// The kernel's number of the architecture, and its name in profiles.
const ARCHITECTURE: (u32, &str) = if cfg!(target_arch = "aarch64") {
    (0xC000_00B7, "SCMP_ARCH_AARCH64")
} else {
    (0xC000_003E, "SCMP_ARCH_X86_64")
};

// Instructions of the kernel's filters (linux/bpf_common.h, linux/seccomp.h).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const RETURN_ALLOW: u32 = 0x7FFF_0000;
const RETURN_ERRNO: u32 = 0x0005_0000;
const RETURN_KILL: u32 = 0x8000_0000;

// Where things are in `struct seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// Instructions as bytes.
#[derive(Default)]
struct Code(Vec<u8>);

impl Code {
    fn push(&mut self, code: u16, [if_so, if_not]: [u8; 2], operand: u32) {
        self.0.extend(code.to_ne_bytes());
        self.0.extend([if_so, if_not]);
        self.0.extend(operand.to_ne_bytes());
    }
}

impl Profile {
    fn filter(&self, numbers: &HashMap<String, u32>) -> anyhow::Result<Vec<u8>> {
        let (architecture, name) = ARCHITECTURE;
        let is_known = self.architectures.iter().any(|known| known == name);
        anyhow::ensure!(is_known, "the profile lacks {name}");
        anyhow::ensure!(
            self.default_action == Action::Errno,
            "what is not listed is refused"
        );
        let mut code = Code::default();
        code.push(LOAD, [0, 0], ARCHITECTURE_AT);
        code.push(JUMP_IF_EQUAL, [1, 0], architecture);
        code.push(RETURN, [0, 0], RETURN_KILL);
        code.push(LOAD, [0, 0], NUMBER_AT);
        for rule in &self.syscalls {
            // As with runtimes, a name that this architecture has not is left out.
            for number in rule.names.iter().filter_map(|name| numbers.get(name)) {
                rule.push(*number, &mut code)?;
            }
        }
        code.push(RETURN, [0, 0], RETURN_ERRNO | self.default_errno_ret);
        Ok(code.0)
    }
}

impl Rule {
    fn push(&self, number: u32, code: &mut Code) -> anyhow::Result<()> {
        let verdict = match self.action {
            Action::Allow => RETURN_ALLOW,
            Action::Errno => RETURN_ERRNO | self.errno_ret,
        };
        match &self.args[..] {
            [] => code.push(JUMP_IF_EQUAL, [0, 1], number),
            [one] => {
                let Operator::MaskedEq = one.op;
                // The lower half: both architectures are little-endian, and flags of `clone` have 32 bits.
                code.push(JUMP_IF_EQUAL, [0, 5], number);
                code.push(LOAD, [0, 0], ARGUMENTS_AT + 8 * one.index);
                code.push(AND, [0, 0], one.value);
                code.push(JUMP_IF_EQUAL, [0, 1], one.value_two);
                code.push(RETURN, [0, 0], verdict);
                code.push(LOAD, [0, 0], NUMBER_AT);
                return Ok(());
            }
            more => anyhow::bail!("{} arguments of one rule", more.len()),
        }
        code.push(RETURN, [0, 0], verdict);
        Ok(())
    }
}
