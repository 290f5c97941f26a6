// What affinity.cc needs to know of the machine and of this process.
#pragma once

#include <cstdint>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

// Replaces `hardware` by the hardware's groups as they are now; those that have no processors yet are included where
// Windows has reserved numbers for them. Returns 0, or GetLastError() and no groups.
[[nodiscard]] std::uint32_t read_hardware_groups(std::vector<HardwareGroup>& hardware);

// The bits of a group that the affinity of this process lets its threads have; bits that are no processors may be set
// among them.
[[nodiscard]] Word process_affinity(std::uint32_t group);

}  // namespace groupaffinity
