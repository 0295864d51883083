// Words of nginx and what they are for Leat.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "server/migrate/directive.h"

namespace leat::server::migrate {

// Of `listen`: "8080" is "*:8080", "10.0.0.1" is "10.0.0.1:80". Whether it is an address is for others to say.
std::string nginx_address(std::string_view word);
// Bytes of "8m"; milliseconds of "75s", "1h30m" or "60". Nothing for anything else, or where a setting could not hold it.
std::optional<uint64_t> nginx_size(std::string_view word);
std::optional<uint64_t> nginx_time(std::string_view word);

// What follows `begin` in one of the words; empty where none begins so.
std::string_view parameter(const Directive& directive, std::string_view begin);

// Where `proxy_pass` of a location leads that is asked who may pass: "http://127.0.0.1:9091/check". Nothing where that is no
// address but a name, or another protocol.
struct AskedUrl {
  std::string address, path;  // "http://127.0.0.1:9091", "/check"; the path is empty where none is said
};
std::optional<AskedUrl> asked_url(std::string_view url);

struct NginxRate {
  std::string text;  // "10/s"
};
// "10r/s"
std::optional<NginxRate> nginx_rate(std::string_view word);
// "$binary_remote_addr" is "client".
std::optional<std::string> nginx_rate_key(std::string_view word);

// Variables in a field's value, as middleware `headers` writes them: "NAME: VALUE", or nothing where the value is empty,
// which takes a field away. An error is what is to be said about it.
std::expected<std::string, std::string> nginx_field(std::string_view name, std::string_view value);
// A field of requests that Leat tells handlers of by itself, and takes from who is not trusted.
bool is_known_by_leat(std::string_view field);

// A log_format as the format of an access log.
std::expected<std::string, std::string> nginx_log_format(const Directive& format);

}  // namespace leat::server::migrate
