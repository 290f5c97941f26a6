// What threads.cc tells the other files of this folder.
#pragma once

#include <string>

#include "../platform.h"

namespace groupaffinity {

// The CPUs that a thread may use, offline ones included, by its /proc/.../status (proc(5)); empty where that can't be
// read.
[[nodiscard]] CpuSet cpus_allowed(const std::string& status_path);

}  // namespace groupaffinity
