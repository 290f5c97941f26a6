#include "guard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace groupaffinity {

using Clock = std::chrono::steady_clock;

namespace {

struct Guard {
  Guarded what;
  std::chrono::milliseconds check{0};
  Clock::time_point next;  // look again then
  std::function<void()> tell;
  std::vector<Drift> drifts;
  bool due = false;
};

// After the OS told of something the kernel may still be at it: CPUs are up before their cpusets have them.
constexpr std::array kEchoes{std::chrono::milliseconds(2), std::chrono::milliseconds(20),
                             std::chrono::milliseconds(200)};

CpuSet cpus_of(std::span<const Word> words) {
  CpuSet cpus;
  for (std::uint32_t i = 0; i < words.size(); ++i)
    for (Word rest = words[i]; rest != 0; rest &= rest - 1)
      cpus.add(i * kWordBits + static_cast<std::uint32_t>(std::countr_zero(rest)));
  return cpus;
}

bool subset(const CpuSet& part, const CpuSet& of) {
  CpuSet both = part;
  both &= of;
  return both == part;
}

Drift::What compare(const CpuSet& wanted, const CpuSet& found) {
  if (subset(found, wanted)) return Drift::What::narrowed;
  return subset(wanted, found) ? Drift::What::widened : Drift::What::moved;
}

Drift::Cause cause_of(const CpuSet& wanted) {
  Cpus cpus;
  if (read_cpus(cpus).outcome != Outcome::done) return Drift::Cause::unknown;
  if (!subset(wanted, cpus.online)) return Drift::Cause::offline;
  return subset(wanted, cpus.settable) ? Drift::Cause::unknown : Drift::Cause::withheld;
}

}  // namespace

struct Watchers {
  // Held by whoever begins or ends the watch, before `lock` where that is needed as well.
  std::mutex turn;
  Watch* watch = nullptr;

  std::mutex lock;
  std::vector<Post*> posts;
  std::map<std::uint32_t, Guard> guards;
  std::uint32_t last = 0;
  std::size_t echo = kEchoes.size();
  Clock::time_point next_echo;

  // Never freed: threads may end after the process began to exit.
  static Watchers& only() {
    static auto* const here = new Watchers;
    return *here;
  }

  static bool covers(const Guard& guard, const Post& post) {
    return guard.what.post == nullptr ? post.seat_ && post.seat_->plan == guard.what.plan : guard.what.post == &post;
  }

  Looked look(bool told) {
    const std::lock_guard held(lock);
    const auto now = Clock::now();
    if (told) {
      echo = 0;
      next_echo = now + kEchoes[0];
    } else if (echo < kEchoes.size() && next_echo <= now) {
      told = true;
      if (++echo < kEchoes.size()) next_echo = now + kEchoes[echo];
    }
    for (auto& [_, guard] : guards) {
      // Guards that are almost due are looked after at once: one waking instead of two.
      guard.due = told || guard.next - guard.check / 8 <= now;
      if (guard.due) guard.next = now + guard.check;
    }
    Looked looked{.rest = std::chrono::hours(24), .moved = false};
    for (Post* const post : posts)
      if (std::ranges::any_of(guards, [&](const auto& one) { return one.second.due && covers(one.second, *post); }))
        looked.moved |= examine(*post);
    for (const auto& [_, guard] : guards) looked.rest = std::min(looked.rest, until(guard.next, now));
    if (echo < kEchoes.size()) looked.rest = std::min(looked.rest, until(next_echo, now));
    return looked;
  }

