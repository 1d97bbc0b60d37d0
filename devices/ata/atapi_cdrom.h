/// An ATAPI CD-ROM drive with data discs.
///
/// Sources: T13 1410D ("ATA/ATAPI-6"), for PACKET; INCITS 360
/// ("MMC-3") and SFF-8020i for the packet commands. Names are theirs: sense key, ASC, ASCQ, LoEj.
///
/// A disc is an image of 2048-byte sectors: one session with one data track.
#pragma once

#include <optional>
#include <string>

#include "devices/ata/ata_port.h"
#include "devices/block_device.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class AtapiCdrom {
public:
    static constexpr u32 kSectorSize = 2048;

    /// What the block that the port moves belongs to.
    enum class Stage : u8 { Idle, Packet, Execute, Data };

    struct State {
        Stage stage = Stage::Idle;
        std::array<u8, 12> packet{};
        bool dma = false;
        u32 byte_limit = 0;  // the host's byte count: most bytes per DRQ block
        u32 filled = 0;      // bytes of the answer in the port's buffer
        u32 sent = 0;
        u32 lba = 0;  // of the next sector to be read into the buffer
        u32 remaining = 0;
        u8 parts = 0;  // READ CD: the fields of each sector that are wanted

        u8 sense_key = 0, asc = 0, ascq = 0;
        u8 unit_attention = 0x29;  // ASC: 29h power-on or reset, 28h medium changed; 0: none
        u8 media_event = 0;        // GET EVENT STATUS NOTIFICATION: 1 eject, 2 new, 3 removed
        bool tray_open = false;
        bool prevent_removal = false;
        u8 transfer_mode = 0x22;

        constexpr void visit(auto& v)
        {
            v("stage", stage);
            v("packet", packet);
            v("dma", dma);
            v("byte_limit", byte_limit);
            v("filled", filled);
            v("sent", sent);
            v("lba", lba);
            v("remaining", remaining);
            v("parts", parts);
            v("sense_key", sense_key);
            v("asc", asc);
            v("ascq", ascq);
            v("unit_attention", unit_attention);
            v("media_event", media_event);
            v("tray_open", tray_open);
            v("prevent_removal", prevent_removal);
            v("transfer_mode", transfer_mode);
        }
    };

    /// `name` is unique among drives ("ata1.0").
    AtapiCdrom(Scheduler& scheduler, const std::string& name);

    std::function<void(bool open)> on_tray;  // the guest opened or closed the tray

    /// Puts a disc in, closing the tray. Not owned, and no part of the state: when a saved state is
    /// restored, the disc has to be inserted before the state is loaded.
    void insert(BlockDevice* disc);
    void eject();  // takes the disc out, whatever PREVENT REMOVAL says

    void visit(auto& v)
    {
        v("port", port.state);
        v("state", state);
    }

    AtaPort port;
    State state;

private:
    // ATA side (atapi_cdrom.cpp).
    void run_command();
    void run_block();
    void identify();
    void set_features();
    void begin_packet();
    void send();
    void succeed();
    void check_condition(u8 key, u8 asc, u8 ascq = 0);
    void answer(u32 length, u32 allocation_length);
    std::span<u8> clear_answer(u32 length);

    // Packet commands (atapi_packets.cpp).
    void run_packet();
    void run_media_packet();
    void request_sense();
    void inquiry();
    void mode_sense();
    u32 mode_page(u8 page, std::span<u8> out) const;
    void start_stop_unit();
    void get_event_status();
    void get_configuration();
    void mechanism_status();
    void begin_read(u32 lba, u32 count, u8 parts);
    void read_cd(bool msf);
    void fill_sectors();
    void read_capacity();
    void read_toc();
    void read_header();
    void read_subchannel();
    void read_disc_information();
    void read_track_information();
    void put_address(std::span<u8> out, u32 lba, bool msf) const;

    bool disc_present() const { return disc_ && !state.tray_open; }
    u32 disc_sectors() const;
    u8 packet(int index) const { return state.packet[index]; }
    u32 packet_number(int index, int bytes) const;  // big endian

    BlockDevice* disc_ = nullptr;
    std::string serial_;
};

static_assert(visits_every_member<AtapiCdrom::State>);

}  // namespace reprise
