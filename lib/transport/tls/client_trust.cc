#include "transport/tls/client_trust.h"

#include <fmt/core.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "transport/tls/openssl.h"
#include "transport/tls/x509_text.h"

namespace leat::tls {

ClientTrust::~ClientTrust() {
  X509_STORE_free(store_);
  sk_X509_NAME_pop_free(names_, X509_NAME_free);
}

// What is wrong with them; empty where nothing is.
std::string ClientTrust::add_authorities(std::string_view pem) {
  const Bio text = bio_of(pem);
  for (;;) {
    const X509Pointer each(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    if (each == nullptr) break;
    if (X509_check_ca(each.get()) == 0)
      return fmt::format("`{}` is no authority's certificate", subject_of(each.get()));
    std::unique_ptr<X509_NAME, Freeing<X509_NAME_free>> name(
        X509_NAME_dup(X509_get_subject_name(each.get())));
    if (name == nullptr || sk_X509_NAME_push(names_, name.get()) == 0)
      return "the authorities cannot be used: " + take_error();
    (void)name.release();
    if (X509_STORE_add_cert(store_, each.get()) != 1)
      return "the authorities cannot be used: " + take_error();
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = take_error();
  if (!at_end || sk_X509_NAME_num(names_) == 0) return "no authority's certificate can be read: " + why;
  return {};
}

std::string ClientTrust::add_lists(std::string_view pem) {
  const Bio text = bio_of(pem);
  size_t count = 0;
  for (;; ++count) {
    X509_CRL* const each = PEM_read_bio_X509_CRL(text.get(), nullptr, nullptr, nullptr);
    if (each == nullptr) break;
    if (const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(each); next != nullptr)
      lists_until_ = std::min(lists_until_, seconds_of(next));
    const bool added = X509_STORE_add_crl(store_, each) == 1;
    X509_CRL_free(each);
    if (!added) return "the list cannot be used: " + take_error();
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = take_error();
  if (!at_end || count == 0) return "no list of what is revoked can be read: " + why;
  X509_STORE_set_flags(store_, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

std::expected<std::shared_ptr<const ClientTrust>, ClientTrust::Mistake> ClientTrust::read(
    std::string_view authorities, std::string_view revoked, Demand demand) {
  ERR_clear_error();
  const std::shared_ptr<ClientTrust> made(new ClientTrust(demand));
  made->store_ = X509_STORE_new();
  made->names_ = sk_X509_NAME_new_null();
  if (made->store_ == nullptr || made->names_ == nullptr)
    return std::unexpected(Mistake{false, "there is no memory for it", {}});
  // An authority between a client and a root is believed without that root: who names one means that one.
  X509_STORE_set_flags(made->store_, X509_V_FLAG_PARTIAL_CHAIN);
  if (std::string wrong = made->add_authorities(authorities); !wrong.empty())
    return std::unexpected(Mistake{
        false, std::move(wrong),
        "it is PEM: -----BEGIN CERTIFICATE----- of who signs the certificates of clients, and not theirs"});
  if (!revoked.empty())
    if (std::string wrong = made->add_lists(revoked); !wrong.empty())
      return std::unexpected(
          Mistake{true, std::move(wrong), "it is PEM, and begins with -----BEGIN X509 CRL-----"});
  std::string all(demand == Demand::Required ? "required" : "optional");
  for (const std::string_view part : {authorities, revoked})
    all += fmt::format("\n{}\n{}", part.size(), part);
  if (EVP_Digest(all.data(), all.size(), made->session_context_.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return std::unexpected(Mistake{false, take_error(), {}});
  return made;
}

}  // namespace leat::tls
