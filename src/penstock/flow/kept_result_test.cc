// Kept results: what is written is read back, and a damaged file is never another value.
#include "penstock/flow/kept_result.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/random_value.h"
#include "penstock/core/table.h"
#include "penstock/core/table_layout.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using core::Value;
using ::testing::HasSubstr;

class KeptResultTest : public ::testing::Test {
 protected:
  KeptResultTest() {
    std::string name = (fs::temp_directory_path() / "penstock-kept-XXXXXX").string();
    PENSTOCK_CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~KeptResultTest() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "result").string(); }

  void write(const std::vector<Value>& outputs, const KeptFacts& facts = {}) const {
    fs::remove(path());
    const auto bytes = KeptResultBytes::encode(facts, outputs);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().to_string();
    ASSERT_TRUE(bytes->write(path()).has_value());
    EXPECT_EQ(bytes->size_bytes(), static_cast<std::int64_t>(fs::file_size(path())));
  }

  std::string read_file() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void write_file(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes;
  }

  fs::path folder_;
};

/// Equal with the order of maps, which a value's digest does not see.
void expect_same(const Value& seen, const Value& wanted) {
  ASSERT_EQ(seen.kind(), wanted.kind());
  if (wanted.is_absent()) {
    return;
  }
  EXPECT_EQ(*core::digest(seen), *core::digest(wanted));
  const auto a = core::encode_transport(seen, std::int64_t{1} << 62);
  const auto b = core::encode_transport(wanted, std::int64_t{1} << 62);
  ASSERT_TRUE(a.has_value() && b.has_value());
  if (!wanted.is(core::Kind::kTable)) {  // whose chunks may lie elsewhere
    EXPECT_EQ(a->header, b->header);
  }
}

struct Held {
  std::vector<std::int64_t> numbers;
  const void* column_buffers[2] = {nullptr, nullptr};
  const void* root_buffers[1] = {nullptr};
  ArrowArray column{};
  ArrowArray* children[1] = {nullptr};
};

/// One column "x" of `count` numbers.
Value table_of(std::int64_t count) {
  auto* held = new Held;
  for (std::int64_t i = 0; i < count; ++i) {
    held->numbers.push_back(i * 7919 % 1'000'003);
  }
  held->column_buffers[1] = held->numbers.data();
  held->column = {.length = count,
                  .null_count = 0,
                  .n_buffers = 2,
                  .buffers = held->column_buffers,
                  .release = [](ArrowArray* array) { array->release = nullptr; }};
  held->children[0] = &held->column;
  const ArrowArray root{.length = count,
                        .null_count = 0,
                        .n_buffers = 1,
                        .n_children = 1,
                        .buffers = held->root_buffers,
                        .children = held->children,
                        .release =
                            [](ArrowArray* array) {
                              delete static_cast<Held*>(array->private_data);
                              array->release = nullptr;
                            },
                        .private_data = held};
  std::vector<ArrowSchema> columns;
  columns.push_back(core::make_schema("l", "x", 0, {}, nullptr));
  ArrowSchema schema = core::make_schema("+s", "", 0, std::move(columns), nullptr);
  auto table = core::Table::create(&schema, {root});
  PENSTOCK_CHECK(table.has_value());
  return Value::table(std::move(*table));
}

TEST_F(KeptResultTest, GivesBackRandomValues) {
  core::RandomValues random(20);
  for (int round = 0; round < 400; ++round) {
    std::vector<Value> outputs;
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      outputs.push_back(random.below(5) == 0 ? Value() : random.next());
    }
    write(outputs);
    const auto kept = KeptResult::open(path());
    ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
    ASSERT_EQ((*kept)->num_outputs(), outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ((*kept)->is_absent(i), outputs[i].is_absent());
      const auto value = (*kept)->load(i);
      ASSERT_TRUE(value.has_value()) << value.error().to_string();
      expect_same(*value, outputs[i]);
      if (!outputs[i].is_absent()) {
        EXPECT_EQ((*kept)->digest(i), *core::digest(outputs[i]));
      }
    }
  }
}