  static std::chrono::milliseconds until(Clock::time_point time, Clock::time_point now) {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(time - now), std::chrono::milliseconds(0));
  }

  // Where the thread is now. False for one that has ended, and for one that has no CPU left while one of its own is
  // still online: that is just going offline, which the OS tells when it is over. A thread that sleeps may have none
  // for longer.
  static bool find(const Post& post, const Post::Order& order, std::vector<Word>& found) {
    if (look_at_thread(post.thread_, found).outcome != Outcome::done) return false;
    return std::ranges::any_of(found, [](Word word) { return word != 0; }) ||
           cause_of(cpus_of(order.words)) == Drift::Cause::offline;
  }

  // Whether the thread was found elsewhere than at the look before.
  bool examine(Post& post) {
    const std::lock_guard held(post);
    Post::Order& order = post.orders_[post.now_];
    if (!post.given_[post.now_]) return false;
    bool& drifted = post.drifted_[post.now_];
    std::vector<Word> found(order.words.size());
    if (!find(post, order, found)) return false;
    if (found == order.words) {
      if (std::exchange(drifted, false)) report(post, order, Drift::What::mended, cpus_of(found));
      return false;
    }
    bool moved = false;
    // Twice where it can be put back on a part of its CPUs only.
    for (int turn = 0; turn < 2; ++turn) {
      if (!drifted || order.seen != found) {
        moved = true;
        order.seen = found;
        report_drift(post, order, drifted, cpus_of(found));
      }
      static_cast<void>(put_thread(post.thread_, order.words));
      if (!find(post, order, found)) return moved;
      if (found == order.words) {
        drifted = false;
        report(post, order, Drift::What::mended, cpus_of(found));
        return moved;
      }
    }
    return moved;
  }

  void report_drift(const Post& post, Post::Order& order, bool& drifted, CpuSet found) {
    const CpuSet wanted = cpus_of(order.words);
    // What the thread has beyond what is running, where the OS shows it: so a thread whose last CPU went is seen to
    // have all others.
    ThreadState state;
    if (read_thread(post.thread_, state).outcome == Outcome::done && !(state.allowed == wanted) &&
        subset(found, state.allowed))
      found = state.allowed;
    if (std::exchange(drifted, true) && order.told == found) return;
    order.told = found;
    order.cause = cause_of(wanted);
    report(post, order, compare(wanted, found), found);
  }

  void report(const Post& post, const Post::Order& order, Drift::What what, const CpuSet& found) {
    for (auto& [_, guard] : guards) {
      if (!covers(guard, post)) continue;
      if (guard.drifts.size() == kMostDrifts) guard.drifts.erase(guard.drifts.begin());
      guard.drifts.push_back({.what = what,
                              .cause = order.cause,
                              .thread = post.thread_,
                              .seat = post.seat_ ? std::optional(post.seat_->seat) : std::nullopt,
                              .wanted = order.words,
                              .found = found});
      guard.tell();
    }
  }
};

// ---- posts ----------------------------------------------------------------------------------------------------------

std::shared_ptr<Post> Post::here() {
  thread_local std::weak_ptr<Post> known;
  std::shared_ptr<Post> post = known.lock();
  if (post == nullptr) known = post = std::make_shared<Post>();
  return post;
}

Post::Post() : thread_(current_thread()) {
  Watchers& all = Watchers::only();
  const std::lock_guard held(all.lock);
  all.posts.push_back(this);
}

Post::~Post() {
  Watchers& all = Watchers::only();
  const std::lock_guard held(all.lock);
  std::erase(all.posts, this);
}

// Not by yielding: a thread of real-time priority would keep the one that it waits for from the CPU.
void Post::wait() noexcept { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

void Post::settle(Outcome outcome, std::span<const Word> in_force) noexcept {
  if (outcome != Outcome::done && outcome != Outcome::trimmed)
    now_ ^= 1;
  else if (!in_force.empty())
    std::ranges::copy(in_force, orders_[now_].words.begin());
}

void Post::sit(std::optional<Seat> seat) {
  const std::lock_guard held(Watchers::only().lock);
  seat_ = seat;
}

Result place_known(std::uint64_t thread, const std::function<void(Post&)>& intend, const std::function<Result()>& place,
                   std::span<const Word> in_force) {
  Watchers& all = Watchers::only();
  const std::lock_guard held(all.lock);
  const auto post = std::ranges::find_if(all.posts, [&](const Post* one) { return one->is(thread); });
  if (post == all.posts.end()) return place();
  const std::lock_guard mine(**post);
  intend(**post);
  const Result result = place();
  if (result.outcome != Outcome::done) (*post)->settle(result.outcome, in_force);
  return result;
}

// ---- guards ---------------------------------------------------------------------------------------------------------

Result add_guard(const Guarded& what, std::chrono::milliseconds check, std::function<void()> tell,
                 std::uint32_t& number) {
  Watchers& all = Watchers::only();
  const std::lock_guard turn(all.turn);
  if (const Result may = may_put_threads(); may.outcome != Outcome::done) return may;
  {
    const std::lock_guard held(all.lock);
    number = ++all.last;
    all.guards[number] = {.what = what, .check = check, .next = Clock::now(), .tell = std::move(tell), .drifts = {}};
  }
  if (all.watch != nullptr) {
    wake_watch(*all.watch);
    return {};
  }
  const Result begun = begin_watch([](bool told) { return Watchers::only().look(told); }, all.watch);
  if (begun.outcome != Outcome::done) {
    const std::lock_guard held(all.lock);
    all.guards.erase(number);
  }
  return begun;
}

void remove_guard(std::uint32_t number) {
  Watchers& all = Watchers::only();
  const std::lock_guard turn(all.turn);
  bool none = false;
  {
    const std::lock_guard held(all.lock);
    if (all.guards.erase(number) == 0) return;
    none = all.guards.empty();
  }
  if (none) end_watch(std::exchange(all.watch, nullptr));
}

std::vector<Drift> take_drifts(std::uint32_t number) {
  Watchers& all = Watchers::only();
  const std::lock_guard held(all.lock);
  const auto found = all.guards.find(number);
  return found == all.guards.end() ? std::vector<Drift>{} : std::exchange(found->second.drifts, {});
}

}  // namespace groupaffinity
