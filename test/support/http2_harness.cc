#include "support/http2_harness.h"

#include <algorithm>

#include "base/check.h"

namespace leat::test {

namespace {

std::string code_name(uint32_t code) {
  constexpr std::string_view kNames[] = {"NO_ERROR",
                                         "PROTOCOL_ERROR",
                                         "INTERNAL_ERROR",
                                         "FLOW_CONTROL_ERROR",
                                         "SETTINGS_TIMEOUT",
                                         "STREAM_CLOSED",
                                         "FRAME_SIZE_ERROR",
                                         "REFUSED_STREAM",
                                         "CANCEL",
                                         "COMPRESSION_ERROR",
                                         "CONNECT_ERROR",
                                         "ENHANCE_YOUR_CALM",
                                         "INADEQUATE_SECURITY",
                                         "HTTP_1_1_REQUIRED"};
  return code < std::size(kNames) ? std::string(kNames[code]) : std::to_string(code);
}

struct FieldSink {
  std::string status = "-";
  std::string lines;
  bool field(const http2::TableField& field) {
    if (field.name == ":status") status = field.value;
    lines.append(field.name).append(": ").append(field.value).append("\n");
    return true;
  }
};

}  // namespace

std::vector<H2Frame> read_frames(std::string_view bytes) {
  std::vector<H2Frame> frames;
  while (!bytes.empty()) {
    ENSURE(bytes.size() >= http2::kFrameHeader);
    const http2::FrameHeader header = http2::read_frame_header(bytes.data());
    ENSURE(bytes.size() >= http2::kFrameHeader + header.size && header.size <= http2::kMostPayload);
    frames.push_back({header, std::string(bytes.substr(http2::kFrameHeader, header.size))});
    bytes.remove_prefix(http2::kFrameHeader + header.size);
  }
  return frames;
}

std::string H2Reader::read(std::string_view bytes) {
  std::string text;
  for (const H2Frame& frame : read_frames(bytes)) text += (text.empty() ? "" : " ") + describe(frame);
  return text;
}

std::string H2Reader::body(uint32_t stream) const {
  std::string whole;
  for (const auto& [of, piece] : bodies_)
    if (of == stream) whole += piece;
  return whole;
}

std::string H2Reader::describe(const H2Frame& frame) {
  const auto& [header, payload] = frame;
  const std::string stream = std::to_string(header.stream);
  const std::string end = header.has(http2::flag::kEndStream) ? "." : "";
  switch (static_cast<http2::FrameType>(header.type)) {
    case http2::FrameType::Settings:
      return header.has(http2::flag::kAck) ? "S+" : "S";
    case http2::FrameType::Ping:
      return header.has(http2::flag::kAck) ? "P+" : "P";
    case http2::FrameType::Headers: {
      ENSURE(header.has(http2::flag::kEndHeaders));
      FieldSink sink;
      ENSURE(decoder_.decode(payload, sink) == http2::HpackDecoder::Result::Good);
      fields_ = sink.lines;
      return "H" + stream + ":" + sink.status + end;
    }
    case http2::FrameType::Data:
      bodies_.emplace_back(header.stream, payload);
      return "D" + stream + ":" + std::to_string(payload.size()) + end;
    case http2::FrameType::RstStream:
      return "R" + stream + ":" + code_name(http2::read_32(payload.data()));
    case http2::FrameType::GoAway:
      goaway_ = payload.substr(8);
      return "G" + std::to_string(http2::read_32(payload.data())) + ":" +
             code_name(http2::read_32(payload.data() + 4));
    case http2::FrameType::WindowUpdate:
      return "W" + stream + ":" + std::to_string(http2::read_32(payload.data()));
    default:
      return "?" + std::to_string(header.type);
  }
}

}  // namespace leat::test
