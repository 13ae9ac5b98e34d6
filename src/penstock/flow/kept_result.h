// KeptResult: the outputs of one call in one file, mapped when read. docs/formats/kept-result.md.
//
// Values are written in the transport encoding, which keeps the order of maps; long buffers lie
// apart, aligned, and are used where they lie. Every part carries a digest that is verified before
// it is used, so a damaged file is no result and never a wrong one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"

namespace penstock::flow {

/// What a kept result tells of itself.
struct KeptFacts {
  std::string node, type;
  std::int64_t made_us = 0;       ///< unix time
  std::int64_t took_ns = 0;       ///< the call
  std::vector<core::Part> parts;  ///< all it depends on, inputs too
};

/// Immutable, thread-safe.
class KeptResult {
 public:
  /// Maps the file. kNotFound when it is not there, kDataLoss when it is damaged or of another
  /// version.
  static base::Result<std::shared_ptr<const KeptResult>> open(const std::string& path);
  /// The same of a file's bytes; kept alive by the result and by what it loads.
  static base::Result<std::shared_ptr<const KeptResult>> from_bytes(
      std::shared_ptr<const core::Buffer> file);

  const KeptFacts& facts() const { return facts_; }
  std::size_t num_outputs() const { return outputs_.size(); }
  bool is_absent(std::size_t output) const { return outputs_[output].header.empty(); }
  /// Of the value (core::digest); zero for an absent one.
  const core::Digest& digest(std::size_t output) const { return outputs_[output].digest; }
  /// The value; absent where there was none. kDataLoss when its bytes are damaged.
  base::Result<core::Value> load(std::size_t output) const;
  std::int64_t size_bytes() const;

 private:
  struct Part {
    std::int64_t offset = 0, size = 0;  ///< in the file, from where the buffers begin
    core::Digest digest;
  };
  struct Output {
    core::Digest digest;
    std::string header;
    std::vector<Part> buffers;
  };

  KeptResult() = default;
  base::Status read_head(const core::Value& head);

  std::shared_ptr<const core::Buffer> file_;
  std::int64_t first_buffer_ = 0;
  KeptFacts facts_;
  std::vector<Output> outputs_;
};

/// The bytes of a KeptResult in pieces to be written one after the other.
class KeptResultBytes {
 public:
  /// Native values (core::to_native), absent ones among them. kInvalidArgument for one that cannot
  /// be encoded.
  static base::Result<KeptResultBytes> encode(const KeptFacts& facts,
                                              std::span<const core::Value> outputs);

  std::int64_t size_bytes() const { return size_bytes_; }
  std::span<const core::Digest> digests() const { return digests_; }
  /// Creates `path`, which must not be there. Not synced: after a crash the file may be damaged,
  /// which shows when it is read.
  base::Status write(const std::string& path) const;

 private:
  std::string head_;
  std::vector<core::Message> messages_;  ///< hold the buffers
  std::vector<core::Digest> digests_;
  std::int64_t size_bytes_ = 0;
};

}  // namespace penstock::flow
