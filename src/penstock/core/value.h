// Value: what flows along every edge of a pipeline. Immutable, reference counted, 16 bytes.
//
// Scalars live in the Value itself; text, bytes, containers, tensors and tables are heap objects
// with an intrusive count. A Value may be copied between threads freely (the counts are atomic);
// one Value object must not be assigned by two threads at once (thread-compatible).
//
// Source of truth for the byte form: docs/formats/value-encoding.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::core {

/// What a Value holds.
enum class Kind : std::uint8_t {
  kAbsent,     ///< "No event". The default; never encoded, never shown to user code.
  kNull,       ///< An ordinary value that says nothing (None).
  kBool,       ///< true or false.
  kInt,        ///< int64.
  kFloat,      ///< IEEE binary64, NaN and infinities included.
  kText,       ///< UTF-8, valid.
  kBytes,      ///< Any bytes.
  kList,       ///< Ordered Values.
  kMap,        ///< Text keys, unique; insertion order is kept, identity does not depend on it.
  kTuple,      ///< As a list, but a different value (Python tells them apart).
  kBigInt,     ///< Integers outside int64: sign and magnitude.
  kTensor,     ///< Tensor: dtype, shape, strides, buffer (tensor.h).
  kTable,      ///< Table: Arrow record batches (table.h).
  kExtension,  ///< A registered type: name and payload.
  kHost,       ///< An object of the host language, by identity (host.h).
};

/// Lower-case name of a kind, as used in messages and docs ("int", "table").
std::string_view to_string(Kind kind);

/// Base of all heap payloads. Thread-safe count; the payload itself is immutable once shared.
class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  // Relaxed suffices to add: the caller already holds a reference. The release below pairs with
  // the acquire of the last owner, so its destructor sees every earlier use (Boost intrusive_ptr).
  void retain() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      const_cast<Object*>(this)->destroy();
    }
  }

 protected:
  /// Called once when the last reference goes; overridden by pooled objects.
  virtual void destroy() { delete this; }
  /// A pooled object starts a new life with one reference; its owner alone sees it.
  void revive() { refs_.store(1, std::memory_order_relaxed); }

 private:
  mutable std::atomic<std::uint32_t> refs_{1};
};

class Tensor;
class Table;
class HostObject;
class Value;

using MapEntry = std::pair<std::string, Value>;

class Value {
 public:
  Value() noexcept : kind_(Kind::kAbsent) { data_.integer = 0; }
  Value(const Value& other) noexcept : kind_(other.kind_), data_(other.data_) {
    if (is_object()) {
      data_.object->retain();
    }
  }
  Value(Value&& other) noexcept : kind_(other.kind_), data_(other.data_) {
    other.kind_ = Kind::kAbsent;
  }
  Value& operator=(const Value& other) noexcept {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Value() { reset(); }

  /// Becomes absent and lets go of what it held.
  void reset() noexcept {
    if (is_object()) {
      data_.object->release();
    }
    kind_ = Kind::kAbsent;
  }
  void swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
  }

  // Factories. Text must be valid UTF-8 (check outside input with is_valid_utf8 first).
  static Value null() noexcept { return Value(Kind::kNull, Data{.integer = 0}); }
  static Value boolean(bool value) noexcept { return Value(Kind::kBool, Data{.boolean = value}); }
  static Value integer(std::int64_t value) noexcept {
    return Value(Kind::kInt, Data{.integer = value});
  }
  static Value real(double value) noexcept { return Value(Kind::kFloat, Data{.real = value}); }
  static Value text(std::string value);
  static Value bytes(std::string value);
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  /// Keys must be unique; the caller has checked (duplicate keys in outside input are an error).
  static Value map(std::vector<MapEntry> entries);
  /// Big-endian magnitude without leading zero bytes; normalised to kInt when it fits int64.
  static Value big_integer(bool negative, std::string magnitude);
  static Value extension(std::string type, Value payload);
  static Value tensor(std::shared_ptr<const Tensor> tensor);
  static Value table(std::shared_ptr<const Table> table);
  /// Takes over one reference to `object`.
  static Value host(HostObject* object) noexcept;

  Kind kind() const { return kind_; }
  bool is_absent() const { return kind_ == Kind::kAbsent; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is(Kind kind) const { return kind_ == kind; }

  // Accessors; the kind must match (checked in debug builds).
  bool as_bool() const { return data_.boolean; }
  std::int64_t as_int() const { return data_.integer; }
  double as_float() const { return data_.real; }
  const std::string& as_text() const;           ///< kText
  const std::string& as_bytes() const;          ///< kBytes
  const std::vector<Value>& as_list() const;    ///< kList, kTuple
  const std::vector<MapEntry>& as_map() const;  ///< kMap
  bool big_negative() const;                    ///< kBigInt
  const std::string& big_magnitude() const;     ///< kBigInt
  const std::string& extension_type() const;    ///< kExtension
  const Value& extension_payload() const;       ///< kExtension
  const std::shared_ptr<const Tensor>& as_tensor() const;
  const std::shared_ptr<const Table>& as_table() const;
  HostObject* as_host() const;

  /// The entry of a map, or null when `this` is no map or has no such key. O(entries).
  const Value* find(std::string_view key) const;

  /// True when both hold one and the same heap object.
  bool is_same_object(const Value& other) const {
    return is_object() && other.is_object() && data_.object == other.data_.object;
  }

  /// Deep equality of kind and content; NaN equals NaN with the same bits, -0.0 differs from 0.0.
  /// Map order does not matter. Host objects compare by identity.
  friend bool operator==(const Value& a, const Value& b);

 private:
  union Data {
    bool boolean;
    std::int64_t integer;
    double real;
    const Object* object;
  };
  Value(Kind kind, Data data) noexcept : kind_(kind), data_(data) {}

  bool is_object() const { return kind_ >= Kind::kText; }

  Kind kind_;
  Data data_;
};

static_assert(sizeof(Value) == 16);

/// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool is_valid_utf8(std::string_view text);

}  // namespace penstock::core
