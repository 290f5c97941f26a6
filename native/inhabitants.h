// The threads of this process that run JavaScript and have loaded this addon: each says who it is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cpu_set.h"

namespace groupaffinity {

struct Inhabitant {
  std::uint64_t thread = 0;  // the operating system's number
  bool main = false;
  std::uint32_t worker = 0;  // Node's threadId
  std::string name;          // the worker's, empty where it has none or does not know it
};

// `key` tells the environments of one thread apart; a second call with it replaces what the first one said. While
// `system` is not zero a system affinity is in force on the thread, which writes it; it lasts until move_out().
void move_in(const void* key, Inhabitant inhabitant, std::uint32_t& system);
void move_out(const void* key) noexcept;

[[nodiscard]] std::vector<Inhabitant> inhabitants();
[[nodiscard]] bool has_system_affinity(std::uint64_t thread);

}  // namespace groupaffinity
