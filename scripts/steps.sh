# Sourced by the scripts beside it: the steps that scripts/check and scripts/test have in common.

check_format() {
    step "format"
    cargo fmt --all --check
    echo "every file is formatted"
}

check_lints() {
    step "lints, warnings denied"
    cargo clippy --workspace --all-targets --locked -- -D warnings
}

# Licences, duplicate versions and sources of the dependencies, as deny.toml has them. The tests check that file, too, so
# cargo-deny is not installed for it.
check_dependencies() {
    if command -v cargo-deny >/dev/null; then
        step "dependencies, by cargo-deny"
        cargo deny --locked check licenses bans sources
    fi
}

check_documentation() {
    step "documentation, warnings denied"
    RUSTDOCFLAGS="-Dwarnings -Arustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --locked
}

build_programs() {
    step "the programs"
    cargo build --workspace --bins --locked
}

# Runs cargo test with the arguments given, then lists each binary's result and the sum.
run_tests() {
    local log status=0
    log=$(mktemp)
    cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
    step "results"
    grep -E '^ *(Running|Doc-tests) |^test result: |^test .* FAILED$' "$log" || true
    awk '/^test result: / { passed += $4; failed += $6 } END { print passed + 0 " tests passed, " failed + 0 " failed" }' "$log"
    rm -f "$log"
    return "$status"
}

# Builds the soak and the programs that it runs, with the arguments given; names the folder in `built`.
build_soak() {
    step "the programs and the soak"
    cargo build --locked --package egret-proxy --package egret-init "$@"
    cargo build --locked --package egret-tests --example egret-soak "$@"
    built=$(target_folder)/debug
    [ "${1:-}" != --release ] || built=$(target_folder)/release
}

# Runs the soak with the arguments given.
run_soak() {
    step "soak"
    "$built/examples/egret-soak" "$@"
}
