// In this order.
// clang-format off
#include <windows.h>
#include <tlhelp32.h>
// clang-format on

#include "../platform.h"

namespace groupaffinity {
namespace {

class Snapshot {
 public:
  Snapshot() noexcept : handle_(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0)) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    if (handle_ != INVALID_HANDLE_VALUE) CloseHandle(handle_);
  }

  // False where there is no snapshot; `look` returns false to go no further.
  template <typename Look>
  bool each(Look look) const {
    if (handle_ == INVALID_HANDLE_VALUE) return false;
    PROCESSENTRY32W entry{};
    entry.dwSize = sizeof entry;
    for (BOOL more = Process32FirstW(handle_, &entry); more && look(entry);) more = Process32NextW(handle_, &entry);
    return true;
  }

 private:
  HANDLE handle_;
};

std::string utf8(const wchar_t* text) {
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  if (size <= 1) return {};
  std::string bytes(static_cast<std::size_t>(size - 1), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes.data(), size, nullptr, nullptr);
  return bytes;
}

std::string program_of(DWORD process) {
  const HANDLE opened = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process);
  if (opened == nullptr) return {};
  std::vector<wchar_t> path(32768);
  auto length = static_cast<DWORD>(path.size());
  const bool told = QueryFullProcessImageNameW(opened, 0, path.data(), &length) != 0;
  CloseHandle(opened);
  return told ? utf8(path.data()) : std::string();
}

}  // namespace

std::uint64_t current_user() noexcept { return 0; }

Result find_processes(std::vector<std::uint64_t>& processes) {
  processes.clear();
  const bool told = Snapshot().each([&](const PROCESSENTRY32W& entry) {
    processes.push_back(entry.th32ProcessID);
    return true;
  });
  return told ? Result{} : Result{Outcome::refused, GetLastError()};
}

// No documented call tells another process's arguments, or whose it is without the right to ask.
Result read_process(std::uint64_t process, Process& found) {
  found = {};
  bool known = false;
  const bool told = Snapshot().each([&](const PROCESSENTRY32W& entry) {
    if (entry.th32ProcessID != process) return true;
    known = true;
    found.process = found.leader = process;
    found.parent = entry.th32ParentProcessID;
    found.name = utf8(entry.szExeFile);
    found.program = program_of(entry.th32ProcessID);
    return false;
  });
  if (!told) return {Outcome::refused, GetLastError()};
  return {known ? Outcome::done : Outcome::gone, 0};
}

}  // namespace groupaffinity
