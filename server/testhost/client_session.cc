#include "server/testhost/client_session.h"

#include <ctime>

#include "server/testhost/leat/testhost.hpp"

namespace leat::testing {

namespace {

const middleware::SessionCookies* find_cookies(const pipeline::Site& site) {
  for (const auto& route : site.routes())
    for (const pipeline::Step& step : route->chain->steps)
      if (const auto* found = dynamic_cast<const middleware::SessionCookies*>(step.instance)) return found;
  return nullptr;
}

struct Memory {
  BlockPool blocks{16, 0};
  Arena arena{blocks, SIZE_MAX};
};

}  // namespace

ClientSession ClientSession::if_any(const pipeline::Site& site) { return ClientSession(find_cookies(site)); }

ClientSession ClientSession::of(const pipeline::Site& site) {
  ClientSession found = if_any(site);
  if (found.cookies_ == nullptr)
    throw Error("a request has a session, and no `sessions` is in front of any route: set Setup::sessions");
  return found;
}

std::string ClientSession::cookie(const SessionValues& values) {
  Memory memory;
  http::UserSession session(cookies_->rules(), memory.arena, std::time(nullptr));
  for (const auto& [name, value] : values)
    if (session.set(name, value) != http::UserSession::Change::Done)
      throw Error("`sessions` does not take the value `" + name + "`: see its `values` and `size`");
  seed_ = session.seed();
  const std::string_view line = cookies_->line(memory.arena, session);
  return std::string(line.substr(0, line.find(';')));
}

bool ClientSession::take(std::string_view line, SessionValues& values, bool& renewed) {
  const std::string begin = cookies_ == nullptr ? std::string() : cookies_->cookie() + "=";
  if (begin.empty() || !line.starts_with(begin)) return false;
  const std::string_view text = line.substr(begin.size(), line.find(';') - begin.size());
  Memory memory;
  http::UserSession session(cookies_->rules(), memory.arena, std::time(nullptr));
  values.clear();
  renewed = !seed_.empty();
  if (text.empty() || !cookies_->open(memory.arena, text, session)) return true;
  renewed = session.seed() != seed_;
  session.for_each([&](std::string_view name, std::string_view value) {
    values.emplace(std::string(name), std::string(value));
  });
  return true;
}

}  // namespace leat::testing
