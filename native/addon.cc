// The door to JavaScript. Checks nothing that lib/ has checked and decides nothing: it moves values across.
//
// The affinity calls take no arguments and return a number: their operands lie in one array of 64-bit words that each
// environment shares with its JavaScript (lib/binding.ts knows the layout). Nothing is allocated on that path.
#include <napi.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "contexts.h"
#include "platform.h"
#include "processor_id.h"
#include "seats.h"
#include "timing/bare_calls.h"
#include "timing/round_trips.h"

namespace {

using namespace groupaffinity;

// Where each operand starts, in words. Groups and the error number are the first 32 bits of theirs.
constexpr std::size_t kWantedMask = 0;
constexpr std::size_t kWantedGroup = 1;
constexpr std::size_t kPreviousMask = 2;
constexpr std::size_t kPreviousGroup = 3;
constexpr std::size_t kOsError = 4;
constexpr std::size_t kSets = 8;

struct Environment {
  std::vector<Word> own;  // the memory of `words`, unless the array of JavaScript holds it
  std::span<Word> words;
  Napi::Reference<Napi::ArrayBuffer> array;
  std::span<Word> wanted, previous, in_force;
  bool seated = false;
  std::uint32_t plan = 0;
  std::uint32_t seat = 0;
  std::uint32_t context = 0;  // of the system thread that this is; 0: none

  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  // Runs when the thread's environment ends in any way, terminate() included.
  ~Environment() {
    leave();
    if (context != 0) end_context(context);
  }

  [[nodiscard]] std::uint32_t number(std::size_t word) const noexcept {
    std::uint32_t value = 0;
    std::memcpy(&value, &words[word], sizeof value);
    return value;
  }
  void number(std::size_t word, std::uint32_t value) noexcept { std::memcpy(&words[word], &value, sizeof value); }

  void leave() noexcept {
    if (seated) leave_seat(plan, seat);
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

// What a call answers when all went well is made before it: code that runs after a system call runs cold.
template <typename Call>
napi_value answer(napi_env env, napi_callback_info info, Call call) noexcept {
  Environment& here = environment_of(env, info);
  napi_value const done = number(env, static_cast<std::int32_t>(Outcome::done));
  const Result result = call(here);
  if (result.outcome == Outcome::done) return done;
  here.number(kOsError, result.os_error);
  return number(env, static_cast<std::int32_t>(result.outcome));
}

napi_value read(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) { return read_affinity(here.in_force, here.previous); });
}

napi_value exchange(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info,
                [](Environment& here) { return exchange_affinity(here.wanted, here.previous, here.in_force); });
}

napi_value exchange_group(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) {
    GroupMask slice;
    const Result result =
        exchange_group_affinity({here.number(kWantedGroup), here.words[kWantedMask]}, slice, here.previous);
    here.words[kPreviousMask] = slice.mask;
    here.number(kPreviousGroup, slice.group);
    return result;
  });
}

napi_value restore(napi_env env, napi_callback_info info) noexcept {
  return answer(env, info, [](Environment& here) { return restore_affinity(here.wanted); });
}

