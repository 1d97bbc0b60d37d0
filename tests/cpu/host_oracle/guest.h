/// Our processor in the place of the host's: the same pages, segments and registers around one
/// instruction.
#pragma once

#include "cpu/cpu.h"
#include "cpu/flat_bus.h"
#include "tests/cpu/host_oracle/test_case.h"

namespace reprise::oracle {

class Guest {
public:
    Guest();

    Outcome run(const TestCase& test);

    /// The area, as Host::memory().
    u8* memory() { return bus_.ram.data() + kArea; }

    static const CpuModel& model() { return *find_cpu_model("x86-64-v2"); }

private:
    void build_descriptors();
    void build_handlers();
    void build_page_tables();
    void load(const TestCase& test);
    void execute(const TestCase& test);
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
};

}  // namespace reprise::oracle
