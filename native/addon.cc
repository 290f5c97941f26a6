// The door to JavaScript. Checks nothing that lib/ has checked and decides nothing: it moves values across.
//
// The affinity calls take no arguments and return nothing where all went well: their operands lie in memory that each
// environment shares with its JavaScript (lib/binding.ts knows the layout). Nothing is allocated on that path, and it
// touches few lines of memory: a system call leaves the caches full of the kernel's, and each line of ours that is
// fetched again costs more than what it does.
#include <napi.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "contexts.h"
#include "guard.h"
#include "inhabitants.h"
#include "platform.h"
#include "pool.h"
#include "processor_id.h"
#include "seats.h"
#include "timing/arrivals.h"
#include "timing/bare_calls.h"
#include "timing/gaps.h"
#include "timing/round_trips.h"

namespace {

using namespace groupaffinity;

// What a line of the caches holds, in words.
constexpr std::size_t kLineWords = 8;
struct alignas(kLineWords * sizeof(Word)) Line {
  Word words[kLineWords];
};

// What the shared memory begins with. Four sets of mask_words() words follow: previous, wanted, in force, and the user
// affinity while a system affinity is in force. With the first of them it is one line where masks have one word.
struct Operands {
  std::uint32_t wanted_group;
  // Not 0 while a system affinity is: kSystemBegun from the group exchange that began it, until JavaScript has noted
  // that or the next one comes.
  std::uint32_t system_in_force;
  Word wanted_mask;
  std::uint32_t previous_group;
  std::uint32_t os_error;
  Word previous_mask;
  // What the group exchange that was done last wanted. JavaScript writes the group, once it has noted both; until then
  // there is none.
  std::uint32_t last_group;
  // What JavaScript wants to be told of as previous; no mask: nothing.
  std::uint32_t user_group;
  Word last_mask;
  Word user_mask;
};
constexpr std::uint32_t kNoGroup = UINT32_MAX;
constexpr std::uint32_t kSystemBegun = 2;
constexpr std::size_t kSets = sizeof(Operands) / sizeof(Word);
static_assert(offsetof(Operands, wanted_mask) == 8 && offsetof(Operands, previous_mask) == 24 &&
              offsetof(Operands, last_mask) == 40 && kSets == 7);

struct alignas(Line) Environment {
  // What a group exchange needs is one line.
  const napi_env env;
  Operands* operands = nullptr;
  std::span<Word> previous;
  ThreadMemory& memory = thread_memory();
  const std::shared_ptr<Post> thread = Post::here();
  Post& post = *thread;

  std::span<Word> wanted, in_force, user;
  std::vector<Line> own;  // the shared memory, unless the array of JavaScript holds it
  Napi::Reference<Napi::ArrayBuffer> array;
  bool seated = false;
  std::uint32_t plan = 0;
  std::uint32_t seat = 0;
  std::uint32_t context = 0;  // of the system thread that this is; 0: none
  std::vector<std::intptr_t> claims;
  std::map<std::uint32_t, struct Begun*> guards;

  explicit Environment(napi_env of) : env(of) {}
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  // Runs when the thread's environment ends in any way, terminate() included.
  ~Environment() {
    leave();
    for (const std::intptr_t claim : claims) let_go(claim);
    move_out(this);
    if (context != 0) end_context(context);
  }

  void leave() {
    if (!seated) return;
    post.sit(std::nullopt);
    leave_seat(plan, seat);
    seated = false;
  }
};

// ---- the affinity calls, in raw Node-API ----------------------------------------------------------------------------

Environment& environment_of(napi_env env, napi_callback_info info) noexcept {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  return *static_cast<Environment*>(data);
}

napi_value number(napi_env env, std::int32_t value) noexcept {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

// Apart, so that what leads there keeps no place for it.
[[gnu::noinline]] napi_value tell(Environment& here, Result result) noexcept {
  here.operands->os_error = result.os_error;
  return number(here.env, static_cast<std::int32_t>(result.outcome));
}

template <typename Call>
napi_value answer(napi_env env, napi_callback_info info, Call call) noexcept {
  Environment& here = environment_of(env, info);
  const Result result = call(here);
  if (result.outcome != Outcome::done) [[unlikely]]
    return tell(here, result);
  return nullptr;
}

napi_value read(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) { return read_affinity(here.memory, here.in_force, here.previous); });
}

// A call that places the thread, known to its guards: `intend` tells the post what is meant, `in_force` is where the
// call leaves what the thread has then. A template, for it to be a part of its caller: a return that follows a system
// call is not to be had cheaply.
template <typename Intend, typename Call>
Result place(Environment& here, std::span<const Word> in_force, Intend intend, Call call) noexcept {
  const std::lock_guard mine(here.post);
  intend();
  const Result result = call();
  if (result.outcome != Outcome::done) [[unlikely]]
    here.post.settle(result.outcome, in_force);
  return result;
}

napi_value exchange(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) {
    return place(
        here, here.in_force, [&] { here.post.intend(here.wanted); },
        [&] { return exchange_affinity(here.memory, here.wanted, here.previous, here.in_force); });
  });
}

void tell_previous(Operands& operands, GroupMask slice) noexcept {
  operands.previous_group = slice.group;
  operands.previous_mask = slice.mask;
}

// A system affinity is in force. What it came over is put away here, and not by JavaScript, which may be stopped before
// its next step: by a time limit, a stack that is full, what a caller's structure throws.
void cover_user(Environment& here) noexcept {
  std::uint32_t& in_force = here.operands->system_in_force;
  if (in_force == 0) std::ranges::copy(here.previous, here.user.begin());
  in_force = in_force == 0 ? kSystemBegun : 1;
}

