#include "penstock/core/value.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/host.h"
#include "penstock/core/tensor.h"

namespace penstock::core {
namespace {

using testing::HasSubstr;

Value nested_list(int depth) {
  Value value = Value::integer(1);
  for (int i = 0; i < depth; ++i) {
    value = Value::list({std::move(value)});
  }
  return value;
}

TEST(ValueTest, DefaultIsAbsent) {
  const Value value;
  EXPECT_TRUE(value.is_absent());
  EXPECT_EQ(value, Value());
  EXPECT_FALSE(value == Value::null());
}

TEST(ValueTest, KeepsScalars) {
  EXPECT_TRUE(Value::boolean(true).as_bool());
  EXPECT_EQ(Value::integer(std::numeric_limits<std::int64_t>::min()).as_int(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(Value::real(0.1).as_float(), 0.1);
  EXPECT_EQ(Value::text("blue").as_text(), "blue");
  EXPECT_EQ(Value::bytes(std::string("\0\xff", 2)).as_bytes(), std::string("\0\xff", 2));
}

TEST(ValueTest, EqualityTellsKindsApart) {
  EXPECT_FALSE(Value::integer(1) == Value::real(1.0));
  EXPECT_FALSE(Value::integer(1) == Value::boolean(true));
  EXPECT_FALSE(Value::list({}) == Value::tuple({}));
  EXPECT_FALSE(Value::text("a") == Value::bytes("a"));
}

TEST(ValueTest, EqualityOfFloatsIsByBits) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Value::real(nan), Value::real(nan));
  EXPECT_FALSE(Value::real(nan) == Value::real(-nan));
  EXPECT_FALSE(Value::real(0.0) == Value::real(-0.0));
}

TEST(ValueTest, EqualityOfMapsIgnoresOrder) {
  const Value a = Value::map({{"x", Value::integer(1)}, {"y", Value::integer(2)}});
  const Value b = Value::map({{"y", Value::integer(2)}, {"x", Value::integer(1)}});
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a == Value::map({{"x", Value::integer(1)}}));
  EXPECT_FALSE(a == Value::map({{"x", Value::integer(1)}, {"z", Value::integer(2)}}));
  EXPECT_FALSE(a == Value::map({{"y", Value::integer(1)}, {"x", Value::integer(2)}}));
}

TEST(ValueTest, FindGivesTheEntryOrNull) {
  const Value map = Value::map({{"x", Value::integer(1)}});
  ASSERT_NE(map.find("x"), nullptr);
  EXPECT_EQ(map.find("x")->as_int(), 1);
  EXPECT_EQ(map.find("y"), nullptr);
  EXPECT_EQ(Value::integer(1).find("x"), nullptr);
}

TEST(ValueTest, BigIntegerBecomesIntWhenItFits) {
  EXPECT_EQ(Value::big_integer(false, ""), Value::integer(0));
  EXPECT_EQ(Value::big_integer(true, std::string("\0\0\x05", 3)), Value::integer(-5));
  EXPECT_EQ(Value::big_integer(false, "\x7f\xff\xff\xff\xff\xff\xff\xff"),
            Value::integer(std::numeric_limits<std::int64_t>::max()));
  const std::string limit("\x80\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(Value::big_integer(true, limit),
            Value::integer(std::numeric_limits<std::int64_t>::min()));
  const Value beyond = Value::big_integer(false, limit);
  EXPECT_TRUE(beyond.is(Kind::kBigInt));
  EXPECT_FALSE(beyond.big_negative());
  EXPECT_EQ(beyond.big_magnitude(), limit);
}

TEST(ValueTest, DestroysVeryDeepListsWithoutRecursion) {
  const Value deep = nested_list(1'000'000);
  EXPECT_TRUE(deep.is(Kind::kList));
}

/// `depth` containers of every kind around `inner`.
Value nested_mix(int depth, Value inner) {
  for (int i = 0; i < depth; ++i) {
    switch (i % 4) {
      case 0:
        inner = Value::list({Value::integer(i), std::move(inner)});
        break;
      case 1:
        inner = Value::tuple({std::move(inner)});
        break;
      case 2:
        inner = Value::map({{"a", Value::null()}, {"b", std::move(inner)}});
        break;
      default:
        inner = Value::extension("type", std::move(inner));
    }
  }
  return inner;
}

TEST(ValueTest, ComparesVeryDeepValuesWithoutRecursion) {
  constexpr int kDepth = 1'000'000;
  const Value one = nested_mix(kDepth, Value::integer(1));
  EXPECT_EQ(one, nested_mix(kDepth, Value::integer(1)));
  EXPECT_FALSE(one == nested_mix(kDepth, Value::integer(2)));
  EXPECT_FALSE(one == nested_mix(kDepth - 4, Value::integer(1)));
  // Keys in another order, at every depth around the limit of the recursion.
  for (int depth = 390; depth < 410; ++depth) {
    const auto map = [depth](bool turned, int last) {
      std::vector<MapEntry> entries{{"a", nested_mix(depth, Value::integer(last))},
                                    {"b", nested_mix(depth, Value::text("x"))}};
      if (turned) {
        std::swap(entries[0], entries[1]);
      }
      return Value::map(std::move(entries));
    };
    EXPECT_EQ(map(false, 1), map(true, 1));
    EXPECT_FALSE(map(false, 1) == map(true, 2));
    EXPECT_FALSE(map(false, 1) == map(false, 2));
  }
}

TEST(ValueTest, DestroysVeryDeepMixesWithoutRecursion) {
  EXPECT_TRUE(nested_mix(1'000'000, Value::integer(1)).is(Kind::kExtension));
  // Wide and deep: many branches end on the way.
  Value comb = Value::null();
  for (int i = 0; i < 100'000; ++i) {
    comb = Value::list({nested_list(10), std::move(comb), nested_list(3)});
  }
  comb.reset();
  EXPECT_TRUE(comb.is_absent());
}

TEST(ValueTest, CopiesMayBeDroppedByManyThreads) {
  const Value shared = Value::list({Value::text(std::string(100, 'x')), Value::integer(2)});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([shared] {
      for (int i = 0; i < 10'000; ++i) {
        const Value copy = shared;
        const Value inner = copy.as_list()[0];
      }
    });
  }
  threads.clear();
  EXPECT_EQ(shared.as_list()[1].as_int(), 2);
}

