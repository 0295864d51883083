#include "transport/tls/ocsp_response.h"

#include <fmt/core.h>
#include <openssl/ocsp.h>

#include <memory>

#include "transport/tls/openssl.h"
#include "transport/tls/x509_text.h"

namespace leat::tls {

namespace {

using Response = std::unique_ptr<OCSP_RESPONSE, Freeing<OCSP_RESPONSE_free>>;
using Basic = std::unique_ptr<OCSP_BASICRESP, Freeing<OCSP_BASICRESP_free>>;
using CertificateId = std::unique_ptr<OCSP_CERTID, Freeing<OCSP_CERTID_free>>;
using Store = std::unique_ptr<X509_STORE, Freeing<X509_STORE_free>>;

std::unexpected<OcspResponse::Mistake> wrong(std::string message, std::string hint = {}) {
  return std::unexpected(OcspResponse::Mistake{std::move(message), std::move(hint)});
}

// What it says of that certificate, by whatever digest it names it; null: it is about others.
OCSP_SINGLERESP* answer_for(OCSP_BASICRESP* basic, const X509* certificate, const X509* issuer) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const each = OCSP_resp_get0(basic, i);
    const OCSP_CERTID* const named = OCSP_SINGLERESP_get0_id(each);
    ASN1_OBJECT* digest = nullptr;
    OCSP_id_get0_info(nullptr, &digest, nullptr, nullptr, const_cast<OCSP_CERTID*>(named));
    const EVP_MD* const kind = EVP_get_digestbyobj(digest);
    if (kind == nullptr) continue;
    const CertificateId own(OCSP_cert_to_id(kind, certificate, issuer));
    if (own != nullptr && OCSP_id_cmp(own.get(), named) == 0) return each;
  }
  return nullptr;
}

}  // namespace

std::expected<OcspResponse, OcspResponse::Mistake> OcspResponse::read(std::string_view bytes,
                                                                      const Certificate& certificate) {
  ERR_clear_error();
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* const end = at + bytes.size();
  const Response response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(bytes.size())));
  if (response == nullptr || at != end) {
    ERR_clear_error();
    return wrong("it is no response of OCSP", "it is DER: what `openssl ocsp -respout FILE` writes");
  }
  if (const int status = OCSP_response_status(response.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return wrong(fmt::format("it says nothing of a certificate: {}", OCSP_response_status_str(status)),
                 "ask the authority again");
  const Basic basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return wrong("it is of no kind that is known: " + take_error());
  if (sk_X509_num(certificate.chain()) == 0)
    return wrong("it cannot be verified: the certificate of the authority is missing",
                 "`certificate` has the server's own first, then the one that vouches for it");
  X509* const issuer = sk_X509_value(certificate.chain(), 0);
  OCSP_SINGLERESP* const single = answer_for(basic.get(), certificate.leaf(), issuer);
  if (single == nullptr)
    return wrong("it is about another certificate", "fetch one whenever the certificate is renewed");
  const Store store(X509_STORE_new());
  if (store == nullptr || X509_STORE_add_cert(store.get(), issuer) != 1) return wrong(take_error());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  if (OCSP_basic_verify(basic.get(), certificate.chain(), store.get(), OCSP_TRUSTOTHER) != 1)
    return wrong(fmt::format("it is not signed by the certificate's authority: {}", take_error()));
  ASN1_GENERALIZEDTIME* next = nullptr;
  switch (OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next)) {
    case V_OCSP_CERTSTATUS_GOOD:
      break;
    case V_OCSP_CERTSTATUS_REVOKED:
      return wrong("the certificate is revoked", "clients refuse it: get another one");
    default:
      return wrong("the authority does not know the certificate");
  }
  // RFC 6960, section 4.2.2.1: without a next one there is a newer one at any time.
  if (next == nullptr) return wrong("it does not say for how long it is good");
  return OcspResponse(bytes, seconds_of(next));
}

}  // namespace leat::tls
