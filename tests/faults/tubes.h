// Tubes for the scenarios, and the native types they use.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "penstock/flow/plan.h"

namespace penstock::faults {

/// The test.* operators of flow/test_operators.h, test.flaky (fails once per process and epoch),
/// test.text (a text of 100 letters), test.dear (keeps its results) and the asset test.box.
std::span<const flow::Resolver* const> resolvers();

/// Boxes that are held and not let go. Zero when no run is going on.
std::int64_t boxes_held();
/// From here on none is held; test.flaky fails again.
void reset_types();

std::shared_ptr<const flow::Plan> plan_of(std::string_view yaml);

void write_file(const std::string& path, std::string_view text);

inline constexpr std::string_view kWholeTube = R"(
noob_id: whole
description: a bit of everything
input:
  x: {type: int, scope: process, default: 3}
  y: {type: int, scope: tube, default: 4}
nodes:
  count: {type: test.count, params: {limit: 6}}
  range: {type: test.range, depends: [n: count.value]}
  each: {type: map, depends: [range.value]}
  odd: {type: test.odd, depends: [value: each.value], retry: {attempts: 3, backoff_ms: 1}}
  add: {type: test.add, depends: [a: odd.value, b: input.x]}
  all: {type: gather, depends: [add.value]}
  total: {type: test.sum_so_far, depends: [value: count.value]}
  out: {type: return, depends: [all: all.value, total: total.value]}
)";

inline constexpr std::string_view kBadTube = R"(
nodes:
  a: {type: sum, depnds: [b]}
  a: {type: sum}
  1b: {type: max, params: &p {x: *nowhere}}
  c: {type: return, depends: [x: .value, x: b.value]}
extra: 3
)";

inline constexpr std::string_view kBaseTube = R"(
noob_id: base
nodes:
  count: {type: test.count, params: {limit: 3}}
  add: {type: test.add, depends: [a: count.value, b: count.value]}
  out: {type: return, depends: [add.value]}
)";

inline constexpr std::string_view kChildTube = R"(
extends: [base.yaml]
nodes:
  count: {params: {limit: 5}}
  more: {type: test.add, depends: [a: add.value, b: count.value]}
  out: {type: return, depends: [more.value]}
)";

inline constexpr std::string_view kInnerTube = R"(
noob_id: inner
input:
  word: {type: int, scope: process}
nodes:
  twice: {type: test.add, depends: [a: input.word, b: input.word]}
  out: {type: return, depends: [big: twice.value, plain: input.word]}
)";

inline constexpr std::string_view kOuterTube = R"(
nodes:
  count: {type: test.count, params: {limit: 4}}
  sub: {type: tube, depends: [word: count.value], params: {tube: inner.yaml}}
  out: {type: return, depends: [big: sub.big, plain: sub.plain]}
)";

inline constexpr std::string_view kAssetTube = R"(
assets:
  box: {type: test.box, scope: runner}
  fresh: {type: test.box, scope: process}
  own: {type: test.box, scope: node}
nodes:
  count: {type: test.count, params: {limit: 3}}
  put: {type: test.put, depends: [box: assets.box, value: count.value]}
  see: {type: test.put, depends: [box: assets.fresh, value: put.value]}
  own: {type: test.put, depends: [box: assets.own, value: see.value]}
  out: {type: return, depends: [own.value]}
)";

inline constexpr std::string_view kFlakyTube = R"(
nodes:
  count: {type: test.count, params: {limit: 3}}
  flaky: {type: test.flaky, depends: [value: count.value], retry: {attempts: 4, backoff_ms: 1}, timeout_ms: 60000}
  out: {type: return, depends: [flaky.value]}
)";

inline constexpr std::string_view kDearTube = R"(
input:
  x: {type: int, scope: process, default: 3}
nodes:
  dear: {type: test.dear, depends: [value: input.x]}
  more: {type: test.dear, depends: [value: dear.value]}
  out: {type: return, depends: [more.value]}
)";

}  // namespace penstock::faults
