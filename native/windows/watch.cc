// Windows tells nobody that a thread was placed: what is here is the time. Processors are only added while it runs, so
// what moves a thread is somebody's call (SetThreadGroupAffinity, SetProcessAffinityMask, a job's limit).
#include <windows.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "../platform.h"
#include "processors.h"

namespace groupaffinity {

namespace {

// Null where Windows refuses it.
auto open(std::uint64_t thread, DWORD rights) noexcept {
  return std::unique_ptr<void, decltype(&CloseHandle)>(OpenThread(rights, FALSE, static_cast<DWORD>(thread)),
                                                       &CloseHandle);
}

Result last_refusal() noexcept { return {Outcome::refused, GetLastError()}; }

}  // namespace

Result look_at_thread(std::uint64_t thread, std::span<Word> words) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto opened = open(thread, THREAD_QUERY_LIMITED_INFORMATION);
  GROUP_AFFINITY affinity{};
  if (!opened || !GetThreadGroupAffinity(opened.get(), &affinity)) return last_refusal();
  return formed->scatter({affinity.Group, affinity.Mask}, words) ? Result{}
                                                                 : Result{Outcome::refused, ERROR_INVALID_DATA};
}

// Nothing is left out of a mask by Windows itself: where it refuses all of it, it is asked for what the process has.
Result put_thread(std::uint64_t thread, std::span<const Word> words) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto opened = open(thread, THREAD_QUERY_LIMITED_INFORMATION | THREAD_SET_INFORMATION);
  if (!opened) return last_refusal();
  const GroupMask wanted = formed->slice(words, kNoCpu);
  GROUP_AFFINITY affinity{};
  affinity.Group = static_cast<WORD>(wanted.group);
  affinity.Mask = wanted.mask;
  if (SetThreadGroupAffinity(opened.get(), &affinity, nullptr)) return {};
  const Result refusal = last_refusal();
  affinity.Mask = wanted.mask & process_affinity(wanted.group);
  const bool part = affinity.Mask != 0 && affinity.Mask != wanted.mask;
  return part && SetThreadGroupAffinity(opened.get(), &affinity, nullptr) ? Result{} : refusal;
}

Result may_put_threads() noexcept { return {}; }

struct Watch {
  Looked (*look)(bool told) = nullptr;
  std::mutex lock;
  std::condition_variable changed;
  bool woken = false;
  bool ended = false;
  HANDLE thread = nullptr;

  void run() {
    for (;;) {
      const Looked looked = look(false);
      std::unique_lock held(lock);
      changed.wait_for(held, looked.rest, [this] { return woken || ended; });
      if (ended) return;
      woken = false;
    }
  }
};

Result begin_watch(Looked (*look)(bool told), Watch*& watch) {
  auto made = std::make_unique<Watch>();
  made->look = look;
  made->thread = CreateThread(
      nullptr, 0,
      [](void* self) -> DWORD {
        static_cast<Watch*>(self)->run();
        return 0;
      },
      made.get(), 0, nullptr);
  if (made->thread == nullptr) return last_refusal();
  watch = made.release();
  return {};
}

void wake_watch(Watch& watch) noexcept {
  {
    const std::lock_guard held(watch.lock);
    watch.woken = true;
  }
  watch.changed.notify_one();
}

void end_watch(Watch* watch) noexcept {
  {
    const std::lock_guard held(watch->lock);
    watch->ended = true;
  }
  watch->changed.notify_one();
  WaitForSingleObject(watch->thread, INFINITE);
  CloseHandle(watch->thread);
  delete watch;
}

}  // namespace groupaffinity
