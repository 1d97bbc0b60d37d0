/// What a machine is made of. Filled by a TOML file, by command line options, or by hand.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "devices/block_device.h"
#include "machine/base/types.h"

namespace reprise {

struct DriveConfig {
    std::string path;                  // empty: no drive (hard disk) or no medium (floppy, CD)
    bool cdrom = false;                // ATA only: an ATAPI CD-ROM drive
    bool read_only = false;
    bool snapshot = false;             // writes stay in memory
    std::optional<Geometry> geometry;  // overrides the guess
    bool present = false;              // a drive is there even without a medium
};

struct SerialConfig {
    std::string backend;  // "", "none", "stdio", "file:PATH", "pty", "tcp:[HOST:]PORT"
};

struct MachineConfig {
    std::string cpu_model = "pentium";  // 8086 80286 80386 80486 pentium
    u64 cpu_mips_numerator = 100;       // guest instructions per microsecond, as a rational
    u64 cpu_mips_denominator = 1;
    u64 memory_bytes = u64{32} << 20;

    std::array<DriveConfig, 2> floppy;
    std::array<DriveConfig, 4> ata;  // primary master, slave, secondary master, slave
    std::string boot_order = "";     // of a, c, d; empty: what the media suggest

    std::string bios_path;     // empty: Debian's seabios package
    std::string vgabios_path;  // empty: Debian's seabios package
    std::array<SerialConfig, 2> serial;
    std::string parallel_path;  // file that LPT1 writes to; empty: nothing is connected

    /// Seconds since 1970 that the RTC shows at power-on. Fixed by default, so that two runs are
    /// the same; the frontend sets it to the host's clock for interactive use.
    i64 rtc_base = 1'000'000'000;

    u16 post_port = 0x80;
};

/// Reads a machine file. Throws HostError naming file, line and key; an unknown key gets a
/// suggestion.
MachineConfig load_machine_file(const std::string& path);

}  // namespace reprise
