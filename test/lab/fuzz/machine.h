// What is true of every machine that a reader describes, however damaged the description was.
#pragma once

#include "../../../native/platform.h"
#include "fuzz.h"

namespace groupaffinity {

inline bool within(CpuSet part, const CpuSet& whole) {
  const CpuSet all = part;
  part &= whole;
  return part == all;
}

inline void check_machine(const Machine& machine) {
  CHECK(within(machine.present, machine.possible));
  CHECK(within(machine.online, machine.present));
  CHECK(within(machine.isolated, machine.online));
  const auto check_running = [&](const auto& items) {
    for (const auto& item : items) CHECK(!item.cpus.empty() && within(item.cpus, machine.online));
  };
  check_running(machine.packages);
  check_running(machine.cores);
  check_running(machine.caches);
  check_running(machine.kinds);
  const NumaNode* before = nullptr;
  for (const NumaNode& node : machine.numa_nodes) {
    CpuSet running = node.capacity;
    running &= machine.online;
    CHECK(within(node.capacity, machine.present) && node.cpus == running);
    CHECK(node.distances.empty() || node.distances.size() == machine.numa_nodes.size());
    CHECK(before == nullptr || before->id < node.id);
    before = &node;
  }
  CpuSet kinds;
  for (const Kind& kind : machine.kinds) kinds |= kind.cpus;
  CHECK(kinds == machine.online);
}

}  // namespace groupaffinity
