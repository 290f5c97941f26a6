// The seam: what every platform answers. Values only; no type of an operating system crosses it.
// Each platform folder implements all of it; the build files choose the folder.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu_set.h"
#include "groups.h"

namespace groupaffinity {

// ---- affinity.cc: where the calling thread may run -----------------------------------------------------------------

// The numbers are shared with lib/binding.ts.
enum class Outcome : std::int32_t {
  done = 0,
  trimmed = 1,       // done, without the wanted CPUs that are not running now
  none_running = 2,  // every wanted CPU is offline; nothing changed
  not_allowed = 3,   // the OS withholds a wanted CPU that is running (cpuset, job, process affinity); nothing changed
  refused = 4,       // the OS said no for another reason (see os_error); nothing changed
  not_a_processor = 5,  // the group does not exist, or a bit beyond its processors, or no bit at all; nothing changed
  spans_groups = 6,     // this OS keeps a thread inside one group; nothing changed
  no_groups = 7,        // form_groups() has not run
  unsupported = 8,      // this platform has no such call
  gone = 9,             // that thread has ended or never was
};

struct Result {
  Outcome outcome = Outcome::done;
  std::uint32_t os_error = 0;  // errno, or GetLastError(); 0 where the OS was not asked
};

// What a platform can do; known without trying.
struct Support {
  const char* platform;  // "linux", "windows", "unsupported"
  bool affinity;         // set and read the calling thread's set
  bool spans_groups;     // a set may hold CPUs of several groups
  bool topology;         // read_machine() answers
  bool sysroot;          // ... for another root as well
  bool hardware_groups;  // the OS itself has processor groups (else they are formed from the topology)
};
[[nodiscard]] Support support() noexcept;

// Words in an affinity mask of this system, found once: every `words` below has exactly this many.
[[nodiscard]] std::size_t mask_words() noexcept;

// What a platform keeps of a thread from call to call. The calls below take the calling thread's own, which lives as
// long as the thread: to find it again costs more than all else that they do but their system calls.
class ThreadMemory;
[[nodiscard]] ThreadMemory& thread_memory() noexcept;

// The CPUs the calling thread may run on now, those of its set that are running, and `exact`: what restore_affinity()
// would need to bring the set back.
[[nodiscard]] Result read_affinity(ThreadMemory& mine, std::span<Word> words, std::span<Word> exact) noexcept;

// Confines the calling thread to the CPUs of `wanted` that are running now, and has it there on return.
// `previous` receives what restore_affinity() needs to bring back the thread's set bit for bit: it may hold CPUs that
// are not running, and all of a set that spans groups. `in_force`: what the thread has now; written on `done` and
// `trimmed` only. On every other outcome the thread is as it was.
[[nodiscard]] Result exchange_affinity(ThreadMemory& mine, std::span<const Word> wanted, std::span<Word> previous,
                                       std::span<Word> in_force) noexcept;

// The same in one group's terms: the path of StorPortSetSystemGroupAffinityThread. It ends as a call of `then`, which
// answers in its place and is told, on `done` and `trimmed`, the part of the previous set in the group where the thread
// was running: behind a system call it is dearer to return to a caller than to call on. `previous` has mask_words()
// words.
using AfterExchange = void*(void* context, Result result, GroupMask previous_slice) noexcept;
[[nodiscard]] void* exchange_group_affinity(ThreadMemory& mine, GroupMask wanted, Word* previous, AfterExchange* then,
                                            void* context) noexcept;

// Gives the calling thread a set that exchange_affinity() returned as `previous`. `trimmed` where the OS withholds all
// of it by now (the process moved to another cpuset): the thread has what the OS leaves it instead.
[[nodiscard]] Result restore_affinity(ThreadMemory& mine, std::span<const Word> previous) noexcept;

// The CPU that the calling thread is running on; kNoCpu where the platform can't tell, or has groups not formed yet.
[[nodiscard]] std::uint32_t current_cpu() noexcept;

// ---- floor.cc: for `groupaffinity bench` ---------------------------------------------------------------------------

// One get and one set of the calling thread's affinity by the OS's own calls, with nothing around them: an exchange
// can't be faster. The OS's error, 0 for none.
[[nodiscard]] std::uint32_t bare_exchange(std::span<const Word> wanted, std::span<Word> previous) noexcept;

// Gives another thread of this process a set, by the OS's own call. The OS's error, 0 for none.
[[nodiscard]] std::uint32_t bare_move(std::uint64_t thread, std::span<const Word> wanted) noexcept;

// What all CPUs together did since the machine started, in seconds.
struct CpuTime {
  double all = 0;
  double busy = 0;               // with programs and the kernel
  std::optional<double> stolen;  // a hypervisor ran something else; absent where the OS does not tell
};
// Nothing where the OS does not tell.
[[nodiscard]] std::optional<CpuTime> cpu_time();

// ---- threads.cc: other threads of this process ---------------------------------------------------------------------

// The number the OS knows the calling thread by (gettid, GetCurrentThreadId); 0 where there is none.
[[nodiscard]] std::uint64_t current_thread() noexcept;

// What the OS tells of a thread without its help. Absent: this OS does not tell.
struct ThreadState {
  std::uint64_t thread = 0;
  std::string name;  // as the OS keeps it: Linux cuts it after 15 bytes, Windows has none unless one was given
  CpuSet allowed;    // offline CPUs of its set included, where the OS shows them
  std::optional<std::uint32_t> last_cpu;
  std::optional<std::uint64_t> voluntary_switches;
  std::optional<std::uint64_t> involuntary_switches;
  std::optional<std::uint64_t> migrations;
  std::optional<std::uint64_t> cpu_time;         // ms that it ran, the OS's work for it included
  std::optional<std::int32_t> nice;              // as get_nice() tells it
  std::optional<std::uint64_t> started;          // ms after a moment that all threads share
  std::optional<std::uint64_t> blocked_signals;  // bit n is signal n + 1
  std::optional<bool> waits_for_events;          // it waits in a call of the kind that event loops wait in
};
// Of a thread of this process; `gone` where it is none, or has ended.
[[nodiscard]] Result read_thread(std::uint64_t thread, ThreadState& state);

// Of every thread of a process, of this one for 0; in ascending order of their numbers. `gone` where there is no such
// process.
[[nodiscard]] Result read_threads(std::uint64_t process, std::vector<ThreadState>& threads);

// Confines a thread of this process to the CPUs of `wanted` that are running now. `previous` receives what
// restore_thread() needs to bring back its set bit for bit; `in_force`, on `done` and `trimmed` only, what it has now.
// On every other outcome the thread is as it was, and `gone` is one that ended, or never was of this process. Of the
// calling thread exchange_affinity() knows more, and sandboxes allow it more.
[[nodiscard]] Result confine_thread(std::uint64_t thread, std::span<const Word> wanted, std::span<Word> previous,
                                    std::span<Word> in_force);

// Gives a thread of this process a set that confine_thread() returned as `previous`; `trimmed` as in
// restore_affinity().
[[nodiscard]] Result restore_thread(std::uint64_t thread, std::span<const Word> previous);

// Scheduling levels as Windows counts them: 8 is normal, 1 to 15 are dynamic, 16 to 31 real time.
// Gives a thread of this process the level, or the nearest below it that the OS has; on `refused` it has its old one.
[[nodiscard]] Result set_priority(std::uint64_t thread, std::int32_t level) noexcept;
[[nodiscard]] Result get_priority(std::uint64_t thread, std::int32_t& level) noexcept;

// The same as nice(1) counts: 19 is the lowest, 0 normal, -20 the highest; kRealTime runs before all of them.
inline constexpr std::int32_t kRealTime = -100;
[[nodiscard]] Result set_nice(std::uint64_t thread, std::int32_t nice) noexcept;
[[nodiscard]] Result get_nice(std::uint64_t thread, std::int32_t& nice) noexcept;

// ---- watch.cc: threads that others place, seen and put back ---------------------------------------------------------

// The CPUs that a thread of this process, one that has not ended, may run on now: those of its set that are running.
// One call of the OS, or few.
[[nodiscard]] Result look_at_thread(std::uint64_t thread, std::span<Word> words) noexcept;

// Asks the OS for a set for such a thread as it stands. What of it is not running or withheld the OS leaves
// out; the thread is as it was where that is all of it.
[[nodiscard]] Result put_thread(std::uint64_t thread, std::span<const Word> words) noexcept;

// Whether a thread may place others of its process here, which sandboxes forbid; changes nothing.
[[nodiscard]] Result may_put_threads() noexcept;

// What a look says: look again after so long at the latest; and whether a thread was found moved.
struct Looked {
  std::chrono::milliseconds rest;
  bool moved = false;
};
struct Watch;
// Calls `look` on a thread of its own: with true where the OS tells that a CPU came or went, or that a cpuset of this
// process was changed; with false at first, after wake_watch(), and when the rest is over.
[[nodiscard]] Result begin_watch(Looked (*look)(bool told), Watch*& watch);
void wake_watch(Watch& watch) noexcept;
// The thread has ended when it returns.
void end_watch(Watch* watch) noexcept;

// ---- processors.cc: what the machine is ----------------------------------------------------------------------------

// Every set below but `possible`, `present` and the groups' masks holds running (online) CPUs only, save where said.
struct Package {
  std::optional<std::int64_t> id;  // absent where the OS has none
  CpuSet cpus;
};
struct Core {
  std::optional<std::int64_t> package;
  std::optional<std::int64_t> id;  // not unique
  CpuSet cpus;
};
struct NumaNode {
  std::uint32_t id = 0;
  CpuSet cpus;                           // empty: memory only
  CpuSet capacity;                       // with its CPUs that are present but offline, where the OS tells
  std::vector<std::uint32_t> distances;  // to each node in the order of `numa_nodes`; empty where unknown
};
enum class CacheType { data, instruction, unified };
struct Cache {
  std::uint32_t level = 0;
  CacheType type = CacheType::unified;
  std::uint64_t bytes = 0;  // 0: unknown
  CpuSet cpus;
};
// CPUs of one efficiency class: 0 is the most efficient and slowest, higher classes are faster.
struct Kind {
  std::uint32_t efficiency_class = 0;
  CpuSet cpus;
};
struct HardwareGroup {
  Word maximum = 0;
  Word active = 0;
};

struct Cpus {
  CpuSet possible;
  CpuSet present;
  CpuSet online;
  CpuSet settable;  // what the OS lets this process confine a thread to (cpuset, job); a part of `online`
  CpuSet allowed;   // the part of `settable` that the process was started with (by taskset, say)
  CpuSet isolated;  // kept free of the scheduler's balancing (isolcpus=); a part of `online`
};

struct Machine : Cpus {
  // CPUs' worth of time that the process may use, above 0 (cgroup, job); absent where nothing limits it.
  std::optional<double> quota;
  std::vector<Package> packages;
  std::vector<Core> cores;
  std::vector<NumaNode> numa_nodes;
  std::vector<Cache> caches;
  std::vector<Kind> kinds;
  // Empty where the OS has no groups of its own. CPU numbers run through the groups in order, over `maximum`: the CPU
  // of a group's first bit is the number of processors in all groups before it.
  std::vector<HardwareGroup> groups;
};

// Remembers what the process may use before anything here narrows a thread; later calls do nothing. What is read of
// this machine counts it into `allowed`.
void note_start() noexcept;
// From now on the process counts as started with these CPUs; `words` has mask_words() words.
void note_start(std::span<const Word> words);

// Reads the machine below `sysroot` ("/" is this one). What the OS does not tell is left empty, and is no error; a
// machine without one online CPU is: `refused`.
[[nodiscard]] Result read_machine(const std::string& sysroot, Machine& machine);

// The same of this machine without what lies around its CPUs: a few files, however many CPUs there are.
[[nodiscard]] Result read_cpus(Cpus& cpus);

// ---- processes.cc: for `groupaffinity ps` --------------------------------------------------------------------------

struct Process {
  std::uint64_t process = 0;
  std::uint64_t leader = 0;  // the process that it is a thread of; `process` itself where it is one
  std::uint64_t parent = 0;
  std::string name;                      // as the OS keeps it: of its main thread
  std::string program;                   // the file that it runs; empty where the OS tells this user nothing
  std::vector<std::string> arguments;    // the program's name among them; empty where the OS does not tell
  std::vector<std::string> environment;  // what it was started with, as NAME=value; as `program`
  std::optional<std::uint64_t> user;     // whose it is
};
// The user that this process acts as; processes with another number belong to others.
[[nodiscard]] std::uint64_t current_user() noexcept;
// The numbers of all processes that the OS shows, in no order.
[[nodiscard]] Result find_processes(std::vector<std::uint64_t>& processes);
// `gone` where there is none, or it has ended and its parent has not looked yet.
[[nodiscard]] Result read_process(std::uint64_t process, Process& found);

// ---- launch.cc: for `groupaffinity run` ----------------------------------------------------------------------------

// Child processes that the calling thread starts, as long as it has the set that it has now, start with `words`, which
// restore_affinity() would take; without it they start where their parent thread is. `done` with no effect where they
// don't.
[[nodiscard]] Result leave_to_children(std::span<const Word> words);

// The environment that this process was started with, as NAME=value; empty where nobody knows.
[[nodiscard]] std::vector<std::string> first_environment();

// The arguments that this process was started with, or what was written over them since; empty where nobody knows.
[[nodiscard]] std::vector<std::string> first_arguments();

// This process becomes another program, in its environment of now: the same number, files, terminal and parent. The
// first of `arguments` is looked for in PATH. Comes back only where it can't be, with everything as it was;
// `unsupported` where no program can.
[[nodiscard]] Result become(const std::vector<std::string>& arguments);

// From now on signals that ask a program for something do nothing here and wait for hand_signals_to(), which hands them
// to a child process, each once: not what the terminal has sent it already. 0: to nobody any more.
[[nodiscard]] Result catch_signals() noexcept;
void hand_signals_to(std::uint64_t process) noexcept;

// The signal that ended the child process to which signals were handed; 0: it ended by itself, or has not been seen to.
[[nodiscard]] std::uint32_t killed_by() noexcept;

// Ends this process by a signal, so that its parent sees what the program did.
void end_by_signal(std::uint32_t signal) noexcept;

// A name that one process of the machine has at a time, and that is free again when it lets go or ends in any way.
enum class Claim : std::int32_t { mine = 0, taken = 1, impossible = 2 };
[[nodiscard]] Claim claim_name(const std::string& name, std::intptr_t& handle) noexcept;
[[nodiscard]] bool is_claimed(const std::string& name) noexcept;
void let_go(std::intptr_t handle) noexcept;

// ---- hardware.cc: for `groupaffinity validate` ---------------------------------------------------------------------

// The id that a CPU has in hardware (processor_id.h), as the OS learned it at boot: not by asking the CPU that runs
// now.
struct HardwareId {
  std::uint32_t cpu = 0;
  std::uint32_t id = 0;
};
// Of every running CPU; empty where the OS does not tell.
[[nodiscard]] std::vector<HardwareId> hardware_ids();

// Takes a CPU out of use, or back into it, for the whole machine. `unsupported` where this CPU or this OS can't.
[[nodiscard]] Result set_online(std::uint32_t cpu, bool online);

}  // namespace groupaffinity
