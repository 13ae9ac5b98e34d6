// What the decoder must refuse, and what random damage must never do.
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/core/random_value.h"

namespace penstock::core {
namespace {

using testing::HasSubstr;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  int digits = 0;
  int value = 0;
  for (const char c : hex) {
    if (c == ' ') {
      continue;
    }
    value = value << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    if (++digits % 2 == 0) {
      bytes += static_cast<char>(value);
      value = 0;
    }
  }
  return bytes;
}

// Expects data loss with `what` in the message.
void expect_refused(std::string_view hex, const char* what) {
  const base::Result<Value> value = decode(from_hex(hex));
  ASSERT_FALSE(value.has_value()) << hex;
  EXPECT_EQ(value.error().code(), base::ErrorCode::kDataLoss) << hex;
  EXPECT_THAT(value.error().message(), HasSubstr(what)) << hex;
  EXPECT_THAT(value.error().message(), HasSubstr("offset=")) << hex;
}

TEST(DecodeTest, RefusesWhatIsNotCanonicalCbor) {
  for (const char* hex : {"1800", "1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3817",
                          "580161", "780161", "980100", "b801 6161 01"}) {
    expect_refused(hex, "shortest form");
  }
  for (const char* hex : {"5f4161ff", "7f6161ff", "9f01ff", "bf616101ff", "ff"}) {
    expect_refused(hex, "indefinite length");
  }
  for (const char* hex : {"1c", "3d", "5e", "fc"}) {
    expect_refused(hex, "reserved additional information");
  }
  expect_refused("f93c00", "float shorter than 64 bits");
  expect_refused("fa3fc00000", "float shorter than 64 bits");
  expect_refused("fb7ff8000000000000", "NaN or infinity");
  expect_refused("fbfff0000000000000", "NaN or infinity");
  for (const char* hex : {"f7", "e0", "f3", "f8ff", "f814"}) {
    expect_refused(hex, "simple value");
  }
}

TEST(DecodeTest, RefusesTagsAndLinksOutsideForms) {
  expect_refused("c11a514b67b0", "tag");
  expect_refused("c249010000000000000000", "tag");
  expect_refused("d82a 5825 0001551e20 " + std::string(64, '0'), "tag");
}

TEST(DecodeTest, RefusesBadKeysAndText) {
  expect_refused("a2 6162 01 6161 02", "not in order");
  expect_refused("a2 626262 01 6161 02", "not in order");
  expect_refused("a2 6161 01 6161 02", "duplicate key");
  expect_refused("a1 01 02", "wanted a text string");
  expect_refused("a1 4161 02", "wanted a text string");
  expect_refused("61ff", "UTF-8");
  expect_refused("62c080", "UTF-8");
  expect_refused("63eda080", "UTF-8");
  expect_refused("a1 61ff 01", "UTF-8");
}

TEST(DecodeTest, RefusesTrailingBytesAndEmptyInput) {
  expect_refused("", "input ends");
  expect_refused("0101", "after the end");
}

TEST(DecodeTest, RefusesLengthsBeyondTheInput) {
  for (const char* hex :
       {"5bffffffffffffffff", "7b7fffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff",
        "9affffffff01", "ba7fffffff616101", "4261", "8201", "a26161"}) {
    expect_refused(hex, "length beyond");
  }
}

TEST(DecodeTest, RefusesNestingBeyondTheLimit) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '\x81') + '\x01';
  };
  EXPECT_TRUE(decode(nested(256)).has_value());
  for (const char* const open : {"\x81", "\xa1\x61x", "\x81\xa1\x61x"}) {
    std::string bytes;
    for (int i = 0; i < 1'000'000; ++i) {
      bytes += open;
    }
    EXPECT_EQ(decode(bytes).error().code(), base::ErrorCode::kDataLoss);
    EXPECT_EQ(decode_transport(bytes, {}).error().code(), base::ErrorCode::kDataLoss);
  }
  const base::Result<Value> deep = decode(nested(257));
  ASSERT_FALSE(deep.has_value());
  EXPECT_THAT(deep.error().message(), HasSubstr("nested too deeply: limit=256"));
  EXPECT_FALSE(decode(nested(1'000'000)).has_value());
  std::string maps;
  for (int i = 0; i < 257; ++i) {
    maps += from_hex("a16161");
  }
  EXPECT_THAT(decode(maps + '\x01').error().message(), HasSubstr("nested too deeply"));
}

