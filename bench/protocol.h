// A C++ side of bench/harness.py: for each line "go" on stdin, one JSON line with a sample.
#pragma once

#include <chrono>
#include <ctime>
#include <iostream>
#include <string>

namespace penstock::bench {

/// Calls `sample()`, which returns seconds, until stdin ends. `answer` goes along with each sample.
template <class Sample>
int serve(const std::string& answer, Sample sample) {
  for (std::string line; std::getline(std::cin, line);) {
    const std::clock_t before = std::clock();
    const double seconds = sample();
    const double cpu = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    std::cout.precision(9);
    std::cout << "{\"seconds\": " << seconds << ", \"cpu\": " << cpu << ", \"answer\": \"" << answer
              << "\"}" << std::endl;
  }
  return 0;
}

/// Seconds that `work` takes.
template <class Work>
double timed(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace penstock::bench
