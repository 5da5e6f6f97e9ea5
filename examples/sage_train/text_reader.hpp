#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

namespace sage_train {

/// Reads words and numbers that << wrote, also "nan" and "inf", which >> does not.
struct text_reader {
  std::istringstream in;

  std::string word() {
    std::string w;
    in >> w;
    return w;
  }
  double number() { return std::stod(word()); }
  std::size_t count() { return std::stoull(word()); }

  template <class T>
  std::vector<T> numbers() {
    std::vector<T> values(count());
    for (T& v : values) v = static_cast<T>(number());
    return values;
  }
};

}  // namespace sage_train
