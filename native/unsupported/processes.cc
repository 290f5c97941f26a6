#include "../platform.h"

namespace groupaffinity {

std::uint64_t current_user() noexcept { return 0; }

Result find_processes(std::vector<std::uint64_t>&) { return {Outcome::unsupported, 0}; }

Result read_process(std::uint64_t, Process&) { return {Outcome::unsupported, 0}; }

}  // namespace groupaffinity
