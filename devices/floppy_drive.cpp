#include "devices/floppy_drive.h"

#include <algorithm>

#include "machine/base/bits.h"

namespace reprise {

namespace {

/// How densely the medium is recorded follows from the number of sectors on a track.
enum class Density { Double, High, Extra };

Density density_of(const Geometry& geometry)
{
    if (geometry.sectors <= 11) return Density::Double;
    return geometry.sectors <= 24 ? Density::High : Density::Extra;
}

}  // namespace

void FloppyDrive::insert(BlockDevice* medium, Geometry geometry)
{
    const bool usable = medium && geometry.total() != 0 && geometry.cylinders <= 84 &&
                        geometry.heads <= 2 && geometry.sectors <= 48;
    medium_ = usable ? medium : nullptr;
    geometry_ = usable ? geometry : Geometry{};
    state.disk_changed = true;
    state.deleted = {};
}

void FloppyDrive::eject() { insert(nullptr, {}); }

/// A 360 KB drive has no such line: its connector leaves pin 34 open.
bool FloppyDrive::disk_changed() const
{
    return type_ != FloppyType::None && type_ != FloppyType::K360 && state.disk_changed;
}

/// A step pulse resets DSKCHG if there is a disk in the drive.
void FloppyDrive::step(bool inwards)
{
    if (type_ == FloppyType::None) return;
    if (inwards) state.cylinder = std::min<u8>(state.cylinder + 1, last_cylinder());
    else if (state.cylinder > 0) --state.cylinder;
    if (medium_) state.disk_changed = false;
}

/// A 40-track medium in a drive that steps half as far per pulse.
bool FloppyDrive::narrow_steps() const
{
    return type_ == FloppyType::M1_2 && geometry_.cylinders <= 43;
}

/// 5.25" double density media run at 250 kbps at 300 rpm and at 300 kbps at 360 rpm. Firmware that
/// does not know which drive it has uses either, so both are taken here.
bool FloppyDrive::readable(u8 head, u32 rate_kbps) const
{
    if (type_ == FloppyType::None || !medium_ || !state.motor || head >= geometry_.heads)
        return false;
    const u32 cylinder = narrow_steps() ? state.cylinder / 2u : state.cylinder;
    if (cylinder >= geometry_.cylinders) return false;
    switch (density_of(geometry_)) {
    case Density::Double: return rate_kbps == 250 || (rate_kbps == 300 && five_inch());
    case Density::High:
        return rate_kbps == 500 && type_ != FloppyType::K360 && type_ != FloppyType::K720;
    default: return rate_kbps == 1000 && type_ == FloppyType::M2_88;
    }
}

/// Software for 96 tpi drives steps twice per cylinder of a 48 tpi medium, firmware written for
/// virtual drives steps once. Both find the cylinder they ask for.
bool FloppyDrive::finds_cylinder(u8 c) const
{
    if (c >= geometry_.cylinders) return false;
    return c == state.cylinder || (narrow_steps() && c * 2 == state.cylinder);
}

bool FloppyDrive::finds_on_track(u8 head, Id id) const
{
    return id.h == head && id.n == kSectorSizeCode && id.r >= 1 && id.r <= geometry_.sectors;
}

FloppyDrive::Id FloppyDrive::id_of(u8 head, u8 r) const
{
    const bool halve = state.cylinder >= geometry_.cylinders;
    const u8 c = halve ? state.cylinder / 2 : state.cylinder;
    return {c, head, r, kSectorSizeCode};
}

Time FloppyDrive::next_start_of(u8 r, Time now) const
{
    const u64 sectors = std::max<u64>(geometry_.sectors, 1);
    const Time start = now - now % revolution() + revolution() * ((r - 1u) % sectors) / sectors;
    return start >= now ? start : start + revolution();
}

u8 FloppyDrive::next_sector(Time now) const
{
    const u64 sectors = std::max<u64>(geometry_.sectors, 1);
    const u64 passed = (now % revolution() * sectors + revolution() - 1) / revolution();
    return static_cast<u8>(passed % sectors + 1);
}

u32 FloppyDrive::sector_number(u8 head, Id id) const
{
    return (id.c * geometry_.heads + head) * geometry_.sectors + id.r - 1;
}

bool FloppyDrive::read(u8 head, Id id, std::span<u8> out)
{
    std::ranges::fill(out, u8{0});
    if (!medium_) return false;
    const u64 offset = u64{sector_number(head, id)} * kSectorSize;
    if (offset >= medium_->size_bytes()) return true;
    return medium_->read(offset, out.first(std::min(out.size(), medium_->size_bytes() - offset)));
}

bool FloppyDrive::write(u8 head, Id id, std::span<const u8> data, bool deleted_mark)
{
    const u32 sector = sector_number(head, id);
    if (!medium_ || !medium_->write(u64{sector} * kSectorSize, data)) return false;
    u8& marks = state.deleted[sector / 8 % state.deleted.size()];
    marks = with_bit(marks, sector % 8, deleted_mark);
    return true;
}

bool FloppyDrive::has_deleted_mark(u8 head, Id id) const
{
    const u32 sector = sector_number(head, id);
    return bit(state.deleted[sector / 8 % state.deleted.size()], sector % 8);
}

}  // namespace reprise
