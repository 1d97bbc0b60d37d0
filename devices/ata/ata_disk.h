/// An ATA hard disk.
///
/// Source: T13 1410D ("ATA/ATAPI-6");
/// the commands that ATA-6 made obsolete (RECALIBRATE, SEEK, INITIALIZE DEVICE PARAMETERS and CHS
/// addressing) from X3T10 2008D ("ATA-2").
///
/// What is written is on the medium before the command completes; the write cache is a setting
/// without effect.
#pragma once

#include <optional>
#include <string>

#include "devices/ata/ata_port.h"
#include "devices/block_device.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class AtaDisk {
public:
    static constexpr u32 kSectorSize = 512;
    static constexpr u32 kMaxMultiple = 16;

    struct State {
        // The transfer in hand.
        u64 lba = 0;        // of the next sector
        u32 remaining = 0;  // sectors

        // Settings.
        u32 heads = 0;  // the translation that CHS addresses use; 0: the default one
        u32 sectors = 0;
        u8 multiple = 0;  // sectors per block of READ and WRITE MULTIPLE; 0: disabled
        bool write_cache = true;
        bool look_ahead = true;
        u8 transfer_mode = 0x22;  // SET FEATURES 03h: multiword DMA mode 2
        u8 power_mode = 0xFF;     // what CHECK POWER MODE answers: active

        constexpr void visit(auto& v)
        {
            v("lba", lba);
            v("remaining", remaining);
            v("heads", heads);
            v("sectors", sectors);
            v("multiple", multiple);
            v("write_cache", write_cache);
            v("look_ahead", look_ahead);
            v("transfer_mode", transfer_mode);
            v("power_mode", power_mode);
        }
    };

    /// `name` is unique among drives ("ata0.0"). The medium is not owned. `geometry` is the default
    /// translation; an empty one is replaced by 16 heads of 63 sectors.
    AtaDisk(Scheduler& scheduler, const std::string& name, BlockDevice* medium,
            Geometry geometry = {});

    const Geometry& geometry() const { return geometry_; }

    void visit(auto& v)
    {
        v("port", port.state);
        v("state", state);
    }

    AtaPort port;
    State state;

private:
    enum class Method : u8 { Pio, Multiple, Dma, Verify };
    struct Access {
        Method method;
        bool write;
        bool ext;  // 48-bit addresses
    };

    static std::optional<Access> access_of(u8 command);
    void run_command();
    void continue_access();
    void begin_access(Access access);
    void next_block(Access access, bool first);
    void finish_block(Access access);
    u32 block_size(Access access) const;
    std::optional<u64> address(bool ext) const;
    void set_address(u64 lba, bool ext);
    void identify();
    void read_native_max(bool ext);
    void initialize_parameters();
    void set_multiple();
    void set_features();
    void flush();
    void set_power_mode(u8 command);
    u64 total() const { return medium_ ? medium_->size_bytes() / kSectorSize : 0; }
    u32 heads() const { return state.heads ? state.heads : geometry_.heads; }
    u32 sectors() const { return state.sectors ? state.sectors : geometry_.sectors; }

    BlockDevice* medium_;
    Geometry geometry_;
    std::string serial_;
};

static_assert(visits_every_member<AtaDisk::State>);

}  // namespace reprise
