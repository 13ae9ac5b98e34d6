#include "penstock/base/result.h"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::base {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) {
    return fail(ErrorCode::kInvalidArgument, "value must be even: seen " + std::to_string(value));
  }
  return value / 2;
}

Result<int> quarter(int value) {
  PENSTOCK_ASSIGN_OR_RETURN(const int first, half(value));
  PENSTOCK_ASSIGN_OR_RETURN(const int second, half(first));
  return second;
}

TEST(ResultTest, AssignOrReturnPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(failed.error().message(), "value must be even: seen 3");
}

TEST(ErrorTest, ContextIsPrependedAndTheOriginalIsUnchanged) {
  const Error inner(ErrorCode::kNotFound, "no such file: a.csv");
  const Error outer = inner.with_context("node 'read'").with_context("epoch 3");
  EXPECT_EQ(inner.origin(), "");
  EXPECT_EQ(outer.origin(), "epoch 3: node 'read'");
  EXPECT_EQ(outer.to_string(), "no such file: a.csv (at epoch 3: node 'read')");
  EXPECT_EQ(outer.code(), ErrorCode::kNotFound);
}

TEST(ErrorTest, ExtrasAreKeptApartFromTheMessage) {
  const Error error =
      Error(ErrorCode::kInternal, "boom").with_id("PS0401").with_help("look").with_trace("line 1");
  EXPECT_EQ(error.id(), "PS0401");
  EXPECT_EQ(error.help(), "look");
  EXPECT_EQ(error.trace(), "line 1");
  EXPECT_EQ(error.to_string(), "boom");
}

TEST(ErrorCodeTest, NamesAreDistinctSnakeCase) {
  std::vector<std::string> names;
  for (int code = 1; code <= 12; ++code) {
    names.emplace_back(to_string(static_cast<ErrorCode>(code)));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_THAT(names, ::testing::Contains("deadline_exceeded"));
}

TEST(CheckDeathTest, SaysFileAndCondition) {
  EXPECT_DEATH(PENSTOCK_CHECK(1 + 1 == 3), "result_test.cc.*1 \\+ 1 == 3");
}

TEST(ResultTest, EveryCodeHasANameThatLeadsBackToIt) {
  ASSERT_EQ(error_code_names().size(), 12U);
  for (int code = 1; code <= 12; ++code) {
    EXPECT_EQ(error_code_of(to_string(static_cast<ErrorCode>(code))), static_cast<ErrorCode>(code));
  }
  EXPECT_EQ(to_string(ErrorCode::kUnavailable), "unavailable");
  EXPECT_EQ(error_code_of("unavailible"), std::nullopt);
}

}  // namespace
}  // namespace penstock::base
