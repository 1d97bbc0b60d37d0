/// The GDB server, as a client on the other end of the line sees it: GDB manual, appendix E.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdio>
#include <random>

#include "frontend/gdb/server.h"
#include "tests/machine/guest_programs.h"
#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

// ---- Packets -----------------------------------------------------------------------------------

TEST(GdbPackets, ThePacketOfTheManualHasItsChecksum)
{
    EXPECT_EQ(gdb_packet("OK"), "$OK#9a");
    EXPECT_EQ(gdb_packet(""), "$#00");
}

TEST(GdbPackets, EveryByteSurvivesTheLine)
{
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    GdbPackets packets;
    packets.receive(gdb_packet(all));
    const auto message = packets.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->kind, GdbPackets::Message::Kind::Packet);
    EXPECT_EQ(message->payload, all);
}

TEST(GdbPackets, MessagesMayComeInPieces)
{
    using Kind = GdbPackets::Message::Kind;
    const std::string line = "+" + gdb_packet("qC") + "\x03" + "-" + gdb_packet("g");
    GdbPackets packets;
    std::vector<Kind> kinds;
    for (const char c : line) {
        packets.receive({&c, 1});
        while (const auto message = packets.next()) kinds.push_back(message->kind);
    }
    EXPECT_EQ(kinds, (std::vector{Kind::Packet, Kind::Interrupt, Kind::Resend, Kind::Packet}));
}

TEST(GdbPackets, AWrongChecksumIsNoticed)
{
    GdbPackets packets;
    packets.receive("$OK#9b$OK#zz$OK#9a");
    EXPECT_EQ(packets.next()->kind, GdbPackets::Message::Kind::Damaged);
    EXPECT_EQ(packets.next()->kind, GdbPackets::Message::Kind::Damaged);
    EXPECT_EQ(packets.next()->payload, "OK");
    EXPECT_FALSE(packets.next());
}

// ---- A client ----------------------------------------------------------------------------------

class Client {
public:
    explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0))
    {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<u16>(port));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }

    void send(std::string_view bytes)
    {
        static_cast<void>(!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }
    std::string received()
    {
        std::array<char, 4096> buffer;
        const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (n == 0) closed = true;
        return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : "";
    }

    bool closed = false;

private:
    FileDescriptor fd_;
};

/// A guest that waits for gdb, and a client that has connected.
class Gdb : public testing::Test {
protected:
    explicit Gdb(std::span<const u8> program = kTimer) : machine(booted().start(program)) {}

    void turn()
    {
        server.poll();
        if (!server.holds_guest()) machine->run_until(machine->now() + kMillisecond);
    }

    /// The next packet that comes back; acknowledgements are left out.
    std::string answer()
    {
        for (int i = 0; i < 4000; ++i) {
            turn();
            from_server.receive(client.received());
            while (const auto message = from_server.next())
                if (message->kind == GdbPackets::Message::Kind::Packet) return message->payload;
        }
        return "no answer";
    }
    std::string ask(std::string_view payload)
    {
        client.send(gdb_packet(payload));
        return answer();
    }
    u64 number(const std::string& reply)
    {
        u64 result = 0;
        const std::string bytes = from_hex(reply).value_or("");
        for (std::size_t i = bytes.size(); i-- > 0;)
            result = result << 8 | static_cast<u8>(bytes[i]);
        return result;
    }

    static constexpr const char* kPc = "p8";

    std::unique_ptr<Machine> machine;
    GdbServer server{*machine, "0", true};
    Client client{server.port()};
    GdbPackets from_server;
};

TEST_F(Gdb, TheGuestWaitsUntilItIsTold)
{
    const u64 before = machine->instructions();
    EXPECT_EQ(ask("?"), "T05thread:1;");
    EXPECT_EQ(number(ask(kPc)), 0x7C00u);
    EXPECT_EQ(machine->instructions(), before);
}

TEST_F(Gdb, PacketsAreAcknowledgedUntilThatIsSwitchedOff)
{
    const auto raw = [&](const std::string& bytes) {
        client.send(bytes);
        std::string all;
        for (int i = 0; i < 20; ++i) {
            turn();
            all += client.received();
        }
        return all;
    };
    EXPECT_EQ(raw(gdb_packet("qC")), "+" + gdb_packet("QC1"));
    EXPECT_EQ(raw("$qC#00"), "-");
    EXPECT_EQ(raw("-"), gdb_packet("QC1"));
    EXPECT_EQ(raw(gdb_packet("QStartNoAckMode")), "+" + gdb_packet("OK"));
    EXPECT_EQ(raw(gdb_packet("qC")), gdb_packet("QC1"));
}

