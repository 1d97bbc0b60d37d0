/// Something outside the guest failed: a file, a savestate, a ROM image.
#pragma once

#include <stdexcept>

namespace reprise {

/// `what()` is one sentence for the person: what, where, and what to do. Thrown by machine/ and
/// caught in frontend/, nowhere else.
struct HostError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace reprise
