// See reuse.h.
#include "penstock/flow/reuse.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/core/host.h"
#include "penstock/flow/plan_bytes.h"

namespace penstock::flow {
namespace {

constexpr std::string_view kKey = "penstock-result-1";
constexpr std::size_t kMaxNotes = 20;

bool is_pattern(const std::string& path) {
  return path.find_first_of("*?[") != std::string::npos;
}

base::Result<core::Digest> digest_of_file(const std::string& path) {
  const auto failed = [&path] {
    return base::fail(base::ErrorCode::kNotFound,
                      fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return failed();
  }
  struct stat facts{};
  if (::fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    errno = S_ISDIR(facts.st_mode) ? EISDIR : errno;
    ::close(file);
    return failed();
  }
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size == 0) {
    ::close(file);
    return core::hash_bytes(std::string_view());
  }
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  if (at == MAP_FAILED) {
    return failed();
  }
  const core::Digest sum = core::hash_bytes({static_cast<const std::byte*>(at), size});
  ::munmap(at, size);
  return sum;
}

}  // namespace

base::Result<core::Digest> digest_of_files(const std::string& path) {
  if (!is_pattern(path)) {
    return digest_of_file(path);
  }
  glob_t found{};
  const int code = ::glob(path.c_str(), 0, nullptr, &found);
  std::string bytes;
  base::Status status;
  for (std::size_t i = 0; code == 0 && i < found.gl_pathc && status.has_value(); ++i) {
    const std::string name = found.gl_pathv[i];
    if (const auto sum = digest_of_file(name); sum.has_value()) {
      append_text(bytes, name);
      append_digest(bytes, *sum);
    } else {
      status = base::fail(sum.error());
    }
  }
  ::globfree(&found);
  PENSTOCK_RETURN_IF_ERROR(status);
  return core::hash_bytes(bytes);
}

std::string input_part_name(const PlanNode& node, std::size_t edge) {
  const core::Binding& binding = node.bindings[edge];
  return binding.name.empty() ? fmt::format("input {}", binding.position)
                              : fmt::format("input {}", binding.name);
}

KeyMaker::KeyMaker(const core::Digest& recipe) : bytes_(kKey) {
  append_digest(bytes_, recipe);
}

base::Status KeyMaker::add_input(std::string name, const core::Value& value,
                                 std::optional<core::Digest> digest) {
  append_text(bytes_, name);
  if (value.is_absent()) {
    append_int(bytes_, 0);
    parts_.push_back({std::move(name), "absent"});
    return {};
  }
  if (!digest) {
    PENSTOCK_ASSIGN_OR_RETURN(digest, core::digest(value));
  }
  append_digest(bytes_, *digest);
  // The digest of a long value is known; a short one is shown as it is.
  const bool is_long = value.kind() > core::Kind::kText;
  if (is_long) {
    parts_.push_back({std::move(name), digest->to_hex()});
    return {};
  }
  PENSTOCK_ASSIGN_OR_RETURN(core::Part part, core::part_of(std::move(name), value));
  parts_.push_back(std::move(part));
  return {};
}

void KeyMaker::add_known_input(std::string name, const core::Digest& digest) {
  append_text(bytes_, name);
  append_digest(bytes_, digest);
  parts_.push_back({std::move(name), digest.to_hex()});
}

base::Status KeyMaker::add_file(const std::string& slot, const std::string& path) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::Digest sum, digest_of_files(path));
  append_text(bytes_, slot);
  append_digest(bytes_, sum);
  parts_.push_back({"file " + slot, sum.to_hex()});
  return {};
}

core::Digest KeyMaker::key() const {
  return core::hash_bytes(bytes_);
}

base::Result<bool> Reuse::find(const RunState& state, const Task& task) {
  if (replayed_ && task.node != only_) {
    const std::int64_t epoch = state.epoch(task, path_);
    const auto call = replayed_->find({task.node, path_});
    fact_ = ReuseFact{.node = task.node, .root_epoch = epoch, .is_reused = true};
    if (call == replayed_->end() || !load(state, task, call->second)) {
      return base::fail(base::Error(base::ErrorCode::kNotFound,
                                    fmt::format("that run's result of '{}' is no longer kept",
                                                state.node_id(task.node)))
                            .with_id("PS0422"));
    }
    fact_.key = call->second;
    return true;
  }
  forget(task);
  auto pending = key_of(state, task);
  if (!pending) {
    return false;
  }
  fact_ = ReuseFact{.node = task.node,
                    .root_epoch = state.epoch(task, path_),
                    .is_reused = true,
                    .key = pending->key,
                    .parts = pending->parts};
  if (!replayed_ && load(state, task, pending->key)) {
    link_lineage(task, pending->key);
    return true;
  }
  pending_[{task.activation, task.node}] = std::move(*pending);
  return false;
}

bool Reuse::load(const RunState& state, const Task& task, const core::Digest& key) {
  const auto outputs = state.outputs(task);
  const auto kept = cache_->find(key);
  if (kept == nullptr || kept->num_outputs() != outputs.size()) {
    return false;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    auto value = kept->load(i);
    if (!value.has_value()) {
      for (core::Value& output : outputs) {
        output.reset();
      }
      return false;
    }
    outputs[i] = std::move(*value);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!kept->is_absent(i)) {
      remember(state, task, i, kept->digest(i));
    }
  }
  return true;
}

void Reuse::replay(std::int32_t only, KeptCalls calls) {
  only_ = only;
  replayed_ = std::move(calls);
}