TEST_F(Gdb, TheDescriptionComesInPieces)
{
    std::string xml;
    for (;;) {
        const std::string piece =
            ask(fmt::format("qXfer:features:read:target.xml:{:x},1f0", xml.size()));
        ASSERT_FALSE(piece.empty());
        xml += piece.substr(1);
        if (piece[0] == 'l') break;
        ASSERT_EQ(piece[0], 'm');
    }
    EXPECT_TRUE(xml.ends_with("</target>\n"));
    for (const char* part : {"org.gnu.gdb.i386.core", "<reg name=\"eip\" bitsize=\"32\"",
                             "regnum=\"31\"", "cs_base", "cr0", "gdtr_limit"})
        EXPECT_NE(xml.find(part), xml.npos) << part;
}

TEST_F(Gdb, AllRegistersAreThoseThatAreReadAlone)
{
    const std::string all = ask("g");
    std::string one_by_one;
    for (int i = 0;; ++i) {
        const std::string reg = ask(fmt::format("p{:x}", i));
        if (reg == "E01") break;
        one_by_one += reg;
    }
    EXPECT_EQ(all, one_by_one);
    EXPECT_EQ(ask("G" + all), "OK");
    EXPECT_EQ(ask("g"), all);
}

TEST_F(Gdb, RegistersAndMemoryCanBeWritten)
{
    EXPECT_EQ(ask("P0=78563412"), "OK");
    EXPECT_EQ(number(ask("p0")), 0x12345678u);
    EXPECT_EQ(ask("P0=7856341"), "E01");
    EXPECT_EQ(ask("Pffff=00000000"), "E01");
    EXPECT_EQ(ask("M9000,3:aabbcc"), "OK");
    EXPECT_EQ(ask("m9000,3"), "aabbcc");
    EXPECT_EQ(ask(std::string("X9001,2:\x7d#", 10)), "OK");
    EXPECT_EQ(ask("m9000,3"), "aa7d23");
    EXPECT_EQ(ask("x9000,3"), std::string("b\xAA\x7D\x23"));
    EXPECT_EQ(ask("X9000,0:"), "OK");
    EXPECT_EQ(ask("M9000,3:aabb"), "E01");
    EXPECT_EQ(ask("Mfffffff0,1:00"), "E14") << "the BIOS is read-only memory";
}

TEST_F(Gdb, ABreakpointStopsTheGuest)
{
    EXPECT_EQ(ask("qSupported:swbreak+;hwbreak+").substr(0, 11), "PacketSize=");
    EXPECT_EQ(ask("Z0,7c42,1"), "OK");
    EXPECT_EQ(ask("c"), "T05thread:1;swbreak:;");
    EXPECT_EQ(number(ask(kPc)), 0x7C42u);
    EXPECT_EQ(ask("z0,7c42,1"), "OK");
    EXPECT_EQ(ask("vCont;s:1;c"), "T05thread:1;");
    EXPECT_EQ(number(ask(kPc)), 0x7C43u);
    EXPECT_EQ(ask("Z2,504,4"), "OK");
    EXPECT_EQ(ask("vCont;c"), "T05thread:1;watch:504;");
    EXPECT_EQ(number(ask(kPc)), 0x7C48u);
    EXPECT_EQ(ask("z2,504,4"), "OK");
    EXPECT_EQ(ask("vCont;r7c48,7c4e:1"), "T05thread:1;");
    EXPECT_EQ(number(ask(kPc)), 0x7C4Eu);
}

TEST_F(Gdb, CtrlCStopsTheGuest)
{
    client.send(gdb_packet("c"));
    for (int i = 0; i < 20; ++i) turn();
    EXPECT_FALSE(server.holds_guest());
    client.send("\x03");
    EXPECT_EQ(answer(), "T02thread:1;");
    EXPECT_TRUE(server.holds_guest());
}

