#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "../platform.h"
#include "sysfs_text.h"
#include "whole_file.h"

namespace groupaffinity {
namespace {

std::string folder_of(std::uint64_t process) { return "/proc/" + std::to_string(process); }

// The beginning of a command line is enough to know it by.
constexpr std::size_t kMostBytes = 65536;

std::string link_target(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t bytes = readlink(path.c_str(), target.data(), target.size());
  return bytes > 0 ? std::string(target.data(), static_cast<std::size_t>(bytes)) : std::string();
}

}  // namespace

std::uint64_t current_user() noexcept { return geteuid(); }

Result find_processes(std::vector<std::uint64_t>& processes) {
  processes.clear();
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return {Outcome::refused, static_cast<std::uint32_t>(errno)};
  while (const dirent* const entry = readdir(folder.get()))
    if (const auto number = number_after("", entry->d_name)) processes.push_back(*number);
  return {};
}

Result read_process(std::uint64_t process, Process& found) {
  found = {};
  found.process = process;
  const std::string folder = folder_of(process);
  struct stat owner {};
  if (stat(folder.c_str(), &owner) != 0)
    return {errno == ENOENT ? Outcome::gone : Outcome::refused, static_cast<std::uint32_t>(errno)};
  const std::string status = whole_file(folder + "/status", kMostBytes);
  const auto field = [&](const char* name) {
    const auto value = status_field(status, name);
    return value ? parse_number(*value) : std::nullopt;
  };
  const auto leader = field("Tgid");
  if (!leader) return {Outcome::gone, 0};
  found.leader = *leader;
  found.parent = field("PPid").value_or(0);
  found.user = owner.st_uid;
  if (const auto state = status_field(status, "State"); state && (state->starts_with('Z') || state->starts_with('X')))
    return {Outcome::gone, 0};
  const std::string text = whole_file(folder + "/stat", kMostBytes);
  const ThreadStat stat_line = parse_thread_stat(text);
  found.name = stat_line.name;
  found.program = link_target(folder + "/exe");
  found.arguments = parse_strings(whole_file(folder + "/cmdline", kMostBytes));
  found.environment = parse_strings(whole_file(folder + "/environ", kMostBytes));
  return {};
}

}  // namespace groupaffinity
