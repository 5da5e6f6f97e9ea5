#pragma once

#include "element.hpp"

#include "../shapes.hpp"

#include <vector>

namespace bench {

/// What is measured on a device: value and all gradients for the shapes of the CPU's suite and for some that fill a
/// device, and the blurred pair; some of each in the narrower types. A mean over many rows has gradients that half rounds to
/// 0: whether they are right, its smaller shapes say, and bfloat16.
inline std::vector<device_workload> device_workloads() {
  auto const both = mode::value_and_grad;
  constexpr index large[][2] = {{8192, 4096}, {65536, 1024}}, vocabulary[] = {8192, 128000};
  constexpr index large_complete[][3] = {{8192, 4096, 1000}, {65536, 1024, 1000}};
  std::vector<device_workload> r;
  auto const add = [&](workload const& w, element_type const& element = of_float) {
    r.push_back({w, &element});
  };
  for (auto const& s : embeddings) add(rows_of(loss::triplet, both, s[0], s[1], 0));
  for (auto const& s : large) add(rows_of(loss::triplet, both, s[0], s[1], 0));
  for (auto const l : {loss::consistency, loss::cross_entropy}) {
    for (auto const& s : logits) add(rows_of(l, both, s[0], 0, s[1]));
    for (auto const& s : large) add(rows_of(l, both, s[0], 0, s[1]));
    add(rows_of(l, both, vocabulary[0], 0, vocabulary[1]));
  }
  for (auto const& s : complete) add(rows_of(loss::sage, both, s[0], s[1], s[2]));
  for (auto const& s : large_complete) add(rows_of(loss::sage, both, s[0], s[1], s[2]));
  for (double const sigma : sigmas) {
    for (auto const& s : images) add(images_of(s[0], s[1], s[2], s[3], sigma));
    add(images_of(256, 3, 224, 224, sigma));
  }
  for (auto const* element : {&of_half, &of_bfloat16}) {
    add(rows_of(loss::triplet, both, 256, 512, 0), *element);
    add(rows_of(loss::consistency, both, 256, 0, 10), *element);
    add(rows_of(loss::cross_entropy, both, 256, 0, 10), *element);
    add(rows_of(loss::sage, both, 64, 512, 5), *element);
    add(rows_of(loss::triplet, both, 8192, 4096, 0), *element);
    add(rows_of(loss::consistency, both, 65536, 0, 1024), *element);
    add(rows_of(loss::cross_entropy, both, 8192, 0, 128000), *element);
    add(rows_of(loss::sage, both, 8192, 4096, 1000), *element);
    add(images_of(256, 3, 224, 224, 4), *element);
  }
  return r;
}

/// Of the time of a device copy of the same bytes, for what is larger than large_bytes.
inline constexpr double copy_target = 0.85;

}  // namespace bench
