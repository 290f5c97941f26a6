#include "../platform.h"

namespace groupaffinity {

Result read_machine(const std::string&, Machine& machine) {
  machine = {};
  return {Outcome::unsupported, 0};
}

}  // namespace groupaffinity
