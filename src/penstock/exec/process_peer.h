// Peer: one worker process as its run sees it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"
#include "penstock/exec/channel_link.h"
#include "penstock/exec/process_child.h"
#include "penstock/exec/process_fd.h"

namespace penstock::exec {

/// What every worker of a run is started with.
struct PeerSetup {
  std::vector<std::string> command;
  UniqueFd plan;  ///< memfd
  std::int64_t plan_bytes = 0;
  core::Digest plan_digest;
  std::int64_t ring_bytes = 0;
  UniqueFd bell;  ///< the run's, rung by all workers
};

/// Owner thread only.
class Peer {
 public:
  enum class State : std::uint8_t { kStarting, kReady, kGone };

  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  /// Starts a process; it is kStarting until its kReady frame comes, and takes frames already.
  /// `worker` counts from 1.
  static base::Result<std::unique_ptr<Peer>> start(const PeerSetup& setup, std::int32_t worker);

  State state() const { return state_; }
  void set_ready();
  Link& link() { return link_; }
  Child& child() { return child_; }

  /// Slots (or kNoSlot for a replay) in the order they were sent; the first is running.
  const std::deque<std::uint32_t>& in_flight() const { return in_flight_; }
  void push(std::uint32_t slot);
  /// Takes the first one off: workers answer in order.
  void pop();
  /// When the first in flight began, at the latest; for the timeout. 0: nothing runs.
  std::int64_t front_since_ns() const { return front_since_ns_; }
  std::int64_t started_ns() const { return started_ns_; }

  /// Kills and reaps. What it has written stays readable.
  void kill();
  /// Asks it to end.
  void ask_to_stop();

 private:
  Peer(Child child, std::unique_ptr<Channel> channel, UniqueFd socket, UniqueFd bell,
       UniqueFd life_line);

  Child child_;
  UniqueFd bell_;       ///< the worker sleeps on it
  UniqueFd life_line_;  ///< closes with this process, and then the kernel kills the worker
  Link link_;
  State state_ = State::kStarting;
  std::deque<std::uint32_t> in_flight_;
  std::int64_t front_since_ns_ = 0;
  std::int64_t started_ns_;
};

}  // namespace penstock::exec
