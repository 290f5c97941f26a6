#include "../platform.h"

namespace groupaffinity {

std::vector<HardwareId> hardware_ids() { return {}; }

Result set_online(std::uint32_t, bool) { return {Outcome::unsupported, 0}; }

}  // namespace groupaffinity
