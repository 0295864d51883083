// Certificates: which of them a client gets, by the name that it asks for (SNI, RFC 6066, section 3).
//
// A snapshot: made whole, then shared by all workers and never changed. A reload puts another in its place, and a handshake
// under way goes on with the one it began with.
//
// Thread: any, once it is shared.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "transport/tls/certificate.h"
#include "transport/tls/ocsp_response.h"

namespace leat::tls {

class Certificates {
 public:
  // Of one name: one for each kind of key, of which the client's words choose.
  using Choice = std::vector<std::shared_ptr<const Certificate>>;

  // For people: what there is.
  struct Entry {
    std::vector<std::string> names;
    std::shared_ptr<const Certificate> certificate;
    bool is_default;
  };
  void list(Entry entry) { all_.push_back(std::move(entry)); }
  [[nodiscard]] const std::vector<Entry>& all() const { return all_; }

  // Names are in small letters: "example.org", or "*.example.org" for all with one label more. False: there is one of that kind
  // of key for that name.
  bool add(const std::string& name, const std::shared_ptr<const Certificate>& certificate);
  // For who asks for no name, or for one that nobody has. False: there is one of that kind.
  bool add_default(const std::shared_ptr<const Certificate>& certificate);

  // Sent with that certificate to who asks for it, as long as it is good.
  void staple(const Certificate& certificate, OcspResponse response) {
    stapled_.insert_or_assign(certificate.leaf(), std::move(response));
  }
  // By the certificate's own; null where there is none.
  [[nodiscard]] const OcspResponse* stapled(const x509_st* leaf) const {
    const auto found = stapled_.find(leaf);
    return found == stapled_.end() ? nullptr : &found->second;
  }

  // A name goes before a wildcard. Null: no certificate is for that name, which may be of any bytes.
  [[nodiscard]] const Choice* find(std::string_view name) const;
  [[nodiscard]] const Choice& fallback() const { return fallback_; }
  [[nodiscard]] bool empty() const { return fallback_.empty(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::unordered_map<std::string, Choice, Hash, std::equal_to<>> by_name_;
  Choice fallback_;
  std::unordered_map<const x509_st*, OcspResponse> stapled_;
  std::vector<Entry> all_;
};

}  // namespace leat::tls
