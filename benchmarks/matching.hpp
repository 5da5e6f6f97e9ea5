#pragma once

#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// The workloads whose names match --filter; throws std::runtime_error where there are none.
template <class Workload>
std::vector<Workload> matching(std::vector<Workload> const& all, std::string const& filter) {
  std::vector<Workload> r;
  try {
    std::regex const wanted(filter);
    for (auto const& w : all)
      if (std::regex_search(name_of(w), wanted)) r.push_back(w);
  } catch (std::regex_error const&) {
    throw std::runtime_error("--filter " + filter + " is no regular expression");
  }
  if (r.empty())
    throw std::runtime_error("no workload's name matches --filter " + filter + "; --list names them");
  return r;
}

}  // namespace bench
