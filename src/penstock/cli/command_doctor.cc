// penstock doctor: versions, backend, what the machine offers and what is missing.
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/machine.h"
#include "penstock/base/version.h"
#include "penstock/cli/commands.h"
#include "penstock/cli/python.h"
#include "penstock/flow/history.h"
#include "penstock/flow/packs.h"
#include "penstock/report/json_text.h"

namespace penstock::cli {
namespace {

struct Finding {
  std::string name, value;
  bool ok = true;
};

/// The widest instruction set of this machine that libraries of ours use.
std::string simd_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
    return "AVX-512";
  }
  return __builtin_cpu_supports("avx2") ? "AVX2" : "SSE2 (AVX2 is required)";
#else
  return "portable";
#endif
}

std::vector<Finding> findings(const CliHost& host) {
  std::vector<Finding> out;
  out.push_back({"version", std::string(base::version())});
  out.push_back({"backend", "native"});
  const std::string simd = simd_level();
  out.push_back({"simd", simd, !simd.starts_with("SSE2")});
  out.push_back({"cores", std::to_string(base::num_usable_cores())});
  utsname system{};
  if (uname(&system) == 0) {
    out.push_back(
        {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)});
  }
  out.push_back({"library", flow::library_folder()});
  if (host.has_python) {
    out.push_back({"python", host.python_version});
  } else {
    const std::string python = find_python();
    out.push_back(
        {"python",
         python.empty() ? "none that has penstock; tubes with Python nodes cannot run" : python,
         !python.empty()});
  }
  for (const std::string_view name : flow::pack_names()) {
    const auto pack = flow::load_pack(name);
    out.push_back({fmt::format("pack {}", name),
                   pack.has_value()
                       ? fmt::format("{} operators", (*pack)->entries().size())
                       : fmt::format("{}; {}", pack.error().message(), pack.error().help()),
                   pack.has_value()});
  }
  const std::string home = flow::user_data_folder();
  const auto history = flow::History::open(home);
  out.push_back(
      {"history", history.has_value() ? home : history.error().message(), history.has_value()});
  return out;
}

}  // namespace

int doctor(const DoctorCommand& command, Session& session) {
  const std::vector<Finding> all = findings(session.host);
  const bool ok = std::ranges::all_of(all, &Finding::ok);
  if (command.json) {
    report::JsonText json;
    json.begin_object();
    for (const Finding& finding : all) {
      json.key(finding.name).text(finding.value);
    }
    json.key("ok").boolean(ok).end_object();
    session.terminal.out(json.take());
    return ok ? kOk : kCheckFailed;
  }
  for (const Finding& finding : all) {
    session.terminal.out(fmt::format("{} {:<11}  {}", finding.ok ? "ok     " : "missing",
                                     finding.name, finding.value));
  }
  return ok ? kOk : kCheckFailed;
}

}  // namespace penstock::cli
