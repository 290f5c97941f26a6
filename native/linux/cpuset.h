#pragma once

#include "../platform.h"

namespace groupaffinity {

// The CPUs that this process's cpuset grants now, online or not; false where no file tells.
[[nodiscard]] bool read_own_cpuset(CpuSet& cpus);

// Whether `words` hold all of it.
[[nodiscard]] bool holds_own_cpuset(std::span<const Word> words);

}  // namespace groupaffinity
