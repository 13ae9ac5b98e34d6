#include "penstock/base/breaker.h"

namespace penstock::base {

bool Breaker::allows(std::int64_t now_ns) {
  if (state_ == State::kOpen && now_ns >= retry_at_ns_) {
    state_ = State::kHalfOpen;
    sent_ = good_ = 0;
  }
  if (state_ != State::kHalfOpen) {
    return state_ == State::kClosed;
  }
  if (sent_ == options_.probes) {
    return false;
  }
  ++sent_;
  return true;
}

void Breaker::succeeded() {
  // A call that was let through before it opened says nothing about now.
  if (state_ == State::kClosed) {
    failures_ = 0;
  } else if (state_ == State::kHalfOpen && ++good_ >= options_.probes) {
    state_ = State::kClosed;
    failures_ = 0;
  }
}

void Breaker::failed(std::int64_t now_ns) {
  if (state_ == State::kClosed) {
    ++failures_;
  }
  if (state_ == State::kHalfOpen || (state_ == State::kClosed && failures_ >= options_.failures)) {
    open(now_ns);
  }
}

void Breaker::open(std::int64_t now_ns) {
  state_ = State::kOpen;
  retry_at_ns_ = now_ns + options_.open_ms * 1'000'000;
}

}  // namespace penstock::base
