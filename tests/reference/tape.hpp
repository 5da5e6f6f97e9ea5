#pragma once

#include "reference/real.hpp"

#include <cstddef>
#include <vector>

/// Reverse-mode differentiation of a definition in 113 bits: every operation is recorded with its partial derivatives,
/// and the whole gradient is read from the record in one sweep. For gradients of many coordinates, where differences
/// (reference/gradient.hpp) would evaluate the definition four times for each.
namespace reference {

/// A recorded number. Constants are not recorded.
struct taped {
  real value = 0;
  std::ptrdiff_t at = -1;

  taped() = default;
  taped(real v) : value(v) {}
  taped(int v) : value(v) {}
  taped(real v, std::ptrdiff_t i) : value(v), at(i) {}
};

class tape {
 public:
  /// The record that operations are written to: one for each thread.
  static tape& current() {
    static thread_local tape t;
    return t;
  }
  void clear() { entries_.clear(); }

  taped variable(real v) { return record(v, {}, 0, {}, 0); }
  taped record(real v, taped const& x, real dx, taped const& y = {}, real dy = 0) {
    entries_.push_back({{x.at, y.at}, {dx, dy}});
    return {v, static_cast<std::ptrdiff_t>(entries_.size()) - 1};
  }

  /// ∂result/∂(every entry), in the order of recording: variables first come first.
  std::vector<real> gradient(taped const& result) const {
    std::vector<real> g(entries_.size(), real(0));
    if (result.at >= 0) g[static_cast<std::size_t>(result.at)] = 1;
    for (std::size_t i = entries_.size(); i-- > 0;)
      for (int k = 0; k < 2; ++k)
        if (entries_[i].from[k] >= 0 && g[i] != 0)
          g[static_cast<std::size_t>(entries_[i].from[k])] += g[i] * entries_[i].partial[k];
    return g;
  }

 private:
  struct entry {
    std::ptrdiff_t from[2];
    real partial[2];
  };
  std::vector<entry> entries_;
};

inline taped operator+(taped const& x, taped const& y) {
  return tape::current().record(x.value + y.value, x, 1, y, 1);
}
inline taped operator-(taped const& x, taped const& y) {
  return tape::current().record(x.value - y.value, x, 1, y, -1);
}
inline taped operator*(taped const& x, taped const& y) {
  return tape::current().record(x.value * y.value, x, y.value, y, x.value);
}
inline taped operator/(taped const& x, taped const& y) {
  real const q = x.value / y.value;
  return tape::current().record(q, x, 1 / y.value, y, -q / y.value);
}
inline bool operator>(taped const& x, taped const& y) { return x.value > y.value; }
inline taped exp(taped const& x) {
  real const e = exp(x.value);
  return tape::current().record(e, x, e);
}
inline taped log(taped const& x) { return tape::current().record(log(x.value), x, 1 / x.value); }

}  // namespace reference
