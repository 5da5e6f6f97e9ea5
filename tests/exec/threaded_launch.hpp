#pragma once

#include <sage/core/index.hpp>
#include <sage/exec/cooperative_group.hpp>

#include <barrier>
#include <cstddef>
#include <cstring>
#include <map>
#include <thread>
#include <utility>
#include <vector>

/// A launch whose every thread is a std::thread that knows its own state alone, as on a GPU; shuffles and exchanges meet
/// at barriers. What exec/emulated.hpp plays with one thread is compared with it.
class threaded_launch {
  struct alignas(std::max_align_t) slot {
    unsigned char bytes[256];
  };
  /// What the members of one group share.
  struct shared_state {
    explicit shared_state(int size) : meeting(size), slots(static_cast<std::size_t>(size)), exchanged(8) {}
    std::barrier<> meeting;
    std::vector<slot> slots, exchanged;
  };

  template <int Size>
  struct group {
    static constexpr int size = Size;
    template <class S>
    using own = sage::exec::detail::own_state<S>;

    int rank;
    shared_state& shared;

    template <class F>
    void for_each(F const& f) const {
      f(rank);
    }
    template <class S>
    own<S> shuffle_down(own<S> const& x, int n) const {
      bool const is_there = rank % 32 + n < 32 && rank + n < Size;
      return {read(x.value, is_there ? rank + n : rank)};
    }
    template <class S>
    S of_first(own<S> const& x) const {
      return read(x.value, 0);
    }
    template <class S>
    S* exchange() const {
      static_assert(sizeof(S) <= sizeof(slot));
      return reinterpret_cast<S*>(shared.exchanged.data());
    }
    void sync() const { shared.meeting.arrive_and_wait(); }

   private:
    template <class S>
    S read(S const& mine, int from) const {
      static_assert(sizeof(S) <= sizeof(slot));
      std::memcpy(shared.slots[static_cast<std::size_t>(rank)].bytes, &mine, sizeof(S));
      sync();
      S r;
      std::memcpy(&r, shared.slots[static_cast<std::size_t>(from)].bytes, sizeof(S));
      sync();
      return r;
    }
  };

  /// What the threads of one block share: the groups into which it may be divided, and all of them.
  struct block_state {
    explicit block_state(int threads) : meeting(threads) {
      for (int const size : {1, 32, 64, 128, 256})
        for (int g = 0; g < threads / size; ++g) groups.try_emplace({size, g}, size);
    }
    std::barrier<> meeting;
    std::map<std::pair<int, int>, shared_state> groups;
    bool last = false;
  };

  struct block {
    sage::index_t number_, count_;
    int thread;
    unsigned char* shared_;
    block_state& state;

    sage::index_t number() const { return number_; }
    sage::index_t count() const { return count_; }
    unsigned char* shared() const { return shared_; }
    template <int Threads, class F>
    void for_each_group(F const& f) const {
      int const g = thread / Threads;
      f(group<Threads>{thread % Threads, state.groups.at({Threads, g})}, g);
    }
    void sync() const { state.meeting.arrive_and_wait(); }
    bool is_last(unsigned* arrivals) const {
      sync();
      if (thread == 0) state.last = ++*arrivals == static_cast<unsigned>(count_);
      sync();
      return state.last;
    }
  };

 public:
  template <class Work>
  void operator()(sage::index_t blocks, int threads, sage::index_t shared_bytes, Work const& work) const {
    std::vector<std::max_align_t> shared(static_cast<std::size_t>(shared_bytes) / sizeof(std::max_align_t) +
                                         1);
    for (sage::index_t b = 0; b < blocks; ++b) {
      block_state state(threads);
      std::vector<std::thread> members;
      for (int t = 0; t < threads; ++t)
        members.emplace_back([&, t] {
          work(block{b, blocks, t, reinterpret_cast<unsigned char*>(shared.data()), state});
        });
      for (auto& m : members) m.join();
    }
  }
};
