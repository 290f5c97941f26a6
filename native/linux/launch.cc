#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "../platform.h"
#include "sysfs_text.h"
#include "whole_file.h"

namespace groupaffinity {
namespace {

// ---- children ------------------------------------------------------------------------------------------------------

struct Heirloom {
  std::vector<Word> placed;  // as sched_getaffinity() told it; empty: nothing was left to children
  std::vector<Word> children;
};

Heirloom& heirloom() noexcept {
  thread_local Heirloom own;
  return own;
}

// Before the fork, on the thread that forks: its thread-local memory must exist, for the child can't allocate.
void before_fork() noexcept { static_cast<void>(heirloom()); }

// In the child, before it becomes another program: system calls only.
void in_child() noexcept {
  const Heirloom& mine = heirloom();
  if (mine.placed.empty()) return;
  std::array<Word, kMaxCpus / kWordBits> now{};
  const long bytes = syscall(SYS_sched_getaffinity, 0, mine.placed.size() * sizeof(Word), now.data());
  // Somebody placed the thread elsewhere since: then that is what its children are to have.
  if (bytes < 0 || !std::equal(mine.placed.begin(), mine.placed.end(), now.begin())) return;
  syscall(SYS_sched_setaffinity, 0, mine.children.size() * sizeof(Word), mine.children.data());
}

bool watch_forks() noexcept {
  static const bool watched = pthread_atfork(before_fork, nullptr, in_child) == 0;
  return watched;
}

// ---- signals -------------------------------------------------------------------------------------------------------

// What people and programs send to have something done. Not: faults, job control, SIGCHLD, what V8 uses to profile.
void for_each_forwarded(auto&& visit) noexcept {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGURG, SIGXCPU, SIGVTALRM,
                           SIGWINCH, SIGIO, SIGPWR})
    visit(signal);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) visit(signal);
}

constexpr std::uint64_t bit_of(int signal) noexcept { return std::uint64_t{1} << (signal - 1); }

std::atomic<pid_t> receiver{0};         // 0: not started yet, or ended
std::atomic<std::uint64_t> waiting{0};  // of each signal that is to be handed on its bit
std::atomic<int> killer{0};             // the signal that ended the receiver
static_assert(std::atomic<pid_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<int>::is_always_lock_free);

void hand_on() noexcept {
  const pid_t to = receiver.load();
  if (to <= 0) return;
  const std::uint64_t came = waiting.exchange(0);
  for_each_forwarded([&](int signal) {
    if ((came & bit_of(signal)) != 0) kill(to, signal);
  });
}

void forward(int signal, siginfo_t* info, void*) noexcept {
  const int error = errno;
  // What the kernel sends for a terminal goes to the whole foreground group, the receiver included, and only a hangup
  // to the session's leader alone (setpgid(2), tty_ioctl(4)); what it sends for limits and timers is this process's
  // own.
  const bool by_kernel = info->si_code == SI_KERNEL && !(signal == SIGHUP && getsid(0) == getpid());
  if (!by_kernel) {
    waiting.fetch_or(bit_of(signal));
    hand_on();
  }
  errno = error;
}

struct sigaction loops_action {};

