#!/usr/bin/env bash
# scripts/linux-guests.sh [--long]: Debian's Linux for the tests in tests/boot, made from Debian packages.
#
# They are fetched with apt-get into a state of its own, so that the host's packages stay as they are, and go into
# $REPRISE_GUESTS or build/guests, which no commit contains. What is there is not made again. --long adds Debian's
# installer. For both processors, `i386` and `amd64`, there is a folder with
#
#   vmlinuz              the kernel of linux-image-686 or linux-image-amd64
#   shell.gz             an initrd: busybox and a shell on the console
#   programs.gz          another that follows it: stock programs, what they are to do, and what they said on the host
#   disk.img             a hard disk that starts the kernel with syslinux
#   installer/           kernel and initrd of Debian's installer (--long)
set -euo pipefail
me=linux-guests
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
guests=${REPRISE_GUESTS:-$root/build/guests}

preset=release
# shellcheck source=scripts/prepare.sh
. "$root/scripts/prepare.sh"
say() { echo "$me: $*" >&2; }

long=false
case ${1:-} in
'') ;;
--long) long=true ;;
-h | --help)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0 ;;
*) fail "there is no option $1; see $me --help" ;;
esac

# What is made depends on these files; a change makes all of it again.
recipe=$(cat "${BASH_SOURCE[0]}" "$root"/tests/boot/linux/* | sha256sum | cut -c1-16)
mkdir -p "$guests"
exec 9>"$guests/.lock"
flock 9
done_before() { [ "$(cat "$guests/$1" 2>/dev/null)" = "$recipe" ]; }
if done_before .made && { ! $long || done_before .made-long; }; then exit 0; fi

is_debian || fail "this is not Debian, and packages of Debian are what the guests are made of"
install_packages "$guest_packages"
mbr=/usr/lib/syslinux/mbr/mbr.bin

work=$(mktemp -d "$guests/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# ---- Packages ------------------------------------------------------------------------------------

packages=$guests/packages
mkdir -p "$packages/lists/partial" "$packages/cache/archives/partial" "$packages/debs"
apt_options=(-q -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Architectures::=i386
    -o "Dir::State::Lists=$packages/lists" -o "Dir::Cache=$packages/cache" -o Dir::State::status=/dev/null
    -o APT::Sandbox::User= -o Acquire::Languages=none)

update_lists()
{
    say "fetching Debian's lists of packages"
    # Some of the sources may fail; what matters is whether the packages are found.
    apt-get "${apt_options[@]}" update >"$work/update.log" 2>&1 || tail -n 3 "$work/update.log" >&2
}

# fetch NAME:ARCHITECTURE...: into $packages/debs, unless they are there.
fetch()
{
    local missing=() package
    for package in "$@"; do
        compgen -G "$packages/debs/${package%:*}_*_@(${package#*:}|all).deb" >/dev/null || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "fetching ${missing[*]}"
    (cd "$packages/debs" && apt-get "${apt_options[@]}" download "${missing[@]}" >"$work/download.log" 2>&1) ||
        fail "cannot fetch packages from Debian: $(grep -m1 '^E:' "$work/download.log"); is there a network?"
}
shopt -s extglob

# unpack FOLDER NAME:ARCHITECTURE...
unpack()
{
    local folder=$1 package
    shift
    mkdir -p "$folder"
    for package in "$@"; do
        dpkg-deb -x "$(compgen -G "$packages/debs/${package%:*}_*_@(${package#*:}|all).deb" | tail -n 1)" "$folder"
    done
}

# The kernel's package, whose name has its version in it.
kernel_package()
{
    local flavour=$1 architecture=$2
    apt-cache "${apt_options[@]}" show "linux-image-$flavour:$architecture" |
        sed -n 's/^Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1
}

# ---- What is made of them ------------------------------------------------------------------------

# archive FOLDER FILE: an initrd. The same files make the same archive.
archive()
{
    find "$1" -exec touch -h -d @1000000000 {} +
    (cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
        cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -n) >"$2"
}

shell_initrd()
{
    local architecture=$1 tree=$work/$1-shell
    fetch "busybox-static:$architecture"
    unpack "$work/$architecture-busybox" "busybox-static:$architecture"
    mkdir -p "$tree"/{bin,dev,etc,proc,sys,tmp}
    cp "$work/$architecture-busybox/bin/busybox" "$tree/bin/"
    ln -s busybox "$tree/bin/sh"
    install -m 755 "$root/tests/boot/linux/init" "$tree/init"
    archive "$tree" "$guests/$architecture/shell.gz"
}

programs=(dash gzip coreutils openssl perl-base python3.11-minimal bc sed
    libc6 libgcc-s1 libgmp10 libacl1 libattr1 libselinux1 libpcre2-8-0 libssl3 libcrypt1 zlib1g libexpat1
    libpython3.11-minimal libreadline8 libtinfo6)

# Runs in a tree of its own, with the programs that the guest has. Without FMA, which the guest's processors do not have
# and with which the C library rounds differently.
on_the_host()
{
    local tree=$1 become=()
    [ "$(id -u)" -eq 0 ] || become=(unshare -r)
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX512F \
        "${become[@]}" chroot "$tree" /bin/dash /test/programs.sh
}

programs_initrd()
{
    local architecture=$1 tree=$work/$1-programs
    fetch "${programs[@]/%/:$architecture}"
    unpack "$tree" "${programs[@]/%/:$architecture}"
    rm -rf "$tree"/usr/share/{doc,man,locale,lintian,bug,info} "$tree"/etc/ssl/certs
    rm -rf "$tree"/usr/lib/*/gconv
    mkdir -p "$tree"/{test,tmp,bin,dev}
    touch "$tree/dev/null"  # perl looks into it
    cp "$root/tests/boot/linux/programs.sh" "$tree/test/"
    say "running the programs of $architecture on this host"
    on_the_host "$tree" >"$work/expected" || fail "the programs of $architecture do not run on this host"
    rm -rf "${tree:?}"/{dev,tmp} "$tree/bin/sh"
    cp "$work/expected" "$tree/test/expected"
    cp "$work/expected" "$guests/$architecture/expected.txt"
    archive "$tree" "$guests/$architecture/programs.gz"
}

