// The conformance list: what plugins are promised, as requests and answers, to be asked of every host that
// there is. The test host is held to it in this process, the daemon over a socket; what holds on one and not
// on the other fails one of the two tests, so that a plugin which passes its author's test behaves in
// service.
//
// The plugins are the demo and those of test/plugin/plugins. Cases run in order, against one host.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::test {

struct ConformanceCase {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Expected {
    int status = 200;
    std::string body = {};  // exactly
    std::string part = {};  // or a part of it; both empty: whatever it is
    Fields headers = {};    // at least these; an empty value: it is not there. Names in lower case
    bool cut = false;       // the answer ends half-way
    std::string said = {};  // a part of what is then in the log; not judge()'s
  };

  std::string_view title;
  std::string_view method;
  std::string target;
  Expected expected;
  Fields headers = {};
  std::string body = {};    // with a length if there is one
  bool chunked = false;     // or in chunks, one for each byte
  bool leaves = false;      // the client leaves once it has asked: nothing is expected
  bool eventually = false;  // it may have to be asked again before it is as expected
};

struct ConformanceAnswer {
  int status = 0;
  ConformanceCase::Fields headers;  // names in lower case
  std::string body;
  bool cut = false;
};

const std::vector<ConformanceCase>& conformance_cases();

// What is wrong with an answer; empty for nothing.
std::string judge(const ConformanceCase& asked, const ConformanceAnswer& answer);

// The configuration that they are asked under: `plugins` is the folder of the test plugins, `demo` the file
// of the demo, `upstream` the URL of a server that answers as demo_upstream_routes() has it.
std::string conformance_configuration(const std::string& listen, const std::string& plugins,
                                      const std::string& demo, const std::string& upstream);
// Of the server that is asked by the plugins: another host with the demo.
std::string upstream_configuration(const std::string& listen, const std::string& demo);

}  // namespace leat::test