TEST(DecodeTest, RefusesBadReservedForms) {
  const std::string head = "a1 69 2470656e73746f636b ";
  expect_refused(head + "f6", "wanted a list");
  expect_refused(head + "80", "without a name");
  expect_refused(head + "8101", "wanted a text string");
  expect_refused(head + "81 63666f6f", "unknown reserved form: form=foo");
  expect_refused(head + "81 65666c6f6174", "wrong number of items: form=float wanted=2 seen=1");
  expect_refused(head + "82 65666c6f6174 483ff8000000000000", "finite");
  expect_refused(head + "82 65666c6f6174 447fc00000", "8 bytes");
  expect_refused(head + "83 63696e74 01 48ffffffffffffffff", "shorter form");
  expect_refused(head + "83 63696e74 01 4a00010000000000000000", "shorter form");
  expect_refused(head + "83 63696e74 20 49010000000000000000", "shorter form");
  expect_refused(head + "83 63696e74 02 49010000000000000000", "sign");
  expect_refused(head + "82 636d6170 81 826161f6", "without the reserved key");
  expect_refused(head + "82 636d6170 81 81692470656e73746f636b", "wrong length");
  expect_refused(head + "84 6674656e736f72 6675696e743136 8102 43010203", "buffer size");
  expect_refused(head + "84 6674656e736f72 6675696e743137 8102 4401020304", "unknown dtype");
  expect_refused(head + "84 6674656e736f72 6675696e743136 8121 4401020304", "unsigned");
  expect_refused(head + "84 6674656e736f72 6675696e743136 811bffffffffffffffff 40", "63 bits");
  expect_refused(head + "83 66627566666572 00 1864", "unknown reserved form: form=buffer");
  expect_refused("a2 6161 f6 692470656e73746f636b f6", "not escaped");
  expect_refused(head + "83 656279746573 19ffff 80", "number of links");
  expect_refused(head + "83 656279746573 1bffffffffffffffff 80", "number of links");
  expect_refused("5a00010001" + std::string(2 * 65'537, '0'), "wanted links");
}

TEST(DecodeTest, RefusesForeignLinks) {
  const std::string head = "a1 69 2470656e73746f636b 83 656279746573 1a00010001 81 ";
  const BlockSource source = [](const Digest&) -> base::Result<std::shared_ptr<const Buffer>> {
    return Buffer::allocate(5);
  };
  const auto message_of = [&](const std::string& hex) {
    const base::Result<Value> value = decode(from_hex(head + hex), source);
    return value.has_value() ? "accepted" : value.error().message();
  };
  const std::string zeros(64, '0');
  EXPECT_THAT(message_of("d82b 5825 0001551e20" + zeros), HasSubstr("tag other than 42"));
  EXPECT_THAT(message_of("d82a 5825 0101551e20" + zeros), HasSubstr("raw block"));
  EXPECT_THAT(message_of("d82a 5825 0001711e20" + zeros), HasSubstr("raw block"));
  EXPECT_THAT(message_of("d82a 5825 0001551220" + zeros), HasSubstr("raw block"));
  EXPECT_THAT(message_of("d82a 5825 0001551e20" + zeros), HasSubstr("wrong size: size=5"));
}

TEST(DecodeTest, RefusesEveryCutOfAValidEncoding) {
  RandomValues random(3);
  int num_cuts = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string bytes = *encode(random.next());
    const std::size_t step = bytes.size() < 2000 ? 1 : 997;
    for (std::size_t size = 0; size < bytes.size(); size += step) {
      ASSERT_FALSE(decode(std::string_view(bytes).substr(0, size)).has_value()) << i << ' ' << size;
      ++num_cuts;
    }
  }
  EXPECT_GT(num_cuts, 3000);
}

TEST(DecodeTest, TransportRefusesDuplicateKeysInAnyOrder) {
  EXPECT_TRUE(decode_transport(from_hex("a2 6162 01 6161 02"), {}).has_value());
  EXPECT_FALSE(decode_transport(from_hex("a2 6162 01 6162 02"), {}).has_value());
  std::string many("\xAA");
  for (const char key : std::string("jihgfedcbj")) {
    many += {'\x61', key, '\x01'};
  }
  const base::Result<Value> value = decode_transport(many, {});
  ASSERT_FALSE(value.has_value());
  EXPECT_THAT(value.error().message(), HasSubstr("duplicate key"));
}

// Damages valid encodings at random. Whatever is still accepted must be canonical: it encodes to
// the very bytes it came from.
TEST(DecodeTest, DamagedInputIsRefusedOrCanonical) {
  RandomValues random(11);
  std::string bytes;
  int num_accepted = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  int i = 0;
  for (; i < 200'000 && std::chrono::steady_clock::now() < deadline; ++i) {
    if (i % 20 == 0) {
      do {
        bytes = *encode(random.next(4));
      } while (bytes.size() > 5000);
    }
    std::string damaged = bytes;
    for (std::uint64_t k = 1 + random.below(3); k > 0; --k) {
      const std::size_t at = random.below(damaged.size() + 1);
      switch (random.below(4)) {
        case 0:
          damaged.insert(at, random.bytes(4));
          break;
        case 1:
          damaged.erase(std::min(at, damaged.size()), random.below(4));
          break;
        case 2:
          damaged.insert(at, damaged.substr(random.below(damaged.size() + 1), random.below(12)));
          break;
        default:
          if (at < damaged.size()) {
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
          }
      }
    }
    const base::Result<Value> value = decode(damaged);
    if (value.has_value()) {
      ++num_accepted;
      ASSERT_EQ(*encode(*value), damaged);
    }
    (void)decode_transport(damaged, {});
  }
  EXPECT_GT(i, 10'000);
  EXPECT_GT(num_accepted, i / 100);  // otherwise the damage is too heavy to test much
}

}  // namespace
}  // namespace penstock::core
