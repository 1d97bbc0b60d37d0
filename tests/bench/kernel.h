/// The guest programs that are timed: boot images of one floppy track, see kernels/lib/start.inc.
#pragma once

#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise::bench {

struct Kernel {
    std::string name;
    std::string track;   // the image as assembled
    std::string native;  // the same as a program of the host's; empty: it needs a machine
    u64 instructions_per_step = 0;  // as the kernel declares; one REP iteration counts as one
    int bits = 16;                  // of its code; 64: the processor has to have long mode and SSE2
};

/// All kernels in a folder, by name. Throws HostError if there is none, or a damaged one.
std::vector<Kernel> load_kernels(const std::string& folder);

/// A whole 1.44 MB floppy that performs this many steps.
std::string floppy_image(const Kernel& kernel, u32 steps);

/// The program of the host's that performs this many steps.
std::string native_program(const Kernel& kernel, u32 steps);

/// What a kernel says on COM1 when all went well, without line end: "bench NAME start end
/// XXXXXXXX". Empty if `serial` is anything else.
std::string final_line(const std::string& serial, const std::string& name);

}  // namespace reprise::bench
