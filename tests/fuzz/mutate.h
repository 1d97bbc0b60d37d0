/// Valid inputs of the CPU tools, and what damage makes of them.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise::fuzz {

using Random = std::mt19937_64;
using Bytes = std::vector<u8>;

inline bool one_in(Random& random, u64 n) { return random() % n == 0; }

template <class Container>
const auto& any_of(const Container& values, Random& random)
{
    return values[random() % std::size(values)];
}

/// A MOO file of up to four tests, narrow or wide, with all kinds of chunks.
Bytes random_moo(Random& random);

/// `bytes` as gzip packs them.
Bytes gzip(const Bytes& bytes);

/// Damages at one to four places: cut, flipped, overwritten, inserted, repeated bytes, and numbers
/// that lie about lengths.
Bytes mutate(Bytes bytes, Random& random);

/// The same for words of a command line; without NUL, which none can have.
std::string mutate(const std::string& text, Random& random);

}  // namespace reprise::fuzz