[[gnu::noinline]] napi_value group_not_exchanged(Environment& here, Result result, GroupMask slice) noexcept {
  here.post.settle(result.outcome, {});
  here.post.unlock();
  if (result.outcome == Outcome::trimmed) cover_user(here);
  tell_previous(*here.operands, slice);
  return tell(here, result);
}

[[gnu::noinline]] napi_value group_exchanged_unlike(Environment& here) noexcept {
  cover_user(here);
  return tell(here, {});
}

// What exchange_group() answers. Nothing where the system affinity that the exchange before this one set gave way to
// another: then JavaScript knows what there is to know, and has little to do where all is cold.
void* group_exchanged(void* context, Result result, GroupMask slice) noexcept {
  Environment& here = *static_cast<Environment*>(context);
  if (result.outcome != Outcome::done) [[unlikely]]
    return group_not_exchanged(here, result, slice);
  here.post.unlock();
  Operands& operands = *here.operands;
  tell_previous(operands, slice);
  const Word unlike_last = (slice.mask ^ operands.last_mask) | (slice.group ^ operands.last_group);
  const Word unlike_user = (slice.mask ^ operands.user_mask) | (slice.group ^ operands.user_group);
  operands.last_mask = operands.wanted_mask;
  operands.last_group = kNoGroup;
  if ((unlike_last | Word{unlike_user == 0} | Word{operands.system_in_force ^ 1}) != 0) [[unlikely]]
    return group_exchanged_unlike(here);
  return nullptr;
}

napi_value exchange_group(napi_env env, napi_callback_info info) noexcept {
  Environment& here = environment_of(env, info);
  here.post.lock();
  here.post.intend_nothing();
  const GroupMask wanted{here.operands->wanted_group, here.operands->wanted_mask};
  return static_cast<napi_value>(
      exchange_group_affinity(here.memory, wanted, here.previous.data(), group_exchanged, &here));
}

napi_value restore(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) {
    return place(
        here, {}, [&] { here.post.intend_return(here.wanted); },
        [&] { return restore_affinity(here.memory, here.wanted); });
  });
}

napi_value restore_user(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) {
    const Result result = place(
        here, {}, [&] { here.post.intend_return(here.user); },
        [&] { return restore_affinity(here.memory, here.user); });
    if (result.outcome == Outcome::done || result.outcome == Outcome::trimmed) here.operands->system_in_force = 0;
    return result;
  });
}

napi_value current(napi_env env, napi_callback_info) noexcept {
  const std::uint32_t cpu = current_cpu();
  return number(env, cpu == kNoCpu ? -1 : static_cast<std::int32_t>(cpu));
}

// The steady clock in nanoseconds: for what JavaScript times call by call.
napi_value read_clock(napi_env env, napi_callback_info) noexcept {
  napi_value result = nullptr;
  napi_create_double(env, clock_nanoseconds(), &result);
  return result;
}

// ---- everything else ------------------------------------------------------------------------------------------------

Napi::Value bits(Napi::Env env, const std::vector<Word>& words) {
  std::size_t count = words.size();
  while (count > 0 && words[count - 1] == 0) --count;
  return count == 0 ? Napi::BigInt::New(env, Word{0}) : Napi::BigInt::New(env, 0, count, words.data());
}

Napi::Value bits(Napi::Env env, const CpuSet& cpus) { return bits(env, cpus.words()); }

Napi::Value optional_id(Napi::Env env, const std::optional<std::int64_t>& id) {
  return id ? Napi::Value(Napi::Number::New(env, static_cast<double>(*id))) : Napi::Value(env.Null());
}

template <typename Items, typename Build>
Napi::Array list(Napi::Env env, const Items& items, Build build) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    build(object, items[i]);
    array.Set(i, object);
  }
  return array;
}

Napi::Value describe_support(const Napi::CallbackInfo& info) {
  const Support can = support();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("platform", can.platform);
  object.Set("affinity", can.affinity);
  object.Set("spansGroups", can.spans_groups);
  object.Set("topology", can.topology);
  object.Set("sysroot", can.sysroot);
  object.Set("hardwareGroups", can.hardware_groups);
  return object;
}

const char* cache_type(CacheType type) noexcept {
  switch (type) {
    case CacheType::data: return "data";
    case CacheType::instruction: return "instruction";
    case CacheType::unified: return "unified";
  }
  return "unified";
}

Napi::Object describe_cpus(Napi::Env env, const Result& result, const Cpus& cpus) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("outcome", static_cast<double>(result.outcome));
  object.Set("osError", static_cast<double>(result.os_error));
  if (result.outcome != Outcome::done) return object;
  object.Set("possible", bits(env, cpus.possible));
  object.Set("present", bits(env, cpus.present));
  object.Set("online", bits(env, cpus.online));
  object.Set("settable", bits(env, cpus.settable));
  object.Set("allowed", bits(env, cpus.allowed));
  object.Set("isolated", bits(env, cpus.isolated));
  return object;
}

// readCpus(): this machine's sets of CPUs, or { outcome, osError } where there are none.
Napi::Value read_cpus_here(const Napi::CallbackInfo& info) {
  Cpus cpus;
  const Result result = read_cpus(cpus);
  return describe_cpus(info.Env(), result, cpus);
}

