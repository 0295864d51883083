// leat-kind-bench: what a request costs with each kind of middleware before its handler, without sockets.
//
//   kind/none       the handler alone
//   kind/NAME       behind one of this kind, as it is usually declared
//   kind/seven      behind seven of the eight of a typical site: identifier, trace, access, rate limit, key, CORS, security headers
//
// The request is that of a browser's page on another origin, with a key, and for some with what they look for beside it. What a
// kind costs is its row less that of kind/none; that of decompress is what one costs that has nothing to do.
// The eighth is the access log, which takes a thread that writes and a file: http_suite.py measures it, with the rest of a daemon.
//
// One thread. Every row's answer is looked at before it is measured. Built with LEAT_COUNT_ALLOCATIONS, as
// leat-kind-allocation-count, it says in place of times how often a request asks the heap on average, once all is warm: a line of
// JSON.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "bench/application.h"
#include "http/user_session.h"
#include "middleware/session_seal.h"
#ifdef LEAT_COUNT_ALLOCATIONS
#include "support/allocations.h"
#else
#include <benchmark/benchmark.h>
#endif

namespace leat::bench {
namespace {

constexpr std::string_view kHead =
    "GET /json HTTP/1.1\r\nHost: api.example.org\r\nOrigin: https://app.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: "
    "application/json\r\nAccept-Encoding: gzip, br\r\n"
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\nX-Api-Key: "
    "sesame-sesame-sesame-sesame\r\n";
constexpr std::string_view kSecret = "a secret of bench with 32 octets";
// {"sub": "alice", "exp": 4102444800}, under HS256.
constexpr std::string_view kToken =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0."
    "C9hwApbg9w0zjuaZxHpx9v0KvjFEh5cwQCqxhFovPYE";

// Tables of TOML by the name of their row.
struct KindRow {
  const char* name;
  std::vector<std::string> tables;
  std::string fields = {};  // of its request, behind the others
};

std::string table(std::string_view kind, std::string_view options = {}) {
  return "[[middleware]]\nkind = \"" + std::string(kind) + "\"\n" + std::string(options);
}

std::string key_of(std::string_view option, std::string_view value) {
  return fmt::format("{} = [\"{}\"]\n", option, value);
}

// A cookie with a session of somebody who has logged in.
std::string session_cookie() {
  constexpr std::string_view kName = "session";
  BlockPool memory(16, 1);
  Arena arena(memory, 64 * 1024);
  const http::SessionRules rules{.max_age_s = 3600, .idle_s = 3600, .values = 4, .bytes = 1024};
  http::UserSession session(rules, arena, std::time(nullptr));
  middleware::SessionSeal seal(kName);
  const bool set = session.set("user", "alice") == http::UserSession::Change::Done;
  if (!set || !seal.add(kSecret).empty()) fail("there is no session");
  std::string plain(session.size(), '\0');
  session.write(plain.data());
  return fmt::format("Cookie: {}={}\r\n", kName, seal.seal(arena, plain));
}

std::vector<KindRow> kind_rows() {
  const std::string id = table("request_id");
  const std::string trace = table("trace_context");
  const std::string access =
      table("access", "default = \"allow\"\nrules = [{action = \"deny\", client = [\"198.51.100.0/24\"]}]\n");
  const std::string rate = table("rate_limit", "rate = \"1000000/s\"\nburst = 1000000\n");
  const std::string key =
      table("api_key",
            "keys = [\"alice sha256:4a0a5d555c709ca325187f9b4e585c02bc4edc582d21fcb7d8e250b18b0be0e6\"]\n");
  const std::string cors = table("cors", "origins = [\"https://app.example.org\"]\nmethods = [\"GET\"]\n");
  const std::string security = table("security_headers");
  const std::string sessions =
      table("sessions", key_of("keys", kSecret) + "cookie = \"session\"\nsecure = false\n");
  const std::string jwt =
      table("jwt", key_of("algorithms", "HS256") + fmt::format("secret = \"{}\"\n", kSecret));
  const std::string spans = table("trace", "url = \"http://127.0.0.1:9\"\nratio = 0\ntrust = false\n");
  return {
      {"none", {}},
      {"request_id", {id}},
      {"trace_context", {trace}},
      {"access", {access}},
      {"rate_limit", {rate}},
      {"api_key", {key}},
      {"cors", {cors}},
      {"security_headers", {security}},
      {"headers", {table("headers", "answer_set = [\"X-Where: {route}\", \"Cache-Control: no-store\"]\n")}},
      {"error_pages", {table("error_pages")}},
      {"maintenance", {table("maintenance", "allow = [\"192.0.2.0/24\"]\n")}},
      {"decompress", {table("decompress")}},
      {"compress", {table("compress")}},
      {"csrf", {table("csrf")}},
      {"shed", {table("shed")}},
      {"trace", {spans}},
      {"sessions", {sessions}, session_cookie()},
      {"jwt", {jwt}, fmt::format("Authorization: Bearer {}\r\n", kToken)},
      {"seven", {id, trace, access, rate, key, cors, security}}};
}

// A folder of its own, which goes with it.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "leat-kind-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail("there is no folder for temporary files");
    folder_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path) << text;
    return path.string();
  }

 private:
  std::filesystem::path folder_;
};

