#include "penstock/core/value.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "penstock/core/host.h"
#include "penstock/core/table.h"
#include "penstock/core/tensor.h"

namespace penstock::core {
namespace {

// Containers nest as deep as the user likes; destroying or comparing them by plain recursion could
// overflow the stack. Beyond this depth the payload waits in a list that the outermost destroy()
// empties.
constexpr int kMaxRecursion = 200;

struct Container : Object {
  Container* next_doomed = nullptr;

 protected:
  void destroy() override;
};

struct Doomed {
  int depth = 0;
  Container* first = nullptr;
};
// Small and touched on every container's death: worth the fast access model.
[[gnu::tls_model("initial-exec")]] thread_local constinit Doomed doomed;

void Container::destroy() {
  if (doomed.depth >= kMaxRecursion) {
    next_doomed = doomed.first;
    doomed.first = this;
    return;
  }
  ++doomed.depth;
  delete this;
  if (--doomed.depth == 0) {
    while (doomed.first != nullptr) {
      Container* next = doomed.first;
      doomed.first = next->next_doomed;
      ++doomed.depth;
      delete next;
      --doomed.depth;
    }
  }
}

struct StringObject final : Object {
  explicit StringObject(std::string text) : value(std::move(text)) {}
  const std::string value;
};

struct ListObject final : Container {
  explicit ListObject(std::vector<Value> list) : items(std::move(list)) {}
  const std::vector<Value> items;
};

struct MapObject final : Container {
  explicit MapObject(std::vector<MapEntry> map) : entries(std::move(map)) {}
  const std::vector<MapEntry> entries;
};

struct BigIntObject final : Object {
  BigIntObject(bool sign, std::string digits) : negative(sign), magnitude(std::move(digits)) {}
  const bool negative;
  const std::string magnitude;
};

struct ExtensionObject final : Container {
  ExtensionObject(std::string name, Value value)
      : type(std::move(name)), payload(std::move(value)) {}
  const std::string type;
  const Value payload;
};

struct TensorObject final : Object {
  explicit TensorObject(std::shared_ptr<const Tensor> value) : tensor(std::move(value)) {}
  const std::shared_ptr<const Tensor> tensor;
};

struct TableObject final : Object {
  explicit TableObject(std::shared_ptr<const Table> value) : table(std::move(value)) {}
  const std::shared_ptr<const Table> table;
};

template <class T>
const T& payload_of(const Object* object) {
  return *static_cast<const T*>(object);
}

// Comparing goes down by recursion as far as containers are destroyed by it; what lies deeper waits
// in a list, which the outermost call empties.
struct Comparison {
  int depth = 0;
  std::vector<std::pair<const Value*, const Value*>> deeper;
};

bool equal_parts(const Value& a, const Value& b, Comparison& comparison);

bool equal_lists(const std::vector<Value>& a, const std::vector<Value>& b, Comparison& comparison) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(),
      [&comparison](const Value& x, const Value& y) { return equal_parts(x, y, comparison); });
}

bool equal_maps(const std::vector<MapEntry>& a, const std::vector<MapEntry>& b,
                Comparison& comparison) {
  if (a.size() != b.size()) {
    return false;
  }
  // Most maps that are compared were built the same way: try the same order first.
  std::size_t same = 0;
  while (same < a.size() && a[same].first == b[same].first) {
    if (!equal_parts(a[same].second, b[same].second, comparison)) {
      return false;
    }
    ++same;
  }
  if (same == a.size()) {
    return true;
  }
  std::unordered_map<std::string_view, const Value*> rest;
  for (std::size_t i = same; i < b.size(); ++i) {
    rest.emplace(b[i].first, &b[i].second);
  }
  return std::all_of(a.begin() + static_cast<std::ptrdiff_t>(same), a.end(), [&](const auto& e) {
    const auto found = rest.find(e.first);
    return found != rest.end() && equal_parts(*found->second, e.second, comparison);
  });
}

bool is_container(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kMap ||
         kind == Kind::kExtension;
}

/// Equality of two containers of one kind, as far as it is known at this depth.
bool equal_containers(const Value& a, const Value& b, Comparison& comparison) {
  if (comparison.depth >= kMaxRecursion) {
    comparison.deeper.emplace_back(&a, &b);
    return true;
  }
  ++comparison.depth;
  bool equal = false;
  if (a.is(Kind::kMap)) {
    equal = equal_maps(a.as_map(), b.as_map(), comparison);
  } else if (a.is(Kind::kExtension)) {
    equal = a.extension_type() == b.extension_type() &&
            equal_parts(a.extension_payload(), b.extension_payload(), comparison);
  } else {
    equal = equal_lists(a.as_list(), b.as_list(), comparison);
  }
  --comparison.depth;
  return equal;
}

bool equal_parts(const Value& a, const Value& b, Comparison& comparison) {
  return a.kind() == b.kind() && is_container(a.kind()) && !a.is_same_object(b)
             ? equal_containers(a, b, comparison)
             : a == b;
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kAbsent:
      return "absent";
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kText:
      return "text";
    case Kind::kBytes:
      return "bytes";
    case Kind::kList:
      return "list";
    case Kind::kMap:
      return "map";
    case Kind::kTuple:
      return "tuple";
    case Kind::kBigInt:
      return "bigint";
    case Kind::kTensor:
      return "tensor";
    case Kind::kTable:
      return "table";
    case Kind::kExtension:
      return "extension";
    case Kind::kHost:
      return "host";
  }
  return "absent";
}

Value Value::text(std::string value) {
  PENSTOCK_DCHECK(is_valid_utf8(value));
  return Value(Kind::kText, Data{.object = new StringObject(std::move(value))});
}

