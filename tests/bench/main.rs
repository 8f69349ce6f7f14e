//! Measures egret's programs. `scripts/bench` calls it.

mod init;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["init", program, nothing] => init::measure(program.as_ref(), nothing.as_ref()),
        _ => anyhow::bail!("usage: egret-bench init PROGRAM STATIC_PROGRAM_THAT_DOES_NOTHING"),
    }
}
