// Encoding, digests and CIDs: known vectors, round trips of random values.
//
// The vectors were made with other people's software: the bytes with PyPI dag-cbor 0.3.3 (and
// libipld 3.5.0, which agrees), the digests with PyPI blake3 1.0.11, the CIDs with PyPI
// multiformats 0.3.1.
#include "penstock/core/identity.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/hash.h"
#include "penstock/core/random_value.h"

namespace penstock::core {
namespace {

using testing::HasSubstr;

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += kDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

std::string encoded(const Value& value) {
  const base::Result<std::string> bytes = encode(value);
  EXPECT_TRUE(bytes.has_value()) << bytes.error().message();
  return bytes.value_or("");
}

Value unsigned_value(std::uint64_t value) {
  std::string magnitude;
  for (int shift = 56; shift >= 0; shift -= 8) {
    magnitude += static_cast<char>(value >> shift);
  }
  return Value::big_integer(false, magnitude);
}

// 1,179,648 bytes: one full raw block and a short one.
std::shared_ptr<Buffer> counting_bytes() {
  const std::shared_ptr<Buffer> buffer = Buffer::allocate(256 * 512 * 9);
  for (std::int64_t i = 0; i < buffer->size_bytes(); ++i) {
    buffer->mutable_data()[i] = static_cast<std::byte>(i & 255);
  }
  return buffer;
}

struct Vector {
  const char* hex;
  const char* cid;
  Value value;
};

std::vector<Vector> vectors() {
  const auto i = [](std::int64_t value) { return Value::integer(value); };
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  return {
      {"a0", "bafyr4ia7stf7ge5tzyrsk6tskhva7sk2erkw5jqr4t4pi5pfjglrxlw3ai", Value::map({})},
      {"f6", "bafyr4idbvg7rb4h75xd5y52ytlrkwtfibmagzadomy3oig3aiegnr4f3yq", Value::null()},
      {"a56269641a075bcd15626f6bf5627473fb41d954fc4010000064746167738261616162647573657265616c6963"
       "65",
       "bafyr4ihcvu6dze7a3l6w6rclm6pw6oeav2q2nvzyyvjn5f4zbhxfurxaoi",
       Value::map({{"id", i(123456789)},
                   {"ts", Value::real(1700000000.25)},
                   {"user", Value::text("alice")},
                   {"ok", Value::boolean(true)},
                   {"tags", Value::list({Value::text("a"), Value::text("b")})}})},
      {"a5614205616102616303626262016361616104",
       "bafyr4ig74anw7t5kuxla23r37fu2nmuo6klx6ythdn4352w25mkolh6leq",
       Value::map({{"bb", i(1)}, {"a", i(2)}, {"c", i(3)}, {"aaa", i(4)}, {"B", i(5)}})},
      {"940017181818ff19010019ffff1a000100001affffffff1b00000001000000001b7fffffffffffffff1b800000"
       "00000000001bffffffffffffffff2037381838ff3901003b7fffffffffffffff3b80000000000000003bffffff"
       "ffffffffff",
       "bafyr4igi34bpm54cn6nenj4nm6ldwojyrew6qssfilupkrkxdshzjuflmu",
       Value::list({i(0),
                    i(23),
                    i(24),
                    i(255),
                    i(256),
                    i(65535),
                    i(65536),
                    i(4294967295),
                    i(4294967296),
                    i(std::numeric_limits<std::int64_t>::max()),
                    unsigned_value(1ULL << 63),
                    unsigned_value(~0ULL),
                    i(-1),
                    i(-24),
                    i(-25),
                    i(-256),
                    i(-257),
                    i(kMin),
                    Value::big_integer(true, std::string("\x80\0\0\0\0\0\0\x01", 8)),
                    Value::big_integer(true, std::string("\x01\0\0\0\0\0\0\0\0", 9))})},
      {"85fb0000000000000000fb8000000000000000fb3ff8000000000000fb7e37e43c8800759cfb00000000000000"
       "01",
       "bafyr4id5euqzgeog5jk576umjadelyjomuuxb3mglhgwawcweugcqbbxgu",
       Value::list({Value::real(0.0), Value::real(-0.0), Value::real(1.5), Value::real(1e300),
                    Value::real(5e-324)})},
      {"6b6772c3bcc39f20f09f8c8d", "bafyr4ia55ypeyigwmenxlm2j4ffrbft2ey3iabpae72uwqwp6zanoagio4",
       Value::text("gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x8D")},
      {"4200ff", "bafyr4igmympftupvfdb72bzqkasg4thsulj2oxqmmqo5ru6db4vdvgmz3m",
       Value::bytes(std::string("\0\xff", 2))},
  };
}

TEST(EncodeTest, AgreesWithOtherImplementations) {
  for (const Vector& vector : vectors()) {
    EXPECT_EQ(to_hex(encoded(vector.value)), vector.hex);
    EXPECT_EQ(cid(vector.value)->to_string(), vector.cid);
    EXPECT_EQ(*decode(encoded(vector.value)), vector.value);
  }
}

TEST(EncodeTest, WritesReservedForms) {
  const std::string head =
      "a16924"
      "70656e73746f636b";  // {"$penstock": ...
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(to_hex(encoded(Value::real(infinity))), head +
                                                        "82"
                                                        "65666c6f6174"
                                                        "487ff0000000000000");
  EXPECT_EQ(to_hex(encoded(Value::tuple({Value::integer(1)}))), head +
                                                                    "82"
                                                                    "657475706c65"
                                                                    "8101");
  EXPECT_EQ(to_hex(encoded(Value::big_integer(true, std::string("\1\0\0\0\0\0\0\0\1", 9)))),
            head +
                "83"
                "63696e74"
                "20"
                "49010000000000000001");
  EXPECT_EQ(to_hex(encoded(Value::map({{"$penstock", Value::null()}, {"a", Value::null()}}))),
            head +
                "82"
                "636d6170"
                "82"
                "826161f6"
                "826924"
                "70656e73746f636b"
                "f6");
  EXPECT_EQ(to_hex(encoded(Value::extension("point", Value::integer(3)))), head +
                                                                               "83"
                                                                               "63657874"
                                                                               "65706f696e74"
                                                                               "03");
  const std::shared_ptr<Buffer> two = Buffer::allocate(4);
  std::memcpy(two->mutable_data(), "\1\2\3\4", 4);
  EXPECT_EQ(to_hex(encoded(Value::tensor(*Tensor::create_contiguous(DType::kUInt16, {2}, two)))),
            head +
                "84"
                "6674656e736f72"
                "6675696e743136"
                "8102"
                "4401020304");
}

TEST(EncodeTest, LinksLongBuffers) {
  const std::shared_ptr<Buffer> data = counting_bytes();
  const Value value = Value::bytes(std::string(reinterpret_cast<const char*>(data->data()),
                                               static_cast<std::size_t>(data->size_bytes())));
  std::map<std::string, std::string> blocks;
  const auto sink = [&](const Digest& digest, std::span<const std::byte> block) -> base::Status {
    blocks[digest.to_hex()].assign(reinterpret_cast<const char*>(block.data()), block.size());
    return {};
  };
  const base::Result<std::string> root = encode(value, sink);
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(cid(value)->to_string(), "bafyr4igeg2x27qw5lu7sdreq34nwf66pljyss4vqxfql6ox5ulyoukfoby");
  EXPECT_EQ(hash_bytes(*root), *digest(value));
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks.count("64479cf7293960210547db8d982359e0c4ce054525ed7086cf93030828fc0533"), 1u);
  EXPECT_EQ(blocks.count("24e9cbe9f25292cd57991ccab25ccbfcd965456b59098d3c3f7ff68db31ab941"), 1u);

