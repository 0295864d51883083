// Addresses of upstreams.
#include "client/upstream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace leat::client {

TEST_CASE("upstream: addresses become what they say") {
  const auto v4 = Upstream::open("http://127.0.0.1:8080", {});
  REQUIRE(v4.has_value());
  CHECK((*v4)->authority() == "127.0.0.1:8080");
  REQUIRE((*v4)->addresses()->size() == 1);
  const auto& in = reinterpret_cast<const sockaddr_in&>((*v4)->addresses()->front().storage);
  CHECK(in.sin_family == AF_INET);
  CHECK(ntohs(in.sin_port) == 8080);

  const auto v6 = Upstream::open("http://[::1]/", {});
  REQUIRE(v6.has_value());
  CHECK((*v6)->authority() == "[::1]");
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>((*v6)->addresses()->front().storage);
  CHECK(in6.sin6_family == AF_INET6);
  CHECK(ntohs(in6.sin6_port) == 80);

  const auto local = Upstream::open("unix:/run/a.sock", {});
  REQUIRE(local.has_value());
  CHECK((*local)->authority() == "localhost");
  CHECK(std::string(reinterpret_cast<const sockaddr_un&>((*local)->addresses()->front().storage).sun_path) ==
        "/run/a.sock");
}

TEST_CASE("upstream: a name is resolved, and again when it is due, an address never") {
  const auto named = Upstream::open("http://localhost:81", {.refresh_ms = 1000});
  REQUIRE(named.has_value());
  CHECK_FALSE((*named)->addresses()->empty());
  CHECK_FALSE((*named)->refresh_due(5000));  // the first use
  CHECK_FALSE((*named)->refresh_due(5999));
  CHECK((*named)->refresh_due(6000));
  CHECK_FALSE((*named)->refresh_due(6000));  // somebody has been told
  const auto before = (*named)->addresses();
  (*named)->refresh();
  CHECK((*named)->addresses() != before);
  CHECK((*named)->addresses()->size() == before->size());
  const auto number = Upstream::open("http://127.0.0.1", {.refresh_ms = 1});
  REQUIRE(number.has_value());
  CHECK_FALSE((*number)->refresh_due(5000));
  CHECK_FALSE((*number)->refresh_due(500000));
}

TEST_CASE("upstream: what is no address of one is refused with the reason") {
  const auto why = [](std::string_view url) {
    const auto opened = Upstream::open(url, {});
    return opened ? std::string("accepted") : opened.error();
  };
  CHECK(why("") == "an upstream is http://HOST[:PORT], https://HOST[:PORT], h2c://HOST[:PORT] or unix:/PATH");
  CHECK(why("example.org:80") ==
        "an upstream is http://HOST[:PORT], https://HOST[:PORT], h2c://HOST[:PORT] or unix:/PATH");
  CHECK(why("https://") == "`` is not a host");
  CHECK(why("https://a:x") == "`x` is not a port");
  CHECK(why("http://") == "`` is not a host");
  CHECK(why("http://a b") == "`a b` is not a host");
  CHECK(why("http://a\r\nX") == "`a\r\nX` is not a host");
  CHECK(why("http://::1") == "`:` is not a host");
  CHECK(why("http://a:") == "`` is not a port");
  CHECK(why("http://a:65536") == "`65536` is not a port");
  CHECK(why("http://a:80x") == "`80x` is not a port");
  CHECK(why("http://user@a").contains("a host and a port"));
  CHECK(why("http://a?b").contains("a host and a port"));
  CHECK(why("unix:").contains("1 to 107 bytes"));
  CHECK(why("unix:/" + std::string(107, 'x')).contains("1 to 107 bytes"));
}

}  // namespace leat::client
