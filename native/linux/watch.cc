// What moves threads from outside, as far as the kernel tells: CPUs that go offline or come online are uevents
// (Documentation/core-api/kobject.rst), and a cpuset changes when somebody writes to its files (inotify(7)). Of
// sched_setaffinity(2) on another's thread nobody is told.
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../platform.h"
#include "cgroup.h"

namespace groupaffinity {
namespace {

Result from_errno() noexcept {
  const auto error = static_cast<std::uint32_t>(errno);
  return {error == ESRCH ? Outcome::gone : error == ENOSYS ? Outcome::unsupported : Outcome::refused, error};
}

class File {
 public:
  explicit File(int fd = -1) noexcept : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

// Takes what is there to read; whether there was something.
bool drain(int fd) noexcept {
  alignas(std::uint64_t) std::array<char, 4096> buffer;
  bool some = false;
  for (;;) {
    const ssize_t bytes = read(fd, buffer.data(), buffer.size());
    // ENOBUFS: more was told than there was room for.
    if (bytes > 0 || (bytes < 0 && errno == ENOBUFS))
      some = true;
    else if (bytes >= 0 || errno != EINTR)
      return some;
  }
}

// The uevents "online@..." and "offline@..." and no others, which a busy machine has thousands of. -1 where this
// process can't have them.
File uevents() noexcept {
  File socket_of(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  const auto four = [](const char(&text)[5]) {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = (word << 8) | static_cast<unsigned char>(text[i]);
    return word;
  };
  std::array<sock_filter, 5> program{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, four("onli"), 1, 0),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, four("offl"), 0, 1),
                                      BPF_STMT(BPF_RET | BPF_K, UINT_MAX), BPF_STMT(BPF_RET | BPF_K, 0)}};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;  // the kernel's own; udev's is 2
  if (socket_of.fd() < 0 || setsockopt(socket_of.fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0 ||
      bind(socket_of.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return File();
  return socket_of;
}

// Of the files as they are now: the process may be in another cgroup than before. -1 where none can be watched.
File cpuset_changes() {
  File changes(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  bool some = false;
  if (changes.fd() >= 0)
    for (const std::string& name : own_cpuset_files())
      some |= inotify_add_watch(changes.fd(), name.c_str(), IN_MODIFY | IN_DELETE_SELF) >= 0;
  return some ? std::move(changes) : File();
}

}  // namespace

Result look_at_thread(std::uint64_t thread, std::span<Word> words) noexcept {
  // The kernel writes its own mask's size, which may be less.
  std::ranges::fill(words, Word{0});
  return syscall(SYS_sched_getaffinity, static_cast<pid_t>(thread), words.size_bytes(), words.data()) < 0 ? from_errno()
                                                                                                          : Result{};
}

Result put_thread(std::uint64_t thread, std::span<const Word> words) noexcept {
  return syscall(SYS_sched_setaffinity, static_cast<pid_t>(thread), words.size_bytes(), words.data()) == 0
             ? Result{}
             : from_errno();
}

// The kernel looks at the mask after it has looked at who asks, and refuses an empty one: EINVAL.
Result may_put_threads() noexcept {
  const std::vector<Word> none(mask_words());
  const Result refusal = put_thread(static_cast<std::uint64_t>(syscall(SYS_gettid)), none);
  return refusal.os_error == EINVAL ? Result{} : refusal;
}

struct Watch {
  Looked (*look)(bool told) = nullptr;
  File wake;
  File online;
  std::atomic<bool> ended = false;
  pthread_t thread{};

  void run() {
    // It is made by a thread that may be confined, and must not take its CPU from it.
    const std::vector<Word> anywhere(mask_words(), ~Word{0});
    static_cast<void>(syscall(SYS_sched_setaffinity, 0, anywhere.size() * sizeof(Word), anywhere.data()));
    File cpusets = cpuset_changes();
    bool told = false;
    while (!ended.load()) {
      const auto [rest, moved] = look(told);
      if (moved || told) cpusets = cpuset_changes();
      std::array<pollfd, 3> sources{{{wake.fd(), POLLIN, 0}, {online.fd(), POLLIN, 0}, {cpusets.fd(), POLLIN, 0}}};
      const auto most = static_cast<int>(std::min<std::int64_t>(rest.count(), INT_MAX));
      if (poll(sources.data(), sources.size(), most) < 0 && errno != EINTR) {
        // Without it there is still the time.
        const timespec pause{.tv_sec = most / 1000, .tv_nsec = most % 1000 * 1'000'000L};
        nanosleep(&pause, nullptr);
      }
      if (sources[0].revents != 0) drain(wake.fd());
      told = sources[1].revents != 0 && drain(online.fd());
      told |= sources[2].revents != 0 && drain(cpusets.fd());
    }
  }
};

Result begin_watch(Looked (*look)(bool told), Watch*& watch) {
  auto made = std::make_unique<Watch>();
  made->look = look;
  made->wake = File(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (made->wake.fd() < 0) return from_errno();
  made->online = uevents();

  // Signals are Node's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(
      &made->thread, nullptr,
      [](void* self) -> void* {
        static_cast<Watch*>(self)->run();
        return nullptr;
      },
      made.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return {Outcome::refused, static_cast<std::uint32_t>(error)};
  pthread_setname_np(made->thread, "groupaffinity");
  watch = made.release();
  return {};
}

void wake_watch(Watch& watch) noexcept {
  constexpr std::uint64_t kOne = 1;
  static_cast<void>(!write(watch.wake.fd(), &kOne, sizeof kOne));
}

void end_watch(Watch* watch) noexcept {
  watch->ended = true;
  wake_watch(*watch);
  pthread_join(watch->thread, nullptr);
  delete watch;
}

}  // namespace groupaffinity