  const BlockSource source =
      [&](const Digest& digest) -> base::Result<std::shared_ptr<const Buffer>> {
    const std::string& block = blocks.at(digest.to_hex());
    return Buffer::wrap(block.data(), static_cast<std::int64_t>(block.size()), {});
  };
  const base::Result<Value> back = decode(*root, source);
  ASSERT_TRUE(back.has_value()) << back.error().message();
  EXPECT_EQ(*back, value);

  const base::Result<Value> without = decode(*root);
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().code(), base::ErrorCode::kFailedPrecondition);
}

TEST(EncodeTest, DigestDoesNotDependOnStridesOrThreads) {
  const std::shared_ptr<Buffer> data = counting_bytes();
  const std::int64_t side = 384;  // 384 * 384 * 8 = 1,179,648
  const auto plain = Tensor::create(DType::kInt64, {side, side}, {side * 8, 8}, data);
  const auto turned = Tensor::create(DType::kInt64, {side, side}, {8, side * 8}, data);
  const Value packed_turned = Value::tensor((*turned)->contiguous());
  EXPECT_EQ(*digest(Value::tensor(*turned)), *digest(packed_turned));
  EXPECT_FALSE(*digest(Value::tensor(*turned)) == *digest(Value::tensor(*plain)));
  for (const int num_threads : {1, 2, 4}) {
    EXPECT_EQ(*digest(Value::tensor(*plain), num_threads), *digest(Value::tensor(*plain), 1));
  }
}

