#pragma once

namespace sage {

/// Where the elements of a tensor live; part of a view's type, so that a host view cannot reach a device executor.
enum class memory_space { host, cuda };

}  // namespace sage
