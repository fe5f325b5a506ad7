# shellcheck shell=bash
# What `start` and `check` share: finding what is missing on a Debian machine, and installing it without
# questions. To be sourced, with the repository's root as the working directory.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Whether sudo may ask for a password.
interactive=false
if [ -t 0 ]; then interactive=true; fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! has sudo; then
        die "root is needed for: $*"
    elif $interactive; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Debian packages to install; `want` collects them, `install_wanted` installs them in one go.
wanted=()

# want COMMAND PACKAGE: the package is needed unless the command is there.
want() {
    has "$1" || wanted+=("$2")
}

has_libclang() {
    local file
    for file in "${LIBCLANG_PATH:-/usr/lib}"/libclang*.so* /usr/lib/*/libclang*.so* /usr/lib/llvm*/lib/libclang*.so* \
        /usr/lib64/libclang*.so* /usr/local/lib/libclang*.so*; do
        [ -e "$file" ] && return 0
    done
    return 1
}

want_build_tools() {
    want cc build-essential
    want c++ build-essential
    want make build-essential
    want pkg-config pkg-config
    want ccache ccache
    has_libclang || wanted+=(libclang-dev)
}

install_wanted() {
    [ "${#wanted[@]}" -gt 0 ] || return 0
    has apt-get || die "missing, and there is no apt-get to install them: ${wanted[*]}"
    say "installing: ${wanted[*]}"
    as_root apt-get update -qq </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${wanted[@]}" </dev/null
    wanted=()
}

toolchain() { sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml; }

# Whether apt could install the package. (`apt-cache show` also succeeds for names that packages merely mention.)
apt_offers() { has apt-cache && apt-cache policy "$1" | grep -q '^ *Candidate: [^(]'; }

# Whether the cargo that would run is at least the version the project asks for. One that rustup manages
# always is: it fetches the toolchain that rust-toolchain.toml names.
cargo_is_new_enough() {
    local wanted_version found
    wanted_version=$(toolchain)
    has cargo || return 1
    if has rustup; then return 0; fi
    found=$(cargo --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$wanted_version" "$found" | sort -V | head -n 1)" = "$wanted_version" ]
}

ensure_rust() {
    # rustup's own installer leaves a shell that is already running without its path.
    export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    if ! cargo_is_new_enough; then
        # Debian's rustup and Debian's cargo exclude each other, so it is taken only where there is no cargo.
        if ! has cargo && apt_offers rustup; then
            wanted+=(rustup)
            install_wanted
        else
            want curl curl
            [ -e /etc/ssl/certs/ca-certificates.crt ] || wanted+=(ca-certificates)
            install_wanted
            say "installing rustup"
            curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh |
                sh -s -- -y --quiet --profile minimal --default-toolchain none --no-modify-path
        fi
    fi
    if has rustup && ! rustup run "$(toolchain)" cargo clippy --version >/dev/null 2>&1; then
        say "installing Rust $(toolchain)"
        rustup toolchain install "$(toolchain)" --profile minimal --component rustfmt --component clippy
    fi
}

# RocksDB takes many minutes to compile: keep what was compiled. The same setting everywhere, since cargo
# compiles it again when the setting changes.
use_ccache() {
    has ccache || return 0
    export CC="${CC:-ccache cc}" CXX="${CXX:-ccache c++}"
}

target_dir() { printf '%s' "${CARGO_TARGET_DIR:-target}"; }
