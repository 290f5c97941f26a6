#include "../platform.h"

namespace groupaffinity {

Result look_at_thread(std::uint64_t, std::span<Word>) noexcept { return {Outcome::unsupported, 0}; }

Result put_thread(std::uint64_t, std::span<const Word>) noexcept { return {Outcome::unsupported, 0}; }

Result may_put_threads() noexcept { return {Outcome::unsupported, 0}; }

Result begin_watch(Looked (*)(bool told), Watch*&) { return {Outcome::unsupported, 0}; }

void wake_watch(Watch&) noexcept {}

void end_watch(Watch*) noexcept {}

}  // namespace groupaffinity
