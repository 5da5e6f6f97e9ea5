#include "catch.hpp"

#include <sage/exec/executor.hpp>
#include <sage/exec/parallel.hpp>
#include <sage/exec/threads.hpp>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <new>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <dirent.h>
#include <sys/resource.h>
#endif

// How work is divided, and that a pool of threads is a good guest: no thread before it is asked for or after it is gone,
// none woken for small work, none missed after a fork.

namespace {

using sage::index_t;

/// Counts how often each row is worked, and remembers on which threads, in how many blocks.
struct ledger {
  std::vector<std::atomic<int>> rows;
  std::atomic<int> blocks{0}, on_other_threads{0};
  std::thread::id const caller = std::this_thread::get_id();

  explicit ledger(index_t n) : rows(static_cast<std::size_t>(n)) {}
  bool every_row_is(int times) const {
    return std::all_of(rows.begin(), rows.end(), [&](auto const& n) { return n == times; });
  }
};

/// A problem with a schedule of its own that keeps a ledger.
struct bookkeeping {
  using element = float;
  using accumulator = float;
  index_t rows, length;
  ledger* book;

  bookkeeping(index_t n, index_t d, ledger& b) : rows(n), length(d), book(&b) {}
  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    ++book->blocks;
    if (std::this_thread::get_id() != book->caller) ++book->on_other_threads;
    for (index_t i = first; i < last; ++i) ++book->rows[static_cast<std::size_t>(i)];
  }
};

/// The same in double.
struct bookkeeping_in_double : bookkeeping {
  using accumulator = double;
};

#if defined(__linux__)
int threads_of_this_process() {
  int count = 0;
  DIR* const folder = opendir("/proc/self/task");
  while (dirent const* const entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}
#endif

}  // namespace

TEST_CASE("Rows are divided into equal blocks of the work that is asked for, and each is in one of them") {
  for (index_t const length : {0, 1, 5, 64, 65, 1000, 40000})
    for (index_t const rows : {0, 1, 2, 15, 16, 17, 64, 1000, 4099})
      for (index_t const work : {1, 2048, 16384}) {
        ledger book(rows);
        bookkeeping const p(rows, length, book);
        auto const blocks = sage::exec::detail::blocks_of(p, work);
        CAPTURE(length, rows, work, blocks.rows, blocks.count);
        for (index_t b = 0; b < blocks.count; ++b)
          blocks(p, b, [&](index_t first, index_t last) {
            CHECK(first < last);
            p.run<float>(first, last);
          });
        CHECK(book.every_row_is(1));
        if (blocks.count > 1) {
          CHECK(blocks.rows * sage::exec::detail::work_of_row(p) >= work);
          if (length <= 32) CHECK(blocks.rows % 16 == 0);  // else lanes across rows would stay empty
        }
      }
}

TEST_CASE("A double counts as two floats") {
  ledger book(1);
  CHECK(sage::exec::detail::work_of_row(bookkeeping{1, 100, book}) == 100);
  CHECK(sage::exec::detail::work_of_row(bookkeeping_in_double{{1, 100, book}}) == 200);
}

TEST_CASE(
    "The less work there is, the more awake must the workers be to share it; one thread shares nothing") {
  using policy = sage::exec::detail::division_policy;
  static_assert(!policy::shares(policy::awake_work - 1, 4, true) &&
                policy::shares(policy::awake_work, 4, true));
  static_assert(!policy::shares(policy::asleep_work - 1, 4, false) &&
                policy::shares(policy::asleep_work, 4, false));
  static_assert(policy::shares(policy::asleep_work - 1, 4, true) && !policy::shares(1 << 30, 1, true));
  // What is shared gives every thread a block.
  for (int const threads : {2, 4, 8})
    for (index_t const work : {policy::awake_work * threads, policy::asleep_work, index_t(1) << 24}) {
      ledger book(work / 128);
      auto const blocks = policy::blocks_for(bookkeeping(work / 128, 128, book), threads);
      CAPTURE(threads, work, blocks.count);
      CHECK(blocks.count >= threads);
    }
}

TEST_CASE("Small work stays on the calling thread in one block, large work is divided") {
  sage::exec::threads const pool(3);
  ledger small(63), large(2000);
  for (int round = 0; round < 200; ++round) pool(bookkeeping(63, 128, small));
  CHECK(small.every_row_is(200));
  CHECK((small.blocks == 200 && small.on_other_threads == 0));
  for (int round = 0; round < 20; ++round) pool(bookkeeping(2000, 128, large));
  CHECK(large.every_row_is(20));
  CHECK(large.blocks >= 20 * 2);
}

