#include "arrivals.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "confined.h"

namespace groupaffinity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{1};
constexpr std::uint32_t kEnd = kNoCpu - 1;

// Runs and looks where it is, until it is where it was sent; then it waits to be called back.
class Traveller {
 public:
  explicit Traveller(std::uint32_t home) : thread_([this, home] { look(home); }) {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return begun_; });
  }
  Traveller(const Traveller&) = delete;
  Traveller& operator=(const Traveller&) = delete;
  ~Traveller() {
    target_.store(kEnd, std::memory_order_release);
    resume();
    thread_.join();
  }

  [[nodiscard]] const Result& result() const noexcept { return result_; }

  // Whether it runs there, or does so within the time that it is given.
  [[nodiscard]] bool runs_on(std::uint32_t cpu) const {
    const Clock::time_point end = Clock::now() + kPatience;
    while (seen_on_.load(std::memory_order_relaxed) != cpu) {
      if (Clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // Waits until it is there and says when that was; nothing where it does not come, or the OS refuses.
  std::optional<Clock::time_point> send(std::uint32_t cpu, std::uint32_t& os_error) {
    const std::vector<Word> wanted = only(cpu);
    target_.store(cpu, std::memory_order_release);
    if (os_error = bare_move(number_, wanted); os_error != 0) return std::nullopt;
    std::unique_lock guard(lock_);
    changed_.wait_for(guard, kPatience, [&] { return arrived_.has_value(); });
    return arrived_;
  }

  // While it waits, so that it makes room for the caller and does not run where it is not wanted. The OS's error.
  std::uint32_t call_back(std::uint32_t cpu) {
    target_.store(kNoCpu, std::memory_order_relaxed);
    seen_on_.store(kNoCpu, std::memory_order_relaxed);
    const std::uint32_t os_error = bare_move(number_, only(cpu));
    resume();
    return os_error;
  }

 private:
  void resume() {
    {
      const std::lock_guard guard(lock_);
      arrived_.reset();
    }
    changed_.notify_all();
  }

  void look(std::uint32_t home) {
    std::unique_lock guard(lock_);
    number_ = current_thread();
    result_ = confine_to(home);
    begun_ = true;
    guard.unlock();
    changed_.notify_all();
    for (;;) {
      const std::uint32_t here = current_cpu();
      seen_on_.store(here, std::memory_order_relaxed);
      const std::uint32_t target = target_.load(std::memory_order_acquire);
      if (target == kEnd) return;
      if (target != here) continue;
      const Clock::time_point now = Clock::now();
      if (current_cpu() != here) continue;
      guard.lock();
      // Unless it was called back meanwhile.
      if (target_.load(std::memory_order_relaxed) == here) {
        arrived_ = now;
        changed_.notify_all();
        changed_.wait(guard, [&] { return !arrived_.has_value(); });
      }
      guard.unlock();
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  bool begun_ = false;
  Result result_;
  std::uint64_t number_ = 0;
  std::optional<Clock::time_point> arrived_;  // while it is set the thread waits
  std::atomic<std::uint32_t> seen_on_{kNoCpu};
  std::atomic<std::uint32_t> target_{kNoCpu};
  std::thread thread_;
};

void send_to_and_fro(std::uint32_t caller, std::uint32_t from, std::uint32_t to, std::uint32_t samples,
                     std::chrono::nanoseconds time, Arrivals& arrivals) {
  if (arrivals.result = confine_to(caller); arrivals.result.outcome != Outcome::done) return;
  Traveller traveller(from);
  if (arrivals.result = traveller.result(); arrivals.result.outcome != Outcome::done) return;
  const Clock::time_point end = Clock::now() + time;
  while (arrivals.nanoseconds.size() + arrivals.strays < samples && Clock::now() < end) {
    const bool at_home = traveller.runs_on(from);
    std::uint32_t error = 0;
    const Clock::time_point begun = Clock::now();
    const auto arrived = traveller.send(to, error);
    if (error == 0 && at_home && arrived && *arrived >= begun)
      arrivals.nanoseconds.push_back(std::chrono::duration<double, std::nano>(*arrived - begun).count());
    else
      ++arrivals.strays;
    if (error == 0) error = traveller.call_back(from);
    if (error != 0) {
      arrivals.result = {Outcome::refused, error};
      return;
    }
  }
}

}  // namespace

Arrivals measure_arrivals(std::uint32_t caller, std::uint32_t from, std::uint32_t to, std::uint32_t samples,
                          std::chrono::nanoseconds time) {
  Arrivals arrivals;
  std::thread([&] { send_to_and_fro(caller, from, to, samples, time, arrivals); }).join();
  return arrivals;
}

}  // namespace groupaffinity
