// Entry points of the reader: files, the top level of a tube, plain YAML documents.
#include "penstock/flow/spec_yaml.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/folder.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/core/operator.h"
#include "penstock/flow/spec_reader.h"
#include "penstock/flow/spec_sources.h"
#include "penstock/flow/yaml_check.h"
#include "penstock/flow/yaml_problems.h"
#include "penstock/flow/yaml_reader.h"

namespace penstock::flow {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// `nodes` may hold a million entries: each is read, converted and forgotten.
void read_nodes(YamlReader& reader, SpecReader& out) {
  std::vector<std::int32_t> merges;
  reader.enter_map();
  while (const auto id = reader.next_key()) {
    const std::int32_t value = reader.read();
    if (value < 0) {
      return;
    }
    if (id->merge) {
      reader.pin();
      merges.push_back(value);
    } else {
      out.read_node(reader.tree(), id->text, id->mark, value);
    }
    reader.release();
  }
  for (const std::int32_t merge : merges) {
    out.merge_nodes(reader.tree(), merge);
  }
}

void read_tube(YamlReader& reader, SpecReader& out, Problems& problems) {
  if (!reader.open()) {
    if (!reader.failed()) {
      problems.add({}, "PS0012", "the text is empty, wanted a map with the key 'nodes'",
                   "'penstock run hello' shows a first tube; see docs/formats/tube.md");
    }
    return;
  }
  const bool streamed = reader.at_open_map();
  if (!reader.at_map()) {
    const std::int32_t root = reader.read();
    if (root >= 0) {
      problems.add(reader.tree()[root].mark, "PS0012",
                   fmt::format("the tube is {}, wanted a map with the key 'nodes'",
                               reader.tree().describe(root)));
      reader.close();
    }
    return;
  }
  reader.enter_map();
  std::vector<std::int32_t> merges;
  while (const auto key = reader.next_key()) {
    if (key->merge) {
      reader.pin();
      merges.push_back(reader.read());
      continue;
    }
    if (!out.claim_key(key->text, key->mark)) {
      reader.read();
      continue;
    }
    if (key->text == "nodes" && streamed && reader.at_open_map()) {
      read_nodes(reader, out);
      continue;
    }
    const std::int32_t value = reader.read();
    if (value >= 0) {
      out.read_entry(reader.tree(), key->text, key->mark, value);
    }
  }
  for (const std::int32_t merge : merges) {
    if (merge >= 0) {
      out.merge_top(reader.tree(), merge);
    }
  }
  reader.close();
}

base::Result<std::string> read_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return base::fail(base::ErrorCode::kInvalidArgument, "is a folder, wanted a file");
  }
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return base::fail(missing ? base::ErrorCode::kNotFound : base::ErrorCode::kInvalidArgument,
                      missing ? "does not exist" : std::strerror(errno));
  }
  std::string text;
  std::vector<char> buffer(std::size_t{1} << 16U);
  if (const auto size = std::filesystem::file_size(path, ignored); !ignored) {
    text.reserve(std::min<std::size_t>(size, kMaxTextBytes) + 1);
  }
  std::size_t got = 0;
  while (text.size() <= kMaxTextBytes &&
         (got = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    text.append(buffer.data(), got);
  }
  if (std::ferror(file.get()) != 0) {
    return base::fail(base::ErrorCode::kInvalidArgument, "cannot be read");
  }
  return text;
}

/// Names of tube files beside `path`, for "did you mean".
std::string nearest_file(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path wanted(path);
  const fs::path folder = wanted.has_parent_path() ? wanted.parent_path() : fs::path(".");
  std::vector<std::string> names;
  const auto entries = base::list_folder(folder.string());
  for (std::size_t i = 0; entries.has_value() && i < entries->size(); ++i) {
    if (is_tube_file((*entries)[i].name)) {
      names.push_back((*entries)[i].name);
    }
  }
  const std::string name = core::nearest_name(wanted.filename().string(), names);
  return name.empty() ? name : (wanted.parent_path() / name).string();
}

bool nests_deeper_than(const core::Value& value, int limit) {
  const bool is_list = value.is(core::Kind::kList) || value.is(core::Kind::kTuple);
  if (!is_list && !value.is(core::Kind::kMap)) {
    return false;
  }
  if (limit <= 0) {
    return true;
  }
  return is_list ? std::ranges::any_of(value.as_list(),
                                       [limit](const core::Value& item) {
                                         return nests_deeper_than(item, limit - 1);
                                       })
                 : std::ranges::any_of(value.as_map(), [limit](const core::MapEntry& entry) {
                     return nests_deeper_than(entry.second, limit - 1);
                   });
}