// A host whose only object stands for the integer 7.
class SevenObject final : public HostObject {};

class SevenBridge final : public HostBridge {
 public:
  base::Result<Value> to_native(const HostObject&) const override {
    EXPECT_TRUE(locked_);
    return Value::integer(7);
  }
  std::optional<HostView> view(const HostObject&) const override { return std::nullopt; }
  base::Result<std::vector<Value>> to_elements(const HostObject&) const override {
    return std::vector<Value>{};
  }
  bool is_list_or_tuple(const HostObject&) const override { return false; }
  void lock() const override { locked_ = true; }
  void unlock() const override { locked_ = false; }
  bool is_locked() const override { return locked_; }
  void forget_thread() const override {}
  std::shared_ptr<HostLoop> make_loop(const CancelToken*) const override { return nullptr; }
  base::Status check_signals() const override { return {}; }

 private:
  mutable bool locked_ = false;
};

TEST(ToNativeTest, ConvertsHostObjectsAtAnyDepthUnderTheLock) {
  static const SevenBridge bridge;
  install_host_bridge(&bridge);
  const Value host = Value::host(new SevenObject());
  const Value nested = Value::map(
      {{"a", Value::list({host, Value::tuple({host})})}, {"b", Value::extension("point", host)}});
  const Value seven = Value::integer(7);
  const base::Result<Value> native = to_native(nested);
  ASSERT_TRUE(native.has_value());
  EXPECT_EQ(*native, Value::map({{"a", Value::list({seven, Value::tuple({seven})})},
                                 {"b", Value::extension("point", seven)}}));
  EXPECT_FALSE(bridge.is_locked());
  install_host_bridge(nullptr);
}

TEST(ToNativeTest, FailsWithoutABridge) {
  const base::Result<Value> native = to_native(Value::host(new SevenObject()));
  ASSERT_FALSE(native.has_value());
  EXPECT_EQ(native.error().code(), base::ErrorCode::kFailedPrecondition);
}

TEST(ToNativeTest, RefusesValuesNestedTooDeeply) {
  for (const int depth : {300, 1'000'000}) {
    const base::Result<Value> native = to_native(nested_mix(depth, Value::null()));
    ASSERT_FALSE(native.has_value());
    EXPECT_EQ(native.error().code(), base::ErrorCode::kResourceExhausted);
    EXPECT_THAT(native.error().message(), HasSubstr("limit=256"));
  }
}

// The definition, one code point at a time, as the oracle of the fast version.
bool is_valid_utf8_slowly(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return k < text.size() ? static_cast<unsigned char>(text[k]) : 0;
    };
    const std::uint32_t lead = byte(i);
    const int tails = lead < 0x80       ? 0
                      : lead >> 5 == 6  ? 1
                      : lead >> 4 == 14 ? 2
                      : lead >> 3 == 30 ? 3
                                        : -1;
    if (tails < 0) {
      return false;
    }
    std::uint32_t code = tails == 0 ? lead : lead & (0x3Fu >> tails);
    for (int t = 1; t <= tails; ++t) {
      if (byte(i + static_cast<std::size_t>(t)) >> 6 != 2) {
        return false;
      }
      code = code << 6 | (byte(i + static_cast<std::size_t>(t)) & 0x3F);
    }
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (code < kLeast[tails] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      return false;
    }
    i += static_cast<std::size_t>(tails) + 1;
  }
  return true;
}

TEST(Utf8Test, AgreesWithTheDefinitionOnAllShortSequences) {
  // Every lead byte with every pair of boundary bytes behind it, at several places in a long text.
  const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
  for (const int padding : {0, 1, 7, 31, 33, 64}) {
    for (int lead = 0; lead < 256; ++lead) {
      for (const unsigned char second : edges) {
        for (const unsigned char third : edges) {
          for (const unsigned char fourth : {edges[1], edges[2], edges[8]}) {
            std::string text(static_cast<std::size_t>(padding), 'a');
            text += {static_cast<char>(lead), static_cast<char>(second), static_cast<char>(third),
                     static_cast<char>(fourth)};
            ASSERT_EQ(is_valid_utf8(text), is_valid_utf8_slowly(text))
                << "padding " << padding << " lead " << lead << " second " << int{second}
                << " third " << int{third} << " fourth " << int{fourth};
          }
        }
      }
    }
  }
}

TEST(Utf8Test, RejectsTextCutInsideASequence) {
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x8D"));
  EXPECT_FALSE(is_valid_utf8("\xC3"));
  EXPECT_FALSE(is_valid_utf8("abc\xF0\x9F\x8C"));
}

}  // namespace
}  // namespace penstock::core
