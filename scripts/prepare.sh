# shellcheck shell=bash disable=SC2034,SC2154  # shares variables with who sources it
# Sourced by ./run, ./check, scripts/linux-guests.sh and scripts/aarch64.sh: what Reprise is made from, how to get it, and how to build.
# Everything needed is a package of Debian 12; on other systems the list says what to look for.
# `me` is the name of the script, `root` the top of the tree, `preset` what to build.

reconfigure=false  # CMake may find more than last time

# One package a line, and what it is for.
build_packages='
g++                  the compiler
cmake                the build system
ninja-build          runs the build
pkg-config           finds libraries
libfmt-dev           text formatting
libcli11-dev         the command line
libtomlplusplus-dev  machine files
nlohmann-json3-dev   JSON, read and written by the CPU tools
libsdl2-dev          window and sound
libpng-dev           screenshots
zlib1g-dev           compressed images
libzstd-dev          saved machines
libxxhash-dev        state hashes
nasm                 assembles the demo disk and what starts kernels
libasmjit-dev        writes what the translator makes: host code
seabios              the firmware the PC starts with
'
test_packages='
libgtest-dev         the test framework
libzydis-dev         an independent disassembler to test the decoder with
libmpfr-dev          exact values for the tests of the FPU
gdb                  debugs guests through the GDB server
'
# For scripts/linux-guests.sh.
guest_packages='
cpio                 initrds
mtools               disks
syslinux             starts Linux from a disk
syslinux-common      its boot sector
'
# For scripts/aarch64.sh.
cross_packages='
g++-aarch64-linux-gnu  the compiler
qemu-user-static     runs what it makes
'
# Comes along whenever something else has to be installed, and is never missed.
helpful_packages='
ccache               makes the next build quick
'

fail()
{
    echo "$me: $*" >&2
    exit 1
}

is_debian() { [ -e /etc/debian_version ] && command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# Prints those lines of a list whose package is not installed.
missing_from()
{
    local installed name purpose
    # shellcheck disable=SC2046  # a list of names
    installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $(awk '{print $1}' <<<"$1") 2>/dev/null)
    while read -r name purpose; do
        if [ -n "$name" ] && ! grep -qxF "$name installed" <<<"$installed"; then
            printf '    %-20s %s\n' "$name" "$purpose"
        fi
    done <<<"$1"
}

# Installs what is missing of a list, as root or with sudo.
install_packages()
{
    if ! is_debian; then
        [ -e "$root/build/$preset/build.ninja" ] ||
            printf '%s: this is not Debian, so nothing is installed; what is needed, in names of Debian:%s' \
                "$me" "$1" >&2
        return
    fi
    local missing names as_root=()
    missing=$(missing_from "$1")
    [ -n "$missing" ] || return 0
    missing=$(printf '%s\n%s' "$missing" "$(missing_from "$helpful_packages")")  # without empty lines at the end
    names=$(awk '{print $1}' <<<"$missing" | xargs)

    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "cannot install packages: not root and sudo is missing; install these yourself: $names"
        as_root=(sudo)
    fi
    printf '%s: installing these Debian packages%s:\n%s\n' "$me" "${as_root:+ with sudo}" "$missing" >&2
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300)
    # Stale lists may still do.
    "${as_root[@]}" update 1>&2 || echo "$me: the lists of packages could not be updated" >&2
    # shellcheck disable=SC2086  # a list of names
    "${as_root[@]}" install --yes --no-install-recommends $names 1>&2 ||
        fail "cannot install packages: apt-get failed, see above; what is needed: $names"
    reconfigure=true
}

# Configures build/$preset if it is not there, belongs to a tree that was moved, or `reconfigure`.
configure()
{
    local cache="$root/build/$preset/CMakeCache.txt" fresh=() log
    if [ -e "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
        fresh=(--fresh)
    elif [ -e "$root/build/$preset/build.ninja" ] && ! $reconfigure; then
        return 0
    fi
    command -v cmake >/dev/null || fail "cannot build: cmake is missing"
    echo "$me: configuring build/$preset" >&2
    log=$(cd "$root" && cmake "${fresh[@]}" --preset "$preset" 2>&1) || {
        echo "$log" >&2
        fail "cannot configure (in build/$preset); the reason is above"
    }
    sed -n 's/^-- \(.* not found (Debian.*\)/'"$me"': \1/p' <<<"$log" >&2
}

# build TARGET: `all` is everything.
build()
{
    configure
    cmake --build "$root/build/$preset" --target "$1" 1>&2 ||
        fail "cannot build (in build/$preset); the first error above says why"
}