// readMachine(sysroot): the machine, or { outcome, osError } where there is none.
Napi::Value read_machine_at(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Machine machine;
  const Result result = read_machine(info[0].As<Napi::String>().Utf8Value(), machine);
  Napi::Object object = describe_cpus(env, result, machine);
  if (result.outcome != Outcome::done) return object;
  object.Set("quota", machine.quota ? Napi::Value(Napi::Number::New(env, *machine.quota)) : Napi::Value(env.Null()));
  object.Set("packages", list(env, machine.packages, [&](Napi::Object& to, const Package& package) {
               to.Set("id", optional_id(env, package.id));
               to.Set("cpus", bits(env, package.cpus));
             }));
  object.Set("cores", list(env, machine.cores, [&](Napi::Object& to, const Core& core) {
               to.Set("package", optional_id(env, core.package));
               to.Set("id", optional_id(env, core.id));
               to.Set("cpus", bits(env, core.cpus));
             }));
  object.Set("numaNodes", list(env, machine.numa_nodes, [&](Napi::Object& to, const NumaNode& node) {
               to.Set("id", node.id);
               to.Set("cpus", bits(env, node.cpus));
               to.Set("capacity", bits(env, node.capacity));
               Napi::Array distances = Napi::Array::New(env, node.distances.size());
               for (std::uint32_t i = 0; i < node.distances.size(); ++i) distances.Set(i, node.distances[i]);
               to.Set("distances", distances);
             }));
  object.Set("caches", list(env, machine.caches, [&](Napi::Object& to, const Cache& cache) {
               to.Set("level", cache.level);
               to.Set("type", cache_type(cache.type));
               to.Set("bytes", static_cast<double>(cache.bytes));
               to.Set("cpus", bits(env, cache.cpus));
             }));
  object.Set("kinds", list(env, machine.kinds, [&](Napi::Object& to, const Kind& kind) {
               to.Set("efficiencyClass", kind.efficiency_class);
               to.Set("cpus", bits(env, kind.cpus));
             }));
  object.Set("groups", list(env, machine.groups, [&](Napi::Object& to, const HardwareGroup& group) {
               to.Set("maximum", bits(env, std::vector<Word>{group.maximum}));
               to.Set("active", bits(env, std::vector<Word>{group.active}));
             }));
  return object;
}

Napi::Value group_table(Napi::Env env, const Groups& formed) {
  const std::vector<std::uint32_t> cpus = formed.table();
  Napi::Uint32Array table = Napi::Uint32Array::New(env, cpus.size());
  // Empty where the environment is being torn down.
  if (!table.IsEmpty()) std::ranges::copy(cpus, table.Data());
  return table;
}

double exact_double(const Napi::Value& value) { return value.As<Napi::Number>().DoubleValue(); }

std::uint64_t thread_from(const Napi::Value& value) {
  const double thread = exact_double(value);
  return thread >= 0 && thread < 9007199254740992.0 ? static_cast<std::uint64_t>(thread) : 0;
}

Napi::Object describe_thread(Napi::Env env, const ThreadState& state) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, const auto& value) {
    object.Set(name,
               value ? Napi::Value(Napi::Number::New(env, static_cast<double>(*value))) : Napi::Value(env.Null()));
  };
  object.Set("thread", static_cast<double>(state.thread));
  object.Set("name", state.name);
  object.Set("allowed", bits(env, state.allowed));
  set("lastCpu", state.last_cpu);
  set("voluntarySwitches", state.voluntary_switches);
  set("involuntarySwitches", state.involuntary_switches);
  set("migrations", state.migrations);
  set("cpuTime", state.cpu_time);
  set("nice", state.nice);
  set("started", state.started);
  object.Set("blockedSignals",
             state.blocked_signals ? bits(env, std::vector<Word>{*state.blocked_signals}) : env.Null());
  object.Set("waitsForEvents",
             state.waits_for_events ? Napi::Value(Napi::Boolean::New(env, *state.waits_for_events)) : env.Null());
  return object;
}

Napi::Object describe_result(Napi::Env env, const Result& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("outcome", static_cast<double>(result.outcome));
  object.Set("osError", static_cast<double>(result.os_error));
  return object;
}

// readThread(thread): what the OS tells of a thread of this process; null where it is none, or has ended.
Napi::Value read_thread_by(const Napi::CallbackInfo& info) {
  ThreadState state;
  const Result result = read_thread(thread_from(info[0]), state);
  if (result.outcome != Outcome::done) return info.Env().Null();
  return describe_thread(info.Env(), state);
}

// readThreads(process): { outcome, osError, threads }.
Napi::Value read_threads_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<ThreadState> threads;
  const Result result = read_threads(thread_from(info[0]), threads);
  Napi::Object object = describe_result(env, result);
  Napi::Array array = Napi::Array::New(env, threads.size());
  for (std::uint32_t i = 0; i < threads.size(); ++i) array.Set(i, describe_thread(env, threads[i]));
  object.Set("threads", array);
  return object;
}

// confineThread(thread): outcome; the operands as in exchange().
Napi::Value confine_thread_by(const Napi::CallbackInfo& info) {
  Environment& here = *static_cast<Environment*>(info.Data());
  const std::uint64_t thread = thread_from(info[0]);
  const Result result = place_known(
      thread, [&](Post& post) { post.intend(here.wanted); },
      [&] { return confine_thread(thread, here.wanted, here.previous, here.in_force); }, here.in_force);
  here.operands->os_error = result.os_error;
  return Napi::Number::New(info.Env(), static_cast<double>(result.outcome));
}

// restoreThread(thread): outcome; the operands as in restore().
Napi::Value restore_thread_by(const Napi::CallbackInfo& info) {
  Environment& here = *static_cast<Environment*>(info.Data());
  const std::uint64_t thread = thread_from(info[0]);
  const Result result = place_known(
      thread, [&](Post& post) { post.intend_return(here.wanted); }, [&] { return restore_thread(thread, here.wanted); },
      {});
  here.operands->os_error = result.os_error;
  return Napi::Number::New(info.Env(), static_cast<double>(result.outcome));
}

// setNice(thread, nice): { outcome, osError }.
Napi::Value set_nice_of(const Napi::CallbackInfo& info) {
  return describe_result(info.Env(), set_nice(thread_from(info[0]), info[1].As<Napi::Number>().Int32Value()));
}

