#pragma once

#include "../platform.h"

namespace groupaffinity {

// The CPUs that this process's cpuset grants now, online or not; false where no file tells.
[[nodiscard]] bool read_own_cpuset(CpuSet& cpus);

}  // namespace groupaffinity