// Of a child that a signal has ended for which it has no name, Node says that it ended with status 0.
void see_end() noexcept {
  const pid_t program = receiver.load();
  siginfo_t seen{};
  if (program <= 0 || waitid(P_PID, static_cast<id_t>(program), &seen, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  if (seen.si_pid == program && (seen.si_code == CLD_KILLED || seen.si_code == CLD_DUMPED)) killer = seen.si_status;
}

void child_changed(int signal, siginfo_t*, void*) noexcept {
  const int error = errno;
  see_end();
  errno = error;
  loops_action.sa_handler(signal);
}

// In front of the event loop's handler, which is there from the first child on, for the loop reaps what has ended.
void watch_end() noexcept {
  struct sigaction action {};
  sigaction(SIGCHLD, nullptr, &action);
  if ((action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) return;
  loops_action = action;
  action.sa_sigaction = child_changed;
  action.sa_flags |= SA_SIGINFO;
  sigaction(SIGCHLD, &action, nullptr);
  see_end();
}

void reset(int signal) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
}

void unblock_all() noexcept {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// More than any kernel takes for a program's arguments and environment (execve(2)).
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// The abstract name of a socket (unix(7)): no file, and free as soon as no process has the socket open.
socklen_t abstract_name(const std::string& name, sockaddr_un& address) noexcept {
  address = {};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() + 1 > sizeof address.sun_path) return 0;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

}  // namespace

Result leave_to_children(std::span<const Word> words) {
  if (!watch_forks()) return {Outcome::refused, ENOMEM};
  std::vector<Word> placed(words.size());
  const long bytes = syscall(SYS_sched_getaffinity, 0, placed.size() * sizeof(Word), placed.data());
  if (bytes < 0) return {Outcome::refused, static_cast<std::uint32_t>(errno)};
  heirloom() = {.placed = std::move(placed), .children = {words.begin(), words.end()}};
  return {};
}

std::vector<std::string> first_environment() { return parse_strings(whole_file("/proc/self/environ", kMostBytes)); }

std::vector<std::string> first_arguments() { return parse_strings(whole_file("/proc/self/cmdline", kMostBytes)); }

Result become(const std::vector<std::string>& arguments) {
  const std::vector<char*> argv = pointers(arguments);
  std::array<struct sigaction, NSIG> actions{};
  sigset_t mask;
  for (int signal = 1; signal < NSIG; ++signal) {
    sigaction(signal, nullptr, &actions[static_cast<std::size_t>(signal)]);
    reset(signal);
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  unblock_all();
  // Node makes its standard streams non-blocking, which whoever shares them has them then, and keeps them to itself.
  for (int file = 0; file <= 2; ++file) {
    if (const int flags = fcntl(file, F_GETFL); flags >= 0 && (flags & O_NONBLOCK) != 0)
      fcntl(file, F_SETFL, flags & ~O_NONBLOCK);
    if (const int flags = fcntl(file, F_GETFD); flags >= 0 && (flags & FD_CLOEXEC) != 0)
      fcntl(file, F_SETFD, flags & ~FD_CLOEXEC);
  }
  in_child();
  execvp(argv[0], argv.data());
  const auto error = static_cast<std::uint32_t>(errno);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &actions[static_cast<std::size_t>(signal)], nullptr);
  return {Outcome::refused, error};
}

Result catch_signals() noexcept {
  struct sigaction action {};
  action.sa_sigaction = forward;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  Result result;
  for_each_forwarded([&](int signal) {
    if (sigaction(signal, &action, nullptr) != 0) result = {Outcome::refused, static_cast<std::uint32_t>(errno)};
  });
  return result;
}

void hand_signals_to(std::uint64_t process) noexcept {
  receiver = static_cast<pid_t>(process);
  if (process == 0) return;
  watch_end();
  hand_on();
}

std::uint32_t killed_by() noexcept { return static_cast<std::uint32_t>(killer.load()); }

void end_by_signal(std::uint32_t signal) noexcept {
  // The program has left its core; one of this process would only hide it.
  const rlimit none{};
  setrlimit(RLIMIT_CORE, &none);
  reset(static_cast<int>(signal));
  unblock_all();
  raise(static_cast<int>(signal));
}

Claim claim_name(const std::string& name, std::intptr_t& handle) noexcept {
  sockaddr_un address;
  const socklen_t length = abstract_name(name, address);
  if (length == 0) return Claim::impossible;
  const int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0) return Claim::impossible;
  if (bind(file, reinterpret_cast<const sockaddr*>(&address), length) == 0) {
    handle = file;
    return Claim::mine;
  }
  const bool taken = errno == EADDRINUSE;
  close(file);
  return taken ? Claim::taken : Claim::impossible;
}

bool is_claimed(const std::string& name) noexcept {
  sockaddr_un address;
  const socklen_t length = abstract_name(name, address);
  const int file = length == 0 ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0) return false;
  const bool found = connect(file, reinterpret_cast<const sockaddr*>(&address), length) == 0;
  close(file);
  return found;
}

void let_go(std::intptr_t handle) noexcept { close(static_cast<int>(handle)); }

}  // namespace groupaffinity
