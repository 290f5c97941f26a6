#include "../platform.h"

namespace groupaffinity {

std::uint32_t bare_exchange(std::span<const Word>, std::span<Word>) noexcept { return 1; }

std::uint32_t bare_move(std::uint64_t, std::span<const Word>) noexcept { return 1; }

std::optional<CpuTime> cpu_time() { return std::nullopt; }

}  // namespace groupaffinity
