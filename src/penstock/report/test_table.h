// Small tables and plans for the tests of report. Not part of the library.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/core/table.h"
#include "penstock/core/table_layout.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::report::testing {

using Numbers = std::vector<double>;
using Integers = std::vector<std::int64_t>;
using Texts = std::vector<std::optional<std::string>>;

/// A column: format and raw buffers; of `make_column` float64 (NaN = null), int64 or utf8.
struct TestColumn {
  std::string name, format;
  std::int64_t length = 0;
  std::vector<std::string> buffers;  ///< validity first, empty = none
  std::int64_t null_count = 0;
  std::vector<TestColumn> children = {};
  std::vector<TestColumn> dictionary = {};  ///< none or one
  std::int64_t offset = 0;
};

template <class T>
std::string packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline TestColumn make_column(std::string name,
                              const std::variant<Numbers, Integers, Texts>& data) {
  TestColumn out{.name = std::move(name), .format = "g", .buffers = {""}};
  std::string valid;
  const auto add_valid = [&](std::size_t i, bool is_valid) {
    valid.resize(i / 8 + 1);
    valid[i / 8] = static_cast<char>(valid[i / 8] | (is_valid ? 1 << (i % 8) : 0));
    out.null_count += is_valid ? 0 : 1;
  };
  if (const auto* numbers = std::get_if<Numbers>(&data)) {
    for (std::size_t i = 0; i < numbers->size(); ++i) {
      add_valid(i, !std::isnan((*numbers)[i]));
    }
    out.length = std::ssize(*numbers);
    out.buffers.push_back(packed(*numbers));
  } else if (const auto* integers = std::get_if<Integers>(&data)) {
    out.format = "l";
    out.length = std::ssize(*integers);
    out.buffers.push_back(packed(*integers));
  } else {
    const auto& texts = std::get<Texts>(data);
    std::vector<std::int32_t> offsets{0};
    std::string bytes;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      add_valid(i, texts[i].has_value());
      bytes += texts[i].value_or("");
      offsets.push_back(static_cast<std::int32_t>(bytes.size()));
    }
    out.format = "u";
    out.length = std::ssize(texts);
    out.buffers.push_back(packed(offsets));
    out.buffers.push_back(bytes);
  }
  out.buffers[0] = out.null_count > 0 ? valid : "";
  return out;
}

inline ArrowSchema schema_of(const TestColumn& column) {
  std::vector<ArrowSchema> children;
  for (const TestColumn& child : column.children) {
    children.push_back(schema_of(child));
  }
  ArrowSchema values{};
  if (!column.dictionary.empty()) {
    values = schema_of(column.dictionary[0]);
  }
  return core::make_schema(column.format, column.name, ARROW_FLAG_NULLABLE, std::move(children),
                           column.dictionary.empty() ? nullptr : &values);
}

struct HeldArray {
  TestColumn column;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
  ArrowArray dictionary{};
};

inline void release_array(ArrowArray* array) {
  auto* held = static_cast<HeldArray*>(array->private_data);
  for (ArrowArray* child : held->pointers) {
    child->release(child);
  }
  if (held->dictionary.release != nullptr) {
    held->dictionary.release(&held->dictionary);
  }
  array->release = nullptr;
  delete held;
}

inline ArrowArray array_of(const TestColumn& column) {
  auto* held = new HeldArray{.column = column};
  for (const std::string& buffer : held->column.buffers) {
    held->buffers.push_back(buffer.empty() && held->buffers.empty() ? nullptr : buffer.data());
  }
  for (const TestColumn& child : held->column.children) {
    held->children.push_back(array_of(child));
  }
  for (ArrowArray& child : held->children) {
    held->pointers.push_back(&child);
  }
  ArrowArray out{.length = column.length,
                 .null_count = column.null_count,
                 .offset = column.offset,
                 .n_buffers = std::ssize(held->buffers),
                 .n_children = std::ssize(held->pointers),
                 .buffers = held->buffers.data(),
                 .children = held->pointers.data(),
                 .dictionary = nullptr,
                 .release = release_array,
                 .private_data = held};
  if (!column.dictionary.empty()) {
    held->dictionary = array_of(column.dictionary[0]);
    out.dictionary = &held->dictionary;
  }
  return out;
}

/// A table of one batch per element of `batches`; all have the same columns.
inline core::Value make_table(const std::vector<std::vector<TestColumn>>& batches) {
  const auto as_struct = [](const std::vector<TestColumn>& columns) {
    return TestColumn{.name = "",
                      .format = "+s",
                      .length = columns.empty() ? 0 : columns[0].length,
                      .buffers = {""},
                      .children = columns};
  };
  ArrowSchema schema = schema_of(as_struct(batches.at(0)));
  std::vector<ArrowArray> arrays;
  for (const auto& columns : batches) {
    arrays.push_back(array_of(as_struct(columns)));
  }
  auto table = core::Table::create(&schema, std::move(arrays));
  EXPECT_TRUE(table.has_value()) << table.error().to_string();
  return core::Value::table(*table);
}

/// Compiles a tube of the test operators (flow/test_operators.h).
inline std::shared_ptr<const flow::Plan> make_plan(const std::string& yaml) {
  static const core::Registry registry = flow::testing::make_registry();
  static const flow::RegistryResolver resolver(registry);
  const auto spec = flow::parse_spec(yaml);
  EXPECT_TRUE(spec.has_value()) << (spec.has_value() ? "" : flow::to_error(spec.error()).message());
  const flow::Resolver* resolvers[] = {&resolver};
  auto plan = flow::Plan::compile(*spec, resolvers);
  EXPECT_TRUE(plan.has_value()) << (plan.has_value() ? "" : flow::to_error(plan.error()).message());
  return *plan;
}

inline core::Value map(std::vector<core::MapEntry> entries) {
  return core::Value::map(std::move(entries));
}
inline core::Value text(std::string value) {
  return core::Value::text(std::move(value));
}

}  // namespace penstock::report::testing
