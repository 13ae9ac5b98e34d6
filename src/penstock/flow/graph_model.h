// A tube as a graph to be drawn: nodes, edges without duplicates, an order and layers.
//
// Immutable once made. Internal to the room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/flow/spec.h"

namespace penstock::flow {

enum class GraphKind : std::uint8_t { kOperator, kMap, kGather, kReturn, kTube, kInput, kAsset };

struct GraphNode {
  std::string id;     ///< of the node; "input.x" and "assets.x" for those
  std::string label;  ///< what is shown
  std::string type;   ///< second line of the label; may be empty
  GraphKind kind = GraphKind::kOperator;
  bool enabled = true;
  std::int32_t layer = 0;             ///< longest path from a node without producers
  std::vector<std::string> maps;      ///< it runs once per element of these, outermost first
  std::vector<std::int32_t> in, out;  ///< edges
};

/// One use of a producer's signal. Slot empty: by position. Signal empty: an input or asset.
struct GraphPart {
  std::string signal, slot;
};

struct GraphEdge {
  std::int32_t from = 0, to = 0;
  std::vector<GraphPart> parts;
  bool parameter = false;  ///< an input used in params or enabled, not an event

  /// "signal -> slot", several separated by ", "; the signal `value` goes without saying.
  std::string label() const;
};

struct GraphModel {
  std::vector<GraphNode> nodes;  ///< each after its producers
  std::vector<GraphEdge> edges;
};

GraphModel make_graph(const Spec& spec);

// One function per format.
std::string draw_ascii(const GraphModel& graph);
std::string draw_mermaid(const GraphModel& graph);
std::string draw_dot(const GraphModel& graph);
std::string draw_svg(const GraphModel& graph);

}  // namespace penstock::flow
