{
  "variables": { "napi%": "<!(node -p \"require('node-addon-api').include_dir\")" },
  "target_defaults": {
    "defines": [
      "NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ],
    "sources": ["native/addon.cc", "native/contexts.cc", "native/groups.cc", "native/guard.cc", "native/inhabitants.cc",
      "native/pool.cc", "native/processor_id.cc", "native/seats.cc", "native/timing/arrivals.cc", "native/timing/bare_calls.cc",
      "native/timing/confined.cc", "native/timing/gaps.cc", "native/timing/round_trips.cc"]
  },
  "targets": [
    {
      "target_name": "groupaffinity",
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "native/linux/affinity.cc",
            "native/linux/cgroup.cc",
            "native/linux/floor.cc",
            "native/linux/hardware.cc",
            "native/linux/launch.cc",
            "native/linux/processes.cc",
            "native/linux/processors.cc",
            "native/linux/sysfs_text.cc",
            "native/linux/threads.cc",
            "native/linux/watch.cc"
          ],
          "ldflags": ["-Wl,--gc-sections", "-Wl,--version-script=<(module_root_dir)/native/exports.map"]
        }],
        ["OS=='win'", {
          "sources": [
            "native/windows/affinity.cc",
            "native/windows/floor.cc",
            "native/windows/hardware.cc",
            "native/windows/launch.cc",
            "native/windows/processes.cc",
            "native/windows/processor_records.cc",
            "native/windows/processors.cc",
            "native/windows/threads.cc",
            "native/windows/watch.cc"
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
            "native/unsupported/affinity.cc",
            "native/unsupported/floor.cc",
            "native/unsupported/hardware.cc",
            "native/unsupported/launch.cc",
            "native/unsupported/processes.cc",
            "native/unsupported/processors.cc",
            "native/unsupported/threads.cc",
            "native/unsupported/watch.cc"
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
