/// The loader and the runner of hardware-captured tests, and the bare processor as a tool.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "frontend/conformance_command.h"
#include "frontend/cpu_command.h"
#include "frontend/cpu_tools/cpu_job.h"
#include "frontend/cpu_tools/suite_report.h"
#include "frontend/errors.h"
#include "machine/base/error.h"
#include "tests/frontend/moo_builder.h"

using namespace reprise;
using namespace reprise::test;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct Folder {
    fs::path path = fs::temp_directory_path() / ("reprise-cpu-tools-" + std::to_string(::getpid()));
    Folder()
    {
        fs::remove_all(path);
        fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }

    std::string write(const std::string& name, const Bytes& bytes) const
    {
        std::ofstream(path / name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        return (path / name).string();
    }
};

constexpr int kAx = 0, kBx = 1, kIp = 12, kFlags = 13;

/// "add ax, bx" as an 8086 test: 2 + 3 = `sum`.
Bytes addition(u16 sum, u16 flags = 0xF006)
{
    return moo_test("add ax, bx", {0x01, 0xD8},
                    all_regs({{kAx, 2}, {kBx, 3}, {kIp, 0x100}, {kFlags, 0xF002}}) +
                        ram({{0x100, 0x01}, {0x101, 0xD8}, {0x102, 0x90}}),
                    regs({{kAx, sum}, {kIp, 0x102}, {kFlags, flags}}) + ram({}));
}

std::string message_of(const Bytes& data)
{
    try {
        parse_moo(data, "x.MOO");
    } catch (const HostError& error) {
        return error.what();
    }
    return "";
}

SuiteResult run(const Folder& folder, SuiteOptions options = {})
{
    options.paths = {folder.path.string()};
    return run_suite(options);
}

json run_job(const Folder& folder, const Bytes& code, CpuJob job, int exit_code)
{
    job.code = folder.write("code.bin", code);
    if (!job.model) job.model = find_cpu_model("pentium");
    const CpuJobResult result = run_cpu_job(job);
    EXPECT_EQ(result.exit_code, exit_code);
    return json::parse(result.json);
}

}  // namespace

TEST(MooFile, FinalRegistersAreLaidOverTheInitialOnes)
{
    const MooFile file = parse_moo(moo_file("8088", addition(5)), "x");
    EXPECT_EQ(file.cpu, "8088");
    ASSERT_EQ(file.tests.size(), 1u);
    const MooTest& test = file.tests[0];
    EXPECT_EQ(test.name, "add ax, bx");
    EXPECT_EQ(test.bytes, (Bytes{0x01, 0xD8}));
    EXPECT_EQ(test.final[kMooEax], 5u);
    EXPECT_EQ(test.final[kMooEbx], 3u);
    EXPECT_EQ(test.initial_ram.size(), 3u);
}

TEST(MooFile, UnknownChunksAreSkippedAndMasksAreJoined)
{
    Bytes tests = chunk("WHAT", {1, 2, 3}) + chunk("RMSK", {0, 0x20, 0xFF, 0x0F});  // flags: 0FFF
    const Bytes state = all_regs({}) + chunk("RMSK", {0, 0x20, 0xFE, 0xFF});        // flags: FFFE
    tests = tests + moo_test("nop", {0x90}, all_regs({}), state);
    EXPECT_EQ(parse_moo(moo_file("C286", tests), "x").tests[0].defined[kMooEflags], 0x0FFEu);
}

TEST(MooFile, WideRegistersAreThoseOfA386)
{
    Bytes payload;
    append(payload, (1u << 2) | (1u << 10), 4);  // eax, cs: of a selector only 16 bits count
    append(payload, 0x12345678, 4);
    append(payload, 0xFFFF1000, 4);
    const MooFile file = parse_moo(moo_file("386E", moo_test("nop", {0x90}, chunk("RG32", payload),
                                                             chunk("RG32", {0, 0, 0, 0}))),
                                   "x");
    EXPECT_TRUE(file.wide);
    EXPECT_EQ(file.tests[0].final[kMooEax], 0x12345678u);
    EXPECT_EQ(file.tests[0].final[kMooCs], 0x1000u);
}

