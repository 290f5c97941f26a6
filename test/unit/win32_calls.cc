// What the calls of Windows answer themselves, a line a case: the table that native/windows is written against. Runs on
// the pretended Windows; nothing in it needs that one.
#include <windows.h>

#include <cstdio>
#include <thread>

namespace {

const char* name = "";

void said(const char* what, BOOL done) { std::printf("%s: %s %u\n", name, what, done ? 0 : GetLastError()); }

GROUP_AFFINITY of(WORD group, KAFFINITY mask) {
  GROUP_AFFINITY affinity{};
  affinity.Mask = mask;
  affinity.Group = group;
  return affinity;
}

void where(const char* what, const GROUP_AFFINITY& affinity) {
  std::printf("%s: %s %u:%llx\n", name, what, affinity.Group, static_cast<unsigned long long>(affinity.Mask));
}

void look(HANDLE thread) {
  GROUP_AFFINITY affinity{};
  if (GetThreadGroupAffinity(thread, &affinity)) where("is", affinity);
}

void set(const char* what, const GROUP_AFFINITY& affinity) {
  name = what;
  GROUP_AFFINITY previous = of(99, 99);
  said("set", SetThreadGroupAffinity(GetCurrentThread(), &affinity, &previous));
  if (previous.Group != 99) where("previous", previous);
  look(GetCurrentThread());
}

HANDLE opened(DWORD access, DWORD thread) {
  const HANDLE handle = OpenThread(access, FALSE, thread);
  if (handle == nullptr) said("open", FALSE);
  return handle;
}

void process() {
  DWORD_PTR mask = 0;
  DWORD_PTR system = 0;
  USHORT groups[64];
  USHORT count = 64;
  said("affinity", GetProcessAffinityMask(GetCurrentProcess(), &mask, &system));
  if (!GetProcessGroupAffinity(GetCurrentProcess(), &count, groups)) count = 0;
  std::printf("%s: process %llx of %llx, groups", name, static_cast<unsigned long long>(mask),
              static_cast<unsigned long long>(system));
  for (USHORT i = 0; i < count; ++i) std::printf(" %u", groups[i]);
  std::printf("\n");
}

}  // namespace

int main() {
  const HANDLE self = GetCurrentThread();
  name = "start";
  look(self);
  process();
  set("same group", of(0, 0x3));
  set("beyond the processors", of(0, ~KAFFINITY{0}));
  set("one inactive", of(1, 0x101));
  set("no bit", of(0, 0));
  set("no such group", of(4, 1));
  set("inactive group", of(3, 1));
  GROUP_AFFINITY dirty = of(0, 1);
  dirty.Reserved[1] = 1;
  set("Reserved", dirty);
  name = "NULL";
  said("set", SetThreadGroupAffinity(self, nullptr, nullptr));
  said("get", GetThreadGroupAffinity(self, nullptr));
  name = "no handle";
  const auto none = reinterpret_cast<HANDLE>(0x7004);
  const GROUP_AFFINITY one = of(0, 1);
  GROUP_AFFINITY previous{};
  said("set", SetThreadGroupAffinity(none, &one, nullptr));
  said("get", GetThreadGroupAffinity(none, &previous));
  said("close", CloseHandle(none));
  for (const DWORD access : {THREAD_SET_LIMITED_INFORMATION, THREAD_SET_INFORMATION, THREAD_QUERY_INFORMATION,
                             THREAD_QUERY_LIMITED_INFORMATION}) {
    name = access == THREAD_SET_LIMITED_INFORMATION ? "SET_LIMITED"
           : access == THREAD_SET_INFORMATION       ? "SET"
           : access == THREAD_QUERY_INFORMATION     ? "QUERY"
                                                    : "QUERY_LIMITED";
    const HANDLE handle = opened(access, GetCurrentThreadId());
    said("set", SetThreadGroupAffinity(handle, &one, nullptr));
    said("set for previous", SetThreadGroupAffinity(handle, &one, &previous));
    said("get", GetThreadGroupAffinity(handle, &previous));
    CloseHandle(handle);
  }
  GROUP_AFFINITY both = of(0, 0xC);
  name = "one structure";
  said("set", SetThreadGroupAffinity(self, &both, &both));
  look(self);
  set("other group", of(2, 0x5));
  process();
  name = "new thread";
  DWORD ended = 0;
  HANDLE handle = nullptr;
  std::thread([&] {
    look(GetCurrentThread());
    ended = GetCurrentThreadId();
    handle = opened(THREAD_SET_INFORMATION | THREAD_QUERY_INFORMATION | SYNCHRONIZE, ended);
  }).join();
  name = "ended thread";
  said("set", SetThreadGroupAffinity(handle, &one, nullptr));
  said("get", GetThreadGroupAffinity(handle, &previous));
  std::printf("%s: wait %u\n", name, WaitForSingleObject(handle, 0));
  CloseHandle(handle);
  opened(SYNCHRONIZE, ended);
  set("back", of(0, 0xFF));
  process();
  name = "process mask";
  said("set", SetProcessAffinityMask(GetCurrentProcess(), 1));
}
