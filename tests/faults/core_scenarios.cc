// Values, their bytes and the block stores.
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sweep.h"

#include "penstock/core/block_store.h"
#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::faults {
namespace {

using core::Value;

/// A packed tensor of `size` bytes with different ones in it.
std::shared_ptr<core::Buffer> buffer_of(std::int64_t size) {
  std::shared_ptr<core::Buffer> buffer = core::Buffer::allocate(size);
  for (std::int64_t i = 0; i < size; ++i) {
    buffer->mutable_data()[i] = static_cast<std::byte>(i * 31 % 251);
  }
  return buffer;
}

Value tensor_of(std::int64_t elements) {
  return Value::tensor(
      *core::Tensor::create_contiguous(core::DType::kFloat32, {elements}, buffer_of(elements * 4)));
}

/// Every second element of a longer one: is packed when it is written.
Value strided_tensor() {
  return Value::tensor(
      *core::Tensor::create(core::DType::kInt16, {40, 5}, {20, 4}, buffer_of(40 * 20)));
}

Value nested() {
  std::vector<core::MapEntry> deep{{"leaf", Value::real(0.25)}};
  for (int i = 0; i < 20; ++i) {
    Value inner = Value::list({Value::map(std::move(deep)), Value::integer(i), Value::text("x")});
    deep = {};
    deep.emplace_back("b", std::move(inner));
    deep.emplace_back("a long key that is not in the string itself", Value::null());
  }
  deep.emplace_back("bytes", Value::bytes(std::string(300, 'b')));
  deep.emplace_back("tensor", tensor_of(100));
  deep.emplace_back("strided", strided_tensor());
  deep.emplace_back("nan", Value::real(__builtin_nan("")));
  return Value::map(std::move(deep));
}

Scenario encode(std::string name, Value (*make)()) {
  return {.name = std::move(name), .set_up = [make](const std::string&) {
            return stage_of([value = make()] {
              return answer(core::encode(value), [](const std::string& bytes) { return bytes; });
            });
          }};
}

/// Decodes, and encodes what came out to compare it.
Scenario decode(std::string name, Value (*make)()) {
  return {.name = std::move(name), .set_up = [make](const std::string&) {
            return stage_of([bytes = *core::encode(make())] {
              return answer(core::decode(bytes),
                            [](const Value& value) { return *core::encode(value); });
            });
          }};
}

Value large() {
  return tensor_of(1 << 20);  // four linked blocks: hashed by two threads
}

Scenario digest() {
  return {.name = "core/digest-of-blocks",
          .set_up =
              [](const std::string&) {
                return stage_of([value = large()] {
                  return answer(core::digest(value),
                                [](const core::Digest& digest) { return digest.to_hex(); });
                });
              },
          .is_concurrent = true};
}

Scenario transport() {
  return {.name = "core/transport", .set_up = [](const std::string&) {
            return stage_of([value = nested()]() -> Answer {
              auto message = core::encode_transport(value, 100);
              if (!message.has_value()) {
                return answer(message, [](const auto&) { return std::string(); });
              }
              return answer(core::decode_transport(message->header, message->owners),
                            [](const Value& read) { return *core::encode(read); });
            });
          }};
}

/// Puts a value and gets it again.
Answer through(core::BlockStore& store, const Value& value) {
  const auto cid = core::put_value(store, value);
  if (!cid.has_value()) {
    return answer(cid, [](const core::Cid&) { return std::string(); });
  }
  return answer(core::get_value(store, *cid), [&](const Value& read) {
    return cid->to_string() + " " + core::digest(read)->to_hex();
  });
}

Scenario memory_store() {
  return {.name = "core/memory-store",
          .set_up =
              [](const std::string&) {
                std::ignore = core::digest(large());  // its threads stay
                return stage_of([value = large()] {
                  core::MemoryBlockStore store;
                  return through(store, value);
                });
              },
          .is_concurrent = true};
}

Scenario directory_store() {
  return {.name = "core/directory-store",
          .set_up =
              [](const std::string& folder) {
                return stage_of([value = nested(), root = folder + "/store"]() -> Answer {
                  const auto store = core::DirectoryBlockStore::open(root);
                  if (!store.has_value()) {
                    return answer(store, [](const auto&) { return std::string(); });
                  }
                  return through(**store, value);
                });
              },
          .scratch_folders = {"store/tmp"}};
}

}  // namespace

std::vector<Scenario> core_scenarios() {
  return {encode("core/encode-nested", nested),
          decode("core/decode-nested", nested),
          encode("core/encode-strided", strided_tensor),
          decode("core/decode-tensor", [] { return tensor_of(1000); }),
          digest(),
          transport(),
          memory_store(),
          directory_store()};
}

}  // namespace penstock::faults
