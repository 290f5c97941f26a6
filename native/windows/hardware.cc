#include "../platform.h"

namespace groupaffinity {

// No documented call tells the APIC id of a processor, or takes one offline.
std::vector<HardwareId> hardware_ids() { return {}; }

Result set_online(std::uint32_t, bool) { return {Outcome::unsupported, 0}; }

}  // namespace groupaffinity