Value Value::bytes(std::string value) {
  return Value(Kind::kBytes, Data{.object = new StringObject(std::move(value))});
}

Value Value::list(std::vector<Value> items) {
  return Value(Kind::kList, Data{.object = new ListObject(std::move(items))});
}

Value Value::tuple(std::vector<Value> items) {
  return Value(Kind::kTuple, Data{.object = new ListObject(std::move(items))});
}

Value Value::map(std::vector<MapEntry> entries) {
  return Value(Kind::kMap, Data{.object = new MapObject(std::move(entries))});
}

Value Value::big_integer(bool negative, std::string magnitude) {
  magnitude.erase(0, std::min(magnitude.find_first_not_of('\0'), magnitude.size()));
  if (magnitude.size() <= 8) {
    std::uint64_t small = 0;
    for (const char byte : magnitude) {
      small = small << 8 | static_cast<unsigned char>(byte);
    }
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
    if (small < kLimit || (negative && small == kLimit)) {
      return integer(static_cast<std::int64_t>(negative ? 0 - small : small));
    }
  }
  return Value(Kind::kBigInt, Data{.object = new BigIntObject(negative, std::move(magnitude))});
}

Value Value::extension(std::string type, Value payload) {
  return Value(Kind::kExtension,
               Data{.object = new ExtensionObject(std::move(type), std::move(payload))});
}

Value Value::tensor(std::shared_ptr<const Tensor> tensor) {
  PENSTOCK_CHECK(tensor != nullptr);
  return Value(Kind::kTensor, Data{.object = new TensorObject(std::move(tensor))});
}

Value Value::table(std::shared_ptr<const Table> table) {
  PENSTOCK_CHECK(table != nullptr);
  return Value(Kind::kTable, Data{.object = new TableObject(std::move(table))});
}

Value Value::host(HostObject* object) noexcept {
  return Value(Kind::kHost, Data{.object = object});
}

const std::string& Value::as_text() const {
  PENSTOCK_DCHECK(kind_ == Kind::kText);
  return payload_of<StringObject>(data_.object).value;
}

const std::string& Value::as_bytes() const {
  PENSTOCK_DCHECK(kind_ == Kind::kBytes);
  return payload_of<StringObject>(data_.object).value;
}

const std::vector<Value>& Value::as_list() const {
  PENSTOCK_DCHECK(kind_ == Kind::kList || kind_ == Kind::kTuple);
  return payload_of<ListObject>(data_.object).items;
}

const std::vector<MapEntry>& Value::as_map() const {
  PENSTOCK_DCHECK(kind_ == Kind::kMap);
  return payload_of<MapObject>(data_.object).entries;
}

bool Value::big_negative() const {
  PENSTOCK_DCHECK(kind_ == Kind::kBigInt);
  return payload_of<BigIntObject>(data_.object).negative;
}

const std::string& Value::big_magnitude() const {
  PENSTOCK_DCHECK(kind_ == Kind::kBigInt);
  return payload_of<BigIntObject>(data_.object).magnitude;
}

const std::string& Value::extension_type() const {
  PENSTOCK_DCHECK(kind_ == Kind::kExtension);
  return payload_of<ExtensionObject>(data_.object).type;
}

const Value& Value::extension_payload() const {
  PENSTOCK_DCHECK(kind_ == Kind::kExtension);
  return payload_of<ExtensionObject>(data_.object).payload;
}

const std::shared_ptr<const Tensor>& Value::as_tensor() const {
  PENSTOCK_DCHECK(kind_ == Kind::kTensor);
  return payload_of<TensorObject>(data_.object).tensor;
}

const std::shared_ptr<const Table>& Value::as_table() const {
  PENSTOCK_DCHECK(kind_ == Kind::kTable);
  return payload_of<TableObject>(data_.object).table;
}

HostObject* Value::as_host() const {
  PENSTOCK_DCHECK(kind_ == Kind::kHost);
  return const_cast<HostObject*>(static_cast<const HostObject*>(data_.object));
}

const Value* Value::find(std::string_view key) const {
  if (kind_ != Kind::kMap) {
    return nullptr;
  }
  for (const MapEntry& entry : as_map()) {
    if (entry.first == key) {
      return &entry.second;
    }
  }
  return nullptr;
}

bool operator==(const Value& a, const Value& b) {
  if (a.kind_ != b.kind_) {
    return false;
  }
  if (a.is_same_object(b)) {
    return true;
  }
  switch (a.kind_) {
    case Kind::kAbsent:
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return a.data_.boolean == b.data_.boolean;
    case Kind::kInt:
      return a.data_.integer == b.data_.integer;
    case Kind::kFloat:
      return std::bit_cast<std::uint64_t>(a.data_.real) ==
             std::bit_cast<std::uint64_t>(b.data_.real);
    case Kind::kText:
    case Kind::kBytes:
      return payload_of<StringObject>(a.data_.object).value ==
             payload_of<StringObject>(b.data_.object).value;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kMap:
    case Kind::kExtension: {
      Comparison comparison;
      bool equal = equal_containers(a, b, comparison);
      while (equal && !comparison.deeper.empty()) {
        const auto [x, y] = comparison.deeper.back();
        comparison.deeper.pop_back();
        equal = equal_containers(*x, *y, comparison);
      }
      return equal;
    }
    case Kind::kBigInt:
      return a.big_negative() == b.big_negative() && a.big_magnitude() == b.big_magnitude();
    case Kind::kTensor:
      return equal(*a.as_tensor(), *b.as_tensor());
    case Kind::kTable: {
      const base::Result<bool> same = equal(*a.as_table(), *b.as_table());
      return same.has_value() && *same;
    }
    case Kind::kHost:
      return false;
  }
  return false;
}

}  // namespace penstock::core
