// leat-encode-bench: what it costs to write the payloads as JSON, one thread, no HTTP.
//
//   struct      the encoder of LEAT_JSON structs, into a buffer that is there
//   struct_cbor, struct_msgpack   the same in these forms
//   direct, yyjson, rapidjson   json::Writer's backends, by events from the same structs, into an arena
//   cbor, msgpack                its backends for these forms
//   peer_...    the libraries at their best use: yyjson writes a document that was built before (mutable, and
//               parsed), with memory from a pool; RapidJSON's Writer has a StringBuffer that is used again;
//               simdjson, which up to 3.12 builds no texts, writes a document that was parsed before
//
// "twice" makes the payload and encodes it twice in each iteration, as the seed's loop does; "once" encodes
// one that is there. That all write the same bytes is checked at the start, but for peer_rapidjson, whose
// doubles can have other last digits.
#include <benchmark/benchmark.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <yyjson.h>

#ifdef LEAT_BENCH_SIMDJSON
#include <simdjson.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>

#include "base/arena.h"
#include "bench/payloads.h"
#include "json/writer.h"

namespace leat::bench {
namespace {

// --- Ways of writing

template <class Encode>
class StructsIn {
 public:
  template <class T>
  std::string_view operator()(const T& value) {
    Encode encoder(room_, room_ + sizeof room_, [](void*, char*&, char*&, size_t) { return false; }, nullptr);
    encoder.value(value);
    return {room_, encoder.end()};
  }

