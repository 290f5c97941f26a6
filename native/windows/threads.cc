#include <windows.h>

#include "../platform.h"

namespace groupaffinity {
namespace {

class Thread {
 public:
  Thread(DWORD id, DWORD rights) noexcept : handle_(OpenThread(rights, FALSE, id)) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() {
    if (handle_ != nullptr) CloseHandle(handle_);
  }
  [[nodiscard]] HANDLE handle() const noexcept { return handle_; }

 private:
  HANDLE handle_;
};

// A thread of this process that is alive; `gone` otherwise.
Result check(const Thread& opened, DWORD id) noexcept {
  if (opened.handle() == nullptr) {
    const DWORD error = GetLastError();
    return {error == ERROR_INVALID_PARAMETER ? Outcome::gone : Outcome::refused, error};
  }
  // OpenThread takes numbers next to a thread's for the thread itself, and threads of other processes.
  if (GetThreadId(opened.handle()) != id || GetProcessIdOfThread(opened.handle()) != GetCurrentProcessId())
    return {Outcome::gone, 0};
  // An ended thread still answers while someone holds it.
  if (WaitForSingleObject(opened.handle(), 0) == WAIT_OBJECT_0) return {Outcome::gone, 0};
  return {};
}

constexpr DWORD kLook = THREAD_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;

// Around which level a process's threads lie (learn.microsoft.com, "Scheduling Priorities").
std::int32_t base_level() noexcept {
  switch (GetPriorityClass(GetCurrentProcess())) {
    case IDLE_PRIORITY_CLASS: return 4;
    case BELOW_NORMAL_PRIORITY_CLASS: return 6;
    case ABOVE_NORMAL_PRIORITY_CLASS: return 10;
    case HIGH_PRIORITY_CLASS: return 13;
    case REALTIME_PRIORITY_CLASS: return 24;
    default: return 8;
  }
}

constexpr std::int32_t kRealTimeLevel = 16;

}  // namespace

Result get_priority(std::uint64_t thread, std::int32_t& level) noexcept {
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kLook);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  const int relative = GetThreadPriority(opened.handle());
  if (relative == THREAD_PRIORITY_ERROR_RETURN) return {Outcome::refused, GetLastError()};
  const std::int32_t base = base_level();
  const bool real_time = base >= kRealTimeLevel;
  if (relative == THREAD_PRIORITY_IDLE)
    level = real_time ? 16 : 1;
  else if (relative == THREAD_PRIORITY_TIME_CRITICAL)
    level = real_time ? 31 : 15;
  else
    level = base + relative;
  return {};
}

// A process reaches the levels two around its own, and the lowest and highest of its band; real time needs the class.
Result set_priority(std::uint64_t thread, std::int32_t level) noexcept {
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kLook | THREAD_SET_INFORMATION);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  const std::int32_t base = base_level();
  const bool real_time = base >= kRealTimeLevel;
  if (real_time != (level >= kRealTimeLevel)) return {Outcome::refused, ERROR_ACCESS_DENIED};
  int relative = THREAD_PRIORITY_IDLE;
  if (level >= (real_time ? 31 : 15))
    relative = THREAD_PRIORITY_TIME_CRITICAL;
  else if (level >= base - 2)
    relative = level - base > 2 ? 2 : level - base;
  if (!SetThreadPriority(opened.handle(), relative)) return {Outcome::refused, GetLastError()};
  return {};
}

std::uint64_t current_thread() noexcept { return GetCurrentThreadId(); }

// Of a set that spans groups only the part in the thread's primary group shows (GetThreadGroupAffinity). Where a thread
// ran last, and how often it was switched or moved, no documented call tells.
Result read_thread(std::uint64_t thread, ThreadState& state) {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kLook);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  GROUP_AFFINITY affinity{};
  if (!GetThreadGroupAffinity(opened.handle(), &affinity)) return {Outcome::refused, GetLastError()};
  state = {};
  for (std::uint32_t bit = 0; bit < kGroupSize; ++bit)
    if (((Word{affinity.Mask} >> bit) & 1) != 0) state.allowed.add(formed->cpu(affinity.Group, bit));
  return {};
}

}  // namespace groupaffinity
