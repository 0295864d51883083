// Condition: what a request has to be, beside its path, for a route to be its route, or for a rule to fit it.
//
// A condition has lists: of clients, hosts, methods, header fields, parameters of the query and content types. A request fits
// if it fits each list that is not empty, and it fits a list if it fits one of its items.
//
// Made from texts that were found good by the checks below, then immutable; read by any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address_set.h"
#include "base/arena.h"
#include "http/header_id.h"
#include "http/message.h"

namespace leat::pipeline {

// As it is written.
struct ConditionKeys {
  std::vector<std::string> client;        // ranges of addresses, "10.0.0.0/8"
  std::vector<std::string> host;          // "example.org", "*.example.org"
  std::vector<std::string> method;        // "GET"
  std::vector<std::string> header;        // "NAME", or "NAME: VALUE"
  std::vector<std::string> query;         // "NAME", or "NAME=VALUE", decoded
  std::vector<std::string> content_type;  // "application/json", "image/*"
  bool operator==(const ConditionKeys&) const = default;
};

// What is wrong with an item, as a schema::Row::Check each.
std::string check_condition_client(std::string_view called, std::string_view text);
std::string check_condition_host(std::string_view called, std::string_view text);
std::string check_condition_method(std::string_view called, std::string_view text);
std::string check_condition_header(std::string_view called, std::string_view text);
std::string check_condition_query(std::string_view called, std::string_view text);
std::string check_condition_content_type(std::string_view called, std::string_view text);

// A host by name, or all names below one.
struct HostPattern {
  std::string name;    // in lower case, without a port and the final dot
  bool below = false;  // names below it, and not it itself

  // Nothing for what is neither "example.org", "*.example.org" nor an address.
  static std::optional<HostPattern> parse(std::string_view text);
  // `host` is a host_name().
  [[nodiscard]] bool fits(std::string_view host) const;
};

// A header field that a request has, whatever its value, or with that one alone.
class FieldCondition {
 public:
  // "NAME" or "NAME: VALUE", that check_condition_header() found good.
  explicit FieldCondition(std::string_view text);
  // By any of the field's lines.
  [[nodiscard]] bool fits(const http::Head& head) const;

 private:
  std::string name_;
  http::HeaderId id_;
  std::optional<std::string> value_;  // nothing: any
};

// What a request is asked for, by as many conditions as there are.
struct Facts {
  const http::Request& request;
  Arena& arena;  // for what has to be decoded; where it is full, a query fits nothing
  // It asks about another request, whose fields are not known yet, and those are not asked for.
  bool preflight = false;
  std::optional<HostAddress> known_client = std::nullopt;

  // Whose it is; of no kind where that is no address.
  [[nodiscard]] const HostAddress& client();
};

class Condition {
 public:
  // What a request does not fit, in the order in which it is asked.
  enum class Miss : uint8_t { None, Method, Client, Host, Header, Query, ContentType };
  static std::string_view miss_name(Miss miss);

  explicit Condition(ConditionKeys keys);

  // The first list that the request does not fit.
  [[nodiscard]] Miss miss(Facts& facts) const;
  // Whether the answer depends on more than the request's head: on who is connected.
  [[nodiscard]] bool asks_client() const { return !keys_.client.empty(); }
  // For people: "header X-Api: 2, query format=csv".
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const ConditionKeys& keys() const { return keys_; }

 private:
  struct Parameter {
    std::string name;
    std::optional<std::string> value;
  };

  static bool has(const Parameter& parameter, const Facts& facts);
  [[nodiscard]] bool has_type(const http::Request& request) const;

  ConditionKeys keys_;
  AddressSet clients_;
  std::vector<HostPattern> hosts_;
  http::MethodSet methods_ = 0;
  std::vector<FieldCondition> fields_;
  std::vector<Parameter> parameters_;
};

}  // namespace leat::pipeline
