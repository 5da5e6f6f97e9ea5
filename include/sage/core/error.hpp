#pragma once

#include <sage/core/config.hpp>

#include <charconv>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sage {

/// A tensor's shape does not fit; the sentence names function, argument, what came and what was expected.
struct shape_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// An option or a value is out of its range; same form of sentence.
struct argument_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A call of the CUDA runtime failed, or memory is not where a GPU can reach it; the sentence ends with the runtime's
/// text.
struct cuda_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What is called with the sentence when exceptions are switched off. It must not return; if it does, the program
/// is aborted.
using error_handler = void (*)(char const* sentence);

/// The replaceable handler, for programs compiled without exceptions. Default: print to stderr, abort.
inline error_handler& on_error() noexcept {
  static error_handler handler = [](char const* sentence) { std::fprintf(stderr, "%s\n", sentence); };
  return handler;
}

SAGE_ABI_BEGIN
namespace detail {

inline void append(std::string& text, std::string_view part) { text += part; }

// std::to_chars: no locale, shortest representation.
template <class Number>
  requires(std::integral<Number> || std::floating_point<Number>)
void append(std::string& text, Number part) {
  char digits[64];
  auto const end = std::to_chars(digits, digits + sizeof digits, part).ptr;
  text.append(digits, end);
}

template <class Error, class... Parts>
[[noreturn]] void raise(Parts const&... parts) {
  std::string sentence;
  (append(sentence, parts), ...);
#if SAGE_EXCEPTIONS
  throw Error(sentence);
#else
  on_error()(sentence.c_str());
  std::abort();
#endif
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
