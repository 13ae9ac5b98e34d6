#include "penstock/core/hash.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include <blake3.h>

namespace penstock::core {
namespace {

// One call of hash_blocks. Blocks are claimed one at a time, so a late helper does no harm.
struct Job {
  std::span<const std::span<const std::byte>> blocks;
  std::span<Digest> digests;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> num_done{0};

  void work() {
    std::size_t done = 0;
    for (std::size_t i = next.fetch_add(1); i < blocks.size(); i = next.fetch_add(1)) {
      digests[i] = hash_bytes(blocks[i]);
      ++done;
    }
    if (done > 0 && num_done.fetch_add(done) + done == blocks.size()) {
      num_done.notify_all();
    }
  }
  // Returns once every claimed block is hashed. A helper that has claimed none is not waited for.
  void wait() {
    for (std::size_t done = num_done.load(); done < blocks.size(); done = num_done.load()) {
      num_done.wait(done);
    }
  }
};

// The helpers. Never destroyed: the threads sleep until the process ends, so no order of static
// destructors can hurt them.
class HashPool {
 public:
  static HashPool& instance() {
    static std::once_flag once;
    std::call_once(once, [] {
      current.store(new HashPool());
      // The child of a fork has none of the threads and perhaps a locked mutex: it starts anew.
      pthread_atfork(nullptr, nullptr, [] { current.store(new HashPool()); });
    });
    return *current.load();
  }

  void help(const std::shared_ptr<Job>& job, int num_helpers) {
    const std::lock_guard lock(mutex_);
    const auto limit = std::max(1U, std::thread::hardware_concurrency()) - 1;
    try {
      while (threads_.size() < std::min(limit, static_cast<unsigned>(num_helpers))) {
        threads_.emplace_back([this] { run(); });
      }
      const int num_wanted = std::min(num_helpers, static_cast<int>(threads_.size()));
      for (int i = 0; i < num_wanted; ++i) {
        jobs_.push_back(job);
        wake_.notify_one();
      }
    } catch (const std::bad_alloc&) {
      // The caller does what no helper does. It must go on: a helper may have its blocks already.
    } catch (const std::system_error&) {
      // The same: no more threads to be had.
    }
  }

 private:
  void run() {
    while (true) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !jobs_.empty(); });
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job->work();
    }
  }

  static std::atomic<HashPool*> current;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;  // guarded by mutex_; one entry per helper wanted
  std::vector<std::jthread> threads_;      // guarded by mutex_
};

std::atomic<HashPool*> HashPool::current{nullptr};

int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Digest hash_bytes(std::span<const std::byte> bytes) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  Digest digest;
  blake3_hasher_finalize(&hasher, digest.bytes.data(), digest.bytes.size());
  return digest;
}

void hash_blocks(std::span<const std::span<const std::byte>> blocks, std::span<Digest> digests,
                 int num_threads) {
  PENSTOCK_CHECK(blocks.size() == digests.size());
  const int num_helpers = static_cast<int>(
      std::min<std::size_t>(static_cast<std::size_t>(std::max(num_threads, 1)), blocks.size()));
  if (num_helpers <= 1) {
    std::transform(blocks.begin(), blocks.end(), digests.begin(),
                   [](std::span<const std::byte> block) { return hash_bytes(block); });
    return;
  }
  const auto job = std::make_shared<Job>();
  job->blocks = blocks;
  job->digests = digests;
  HashPool::instance().help(job, num_helpers - 1);
  job->work();
  job->wait();
}

std::string Digest::to_hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

base::Result<Digest> Digest::from_hex(std::string_view hex) {
  Digest digest;
  bool valid = hex.size() == digest.bytes.size() * 2;
  for (std::size_t i = 0; valid && i < digest.bytes.size(); ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    valid = high >= 0 && low >= 0;
    digest.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if (!valid) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "digest must be 64 lower-case hexadecimal digits: digest=" +
                          std::string(hex.substr(0, 80)));
  }
  return digest;
}

}  // namespace penstock::core
