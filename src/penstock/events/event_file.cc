#include "penstock/events/event_file.h"

#include <cstring>
#include <map>

#include "penstock/base/out_of_memory.h"
#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"

namespace penstock::events {
namespace {

using core::Value;

// Head: magic, kind, count, first id, bytes of the body, digest of all that and of the body.
constexpr std::size_t kDigestAt = 32;

template <class T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void put_all(std::string& out, const std::vector<T>& values) {
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
T peek(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// Takes bytes from the front, never more than there are.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool take(std::uint64_t size, std::string_view& out) {
    if (size > bytes_.size()) {
      return false;
    }
    out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  template <class T>
  bool take(T& out) {
    std::string_view bytes;
    if (!take(sizeof(T), bytes)) {
      return false;
    }
    out = peek<T>(bytes, 0);
    return true;
  }
  template <class T>
  bool take(std::size_t count, std::vector<T>& out) {
    std::string_view bytes;
    if (count > bytes_.size() / sizeof(T) || !take(count * sizeof(T), bytes)) {
      return false;
    }
    out.resize(count);
    if (count != 0) {
      std::memcpy(out.data(), bytes.data(), bytes.size());
    }
    return true;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

core::Digest digest_of(std::string_view frame) {
  // The digest's own place is left out: two hashes, of what is before and of what is behind.
  const core::Digest body = core::hash_bytes(frame.substr(kFrameHeadBytes));
  std::string both(frame.substr(0, kDigestAt));
  both.append(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  return core::hash_bytes(both);
}

Value path_value(const SeriesName::Path& path) {
  std::vector<Value> steps;
  for (const auto& [map, index] : path) {
    steps.push_back(Value::list({Value::text(map), Value::integer(index)}));
  }
  return Value::list(std::move(steps));
}

bool path_from(const Value& value, SeriesName::Path& path) {
  if (!value.is(core::Kind::kList)) {
    return false;
  }
  for (const Value& step : value.as_list()) {
    if (!step.is(core::Kind::kList) || step.as_list().size() != 2 ||
        !step.as_list()[0].is(core::Kind::kText) || !step.as_list()[1].is(core::Kind::kInt)) {
      return false;
    }
    path.emplace_back(step.as_list()[0].as_text(), step.as_list()[1].as_int());
  }
  return true;
}

base::Error no_sense(const char* what) {
  return {base::ErrorCode::kDataLoss,
          std::string("a frame of an event log makes no sense: ") + what};
}

base::Status names_from(std::string_view bytes, std::vector<SeriesName>& names) {
  PENSTOCK_ASSIGN_OR_RETURN(const Value list, core::decode(bytes));
  if (!list.is(core::Kind::kList)) {
    return base::fail(no_sense("names"));
  }
  for (const Value& item : list.as_list()) {
    SeriesName name;
    if (!item.is(core::Kind::kList) || item.as_list().size() != 3 ||
        !item.as_list()[0].is(core::Kind::kText) || !item.as_list()[1].is(core::Kind::kText) ||
        !path_from(item.as_list()[2], name.path)) {
      return base::fail(no_sense("names"));
    }
    name.node = item.as_list()[0].as_text();
    name.signal = item.as_list()[1].as_text();
    names.push_back(std::move(name));
  }
  return {};
}

bool sizes_fit(const Step& step, std::size_t num_bytes) {
  const std::size_t count = step.series.size();
  switch (step.form) {
    case ValueForm::kEncoded: {
      std::uint64_t last = 0;
      for (const std::uint64_t end : step.ends) {
        if (end < last) {
          return false;
        }
        last = end;
      }
      return last == num_bytes;
    }
    case ValueForm::kFloat:
    case ValueForm::kInt:
      return num_bytes == 8 * count;
    case ValueForm::kBool:
      return num_bytes == count;
  }
  return false;
}

base::Status rows_from(Cursor& in, std::uint32_t count, StepView& out) {
  Step& step = out.step;
  std::uint64_t names_size = 0;
  std::string_view names;
  std::uint32_t form = 0;
  if (!in.take(names_size) || !in.take(names_size, names) || !in.take(count, step.series) ||
      !in.take(count, step.epochs) || !in.take(count, step.timestamps) || !in.take(form) ||
      form > static_cast<std::uint32_t>(ValueForm::kBool)) {
    return base::fail(no_sense("columns"));
  }
  step.form = static_cast<ValueForm>(form);
  if (step.form == ValueForm::kEncoded && !in.take(count, step.ends)) {
    return base::fail(no_sense("ends"));
  }
  out.values = in.rest();
  if (!sizes_fit(step, out.values.size())) {
    return base::fail(no_sense("values"));
  }
  return names_from(names, out.names);
}

base::Status clear_from(Cursor& in, Step& step) {
  PENSTOCK_ASSIGN_OR_RETURN(const Value what, core::decode(in.rest()));
  if (!what.is(core::Kind::kList)) {
    return base::fail(no_sense("clear"));
  }
  const std::vector<Value>& items = what.as_list();
  step.all = items.empty();
  if (!step.all &&
      (items.size() != 2 || !items[0].is(core::Kind::kInt) || !path_from(items[1], step.path))) {
    return base::fail(no_sense("clear"));
  }
  step.epoch = step.all ? 0 : items[0].as_int();
  return {};
}

}  // namespace

base::Status append_frame(std::string& out, const Step& step,
                          std::span<const SeriesName* const> new_names) {
  const std::size_t start = out.size();
  out.append(kFrameMagic);
  put(out, static_cast<std::uint32_t>(step.kind));
  put(out, static_cast<std::uint32_t>(step.series.size()));
  put(out, step.first_id);
  out.append(kFrameHeadBytes - (out.size() - start), '\0');
  if (step.kind == FrameKind::kRows) {
    std::vector<Value> names;
    for (const SeriesName* name : new_names) {
      names.push_back(Value::list(
          {Value::text(name->node), Value::text(name->signal), path_value(name->path)}));
    }
    PENSTOCK_ASSIGN_OR_RETURN(const std::string encoded,
                              core::encode(Value::list(std::move(names))));
    put(out, std::uint64_t{encoded.size()});
    out.append(encoded);
    put_all(out, step.series);
    put_all(out, step.epochs);
    put_all(out, step.timestamps);
    put(out, static_cast<std::uint32_t>(step.form));
    put_all(out, step.ends);
    out.append(step.values);
  } else {
    const Value what = step.all ? Value::list({})
                                : Value::list({Value::integer(step.epoch), path_value(step.path)});
    PENSTOCK_ASSIGN_OR_RETURN(const std::string encoded, core::encode(what));
    out.append(encoded);
  }
  const std::uint64_t body_bytes = out.size() - start - kFrameHeadBytes;
  std::memcpy(out.data() + start + 24, &body_bytes, sizeof body_bytes);
  const core::Digest digest = digest_of(std::string_view(out).substr(start));
  std::memcpy(out.data() + start + kDigestAt, digest.bytes.data(), digest.bytes.size());
  return {};
}

std::size_t whole_frame(std::string_view bytes) {
  if (bytes.size() < kFrameHeadBytes || !bytes.starts_with(kFrameMagic)) {
    return 0;
  }
  const auto body_bytes = peek<std::uint64_t>(bytes, 24);
  if (body_bytes > bytes.size() - kFrameHeadBytes) {
    return 0;
  }
  const std::string_view frame = bytes.substr(0, kFrameHeadBytes + body_bytes);
  const core::Digest digest = digest_of(frame);
  return std::memcmp(frame.data() + kDigestAt, digest.bytes.data(), digest.bytes.size()) == 0
             ? frame.size()
             : 0;
}

base::Result<StepView> read_frame(std::string_view frame) {
  StepView out;
  const auto kind = peek<std::uint32_t>(frame, 8);
  const auto count = peek<std::uint32_t>(frame, 12);
  out.step.first_id = peek<std::int64_t>(frame, 16);
  Cursor in(frame.substr(kFrameHeadBytes));
  if (out.step.first_id < 0) {
    return base::fail(no_sense("first id"));
  }
  if (kind == static_cast<std::uint32_t>(FrameKind::kRows)) {
    PENSTOCK_RETURN_IF_ERROR(rows_from(in, count, out));
  } else if (kind == static_cast<std::uint32_t>(FrameKind::kClear)) {
    out.step.kind = FrameKind::kClear;
    PENSTOCK_RETURN_IF_ERROR(clear_from(in, out.step));
  } else {
    return base::fail(no_sense("kind"));
  }
  return out;
}

// Bytes of the root, the root; then for each block its digest, its bytes, the block.
base::Result<std::string> make_record(const core::Value& value) {
  std::string blocks;
  PENSTOCK_ASSIGN_OR_RETURN(
      const std::string root,
      core::encode(value, [&](const core::Digest& digest, std::span<const std::byte> block) {
        blocks.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
        put(blocks, static_cast<std::uint32_t>(block.size()));
        blocks.append(reinterpret_cast<const char*>(block.data()), block.size());
        return base::Status();
      }));
  std::string record;
  record.reserve(sizeof(std::uint32_t) + root.size() + blocks.size());
  put(record, static_cast<std::uint32_t>(root.size()));
  record.append(root);
  record.append(blocks);
  return record;
}

base::Result<core::Value> read_record(std::string_view record) {
  Cursor in(record);
  std::uint32_t root_size = 0;
  std::string_view root;
  if (!in.take(root_size) || !in.take(root_size, root)) {
    return base::fail(no_sense("record"));
  }
  std::map<core::Digest, std::string_view> blocks;
  while (!in.rest().empty()) {
    core::Digest digest;
    std::string_view name, block;
    std::uint32_t size = 0;
    if (!in.take(digest.bytes.size(), name) || !in.take(size) || !in.take(size, block)) {
      return base::fail(no_sense("block"));
    }
    std::memcpy(digest.bytes.data(), name.data(), name.size());
    if (!(core::hash_bytes(block) == digest)) {
      return base::fail(no_sense("block"));
    }
    blocks.emplace(digest, block);
  }
  return core::decode(
      root, [&](const core::Digest& digest) -> base::Result<std::shared_ptr<const core::Buffer>> {
        const auto it = blocks.find(digest);
        if (it == blocks.end()) {
          return base::fail(no_sense("missing block"));
        }
        const std::string_view block = it->second;
        std::shared_ptr<core::Buffer> copy =
            core::Buffer::allocate(static_cast<std::int64_t>(block.size()));
        std::memcpy(copy->mutable_data(), block.data(), block.size());
        return copy;
      });
}

}  // namespace penstock::events
