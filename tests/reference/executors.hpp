#pragma once

#include <sage/exec/parallel.hpp>
#include <sage/exec/scalar.hpp>
#include <sage/exec/simd.hpp>
#include <sage/exec/threads.hpp>

namespace reference {

/// Calls body(i) for all i in descending order: no result may depend on the order of the blocks.
struct descending {
  template <class Body>
  void operator()(sage::index_t count, Body const& body) const {
    for (sage::index_t i = count; i-- > 0;) body(i);
  }
};

/// Any executor, chosen at run time: one type, so that a test compiles its losses once for all of them.
struct any_executor {
  enum kind { scalar, baseline, avx2, avx512, threads, descending };
  kind which;

  template <class Problem>
  void operator()(Problem const& p) const {
    using namespace sage::exec;
    switch (which) {
      case scalar:
        return sage::exec::scalar{}(p);
      case baseline:
        return simd{.level = isa::baseline}(p);
      case avx2:
        return simd{.level = isa::avx2}(p);
      case avx512:
        return simd{.level = isa::avx512}(p);
      case threads:
        return sage::exec::threads{3}(p);
      case descending:
        return parallel{reference::descending{}}(p);
    }
  }
  /// Does this processor have the instructions?
  bool available() const {
    using sage::exec::isa;
    return which == avx2 ? sage::exec::has_isa(isa::avx2)
                         : which != avx512 || sage::exec::has_isa(isa::avx512);
  }
  char const* name() const {
    char const* const names[] = {"scalar",      "simd baseline", "simd avx2",
                                 "simd avx512", "threads",       "descending"};
    return names[which];
  }
};

/// Vectors on the calling thread, the widest that this processor has.
inline any_executor widest_executor() {
  using sage::exec::isa;
  return {sage::exec::has_isa(isa::avx512) ? any_executor::avx512
          : sage::exec::has_isa(isa::avx2) ? any_executor::avx2
                                           : any_executor::baseline};
}

/// Calls f(executor) for every executor that this processor can run.
template <class F>
void for_each_executor(F const& f) {
  for (auto const kind : {any_executor::scalar, any_executor::baseline, any_executor::avx2,
                          any_executor::avx512, any_executor::threads, any_executor::descending})
    if (any_executor const e{kind}; e.available()) f(e);
}

}  // namespace reference
