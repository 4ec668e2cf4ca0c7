# What the scripts share: sourced, not run. Leaves the caller in the project's root.
# SPDX-License-Identifier: MIT
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# The comment below the first line of a script is its help.
help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "scripts/$(basename "$0")" | sed '/^SPDX/d'; }

# build_preset NAME: configures once, then builds what changed into build/NAME.
build_preset() {
    local log
    log=$(mktemp)
    if ! { { [ -e "build/$1/build.ninja" ] || cmake --preset "$1"; } &&
           cmake --build "build/$1"; } >"$log" 2>&1; then
        grep -vE '^(-- |\[[0-9]+/[0-9]+\] |[^ ]*/(ccache|cc|gcc|clang) )' "$log" | tail -n 60 >&2
        rm -f "$log"
        die "the build of preset '$1' failed"
    fi
    grep -A6 'warning:' "$log" >&2 || true
    rm -f "$log"
}

# sources [PATTERN...]: tracked files, and new ones that git does not ignore.
sources() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do
    [ -f "$f" ] && printf '%s\n' "$f"; done; }
