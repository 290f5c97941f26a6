#include "../platform.h"

namespace groupaffinity {

std::uint64_t current_thread() noexcept { return 0; }

Result read_thread(std::uint64_t, ThreadState&) { return {Outcome::unsupported, 0}; }

Result read_threads(std::uint64_t, std::vector<ThreadState>&) { return {Outcome::unsupported, 0}; }

Result confine_thread(std::uint64_t, std::span<const Word>, std::span<Word>, std::span<Word>) {
  return {Outcome::unsupported, 0};
}

Result restore_thread(std::uint64_t, std::span<const Word>) { return {Outcome::unsupported, 0}; }

Result get_priority(std::uint64_t, std::int32_t&) noexcept { return {Outcome::unsupported, 0}; }

Result set_priority(std::uint64_t, std::int32_t) noexcept { return {Outcome::unsupported, 0}; }

Result get_nice(std::uint64_t, std::int32_t&) noexcept { return {Outcome::unsupported, 0}; }

Result set_nice(std::uint64_t, std::int32_t) noexcept { return {Outcome::unsupported, 0}; }

}  // namespace groupaffinity
