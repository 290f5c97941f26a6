// Threads kept where this library put them. One table for all threads of the process; the thread that looks at them
// lives as long as there is a guard.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "platform.h"

namespace groupaffinity {

// The numbers are shared with lib/binding.ts.
struct Drift {
  enum class What : std::int32_t { narrowed = 0, widened = 1, moved = 2, mended = 3 };
  enum class Cause : std::int32_t { offline = 0, withheld = 1, unknown = 2 };
  What what = What::moved;
  Cause cause = Cause::unknown;  // of what is mended, too
  std::uint64_t thread = 0;
  std::optional<std::uint32_t> seat;
  std::vector<Word> wanted;
  CpuSet found;
};

// A thread, and where this library placed it last: its order. The thread itself locks its post around every call that
// places it, so that a guard never takes what it is just doing for somebody else's work.
class Post {
 public:
  // The calling thread's, which lives as long as somebody has it: an addon may be loaded twice in a thread.
  [[nodiscard]] static std::shared_ptr<Post> here();

  Post();
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;
  // Nobody looks at the thread any more when it returns.
  ~Post();

  // Where nobody else has it, which is nearly always, of little cost and none behind a system call.
  void lock() noexcept {
    while (busy_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() noexcept { busy_.store(false, std::memory_order_release); }

  // Under the lock, before the call: this library places the thread on these CPUs, or in a way that is not a guard's to
  // keep. What was seen of it until now is over.
  void intend(std::span<const Word> words) noexcept {
    now_ ^= 1;
    given_[now_] = true;
    drifted_[now_] = false;
    Order& next = orders_[now_];
    for (std::size_t i = 0; i < words.size(); ++i) next.words[i] = words[i];
  }
  void intend_nothing() noexcept {
    now_ ^= 1;
    given_[now_] = drifted_[now_] = false;
  }
  // The same for a set that a thread gets back: one that may go anywhere follows its cpuset, and has no order to keep.
  void intend_return(std::span<const Word> words) noexcept {
    intend(words);
    given_[now_] = std::ranges::any_of(words, [](Word word) { return word != ~Word{0}; });
  }
  // ... and after it, unless it did just that: it has these instead; or, where they are not known, what is possible of
  // what was meant; or all is as it was.
  void settle(Outcome outcome, std::span<const Word> in_force) noexcept;

  [[nodiscard]] bool is(std::uint64_t thread) const noexcept { return thread_ == thread; }

  // The seat that the thread sits on.
  struct Seat {
    std::uint32_t plan = 0;
    std::uint32_t seat = 0;
  };
  void sit(std::optional<Seat> seat);

 private:
  friend struct Watchers;

  struct Order {
    std::vector<Word> words = std::vector<Word>(mask_words());
    // Of a thread that has drifted: what it had at the last look, what was told of that, and why.
    std::vector<Word> seen;
    CpuSet told;
    Drift::Cause cause = Drift::Cause::unknown;
  };

  static void wait() noexcept;

  std::atomic<bool> busy_ = false;
  std::uint32_t now_ = 0;  // of the orders; the other one is that before it
  bool given_[2] = {};
  bool drifted_[2] = {};
  Order orders_[2];
  std::uint64_t thread_;
  std::optional<Seat> seat_;
};

// Places a thread of this process, another than the calling one, by `place`, so that its guards know: should it have a
// post, `intend` tells that, and `in_force` is where `place` leaves what the thread has then.
[[nodiscard]] Result place_known(std::uint64_t thread, const std::function<void(Post&)>& intend,
                                 const std::function<Result()>& place, std::span<const Word> in_force);

// Looks from now on at one thread, or at every one that sits on a seat of a plan: where the OS tells that something
// changed, and at least every `check`. `tell` is called on another thread when there are drifts to take; it must
// not block or come back here. Returns the guard's number, from 1, or why there is none.
struct Guarded {
  const Post* post = nullptr;
  std::uint32_t plan = 0;  // without a post
};
[[nodiscard]] Result add_guard(const Guarded& what, std::chrono::milliseconds check, std::function<void()> tell,
                               std::uint32_t& guard);
// `tell` is not called any more when it returns.
void remove_guard(std::uint32_t guard);
// What happened since the last call, the latest kMostDrifts of it.
inline constexpr std::size_t kMostDrifts = 1024;
[[nodiscard]] std::vector<Drift> take_drifts(std::uint32_t guard);

}  // namespace groupaffinity
