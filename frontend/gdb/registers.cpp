#include "frontend/gdb/registers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "frontend/gdb/packets.h"

namespace reprise {

namespace {

constexpr const char* kCore = "org.gnu.gdb.i386.core";
constexpr const char* kSse = "org.gnu.gdb.i386.sse";
constexpr const char* kSegments = "org.gnu.gdb.i386.segments";
constexpr const char* kSystem = "org.reprise.system";

constexpr const char* kFlagsType =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n";

constexpr const char* kVectorTypes =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>\n"
    "<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
    "<field name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/>"
    "<field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
    "<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/>"
    "<field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" end=\"8\"/>"
    "<field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
    "<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/>"
    "<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>\n";

/// What gdb calls rax when it is 32 bits wide.
std::string narrow_name(std::string name)
{
    name[0] = 'e';
    return name;
}

}  // namespace

bool GdbRegisters::has_long_mode(const Debugger& debugger)
{
    return find_register(debugger.registers(), "r8") != nullptr;
}

void GdbRegisters::describe(bool as_64_bit)
{
    is_64_bit_ = as_64_bit && has("r8");
    features_.clear();
    registers_.clear();
    add_core();
    add_fpu();
    if (has("xmm0")) add_sse();
    add_system();
}

void GdbRegisters::add(const std::string& name, std::size_t bytes, const std::string& type,
                       const std::string& source, const std::string& group)
{
    registers_.push_back(
        {name, bytes, type, source, find_register(all_, source), features_.size() - 1, group});
}

/// gdb's own order, not that of the encoding (gdb/features/i386/32bit-core.xml, 64bit-core.xml).
/// Its program counter is the linear address, so that it shows and breaks at the right code
/// whatever the CS base is.
void GdbRegisters::add_core()
{
    constexpr std::array kWide = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    constexpr std::array kNarrow = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
    const auto type_of = [&](const std::string& name) {
        if (name == "rsp" || name == "rbp") return "data_ptr";
        return is_64_bit_ ? "int64" : "int32";
    };
    begin_feature(kCore);
    if (is_64_bit_)
        for (const std::string name : kWide) add(name, 8, type_of(name), name);
    else
        for (const std::string name : kNarrow) add(narrow_name(name), 4, type_of(name), name);
    add(is_64_bit_ ? "rip" : "eip", is_64_bit_ ? 8 : 4, "code_ptr", "pc");
    add("eflags", 4, "i386_eflags", "rflags");
    for (const std::string name : {"cs", "ss", "ds", "es", "fs", "gs"}) add(name, 4, "int32", name);
}

/// gdb insists on them, even if the CPU has none.
void GdbRegisters::add_fpu()
{
    for (int i = 0; i < 8; ++i) add(fmt::format("st{}", i), 10, "i387_ext", fmt::format("st{}", i));
    for (const std::string name :
         {"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"})
        add(name, 4, "int", name, "float");
}

void GdbRegisters::add_sse()
{
    begin_feature(kSse);
    for (int i = 0; i < (is_64_bit_ ? 16 : 8); ++i)
        add(fmt::format("xmm{}", i), 16, "vec128", fmt::format("xmm{}", i));
    add("mxcsr", 4, "i386_mxcsr", "mxcsr", "vector");
}

/// The rest, in the machine's order.
void GdbRegisters::add_system()
{
    if (is_64_bit_) {
        begin_feature(kSegments);
        for (const std::string name : {"fs_base", "gs_base"}) add(name, 8, "int64", name);
    }
    begin_feature(kSystem);
    const std::size_t known = registers_.size();
    for (const DebugRegister& reg : all_) {
        const auto is_this = [&](const Register& r) { return r.source == reg.name; };
        const auto end = registers_.begin() + static_cast<std::ptrdiff_t>(known);
        if (std::find_if(registers_.begin(), end, is_this) != end) continue;
        const std::size_t bytes =
            reg.size == 8 && !is_64_bit_ ? 4 : static_cast<std::size_t>(reg.size);
        add(reg.name == "rip" ? "ip" : reg.name, bytes, fmt::format("uint{}", bytes * 8), reg.name,
            "system");
    }
}

std::string GdbRegisters::target_xml() const
{
    std::string xml =
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
        "<target version=\"1.0\">\n";
    // A 32-bit one is gdb's default; named, it would be stronger than `set architecture i8086`.
    if (is_64_bit_) xml += "<architecture>i386:x86-64</architecture>\n";
    std::size_t number = 0;
    for (std::size_t feature = 0; feature < features_.size(); ++feature) {
        xml += fmt::format("<feature name=\"{}\">\n", features_[feature]);
        if (features_[feature] == kCore) xml += kFlagsType;
        if (features_[feature] == kSse) xml += kVectorTypes;
        for (; number < registers_.size() && registers_[number].feature == feature; ++number) {
            const Register& r = registers_[number];
            xml += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\" regnum=\"{}\"", r.name,
                               r.bytes * 8, r.type, number);
            if (!r.group.empty()) xml += fmt::format(" group=\"{}\"", r.group);
            xml += "/>\n";
        }
        xml += "</feature>\n";
    }
    return xml + "</target>\n";
}

std::string GdbRegisters::read(const Debugger& debugger, std::size_t number) const
{
    const Register& r = registers_[number];
    if (!r.in_machine) return std::string(2 * r.bytes, 'x');
    const DebugValue value = debugger.read(*r.in_machine);
    return to_hex({reinterpret_cast<const char*>(value.data()), r.bytes});
}

std::optional<DebugRegisterInput> GdbRegisters::write(std::size_t number,
                                                      const std::string& bytes) const
{
    const Register& r = registers_[number];
    if (!r.in_machine || bytes.size() != r.bytes) return std::nullopt;
    DebugRegisterInput input{r.source, {}};
    std::ranges::copy(bytes, reinterpret_cast<char*>(input.value.data()));
    return input;
}

}  // namespace reprise
