/// The machine's registers in gdb's order, and their description for it: GDB manual, appendix G.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/debugger.h"

namespace reprise {

class GdbRegisters {
public:
    explicit GdbRegisters(const Debugger& debugger) : all_(debugger.registers()) { describe(true); }
    static bool has_long_mode(const Debugger& debugger);

    /// As of an x86-64 processor, if it has long mode, or of a 32-bit one.
    void describe(bool as_64_bit);

    /// The document "target.xml".
    std::string target_xml() const;

    std::size_t count() const { return registers_.size(); }
    std::size_t bytes(std::size_t number) const { return registers_[number].bytes; }
    /// In hex; x for each digit of a register that this CPU does not have.
    std::string read(const Debugger& debugger, std::size_t number) const;
    /// What has to be injected to set it.
    std::optional<DebugRegisterInput> write(std::size_t number, const std::string& bytes) const;

private:
    struct Register {
        std::string name;
        std::size_t bytes;
        std::string type;
        std::string source;  // the machine's name
        const DebugRegister* in_machine = nullptr;
        std::size_t feature;
        std::string group;
    };
    void begin_feature(const std::string& name) { features_.push_back(name); }
    void add(const std::string& name, std::size_t bytes, const std::string& type,
             const std::string& source, const std::string& group = "");
    void add_core();
    void add_fpu();
    void add_sse();
    void add_system();
    bool has(std::string_view name) const { return find_register(all_, name) != nullptr; }

    const DebugRegisters& all_;
    bool is_64_bit_ = false;
    std::vector<std::string> features_;
    std::vector<Register> registers_;
};

}  // namespace reprise