// niceOf(thread): null where it is no thread of this process, or the OS does not tell.
Napi::Value nice_of_thread(const Napi::CallbackInfo& info) {
  std::int32_t nice = 0;
  const Result result = get_nice(thread_from(info[0]), nice);
  return result.outcome == Outcome::done ? Napi::Value(Napi::Number::New(info.Env(), nice)) : info.Env().Null();
}

// introduce(main, worker, name): who the calling thread is.
Napi::Value introduce(const Napi::CallbackInfo& info) {
  Environment& here = *static_cast<Environment*>(info.Data());
  move_in(&here,
          {current_thread(), info[0].As<Napi::Boolean>().Value(), info[1].As<Napi::Number>().Uint32Value(),
           info[2].As<Napi::String>().Utf8Value()},
          here.operands->system_in_force);
  return info.Env().Undefined();
}

// inhabitants(): { thread, main, worker, name } of every thread that introduced itself and lives.
Napi::Value all_inhabitants(const Napi::CallbackInfo& info) {
  return list(info.Env(), inhabitants(), [](Napi::Object& to, const Inhabitant& of) {
    to.Set("thread", static_cast<double>(of.thread));
    to.Set("main", of.main);
    to.Set("worker", of.worker);
    to.Set("name", of.name);
  });
}

// hasSystemAffinity(thread): whether it has introduced itself and has one in force.
Napi::Value thread_has_system_affinity(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), has_system_affinity(thread_from(info[0])));
}

// poolThreads(): the numbers of those threads of libuv's pool that ever answered a roll call.
Napi::Value known_pool_threads(const Napi::CallbackInfo& info) {
  const std::vector<std::uint64_t> threads = pool_threads();
  Napi::Array array = Napi::Array::New(info.Env(), threads.size());
  for (std::uint32_t i = 0; i < threads.size(); ++i) array.Set(i, static_cast<double>(threads[i]));
  return array;
}

// One piece of a roll call's work in libuv's pool.
struct Answer {
  std::shared_ptr<RollCall> call;
  napi_async_work work = nullptr;
};

// callPool(expected, usual, patience in ms): blocks; see RollCall. The pool has been started then, and poolThreads()
// has those who answered.
Napi::Value call_pool(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto number = [&](std::size_t index) { return info[index].As<Napi::Number>().Uint32Value(); };
  const auto alone = only_roll_call();
  const auto call = std::make_shared<RollCall>();
  const Napi::String name = Napi::String::New(env, "groupaffinity.rollCall");
  std::vector<Answer*> queued;
  for (std::uint32_t i = 0; i < number(0); ++i) {
    auto* const answer = new Answer{call};
    const auto run = [](napi_env, void* data) { static_cast<Answer*>(data)->call->answer(); };
    const auto done = [](napi_env env, napi_status, void* data) {
      auto* const answer = static_cast<Answer*>(data);
      napi_delete_async_work(env, answer->work);
      delete answer;
    };
    if (napi_create_async_work(env, nullptr, name, run, done, answer, &answer->work) != napi_ok) {
      delete answer;
      break;
    }
    if (napi_queue_async_work(env, answer->work) != napi_ok) {
      napi_delete_async_work(env, answer->work);
      delete answer;
      break;
    }
    queued.push_back(answer);
  }
  call->wait(queued.size(), number(1), std::chrono::milliseconds(number(2)));
  // What has not begun need not; its `done` comes all the same.
  for (const Answer* const answer : queued) napi_cancel_async_work(env, answer->work);
  return env.Undefined();
}

// formGroups(table): the table in force, which is another thread's where that came first.
Napi::Value form_groups_from(const Napi::CallbackInfo& info) {
  const auto table = info[0].As<Napi::Uint32Array>();
  return group_table(info.Env(), form_groups({table.Data(), table.ElementLength()}));
}

// groups(): the table in force, or null.
Napi::Value formed_groups(const Napi::CallbackInfo& info) {
  const Groups* const formed = groups();
  return formed == nullptr ? info.Env().Null() : group_table(info.Env(), *formed);
}

// addPlan(words, description): the plan's number. `words` is a BigUint64Array, maskWords a seat.
Napi::Value add_plan_from(const Napi::CallbackInfo& info) {
  const auto words = info[0].As<Napi::BigUint64Array>();
  std::vector<Word> copy(words.Data(), words.Data() + words.ElementLength());
  return Napi::Number::New(info.Env(), add_plan(std::move(copy), mask_words(), info[1].As<Napi::String>().Utf8Value()));
}

std::uint32_t plan_from(const Napi::Value& value) {
  constexpr std::uint32_t kNone = UINT32_MAX;
  const double plan = exact_double(value);
  return plan >= 0 && plan < kNone ? static_cast<std::uint32_t>(plan) : kNone;
}

// Confines a thread for which nothing has to be brought back: finding out what that would be takes longer than the
// rest.
Result confine_for_good(Environment& here, std::span<const Word> cpus) noexcept {
  return place(
      here, here.in_force, [&] { here.post.intend(cpus); },
      [&] {
        if (restore_affinity(here.memory, cpus).outcome == Outcome::done &&
            read_affinity(here.memory, here.in_force, here.previous).outcome == Outcome::done &&
            std::ranges::equal(cpus, here.in_force))
          return Result{};
        // All of it was not to be had: this says why, or trims it.
        return exchange_affinity(here.memory, cpus, here.previous, here.in_force);
      });
}

