// In this order.
// clang-format off
#include <windows.h>
#include <tlhelp32.h>
// clang-format on

#include <algorithm>

#include "../platform.h"
#include "placing.h"

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

// A thread of a process that is alive; `gone` otherwise.
Result check(const Thread& opened, DWORD id, DWORD process = GetCurrentProcessId()) noexcept {
  if (opened.handle() == nullptr) {
    const DWORD error = GetLastError();
    return {error == ERROR_INVALID_PARAMETER ? Outcome::gone : Outcome::refused, error};
  }
  // OpenThread takes numbers next to a thread's for the thread itself, and threads of other processes.
  const DWORD found = GetThreadId(opened.handle());
  const DWORD owner = found == 0 ? 0 : GetProcessIdOfThread(opened.handle());
  if (owner == 0) return {Outcome::refused, GetLastError()};
  if (found != id || owner != process) return {Outcome::gone, 0};
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

// Nice values of the priorities that a thread can have around its process's (SetThreadPriority), the lowest first.
struct Nice {
  int relative;
  std::int32_t nice;
};
constexpr Nice kNice[] = {{THREAD_PRIORITY_IDLE, 19},          {THREAD_PRIORITY_LOWEST, 10},
                          {THREAD_PRIORITY_BELOW_NORMAL, 5},   {THREAD_PRIORITY_NORMAL, 0},
                          {THREAD_PRIORITY_ABOVE_NORMAL, -5},  {THREAD_PRIORITY_HIGHEST, -10},
                          {THREAD_PRIORITY_TIME_CRITICAL, -20}};

// In the real-time class there are seven priorities more, and all of them run before all of the other classes.
std::optional<std::int32_t> nice_of(HANDLE thread) noexcept {
  const int relative = GetThreadPriority(thread);
  if (relative == THREAD_PRIORITY_ERROR_RETURN) return std::nullopt;
  if (base_level() >= kRealTimeLevel) return kRealTime;
  std::int32_t nice = 19;
  for (const Nice& step : kNice)
    if (relative >= step.relative) nice = step.nice;
  return nice;
}

constexpr std::uint64_t number(const FILETIME& time) noexcept {
  return std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime;
}

// SetThreadDescription's text. Windows Server 2016 has the call in this library only, and earlier ones have none.
std::string description(HANDLE thread) {
  using Describe = HRESULT(WINAPI*)(HANDLE, PWSTR*);
  static const auto describe = reinterpret_cast<Describe>(
      reinterpret_cast<void*>(GetProcAddress(GetModuleHandleA("kernelbase.dll"), "GetThreadDescription")));
  PWSTR wide = nullptr;
  if (describe == nullptr || describe(thread, &wide) < 0 || wide == nullptr) return {};
  std::string text;
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, -1, nullptr, 0, nullptr, nullptr);
  if (bytes > 1) {
    text.resize(static_cast<std::size_t>(bytes) - 1);
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text.data(), bytes, nullptr, nullptr);
  }
  LocalFree(wide);
  return text;
}

// Of a set that spans groups only the part in the thread's primary group shows (GetThreadGroupAffinity). Where a thread
// ran last, and how often it was switched or moved, no documented call tells.
Result read_state(const Groups& formed, DWORD process, DWORD id, ThreadState& state) {
  const Thread opened(id, kLook);
  if (const Result result = check(opened, id, process); result.outcome != Outcome::done) return result;
  GROUP_AFFINITY affinity{};
  if (!GetThreadGroupAffinity(opened.handle(), &affinity)) return {Outcome::refused, GetLastError()};
  state = {};
  state.thread = id;
  for (std::uint32_t bit = 0; bit < kGroupSize; ++bit)
    if (((Word{affinity.Mask} >> bit) & 1) != 0) state.allowed.add(formed.cpu(affinity.Group, bit));
  state.name = description(opened.handle());
  if (process == GetCurrentProcessId()) state.nice = nice_of(opened.handle());
  FILETIME created{}, ended{}, kernel{}, user{};
  constexpr std::uint64_t kPerMillisecond = 10'000;
  if (GetThreadTimes(opened.handle(), &created, &ended, &kernel, &user))
    state.started = number(created) / kPerMillisecond;
  return {};
}

