#include "penstock/report/json_lines.h"

#include "penstock/base/out_of_memory.h"
#include "penstock/core/identity.h"

namespace penstock::report {

void JsonLines::send(JsonText* line) {
  sink_(line->take() + "\n");
}

void JsonLines::on_start(const flow::Plan& plan, const flow::RunInfo& info) {
  plan_ = &plan;
  info_ = info;
}

void JsonLines::on_result(std::int64_t root_epoch, const core::Value& value) {
  JsonText line;
  line.begin_object().integer_field("epoch", root_epoch).key("cid");
  const auto cid = core::cid(value);
  if (!cid.has_value()) {
    base::rethrow_out_of_memory(cid.error());
  }
  cid.has_value() ? line.text(cid->to_string()) : line.null();
  line.key("value");
  append_json(to_shown(value), options_, &line);
  send(&line.end_object());
}

void JsonLines::on_error(const base::Error& error) {
  JsonText line;
  line.begin_object().key("error").begin_object();
  append_error_fields(error, &line);
  send(&line.end_object().end_object());
}

void JsonLines::on_finish(const flow::RunSummary& summary, const flow::RunMetrics& metrics) {
  JsonText line;
  line.begin_object().key("summary").begin_object();
  append_summary_fields(*plan_, info_, summary, metrics, &line);
  send(&line.end_object().end_object());
}

}  // namespace penstock::report