TEST_F(Gdb, ATripleFaultIsToldBeforeTheReset)
{
    const std::string xml = ask("qXfer:features:read:target.xml:0,4000");
    const std::size_t at = xml.find("\"idtr_limit\"");
    const std::size_t regnum = xml.find("regnum=\"", at) + 8;
    const int number_of_limit = std::atoi(xml.c_str() + regnum);
    EXPECT_EQ(ask("M7c00,1:cc"), "OK");  // int3
    EXPECT_EQ(ask(fmt::format("P{:x}=0000", number_of_limit)), "OK");
    EXPECT_EQ(from_hex(ask("c").substr(1)).value_or("").substr(0, 12), "Triple fault");
    EXPECT_EQ(answer(), "T0bthread:1;");
    EXPECT_EQ(number(ask(kPc)), 0x7C00u);
    EXPECT_EQ(ask("s"), "T05thread:1;");
    EXPECT_EQ(number(ask(kPc)), 0xFE05Bu) << "the BIOS begins with a far jump";
}

TEST_F(Gdb, MonitorDoesWhatOnlyTheEmulatorCan)
{
    const auto monitor = [&](const std::string& line) {
        return from_hex(ask("qRcmd," + to_hex(line))).value_or("no hex");
    };
    EXPECT_NE(monitor("help").find("state-hash"), std::string::npos);
    EXPECT_EQ(monitor("state-hash"), fmt::format("{:016x}\n", machine->state_hash()));
    EXPECT_NE(monitor("registers").find("0000000000007c00"), std::string::npos);
    EXPECT_NE(monitor("time").find(std::to_string(machine->instructions())), std::string::npos);
    EXPECT_EQ(monitor("info jit"), "translator: not in use\n");
    if (machine->set_engine(Engine::Translator)) {
        EXPECT_TRUE(monitor("info jit").starts_with("translator: 0 blocks"));
        machine->set_engine(Engine::Interpreter);
    }
    EXPECT_EQ(monitor("memory physical"), "addresses are physical\n");
    EXPECT_EQ(ask("qqemu.PhyMemMode"), "1");
    EXPECT_EQ(ask("Qqemu.PhyMemMode:0"), "OK");
    EXPECT_EQ(monitor("memory"), "addresses are linear\n");
    EXPECT_NE(monitor("save /nowhere/at/all").find("cannot"), std::string::npos);
    EXPECT_NE(monitor("dance").find("no command"), std::string::npos);
    const TemporaryFolder folder;
    monitor("screenshot " + (folder / "screen.png"));
    monitor("save " + (folder / "saved"));
    EXPECT_EQ(Machine::load(folder / "saved")->state_hash(), machine->state_hash());
    EXPECT_EQ(contents(folder / "screen.png").size() > 100, true);
    monitor("reset");
    EXPECT_EQ(number(ask(kPc)), 0xFFFFFFF0u);
    monitor("quit");
    EXPECT_TRUE(server.wants_to_end());
}

TEST_F(Gdb, DetachingLetsTheGuestRunAndAnotherClientMayCome)
{
    EXPECT_EQ(ask("Z0,7c42,1"), "OK");
    EXPECT_EQ(ask("D"), "OK");
    const u64 before = machine->instructions();
    for (int i = 0; i < 50; ++i) turn();
    EXPECT_FALSE(server.holds_guest()) << "the breakpoint is gone";
    EXPECT_GT(machine->instructions(), before);
    EXPECT_TRUE((client.received(), client.closed));

    client = Client(server.port());
    from_server = {};
    EXPECT_EQ(ask("?"), "T05thread:1;");
    EXPECT_TRUE(server.holds_guest());
    client = Client(-1);  // gone without a word
    for (int i = 0; i < 50; ++i) turn();
    EXPECT_FALSE(server.holds_guest());
}

TEST_F(Gdb, ASecondClientIsTurnedAway)
{
    EXPECT_EQ(ask("qC"), "QC1");
    Client second(server.port());
    for (int i = 0; i < 50 && !second.closed; ++i) {
        turn();
        second.received();
    }
    EXPECT_TRUE(second.closed);
    EXPECT_EQ(ask("qC"), "QC1");
}

