// What Debian's libstdc++ asks of glibc and musl has not, in a shared library that is preloaded before both: so
// Debian's runs Node for musl. A locale is glibc's structure, whose tables libstdc++ reads: the C locale, always.
#include <cstddef>
#include <cstdlib>
#include <cstring>

extern "C" {

struct GlibcLocale {
  const void* categories[13];
  const unsigned short* classes;
  const int* lower;
  const int* upper;
  const char* names[13];
};

int getrandom(void* buffer, std::size_t size, unsigned flags);
std::size_t strftime(char* text, std::size_t size, const char* format, const void* time);
int pthread_key_create(unsigned* key, void (*destroy)(void*));
int pthread_setspecific(unsigned key, const void* value);

char __libc_single_threaded = 0;

// libgcc's own, whose versions hide them from musl's loader.
char __cpu_model[16];
int __cpu_indicator_init() { return 0; }

int _dl_find_object(void*, void*) { return -1; }

unsigned arc4random() {
  unsigned value = 0;
  getrandom(&value, sizeof value, 0);
  return value;
}

std::size_t __strftime_l(char* text, std::size_t size, const char* format, const void* time, const void*) {
  return strftime(text, size, format, time);
}

// For characters from -128 to 255.
static unsigned short classes[384];
static int lower[384];
static int upper[384];
static GlibcLocale c_locale;

static unsigned short classes_of(int character) {
  const bool is_upper = character >= 'A' && character <= 'Z';
  const bool is_lower = character >= 'a' && character <= 'z';
  const bool is_digit = character >= '0' && character <= '9';
  const bool is_hex = is_digit || (character >= 'A' && character <= 'F') || (character >= 'a' && character <= 'f');
  const bool is_space = character == ' ' || (character >= '\t' && character <= '\r');
  const bool is_printed = character >= ' ' && character < 127;
  const bool is_named = is_upper || is_lower || is_digit;
  unsigned mask = 0;
  mask |= is_upper ? 0x100u : 0;
  mask |= is_lower ? 0x200u : 0;
  mask |= is_upper || is_lower ? 0x400u : 0;
  mask |= is_digit ? 0x800u : 0;
  mask |= is_hex ? 0x1000u : 0;
  mask |= is_space ? 0x2000u : 0;
  mask |= is_printed ? 0x4000u : 0;
  mask |= is_printed && character != ' ' ? 0x8000u : 0;
  mask |= character == ' ' || character == '\t' ? 1u : 0;
  mask |= character >= 0 && (character < ' ' || character == 127) ? 2u : 0;
  mask |= is_printed && character != ' ' && !is_named ? 4u : 0;
  mask |= is_named ? 8u : 0;
  return static_cast<unsigned short>(mask);
}

__attribute__((constructor)) static void fill() {
  for (int character = -128; character < 256; ++character) {
    const int at = character + 128;
    classes[at] = classes_of(character);
    lower[at] = character >= 'A' && character <= 'Z' ? character + 32 : character;
    upper[at] = character >= 'a' && character <= 'z' ? character - 32 : character;
  }
  c_locale.classes = classes + 128;
  c_locale.lower = lower + 128;
  c_locale.upper = upper + 128;
  for (const char*& name : c_locale.names) name = "C";
}

void* newlocale(int, const char*, void*) { return &c_locale; }
void* __newlocale(int, const char*, void*) { return &c_locale; }
void* duplocale(void* locale) { return locale; }
void* __duplocale(void* locale) { return locale; }
void freelocale(void*) {}
void __freelocale(void*) {}
void* uselocale(void*) { return &c_locale; }
void* __uselocale(void*) { return &c_locale; }

struct AtExit {
  void (*destroy)(void*);
  void* object;
  AtExit* next;
};
static thread_local AtExit* of_thread = nullptr;
static unsigned key;

static void run_all(void*) {
  while (AtExit* first = of_thread) {
    of_thread = first->next;
    first->destroy(first->object);
    std::free(first);
  }
}
__attribute__((constructor)) static void make_key() { pthread_key_create(&key, run_all); }

int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void*) {
  auto* made = static_cast<AtExit*>(std::malloc(sizeof(AtExit)));
  if (made == nullptr) return -1;
  *made = {destroy, object, of_thread};
  of_thread = made;
  return pthread_setspecific(key, made);
}

// std::string::_M_replace_cold of GCC 13 and later: `text` may lie in what is replaced.
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(void*, char* at,
                                                                                     std::size_t old_size,
                                                                                     const char* text, std::size_t size,
                                                                                     std::size_t behind) {
  char* copy = static_cast<char*>(std::malloc(size + 1));
  if (copy == nullptr) std::abort();
  std::memcpy(copy, text, size);
  std::memmove(at + size, at + old_size, behind);
  std::memcpy(at, copy, size);
  std::free(copy);
}
}
