// What lies below the door to JavaScript, driven by threads of a program without one: no lock of Node's orders them,
// and whatever leaks is ours. `storm SECONDS SEED`.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../../native/contexts.h"
#include "../../native/guard.h"
#include "../../native/platform.h"
#include "../../native/processor_id.h"
#include "../../native/seats.h"

using namespace groupaffinity;

namespace {

std::atomic<long> calls{0};
std::atomic<std::uint32_t> plans{0};
std::atomic<std::uint32_t> contexts{0};

void check(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "not true: %s\n", what);
  std::abort();
}

std::vector<std::uint32_t> table_of(const Machine& machine) {
  std::vector<std::uint32_t> table;
  machine.possible.for_each([&](std::uint32_t cpu) {
    table.resize((std::size_t{cpu} / kGroupSize + 1) * kGroupSize, kNoCpu);
    table[cpu] = cpu;
  });
  return table;
}

class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed), wanted_(mask_words()), previous_(wanted_), in_force_(wanted_) {
    note_start();
    check(read_machine("/", machine_).outcome == Outcome::done, "the machine is read");
    form_groups(table_of(machine_));
  }

  void live() {
    using Deed = void (Storm::*)();
    constexpr Deed deeds[] = {&Storm::move,  &Storm::move_in_group, &Storm::sit,
                              &Storm::carry, &Storm::look,          &Storm::read};
    constexpr unsigned weights[] = {40, 40, 20, 10, 10, 1};
    std::discrete_distribution<std::size_t> which(std::begin(weights), std::end(weights));
    // Half of them are guarded: by themselves, so that nobody takes what they do for somebody else's work.
    std::uint32_t guard = 0;
    std::atomic<long> told{0};
    const auto check_every = std::chrono::milliseconds(1 + below(5));
    const bool guarded = below(2) == 0;
    if (guarded)
      check(add_guard(
                {.post = post_.get()}, check_every, [&] { ++told; }, guard)
                    .outcome == Outcome::done,
            "a thread can be guarded");
    for (int turn = 0; turn < 100; ++turn) (this->*deeds[which(random_)])();
    calls += 100;
    if (!guarded) return;
    check(take_drifts(guard).empty() && told == 0, "a thread is where it put itself");
    remove_guard(guard);
  }

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }

  // As addon.cc places a thread.
  template <typename Intend, typename Call>
  Outcome place(std::span<const Word> in_force, Intend intend, Call call) {
    const std::lock_guard mine(*post_);
    intend();
    const Outcome outcome = call().outcome;
    if (outcome != Outcome::done) post_->settle(outcome, in_force);
    return outcome;
  }

  Outcome restore() {
    return place(
        {}, [&] { post_->intend_return(previous_); }, [&] { return restore_affinity(memory_, previous_); });
  }

  void move() {
    std::vector<Word> exact(wanted_.size());
    check(read_affinity(memory_, wanted_, exact).outcome == Outcome::done, "a thread reads its affinity");
    machine_.allowed.for_each([&](std::uint32_t cpu) {
      if (below(2) == 0) wanted_[cpu / kWordBits] ^= Word{1} << (cpu % kWordBits);
    });
    const Outcome outcome = place(
        in_force_, [&] { post_->intend(wanted_); },
        [&] { return exchange_affinity(memory_, wanted_, previous_, in_force_); });
    if (outcome != Outcome::done && outcome != Outcome::trimmed) return;
    check(previous_ == exact, "the previous affinity is the one before");
    check(restore() == Outcome::done, "an affinity is restored");
  }

  void move_in_group() {
    const GroupMask any{below(groups()->count() + 1), random_()};
    const GroupMask wanted{any.group, any.mask & groups()->maximum(any.group)};
    const Outcome outcome = place(
        {}, [&] { post_->intend_nothing(); },
        [&] {
          Result result;
          const auto then = [](void* to, Result of, GroupMask) noexcept -> void* {
            *static_cast<Result*>(to) = of;
            return nullptr;
          };
          static_cast<void>(exchange_group_affinity(memory_, wanted, previous_.data(), then, &result));
          return result;
        });
    if (outcome == Outcome::done || outcome == Outcome::trimmed) static_cast<void>(restore());
  }

  void sit() {
    if (plans == 0 || below(50) == 0)
      plans = add_plan(std::vector<Word>(wanted_.size() * (1 + below(8)), 1), wanted_.size(), "plan") + 1;
    const std::uint32_t plan = below(plans);
    std::vector<bool> tried;
    SeatTaken taken;
    check(take_seat(plan, tried, taken), "a plan has a seat");
    check(seat_sitters(plan).at(taken.seat) > 0 && plan_description(plan) == "plan", "who sits is counted");
    leave_seat(plan, taken.seat);
  }

  void carry() {
    const std::uint32_t context = add_context();
    contexts = context;
    std::thread carrier([&] {
      check(begin_context(context, current_thread()), "a context begins once");
      std::int32_t level = 0;
      static_cast<void>(set_priority(current_thread(), 8));
      check(get_priority(current_thread(), level).outcome == Outcome::done, "a thread has a priority");
      end_context(context);
    });
    const std::uint32_t another = 1 + below(contexts);
    static_cast<void>(context_thread(another));
    check(is_context(another), "a context stays one");
    static_cast<void>(wait_for_context(another, std::chrono::microseconds(below(100))));
    check(wait_for_context(context, {}), "a thread ends");
    carrier.join();
  }

  void look() {
    ThreadState state;
    check(read_thread(current_thread(), state).outcome == Outcome::done, "a thread is shown");
    check(read_thread(1, state).outcome == Outcome::gone, "another process's is not");
    static_cast<void>(current_cpu());
    static_cast<void>(processor_id());
  }

  void read() {
    check(read_machine("/", machine_).outcome == Outcome::done, "the machine is read");
    check(machine_.online.size() == hardware_ids().size() || hardware_ids().empty(), "CPUs have ids");
    form_groups(table_of(machine_));
  }

  std::mt19937_64 random_;
  std::shared_ptr<Post> post_ = Post::here();
  ThreadMemory& memory_ = thread_memory();
  std::vector<Word> wanted_, previous_, in_force_;
  Machine machine_;
};

}  // namespace

int main(int, char** argv) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  std::atomic<unsigned> seed{static_cast<unsigned>(std::atoi(argv[2]))};
  std::atomic<long> threads{0};
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 16; ++lane)
    lanes.emplace_back([&] {
      // Threads are short: what each keeps for itself comes and goes.
      while (std::chrono::steady_clock::now() < until) {
        std::thread([&] { Storm(++seed).live(); }).join();
        ++threads;
      }
    });
  for (std::thread& lane : lanes) lane.join();
  for (std::uint32_t plan = 0; plan < plans; ++plan)
    for (const std::uint32_t sitters : seat_sitters(plan)) check(sitters == 0, "every seat is free in the end");
  std::printf("%ld threads, %ld calls\n", threads.load(), calls.load());
}
