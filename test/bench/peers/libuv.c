// libuv's own way to get and set a thread's affinity, called in a loop in C. libuv is the one inside node.
#include <node_api.h>
#include <stdint.h>
#include <time.h>
#include <uv.h>

static double nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

// exchanges(first, second, previous, count): nanoseconds of `count` calls with the two masks in turn, or libuv's error,
// which is negative. A mask is a Uint8Array of maskSize bytes, one a CPU.
static napi_value exchanges(napi_env env, napi_callback_info info) {
  size_t given = 4;
  napi_value arguments[4];
  napi_get_cb_info(env, info, &given, arguments, NULL, NULL);
  void* masks[3];
  size_t size = 0;
  for (int i = 0; i < 3; ++i) napi_get_typedarray_info(env, arguments[i], NULL, &size, &masks[i], NULL, NULL);
  uint32_t count = 0;
  napi_get_value_uint32(env, arguments[3], &count);
  uv_thread_t self = uv_thread_self();
  double result = nanoseconds();
  int error = 0;
  for (uint32_t i = 0; i < count && error == 0; ++i) error = uv_thread_setaffinity(&self, masks[i % 2], masks[2], size);
  result = error < 0 ? error : nanoseconds() - result;
  napi_value number;
  napi_create_double(env, result, &number);
  return number;
}

NAPI_MODULE_INIT() {
  napi_value value;
  napi_create_int32(env, uv_cpumask_size(), &value);
  napi_set_named_property(env, exports, "maskSize", value);
  napi_create_function(env, "exchanges", NAPI_AUTO_LENGTH, exchanges, NULL, &value);
  napi_set_named_property(env, exports, "exchanges", value);
  return exports;
}
