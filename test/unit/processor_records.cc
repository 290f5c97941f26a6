// Composes GetLogicalProcessorInformationEx buffers of machines nobody here owns and decodes them.
#include "../../native/windows/processor_records.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>

namespace {

using namespace groupaffinity;

int passed = 0;

void check(bool holds, const char* sentence, int line) {
  if (!holds) {
    std::fprintf(stderr, "line %d: %s\n", line, sentence);
    std::exit(1);
  }
  ++passed;
}
#define CHECK(condition) check(condition, #condition, __LINE__)

using Bytes = std::vector<std::byte>;

class Composer {
 public:
  explicit Composer(std::uint8_t reserved = 0) : reserved_(reserved) {}

  // Starts a record; its size is what follows unless `size` says otherwise.
  Composer& record(std::uint32_t relationship) {
    start_ = bytes_.size();
    return u32(relationship).u32(0);
  }
  Composer& u8(std::uint8_t value) { return put(value); }
  Composer& u16(std::uint16_t value) { return put(value); }
  Composer& u32(std::uint32_t value) { return put(value); }
  Composer& u64(std::uint64_t value) { return put(value); }
  Composer& fill(std::size_t count, std::uint8_t value = 0) {
    bytes_.insert(bytes_.end(), count, std::byte{value});
    return *this;
  }
  // Bytes without a meaning.
  Composer& reserved(std::size_t count) { return fill(count, reserved_); }
  Composer& masks(std::initializer_list<GroupMask> masks) {
    for (const GroupMask& mask : masks) u64(mask.mask).u16(static_cast<std::uint16_t>(mask.group)).reserved(6);
    return *this;
  }
  Composer& end() { return size(static_cast<std::uint32_t>(bytes_.size() - start_)); }
  Composer& size(std::uint32_t size) {
    std::memcpy(bytes_.data() + start_ + 4, &size, sizeof size);
    return *this;
  }

