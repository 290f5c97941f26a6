// The threads that the loops of this folder run on.
#pragma once

#include <cstdint>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

// One CPU as the platform takes it; empty where the system's masks have no such bit.
[[nodiscard]] std::vector<Word> only(std::uint32_t cpu);

// Confines the calling thread to one CPU, and has it there on return.
[[nodiscard]] Result confine_to(std::uint32_t cpu);

}  // namespace groupaffinity
