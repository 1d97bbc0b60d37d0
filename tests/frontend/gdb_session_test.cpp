/// Debian's gdb, as it comes, debugs guests through the server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <regex>
#include <thread>

#include "frontend/gdb/server.h"
#include "tests/machine/guest_programs.h"
#include "tests/machine/machine_test.h"
#include "tests/machine/media.h"

using namespace reprise;
using namespace reprise::test;

namespace {

bool has_gdb()
{
    if (std::system("gdb --version > /dev/null 2>&1") == 0) return true;
    [&] { GTEST_SKIP() << "gdb is not installed (Debian: gdb)"; }();
    return false;
}

/// Runs gdb with these commands on a machine that waits for it, and returns what it prints.
std::string gdb_session(Machine& machine, const std::vector<std::string>& commands)
{
    GdbServer server(machine, "0", true);
    std::string script = "set pagination off\nset confirm off\n";
    script += fmt::format("target remote 127.0.0.1:{}\n", server.port());
    for (const std::string& command : commands) script += command + "\n";
    const TemporaryFolder folder;
    const std::string command =
        fmt::format("timeout 300 gdb -nx -batch -x {} 2>&1", folder.text("script", script));
    std::FILE* gdb = ::popen(command.c_str(), "r");
    std::string output;
    std::jthread reader([&] {
        std::array<char, 4096> buffer;
        while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), gdb))
            output.append(buffer.data(), n);
    });
    std::atomic<bool> done = false;
    std::jthread waiter([&] {
        reader.join();
        done = true;
    });
    while (!done) {
        if (!server.poll() && server.holds_guest()) server.wait(host_now() + 5 * kMillisecond);
        if (!server.holds_guest()) machine.run_until(machine.now() + 5 * kMillisecond);
    }
    ::pclose(gdb);
    return output;
}

/// The same on a machine that boots `sector`. Empty: the test is skipped.
std::string gdb_session(std::span<const u8> sector, const std::vector<std::string>& commands,
                        const std::string& cpu = MachineConfig{}.cpu_model)
{
    if (!has_gdb()) return "";
    std::vector<u8> floppy(1440 * 1024);
    std::ranges::copy(sector, floppy.begin());
    floppy[510] = 0x55;
    floppy[511] = 0xAA;
    const TemporaryFolder folder;
    MachineConfig config;
    config.memory_bytes = 8 << 20;
    config.cpu_model = cpu;
    config.floppy[0].path = folder.file("floppy", floppy);
    config.floppy[0].snapshot = true;
    Machine machine(config);
    return gdb_session(machine, commands);
}

testing::AssertionResult shows(const std::string& output, const std::vector<std::string>& lines)
{
    std::size_t at = 0;
    for (const std::string& line : lines) {
        const std::size_t found = output.find(line, at);
        if (found == output.npos)
            return testing::AssertionFailure() << "no '" << line << "' in its place in\n" << output;
        at = found + line.size();
    }
    return testing::AssertionSuccess();
}

TEST(GdbSession, FromTheResetVectorToABreakpointInTheBootSector)
{
    const std::string output = gdb_session(kTimer, {"set architecture i8086",
                                                    "x/i $pc",
                                                    "printf \"cs %x\\n\", $cs",
                                                    "stepi",
                                                    "printf \"at %x\\n\", $pc",
                                                    "break *0x7c00",
                                                    "continue",
                                                    "x/2i $pc",
                                                    "print $eflags",
                                                    "watch *(int*)0x504",
                                                    "continue",
                                                    "printf \"at %x\\n\", $pc",
                                                    "delete",
                                                    "nexti",
                                                    "printf \"at %x\\n\", $pc",
                                                    "maintenance packet Qqemu.PhyMemMode:1",
                                                    "x/2xb 0x7c00",
                                                    "set $pc = 0x7c00",
                                                    "printf \"ip %x\\n\", $ip",
                                                    "detach"});
    if (testing::Test::IsSkipped()) return;
    EXPECT_TRUE(
        shows(output, {"0xfffffff0", "ljmp", "cs f000", "at fe05b", "Breakpoint 1", "0x00007c00",
                       "cli", "xor", "%ax,%ax", "Hardware watchpoint 2", "at 7c48", "at 7c4a",
                       "0x7c00:\t0xfa\t0x31", "ip 7c00", "detached"}));
}

TEST(GdbSession, ABreakpointInProtectedModeAndATripleFault)
{
    const std::string output = gdb_session(
        kPaging, {"break *0x7c70", "continue", "x/i $pc", "print/x $cr0", "print $code_size",
                  "hbreak *0x7d35", "continue", "x/i $eip", "delete", "set $idtr_limit = 0",
                  "continue", "print $code_size", "x/i $pc", "x/xb 0x400000"});
    if (testing::Test::IsSkipped()) return;
    EXPECT_TRUE(shows(output, {"Breakpoint 1", "0x7c70:", "$0x10,%ax", "80000011", "= 32",
                               "Breakpoint 2", "=> 0x7d35:", "incl", "%ss:0x2600", "Triple fault",
                               "SIGSEGV", "= 16", "int    $0x33", "Cannot access memory"}));
}

