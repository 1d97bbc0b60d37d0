/// What CPUID answers.
#pragma once

#include "machine/base/types.h"

namespace reprise {

class Cpu;

struct CpuidLeaf {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// SDM vol. 2A, CPUID, table 3-8.
CpuidLeaf cpuid(const Cpu& cpu, u32 leaf, u32 subleaf);

}  // namespace reprise
