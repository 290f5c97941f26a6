#include <windows.h>

#include "../platform.h"

namespace groupaffinity {

std::uint64_t current_thread() noexcept { return GetCurrentThreadId(); }

}  // namespace groupaffinity