TEST_F(Gdb, AClientMayComeAtTheMomentThatTheOneBeforeGoes)
{
    EXPECT_EQ(ask("qC"), "QC1");
    client = Client(server.port());  // the server sees both at once
    from_server = {};
    EXPECT_EQ(ask("?"), "T05thread:1;");
    EXPECT_TRUE(server.holds_guest());
}

TEST_F(Gdb, KillEndsTheEmulator)
{
    client.send(gdb_packet("k"));
    for (int i = 0; i < 50 && !server.wants_to_end(); ++i) turn();
    EXPECT_TRUE(server.wants_to_end());
}

TEST_F(Gdb, AGuestThatExitsSaysGoodbye)
{
    EXPECT_EQ(ask("qC"), "QC1");
    server.guest_exited(3);
    EXPECT_EQ(answer(), "W03");
}

TEST_F(Gdb, NothingThatIsSentBreaksTheServer)
{
    const std::vector<std::string> sensible = {"?",
                                               "g",
                                               "G00",
                                               "p8",
                                               "P8=007c0000",
                                               "m7c00,10",
                                               "M9000,1:00",
                                               "X9000,1:a",
                                               "x7c00,10",
                                               "Z0,7c42,1",
                                               "Z2,504,4",
                                               "Z4,0,ffffffffffffffff",
                                               "z0,7c42,1",
                                               "c",
                                               "s",
                                               "C05",
                                               "S05;7c00",
                                               "vCont;c",
                                               "vCont;s:1",
                                               "vCont;r7c00,7c50:1",
                                               "vCont?",
                                               "qSupported:x",
                                               "qC",
                                               "H g1",
                                               "T1",
                                               "qXfer:features:read:target.xml:0,100",
                                               "qRcmd,68656c70",
                                               "qRcmd,72657365740a",
                                               "vCtrlC",
                                               "Qqemu.PhyMemMode:1",
                                               "mffffffffffffffff,ffffffff",
                                               "Mffffffffffffffff,1:00",
                                               "vCont;r0,ffffffffffffffff",
                                               "Zffffffffffffffff,0,0",
                                               "qThreadExtraInfo,1"};
    const u64 seed = 11;
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    for (int i = 0; i < 3000; ++i) {
        std::string packet = sensible[random() % sensible.size()];
        for (u64 changes = random() % 4; changes > 0 && !packet.empty(); --changes) {
            const std::size_t at = random() % packet.size();
            switch (random() % 4) {
            case 0: packet[at] = static_cast<char>(random()); break;
            case 1: packet.erase(at); break;
            case 2: packet.insert(at, 1, "0123456789abcdef,;:=#}*\x03"[random() % 24]); break;
            default: packet += sensible[random() % sensible.size()];
            }
        }
        // What ends the session is tested elsewhere.
        if (packet.starts_with('D') || packet.starts_with('k') || packet.starts_with("vKill"))
            continue;
        std::string line = gdb_packet(packet);
        switch (random() % 32) {
        case 0: line = packet; break;
        case 1: line.resize(random() % line.size()); break;
        case 2: line = "$" + std::string(random() % 100'000, 'm'); break;
        case 3:
            line.resize(random() % 2000);
            for (char& c : line) c = static_cast<char>(random());
            break;
        default: break;
        }
        client.send(line);
        if (random() % 8 == 0) client.send("\x03");
        server.poll();
        if (!server.holds_guest()) machine->run_until(machine->now() + 10 * kMicrosecond);
        client.received();
        if (server.wants_to_end()) break;
    }
    client = Client(-1);
    for (int i = 0; i < 20; ++i) server.poll();
    client = Client(server.port());
    from_server = {};
    EXPECT_EQ(ask("qC"), "QC1");
}

TEST(GdbServerAddress, IsLoopbackUnlessSaidOtherwise)
{
    const auto machine = booted().start(kTimer);
    EXPECT_TRUE(GdbServer(*machine, "0", false).address().starts_with("127.0.0.1:"));
    EXPECT_TRUE(GdbServer(*machine, "0.0.0.0:0", false).address().starts_with("0.0.0.0:"));
    const GdbServer first(*machine, "0", false);
    EXPECT_NE(
        error_of([&] { GdbServer(*machine, std::to_string(first.port()), false); }).find("in use"),
        std::string::npos);
    EXPECT_NE(error_of([&] { GdbServer(*machine, "port", false); }).find("gdb"), std::string::npos);
}

}  // namespace