# A disk of one FAT partition that syslinux starts from.
boot_disk()
{
    local architecture=$1 image=$guests/$1/disk.img megabytes=40
    local first=2048 sectors=$((megabytes * 2048 - 2048))
    truncate -s 0 "$image"
    truncate -s ${megabytes}M "$image"
    dd if="$mbr" of="$image" conv=notrunc status=none
    # Active, type 0Eh, from `first` on, without geometry.
    printf '\x80\xfe\xff\xff\x0e\xfe\xff\xff' | dd of="$image" bs=1 seek=446 conv=notrunc status=none
    # shellcheck disable=SC2059  # the inner one makes the escapes of the outer one
    printf "$(printf '\\x%02x' $((first & 255)) $((first >> 8 & 255)) 0 0 \
        $((sectors & 255)) $((sectors >> 8 & 255)) $((sectors >> 16 & 255)) 0)" |
        dd of="$image" bs=1 seek=454 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$image" bs=1 seek=510 conv=notrunc status=none
    export MTOOLS_SKIP_CHECK=1
    mformat -i "$image@@1M" -T "$sectors" -h 255 -s 63 -H "$first" -N 12345678 -v REPRISE ::
    mcopy -i "$image@@1M" "$guests/$architecture/vmlinuz" ::vmlinuz
    mcopy -i "$image@@1M" "$guests/$architecture/shell.gz" ::shell.gz
    mcopy -i "$image@@1M" "$root/tests/boot/linux/syslinux.cfg" ::syslinux.cfg
    syslinux --install --offset $((first * 512)) "$image"
}

installer()
{
    local architecture=$1 package=debian-installer-12-netboot-$1:amd64
    fetch "$package"
    unpack "$work/installer" "$package"
    mkdir -p "$guests/$architecture/installer"
    cp "$work/installer/usr/lib/debian-installer/images/12/$architecture/text/debian-installer/$architecture"/{linux,initrd.gz} \
        "$guests/$architecture/installer/"
}

# ---- All of it -----------------------------------------------------------------------------------

update_lists
for architecture in i386 amd64; do
    flavour=${architecture/i386/686}
    mkdir -p "$guests/$architecture"
    if ! done_before .made; then
        kernel=$(kernel_package "$flavour" "$architecture")
        [ -n "$kernel" ] || fail "Debian's lists have no linux-image-$flavour for $architecture; is there a network?"
        fetch "$kernel:$architecture"
        unpack "$work/$architecture-kernel" "$kernel:$architecture"
        cp "$work/$architecture-kernel"/boot/vmlinuz-* "$guests/$architecture/vmlinuz"
        rm -rf "$work/$architecture-kernel"
        say "making the initrds and the disk of $architecture"
        shell_initrd "$architecture"
        programs_initrd "$architecture"
        boot_disk "$architecture"
    fi
    $long && installer "$architecture"
done
echo "$recipe" >"$guests/.made"
$long && echo "$recipe" >"$guests/.made-long"
say "made in $guests"