// takeSeat(plan): sits the calling thread down and confines it; the seat is free again when the environment ends.
// Answers { outcome, osError, seat, sharers }; the outcome `gone` means that there is no such plan.
Napi::Value take_seat_in(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& here = *static_cast<Environment*>(info.Data());
  Napi::Object object = Napi::Object::New(env);
  here.leave();
  SeatTaken taken;
  const std::uint32_t plan = plan_from(info[0]);
  Result result{Outcome::gone, 0};
  std::vector<bool> tried;
  // A seat that is offline or withheld by now is passed over for the next one.
  while (take_seat(plan, tried, taken)) {
    here.plan = plan;
    here.seat = taken.seat;
    here.seated = true;
    here.post.sit(Post::Seat{.plan = plan, .seat = taken.seat});
    result = confine_for_good(here, taken.words);
    if (result.outcome == Outcome::done || result.outcome == Outcome::trimmed) break;
    here.leave();
  }
  object.Set("outcome", static_cast<double>(result.outcome));
  object.Set("osError", static_cast<double>(result.os_error));
  object.Set("seat", taken.seat);
  object.Set("sharers", taken.sharers);
  return object;
}

// seatSitters(plan): how many sit on each seat now.
Napi::Value sitters_of(const Napi::CallbackInfo& info) {
  const std::vector<std::uint32_t> sitters = seat_sitters(info[0].As<Napi::Number>().Uint32Value());
  Napi::Array array = Napi::Array::New(info.Env(), sitters.size());
  for (std::uint32_t i = 0; i < sitters.size(); ++i) array.Set(i, sitters[i]);
  return array;
}

Napi::Value description_of(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), plan_description(info[0].As<Napi::Number>().Uint32Value()));
}

Napi::Value thread_number(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(current_thread()));
}

// setPriority(thread, level): { outcome, osError, level }, the level read back.
Napi::Value set_priority_of(const Napi::CallbackInfo& info) {
  const std::uint64_t thread = thread_from(info[0]);
  const Result result = set_priority(thread, info[1].As<Napi::Number>().Int32Value());
  std::int32_t level = 0;
  static_cast<void>(get_priority(thread, level));
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("outcome", static_cast<double>(result.outcome));
  object.Set("osError", static_cast<double>(result.os_error));
  object.Set("level", level);
  return object;
}

// threadLevel(thread): its priority; null where it is no thread of this process, or the OS does not tell.
Napi::Value level_of_thread(const Napi::CallbackInfo& info) {
  std::int32_t level = 0;
  const Result result = get_priority(thread_from(info[0]), level);
  return result.outcome == Outcome::done ? Napi::Value(Napi::Number::New(info.Env(), level)) : info.Env().Null();
}

// hardwareId(): of the CPU that runs the calling thread, or null.
Napi::Value hardware_id(const Napi::CallbackInfo& info) {
  const auto id = processor_id();
  return id ? Napi::Value(Napi::Number::New(info.Env(), *id)) : info.Env().Null();
}

// hardwareIds(): { cpu, id } of every CPU, as the OS knows them.
Napi::Value all_hardware_ids(const Napi::CallbackInfo& info) {
  return list(info.Env(), hardware_ids(), [](Napi::Object& to, const HardwareId& of) {
    to.Set("cpu", of.cpu);
    to.Set("id", of.id);
  });
}

// setOnline(cpu, online): { outcome, osError }.
Napi::Value set_cpu_online(const Napi::CallbackInfo& info) {
  return describe_result(info.Env(),
                         set_online(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Boolean>().Value()));
}

// currentUser().
Napi::Value user_number(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(current_user()));
}

// findProcesses(): { outcome, osError, processes }.
Napi::Value find_all_processes(const Napi::CallbackInfo& info) {
  std::vector<std::uint64_t> processes;
  Napi::Object object = describe_result(info.Env(), find_processes(processes));
  Napi::Array array = Napi::Array::New(info.Env(), processes.size());
  for (std::uint32_t i = 0; i < processes.size(); ++i) array.Set(i, static_cast<double>(processes[i]));
  object.Set("processes", array);
  return object;
}

Napi::Array array_of(Napi::Env env, const std::vector<std::string>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (std::uint32_t i = 0; i < list.size(); ++i) array.Set(i, list[i]);
  return array;
}

// readProcess(process): { outcome, osError } and, where that is done, what the process is.
Napi::Value read_process_by(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Process process;
  const Result result = read_process(thread_from(info[0]), process);
  Napi::Object object = describe_result(env, result);
  if (result.outcome != Outcome::done) return object;
  object.Set("process", static_cast<double>(process.process));
  object.Set("leader", static_cast<double>(process.leader));
  object.Set("parent", static_cast<double>(process.parent));
  object.Set("name", process.name);
  object.Set("program", process.program);
  object.Set("arguments", array_of(env, process.arguments));
  object.Set("environment", array_of(env, process.environment));
  object.Set("user", process.user ? Napi::Value(Napi::Number::New(env, static_cast<double>(*process.user)))
                                  : Napi::Value(env.Null()));
  return object;
}

// leaveToChildren(words): { outcome, osError }. `words` is a BigUint64Array of maskWords words.
Napi::Value leave_words_to_children(const Napi::CallbackInfo& info) {
  const auto words = info[0].As<Napi::BigUint64Array>();
  return describe_result(info.Env(), leave_to_children({words.Data(), words.ElementLength()}));
}

// noteStart(words): the same words.
Napi::Value note_words_of_start(const Napi::CallbackInfo& info) {
  const auto words = info[0].As<Napi::BigUint64Array>();
  note_start({words.Data(), words.ElementLength()});
  return info.Env().Undefined();
}

std::vector<std::string> texts(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> list;
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    list.push_back(Napi::Value(array[i]).As<Napi::String>().Utf8Value());
  return list;
}

