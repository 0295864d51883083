// RequestHead: the fields of one header block, made into the head of a request as the rest of the daemon knows it.
//
// What HTTP/2 asks of a request is judged here (RFC 9113, sections 8.2 and 8.3): pseudo-fields once each and before all others,
// names in lower case, no fields about connections, one authority. It is laid out as HTTP/1 would send it,
// "GET /path HTTP/2.0", so that heads are compared, kept and shown by the same code whichever protocol brought them. So the CONNECT
// by which a client asks to go on in another protocol (RFC 8441) is a GET with an Upgrade field, which no request of HTTP/2's can
// have of its own. A head that is too large is read to its end, since the table must follow, but nothing of it is kept.
//
// One is shared by all sessions of a worker: it is used from the first field of a block to finish(), in one go, and what it made
// is good until the next one. Trailers are read by the same rules, with begin_trailers().
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/limits.h"
#include "http/refusal.h"
#include "http2/field_table.h"

namespace leat::http2 {

class RequestHead {
 public:
  // `tunnels`: it may ask for another protocol.
  void begin(const http::Limits& limits, bool tunnels = false) { reset(limits, false, tunnels); }
  void begin_trailers(const http::Limits& limits) { reset(limits, true, false); }

  // The next field, in order. Whether it is one that may stand in a request, as far as it alone says.
  bool field(const TableField& field);

  // All have come. `ends`: nothing follows the block, no body.
  void finish(bool ends);

  // It is no request at all (section 8.1.1): why; null where it is one.
  [[nodiscard]] const char* malformed() const { return malformed_; }
  // It is one that is not served. Not where it is malformed.
  [[nodiscard]] const http::Refusal& refusal() const { return refusal_; }
  // So much larger than it may be that nobody means it.
  [[nodiscard]] bool absurd() const {
    return bytes_ > 2 * uint64_t{most_bytes_} || count_ > 2 * uint64_t{most_fields_};
  }

  // Its views are of text() and slots().
  [[nodiscard]] const http::Head& head() const { return head_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::span<const http::HeaderSlot> slots() const { return slots_; }
  // It says how long its body is.
  [[nodiscard]] bool has_length() const { return has_length_; }
  // It asks to go on in another protocol, which is the value of its Upgrade field.
  [[nodiscard]] bool connects() const { return protocol_.given; }
  // The value of its priority field (RFC 9218); empty where there is none.
  [[nodiscard]] std::string_view priority() const { return head_.view(priority_); }

 private:
  // A pseudo-field, each of which comes once at most.
  struct Pseudo {
    std::string text;
    bool given = false;
    void reset() {
      text.clear();
      given = false;
    }
  };

  void reset(const http::Limits& limits, bool trailers, bool tunnels);
  bool pseudo_field(const TableField& field);
  bool judge(const TableField& field);
  void take(const TableField& field);
  void write_line(std::string_view name, http::HeaderId id, std::string_view value);
  void begin_fields();
  [[nodiscard]] std::string_view method_text() const;
  void check_connect();
  void check_target();
  void set_malformed(const char* why) {
    if (malformed_ == nullptr) malformed_ = why;
  }
  void refuse(uint16_t status, std::string_view detail) {
    if (!refusal_) refusal_ = {status, detail};
  }
  [[nodiscard]] bool keeps() const { return malformed_ == nullptr && !refusal_; }

  http::Head head_;
  std::string text_;
  std::vector<http::HeaderSlot> slots_;
  Pseudo method_, scheme_, authority_, path_, protocol_;
  std::string cookie_;
  http::Span priority_;
  const char* malformed_ = nullptr;
  http::Refusal refusal_;
  uint64_t bytes_ = 0;  // as a table would count
  uint32_t count_ = 0;
  uint32_t most_bytes_ = 0, most_fields_ = 0, most_path_ = 0;
  bool trailers_ = false;
  bool tunnels_ = false;
  bool fields_ = false;  // the pseudo-fields are over
  bool has_length_ = false;
};

}  // namespace leat::http2
