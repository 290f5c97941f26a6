// What /proc says of a thread (proc(5), /proc/pid/task/tid/status).
#pragma once

#include <string>

#include "../platform.h"

namespace groupaffinity {

// The CPUs that the thread may use, offline ones included; empty where the file can't be read.
[[nodiscard]] CpuSet cpus_allowed(const std::string& status_path);

}  // namespace groupaffinity
