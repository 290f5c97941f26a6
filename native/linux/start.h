// What the process had when the addon was loaded, before anything here narrowed a thread.
#pragma once

#include "../platform.h"

namespace groupaffinity {

// The main thread's set, offline CPUs included; empty where the kernel would not tell.
[[nodiscard]] const CpuSet& start_set() noexcept;

}  // namespace groupaffinity