 private:
  char room_[1 << 16];
};
using Structs = StructsIn<Encoder>;

// Events from the members that LEAT_JSON names: what leat_encode() calls is a target for them, too.
template <class Out>
struct Events {
  // The place to write at is the events' own.
  struct Place {};
  Out& out;
  Place open(Place, auto) { return out.begin_object(), Place(); }
  Place close(Place) { return out.end_object(), Place(); }
  template <size_t N, class T>
  Place member(Place, const char (&name)[N], const T& value) {
    out.key(std::string_view(name + 1, N - 4));  // between the quotes, before the colon
    write(value);
    return {};
  }
  template <class T>
  void write(const T& value) {
    if constexpr (detail::JsonStruct<T>) {
      leat_encode(*this, Place(), value);
    } else if constexpr (std::is_same_v<T, bool>) {
      out.boolean(value);
    } else if constexpr (std::is_integral_v<T>) {
      out.integer(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      out.real(value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      out.string(value);
    } else {
      out.begin_array();
      for (const auto& item : value) write(item);
      out.end_array();
    }
  }
};

class Backend {
 public:
  explicit Backend(json::Backend backend) : backend_(backend) {}
  template <class T>
  std::string_view operator()(const T& value) {
    arena_.rewind();
    json::Writer writer(arena_, backend_);
    Events<json::Writer>{writer}.write(value);
    return *writer.finish();
  }

 private:
  json::Backend backend_;
  BlockPool pool_{1024, 64};
  Arena arena_{pool_, size_t{16} << 20};
};

class PeerRapidJson {
 public:
  template <class T>
  std::string_view operator()(const T& value) {
    buffer_.Clear();
    writer_.Reset(buffer_);
    Events<PeerRapidJson>{*this}.write(value);
    return {buffer_.GetString(), buffer_.GetSize()};
  }
  void begin_object() { writer_.StartObject(); }
  void end_object() { writer_.EndObject(); }
  void begin_array() { writer_.StartArray(); }
  void end_array() { writer_.EndArray(); }
  void key(std::string_view name) { writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
  void string(std::string_view text) {
    writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  void integer(int64_t number) { writer_.Int64(number); }
  void real(double number) { writer_.Double(number); }
  void boolean(bool truth) { writer_.Bool(truth); }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

// A document is yyjson's best use where the same one is written again; making it is counted in "twice".
class PeerYyjson {
 public:
  template <class T>
  std::string_view operator()(const T& value) {
    const std::string_view text = Structs()(value);
    yyjson_doc* parsed = yyjson_read(text.data(), text.size(), 0);
    yyjson_mut_doc* document = yyjson_doc_mut_copy(parsed, nullptr);
    yyjson_doc_free(parsed);
    const std::string_view written = write(document);
    yyjson_mut_doc_free(document);
    return written;
  }
  std::string_view write(const yyjson_mut_doc* document) {
    yyjson_alc allocator;
    yyjson_alc_pool_init(&allocator, room_.get(), kRoom);
    size_t size = 0;
    const char* text = yyjson_mut_write_opts(document, 0, &allocator, &size, nullptr);
    return {text, size};
  }
  std::string_view write(const yyjson_doc* document) {
    yyjson_alc allocator;
    yyjson_alc_pool_init(&allocator, room_.get(), kRoom);
    size_t size = 0;
    const char* text = yyjson_write_opts(document, 0, &allocator, &size, nullptr);
    return {text, size};
  }

 private:
  static constexpr size_t kRoom = 1 << 20;
  std::unique_ptr<char[]> room_{new char[kRoom]};
};

#ifdef LEAT_BENCH_SIMDJSON
class PeerSimdjson {
 public:
  explicit PeerSimdjson(std::string_view text) : document_(parser_.parse(text.data(), text.size())) {}
  std::string_view write() {
    builder_.clear();
    builder_.append(document_);
    return builder_.str();
  }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element document_;
  simdjson::internal::string_builder<> builder_;
};
#endif

// --- Rows

void done(std::string_view text) {
  benchmark::DoNotOptimize(text.data());
  benchmark::ClobberMemory();
}

template <class T>
T make(int number) {
  if constexpr (requires(T value) {
                  value.data[4];
                  value.id;
                } && sizeof(T) == sizeof(P1)) {
    T value{};
    value.id = number;
    return value;
  } else {
    (void)number;
    return T{};
  }
}

template <class T, class Way>
void rows(const std::string& payload, const std::string& name, Way make_way) {
  benchmark::RegisterBenchmark((payload + "/twice/" + name).c_str(), [make_way](benchmark::State& state) {
    auto way = make_way();
    int number = 0;
    for (auto _ : state) {
      const T first = make<T>(number);
      benchmark::DoNotOptimize(&first);
      done((*way)(first));
      done((*way)(first));
      ++number;
    }
  });
  benchmark::RegisterBenchmark((payload + "/once/" + name).c_str(), [make_way](benchmark::State& state) {
    auto way = make_way();
    const T value = make<T>(1);
    for (auto _ : state) {
      benchmark::DoNotOptimize(&value);
      done((*way)(value));
    }
    state.counters["bytes"] = static_cast<double>((*way)(value).size());
  });
}

template <class T>
void yyjson_rows(const std::string& payload) {
  benchmark::RegisterBenchmark((payload + "/once/peer_yyjson_built").c_str(), [](benchmark::State& state) {
    PeerYyjson way;
    const auto structs = std::make_unique<Structs>();
    const std::string_view text = (*structs)(make<T>(1));
    yyjson_doc* parsed = yyjson_read(text.data(), text.size(), 0);
    yyjson_mut_doc* document = yyjson_doc_mut_copy(parsed, nullptr);
    for (auto _ : state) done(way.write(document));
    yyjson_mut_doc_free(document);
    yyjson_doc_free(parsed);
  });
  benchmark::RegisterBenchmark((payload + "/once/peer_yyjson_parsed").c_str(), [](benchmark::State& state) {
    PeerYyjson way;
    const auto structs = std::make_unique<Structs>();
    const std::string_view text = (*structs)(make<T>(1));
    yyjson_doc* document = yyjson_read(text.data(), text.size(), 0);
    for (auto _ : state) done(way.write(document));
    yyjson_doc_free(document);
  });
}

#ifdef LEAT_BENCH_SIMDJSON
void simdjson_rows(const std::string& payload, const std::string& text) {
  benchmark::RegisterBenchmark((payload + "/once/peer_simdjson_parsed").c_str(),
                               [text](benchmark::State& state) {
                                 PeerSimdjson way(text);
                                 for (auto _ : state) done(way.write());
                               });
}
#endif

template <class T, class Encode>
void binary_rows(const std::string& payload, json::Backend backend) {
  const std::string name(json::backend_name(backend));
  const auto structs = [] { return std::make_unique<StructsIn<Encode>>(); };
  const auto events = [backend] { return std::make_unique<Backend>(backend); };
  const T value = make<T>(1);
  if ((*structs())(value) != (*events())(value)) {
    std::fprintf(stderr, "%s: %s differs between struct and events\n", payload.c_str(), name.c_str());
    std::exit(1);
  }
  rows<T>(payload, "struct_" + name, structs);
  rows<T>(payload, name, events);
}

template <class T>
void payload_rows(const std::string& payload) {
  const auto structs = [] { return std::make_unique<Structs>(); };
  const T value = make<T>(1);
  const std::string expected((*structs())(value));
  const auto check = [&](std::string_view text, std::string_view who) {
    if (text == expected) return;
    std::fprintf(stderr, "%s: %s writes\n%s\nand not\n%s\n", payload.c_str(), std::string(who).c_str(),
                 std::string(text).c_str(), expected.c_str());
    std::exit(1);
  };
  rows<T>(payload, "struct", structs);
  for (const json::Backend each : json::built_backends()) {
    check(Backend(each)(value), json::backend_name(each));
    rows<T>(payload, std::string(json::backend_name(each)),
            [each] { return std::make_unique<Backend>(each); });
  }
  binary_rows<T, BinaryEncoder<encoding::Cbor>>(payload, json::Backend::Cbor);
  binary_rows<T, BinaryEncoder<encoding::MessagePack>>(payload, json::Backend::MessagePack);
  PeerYyjson yyjson;
  check(yyjson(value), "yyjson");
  rows<T>(payload, "peer_rapidjson", [] { return std::make_unique<PeerRapidJson>(); });
  yyjson_rows<T>(payload);
#ifdef LEAT_BENCH_SIMDJSON
  check(PeerSimdjson(expected).write(), "simdjson");
  simdjson_rows(payload, expected);
#endif
}

}  // namespace
}  // namespace leat::bench

int main(int count, char** arguments) {
  using namespace leat::bench;
  payload_rows<P1>("P1");
  payload_rows<P2>("P2");
  payload_rows<P3>("P3");
  payload_rows<P4>("P4");
  payload_rows<P6>("P6");
  payload_rows<P7>("P7");
  payload_rows<P8>("P8");
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