// become(arguments): { outcome, osError }, if it comes back.
Napi::Value become_program(const Napi::CallbackInfo& info) {
  std::vector<std::string> arguments = texts(info[0]);
  // JavaScript shows U+FFFD in place of bytes that are no UTF-8; a process's title is written over its arguments.
  const std::vector<std::string> given = first_arguments();
  const std::size_t last = std::min(given.size(), arguments.size());
  for (std::size_t i = 1; i <= last; ++i) {
    const std::string& bytes = given[given.size() - i];
    std::string& shown = arguments[arguments.size() - i];
    if (Napi::String::New(info.Env(), bytes).Utf8Value() == shown) shown = bytes;
  }
  return describe_result(info.Env(), become(arguments));
}

// firstEnvironment(): NAME=value each.
Napi::Value environment_at_first(const Napi::CallbackInfo& info) { return array_of(info.Env(), first_environment()); }

// catchSignals(): { outcome, osError }.
Napi::Value catch_all_signals(const Napi::CallbackInfo& info) { return describe_result(info.Env(), catch_signals()); }

// handSignalsTo(process).
Napi::Value hand_signals(const Napi::CallbackInfo& info) {
  hand_signals_to(thread_from(info[0]));
  return info.Env().Undefined();
}

// killedBy(): a signal's number, or 0.
Napi::Value killer_of_child(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), killed_by()); }

// endBySignal(number).
Napi::Value end_this_by_signal(const Napi::CallbackInfo& info) {
  end_by_signal(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// claimName(name): a Claim; the name is this environment's until it ends.
Napi::Value claim_for_environment(const Napi::CallbackInfo& info) {
  std::intptr_t handle = 0;
  const Claim claim = claim_name(info[0].As<Napi::String>().Utf8Value(), handle);
  if (claim == Claim::mine) static_cast<Environment*>(info.Data())->claims.push_back(handle);
  return Napi::Number::New(info.Env(), static_cast<double>(claim));
}

// letGo(): of the name that this environment claimed last.
Napi::Value let_last_go(const Napi::CallbackInfo& info) {
  auto& claims = static_cast<Environment*>(info.Data())->claims;
  if (!claims.empty()) {
    let_go(claims.back());
    claims.pop_back();
  }
  return info.Env().Undefined();
}

// isClaimed(name).
Napi::Value is_name_claimed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), is_claimed(info[0].As<Napi::String>().Utf8Value()));
}

Napi::Object describe_timed(Napi::Env env, const Timed& timed) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("nanoseconds", timed.nanoseconds);
  object.Set("osError", static_cast<double>(timed.os_error));
  return object;
}

// timeBareExchanges(first, second, count): { nanoseconds, osError }. Both are BigUint64Arrays of maskWords words.
Napi::Value time_exchanges(const Napi::CallbackInfo& info) {
  const auto first = info[0].As<Napi::BigUint64Array>();
  const auto second = info[1].As<Napi::BigUint64Array>();
  return describe_timed(
      info.Env(), time_bare_exchanges({first.Data(), first.ElementLength()}, {second.Data(), second.ElementLength()},
                                      info[2].As<Napi::Number>().Uint32Value()));
}

// timeCurrentCpu(count): the same of the bare question.
Napi::Value time_getcpu(const Napi::CallbackInfo& info) {
  return describe_timed(info.Env(), time_current_cpu(info[0].As<Napi::Number>().Uint32Value()));
}

Napi::Float64Array times(Napi::Env env, const std::vector<double>& nanoseconds) {
  Napi::Float64Array array = Napi::Float64Array::New(env, nanoseconds.size());
  // Empty where the environment is being torn down.
  if (!array.IsEmpty()) std::ranges::copy(nanoseconds, array.Data());
  return array;
}

// measureRoundTrips(one, other, rounds, samples): { outcome, osError, nanoseconds: Float64Array, strays }.
Napi::Value round_trips_between(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto number = [&](std::size_t index) { return info[index].As<Napi::Number>().Uint32Value(); };
  const RoundTrips trips = measure_round_trips(number(0), number(1), number(2), number(3));
  Napi::Object object = describe_result(env, trips.result);
  object.Set("nanoseconds", times(env, trips.nanoseconds));
  object.Set("strays", trips.strays);
  return object;
}

// The guards that an environment has begun, each with its way to call the environment's JavaScript. A guard ends before
// that does: the hooks run last in, first out.
struct Begun {
  std::uint32_t guard = 0;
  napi_threadsafe_function tell = nullptr;
};
void stop_guard(void* begun) noexcept {
  const auto& [guard, tell] = *static_cast<Begun*>(begun);
  remove_guard(guard);
  napi_release_threadsafe_function(tell, napi_tsfn_abort);
  delete static_cast<Begun*>(begun);
}

// beginGuard(plan | null, check, tell): { outcome, osError, guard }. Without a plan it is the calling thread that is
// guarded. `check` is in milliseconds; `tell` is called when there are drifts to take, and keeps no process alive.
Napi::Value begin_guard(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& here = *static_cast<Environment*>(info.Data());
  const bool own = info[0].IsNull();
  const Guarded what{.post = own ? &here.post : nullptr, .plan = own ? 0 : info[0].As<Napi::Number>().Uint32Value()};
  Napi::Object object = Napi::Object::New(env);
  auto begun = std::make_unique<Begun>();
  Result result{Outcome::refused, 0};
  const Napi::String name = Napi::String::New(env, "groupaffinity.guard");
  if (napi_create_threadsafe_function(env, info[2], nullptr, name, 1, 1, nullptr, nullptr, nullptr, nullptr,
                                      &begun->tell) == napi_ok) {
    napi_unref_threadsafe_function(env, begun->tell);
    const auto tell = [function = begun->tell] {
      // Full: it will be called anyway.
      static_cast<void>(napi_call_threadsafe_function(function, nullptr, napi_tsfn_nonblocking));
    };
    result = add_guard(what, std::chrono::milliseconds(info[1].As<Napi::Number>().Int64Value()), tell, begun->guard);
    if (result.outcome != Outcome::done) napi_release_threadsafe_function(begun->tell, napi_tsfn_abort);
  }
  object.Set("outcome", static_cast<double>(result.outcome));
  object.Set("osError", static_cast<double>(result.os_error));
  if (result.outcome != Outcome::done) return object;
  object.Set("guard", begun->guard);
  here.guards[begun->guard] = begun.get();
  napi_add_env_cleanup_hook(env, stop_guard, begun.release());
  return object;
}

