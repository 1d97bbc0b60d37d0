#!/bin/sh
# Runs one guest on both engines side by side: tests/boot/lockstep.sh REPRISE GUEST INSTRUCTIONS. Its exit code is that
# of `reprise lockstep`, or 77 where the guest's disks are missing (an error if REPRISE_REQUIRE_MEDIA is set).
set -eu
reprise=$1
guest=$2
instructions=$3
source=$(cd "$(dirname "$0")/../.." && pwd)
media=${REPRISE_MEDIA:-$source/../shared/media}
guests=${REPRISE_GUESTS:-$source/build/guests}

need() {
    for file; do
        [ -e "$file" ] && continue
        echo "SKIP $file is missing"
        case ${REPRISE_REQUIRE_MEDIA:-0} in 0) exit 77 ;; *) exit 1 ;; esac
    done
}

case $guest in
floppy)  # FreeDOS to its prompt and a command
    need "$media/fdboot-1440k.img"
    set -- "$media/fdboot-1440k.img" --cpu 486 --memory 1M --mips 20 --type "{wait 4s}dir\n" ;;
memtest)  # 32-bit protected mode that writes everywhere
    need "$media/debboot-1440k.img"
    set -- "$media/debboot-1440k.img" --cpu pentium --memory 8M --type "memtest\n" ;;
emm386)  # FreeDOS in virtual-8086 mode
    need "$media/fdhdd-free.img.gz"
    set -- "$media/fdhdd-free.img.gz" --cpu 486 --memory 8M --mips 50 --type "{wait 4s}4\n" ;;
linux)  # Linux with paging and many address spaces
    need "$guests/i386/vmlinuz" "$guests/i386/shell.gz"
    set -- --kernel "$guests/i386/vmlinuz" --initrd "$guests/i386/shell.gz" --append console=ttyS0 \
        --cpu pentium3 --memory 256M ;;
linux64)  # the same in 64-bit mode
    need "$guests/amd64/vmlinuz" "$guests/amd64/shell.gz"
    set -- --kernel "$guests/amd64/vmlinuz" --initrd "$guests/amd64/shell.gz" --append console=ttyS0 \
        --cpu x86-64 --memory 256M ;;
*) echo "no guest '$guest'"; exit 2 ;;
esac
exec "$reprise" lockstep --instructions "$instructions" "$@"
