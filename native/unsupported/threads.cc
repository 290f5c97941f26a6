#include "../platform.h"

namespace groupaffinity {

std::uint64_t current_thread() noexcept { return 0; }

}  // namespace groupaffinity