// endGuard(guard): `tell` is not called for it any more.
Napi::Value end_guard(const Napi::CallbackInfo& info) {
  Environment& here = *static_cast<Environment*>(info.Data());
  const auto found = here.guards.find(info[0].As<Napi::Number>().Uint32Value());
  if (found == here.guards.end()) return info.Env().Undefined();
  napi_remove_env_cleanup_hook(info.Env(), stop_guard, found->second);
  stop_guard(found->second);
  here.guards.erase(found);
  return info.Env().Undefined();
}

// takeDrifts(guard): [{ what, cause, thread, seat, wanted, found }], the oldest first.
Napi::Value drifts_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return list(env, take_drifts(info[0].As<Napi::Number>().Uint32Value()), [&](Napi::Object& to, const Drift& drift) {
    to.Set("what", static_cast<double>(drift.what));
    to.Set("cause", static_cast<double>(drift.cause));
    to.Set("thread", static_cast<double>(drift.thread));
    to.Set("seat", optional_id(env, drift.seat));
    to.Set("wanted", bits(env, drift.wanted));
    to.Set("found", bits(env, drift.found));
  });
}

// measureArrivals(caller, from, to, samples, time): { outcome, osError, nanoseconds: Float64Array, strays }; time in
// ns.
Napi::Value arrivals_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto number = [&](std::size_t index) { return info[index].As<Napi::Number>().Uint32Value(); };
  const std::chrono::nanoseconds time(info[4].As<Napi::Number>().Int64Value());
  const Arrivals arrivals = measure_arrivals(number(0), number(1), number(2), number(3), time);
  Napi::Object object = describe_result(env, arrivals.result);
  object.Set("nanoseconds", times(env, arrivals.nanoseconds));
  object.Set("strays", arrivals.strays);
  return object;
}

// measureGaps(cpu, time): { outcome, osError, over, elapsed, nanoseconds: Float64Array, strays, moves }; times in ns.
Napi::Value gaps_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto cpu = info[0].IsNumber() ? std::optional(info[0].As<Napi::Number>().Uint32Value()) : std::nullopt;
  const Gaps gaps = measure_gaps(cpu, std::chrono::nanoseconds(info[1].As<Napi::Number>().Int64Value()));
  Napi::Object object = describe_result(env, gaps.result);
  object.Set("over", gaps.over);
  object.Set("elapsed", gaps.elapsed);
  object.Set("nanoseconds", times(env, gaps.nanoseconds));
  object.Set("strays", gaps.strays);
  object.Set("moves", gaps.moves);
  return object;
}

// cpuTime(): { all, busy, stolen } in seconds, or null.
Napi::Value time_of_cpus(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto time = cpu_time();
  if (!time) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  object.Set("all", time->all);
  object.Set("busy", time->busy);
  object.Set("stolen", time->stolen ? Napi::Value(Napi::Number::New(env, *time->stolen)) : Napi::Value(env.Null()));
  return object;
}

// underHypervisor(): null where processors don't tell.
Napi::Value hypervised(const Napi::CallbackInfo& info) {
  const auto said = under_hypervisor();
  return said ? Napi::Value(Napi::Boolean::New(info.Env(), *said)) : info.Env().Null();
}

// addContext(): a new system thread's number.
Napi::Value new_context(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), add_context()); }

// beginContext(context): the calling thread is that system thread from now on, until its environment ends.
Napi::Value begin_context_here(const Napi::CallbackInfo& info) {
  Environment& here = *static_cast<Environment*>(info.Data());
  const std::uint32_t context = info[0].As<Napi::Number>().Uint32Value();
  const bool begun = here.context == 0 && begin_context(context, current_thread());
  if (begun) here.context = context;
  return Napi::Boolean::New(info.Env(), begun);
}

// endContext(context): for a thread that never began.
Napi::Value end_context_of(const Napi::CallbackInfo& info) {
  end_context(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// ownContext(): of the calling thread; 0 where it is no system thread.
Napi::Value own_context(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<const Environment*>(info.Data())->context);
}

// contextThread(context): the thread's number to the operating system; 0 where it has ended or never was.
Napi::Value thread_of_context(const Napi::CallbackInfo& info) {
  const auto thread = context_thread(info[0].As<Napi::Number>().Uint32Value());
  return Napi::Number::New(info.Env(), static_cast<double>(thread.value_or(0)));
}

// isContext(context): whether it was ever given out.
Napi::Value is_context_number(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), is_context(info[0].As<Napi::Number>().Uint32Value()));
}

// waitForContext(context, nanoseconds | null): whether it has ended.
Napi::Value wait_for(const Napi::CallbackInfo& info) {
  std::optional<std::chrono::nanoseconds> time;
  // A wait of more than ten years is one forever.
  if (!info[1].IsNull()) {
    const double nanoseconds = exact_double(info[1]);
    if (nanoseconds < 3e17) time = std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
  }
  return Napi::Boolean::New(info.Env(), wait_for_context(info[0].As<Napi::Number>().Uint32Value(), time));
}

