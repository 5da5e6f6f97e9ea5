#pragma once

#include "framework/torch.hpp"

#include <sstream>
#include <string>

namespace modules {

/// What the module of a holder prints, and its copy, without changing how the stream prints afterwards.
template <class Holder>
std::string printed(Holder const& module) {
  std::ostringstream out, again;
  module->pretty_print(out);
  std::string const text = out.str();
  out << true;
  module->clone()->pretty_print(again);
  return out.str() == text + "1" && again.str() == text ? text : "";
}

/// Bitwise the expected value, which options make another one than the defaults'.
inline bool same(at::Tensor const& computed, at::Tensor const& expected, at::Tensor const& with_defaults) {
  return at::equal(computed, expected) && !at::equal(expected, with_defaults);
}

}  // namespace modules
