#include "bare_calls.h"

#include <array>
#include <chrono>

namespace groupaffinity {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begun) noexcept {
  return std::chrono::duration<double, std::nano>(Clock::now() - begun).count();
}

}  // namespace

double clock_nanoseconds() noexcept {
  return std::chrono::duration<double, std::nano>(Clock::now().time_since_epoch()).count();
}

Timed time_bare_exchanges(std::span<const Word> first, std::span<const Word> second, std::uint32_t count) noexcept {
  std::array<Word, kMaxCpus / kWordBits> room;
  const std::span<Word> previous(room.data(), first.size());
  const Clock::time_point begun = Clock::now();
  for (std::uint32_t i = 0; i < count; ++i)
    if (const std::uint32_t error = bare_exchange(i % 2 == 0 ? first : second, previous); error != 0) return {0, error};
  return {since(begun), 0};
}

Timed time_current_cpu(std::uint32_t count) noexcept {
  std::uint32_t sum = 0;
  const Clock::time_point begun = Clock::now();
  for (std::uint32_t i = 0; i < count; ++i) sum += current_cpu();
  const double nanoseconds = since(begun);
  // So that no compiler may leave the calls out.
  volatile std::uint32_t kept = sum;
  static_cast<void>(kept);
  return {nanoseconds, 0};
}

}  // namespace groupaffinity
