// Which threads are libuv's pool: those that work of ours meets there. A roll call occupies as many of them as it can
// at the same time, because one thread could do all of the work otherwise.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace groupaffinity {

class RollCall {
 public:
  // What the pool runs, once for each thread that is expected: blocks until the call is over.
  void answer();

  // Blocks until `expected` threads have answered; or at least `usual` and then nobody for a moment; or nobody for
  // `patience`, because the pool is busy or smaller; or ten times that in all. The call is over then, and work that
  // begins later returns at once.
  void wait(std::size_t expected, std::size_t usual, std::chrono::milliseconds patience);

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::size_t answered_ = 0;
  bool over_ = false;
};

// One at a time in the process: two that each hold a part of the pool would wait for each other.
[[nodiscard]] std::unique_lock<std::mutex> only_roll_call();

// Every thread that ever answered; pool threads live as long as the process.
[[nodiscard]] std::vector<std::uint64_t> pool_threads();

}  // namespace groupaffinity
