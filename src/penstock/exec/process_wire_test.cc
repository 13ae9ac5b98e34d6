#include "penstock/exec/process_wire.h"

#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/exec/channel_socket.h"
#include "penstock/exec/process_history.h"
#include "penstock/exec/process_placement.h"
#include "penstock/exec/process_test_support.h"

namespace penstock::exec {
namespace {

using core::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two exchanges in this process.
struct Sides {
  Sides()
      : sockets(ChannelSocket::make_pair().value()),
        left_socket(std::move(sockets.first)),
        right_socket(std::move(sockets.second)),
        left(&left_socket),
        right(&right_socket) {}
  std::pair<UniqueFd, UniqueFd> sockets;
  ChannelSocket left_socket, right_socket;
  BufferExchange left, right;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::vector<Value> samples() {
  return {Value(),
          Value::null(),
          Value::boolean(true),
          Value::integer(std::numeric_limits<std::int64_t>::min()),
          Value::real(-0.0),
          Value::text(""),
          Value::text(std::string(100'000, 'y')),
          Value::bytes(std::string("\0\xff", 2)),
          Value::bytes(std::string(32'768, 'b')),
          Value::bytes(std::string(32'769, 'b')),
          Value::list({Value::null(), Value::tuple({Value::integer(1)})}),
          Value::map({{"b", Value::integer(1)}, {"a", Value::text("x")}}),
          Value::big_integer(true, std::string(9, '\x7f')),
          Value::extension("my.type", Value::integer(5))};
}

TEST(ProcessWireTest, ValuesComeBackEqual) {
  Sides sides;
  for (const Value& value : samples()) {
    FrameBuffer frame;
    ASSERT_TRUE(WireWriter(frame).put_value(value, sides.left).has_value());
    WireReader reader(bytes_of(frame.view()));
    const auto back = reader.get_value(sides.right);
    ASSERT_TRUE(back.has_value()) << back.error().to_string();
    EXPECT_TRUE(*back == value || value.is_absent());
    EXPECT_EQ(back->kind(), value.kind());
    EXPECT_EQ(reader.num_left(), 0U);
  }
}

// Whatever bytes come, reading ends with a value or an error.
TEST(ProcessWireTest, CutAndFlippedFramesAreErrorsOrValues) {
  Sides sides;
  std::mt19937 random(3);
  int errors = 0, values = 0;
  for (const Value& value : samples()) {
    FrameBuffer frame;
    ASSERT_TRUE(WireWriter(frame).put_value(value, sides.left).has_value());
    for (int i = 0; i < 300; ++i) {
      std::string bad(frame.view().substr(0, random() % (frame.size() + 1)));
      if (!bad.empty()) {
        bad[random() % std::min<std::size_t>(bad.size(), 40)] = static_cast<char>(random());
      }
      WireReader reader(bytes_of(bad));
      (reader.get_value(sides.right).has_value() && reader.is_ok() ? values : errors) += 1;
    }
  }
  EXPECT_GT(errors, 1000);
  EXPECT_GT(values, 50);
}

struct Bytes final : base::ErrorCause {
  std::string portable() const override { return {"by\0tes", 6}; }
};

TEST(ProcessWireTest, ErrorsComeBackWhole) {
  const base::Error error = base::Error(base::ErrorCode::kDataLoss, "what")
                                .with_context("where")
                                .with_id("PS0001")
                                .with_help("do this")
                                .with_trace("line 1\nline 2")
                                .with_cause(std::make_shared<const Bytes>());
  FrameBuffer frame;
  WireWriter(frame).put_error(error);
  const base::Error back = WireReader(bytes_of(frame.view())).get_error();
  EXPECT_EQ(back.code(), error.code());
  EXPECT_EQ(back.to_string(), "what (at where)");
  EXPECT_EQ(back.id(), "PS0001");
  EXPECT_EQ(back.help(), "do this");
  EXPECT_EQ(back.trace(), "line 1\nline 2");
  ASSERT_NE(back.cause(), nullptr);
  EXPECT_EQ(back.cause()->portable(), std::string("by\0tes", 6));
  WireWriter(frame).put_error({base::ErrorCode::kDataLoss, "what"});
  EXPECT_EQ(WireReader(bytes_of(frame.view())).get_error().cause(), nullptr);
}

constexpr const char* kTube = R"(
nodes:
  source: {type: test.source}
  one: {type: test.counter, depends: [x: source.value]}
  two: {type: test.echo, depends: [x: source.value]}
)";

TEST(PlacementTest, PinsStatesAndFillsTheLeastLoaded) {
  const auto plan = testing::compile(kTube).value();
  const std::int32_t two = plan->find_node("two");
  Placement placement(*plan, 2);
  EXPECT_NE(placement.pinned(plan->find_node("source")), placement.pinned(plan->find_node("one")));
  EXPECT_EQ(placement.pinned(two), Placement::kAny);
  // Nobody knows yet how long it takes: one each.
  EXPECT_EQ(placement.choose(two), 0);
  placement.sent(0, two);
  EXPECT_EQ(placement.choose(two), 1);
  placement.sent(1, two);
  EXPECT_EQ(placement.choose(two), Placement::kAny);
  // It turns out to be short: many each.
  for (int i = 0; i < 30; ++i) {
    placement.finished(0, two, 1000);
    placement.sent(0, two);
  }
  int more = 0;
  for (; placement.choose(two) == 0 && more < 1000; ++more) {
    placement.sent(0, two);
  }
  EXPECT_GT(more, 20);
  EXPECT_LT(more, 1000);
  placement.lost(0);
  EXPECT_TRUE(placement.has_room(0, two));
}

}  // namespace
}  // namespace penstock::exec
