#pragma once

#include <ATen/ATen.h>

#include <utility>

/// A tensor that says that it is on a CUDA device, and has no memory.
inline at::Tensor far_away(at::IntArrayRef shape) {
  c10::Device const device(c10::kCUDA, 0);
  c10::Storage storage(c10::Storage::use_byte_size_t{}, 0, at::DataPtr(nullptr, device), nullptr, false);
  auto const t = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CUDA), caffe2::TypeMeta::Make<float>());
  t.unsafeGetTensorImpl()->set_sizes_contiguous(shape);
  return t;
}
