/// Our processor in the place of the host's: the same pages, segments and registers around one
/// instruction.
#pragma once

#include "cpu/cpu.h"
#include "cpu/flat_bus.h"
#include "tests/cpu/host_oracle/test_case.h"

namespace reprise::oracle {

class Guest {
public:
    /// With the translator, it translates what it executes at once.
    explicit Guest(Engine engine = Engine::Interpreter);

    Outcome run(const TestCase& test);

    const Cpu& cpu() const { return cpu_; }

    /// The area, as Host::memory().
    u8* memory() { return bus_.ram.data() + kArea; }

    static const CpuModel& model() { return *find_cpu_model("x86-64-v2"); }

private:
    void build_descriptors();
    void build_handlers();
    void build_page_tables();
    void load(const TestCase& test);
    void execute(const TestCase& test);
    void execute_translated(const TestCase& test);
    bool stops_at(const Fault& fault);
    Outcome outcome() const;
    void read_frame(Outcome& result) const;

    template <class T>
    T get(u64 physical) const
    {
        T value;
        std::memcpy(&value, bus_.ram.data() + physical, sizeof value);
        return value;
    }
    template <class T>
    void set(u64 physical, T value)
    {
        std::memcpy(bus_.ram.data() + physical, &value, sizeof value);
    }

    FlatBus bus_;
    Cpu cpu_;
    bool endless_ = false;
    u64 last_code_ = kCode;
    enum class Behind : u8 { Unknown, Breakpoint, Fault };
    u64 first_ip_ = 0;                 // of the test's instruction
    Behind behind_ = Behind::Unknown;  // what came after it
};

}  // namespace reprise::oracle
