/// What a difference between the two processors is, and which differences are known and why.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpu/opcodes.h"
#include "tests/cpu/host_oracle/test_case.h"

namespace reprise::oracle {

enum class What : u8 {
    Vector,
    ErrorCode,
    Cr2,
    Ip,
    Register,
    Flags,
    UndefinedFlags,
    Selector,
    X87,
    X87Pointer,
    Xmm,
    Mxcsr,
    Memory
};

struct Difference {
    What what;
    std::string text;
    u64 host = 0, ours = 0;
};

/// Both results of a test.
struct Results {
    const TestCase& test;
    const Outcome& host;
    const Outcome& ours;

    const Opcode* row() const
    {
        return test.row < 0 ? nullptr : &opcodes()[static_cast<std::size_t>(test.row)];
    }
    bool named(std::initializer_list<std::string_view> names) const;
    /// The code after prefixes: 1xx for 0F xx and so on.
    int opcode() const;
    /// Of the ModRM byte behind an opcode of two bytes.
    int modrm_reg() const;
};

/// Processors that differ from ours in a way. Some: not all of any maker, or so rarely that a run
/// may miss it.
enum class Hosts : u8 { All, Amd, Intel, Some };

/// A difference that is no mistake of ours.
struct Rule {
    const char* name;
    const char* why;
    bool (*explains)(const Results&, const Difference&);
    Hosts hosts = Hosts::All;  // where it has to explain something in a long run
};

std::span<const Rule> rules();
/// The number of the rule that explains it, or -1.
int explanation(const Results& results, const Difference& difference);

/// Registers and what became of the instruction; memory is compared by who has it.
std::vector<Difference> compare(const Results& results);

/// The test with both results where they differ, for people.
std::string describe(const Results& results, std::span<const Difference> differences);

std::string_view name_of(const TestCase& test);

}  // namespace reprise::oracle
