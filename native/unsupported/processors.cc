#include "../platform.h"

namespace groupaffinity {

void note_start() noexcept {}

void note_start(std::span<const Word>) {}

Result read_machine(const std::string&, Machine& machine) {
  machine = {};
  return {Outcome::unsupported, 0};
}

Result read_cpus(Cpus& cpus) {
  cpus = {};
  return {Outcome::unsupported, 0};
}

}  // namespace groupaffinity
