// Encoded tables, damaged at random or made to claim too much: refused, or canonical.
#include <chrono>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/core/table.h"

namespace penstock::core {
namespace {

using testing::HasSubstr;

// Made with penstock.encode([table, n]) from pyarrow tables.
struct Seed {
  const char* what;
  const char* hex;
};
constexpr Seed kSeeds[] = {
    {"ints, text and lists",
     "82a1692470656e73746f636b84657461626c6583a3646e616d6561616474797065616c65666c61677302a364"
     "6e616d6561626474797065617565666c61677302a4646e616d6561636474797065622b6c65666c6167730268"
     "6368696c6472656e81a3646e616d65646974656d6474797065616765666c6167730203894103581801000000"
     "00000000020000000000000000000000000000004105500000000001000000010000000300000043787a7a41"
     "0350000000000100000001000000010000004048000000000000f83f00"},
    {"dictionary and bool",
     "82a1692470656e73746f636b84657461626c6582a4646e616d6561646474797065616965666c616773026a64"
     "696374696f6e617279a3646e616d65606474797065617565666c61677302a3646e616d656165647479706561"
     "6265666c616773020487410b5000000000010000000000000000000000404c00000000010000000200000042"
     "6162410d410901"},
    {"struct and map",
     "82a1692470656e73746f636b84657461626c6582a4646e616d6561736474797065622b7365666c6167730268"
     "6368696c6472656e82a3646e616d6561786474797065616c65666c61677302a3646e616d6561796474797065"
     "617565666c61677302a4646e616d65616d6474797065622b6d65666c61677302686368696c6472656e81a464"
     "6e616d6567656e74726965736474797065622b7365666c61677300686368696c6472656e82a3646e616d6563"
     "6b65796474797065617565666c61677300a3646e616d656576616c75656474797065616965666c6167730202"
     "8e41014101500100000000000000000000000000000041014c000000000100000001000000417141014c0000"
     "000001000000010000004040480000000001000000416b40440100000002"},
    {"fixed-size list, nulls, timestamp",
     "82a1692470656e73746f636b84657461626c6583a4646e616d6561666474797065642b773a3265666c616773"
     "02686368696c6472656e81a3646e616d65646974656d6474797065616365666c61677302a3646e616d65616e"
     "6474797065616e65666c61677302a3646e616d6561746474797065677473753a55544365666c616773020385"
     "41054133460102000003044105581801000000000000000000000000000000030000000000000003"},
    {"views and decimals",
     "82a1692470656e73746f636b84657461626c6582a3646e616d656176647479706562767565666c61677302a3"
     "646e616d656144647479706566643a31302c3265666c61677302038541055820000000000000000005000000"
     "0000000005000000000000001d00000000000000581d73686f72746c6f6e676572207468616e207477656c76"
     "652062797465734105583096000000000000000000000000000000000000000000000000000000000000001f"
     "ffffffffffffffffffffffffffffff04"},
    {"no columns", "82a1692470656e73746f636b84657461626c6580008005"},
    {"empty large types",
     "82a1692470656e73746f636b84657461626c6582a3646e616d65616c6474797065615565666c61677302a464"
     "6e616d65614c6474797065622b4c65666c61677302686368696c6472656e81a3646e616d65646974656d6474"
     "797065616c65666c616773020087404800000000000000004040480000000000000000404006"},
    {"large and fixed-size binary",
     "82a1692470656e73746f636b84657461626c6582a3646e616d65617a6474797065615a65666c61677302a364"
     "6e616d656177647479706563773a3365666c6167730203854103582000000000000000000100000000000000"
     "01000000000000000100000000000000413141054961626300000078797a07"},
};

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    bytes += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  }
  return bytes;
}

TEST(TableEncodingTest, SeedsAreCanonicalAndEveryCutIsRefused) {
  for (const Seed& seed : kSeeds) {
    const std::string bytes = from_hex(seed.hex);
    const base::Result<Value> value = decode(bytes);
    ASSERT_TRUE(value.has_value()) << seed.what << ": " << value.error().message();
    EXPECT_EQ(*encode(*value), bytes) << seed.what;
    EXPECT_TRUE(value->as_list()[0].is(Kind::kTable)) << seed.what;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(decode(std::string_view(bytes).substr(0, size)).has_value()) << seed.what;
    }
  }
}