  Composer& core(std::uint8_t efficiency_class, GroupMask mask) {
    return record(0).u8(0).u8(efficiency_class).reserved(20).u16(1).masks({mask}).end();
  }
  Composer& package(std::initializer_list<GroupMask> list) {
    return record(3).reserved(22).u16(static_cast<std::uint16_t>(list.size())).masks(list).end();
  }
  Composer& node(std::uint32_t id, std::uint16_t count, std::initializer_list<GroupMask> list,
                 std::uint32_t relationship = 1) {
    return record(relationship).u32(id).reserved(18).u16(count).masks(list).end();
  }
  Composer& cache(std::uint8_t level, std::uint32_t type, std::uint32_t bytes, std::uint16_t count,
                  std::initializer_list<GroupMask> list) {
    return record(2).u8(level).u8(8).u16(64).u32(bytes).u32(type).reserved(18).u16(count).masks(list).end();
  }
  struct Group {
    std::uint8_t maximum;
    std::uint64_t active;
  };
  Composer& groups(std::uint16_t maximum, std::initializer_list<Group> list) {
    record(4).u16(maximum).u16(static_cast<std::uint16_t>(list.size())).reserved(20);
    for (const Group& group : list)
      u8(group.maximum).u8(static_cast<std::uint8_t>(std::popcount(group.active))).reserved(38).u64(group.active);
    return end();
  }

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  template <typename Value>
  Composer& put(Value value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  Bytes bytes_;
  std::size_t start_ = 0;
  std::uint8_t reserved_;
};

// In an allocation of exactly that length, so that the sanitizer sees a read beyond it.
Machine machine_of(std::span<const std::byte> bytes) {
  const std::unique_ptr<std::byte[]> exact(new std::byte[bytes.size()]);
  std::ranges::copy(bytes, exact.get());
  ProcessorRecords records;
  decode_processor_records({exact.get(), bytes.size()}, records);
  Machine machine;
  describe_machine(records, machine);
  return machine;
}

Machine machine_of(const Composer& composer) { return machine_of(std::span(composer.bytes())); }

CpuSet range(std::uint32_t first, std::uint32_t last) {
  CpuSet cpus;
  for (std::uint32_t cpu = first; cpu <= last; ++cpu) cpus.add(cpu);
  return cpus;
}

CpuSet both(CpuSet a, const CpuSet& b) { return a |= b; }

constexpr Word kAll = ~Word{0};

void a_desktop_of_two_kinds_of_core() {
  const Machine m = machine_of(Composer()
                                   .core(1, {0, 0x3})
                                   .core(1, {0, 0xC})
                                   .core(0, {0, 0x10})
                                   .core(0, {0, 0x20})
                                   .package({{0, 0x3F}})
                                   .node(0, 0, {{0, 0x3F}})
                                   .cache(1, 2, 32768, 0, {{0, 0x3}})
                                   .cache(1, 1, 65536, 1, {{0, 0x3}})
                                   .cache(3, 0, 25165824, 1, {{0, 0x3F}})
                                   .cache(2, 3, 4096, 1, {{0, 0xC}})
                                   .cache(2, 4, 4096, 1, {{0, 0xC}})
                                   .groups(1, {{6, 0x3F}}));
  CHECK(m.possible == range(0, 5) && m.present == range(0, 5) && m.online == range(0, 5));
  CHECK(m.isolated.empty());
  CHECK(m.groups.size() == 1 && m.groups[0].maximum == 0x3F && m.groups[0].active == 0x3F);
  CHECK(m.packages.size() == 1 && m.packages[0].id == 0 && m.packages[0].cpus == range(0, 5));
  CHECK(m.cores.size() == 4 && m.cores[1].cpus == range(2, 3) && m.cores[1].package == 0 && m.cores[1].id == 1);
  CHECK(m.kinds.size() == 2);
  CHECK(m.kinds[0].efficiency_class == 0 && m.kinds[0].cpus == range(4, 5));
  CHECK(m.kinds[1].efficiency_class == 1 && m.kinds[1].cpus == range(0, 3));
  CHECK(m.numa_nodes.size() == 1 && m.numa_nodes[0].cpus == range(0, 5) && m.numa_nodes[0].distances.empty());
  // Sorted; the unknown type is left out.
  CHECK(m.caches.size() == 4);
  CHECK(m.caches[0].level == 1 && m.caches[0].type == CacheType::data && m.caches[0].bytes == 32768 &&
        m.caches[0].cpus == range(0, 1));
  CHECK(m.caches[1].type == CacheType::instruction && m.caches[1].bytes == 65536);
  CHECK(m.caches[2].level == 2 && m.caches[2].type == CacheType::instruction && m.caches[2].cpus == range(2, 3));
  CHECK(m.caches[3].level == 3 && m.caches[3].type == CacheType::unified && m.caches[3].cpus == range(0, 5));
}

// Two nodes of 72: the groups that Windows was seen to form (hwloc issue 497).
Composer two_nodes_of_72() {
  Composer c;
  c.package({{0, kAll}, {1, 0x00FF}}).package({{1, 0xFF00}, {2, kAll}});
  c.node(0, 2, {{0, kAll}, {1, 0x00FF}}, 6).node(1, 2, {{1, 0xFF00}, {2, kAll}}, 6);
  c.cache(3, 0, 1 << 20, 2, {{0, kAll}, {1, 0x00FF}});
  c.groups(3, {{64, kAll}, {16, 0xFFFF}, {64, kAll}});
  return c;
}

void nodes_packages_and_caches_that_span_groups() {
  const Machine m = machine_of(two_nodes_of_72());
  CHECK(m.online == range(0, 143) && m.groups.size() == 3);
  CHECK(m.numa_nodes.size() == 2 && m.numa_nodes[0].cpus == range(0, 71) && m.numa_nodes[1].cpus == range(72, 143));
  CHECK(m.packages.size() == 2 && m.packages[1].cpus == range(72, 143) && m.packages[1].id == 1);
  CHECK(m.caches.size() == 1 && m.caches[0].cpus == range(0, 71));
  CHECK(m.kinds.size() == 1 && m.kinds[0].efficiency_class == 0 && m.kinds[0].cpus == range(0, 143));
}

void a_node_told_by_its_primary_group_and_then_in_full() {
  const Machine m = machine_of(
      Composer().node(0, 1, {{0, kAll}}).groups(2, {{64, kAll}, {16, 0xFFFF}}).node(0, 2, {{0, kAll}, {1, 0xFFFF}}));
  CHECK(m.numa_nodes.size() == 1 && m.numa_nodes[0].cpus == range(0, 79));
}

void groups_are_numbered_over_their_maximum_and_lists_hold_active_ones() {
  // 4 of 8 active in group 0: group 1 starts at CPU 8 nevertheless.
  const Machine m = machine_of(Composer()
                                   .groups(2, {{8, 0x0F}, {4, 0x3}})
                                   .core(0, {1, 0x1})
                                   .core(0, {0, 0x1})
                                   .core(0, {0, 0xF0})
                                   .node(0, 1, {{0, 0xFF}})
                                   .node(3, 1, {{1, 0xF}})
                                   .node(2, 0, {{0, 0}}));
  CHECK(m.possible == range(0, 11) && m.online == both(range(0, 3), range(8, 9)));
  CHECK(m.cores.size() == 2 && m.cores[0].cpus == range(0, 0) && m.cores[1].cpus == range(8, 8));
  CHECK(!m.cores[0].package.has_value());
  CHECK(m.numa_nodes.size() == 3 && m.numa_nodes[0].cpus == range(0, 3) && m.numa_nodes[0].capacity == range(0, 7));
  CHECK(m.numa_nodes[1].id == 2 && m.numa_nodes[1].cpus.empty());
  CHECK(m.numa_nodes[2].id == 3 && m.numa_nodes[2].cpus == range(8, 9));
}

void a_record_longer_than_its_content_is_stepped_over_by_its_size() {
  Composer c;
  c.record(0).u8(0).u8(2).fill(20).u16(1).masks({{0, 0x1}}).fill(40, 0xFF).end();
  c.groups(1, {{2, 0x3}});
  const Machine m = machine_of(c);
  CHECK(m.cores.size() == 1 && m.cores[0].cpus == range(0, 0));
  CHECK(m.kinds.size() == 2 && m.kinds[1].efficiency_class == 2);
}

void unknown_relationships_are_passed_over() {
  Composer c;
  c.record(5).fill(22).u16(1).masks({{0, 0x3}}).end();
  c.record(7).fill(3, 0xAB).end();
  c.record(0xFFFFFFFF).end();
  c.groups(1, {{2, 0x3}});
  c.record(0xFFFF).fill(100, 0xFF).end();
  const Machine m = machine_of(c);
  CHECK(m.online == range(0, 1) && m.cores.empty() && m.packages.empty());
}

// A record of each kind; the nodes and caches as they were before they had a count, and with one.
Composer one_of_each(std::uint8_t reserved) {
  Composer c(reserved);
  c.core(1, {0, 0x3}).core(0, {1, 0x1}).package({{0, 0xF}, {1, 0x3}});
  c.node(0, 1, {{0, 0xF}}).node(1, 1, {{1, 0x3}}).node(2, 2, {{0, 0x1}, {1, 0x1}}, 6);
  c.cache(1, 2, 32768, 1, {{0, 0x3}}).cache(3, 0, 65536, 2, {{0, 0xF}, {1, 0x3}});
  return c.groups(3, {{8, 0xF}, {2, 0x3}});
}

std::string text(const Machine& m) {
  std::string out;
  const auto put = [&](std::uint64_t number) { out += std::to_string(number) + ' '; };
  const auto cpus = [&](const CpuSet& set) {
    set.for_each(put);
    out += '\n';
  };
  cpus(m.possible);
  cpus(m.online);
  for (const Package& package : m.packages) cpus(package.cpus);
  for (const Core& core : m.cores) cpus(core.cpus);
  for (const NumaNode& node : m.numa_nodes) put(node.id), cpus(node.capacity);
  for (const Cache& cache : m.caches)
    put(cache.level), put(static_cast<unsigned>(cache.type)), put(cache.bytes), cpus(cache.cpus);
  for (const Kind& kind : m.kinds) put(kind.efficiency_class), cpus(kind.cpus);
  for (const HardwareGroup& group : m.groups) put(group.maximum), put(group.active);
  return out;
}

void bytes_without_a_meaning_mean_nothing() {
  const std::string clean = text(machine_of(one_of_each(0)));
  CHECK(clean == text(machine_of(one_of_each(0xFF))) && clean == text(machine_of(one_of_each(0x5A))));
}

void a_count_of_zero_and_of_one() {
  for (const std::uint16_t count : {std::uint16_t{0}, std::uint16_t{1}}) {
    Composer c;
    c.node(0, count, {{0, 0xF}, {1, 0x3}}).cache(3, 0, 65536, count, {{0, 0xF}, {1, 0x3}});
    const Machine m = machine_of(c.groups(2, {{4, 0xF}, {2, 0x3}}));
    CHECK(m.numa_nodes.size() == 1 && m.numa_nodes[0].cpus == range(0, 3));
    CHECK(m.caches.size() == 1 && m.caches[0].cpus == range(0, 3));
  }
  // Cores and packages always had a count.
  Composer c;
  c.record(0).fill(22).u16(0).masks({{0, 0x1}}).end();
  c.record(3).fill(22).u16(0).masks({{0, 0x1}}).end();
  const Machine m = machine_of(c.groups(1, {{4, 0xF}}));
  CHECK(m.cores.empty() && m.packages.empty() && m.kinds.size() == 1 && m.kinds[0].cpus == range(0, 3));
}

// Each record of a machine alone in a buffer, cut to every size, with a size that says so and with its old one.
void every_record_cut_to_every_size() {
  const Bytes bytes = one_of_each(0xFF).bytes();
  std::uint32_t size = 0;
  for (std::size_t start = 0; start < bytes.size(); start += size) {
    std::memcpy(&size, bytes.data() + start + 4, sizeof size);
    for (std::uint32_t cut = 0; cut <= size; ++cut) {
      Bytes record(bytes.begin() + static_cast<std::ptrdiff_t>(start),
                   bytes.begin() + static_cast<std::ptrdiff_t>(start + cut));
      const bool whole = cut == size;
      CHECK(whole || text(machine_of(record)) == text(machine_of(std::span<const std::byte>{})));
      if (cut >= 8) std::memcpy(record.data() + 4, &cut, sizeof cut);
      static_cast<void>(machine_of(record));
    }
  }
}

void an_impossible_size_ends_the_reading() {
  for (const std::uint32_t size : {0u, 1u, 7u, 81u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    Composer c;
    c.core(0, {0, 0x1}).groups(1, {{2, 0x3}});
    const std::size_t whole = c.bytes().size();
    c.record(1).u32(0).fill(20).masks({{0, 0x3}}).size(size);
    const Machine m = machine_of(c);
    CHECK(c.bytes().size() == whole + 48);
    CHECK(m.online == range(0, 1) && m.cores.size() == 1 && m.numa_nodes.empty());
  }
  // A size that leaves out what the kind of record has.
  for (std::uint32_t relationship = 0; relationship < 8; ++relationship)
    for (std::uint32_t size = 8; size <= 48; ++size) {
      Composer c;
      c.record(relationship).fill(size - 8, 0xFF).end();
      static_cast<void>(machine_of(c));
      ++passed;
    }
}

void absurd_counts_are_cut_to_the_record() {
  Composer c;
  c.record(0).u8(0).u8(0).fill(20).u16(0xFFFF).masks({{0, 0x1}}).end();
  c.record(3).fill(22).u16(0xFFFF).masks({{0, 0x1}, {9, 0x1}, {0xFFFF, kAll}}).end();
  c.node(0, 0xFFFF, {{0, 0x2}}).cache(1, 0, 1, 0xFFFF, {{0, 0x1}});
  c.record(4).u16(0xFFFF).u16(0xFFFF).fill(20).u8(255).u8(255).fill(38).u64(0x3).fill(47).end();
  const Machine m = machine_of(c);
  CHECK(m.groups.size() == 1 && m.groups[0].maximum == kAll && m.groups[0].active == 0x3);
  CHECK(m.cores.size() == 1 && m.packages.size() == 1 && m.packages[0].cpus == range(0, 0));
  CHECK(m.numa_nodes.size() == 1 && m.numa_nodes[0].cpus == range(1, 1));
  CHECK(m.caches.size() == 1);
}

void no_buffer_at_all() {
  CHECK(machine_of(std::span<const std::byte>{}).online.empty());
  CHECK(machine_of(Composer().fill(7)).online.empty());
  CHECK(machine_of(Composer().fill(64)).online.empty());
}

void cut_at_every_length() {
  Composer c = two_nodes_of_72();
  c.core(0, {0, 0x3}).cache(1, 2, 32768, 0, {{0, 0x3}}).node(7, 0, {{0, 0}});
  for (std::size_t length = 0; length <= c.bytes().size(); ++length) {
    const Machine m = machine_of(std::span(c.bytes()).first(length));
    check(m.online.empty() || m.online == range(0, 143), "a group record is read whole or not at all", __LINE__);
  }
}

void damaged_anywhere() {
  Composer c;
  c.core(1, {0, 0x3}).package({{0, kAll}, {1, 0xFF}}).node(0, 2, {{0, kAll}, {1, 0xFF}}).node(1, 0, {{1, 0xF0}});
  c.cache(2, 0, 1 << 20, 1, {{0, 0x3}}).groups(2, {{64, kAll}, {16, 0xFFFF}});
  std::mt19937 random(20348);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = c.bytes();
    for (std::uint32_t hits = random() % 8; hits > 0; --hits)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    bytes.resize(random() % 4 == 0 ? random() % bytes.size() : bytes.size());
    const Machine m = machine_of(std::span(bytes));
    std::uint32_t processors = 0;
    for (const HardwareGroup& group : m.groups) {
      processors += static_cast<std::uint32_t>(std::popcount(group.maximum));
      check((group.active & ~group.maximum) == 0, "active processors are a part of the maximum", __LINE__);
    }
    check(m.possible.size() == processors, "every processor of a group has a number of its own", __LINE__);
    for (const Core& core : m.cores) check(!core.cpus.empty(), "a core has CPUs", __LINE__);
  }
}

}  // namespace

int main() {
  a_desktop_of_two_kinds_of_core();
  nodes_packages_and_caches_that_span_groups();
  a_node_told_by_its_primary_group_and_then_in_full();
  groups_are_numbered_over_their_maximum_and_lists_hold_active_ones();
  a_record_longer_than_its_content_is_stepped_over_by_its_size();
  unknown_relationships_are_passed_over();
  bytes_without_a_meaning_mean_nothing();
  a_count_of_zero_and_of_one();
  every_record_cut_to_every_size();
  an_impossible_size_ends_the_reading();
  absurd_counts_are_cut_to_the_record();
  no_buffer_at_all();
  cut_at_every_length();
  damaged_anywhere();
  std::printf("ok %d\n", passed);
}
