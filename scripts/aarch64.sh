#!/usr/bin/env bash
# scripts/aarch64.sh [--build-only]: Reprise for a processor that is not an x86, built and tested on this host.
#
# Builds without SDL2 in build/aarch64 with Debian's cross compiler, then runs there, in QEMU's user mode,
#
#   the tests of cpu/, devices/ and machine/
#   FreeDOS from a floppy, after which the machine's state must have the same hash as that of build/release
#
# Compiler and emulator are packages of Debian 12 that are installed if they are missing. The libraries for aarch64 are
# unpacked into build/aarch64/sysroot, so that the host's packages stay as they are. The floppy is looked for in
# $REPRISE_MEDIA, or in ../shared/media.
set -euo pipefail
me=aarch64
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
preset=release
# shellcheck source=scripts/prepare.sh
. "$root/scripts/prepare.sh"
say() { echo "$me: $*" >&2; }

build_only=false
case ${1:-} in
'') ;;
--build-only) build_only=true ;;
-h | --help)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0 ;;
*) fail "there is no option $1; see $me.sh --help" ;;
esac

output=$root/build/aarch64
sysroot=$output/sysroot
targets=(reprise cpu_tests devices_tests machine_tests)
libraries=(libfmt-dev libfmt9 libcli11-dev libtomlplusplus-dev libtomlplusplus3 nlohmann-json3-dev libpng-dev
    libpng16-16 zlib1g-dev zlib1g libzstd-dev libzstd1 libxxhash-dev libxxhash0 libgtest-dev libzydis-dev libzydis4.0
    libzycore-dev libzycore1.4 libmpfr-dev libmpfr6 libgmp-dev libgmp10)

# ---- Libraries -----------------------------------------------------------------------------------

apt=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State::Lists=$output/apt/lists"
    -o "Dir::Cache=$output/apt/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User= -o Acquire::Languages=none)

unpack_libraries()
{
    local wanted="${libraries[*]}" log=$output/apt/log
    [ "$(cat "$sysroot/.made" 2>/dev/null)" != "$wanted" ] || return 0
    say "fetching libraries for aarch64 into $sysroot"
    rm -rf "$sysroot"
    mkdir -p "$sysroot" "$output"/apt/{lists/partial,cache/archives/partial,debs}
    # Some of the sources may fail; what matters is whether the packages are found.
    apt-get "${apt[@]}" update >"$log" 2>&1 || tail -n 3 "$log" >&2
    rm -f "$output"/apt/debs/*.deb
    (cd "$output/apt/debs" && apt-get "${apt[@]}" download "${libraries[@]}" >"$log" 2>&1) ||
        fail "cannot fetch packages from Debian: $(grep -m1 '^E:' "$log"); is there a network?"
    local package
    for package in "$output"/apt/debs/*.deb; do dpkg-deb -x "$package" "$sysroot"; done
    cp -r "$sysroot"/usr/include/aarch64-linux-gnu/. "$sysroot/usr/include/"  # gmp.h
    echo "$wanted" >"$sysroot/.made"
}

# ---- Tests ---------------------------------------------------------------------------------------

emulate()
{
    qemu-aarch64-static -L /usr/aarch64-linux-gnu \
        -E "LD_LIBRARY_PATH=$sysroot/usr/lib/aarch64-linux-gnu:$sysroot/lib/aarch64-linux-gnu" "$@"
}

state_after_boot()
{
    "$@" run "$floppy" --snapshot --headless --type '{wait 4s}dir\n' --exit-after 6s --screen-text --state-hash
}

compare_boots()
{
    floppy=${REPRISE_MEDIA:-$root/../shared/media}/fdboot-1440k.img
    if [ ! -e "$floppy" ]; then
        [ -z "${REPRISE_REQUIRE_MEDIA:-}" ] || fail "there is no '$floppy'"
        say "there is no '$floppy': FreeDOS is not started"
        return 0
    fi
    build reprise
    local here there
    here=$(state_after_boot "$root/build/release/reprise") || fail "FreeDOS does not start on this host"
    there=$(state_after_boot emulate "$output/reprise") || fail "FreeDOS does not start on aarch64"
    grep -q 'bytes free' <<<"$here" || fail "FreeDOS did not execute 'dir' on this host; it shows: $here"
    [ "$here" = "$there" ] || fail "FreeDOS leaves another machine on aarch64: $there; on this host: $here"
    say "FreeDOS leaves the same machine as on this host: $(tail -n 1 <<<"$here")"
}

# ---- All of it -----------------------------------------------------------------------------------

is_debian || fail "this is not Debian, and packages of Debian are what is used here"
install_packages "$build_packages$cross_packages"
unpack_libraries
say "building in build/aarch64"
cmake --fresh -S "$root" -B "$output" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    --toolchain "$root/scripts/aarch64.cmake" -DCMAKE_DISABLE_FIND_PACKAGE_SDL2=ON >"$output/cmake.log" 2>&1 || {
    tail -n 20 "$output/cmake.log" >&2
    fail "cannot configure (in build/aarch64); the reason is above"
}
cmake --build "$output" --target "${targets[@]}" 1>&2 ||
    fail "cannot build (in build/aarch64); the first error above says why"
! $build_only || exit 0

for folder in cpu devices machine; do
    say "running the tests of $folder/"
    (cd "$output" && emulate "$output/tests/${folder}_tests" --gtest_brief=1) || fail "tests of $folder/ failed"
done
compare_boots
say "all is well"