TEST(MooFile, DamageIsNamed)
{
    EXPECT_NE(message_of({'P', 'K', 3, 4, 0, 0, 0, 0}).find("'x.MOO' is not a MOO file"),
              std::string::npos);
    const Bytes good = moo_file("8086", addition(5));
    EXPECT_EQ(message_of(good), "");
    // Cut anywhere but between chunks, it is damaged, and nothing worse happens.
    for (std::size_t length = 8; length < good.size(); ++length) {
        const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
        if (length != 20) {
            EXPECT_NE(message_of(cut).find("is damaged"), std::string::npos) << length;
        }
    }
    Bytes endless = good;
    endless[24] = endless[25] = endless[26] = endless[27] = 0xFF;  // the length of TEST
    EXPECT_NE(message_of(endless).find("longer than what is around it"), std::string::npos);
}

TEST(MooFile, NamesAreMadePrintable)
{
    const Bytes file = moo_file("8086", moo_test("\x1B[2Jadd", {0x90}, all_regs({}), regs({})));
    EXPECT_EQ(parse_moo(file, "x").tests[0].name, "?[2Jadd");
    EXPECT_EQ(parse_moo(moo_file("\x1B"
                                 "c86",
                                 {}),
                        "x")
                  .cpu,
              "?c86");
}

