/// What a machine is made of. Filled by a TOML file, by command line options, or by hand.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devices/block_device.h"
#include "machine/base/types.h"

namespace reprise {

struct DriveConfig {
    std::string path;    // empty: no drive (hard disk) or no medium (floppy, CD)
    bool cdrom = false;  // ATA only: an ATAPI CD-ROM drive
    bool read_only = false;
    bool snapshot = false;             // writes stay in memory
    std::optional<Geometry> geometry;  // overrides the guess
    bool present = false;              // a drive is there even without a medium

    bool operator==(const DriveConfig&) const = default;
};

struct SerialConfig {
    std::string backend;  // "", "none", "stdio", "file:PATH", "pty", "tcp:[HOST:]PORT"

    bool operator==(const SerialConfig&) const = default;
};

/// What a kernel gets beside itself: an initial RAM disk, or a module of a multiboot kernel.
struct KernelModule {
    std::string path;
    std::string arguments;  // multiboot only

    bool operator==(const KernelModule&) const = default;
};

/// A kernel that is started without a disk.
struct KernelConfig {
    std::string path;  // empty: the machine boots from its disks
    std::vector<KernelModule> initrd;
    std::string append;  // its command line
    std::string
        entry;  // how it is entered: "16", "32", "64", "multiboot"; empty: what it is made for

    bool operator==(const KernelConfig&) const = default;
};

struct MachineConfig {
    std::string cpu_model = "pentium";  // 8086 80286 80386 80486 pentium
    u64 cpu_mips_numerator = 100;       // guest instructions per microsecond, as a rational
    u64 cpu_mips_denominator = 1;
    u64 memory_bytes = u64{32} << 20;

    std::array<DriveConfig, 2> floppy;
    u32 floppy_speed = 20;           // how many times faster than real drives turn and step
    std::array<DriveConfig, 4> ata;  // primary master, slave, secondary master, slave
    std::string boot_order = "";     // of a, c, d; empty: what the media suggest

    KernelConfig kernel;

    std::string bios_path;     // empty: Debian's seabios package
    std::string vgabios_path;  // empty: Debian's seabios package
    std::array<SerialConfig, 2> serial;
    std::string parallel_path;  // file that LPT1 writes to; empty: nothing is connected

    /// Seconds since 1970 that the RTC shows at power-on. Fixed by default, so that two runs are
    /// the same; the frontend sets it to the host's clock for interactive use.
    i64 rtc_base = 1'000'000'000;

    u16 post_port = 0x80;

    bool operator==(const MachineConfig&) const = default;
};

/// What cpu_model may be, oldest first.
std::vector<std::string> cpu_model_names();

/// Reads a machine file: TOML with the keys below, all optional. Throws HostError naming file, line
/// and key; an unknown key gets a suggestion. Relative paths start at the machine file's folder.
///
///     boot = "acd"            # order of floppy, hard disk and CD; default: what the media suggest
///     memory = "32M"          # "640K", "2G", or a number of MB
///     fda = "dos.img"         # fda, fdb, hda, hdb, hdc, hdd: short for a table with `image` only
///
///     [cpu]
///     model = "pentium"       # 8086 80286 80386 80486 pentium
///     mips = 100              # guest instructions per microsecond: 100, 0.33 or "105/88"
///
///     [hda]
///     image = "disk.img"      # "" or absent: no medium
///     cdrom = false           # hda .. hdd only: a CD-ROM drive
///     read_only = false
///     snapshot = false        # what the guest writes stays in memory
///     geometry = [306, 4, 17] # cylinders, heads, sectors; default: guessed from the image
///     present = true          # the drive is there even without a medium
///
///     [floppy]
///     speed = 20              # times faster than a real drive; 1 for software that measures it
///
///     [kernel]                # starts without a disk: a Linux or a multiboot kernel
///     image = "vmlinuz"
///     initrd = "initrd.gz"    # or a list; a module is {file = "x.mod", arguments = "y"}
///     append = "console=ttyS0"
///     entry = "32"            # 16, 32, 64, multiboot; default: what the kernel is made for
///
///     [firmware]
///     bios = "bios.bin"       # default: Debian's package seabios
///     vgabios = "vga.bin"
///
///     [serial]
///     com1 = "stdio"          # none, stdio, file:PATH, pty, tcp:[HOST:]PORT; also com2
///
///     [parallel]
///     lpt1 = "printed.txt"    # the file that it prints to
///
///     [rtc]
///     base = 2001-09-09T01:46:40  # the clock at power-on; or seconds since 1970
///
///     [debug]
///     post_port = 0x80        # where the firmware writes its POST codes
MachineConfig load_machine_file(const std::string& path);

/// As load_machine_file, of a text; `name` is what messages call it. Paths are taken as they are.
MachineConfig parse_machine_toml(std::string_view text, const std::string& name);

/// The text of a machine file that means `config`: what a savestate keeps. Throws HostError if
/// something in it cannot be written as TOML, such as a path that is not UTF-8.
std::string save_machine_toml(const MachineConfig& config);

}  // namespace reprise
