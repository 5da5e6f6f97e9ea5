#include "shapes.hpp"

#include <chrono>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

/// LibTorch in a process of its own, as peer.hpp says: the same sources as in sage_bench, with another LibTorch. Its inputs
/// come from the same generator.
namespace {

using namespace bench;

class opened_workload {
 public:
  virtual ~opened_workload() = default;
  virtual std::string names() const = 0;
  virtual void answer(std::size_t k) = 0;
  virtual double time(std::size_t k, long runs) = 0;
};

template <class T>
class opened : public opened_workload {
 public:
  opened(workload const& w, std::size_t sets, int threads, std::string folder)
      : what_(w), batch_(what_, sets), folder_(std::move(folder)) {
    add_libtorch(list_, batch_, threads);
  }

  std::string names() const override {
    std::string r;
    for (auto const& p : list_)
      r += (r.empty() ? "" : "\t") + ("LibTorch " + libtorch_version()) +
           p.name.substr(sizeof("LibTorch") - 1);
    return r;
  }

  void answer(std::size_t k) override {
    auto const& p = list_.at(k);
    if (p.before) p.before();
    p.run(0);
    if (p.store) p.store(0);
    double const value = p.value ? p.value() : 0;
    std::ofstream to(folder_ + "/answer", std::ios::binary);
    to.write(reinterpret_cast<char const*>(&value), sizeof value);
    for (std::size_t const output : written(batch_)) {
      auto const& x = batch_.sets[0].outputs[output];
      std::vector<std::conditional_t<is_narrow<T>, float, T>> const numbers(x.data, x.data + x.size());
      to.write(reinterpret_cast<char const*>(numbers.data()),
               std::streamsize(numbers.size() * sizeof(numbers[0])));
    }
    if (!to.flush()) throw std::runtime_error("cannot write to " + folder_);
  }

  double time(std::size_t k, long runs) override {
    auto const& p = list_.at(k);
    std::size_t set = warm_up(p, batch_.sets.size());
    auto const start = std::chrono::steady_clock::now();
    run_through(p, set, batch_.sets.size(), runs);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  workload what_;
  batch<T> batch_;
  std::string folder_;
  providers list_;
};

std::unique_ptr<opened_workload> open(std::string const& name, std::size_t sets, int threads,
                                      std::string const& folder) {
  for (auto const& w : all_workloads())
    if (name_of(w) == name)
      return with_element(w, [&]<class T>(std::type_identity<T>) -> std::unique_ptr<opened_workload> {
        return std::make_unique<opened<T>>(w, sets, threads, folder);
      });
  throw std::runtime_error("no workload " + name);
}

}  // namespace

int main() {
  std::cout.precision(9);
  std::unique_ptr<opened_workload> at;
  std::cout << "LibTorch " << libtorch_version() << std::endl;
  for (std::string line; std::getline(std::cin, line);) try {
      std::istringstream words(line);
      std::string verb, name, folder;
      std::size_t k = 0, sets = 0;
      int threads = 0;
      long runs = 0;
      words >> verb;
      if (verb == "open" && words >> name >> sets >> threads >> folder) {
        at.reset();
        at = open(name, sets, threads, folder);
        std::cout << at->names() << std::endl;
      } else if (verb == "answer" && words >> k && at) {
        at->answer(k);
        std::cout << "done" << std::endl;
      } else if (verb == "time" && words >> k >> runs && at) {
        std::cout << at->time(k, runs) << std::endl;
      } else if (verb == "close") {
        at.reset();
        std::cout << "done" << std::endl;
      } else {
        throw std::runtime_error("what is '" + line + "'?");
      }
    } catch (std::exception const& e) {
      std::cout << "error " << std::string(e.what()).substr(0, std::string(e.what()).find('\n')) << std::endl;
    }
}
