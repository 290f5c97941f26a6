#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "../platform.h"
#include "sysfs_text.h"

namespace groupaffinity {
namespace {

std::string slurp(const char* path) {
  std::string text;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  for (std::size_t length = 0;;) {
    text.resize(length + 65536);
    const ssize_t bytes = read(file, text.data() + length, text.size() - length);
    if (bytes < 0 && errno == EINTR) continue;
    length += bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
    if (bytes <= 0) {
      text.resize(length);
      break;
    }
  }
  close(file);
  return text;
}

}  // namespace

std::vector<HardwareId> hardware_ids() { return parse_hardware_ids(slurp("/proc/cpuinfo")); }

Result set_online(std::uint32_t cpu, bool online) {
  const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/online";
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  // A CPU without the file can't be taken offline (the first one, on most machines).
  if (file < 0) return {errno == ENOENT ? Outcome::unsupported : Outcome::refused, static_cast<std::uint32_t>(errno)};
  const ssize_t written = write(file, online ? "1" : "0", 1);
  const Result result = written == 1 ? Result{} : Result{Outcome::refused, static_cast<std::uint32_t>(errno)};
  close(file);
  return result;
}

}  // namespace groupaffinity