napi_value current(napi_env env, napi_callback_info) noexcept {
  const std::uint32_t cpu = current_cpu();
  return number(env, cpu == kNoCpu ? -1 : static_cast<std::int32_t>(cpu));
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

// readThread(thread): what the OS tells of a thread of this process; null where it is none, or has ended.
Napi::Value read_thread_by(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState state;
  const Result result = read_thread(thread_from(info[0]), state);
  if (result.outcome != Outcome::done) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, const auto& value) {
    object.Set(name,
               value ? Napi::Value(Napi::Number::New(env, static_cast<double>(*value))) : Napi::Value(env.Null()));
  };
  object.Set("allowed", bits(env, state.allowed));
  set("lastCpu", state.last_cpu);
  set("voluntarySwitches", state.voluntary_switches);
  set("involuntarySwitches", state.involuntary_switches);
  set("migrations", state.migrations);
  return object;
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

// takeSeat(plan): sits the calling thread down and confines it; the seat is free again when the environment ends.
// Answers { outcome, osError, seat, sharers }; the outcome `gone` means that there is no such plan.
Napi::Value take_seat_in(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& here = *static_cast<Environment*>(info.Data());
  Napi::Object object = Napi::Object::New(env);
  here.leave();
  SeatTaken taken;
  const std::uint32_t plan = info[0].As<Napi::Number>().Uint32Value();
  Result result{Outcome::gone, 0};
  std::vector<bool> tried;
  // A seat that is offline or withheld by now is passed over for the next one.
  while (take_seat(plan, tried, taken)) {
    here.plan = plan;
    here.seat = taken.seat;
    here.seated = true;
    result = exchange_affinity(taken.words, here.previous, here.in_force);
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
  const Result result = set_online(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Boolean>().Value());
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("outcome", static_cast<double>(result.outcome));
  object.Set("osError", static_cast<double>(result.os_error));
  return object;
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

// measureRoundTrips(one, other, rounds, samples): { outcome, osError, nanoseconds: Float64Array, strays }.
Napi::Value round_trips_between(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto number = [&](std::size_t index) { return info[index].As<Napi::Number>().Uint32Value(); };
  const RoundTrips trips = measure_round_trips(number(0), number(1), number(2), number(3));
  Napi::Float64Array nanoseconds = Napi::Float64Array::New(env, trips.nanoseconds.size());
  if (!nanoseconds.IsEmpty()) std::ranges::copy(trips.nanoseconds, nanoseconds.Data());
  Napi::Object object = Napi::Object::New(env);
  object.Set("outcome", static_cast<double>(trips.result.outcome));
  object.Set("osError", static_cast<double>(trips.result.os_error));
  object.Set("nanoseconds", nanoseconds);
  object.Set("strays", trips.strays);
  return object;
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

// The words that C++ and JavaScript share: memory of C++, which no script can transfer away; or, in programs whose
// sandbox forbids that, JavaScript's own. Empty where the environment is being torn down.
Napi::ArrayBuffer share_memory(Napi::Env env, Environment& here, std::size_t words) {
  here.own.resize(words);
  napi_value array = nullptr;
  if (napi_create_external_arraybuffer(env, here.own.data(), words * sizeof(Word), nullptr, nullptr, &array) ==
      napi_ok) {
    here.words = here.own;
    return Napi::ArrayBuffer(env, array);
  }
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, words * sizeof(Word));
  if (buffer.IsEmpty()) return buffer;
  here.own = {};
  here.words = {static_cast<Word*>(buffer.Data()), words};
  std::ranges::fill(here.words, Word{0});
  here.array = Napi::Persistent(buffer);
  return buffer;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  note_start();
  auto* const here = new Environment;
  env.SetInstanceData(here);

  const std::size_t size = mask_words();
  const Napi::ArrayBuffer memory = share_memory(env, *here, kSets + 3 * size);
  if (memory.IsEmpty()) return exports;
  here->wanted = here->words.subspan(kSets, size);
  here->previous = here->words.subspan(kSets + size, size);
  here->in_force = here->words.subspan(kSets + 2 * size, size);
  exports.Set("memory", memory);
  exports.Set("maskWords", static_cast<double>(size));

  const auto raw = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, here, &function) == napi_ok)
      exports.Set(name, Napi::Value(env, function));
  };
  raw("read", read);
  raw("exchange", exchange);
  raw("exchangeGroup", exchange_group);
  raw("restore", restore);
  raw("currentCpu", current);

  const auto named = [&](const char* name, Napi::Value (*call)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, call, name, here));
  };
  named("support", describe_support);
  named("readCpus", read_cpus_here);
  named("readMachine", read_machine_at);
  named("formGroups", form_groups_from);
  named("groups", formed_groups);
  named("addPlan", add_plan_from);
  named("takeSeat", take_seat_in);
  named("seatSitters", sitters_of);
  named("planDescription", description_of);
  named("currentThread", thread_number);
  named("readThread", read_thread_by);
  named("setPriority", set_priority_of);
  named("threadLevel", level_of_thread);
  named("hardwareId", hardware_id);
  named("hardwareIds", all_hardware_ids);
  named("setOnline", set_cpu_online);
  named("timeBareExchanges", time_exchanges);
  named("timeCurrentCpu", time_getcpu);
  named("measureRoundTrips", round_trips_between);
  named("addContext", new_context);
  named("beginContext", begin_context_here);
  named("endContext", end_context_of);
  named("ownContext", own_context);
  named("contextThread", thread_of_context);
  named("isContext", is_context_number);
  named("waitForContext", wait_for);
  return exports;
}

}  // namespace

NODE_API_MODULE(groupaffinity, initialize)
