# What node-gyp and prebuildify build: binding.gyp is one line that includes this. The package carries this file alone,
# since package managers build whatever has a binding.gyp when they install it.
{
  "variables": { "napi%": "<!(node -p \"require('node-addon-api').include_dir\")" },
  "target_defaults": {
    "defines": [
      "NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ],
    "sources": ["addon.cc", "contexts.cc", "groups.cc", "guard.cc", "inhabitants.cc",
      "pool.cc", "processor_id.cc", "seats.cc", "timing/arrivals.cc", "timing/bare_calls.cc",
      "timing/confined.cc", "timing/gaps.cc", "timing/round_trips.cc"]
  },
  "targets": [
    {
      "target_name": "groupaffinity",
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "linux/affinity.cc",
            "linux/cgroup.cc",
            "linux/floor.cc",
            "linux/hardware.cc",
            "linux/launch.cc",
            "linux/processes.cc",
            "linux/processors.cc",
            "linux/sysfs_text.cc",
            "linux/threads.cc",
            "linux/watch.cc"
          ],
          "ldflags": ["-Wl,--gc-sections", "-Wl,--version-script=../native/exports.map"]
        }],
        ["OS=='win'", {
          "sources": [
            "windows/affinity.cc",
            "windows/floor.cc",
            "windows/hardware.cc",
            "windows/launch.cc",
            "windows/processes.cc",
            "windows/processor_records.cc",
            "windows/processors.cc",
            "windows/threads.cc",
            "windows/watch.cc"
          ],
          "defines": ["_WIN32_WINNT=0x0A00", "NOMINMAX", "WIN32_LEAN_AND_MEAN"],
          "include_dirs": ["<(napi)"],
          "msvs_settings": {
            "VCCLCompilerTool": {
              "ExceptionHandling": 0,
              "AdditionalOptions": ["/std:c++20", "/W4", "/external:anglebrackets", "/external:W0"]
            }
          }
        }, {
          "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-O3", "-fno-omit-frame-pointer"],
          "cflags_cc": [
            "-std=c++20", "-O2", "-fno-exceptions", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
            "-Wall", "-Wextra", "-Wconversion", "-isystem", "../<(napi)"
          ]
        }],
        ["OS!='linux' and OS!='win'", {
          "sources": [
            "unsupported/affinity.cc",
            "unsupported/floor.cc",
            "unsupported/hardware.cc",
            "unsupported/launch.cc",
            "unsupported/processes.cc",
            "unsupported/processors.cc",
            "unsupported/threads.cc",
            "unsupported/watch.cc"
          ],
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
            "OTHER_CPLUSPLUSFLAGS": ["-isystem", "../<(napi)"]
          }
        }]
      ]
    }
  ]
}