TEST_F(KeptResultTest, GivesBackLongBuffersWhereTheyLie) {
  const Value table = table_of(50'000);
  const Value text = Value::bytes(std::string(300'001, 'q'));
  const auto buffer = core::Buffer::allocate(80'000);
  std::memset(buffer->mutable_data(), 3, 80'000);
  const Value tensor =
      Value::tensor(*core::Tensor::create_contiguous(core::DType::kFloat64, {100, 100}, buffer));
  write({table, Value(), Value::list({text, tensor}), text});
  auto kept = KeptResult::open(path());
  ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
  const auto first = (*kept)->load(0), third = (*kept)->load(2), last = (*kept)->load(3);
  ASSERT_TRUE(first.has_value() && third.has_value() && last.has_value());
  *kept = nullptr;     // the values hold what they need
  fs::remove(path());  // also when the file goes
  expect_same(*first, table);
  expect_same(third->as_list()[0], text);
  expect_same(third->as_list()[1], tensor);
  expect_same(*last, text);
  const std::byte* const data = third->as_list()[1].as_tensor()->data();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U) << "copied, or not aligned";
}

TEST_F(KeptResultTest, KeepsTheOrderOfMaps) {
  const Value value = Value::map(
      {{"z", Value::integer(1)}, {"a", Value::map({{"y", Value::null()}, {"b", Value::null()}})}});
  write({value});
  const auto back = (*KeptResult::open(path()))->load(0);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->as_map()[0].first, "z");
  EXPECT_EQ(back->as_map()[1].second.as_map()[0].first, "y");
}

TEST_F(KeptResultTest, TellsOfItself) {
  const KeptFacts facts{.node = "sum",
                        .type = "mine.sum",
                        .made_us = 1'700'000'000'000'000,
                        .took_ns = 42,
                        .parts = {{"code", "ab"}, {"input a", std::string(200'000, 'x')}}};
  write({Value::integer(1)}, facts);
  const auto kept = KeptResult::open(path());
  ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
  EXPECT_EQ((*kept)->facts().node, "sum");
  EXPECT_EQ((*kept)->facts().type, "mine.sum");
  EXPECT_EQ((*kept)->facts().made_us, 1'700'000'000'000'000);
  EXPECT_EQ((*kept)->facts().took_ns, 42);
  EXPECT_EQ((*kept)->facts().parts, facts.parts);
}

TEST_F(KeptResultTest, RefusesWhatCannotBeEncoded) {
  Value deep = Value::null();
  for (int i = 0; i < 300; ++i) {
    deep = Value::list({deep});
  }
  const std::vector<Value> outputs{deep};
  EXPECT_EQ(KeptResultBytes::encode({}, outputs).error().code(), ErrorCode::kResourceExhausted);
}

TEST_F(KeptResultTest, SaysThatAFileIsNotThere) {
  EXPECT_EQ(KeptResult::open(path()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(KeptResult::open(folder_.string()).error().code(), ErrorCode::kUnavailable);
}

// ---- damaged files

class DamagedResultTest : public KeptResultTest {
 protected:
  void SetUp() override {
    core::RandomValues random(7);
    outputs_ = {random.next(), Value(), Value::bytes(std::string(4'100, 'd')), table_of(540)};
    write(outputs_, {.node = "n", .type = "t", .made_us = 1, .took_ns = 2, .parts = {{"a", "b"}}});
    whole_ = read_file();
  }

  /// Either no result, or the very one. True when it was refused.
  bool is_refused_or_equal(const std::string& bytes) const {
    write_file(bytes);
    const auto kept = KeptResult::open(path());
    if (!kept.has_value()) {
      EXPECT_EQ(kept.error().code(), ErrorCode::kDataLoss) << kept.error().to_string();
      return true;
    }
    EXPECT_EQ((*kept)->num_outputs(), outputs_.size());
    bool refused = false;
    for (std::size_t i = 0; i < std::min(outputs_.size(), (*kept)->num_outputs()); ++i) {
      const auto value = (*kept)->load(i);
      if (value.has_value()) {
        expect_same(*value, outputs_[i]);
      } else {
        EXPECT_EQ(value.error().code(), ErrorCode::kDataLoss) << value.error().to_string();
        refused = true;
      }
    }
    return refused;
  }

  /// Every byte of the head counts, buffers are all alike.
  static std::size_t step(std::size_t at) { return at < 1'500 ? 1 : 17; }

  std::vector<Value> outputs_;
  std::string whole_;
};

TEST_F(DamagedResultTest, AFlippedByteIsRefusedUnlessItIsPadding) {
  std::size_t num_unnoticed = 0;
  for (std::size_t at = 0; at < whole_.size() && !HasFailure(); at += step(at)) {
    std::string bytes = whole_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    num_unnoticed += is_refused_or_equal(bytes) ? 0 : 1;
  }
  // After the head and between the buffers, up to 63 bytes each.
  EXPECT_LE(num_unnoticed, 4U * 63U);
}

TEST_F(DamagedResultTest, AnyLengthButTheWholeIsRefused) {
  std::size_t last_used = 0;  // what follows the last byte of a buffer does not count
  for (std::size_t size = 0; size < whole_.size() && !HasFailure(); size += step(size)) {
    if (!is_refused_or_equal(whole_.substr(0, size))) {
      last_used = last_used == 0 ? size : last_used;
    }
  }
  EXPECT_EQ(last_used, 0U);
}

TEST_F(DamagedResultTest, RandomDamageIsRefusedOrEqual) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 1'500 && !HasFailure(); ++round) {
    std::string bytes = whole_;
    const std::size_t at = random() % bytes.size();
    const std::size_t length = std::min<std::size_t>(1 + random() % 64, bytes.size() - at);
    switch (random() % 4) {
      case 0:
        bytes.erase(at, length);
        break;
      case 1:
        bytes.insert(at, length, static_cast<char>(random()));
        break;
      case 2:  // a hole, as a crash leaves it
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
        break;
      default:
        std::generate_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length,
                        [&random] { return static_cast<char>(random()); });
    }
    (void)is_refused_or_equal(bytes);
  }
}

TEST_F(DamagedResultTest, AHeadOfAnotherFormIsRefused) {
  // A digest that fits what no KeptResultBytes writes: it is checked all the same.
  const std::vector<Value> heads{
      Value::integer(3),
      Value::map({{"outputs", Value::list({Value::integer(1)})}}),
      Value::map({{"outputs", Value::list({Value::map({{"digest", Value::bytes("ab")}})})}}),
      Value::map({{"parts", Value::list({Value::list({Value::text("a")})})}}),
      Value::map({{"outputs", Value::list({Value::map(
                                  {{"digest", Value::bytes(std::string(32, 'a'))},
                                   {"header", Value::bytes("x")},
                                   {"buffers", Value::list({Value::list(
                                                   {Value::integer(std::int64_t{1} << 62),
                                                    Value::integer(std::int64_t{1} << 62),
                                                    Value::bytes(std::string(32, 'a'))})})}})})}}),
  };
  for (const Value& head : heads) {
    const auto encoded = core::encode_transport(head);
    ASSERT_TRUE(encoded.has_value());
    std::string bytes = whole_.substr(0, 8);
    const core::Digest sum = core::hash_bytes(encoded->header);
    bytes.append(reinterpret_cast<const char*>(sum.bytes.data()), sum.bytes.size());
    const std::uint64_t size = encoded->header.size();
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += encoded->header;
    bytes.resize((bytes.size() + 63) / 64 * 64);
    write_file(bytes);
    const auto kept = KeptResult::open(path());
    const auto error = kept.has_value() ? (*kept)->num_outputs() == 0
                                              ? base::Error(ErrorCode::kInternal, "accepted")
                                              : (*kept)->load(0).error()
                                        : kept.error();
    EXPECT_EQ(error.code(), ErrorCode::kDataLoss) << error.to_string();
  }
}

}  // namespace
}  // namespace penstock::flow