TEST(MooFile, MoreThanAnySuiteHasIsRefused)
{
    Bytes tests;
    for (int i = 0; i <= 100'000; ++i)
        tests = std::move(tests) + chunk("TEST", Bytes(4) + chunk("FINA", {}));
    EXPECT_EQ(message_of(moo_file("8086", tests)),
              "'x.MOO' is damaged: it has more than 100000 tests");
    const Folder folder;
    const fs::path bomb = folder.path / "bomb.MOO.gz";
    const auto write = [&](std::string_view first) {
        gzFile file = gzopen(bomb.c_str(), "wb1");
        gzwrite(file, first.data(), static_cast<unsigned>(first.size()));
        const Bytes megabyte(1 << 20);
        for (int i = 0; i < 257; ++i) gzwrite(file, megabyte.data(), 1 << 20);
        gzclose(file);
    };
    const auto message = [&]() -> std::string {
        try {
            read_moo_file(bomb.string());
        } catch (const HostError& error) {
            return error.what();
        }
        return "";
    };
    write("MOO ");
    EXPECT_EQ(message(), fmt::format("'{}' is larger than 256 MB", bomb.string()));
    write("");
    EXPECT_EQ(message(),
              fmt::format("'{}' is not a MOO file: it does not begin with 'MOO '", bomb.string()));
}

TEST(Conformance, CountsWhatIsAsCaptured)
{
    const Folder folder;
    folder.write("01.MOO", moo_file("8086", addition(5) + addition(6) + addition(5, 0xF016)));
    const std::string metadata =
        R"({"opcodes": {"01": {"flags-mask": 65519}}})";  // FFEF: AF is undefined
    folder.write("metadata.json", Bytes(metadata.begin(), metadata.end()));
    const SuiteResult result = run(folder);
    ASSERT_EQ(result.opcodes.size(), 1u);
    EXPECT_EQ(result.opcodes[0].tests, 3u);
    EXPECT_EQ(result.opcodes[0].equal_where_defined, 2u);
    EXPECT_EQ(result.opcodes[0].equal, 1u);
    ASSERT_EQ(result.opcodes[0].failures.size(), 1u);
    const std::string text = failure_text(result.opcodes[0], result.opcodes[0].failures[0]);
    EXPECT_NE(text.find("0002 -> 0006, here 0005"), std::string::npos) << text;
    EXPECT_NE(suite_table(result, false).find("66.667%"), std::string::npos)
        << suite_table(result, false);
    const json all = json::parse(suite_json(result));
    EXPECT_EQ(all["passed_all_flags"], 1);
    EXPECT_EQ(all["opcodes"][0]["failures"][0]["differences"][0]["what"], "ax");
}

TEST(Conformance, FiltersShardsAndStops)
{
    const Folder folder;
    for (const char* name : {"00.MOO", "01.MOO", "02.MOO", "F6.4.MOO"})
        folder.write(name, moo_file("8086", addition(6) + addition(6)));
    SuiteOptions filtered;
    filtered.filter = "F6";
    EXPECT_EQ(run(folder, filtered).opcodes.size(), 1u);
    SuiteOptions second;
    second.shard = 2;
    second.shards = 3;
    const SuiteResult part = run(folder, second);
    ASSERT_EQ(part.opcodes.size(), 1u);
    EXPECT_EQ(part.opcodes[0].opcode, "01");
    SuiteOptions impatient;
    impatient.max_failures = 3;
    impatient.threads = 1;
    const SuiteResult stopped = run(folder, impatient);
    EXPECT_EQ(stopped.sum(&OpcodeResult::failed), 3u);
    EXPECT_TRUE(stopped.stopped_early());
}

TEST(Conformance, ADamagedFileDoesNotHideTheOthers)
{
    const Folder folder;
    folder.write("00.MOO", {'M', 'O', 'O', ' ', 9, 0, 0, 0, 1});
    folder.write("01.MOO", moo_file("8086", addition(5)));
    folder.write("02.MOO", moo_file("Z80 ", addition(5)));
    const SuiteResult result = run(folder);
    EXPECT_NE(result.opcodes[0].error.find("damaged"), std::string::npos);
    EXPECT_EQ(result.opcodes[1].equal, 1u);
    EXPECT_NE(result.opcodes[2].error.find("'Z80' that has no model here"), std::string::npos);
    EXPECT_TRUE(result.has_errors());
}

TEST(Conformance, ExitCodesAndBadOptions)
{
    const Folder folder;
    folder.write("01.MOO", moo_file("8086", addition(5)));
    const std::string path = folder.path.string();
    EXPECT_EQ(conformance_command({path}), kSuccess);
    EXPECT_EQ(conformance_command({path, "--cpu", "80286"}), kSuccess);
    const fs::path before = fs::current_path();
    fs::current_path(folder.path);
    EXPECT_EQ(conformance_command({"01.MOO"}), kSuccess);  // a file without a folder
    fs::current_path(before);
    folder.write("02.MOO", moo_file("8086", addition(6)));
    EXPECT_EQ(conformance_command({path, "--show", "0", "--json", path + "/out.json", "--junit",
                                   path + "/out.xml"}),
              kFailure);
    EXPECT_GT(fs::file_size(folder.path / "out.json"), 100u);
    EXPECT_GT(fs::file_size(folder.path / "out.xml"), 100u);
    folder.write("03.MOO", {'x'});
    EXPECT_EQ(conformance_command({path, "--show", "0"}), kUsage);
    EXPECT_THROW(conformance_command({path, "--shard", "5/4"}), UsageError);
    EXPECT_THROW(conformance_command({path, "--show", "-1"}), UsageError);
    EXPECT_THROW(conformance_command({path, "--max-failures", "-1"}), UsageError);
    EXPECT_THROW(conformance_command({path, "--cpu", "z80"}), UsageError);
    EXPECT_THROW(conformance_command({path + "/none"}), HostError);
}

TEST(CpuRun, GivesRegistersFlagsAndMemory)
{
    const Folder folder;
    CpuJob job;
    job.mode = 32;
    job.registers = {{"eax", "0xFFFFFFFF"}, {"bl", "1"}, {"esp", "0x3000"}};
    job.memory = {{0x2000, "0102A0ff"}};
    job.dumps = {{0x2000, 4}, {0x2FFC, 4}};
    // movzx ecx, bl; add eax, ecx; push dword [2000h]; hlt
    const json out = run_job(
        folder, {0x0F, 0xB6, 0xCB, 0x01, 0xC8, 0xFF, 0x35, 0, 0x20, 0, 0, 0xF4}, job, kJobHalted);
    EXPECT_EQ(out["format"], "reprise-cpu-run");
    EXPECT_EQ(out["stop"]["reason"], "halt");
    EXPECT_EQ(out["instructions"], 4);
    EXPECT_EQ(out["registers"]["eax"], "0x00000000");
    EXPECT_EQ(out["registers"]["esp"], "0x00002FFC");
    EXPECT_EQ(out["flags"]["set"], (json{"CF", "PF", "AF", "ZF"}));
    EXPECT_EQ(out["segments"]["cs"]["selector"], "0x0008");
    EXPECT_EQ(out["memory"][0]["bytes"], "0102A0FF");
    EXPECT_EQ(out["memory"][1]["bytes"], "0102A0FF");
}

TEST(CpuRun, SaysWhyItStopped)
{
    const Folder folder;
    CpuJob job;
    job.mode = 32;
    json out = run_job(folder, {0x90, 0x0F, 0x0B}, job, kJobException);  // nop; ud2
    EXPECT_EQ(out["stop"]["reason"], "exception");
    EXPECT_EQ(out["stop"]["name"], "#UD");
    EXPECT_EQ(out["instructions"], 1);
    out = run_job(folder, {0xCD, 0x80}, job, kJobException);
    EXPECT_EQ(out["stop"]["reason"], "interrupt");
    EXPECT_EQ(out["stop"]["vector"], 0x80);
    EXPECT_EQ(out["registers"]["eip"], "0x00001002");
    job.limit = 10;
    out = run_job(folder, {0xEB, 0xFE}, job, kJobLimit);
    EXPECT_EQ(out["stop"]["reason"], "limit");
    EXPECT_EQ(out["instructions"], 10);
}

TEST(CpuRun, SixtyFourBitModeGivesAllItsRegisters)
{
    const Folder folder;
    CpuJob job;
    job.mode = 64;
    job.model = find_cpu_model("x86-64-v2");
    job.registers = {{"r8", "0x123456789ABCDEF0"},
                     {"r9d", "0x89ABCDEF"},
                     {"r10w", "0x1234"},
                     {"r11b", "0x56"},
                     {"sil", "0x78"},
                     {"gs_base", "0x2000"},
                     {"kernel_gs_base", "0x3000"},
                     {"xmm15", "0x1"},
                     {"efer", "0x801"}};
    job.dumps = {{0x2008, 8}};
    // mov [gs:8], r8; swapgs; movq xmm14, xmm15; hlt. EFER: SCE and NXE, and LME is gone: refused
    const Bytes code = {0x65, 0x4C, 0x89, 0x04, 0x25, 8,    0,    0,    0,
                        0x0F, 0x01, 0xF8, 0xF3, 0x45, 0x0F, 0x7E, 0xF7, 0xF4};
    EXPECT_THROW(run_job(folder, code, job, kJobHalted), HostError);
    job.registers.back().value = "0x901";
    const json out = run_job(folder, code, job, kJobHalted);
    EXPECT_EQ(out["mode"], 64);
    EXPECT_EQ(out["registers"]["r8"], "0x123456789ABCDEF0");
    EXPECT_EQ(out["registers"]["r9"], "0x0000000089ABCDEF");
    EXPECT_EQ(out["registers"]["r10"], "0x0000000000001234");
    EXPECT_EQ(out["registers"]["r11"], "0x0000000000000056");
    EXPECT_EQ(out["registers"]["rsi"], "0x0000000000000078");
    EXPECT_EQ(out["segments"]["gs"]["base"], "0x0000000000003000");
    EXPECT_EQ(out["msr"]["kernel_gs_base"], "0x0000000000002000");
    EXPECT_EQ(out["msr"]["efer"], "0x0000000000000D01");
    EXPECT_EQ(out["sse"]["xmm"][14], "0x00000000000000000000000000000001");
    EXPECT_EQ(out["memory"][0]["bytes"], "F0DEBC9A78563412");
}

TEST(CpuRun, PaePagingSetBeforehandHasItsPdptes)
{
    const Folder folder;
    CpuJob job;
    job.mode = 32;
    job.model = find_cpu_model("pentium2");
    job.registers = {{"cr3", "0x2000"}, {"cr4", "0x20"}, {"cr0", "0x80000011"}};
    // PDPTE 0 to a directory at 3000h with one large page
    job.memory = {{0x2000, "0130000000000000"}, {0x3000, "8300000000000000"}};
    EXPECT_EQ(run_job(folder, {0xF4}, job, kJobHalted)["registers"]["eip"], "0x00001001");
}

TEST(CpuRun, WrongInputIsNamed)
{
    const Folder folder;
    const std::string code = folder.write("code.bin", {0xF4});
    const auto message = [&](std::vector<std::string> arguments) -> std::string {
        arguments.insert(arguments.begin(), {"run", code});
        try {
            cpu_command(arguments);
        } catch (const std::exception& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_EQ(message({"--reg", "eax=5", "--cpu", "8086"}), "there is no register 'eax' in a 8086");
    EXPECT_EQ(message({"--reg", "ax=0x12345"}), "ax=0x12345: the register has 16 bits");
    EXPECT_EQ(message({"--reg", "ax=zz"}),
              "'zz' is no number: write decimal digits, or 0x and hexadecimal ones");
    for (const char* wrong :
         {"ax=-1", "ax=+1", "ax= 1", "ax=0x", "xmm0=0x", "xmm0=1e3", "rax=18446744073709551616",
          "xmm0=0x123456789012345678901234567890123"})
        EXPECT_NE(message({"--mode", "64", "--reg", wrong}).find("is no number"), std::string::npos)
            << wrong;
    EXPECT_EQ(message({"--mode", "64", "--reg", "rax=18446744073709551615", "--json", "/dev/null"}),
              "");
    EXPECT_EQ(message({"--mem", "0x500=9"}),
              "'9' is neither a file nor pairs of hexadecimal digits");
    EXPECT_EQ(message({"--mode", "32", "--cpu", "286"}), "the model '80286' has no 32-bit mode");
    EXPECT_EQ(message({"--at", "0x2000000"}),
              "the code (1 bytes at 0x2000000) does not fit into 16777216 bytes of memory");
    EXPECT_EQ(message({"--dump", "0x1000000,1"}), "--dump 0x1000000,1: memory has 16777216 bytes");
    EXPECT_EQ(message({"--dump", "5"}), "--dump 5: expected ADDR,LENGTH, such as 0x2000,16");
    EXPECT_EQ(message({"--memory", "5T"}), "--memory 5T: expected a size from 4K to 4G");
    EXPECT_EQ(message({"--limit", "-1"}), "--limit -1: expected a number, such as 4096 or 0x1000");
    EXPECT_EQ(message({"--dump", "010,0x"}),
              "--dump 0x: expected a number, such as 4096 or 0x1000");
    const std::string large = folder.write("large.bin", Bytes(4097));
    EXPECT_EQ(message({"-m", "4K", "--at", "0", "--mem", "0=" + large}),
              "'" + large + "' is larger than 4096 bytes of memory");
    EXPECT_EQ(message({"--mode", "64", "--cpu", "pentium3"}),
              "the model 'pentium3' has no 64-bit mode");
    EXPECT_EQ(
        message({"--mode", "64", "--reg", "cr4=0"}),
        "cr0=0xE0000033, cr3=0xFFFF000000, cr4=0x0, efer=0x500: a x86-64-v2 cannot be in this "
        "state");
    EXPECT_EQ(message({"--mode", "32", "--reg", "eflags=0x20000"}),
              "eflags: virtual-8086 mode (VM) can only be entered by a program");
    EXPECT_EQ(message({"--mode", "64", "--reg", "rip=0x800000000000"}),
              "rip=0x800000000000: bits 63 to 47 of an address are all the same");
    EXPECT_EQ(message({"--mode", "64", "--reg", "r16=1"}),
              "there is no register 'r16' in a x86-64-v2");
    EXPECT_THROW(cpu_command({"run", code, "--mode", "48"}), UsageError);
    EXPECT_THROW(cpu_command({"walk"}), UsageError);
    EXPECT_THROW(cpu_command({"run", code + "x"}), HostError);
    EXPECT_THROW(cpu_command({"run", folder.path.string()}), HostError);
    EXPECT_THROW(cpu_command({"run", "/dev/zero"}), HostError);
}

TEST(CpuModels, AreListedWithWhatTheyHave)
{
    const json all = json::parse(models_json());
    ASSERT_EQ(all["models"].size(), std::size(kCpuModels));
    EXPECT_EQ(all["models"][0]["name"], "8086");
    EXPECT_EQ(all["models"][0]["features"].size(), 0u);
    for (const json& model : all["models"])
        if (model["name"] == "pentium") {
            EXPECT_NE(std::ranges::find(model["features"], "tsc"), model["features"].end());
            EXPECT_EQ(model["generation"], "Pentium");
        }
    EXPECT_NE(models_text().find("80286"), std::string::npos);
}
