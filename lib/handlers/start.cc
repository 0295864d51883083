#include "handlers/start.h"

#include <string_view>

namespace leat::handlers {

namespace {

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Leat serves</title>
<style>
body { max-width: 38em; margin: 12vh auto; padding: 0 1em; font: 1.05em/1.6 system-ui, sans-serif }
h1 { font-weight: 600 }
code { font-size: .95em; background: #8882; padding: .1em .3em; border-radius: .2em }
</style>
<h1>Leat serves</h1>
<p>This is the page of a fresh installation. The web server works; a site of its own is still to come.</p>
<ol>
<li>Make a plugin, <code>leat plugin new hello</code>, and build it.</li>
<li>Name it and its routes in <code>/etc/leat/leat.toml</code>, in place of the route with
<code>leat:start</code>.</li>
<li><code>leat check</code> finds mistakes, <code>systemctl reload leat</code> takes the rest up.</li>
</ol>
<p>More is in <code>man leat</code>, <code>man leat.toml</code> and <code>/usr/share/doc/leat</code>.</p>
</html>
)";

class Start final : public pipeline::Handler {
 public:
  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    exchange.response.content_type = "text/html; charset=utf-8";
    return exchange.send(kPage) ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  [[nodiscard]] std::string_view blame() const override { return "leat:start"; }
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_start() { return std::make_unique<Start>(); }

}  // namespace leat::handlers
