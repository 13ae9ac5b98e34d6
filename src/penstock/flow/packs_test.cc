// Which types belong to packs. Loading one is tested where one is built (tests/golden, Python).
#include "penstock/flow/packs.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

TEST(PacksTest, TellsPackTypesFromOthers) {
  EXPECT_TRUE(is_pack_type("table.read"));
  EXPECT_TRUE(is_pack_type("table.no_such_operator"));
  EXPECT_FALSE(is_pack_type("table"));
  EXPECT_FALSE(is_pack_type("tables.read"));
  EXPECT_FALSE(is_pack_type("map"));
}

TEST(PacksTest, LeavesOtherTypesToOtherResolvers) {
  NodeSpec node;
  node.id = "a";
  node.type = "pkg.mod.function";
  const auto type = PackResolver().resolve(node, core::Value::map({}));
  ASSERT_TRUE(type.has_value());
  EXPECT_EQ(*type, nullptr);
}

TEST(PacksTest, RefusesAnUnknownPack) {
  const auto pack = load_pack("no_such_pack");
  ASSERT_FALSE(pack.has_value());
  EXPECT_EQ(pack.error().code(), base::ErrorCode::kNotFound);
}

TEST(PacksTest, KnowsWhereTheLibraryLies) {
  EXPECT_TRUE(std::filesystem::exists(library_folder() + "/libpenstock.so"));
}

}  // namespace
}  // namespace penstock::flow
