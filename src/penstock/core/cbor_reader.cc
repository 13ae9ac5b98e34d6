#include "penstock/core/cbor_reader.h"

#include "penstock/core/value.h"

namespace penstock::core {

bool CborReader::fail_head(const CborHead& head) {
  if (head.info > 27) {
    return fail(head.info == 31 ? "indefinite length, wanted a definite one"
                                : "reserved additional information in an item's first byte");
  }
  if (remaining() < (std::uint64_t{1} << (head.info - 24))) {
    return fail("input ends inside an item");
  }
  if (head.major == CborMajor::kSimple) {
    return fail(head.info == 24 ? "simple value other than false, true and null"
                                : "float shorter than 64 bits");
  }
  return fail("integer or length is not in its shortest form");
}

bool CborReader::text(std::string_view& out) {
  CborHead item;
  if (!head_of(CborMajor::kText, item, "wanted a text string")) {
    return false;
  }
  out = take(item.argument);
  return is_valid_utf8(out) || fail("text is not valid UTF-8");
}

bool CborReader::bytes(std::string_view& out) {
  CborHead item;
  if (!head_of(CborMajor::kBytes, item, "wanted a byte string")) {
    return false;
  }
  out = take(item.argument);
  return true;
}

bool CborReader::array(std::uint64_t& count) {
  CborHead item;
  if (!head_of(CborMajor::kArray, item, "wanted a list")) {
    return false;
  }
  count = item.argument;
  return true;
}

bool CborReader::array_of(std::uint64_t count) {
  std::uint64_t seen = 0;
  return array(seen) &&
         (seen == count || fail("list of the wrong length: wanted=" + std::to_string(count) +
                                " seen=" + std::to_string(seen)));
}

bool CborReader::unsigned_integer(std::uint64_t& out) {
  CborHead item;
  if (!head_of(CborMajor::kUnsigned, item, "wanted an unsigned integer")) {
    return false;
  }
  out = item.argument;
  return true;
}

bool CborReader::fail(const std::string& what, base::ErrorCode code) {
  if (!error_.has_value()) {
    error_.emplace(code, "invalid encoding: " + what + ": offset=" + std::to_string(offset()));
  }
  return false;
}

bool CborReader::fail(base::Error error) {
  if (!error_.has_value()) {
    error_.emplace(std::move(error));
  }
  return false;
}

bool CborReader::fail_length(std::uint64_t argument) {
  return fail("length beyond the input: length=" + std::to_string(argument) +
              " remaining=" + std::to_string(remaining()));
}

}  // namespace penstock::core
