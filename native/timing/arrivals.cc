#include "arrivals.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "confined.h"

namespace groupaffinity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{1};
constexpr std::uint32_t kEnd = kNoCpu - 1;

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
    thread_.join();
  }

  [[nodiscard]] const Result& result() const noexcept { return result_; }
  [[nodiscard]] std::uint32_t seen_on() const noexcept { return seen_on_.load(std::memory_order_relaxed); }

  // Waits until it is there and says when that was; nothing where it does not come, or the OS refuses.
  std::optional<Clock::time_point> send(std::uint32_t cpu, std::uint32_t& os_error) {
    const std::vector<Word> wanted = only(cpu);
    {
      // Of a journey that nobody waited for any longer.
      const std::lock_guard guard(lock_);
      arrived_.reset();
    }
    target_.store(cpu, std::memory_order_release);
    if (os_error = bare_move(number_, wanted); os_error != 0) return std::nullopt;
    std::unique_lock guard(lock_);
    const bool came = changed_.wait_for(guard, kPatience, [&] { return arrived_.has_value(); });
    if (!came) target_.store(kNoCpu, std::memory_order_relaxed);
    return std::exchange(arrived_, std::nullopt);
  }

 private:
  void look(std::uint32_t home) {
    {
      const std::lock_guard guard(lock_);
      number_ = current_thread();
      result_ = confine_to(home);
      begun_ = true;
    }
    changed_.notify_one();
    for (;;) {
      const std::uint32_t here = current_cpu();
      seen_on_.store(here, std::memory_order_relaxed);
      const std::uint32_t target = target_.load(std::memory_order_acquire);
      if (target == kEnd) return;
      if (target != here) continue;
      const Clock::time_point now = Clock::now();
      target_.store(kNoCpu, std::memory_order_relaxed);
      const bool stays = current_cpu() == here;
      {
        const std::lock_guard guard(lock_);
        arrived_ = stays ? now : Clock::time_point{};
      }
      changed_.notify_one();
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  bool begun_ = false;
  Result result_;
  std::uint64_t number_ = 0;
  std::optional<Clock::time_point> arrived_;
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
    const bool at_home = traveller.seen_on() == from;
    std::uint32_t error = 0;
    const Clock::time_point begun = Clock::now();
    const auto arrived = traveller.send(to, error);
    if (error == 0 && at_home && arrived && *arrived >= begun)
      arrivals.nanoseconds.push_back(std::chrono::duration<double, std::nano>(*arrived - begun).count());
    else
      ++arrivals.strays;
    if (error == 0) static_cast<void>(traveller.send(from, error));
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
