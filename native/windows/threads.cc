#include <windows.h>

#include "../platform.h"

namespace groupaffinity {
namespace {

class Thread {
 public:
  explicit Thread(DWORD id) noexcept : handle_(OpenThread(THREAD_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, id)) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() {
    if (handle_ != nullptr) CloseHandle(handle_);
  }
  [[nodiscard]] HANDLE handle() const noexcept { return handle_; }

 private:
  HANDLE handle_;
};

}  // namespace

std::uint64_t current_thread() noexcept { return GetCurrentThreadId(); }

// Of a set that spans groups only the part in the thread's primary group shows (GetThreadGroupAffinity). Where a thread
// ran last, and how often it was switched or moved, no documented call tells.
Result read_thread(std::uint64_t thread, ThreadState& state) {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  const auto id = static_cast<DWORD>(thread);
  if (id != thread) return {Outcome::gone, 0};
  const Thread opened(id);
  if (opened.handle() == nullptr) {
    const DWORD error = GetLastError();
    return {error == ERROR_INVALID_PARAMETER ? Outcome::gone : Outcome::refused, error};
  }
  // OpenThread takes numbers next to a thread's for the thread itself, and threads of other processes.
  if (GetThreadId(opened.handle()) != id || GetProcessIdOfThread(opened.handle()) != GetCurrentProcessId())
    return {Outcome::gone, 0};
  // An ended thread still answers while someone holds it.
  if (WaitForSingleObject(opened.handle(), 0) == WAIT_OBJECT_0) return {Outcome::gone, 0};
  GROUP_AFFINITY affinity{};
  if (!GetThreadGroupAffinity(opened.handle(), &affinity)) return {Outcome::refused, GetLastError()};
  state = {};
  for (std::uint32_t bit = 0; bit < kGroupSize; ++bit)
    if (((Word{affinity.Mask} >> bit) & 1) != 0) state.allowed.add(formed->cpu(affinity.Group, bit));
  return {};
}

}  // namespace groupaffinity
