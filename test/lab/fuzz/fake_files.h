// Put before native/linux/processors.cc and cgroup.cc when they are compiled for the fuzzer: their files are those of
// tree.cc.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <string>
#include <vector>

struct FakeDirectory;

int fake_openat(int parent, const char* path, int flags);
int fake_faccessat(int parent, const char* path, int mode, int flags);
ssize_t fake_read(int file, void* buffer, std::size_t size);
int fake_close(int file);
FakeDirectory* fake_fdopendir(int file);
const dirent* fake_readdir(FakeDirectory* directory);
int fake_closedir(FakeDirectory* directory);

#define openat fake_openat
#define faccessat fake_faccessat
#define read fake_read
#define close fake_close
#define fdopendir fake_fdopendir
#define readdir fake_readdir
#define closedir fake_closedir
#define DIR FakeDirectory