// The numbers of a process's threads.
Result list_threads(DWORD process, std::vector<DWORD>& threads) {
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return {Outcome::refused, GetLastError()};
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry)) {
    if (entry.th32OwnerProcessID == process) threads.push_back(entry.th32ThreadID);
    entry.dwSize = sizeof entry;
  }
  const DWORD error = GetLastError();
  CloseHandle(snapshot);
  return error == ERROR_NO_MORE_FILES ? Result{} : Result{Outcome::refused, error};
}

constexpr DWORD kPlace = kLook | THREAD_SET_INFORMATION;

// A thread that ends while it is placed refuses.
Result unless_gone(const Thread& opened, DWORD id, const Result& result) noexcept {
  return !placed(result) && check(opened, id).outcome == Outcome::gone ? Result{Outcome::gone, 0} : result;
}

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

Result read_thread(std::uint64_t thread, ThreadState& state) {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  return read_state(*formed, GetCurrentProcessId(), id, state);
}

Result read_threads(std::uint64_t process, std::vector<ThreadState>& threads) {
  threads.clear();
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const DWORD owner = process == 0 ? GetCurrentProcessId() : static_cast<DWORD>(process);
  std::vector<DWORD> numbers;
  if (owner != process && process != 0) return {Outcome::gone, 0};
  if (const Result result = list_threads(owner, numbers); result.outcome != Outcome::done) return result;
  for (const DWORD id : numbers) {
    ThreadState state;
    const Result result = read_state(*formed, owner, id, state);
    if (result.outcome == Outcome::refused) return result;
    if (result.outcome == Outcome::done) threads.push_back(std::move(state));
  }
  std::ranges::sort(threads, {}, &ThreadState::thread);
  if (!threads.empty()) return {};
  return {process == 0 ? Outcome::refused : Outcome::gone, 0};
}

Result confine_thread(std::uint64_t thread, std::span<const Word> wanted, std::span<Word> previous,
                      std::span<Word> in_force) {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kPlace);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  GroupMask processors;
  const Result chosen = to_group(*formed, wanted, processors);
  if (!placed(chosen)) return chosen;
  GROUP_AFFINITY after{};
  GROUP_AFFINITY before{};
  const Result result = place(opened.handle(), *formed, processors, after, before);
  if (!placed(result)) return unless_gone(opened, id, result);
  if (!to_words(*formed, before, previous) || !to_words(*formed, after, in_force)) {
    // A set that the formed groups can't express: nothing could bring it back later.
    SetThreadGroupAffinity(opened.handle(), &before, nullptr);
    return {Outcome::refused, ERROR_INVALID_DATA};
  }
  return chosen.outcome == Outcome::trimmed ? chosen : result;
}

Result restore_thread(std::uint64_t thread, std::span<const Word> previous) {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kPlace);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  GROUP_AFFINITY after{};
  return unless_gone(opened, id, give_back(opened.handle(), *formed, previous, after));
}

Result get_nice(std::uint64_t thread, std::int32_t& nice) noexcept {
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kLook);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  const auto found = nice_of(opened.handle());
  if (!found) return {Outcome::refused, GetLastError()};
  nice = *found;
  return {};
}

// The highest that Windows has at or below the nice value.
Result set_nice(std::uint64_t thread, std::int32_t nice) noexcept {
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id, kPlace);
  if (const Result result = check(opened, id); result.outcome != Outcome::done) return result;
  const bool real_time = base_level() >= kRealTimeLevel;
  if (nice == kRealTime && !real_time) return {Outcome::refused, ERROR_ACCESS_DENIED};
  if (nice != kRealTime && real_time) return {Outcome::refused, ERROR_ACCESS_DENIED};
  int relative = nice == kRealTime ? THREAD_PRIORITY_NORMAL : THREAD_PRIORITY_IDLE;
  for (const Nice& step : kNice)
    if (nice != kRealTime && nice <= step.nice) relative = step.relative;
  if (!SetThreadPriority(opened.handle(), relative)) return {Outcome::refused, GetLastError()};
  return {};
}

}  // namespace groupaffinity
