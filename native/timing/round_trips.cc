#include "round_trips.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "confined.h"

namespace groupaffinity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kReady = UINT32_MAX;

// Whether the answering thread was on its CPU before and after the sample.
enum class Stay : std::uint8_t { unknown, there, elsewhere };

// Two lines, as adjacent ones are fetched together.
struct alignas(128) Line {
  std::atomic<std::uint32_t> turn{0};
  std::atomic<Stay> stay{Stay::unknown};
};

class Pair {
 public:
  Pair(std::uint32_t rounds, std::uint32_t samples) : rounds_(rounds), samples_(samples) {}

  // The one who is asked: answers each odd turn with the even one that follows.
  void answer(std::uint32_t cpu) {
    result_of_answer_ = confine_to(cpu);
    ready_.store(true, std::memory_order_release);
    if (result_of_answer_.outcome != Outcome::done) return;
    while (!laid_out_.load(std::memory_order_acquire)) {
      if (over_.load(std::memory_order_relaxed)) return;
      std::this_thread::yield();
    }
    for (Line& line : lines_) {
      if (!wait(line, kReady)) return;
      const bool before = current_cpu() == cpu;
      line.turn.store(0, std::memory_order_release);
      for (std::uint32_t round = 0; round < rounds_; ++round) {
        if (!wait(line, 2 * round + 1)) return;
        line.turn.store(2 * round + 2, std::memory_order_release);
      }
      line.stay.store(before && current_cpu() == cpu ? Stay::there : Stay::elsewhere, std::memory_order_release);
    }
  }

  void ask(std::uint32_t cpu, RoundTrips& trips) {
    trips.result = confine_to(cpu);
    while (!ready_.load(std::memory_order_acquire)) std::this_thread::yield();
    if (result_of_answer_.outcome != Outcome::done) trips.result = result_of_answer_;
    if (trips.result.outcome == Outcome::done) {
      // Written first where they are used: memory of a third CPU's would have its say in the time.
      lines_ = std::vector<Line>(samples_);
      laid_out_.store(true, std::memory_order_release);
      for (std::size_t i = 0; i < lines_.size() && !over_.load(std::memory_order_relaxed); ++i)
        sample(lines_[i], cpu, trips);
    }
    over_.store(true, std::memory_order_relaxed);
  }

 private:
  void sample(Line& line, std::uint32_t cpu, RoundTrips& trips) {
    line.turn.store(kReady, std::memory_order_release);
    if (!wait(line, 0)) return;
    const bool before = current_cpu() == cpu;
    const Clock::time_point begun = Clock::now();
    for (std::uint32_t round = 0; round < rounds_; ++round) {
      line.turn.store(2 * round + 1, std::memory_order_release);
      if (!wait(line, 2 * round + 2)) return;
    }
    const double nanoseconds = std::chrono::duration<double, std::nano>(Clock::now() - begun).count();
    const bool there = before && current_cpu() == cpu;
    Stay other = Stay::unknown;
    // It says so right after its last answer.
    while ((other = line.stay.load(std::memory_order_acquire)) == Stay::unknown)
      if (late()) return;
    if (there && other == Stay::there)
      trips.nanoseconds.push_back(nanoseconds / rounds_);
    else
      ++trips.strays;
  }

  // False when the pair's time is over.
  bool wait(const Line& line, std::uint32_t turn) {
    for (std::uint32_t looks = 1; line.turn.load(std::memory_order_acquire) != turn; ++looks) {
      if (looks % 4096 != 0) continue;
      if (over_.load(std::memory_order_relaxed) || late()) return false;
    }
    return true;
  }

  bool late() {
    if (Clock::now() < deadline_) return false;
    over_.store(true, std::memory_order_relaxed);
    return true;
  }

  std::uint32_t rounds_;
  std::uint32_t samples_;
  std::vector<Line> lines_;
  Result result_of_answer_;
  const Clock::time_point deadline_ = Clock::now() + std::chrono::seconds(2);
  std::atomic<bool> ready_{false};
  std::atomic<bool> laid_out_{false};
  std::atomic<bool> over_{false};
};

}  // namespace

RoundTrips measure_round_trips(std::uint32_t one, std::uint32_t other, std::uint32_t rounds, std::uint32_t samples) {
  RoundTrips trips;
  Pair pair(rounds, samples);
  std::thread answering([&] { pair.answer(other); });
  std::thread asking([&] { pair.ask(one, trips); });
  asking.join();
  answering.join();
  return trips;
}

}  // namespace groupaffinity