std::optional<Reuse::Pending> Reuse::key_of(const RunState& state, const Task& task) {
  const NodeReuse& node = plan_.reuse()->nodes[static_cast<std::size_t>(task.node)];
  KeyMaker maker(node.recipe);
  if (const base::Status added = add_inputs(state, task, maker); !added.has_value()) {
    note(task.node, added.error());
    return std::nullopt;
  }
  Pending out{.key = maker.key(), .parts = node.parts};
  for (core::Part& part : maker.parts()) {
    out.parts.push_back(std::move(part));
  }
  return out;
}

base::Status Reuse::add_inputs(const RunState& state, const Task& task, KeyMaker& maker) {
  const PlanNode& node = plan_.nodes()[static_cast<std::size_t>(task.node)];
  const NodeReuse& reuse = plan_.reuse()->nodes[static_cast<std::size_t>(task.node)];
  const auto inputs = state.inputs(task, inputs_);
  const auto edges = plan_.input_edges(node);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::string name = input_part_name(node, i);
    const core::Value* value = inputs[i];
    core::Value native;
    std::optional<core::Digest> digest;
    if (!value->is_absent()) {
      PENSTOCK_ASSIGN_OR_RETURN(native, core::to_native(*value));
      value = &native;
      const auto* at = static_cast<const Activation*>(task.activation);
      for (std::int32_t up = edges[i].up; up > 0; --up) {
        at = at->parent;
      }
      PENSTOCK_ASSIGN_OR_RETURN(digest, digest_of(*at, edges[i].signal, native, state));
    }
    for (const core::FileInput& file : reuse.files) {
      if (file.path.empty() && node.bindings[i].name == file.slot && value->is(core::Kind::kText)) {
        PENSTOCK_RETURN_IF_ERROR(maker.add_file(file.slot, value->as_text()));
      }
    }
    PENSTOCK_RETURN_IF_ERROR(maker.add_input(std::move(name), *value, digest));
  }
  for (const core::FileInput& file : reuse.files) {
    if (!file.path.empty()) {
      PENSTOCK_RETURN_IF_ERROR(maker.add_file(file.slot, file.path));
    }
  }
  return {};
}

base::Result<core::Digest> Reuse::digest_of(const Activation& at, std::int32_t signal,
                                            const core::Value& value, const RunState& state) {
  // Short values cost less to digest than to look up.
  if (value.kind() <= core::Kind::kText) {
    return core::digest(value);
  }
  const std::int64_t epoch =
      state.epoch({.node = 0, .activation = const_cast<Activation*>(&at)}, path_);
  auto& known = digests_[epoch];
  const auto key = std::pair(path_, signal);
  if (const auto found = known.find(key); found != known.end()) {
    return found->second;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const core::Digest sum, core::digest(value));
  known.emplace(key, sum);
  return sum;
}

void Reuse::remember(const RunState& state, const Task& task, std::size_t output,
                     const core::Digest& digest) {
  const PlanNode& node = plan_.nodes()[static_cast<std::size_t>(task.node)];
  const std::int64_t epoch = state.epoch(task, path_);
  digests_[epoch].insert_or_assign(
      std::pair(path_, node.first_signal + static_cast<std::int32_t>(output)), digest);
}

bool Reuse::keep(const RunState& state, const Task& task, std::int64_t took_ns) {
  const auto found = pending_.find({task.activation, task.node});
  if (found == pending_.end()) {
    return false;
  }
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  const PlanNode& node = plan_.nodes()[static_cast<std::size_t>(task.node)];
  fact_ = ReuseFact{.node = task.node,
                    .root_epoch = state.epoch(task, path_),
                    .is_reused = false,
                    .key = pending.key,
                    .parts = pending.parts};
  std::vector<core::Value> outputs;
  for (const core::Value& output : state.outputs(task)) {
    if (output.is_absent()) {
      outputs.emplace_back();
      continue;
    }
    auto native = core::to_native(output);
    if (!native.has_value()) {
      note(task.node, native.error());
      return true;
    }
    outputs.push_back(std::move(*native));
  }
  const KeptFacts facts{.node = node.id,
                        .type = node.type,
                        .made_us = base::unix_us(),
                        .took_ns = took_ns,
                        .parts = pending.parts};
  const auto digests = cache_->keep(pending.key, facts, outputs);
  if (digests.has_value()) {
    for (std::size_t i = 0; i < digests->size(); ++i) {
      if (!outputs[i].is_absent()) {
        remember(state, task, i, (*digests)[i]);
      }
    }
    link_lineage(task, pending.key);
  } else {
    note(task.node, digests.error());
  }
  // Whoever comes next gets what the file will give: a list, say, not a subclass that it was.
  std::ranges::move(outputs, state.outputs(task).begin());
  return true;
}

void Reuse::link_lineage(const Task& task, const core::Digest& key) {
  const auto& lineage = plan_.reuse()->nodes[static_cast<std::size_t>(task.node)].lineage;
  if (lineage) {
    cache_->also_under(*lineage, key);
  }
}

void Reuse::given(const Task& task) {
  const NodeReuse& node = plan_.reuse()->nodes[static_cast<std::size_t>(task.node)];
  fact_ = ReuseFact{.node = task.node,
                    .root_epoch = static_cast<const Activation*>(task.activation)->epoch,
                    .is_reused = true,
                    .key = node.lineage.value_or(core::Digest()),
                    .parts = node.parts};
}

void Reuse::note(std::int32_t node, const base::Error& why) {
  if (++num_notes_ <= kMaxNotes) {
    notes_.emplace_back(node, "not kept: " + why.message());
  }
}

void Reuse::end_run() {
  pending_.clear();
  digests_.clear();
  cache_->prune_if_due();
}

}  // namespace penstock::flow
