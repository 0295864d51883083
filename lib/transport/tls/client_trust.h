// ClientTrust: whose certificates the clients of a listening socket may show, and whether they have to.
//
// A session that is resumed has its client's certificate in its ticket, and is not verified once more. So a ticket is good
// only where it was given out for the same authorities, list and demand (session_context), and as long as the certificate is.
//
// Thread: any; made whole, then never changed.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct x509_store_st;
struct stack_st_X509_NAME;

namespace leat::tls {

class ClientTrust {
 public:
  enum class Demand : uint8_t { Required, Optional };
  struct Mistake {
    bool in_list;  // of the certificates that are revoked; else among the authorities
    std::string message;
    std::string hint;
  };
  // All is PEM: authorities, of which each is believed by itself, whoever vouches for it; and lists of what they have revoked,
  // one for each authority of a chain, or nothing.
  static std::expected<std::shared_ptr<const ClientTrust>, Mistake> read(std::string_view authorities,
                                                                         std::string_view revoked,
                                                                         Demand demand);
  ~ClientTrust();
  ClientTrust(const ClientTrust&) = delete;
  ClientTrust& operator=(const ClientTrust&) = delete;

  [[nodiscard]] bool required() const { return demand_ == Demand::Required; }
  [[nodiscard]] x509_store_st* store() const { return store_; }
  // What clients are told to choose a certificate by.
  [[nodiscard]] stack_st_X509_NAME* names() const { return names_; }
  // The same for the same, and for nothing else.
  [[nodiscard]] const std::array<unsigned char, 32>& session_context() const { return session_context_; }
  // When the first list says that there is another one, in seconds since 1970: from then on nobody is let in. INT64_MAX: never.
  [[nodiscard]] int64_t lists_until() const { return lists_until_; }

 private:
  explicit ClientTrust(Demand demand) : demand_(demand) {}
  [[nodiscard]] std::string add_authorities(std::string_view pem);
  [[nodiscard]] std::string add_lists(std::string_view pem);

  const Demand demand_;
  x509_store_st* store_ = nullptr;
  stack_st_X509_NAME* names_ = nullptr;
  std::array<unsigned char, 32> session_context_{};
  int64_t lists_until_ = INT64_MAX;
};

}  // namespace leat::tls