TEST(EncodeTest, RefusesABroadcastBeyondAllMemory) {
  const std::int64_t side = std::int64_t{1} << 27;
  const auto tensor = Tensor::create(DType::kInt64, {side, side}, {0, 0}, counting_bytes());
  ASSERT_TRUE(tensor.has_value());
  const base::Result<std::string> root = encode(Value::tensor(*tensor));
  ASSERT_FALSE(root.has_value());
  EXPECT_EQ(root.error().code(), base::ErrorCode::kResourceExhausted);
}

TEST(EncodeTest, StopsWhenTheSinkFails) {
  const Value value = Value::bytes(std::string(100'000, 'x'));
  const base::Result<std::string> root =
      encode(value, [](const Digest&, std::span<const std::byte>) -> base::Status {
        return base::fail(base::ErrorCode::kResourceExhausted, "disk full");
      });
  ASSERT_FALSE(root.has_value());
  EXPECT_EQ(root.error().message(), "disk full");
}

TEST(EncodeTest, RefusesAbsentAndTooDeep) {
  const base::Result<std::string> absent = encode(Value::list({Value()}));
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code(), base::ErrorCode::kInvalidArgument);
  Value deep = Value::integer(1);
  for (int i = 0; i < kMaxDepth; ++i) {
    deep = i % 2 == 0 ? Value::list({deep}) : Value::tuple({deep});
  }
  EXPECT_EQ(*decode(encoded(deep)), deep);
  const base::Result<std::string> deeper = encode(Value::map({{"x", deep}}));
  ASSERT_FALSE(deeper.has_value());
  EXPECT_EQ(deeper.error().code(), base::ErrorCode::kResourceExhausted);
  for (int i = 0; i < 1'000'000; ++i) {
    deep = i % 2 == 0 ? Value::extension("x", deep) : Value::map({{"x", deep}});
  }
  EXPECT_EQ(encode(deep).error().code(), base::ErrorCode::kResourceExhausted);
  EXPECT_EQ(encode_transport(deep).error().code(), base::ErrorCode::kResourceExhausted);
  EXPECT_EQ(digest(deep).error().code(), base::ErrorCode::kResourceExhausted);
}

TEST(EncodeTest, RandomValuesRoundTripAndDigestIgnoresMapOrder) {
  RandomValues random(7);
  std::map<std::string, std::shared_ptr<const Buffer>> blocks;
  const auto sink = [&](const Digest& digest, std::span<const std::byte> block) -> base::Status {
    const auto copy = Buffer::allocate(static_cast<std::int64_t>(block.size()));
    std::memcpy(copy->mutable_data(), block.data(), block.size());
    blocks[digest.to_hex()] = copy;
    return {};
  };
  const BlockSource source =
      [&](const Digest& digest) -> base::Result<std::shared_ptr<const Buffer>> {
    return blocks.at(digest.to_hex());
  };
  for (int i = 0; i < 20'000; ++i) {
    const Value value = random.next();
    const base::Result<std::string> bytes = encode(value, sink);
    ASSERT_TRUE(bytes.has_value()) << i;
    const base::Result<Value> back = decode(*bytes, source);
    ASSERT_TRUE(back.has_value()) << i << ' ' << back.error().message();
    ASSERT_TRUE(*back == value) << i;
    ASSERT_EQ(*encode(*back), *bytes) << i;  // the decoded maps are in canonical order
  }
}

TEST(TransportTest, RandomValuesRoundTripInOrder) {
  RandomValues random(8);
  for (int i = 0; i < 20'000; ++i) {
    const Value value = random.next();
    const auto threshold = static_cast<std::int64_t>(random.below(40));
    const base::Result<Message> message = encode_transport(value, threshold);
    ASSERT_TRUE(message.has_value());
    ASSERT_EQ(message->owners.size(), message->buffers.size());
    std::vector<std::shared_ptr<const Buffer>> buffers;
    for (const std::span<const std::byte> buffer : message->buffers) {
      buffers.push_back(Buffer::wrap(buffer.data(), static_cast<std::int64_t>(buffer.size()), {}));
    }
    const base::Result<Value> back = decode_transport(message->header, buffers);
    ASSERT_TRUE(back.has_value()) << i << ' ' << back.error().message();
    ASSERT_TRUE(*back == value) << i;
    ASSERT_EQ(encode_transport(*back, threshold)->header, message->header) << i;
  }
}

TEST(TransportTest, LargeTensorIsNotCopiedOnEitherSide) {
  const std::shared_ptr<Buffer> data = counting_bytes();
  const Value value =
      Value::tensor(*Tensor::create_contiguous(DType::kUInt8, {data->size_bytes()}, data));
  const base::Result<Message> message = encode_transport(value);
  ASSERT_TRUE(message.has_value());
  ASSERT_EQ(message->buffers.size(), 1u);
  EXPECT_EQ(message->buffers[0].data(), data->data());
  EXPECT_LT(message->header.size(), 100u);
  const std::shared_ptr<const Buffer> received[] = {data};
  const base::Result<Value> back = decode_transport(message->header, received);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->as_tensor()->data(), data->data());

  const base::Result<Value> missing = decode_transport(message->header, {});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), base::ErrorCode::kDataLoss);
  EXPECT_THAT(missing.error().message(), HasSubstr("num_buffers=0"));
  EXPECT_FALSE(decode(message->header).has_value());
}

