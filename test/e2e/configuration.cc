#include "e2e/configuration.h"

#include <array>

namespace leat::e2e {

namespace {

struct DemoRoute {
  std::string_view methods;
  std::string_view path;
  std::string_view handler;
};

constexpr std::array kRoutes = {
    DemoRoute{R"("GET")", "/", "welcome"},
    DemoRoute{R"("GET")", "/plaintext", "plaintext"},
    DemoRoute{R"("GET")", "/json", "json"},
    DemoRoute{R"("GET")", "/payload/{id}", "payload"},
    DemoRoute{R"("POST")", "/echo", "echo"},
    DemoRoute{R"("GET")", "/users/{id}", "users"},
    DemoRoute{R"("GET")", "/bytes/{n}", "bytes"},
    DemoRoute{R"("GET")", "/nocontent", "nocontent"},
    DemoRoute{R"("GET")", "/sleep/{ms}", "sleep"},
    DemoRoute{R"("GET", "POST")", "/notes", "notes"},
    DemoRoute{R"("GET", "PUT", "DELETE")", "/notes/{id}", "note"},
};

}  // namespace

std::string demo_configuration(const Wanted& wanted) {
  std::string listen;
  for (const std::string& address : wanted.listen)
    listen += (listen.empty() ? "\"" : ", \"") + address + "\"";
  std::string text = "[server]\nlisten = [" + listen + "]\n" + wanted.server + "\n[limits]\n" +
                     wanted.limits + "\n[[plugin]]\nname = \"demo\"\nfile = \"demo.so\"\n";
  for (const DemoRoute& route : kRoutes)
    text.append("\n[[route]]\npath = \"")
        .append(route.path)
        .append("\"\nmethods = [")
        .append(route.methods)
        .append("]\nhandler = \"demo:")
        .append(route.handler)
        .append("\"\n");
  return text + "\n" + wanted.more;
}

std::string misuse_tables(const std::vector<std::string_view>& handlers) {
  std::string text = "[[plugin]]\nname = \"misuse\"\nfile = \"" TEST_PLUGINS "/misuse.so\"\n";
  for (const std::string_view handler : handlers)
    text.append("[[route]]\npath = \"/").append(handler).append("\"\nhandler = \"misuse:").append(handler) +=
        "\"\n";
  return text;
}

}  // namespace leat::e2e