// Shorter nodes than this are rare. Room that is not used is never touched, so it costs nothing.
constexpr std::size_t kBytesPerNode = 48;

ParsedSpec parse_owned(std::string text, std::string file) {
  ParsedSpec out;
  const auto source = std::make_shared<const std::string>(std::move(text));
  Problems problems(*source, file);
  out.spec.file = std::move(file);
  if (!check_text(*source, problems)) {
    out.diagnostics = problems.take_without_excerpts();
    return out;
  }
  out.spec.source = source;
  out.spec.nodes.reserve(source->size() / kBytesPerNode);
  YamlReader reader(*out.spec.source, problems);
  SpecReader spec_reader(out.spec, problems);
  read_tube(reader, spec_reader, problems);
  spec_reader.finish();
  out.whole = !reader.failed();
  out.diagnostics = problems.take();
  return out;
}

}  // namespace

ParsedSpec parse_spec_partly(std::string_view text, std::string file) try {
  return parse_owned(std::string(text), std::move(file));
} catch (const std::bad_alloc&) {
  ParsedSpec out;
  out.diagnostics = out_of_memory_diagnostics();
  return out;
}

std::expected<Spec, Diagnostics> parse_spec(std::string_view text, std::string file) try {
  ParsedSpec parsed = parse_spec_partly(text, std::move(file));
  if (!parsed.diagnostics.empty()) {
    return std::unexpected(std::move(parsed.diagnostics));
  }
  return std::move(parsed.spec);
} catch (const std::bad_alloc&) {
  return std::unexpected(out_of_memory_diagnostics());
}

ParsedSpec load_spec_partly(const std::string& path) try {
  auto text = read_file(path);
  if (text.has_value()) {
    return parse_owned(*std::move(text), path);
  }
  ParsedSpec out;
  out.spec.file = path;
  Diagnostic problem;
  problem.id = "PS0004";
  problem.message = fmt::format("tube file '{}' {}", path, text.error().message());
  if (const std::string guess = nearest_file(path); !guess.empty()) {
    problem.help = fmt::format("did you mean '{}'?", guess);
  }
  out.diagnostics.push_back(std::move(problem));
  return out;
} catch (const std::bad_alloc&) {
  ParsedSpec out;
  out.diagnostics = out_of_memory_diagnostics();
  return out;
}

std::expected<Spec, Diagnostics> load_spec(const std::string& path) try {
  ParsedSpec parsed = load_spec_partly(path);
  if (!parsed.diagnostics.empty()) {
    return std::unexpected(std::move(parsed.diagnostics));
  }
  return std::move(parsed.spec);
} catch (const std::bad_alloc&) {
  return std::unexpected(out_of_memory_diagnostics());
}

std::expected<core::Value, Diagnostics> parse_yaml(std::string_view text, std::string file) try {
  Problems problems(text, std::move(file));
  if (!check_text(text, problems)) {
    return std::unexpected(problems.take_without_excerpts());
  }
  core::Value value = core::Value::null();
  YamlReader reader(text, problems);
  if (reader.open()) {
    const std::int32_t root = reader.read();
    reader.close();
    if (root >= 0 && problems.empty()) {
      value = reader.tree().to_value(root);
    }
  }
  if (!problems.empty()) {
    return std::unexpected(problems.take());
  }
  return value;
} catch (const std::bad_alloc&) {
  return std::unexpected(out_of_memory_diagnostics());
}

std::expected<Spec, Diagnostics> spec_from_value(const core::Value& tube, std::string file) try {
  Spec spec;
  spec.file = file;
  Problems problems({}, std::move(file));
  if (!tube.is(core::Kind::kMap)) {
    problems.add({}, "PS0012",
                 fmt::format("the tube is {}, wanted a map with the key 'nodes'",
                             core::to_string(tube.kind())));
    return std::unexpected(problems.take());
  }
  if (nests_deeper_than(tube, YamlReader::kMaxDepth)) {
    problems.add({}, "PS0005",
                 fmt::format("nesting is deeper than {} levels", YamlReader::kMaxDepth));
    return std::unexpected(problems.take());
  }
  YamlTree tree;
  SpecReader reader(spec, problems);
  for (const auto& [key, value] : tube.as_map()) {
    reader.read_entry(tree, key, {}, tree.add_value(value));
  }
  reader.finish();
  if (!problems.empty()) {
    return std::unexpected(problems.take());
  }
  return spec;
} catch (const std::bad_alloc&) {
  return std::unexpected(out_of_memory_diagnostics());
}

}  // namespace penstock::flow