TEST(DigestTest, KnownHashAndHexRoundTrip) {
  const Digest empty = hash_bytes("");
  EXPECT_EQ(empty.to_hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(*Digest::from_hex(empty.to_hex()), empty);
  EXPECT_FALSE(Digest::from_hex("af13").has_value());
  EXPECT_FALSE(Digest::from_hex(std::string(64, 'G')).has_value());
}

TEST(CidTest, TextRoundTripsAndRejectsDamage) {
  const Cid raw{Codec::kRaw, hash_bytes("hello penstock")};
  const std::string text = raw.to_string();
  EXPECT_EQ(text, "bafkr4ign7wjz2fjrhf2jtpdv3mbyzhukmlj4ihz6timzrmxi635q4kryya");
  EXPECT_EQ(*Cid::parse(text), raw);
  const std::string damaged[] = {"",
                                 text.substr(1),
                                 text.substr(0, text.size() - 1),
                                 text + "a",
                                 "B" + text.substr(1),
                                 "b" + std::string("B") + text.substr(2),
                                 text.substr(0, text.size() - 1) + "b",
                                 "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"};
  for (const std::string& bad : damaged) {
    const base::Result<Cid> cid = Cid::parse(bad);
    ASSERT_FALSE(cid.has_value()) << bad;
    EXPECT_EQ(cid.error().code(), base::ErrorCode::kInvalidArgument);
  }
}

TEST(HashTest, StartsNoMoreThreadsThanThereAreCores) {
  const std::vector<std::byte> byte(1);
  const std::vector<std::span<const std::byte>> blocks(64, byte);
  std::vector<Digest> digests(blocks.size());
  hash_blocks(blocks, digests, 64);
  for (const Digest& digest : digests) {
    EXPECT_EQ(digest, hash_bytes(byte));
  }
  const std::filesystem::directory_iterator tasks("/proc/self/task"), end;
  EXPECT_LE(std::distance(tasks, end), std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace penstock::core