void take_memory(Environment& here, void* memory, std::size_t size) noexcept {
  here.operands = static_cast<Operands*>(memory);
  Word* const sets = static_cast<Word*>(memory) + kSets;
  here.previous = {sets, size};
  here.wanted = {sets + size, size};
  here.in_force = {sets + 2 * size, size};
  here.user = {sets + 3 * size, size};
}

// The memory that C++ and JavaScript share: C++'s own, which no script can transfer away; or, in programs whose sandbox
// forbids that, JavaScript's. Empty where the environment is being torn down.
Napi::ArrayBuffer share_memory(Napi::Env env, Environment& here) {
  const std::size_t size = mask_words();
  const std::size_t words = kSets + 4 * size;
  here.own.resize((words + kLineWords - 1) / kLineWords);
  napi_value array = nullptr;
  if (napi_create_external_arraybuffer(env, here.own.data(), words * sizeof(Word), nullptr, nullptr, &array) ==
      napi_ok) {
    take_memory(here, here.own.data(), size);
    return Napi::ArrayBuffer(env, array);
  }
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, words * sizeof(Word));
  if (buffer.IsEmpty()) return buffer;
  here.own = {};
  std::memset(buffer.Data(), 0, words * sizeof(Word));
  take_memory(here, buffer.Data(), size);
  here.array = Napi::Persistent(buffer);
  return buffer;
}

// By its address in the template nothing is allocated for a function, and nothing freed: a worker's start waits for it.
template <Napi::Value (*call)(const Napi::CallbackInfo&)>
void named(Napi::Object exports, const char* name) {
  const Napi::Env env = exports.Env();
  exports.Set(name, Napi::Function::New<call>(env, name, env.GetInstanceData<Environment>()));
}

// complete(): puts all the rest there too, and answers the whole.
Napi::Value complete(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const here = static_cast<Environment*>(info.Data());
  const Napi::Object exports = info.This().As<Napi::Object>();
  const auto raw = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, here, &function) == napi_ok)
      exports.Set(name, Napi::Value(env, function));
  };
  raw("read", read);
  raw("exchange", exchange);
  raw("exchangeGroup", exchange_group);
  raw("restore", restore);
  raw("restoreUser", restore_user);
  raw("currentCpu", current);
  raw("clock", read_clock);

  named<describe_support>(exports, "support");
  named<read_cpus_here>(exports, "readCpus");
  named<read_machine_at>(exports, "readMachine");
  named<form_groups_from>(exports, "formGroups");
  named<formed_groups>(exports, "groups");
  named<add_plan_from>(exports, "addPlan");
  named<sitters_of>(exports, "seatSitters");
  named<thread_number>(exports, "currentThread");
  named<read_thread_by>(exports, "readThread");
  named<read_threads_of>(exports, "readThreads");
  named<confine_thread_by>(exports, "confineThread");
  named<restore_thread_by>(exports, "restoreThread");
  named<set_nice_of>(exports, "setNice");
  named<nice_of_thread>(exports, "niceOf");
  named<all_inhabitants>(exports, "inhabitants");
  named<thread_has_system_affinity>(exports, "hasSystemAffinity");
  named<known_pool_threads>(exports, "poolThreads");
  named<call_pool>(exports, "callPool");
  named<set_priority_of>(exports, "setPriority");
  named<level_of_thread>(exports, "threadLevel");
  named<hardware_id>(exports, "hardwareId");
  named<all_hardware_ids>(exports, "hardwareIds");
  named<set_cpu_online>(exports, "setOnline");
  named<user_number>(exports, "currentUser");
  named<find_all_processes>(exports, "findProcesses");
  named<read_process_by>(exports, "readProcess");
  named<leave_words_to_children>(exports, "leaveToChildren");
  named<note_words_of_start>(exports, "noteStart");
  named<environment_at_first>(exports, "firstEnvironment");
  named<become_program>(exports, "become");
  named<catch_all_signals>(exports, "catchSignals");
  named<hand_signals>(exports, "handSignalsTo");
  named<killer_of_child>(exports, "killedBy");
  named<end_this_by_signal>(exports, "endBySignal");
  named<claim_for_environment>(exports, "claimName");
  named<let_last_go>(exports, "letGo");
  named<is_name_claimed>(exports, "isClaimed");
  named<time_exchanges>(exports, "timeBareExchanges");
  named<time_getcpu>(exports, "timeCurrentCpu");
  named<round_trips_between>(exports, "measureRoundTrips");
  named<begin_guard>(exports, "beginGuard");
  named<end_guard>(exports, "endGuard");
  named<drifts_of>(exports, "takeDrifts");
  named<arrivals_of>(exports, "measureArrivals");
  named<gaps_of>(exports, "measureGaps");
  named<time_of_cpus>(exports, "cpuTime");
  named<hypervised>(exports, "underHypervisor");
  named<new_context>(exports, "addContext");
  named<begin_context_here>(exports, "beginContext");
  named<end_context_of>(exports, "endContext");
  named<own_context>(exports, "ownContext");
  named<thread_of_context>(exports, "contextThread");
  named<is_context_number>(exports, "isContext");
  named<wait_for>(exports, "waitForContext");
  return exports;
}

// What seats a worker, whose start waits for it; nothing else is made yet.
Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  note_start();
  auto* const here = new Environment(env);
  env.SetInstanceData(here);

  const Napi::ArrayBuffer memory = share_memory(env, *here);
  if (memory.IsEmpty()) return exports;
  exports.Set("memory", memory);
  exports.Set("maskWords", static_cast<double>(mask_words()));
  named<take_seat_in>(exports, "takeSeat");
  named<description_of>(exports, "planDescription");
  named<introduce>(exports, "introduce");
  named<complete>(exports, "complete");
  return exports;
}

}  // namespace

NODE_API_MODULE(groupaffinity, initialize)