TEST(TableEncodingTest, TransportKeepsTheTable) {
  for (const Seed& seed : kSeeds) {
    const Value value = *decode(from_hex(seed.hex));
    const base::Result<Message> message = encode_transport(value, 0);
    ASSERT_TRUE(message.has_value()) << seed.what;
    std::vector<std::shared_ptr<const Buffer>> buffers;
    for (const std::span<const std::byte> buffer : message->buffers) {
      buffers.push_back(Buffer::wrap(buffer.data(), static_cast<std::int64_t>(buffer.size()), {}));
    }
    EXPECT_EQ(*decode_transport(message->header, buffers), value) << seed.what;
  }
}

TEST(TableEncodingTest, DamagedTableIsRefusedOrCanonical) {
  std::mt19937_64 random(17);
  const auto below = [&random](std::uint64_t limit) { return random() % limit; };
  std::string bytes[std::size(kSeeds)];
  for (std::size_t i = 0; i < std::size(kSeeds); ++i) {
    bytes[i] = from_hex(kSeeds[i].hex);
  }
  int num_accepted = 0;
  int i = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  for (; i < 100'000 && std::chrono::steady_clock::now() < deadline; ++i) {
    std::string damaged = bytes[below(std::size(kSeeds))];
    for (std::uint64_t k = 1 + below(3); k > 0; --k) {
      const std::size_t at = below(damaged.size());
      switch (below(5)) {
        case 0:
          damaged.insert(at, 1 + below(3), static_cast<char>(random()));
          break;
        case 1:
          damaged.erase(at, below(4));
          break;
        case 2:
          damaged.insert(at, damaged.substr(below(damaged.size()), below(16)));
          break;
        default:
          damaged[at] = static_cast<char>(damaged[at] ^ (1 << below(8)));
      }
    }
    if (const base::Result<Value> value = decode(damaged); value.has_value()) {
      ++num_accepted;
      const base::Result<std::string> again = encode(*value);
      ASSERT_TRUE(again.has_value()) << again.error().message();
      ASSERT_EQ(*again, damaged);
    }
  }
  EXPECT_GT(i, 2'000);
  EXPECT_GT(num_accepted, i / 100);
}

// A table form of the given schema, row count and buffers, written by hand.
std::string form_of(Value schema, std::int64_t num_rows, std::vector<Value> buffers) {
  const Value items = Value::list({Value::text("table"), std::move(schema),
                                   Value::integer(num_rows), Value::list(std::move(buffers))});
  return from_hex("a1692470656e73746f636b") + *encode(items);
}

Value field(const char* type, std::vector<Value> children = {}) {
  std::vector<MapEntry> entries{
      {"name", Value::text("x")}, {"type", Value::text(type)}, {"flags", Value::integer(2)}};
  if (!children.empty()) {
    entries.emplace_back("children", Value::list(std::move(children)));
  }
  return Value::map(std::move(entries));
}

// A hundred bytes that claim 2^34 masked elements took minutes and gigabytes once.
TEST(TableEncodingTest, ClaimsWithoutContentCostNothing) {
  const Value nothing = Value::bytes("");
  const Value bare = field("+s", {field("n")});
  const std::string bombs[] = {
      form_of(Value::list({field("+w:2147483647", {field("n")})}), 8, {Value::bytes("\x7f")}),
      form_of(Value::list({field("+w:2147483647", {bare})}), 8, {Value::bytes("\x7f"), nothing}),
      form_of(Value::list({field("+w:2147483647", {field("+w:1000", {field("n")})})}), 2,
              {Value::bytes("\x01"), nothing}),
  };
  for (const std::string& bomb : bombs) {
    const base::Result<Value> value = decode(bomb);
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().code(), base::ErrorCode::kResourceExhausted);
    EXPECT_THAT(value.error().message(), HasSubstr("wanted at most"));
  }
  // The same few bytes without nulls cost nothing and are a table.
  const base::Result<Value> many =
      decode(form_of(Value::list({field("n"), bare}), std::int64_t{1} << 60, {nothing}));
  ASSERT_TRUE(many.has_value()) << many.error().message();
  EXPECT_EQ(many->as_table()->num_rows(), std::int64_t{1} << 60);
}

}  // namespace
}  // namespace penstock::core
