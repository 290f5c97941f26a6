// Whole trees of /sys and /proc, held in memory. An input has a line for each file, "cpu0/topology/core_id=2", below
// sys/devices/system/cpu or, beginning with a slash, below the root; "|" stands for a newline in a file.
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fake_files.h"
#undef read
#undef close
#include "fuzz.h"
#include "machine.h"

namespace {

using namespace groupaffinity;

std::map<std::string, std::string, std::less<>> files;

struct Handle {
  std::string path;
  std::size_t at = 0;
};
std::map<int, Handle> handles;

// "a//./b/" is "a/b".
std::string plain(std::string_view path) {
  std::string clean;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

std::string inside(const std::string& folder) { return folder.empty() ? folder : folder + "/"; }

bool is_folder(const std::string& path) {
  const auto first = files.lower_bound(inside(path));
  return first != files.end() && first->first.starts_with(inside(path));
}

std::optional<std::string> find(int parent, std::string_view path) {
  std::string whole;
  // Only the root is asked for by a name of its own.
  if (parent != AT_FDCWD) {
    const auto folder = handles.find(parent);
    if (folder == handles.end()) return {};
    whole = plain(inside(folder->second.path).append(path));
  }
  if (!files.contains(whole) && !is_folder(whole)) return {};
  return whole;
}

// A machine of thousands of CPUs takes the time of a thousand small ones.
bool has_long_number(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text)
    if (digits = c >= '0' && c <= '9' ? digits + 1 : 0; digits > 2) return true;
  return false;
}

void plant(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos || line.find('\0') < equals) return;
  const std::string_view name = line.substr(0, equals);
  if (name.find('/') == std::string_view::npos && has_long_number(line)) return;
  std::string text(line.substr(equals + 1));
  std::ranges::replace(text, '|', '\n');
  files[plain((name.starts_with('/') ? std::string() : "sys/devices/system/cpu/") + std::string(name))] = text;
}

// Sets that have nothing in common: their union.
template <typename Items, typename Cpus>
CpuSet apart(const Items& items, Cpus cpus_of) {
  CpuSet all;
  for (const auto& item : items) {
    CpuSet overlap = cpus_of(item);
    overlap &= all;
    CHECK(overlap.empty());
    all |= cpus_of(item);
  }
  return all;
}

}  // namespace

struct FakeDirectory {
  int file = 0;
  std::string folder;
  std::string last;  // the entry told last
  dirent entry{};
};

int fake_openat(int parent, const char* path, int flags) {
  const auto whole = find(parent, path);
  if (!whole || ((flags & O_DIRECTORY) != 0 && !is_folder(*whole))) {
    errno = ENOENT;
    return -1;
  }
  const int file = handles.empty() ? 100 : handles.rbegin()->first + 1;
  handles[file].path = *whole;
  return file;
}

int fake_faccessat(int parent, const char* path, int, int) { return find(parent, path) ? 0 : -1; }

ssize_t fake_read(int file, void* buffer, std::size_t size) {
  Handle& handle = handles.at(file);
  const auto found = files.find(handle.path);
  if (found == files.end()) {
    errno = EISDIR;
    return -1;
  }
  const std::size_t length = std::min(size, found->second.size() - handle.at);
  std::memcpy(buffer, found->second.data() + handle.at, length);
  handle.at += length;
  return static_cast<ssize_t>(length);
}

int fake_close(int file) {
  CHECK(handles.erase(file) == 1);
  return 0;
}

FakeDirectory* fake_fdopendir(int file) {
  auto* const directory = new FakeDirectory;
  directory->file = file;
  directory->folder = inside(handles.at(file).path);
  return directory;
}

const dirent* fake_readdir(FakeDirectory* directory) {
  // Past all that lies below the last entry: '0' follows '/'.
  const auto next = directory->last.empty() ? files.upper_bound(directory->folder)
                                            : files.lower_bound(directory->folder + directory->last + "0");
  if (next == files.end() || !next->first.starts_with(directory->folder)) return nullptr;
  std::string_view name = std::string_view(next->first).substr(directory->folder.size());
  name = name.substr(0, name.find('/'));
  directory->last = name;
  const std::size_t length = std::min(name.size(), sizeof directory->entry.d_name - 1);
  std::memcpy(directory->entry.d_name, name.data(), length);
  directory->entry.d_name[length] = '\0';
  return &directory->entry;
}

int fake_closedir(FakeDirectory* directory) {
  const int file = directory->file;
  delete directory;
  return fake_close(file);
}

void decode(std::span<const std::byte> bytes) {
  files.clear();
  std::string_view text = text_of(bytes);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    plant(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }

  Machine machine;
  const Result result = read_machine("recording", machine);
  CHECK(handles.empty());
  if (result.outcome != Outcome::done) {
    CHECK(machine.online.empty());
    return;
  }
  check_machine(machine);
  CHECK(!machine.online.empty() && !machine.allowed.empty());
  CHECK(!machine.quota || *machine.quota > 0);
  CHECK(within(machine.settable, machine.online) && within(machine.allowed, machine.settable));
  const auto cpus = [](const auto& item) { return item.cpus; };
  apart(machine.packages, cpus);
  CHECK(apart(machine.cores, cpus) == machine.online);
  apart(machine.numa_nodes, [](const NumaNode& node) { return node.capacity; });
  apart(machine.kinds, cpus);
  for (const Cache& cache : machine.caches) {
    std::vector<Cache> same_sort;
    for (const Cache& other : machine.caches)
      if (other.level == cache.level && other.type == cache.type) same_sort.push_back(other);
    apart(same_sort, cpus);
  }
}
