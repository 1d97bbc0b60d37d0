/// Programs that no one wrote: random bytes, and random instructions, in every mode of the
/// processor.
#pragma once

#include <random>
#include <vector>

#include "machine/machine.h"

namespace reprise::fuzz {

using Random = std::mt19937_64;

/// Puts a random program into memory and the CPU in front of it: in real mode, in protected mode
/// with or without paging, at level 0 or 3, or in virtual-8086 mode. Chips stay as they are.
void start_random_program(Machine& machine, Random& random);

/// `size` bytes that are mostly instructions, with prefixes, operands and addresses of all kinds.
std::vector<u8> random_code(Random& random, std::size_t size);

}  // namespace reprise::fuzz