// The site of a row, with a client.
struct KindSite {
  KindSite(const Scratch& scratch, const KindRow& row)
      : application(scratch.write(std::string(row.name) + ".toml", configuration(row)).c_str(),
                    {LEAT_DEMO_FOLDER}),
        client(application.site()),
        request(fmt::format("{}{}\r\n", kHead, row.fields)) {
    if (application.site().routes()[0]->chain->steps.size() != row.tables.size())
      fail(std::string(row.name) + ": the chain is not what it should be");
    client.expect(request, R"({"message":"Hello, World!"})");
  }
  static std::string configuration(const KindRow& row) {
    std::string text =
        "[[plugin]]\nname = \"demo\"\nfile = \"demo.so\"\n\n[[route]]\npath = \"/json\"\nhandler = "
        "\"demo:json\"\n";
    for (const std::string& each : row.tables) text += "\n" + each;
    return text;
  }
  Application application;
  Client client;
  const std::string request;
};

#ifdef LEAT_COUNT_ALLOCATIONS
// How often a request of each row asks the heap.
void count_allocations(std::list<KindSite>& sites, const std::vector<KindRow>& rows) {
  constexpr int kWarm = 1000, kRequests = 10'000;
  std::string line;
  auto site = sites.begin();
  for (const KindRow& row : rows) {
    const std::string& request = site->request;
    Client& client = (site++)->client;
    for (int i = 0; i < kWarm; ++i) client.ask(request);
    const uint64_t before = test::heap_allocations();
    for (int i = 0; i < kRequests; ++i) client.ask(request);
    line += fmt::format("{}\"{}\":{:.4g}", line.empty() ? "{" : ",", row.name,
                        static_cast<double>(test::heap_allocations() - before) / kRequests);
  }
  std::printf("%s}\n", line.c_str());
}
#endif

}  // namespace
}  // namespace leat::bench

int main(int count, char** arguments) {
  using namespace leat::bench;
  leat::metrics::thread_lane = 0;  // this thread is the worker
  const Scratch scratch;
  const std::vector<KindRow> rows = kind_rows();
  std::list<KindSite> sites;
  for (const KindRow& row : rows) sites.emplace_back(scratch, row);
#ifdef LEAT_COUNT_ALLOCATIONS
  count_allocations(sites, rows);
  (void)count, (void)arguments;
#else
  auto site = sites.begin();
  for (const KindRow& row : rows)
    benchmark::RegisterBenchmark((std::string("kind/") + row.name).c_str(), [&kind = *site++](auto& state) {
      for (auto _ : state) benchmark::DoNotOptimize(kind.client.ask(kind.request));
    });
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::ClearRegisteredBenchmarks();
#endif
}
