// Between core::Table and Arrow C++: the C Data Interface, no copies.
#pragma once

#include <memory>
#include <string_view>

#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/table.h>

#include "penstock/base/result.h"
#include "penstock/core/table.h"

namespace penstock::ops::table {

/// `what` names the file or step; the message is one line.
base::Error to_error(const arrow::Status& status, std::string_view what);

base::Result<std::shared_ptr<arrow::Table>> to_arrow(std::shared_ptr<const core::Table> table);
base::Result<std::shared_ptr<const core::Table>> from_arrow(const arrow::Table& table);
base::Result<std::shared_ptr<const core::Table>> from_batches(std::shared_ptr<arrow::Schema> schema,
                                                              arrow::RecordBatchVector batches);

}  // namespace penstock::ops::table

/// Returns the error of an Arrow call from the enclosing function.
#define PENSTOCK_ARROW_RETURN(expr, what)                                      \
  do {                                                                         \
    if (const ::arrow::Status penstock_arrow = (expr); !penstock_arrow.ok()) { \
      return ::penstock::base::fail(to_error(penstock_arrow, what));           \
    }                                                                          \
  } while (false)

#define PENSTOCK_ARROW_ASSIGN(lhs, expr, what) \
  PENSTOCK_ARROW_ASSIGN_IMPL(PENSTOCK_CONCAT(penstock_arrow_, __LINE__), lhs, expr, what)
#define PENSTOCK_ARROW_ASSIGN_IMPL(tmp, lhs, expr, what)         \
  auto tmp = (expr);                                             \
  if (!tmp.ok()) {                                               \
    return ::penstock::base::fail(to_error(tmp.status(), what)); \
  }                                                              \
  lhs = std::move(tmp).ValueUnsafe()