TEST(GdbSession, AProcessorWithLongModeIsDescribedInEitherWay)
{
    const std::string output =
        gdb_session(kTimer,
                    {"print $rax", "tbreak *0x7c00", "continue", "monitor describe i386",
                     "unset tdesc filename", "set architecture i8086", "print/x $eip", "x/2i $pc",
                     "set architecture auto", "monitor describe x86-64", "unset tdesc filename",
                     "print/x $rip", "stepi", "print/x $rip", "print $xmm15.uint128", "print $st0"},
                    "x86-64");
    if (testing::Test::IsSkipped()) return;
    EXPECT_TRUE(shows(output, {"$1 = 0", "0x0000000000007c00 in ??", "= 0x7c00", "cli", "%ax,%ax",
                               "= 0x7c00", "= 0x7c01", "= 0", "= 0"}));
}

TEST(GdbSession, BreakpointsAndWatchpointsInTheUpperHalfOfLongMode)
{
    const std::string output =
        gdb_session(kLongMode,
                    {"break *0xffff800000007c99", "continue", "x/2i $pc", "print $code_size",
                     "stepi", "print/x $r15", "delete", "watch *(long*)0xffff800000007bf8",
                     "continue", "print/x $rip", "watch *(long*)0x6000 if *(long*)0x6000 == 5",
                     "continue", "print *(long*)0x6000", "print/x $efer", "x/xb 0x800000007c99"},
                    "x86-64");
    if (testing::Test::IsSkipped()) return;
    EXPECT_TRUE(shows(
        output, {"Breakpoint 1", "0xffff800000007c99 in ??", "=> 0xffff800000007c99:",
                 "movabs $0x1122334455667788,%r15", "incq   0x6000", "= 64", "0x1122334455667788",
                 "Hardware watchpoint 2", "New value = 1234605616436508552", "0xffff800000007cad",
                 "Hardware watchpoint 3", "= 5", "= 0x500", "Cannot access memory"}));
}

TEST(GdbSession, CtrlCInterruptsTheGuest)
{
    const std::string output = gdb_session(
        kTimer, {"shell (sleep 1; kill -INT $PPID) &", "continue",
                 "printf \"stopped, CPL %d\\n\", $cpl", "info threads", "monitor time"});
    if (testing::Test::IsSkipped()) return;
    EXPECT_TRUE(shows(output, {"SIGINT", "stopped, CPL 0", "CPL 0", "instructions"}));
}

// ---- Linux --------------------------------------------------------------------------------------

/// Debian's 64-bit Linux on its way to a shell, and what it says on the serial line.
class Linux {
public:
    explicit Linux(const std::string& folder) : machine(config(folder))
    {
        machine.on_serial_output = [this](int, u8 byte) { said += static_cast<char>(byte); };
    }

    /// Whether it says this within two minutes of its time.
    bool says(std::string_view text)
    {
        const Time end = machine.now() + 120 * kSecond;
        while (said.find(text) == said.npos && machine.now() < end)
            machine.run_until(machine.now() + 10 * kMillisecond);
        return said.find(text) != said.npos;
    }

    void type(const std::string& text)
    {
        for (const char c : text) {
            machine.inject(SerialInput{0, {static_cast<u8>(c)}});
            machine.run_until(machine.now() + kMillisecond);
        }
    }

    /// Where the kernel has its symbols; Debian's package has a System.map with nothing in it.
    std::map<std::string, std::string> symbols(const std::string& names)
    {
        type("grep -E ' (" + names + ")$' /proc/kallsyms; echo that is a''ll\n");
        if (!says("that is all")) return {};
        std::map<std::string, std::string> found;
        const std::regex line("([0-9a-f]+) [A-Za-z] (" + names + ")\r\n");
        for (std::sregex_iterator i(said.begin(), said.end(), line), end; i != end; ++i)
            found[(*i)[2]] = "0x" + std::string((*i)[1]);
        return found;
    }

    Machine machine;
    std::string said;

private:
    static MachineConfig config(const std::string& folder)
    {
        MachineConfig config;
        config.memory_bytes = 256 << 20;
        config.cpu_model = "x86-64";
        config.kernel.path = folder + "/vmlinuz";
        config.kernel.initrd = {{folder + "/shell.gz", ""}};
        config.kernel.append = "console=ttyS0 nokaslr";
        return config;
    }
};

/// At addresses that an earlier run of the same kernel tells.
TEST(GdbSession, SymbolsOfLinuxFromTheResetVectorOn)
{
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "Linux takes minutes with a sanitizer";
#endif
    const std::string kernel = linux_guest("amd64/vmlinuz");
    if (kernel.empty() || !has_gdb()) return;
    Linux guest(std::filesystem::path(kernel).parent_path().string());
    ASSERT_TRUE(guest.says("guest# ")) << guest.said;
    auto at = guest.symbols("start_kernel|linux_banner|jiffies|do_timer");
    ASSERT_EQ(at.size(), 4u) << guest.said;
    const std::string output =
        gdb_session(guest.machine,
                    {"monitor reset", "maintenance flush register-cache", "print $code_size",
                     "break *" + at["start_kernel"], "continue", "x/i $pc", "print $code_size",
                     "x/s " + at["linux_banner"], "delete", "watch *(long*)" + at["jiffies"],
                     "continue", fmt::format("print $pc >= {0} && $pc < {0} + 100", at["do_timer"]),
                     "printf \"CPL %d\\n\", $cpl"});
    EXPECT_TRUE(shows(output, {"$1 = 16", "Breakpoint 1, " + at["start_kernel"],
                               "=> " + at["start_kernel"], "$2 = 64", "\"Linux version 6.1",
                               "Hardware watchpoint 2", "New value", "$3 = 1", "CPL 0"}));
}

}  // namespace