TEST_CASE("Workers take tasks: two tasks that wait for each other end") {
  sage::exec::thread_pool pool(2);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> inside{0};
    pool(2, [&](index_t) {
      for (++inside; inside < 2;) std::this_thread::yield();
    });
    CHECK(inside == 2);
  }
}

TEST_CASE("What a task throws is thrown to the caller when all tasks are done, and the pool goes on") {
  sage::exec::thread_pool pool(3);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done{0};
    CHECK_THROWS_AS(pool(100,
                         [&](index_t i) {
                           ++done;
                           if (i % 10 == 7) throw std::bad_alloc();
                         }),
                    std::bad_alloc);
    CHECK(done == 100);
    pool(100, [&](index_t) { ++done; });
    CHECK(done == 200);
  }
}

TEST_CASE("Copies of an executor share its threads, and callers in several threads wait for each other") {
  sage::exec::threads const pool(3);
  std::vector<std::thread> callers;
  std::vector<std::unique_ptr<ledger>> books;
  for (int c = 0; c < 4; ++c) books.push_back(std::make_unique<ledger>(500));
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([copy = pool, &book = *books[static_cast<std::size_t>(c)]] {
      for (int round = 0; round < 50; ++round) copy(bookkeeping(500, round % 2 == 0 ? 512 : 32, book));
    });
  for (auto& t : callers) t.join();
  for (auto const& book : books) CHECK(book->every_row_is(50));
}

#if defined(__linux__)
TEST_CASE(
    "No thread is started before an executor of threads is made, and none is left when the last copy is "
    "gone") {
  int const before = threads_of_this_process();
  ledger book(2000);
  sage::exec::simd{}(bookkeeping(2000, 128, book));
  sage::exec::threads{1}(bookkeeping(2000, 128, book));
  CHECK(threads_of_this_process() == before);
  {
    std::unique_ptr<sage::exec::threads> copy;
    {
      sage::exec::threads const pool(3);
      CHECK(threads_of_this_process() == before + 2);
      copy = std::make_unique<sage::exec::threads>(pool);
    }
    CHECK(threads_of_this_process() == before + 2);
    (*copy)(bookkeeping(2000, 128, book));
  }
  // A joined thread may be listed for a moment longer.
  for (int i = 0; i < 1000000 && threads_of_this_process() != before; ++i) std::this_thread::yield();
  CHECK(threads_of_this_process() == before);
  CHECK(book.every_row_is(3));
}

#if !defined(__SANITIZE_ADDRESS__)  // whose own memory has no bounds
TEST_CASE(
    "Where the system has too few threads, the executor's constructor says so and joins those it started") {
  pid_t const child = fork();
  if (child == 0) {
    alarm(60);
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlim_t const room =
        pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t(64) << 20);  // some stacks
    rlimit const bound{room, room};
    setrlimit(RLIMIT_AS, &bound);
    try {
      sage::exec::threads const many(1000);
    } catch (std::system_error const&) {
      for (int i = 0; i < 1000000 && threads_of_this_process() != 1; ++i) std::this_thread::yield();
      _exit(threads_of_this_process() == 1 ? 0 : 1);
    }
    _exit(2);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}
#endif
#endif

#if defined(__unix__)
TEST_CASE(
    "In the child of a fork threads of the parent's work, though another thread was using them, and new ones "
    "too") {
  auto pool = std::make_unique<sage::exec::threads const>(3);
  std::atomic<bool> enough{false};
  std::atomic<int> rounds{0};
  std::thread busy([&] {
    for (ledger book(2000); !enough; ++rounds) (*pool)(bookkeeping(2000, 128, book));
  });
  for (int i = 0; i < 20; ++i) {
    int const seen = rounds;
    while (rounds == seen) std::this_thread::yield();  // so that it is in the midst of its calls
    pid_t const child = fork();
    if (child == 0) {
      alarm(60);  // a child that waits for threads it has not would wait for ever
      ledger book(2000);
      (*pool)(bookkeeping(2000, 128, book));
      bool const alone = book.on_other_threads == 0;
      {
        sage::exec::threads const own(2);
        own(bookkeeping(2000, 128, book));
        pool.reset();  // must not take the threads of `own` for its own
        own(bookkeeping(2000, 128, book));
      }
      _exit(book.every_row_is(3) && alone ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  enough = true;
  busy.join();
}
#endif
