#include "penstock/flow/graph_scheduler.h"

#include <algorithm>
#include <numeric>

namespace penstock::flow {

GraphScheduler::GraphScheduler(std::size_t num_nodes, std::span<const Edge> edges)
    : consumer_begin_(num_nodes + 2),
      consumers_(edges.size()),
      initial_(num_nodes),
      ready_(num_nodes + 1) {
  // Rows by counting: entry i + 2 counts row i, and is then where the next item of row i + 1 goes.
  for (const Edge& edge : edges) {
    ++consumer_begin_[static_cast<std::size_t>(edge.predecessor) + 2];
    ++initial_[static_cast<std::size_t>(edge.node)];
  }
  std::partial_sum(consumer_begin_.begin(), consumer_begin_.end(), consumer_begin_.begin());
  for (const Edge& edge : edges) {
    const std::int32_t place = consumer_begin_[static_cast<std::size_t>(edge.predecessor) + 1]++;
    consumers_[static_cast<std::size_t>(place)] = static_cast<std::uint32_t>(edge.node) << 1 | 1U;
  }
  for (std::size_t node = 0; node < num_nodes; ++node) {
    if (initial_[node] == 0) {
      ready_[num_sources_++] = static_cast<std::int32_t>(node);
    }
  }
  reset();
}

void GraphScheduler::reset() {
  remaining_ = initial_;
  num_ready_ = num_sources_;
  head_ = 0;
  num_left_ = initial_.size();
}

std::vector<std::int32_t> GraphScheduler::find_cycle(std::span<const Edge> edges) {
  reset();
  for (std::size_t i = 0; i < num_ready_; ++i) {
    complete(ready_[i]);
  }
  std::vector<std::int32_t> walk;
  if (!is_complete()) {
    // Who waits, waits for somebody who waits: a walk comes back to where it was.
    std::vector<std::int32_t> waits_for(num_nodes(), -1);
    for (const Edge& edge : edges) {
      std::int32_t& first = waits_for[static_cast<std::size_t>(edge.node)];
      if (first < 0 && num_missing(edge.predecessor) != 0) {
        first = edge.predecessor;
      }
    }
    std::vector<std::int32_t> place(num_nodes(), -1);
    std::int32_t node = 0;
    while (num_missing(node) == 0) {
      ++node;
    }
    while (place[static_cast<std::size_t>(node)] < 0) {
      place[static_cast<std::size_t>(node)] = static_cast<std::int32_t>(walk.size());
      walk.push_back(node);
      node = waits_for[static_cast<std::size_t>(node)];
    }
    walk.erase(walk.begin(), walk.begin() + place[static_cast<std::size_t>(node)]);
    std::ranges::reverse(walk);
  }
  reset();
  return walk;
}

}  // namespace penstock::flow
