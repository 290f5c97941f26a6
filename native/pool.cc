#include "pool.h"

#include <algorithm>

#include "platform.h"

namespace groupaffinity {
namespace {

using Clock = std::chrono::steady_clock;

// Threads of a pool that is not busy answer within some 100 microseconds of each other.
constexpr std::chrono::milliseconds kMoment{5};

struct Known {
  std::mutex lock;
  std::vector<std::uint64_t> threads;
};

// Never freed: work may end after the process began to exit.
Known& known() {
  static Known* const only = new Known;
  return *only;
}

void note(std::uint64_t thread) {
  const std::lock_guard guard(known().lock);
  if (std::ranges::find(known().threads, thread) == known().threads.end()) known().threads.push_back(thread);
}

}  // namespace

void RollCall::answer() {
  note(current_thread());
  std::unique_lock guard(lock_);
  ++answered_;
  changed_.notify_all();
  changed_.wait(guard, [this] { return over_; });
}

void RollCall::wait(std::size_t expected, std::size_t usual, std::chrono::milliseconds patience) {
  std::unique_lock guard(lock_);
  const auto end = Clock::now() + 10 * patience;
  while (answered_ < expected) {
    const std::size_t before = answered_;
    const auto until = std::min(end, Clock::now() + (before >= usual ? kMoment : patience));
    if (!changed_.wait_until(guard, until, [&] { return answered_ > before; })) break;
  }
  over_ = true;
  changed_.notify_all();
}

std::unique_lock<std::mutex> only_roll_call() {
  static std::mutex* const only = new std::mutex;
  return std::unique_lock(*only);
}

std::vector<std::uint64_t> pool_threads() {
  const std::lock_guard guard(known().lock);
  return known().threads;
}

}  // namespace groupaffinity
