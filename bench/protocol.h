// A C++ side of bench/harness.py: for each line "go" on stdin, one JSON line with a sample.
#pragma once

#include <chrono>
#include <ctime>
#include <iostream>
#include <string>

namespace penstock::bench {

/// Seconds that `work` takes.
template <class Work>
double timed(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Calls `sample()`, which returns seconds, until stdin ends. `answer` goes along with each sample.
template <class Sample>
int serve(const std::string& answer, Sample sample) {
  for (std::string line; std::getline(std::cin, line);) {
    const std::clock_t before = std::clock();
    double seconds = 0;
    const double wall = timed([&] { seconds = sample(); });
    const double busy = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC / wall;
    const double cpu = seconds * busy;  // per the same unit as `seconds`
    std::cout.precision(9);
    std::cout << "{\"seconds\": " << seconds << ", \"cpu\": " << cpu << ", \"answer\": \"" << answer
              << "\"}" << std::endl;
  }
  return 0;
}

}  // namespace penstock::bench
