#pragma once

// LibTorch before Catch2: LibTorch's logger (glog) has a macro CHECK of its own, which would end the program.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#undef CHECK
#include "catch.hpp"
