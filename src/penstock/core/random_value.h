// Random values for tests and benchmarks: every kind but absent, table and host, from one seed.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// Owner thread only.
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  Value next(int max_depth = 5) {
    switch (below(max_depth > 0 ? 15 : 9)) {
      case 0:
        return Value::null();
      case 1:
        return Value::boolean(below(2) == 1);
      case 2:
        return Value::integer(static_cast<std::int64_t>(random_() >> below(64)) *
                              (below(2) == 1 ? 1 : -1));
      case 3:
        return Value::real(float_value());
      case 4:
        return Value::text(text());
      case 5:
        return Value::bytes(bytes(20));
      case 6:
        return Value::big_integer(below(2) == 1, bytes(12));
      case 7:
        return tensor();
      case 8:
        return below(200) == 0 ? Value::bytes(std::string(65'530 + below(12), 'b'))
                               : Value::integer(static_cast<std::int64_t>(below(30)));
      case 9:
      case 10:
        return Value::list(items(max_depth - 1));
      case 11:
        return Value::tuple(items(max_depth - 1));
      case 12:
        return Value::extension(text(), next(max_depth - 1));
      default:
        return map(max_depth - 1);
    }
  }

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::string bytes(std::uint64_t limit) {
    std::string out(below(limit), '\0');
    for (char& byte : out) {
      byte = static_cast<char>(random_());
    }
    return out;
  }

 private:
  double float_value() {
    const double special[] = {0.0,
                              -0.0,
                              1.5,
                              std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN()};
    return below(3) == 0 ? special[below(6)] : std::bit_cast<double>(random_());
  }
  std::string text() {
    const char* const pieces[] = {"a", "b", "key", "x1", "\xC3\xA9", "\xF0\x9F\x8C\x8D", "$"};
    std::string out;
    for (std::uint64_t i = below(6); i > 0; --i) {
      out += pieces[below(7)];
    }
    return below(30) == 0 ? "$penstock" : out;
  }
  std::vector<Value> items(int max_depth) {
    std::vector<Value> out;
    for (std::uint64_t i = below(5); i > 0; --i) {
      out.push_back(next(max_depth));
    }
    return out;
  }
  Value map(int max_depth) {
    std::vector<MapEntry> out;
    std::set<std::string> seen;
    for (std::uint64_t i = below(6); i > 0; --i) {
      if (std::string key = text(); seen.insert(key).second) {
        out.emplace_back(std::move(key), next(max_depth));
      }
    }
    return Value::map(std::move(out));
  }
  Value tensor() {
    const auto dtype = static_cast<DType>(below(14));
    std::vector<std::int64_t> shape;
    std::int64_t count = 1;
    for (std::uint64_t i = below(4); i > 0; --i) {
      shape.push_back(static_cast<std::int64_t>(below(4)));
      count *= shape.back();
    }
    const std::shared_ptr<Buffer> buffer = Buffer::allocate(count * size_bytes(dtype));
    for (std::int64_t i = 0; i < buffer->size_bytes(); ++i) {
      buffer->mutable_data()[i] = static_cast<std::byte>(random_() & 1);
    }
    return Value::tensor(*Tensor::create_contiguous(dtype, std::move(shape), buffer));
  }

  std::mt19937_64 random_;
};

}  // namespace penstock::core
