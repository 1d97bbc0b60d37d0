/// A floppy disk drive: heads on a stepper, a spinning medium, and the DSKCHG line.
///
/// Sources: the interface and timing of IBM-compatible drives as described in Intel 290166
/// ("82077AA CHMOS Single-Chip Floppy Disk Controller") and ECMA-100/ECMA-147
/// (layout of 720 KB, 1.44 MB and 2.88 MB tracks).
///
/// The angle of the medium is a function of guest time: sector i of n starts at i/n of a
/// revolution after the index hole. Image files hold sector contents only, so every formatted
/// track carries sectors 1..n of 512 bytes in MFM, with IDs that name its own cylinder and head.
#pragma once

#include <array>

#include "devices/block_device.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

enum class FloppyType : u8 { None, K360, M1_2, K720, M1_44, M2_88 };

class FloppyDrive {
public:
    static constexpr u32 kSectorSize = 512;
    static constexpr u8 kSectorSizeCode = 2;  // N: 128 << 2 bytes

    struct State {
        u8 cylinder = 0;           // where the stepper is
        bool motor = false;        // the spindle turns
        bool disk_changed = true;  // DSKCHG: set while a drive is powered up or its door opens
        std::array<u8, 1024> deleted{};  // a bit per sector: it has a deleted data address mark

        constexpr void visit(auto& v)
        {
            v("cylinder", cylinder);
            v("motor", motor);
            v("disk_changed", disk_changed);
            v.bytes("deleted", deleted);
        }
    };

    /// The contents of one sector's ID field.
    struct Id {
        u8 c = 0, h = 0, r = 0, n = 0;
        bool operator==(const Id&) const = default;
    };

    /// `speed`: how many times faster than the real one everything in the drive moves.
    explicit FloppyDrive(FloppyType type, u32 speed = 1) : type_(type), speed_(speed) {}

    /// The drive does not own the medium. The medium itself is no part of the state: when a saved
    /// state is restored, it has to be inserted before the state is loaded.
    void insert(BlockDevice* medium, Geometry geometry);
    void eject();

    FloppyType type() const { return type_; }
    bool has_medium() const { return medium_ != nullptr; }
    bool write_protected() const { return medium_ && medium_->read_only(); }
    bool track0() const { return type_ != FloppyType::None && state.cylinder == 0; }
    bool disk_changed() const;

    /// One step pulse: inwards (towards higher cylinders) or outwards.
    void step(bool inwards);

    /// Whether address marks are seen under `head` at this data rate (MFM).
    bool readable(u8 head, u32 rate_kbps) const;
    u8 sectors_per_track() const { return static_cast<u8>(geometry_.sectors); }
    /// The ID of sector `r`, as the heads see it where they are.
    Id id_of(u8 head, u8 r) const;
    /// Whether the present track carries a sector with this ID. Only if readable().
    bool finds(u8 head, Id id) const { return finds_cylinder(id.c) && finds_on_track(head, id); }
    bool finds_cylinder(u8 c) const;

    Time revolution() const
    {
        return (type_ == FloppyType::M1_2 ? 166'666'667 : 200'000'000) / speed_;
    }
    Time next_index(Time now) const { return now - now % revolution() + revolution(); }
    /// When sector `r` next passes under the heads.
    Time next_start_of(u8 r, Time now) const;
    /// The first sector that starts at or after `now`.
    u8 next_sector(Time now) const;

    /// Sector contents. False: the host failed. A sector beyond the end of a short image is blank.
    bool read(u8 head, Id id, std::span<u8> out);
    bool write(u8 head, Id id, std::span<const u8> data, bool deleted_mark);
    bool has_deleted_mark(u8 head, Id id) const;

    void visit(auto& v) { v("state", state); }

    State state;

private:
    bool five_inch() const { return type_ == FloppyType::K360 || type_ == FloppyType::M1_2; }
    u8 last_cylinder() const { return type_ == FloppyType::K360 ? 41 : 83; }
    bool narrow_steps() const;
    bool finds_on_track(u8 head, Id id) const;
    u32 sector_number(u8 head, Id id) const;

    FloppyType type_;
    u32 speed_;
    BlockDevice* medium_ = nullptr;
    Geometry geometry_;
};

static_assert(visits_every_member<FloppyDrive::State>);

}  // namespace reprise
