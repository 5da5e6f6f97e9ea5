#pragma once

#include <sage/core/config.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/gradient.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

/// Arguments that say what they are, such as class_weights(w), taken out of a list of arguments or put in
/// their place; and a last gradient that may be left out.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Where the mark stands among the arguments; their number if nowhere.
template <template <class> class Mark, class... Args>
constexpr std::size_t mark_position() noexcept {
  std::size_t at = 0;
  static_cast<void>(((is_marked<Mark, std::remove_cvref_t<Args>> || (++at, false)) || ...));
  return at;
}

/// References to elements First … First + sizeof...(I) − 1 of a tuple of references.
template <std::size_t First, class Tuple, std::size_t... I>
auto slice(Tuple const& all, std::index_sequence<I...>) noexcept {
  return std::tie(std::get<First + I>(all)...);
}

/// The tuple without element At.
template <std::size_t At, class Tuple>
auto without(Tuple const& all) noexcept {
  constexpr std::size_t size = std::tuple_size_v<Tuple>;
  return std::tuple_cat(slice<0>(all, std::make_index_sequence<At>{}),
                        slice<At + 1>(all, std::make_index_sequence<size - At - 1>{}));
}

/// The tuple with `x…` before element At.
template <std::size_t At, class Tuple, class... X>
auto with_inserted(Tuple const& all, X&... x) noexcept {
  constexpr std::size_t size = std::tuple_size_v<Tuple>;
  return std::tuple_cat(slice<0>(all, std::make_index_sequence<At>{}), std::tie(x...),
                        slice<At>(all, std::make_index_sequence<size - At>{}));
}

/// Calls f(tensor of the mark or none_t, tuple of the other arguments).
template <template <class> class Mark, class F, class... Args>
decltype(auto) split_mark(F const& f, std::tuple<Args&...> const& args) {
  constexpr std::size_t at = mark_position<Mark, Args...>();
  if constexpr (at < sizeof...(Args)) {
    return f(std::get<at>(args).tensor, without<at>(args));
  } else {
    return f(none_t{}, args);
  }
}

/// Calls f(tuple of the other arguments, tensor of each mark or none_t…).
template <template <class> class... Marks>
struct marks {
  template <class F, class Tuple, class... Found>
  static decltype(auto) split(F const& f, Tuple const& args, Found const&... found) {
    return f(args, found...);
  }
};
template <template <class> class Mark, template <class> class... Others>
struct marks<Mark, Others...> {
  template <class F, class Tuple, class... Found>
  static decltype(auto) split(F const& f, Tuple const& args, Found const&... found) {
    return split_mark<Mark>(
        [&](auto const& tensor, auto const& rest) -> decltype(auto) {
          return marks<Others...>::split(f, rest, found..., tensor);
        },
        args);
  }
};

/// The tuple with those of `x…` that are not none_t before element At.
template <std::size_t At, class Tuple>
auto with_given(Tuple const& all) noexcept {
  return all;
}
template <std::size_t At, class Tuple, class X, class... Others>
auto with_given(Tuple const& all, X const& x, Others const&... others) noexcept {
  if constexpr (is_none<X>) {
    return with_given<At>(all, others...);
  } else {
    return with_given<At + 1>(with_inserted<At>(all, x), others...);
  }
}

/// How many elements of a tuple of references are neither weights(w) nor into(r).
template <class Tuple>
constexpr std::size_t count_without_weights() noexcept {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (0 + ... + (is_weights<std::remove_cvref_t<std::tuple_element_t<I, Tuple>>> ||
                               is_into<std::remove_cvref_t<std::tuple_element_t<I, Tuple>>>
                           ? std::size_t(0)
                           : 1));
  }
  (std::make_index_sequence<std::tuple_size_v<Tuple>>{});
}

/// The members of a loss of logits and targets.
enum class member { value, value_and_grad, per_sample, backward };

/// Where the targets stand behind the executor: after the upstream gradient, if there is one, and the logits.
constexpr std::size_t target_position(member m) noexcept { return m == member::backward ? 2 : 1; }

/// The arguments behind the executor with the gradient of the targets, which may be left out, as sage::skip.
template <member Member, class Tuple>
auto with_target_gradient(Tuple const& all) noexcept {
  constexpr bool has_gradients = Member == member::value_and_grad || Member == member::backward;
  constexpr std::size_t at = target_position(Member) + 2;
  if constexpr (has_gradients && count_without_weights<Tuple>() == at) {
    return with_inserted<at>(all, skip);
  } else {
    return all;
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
