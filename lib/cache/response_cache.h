// ResponseCache: what the cached routes of a daemon share, on all workers and through all reloads.
//
// The responses lie in the Store, beside the values that plugins keep there and within the same budget.
//
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cache/invalidations.h"
#include "cache/key.h"
#include "cache/single_flight.h"
#include "cache/store.h"
#include "cache/stored_response.h"
#include "pipeline/site.h"

namespace leat::cache {

// What purge() takes.
enum class PurgeBy : uint8_t {
  Target,  // "/path": with whatever query; "/path?query": that one
  Folder,  // "/users": it and all below it, but not /users2
  Tag,     // as the plugin or a Cache-Tag field gave it
  All
};

class ResponseCache final : public pipeline::ChangeListener {
 public:
  // Paths of more segments are purged by their first ones.
  static constexpr size_t kMostFolders = 16;

  // `store` must outlive it. `wake` is what a request that waits for another's handler is resumed with.
  ResponseCache(Store& store, http::WorkerContext::Resume wake) : store_(store), flights_(wake) {}
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  // Makes stale (soft) or unusable (hard) what has that name, on every host, what a handler is making now
  // included. Paths are what the router takes them for, however they are written. An empty result, or why
  // `what` cannot be a name of that kind. `now_ms` is CLOCK_MONOTONIC, as everywhere here.
  std::string_view purge(PurgeBy by, std::string_view what, bool hard, uint64_t now_ms);

  // What a successful request may have changed is as if it had never been stored: what its target names, and
  // what Location and Content-Location do, where that is on the same host (RFC 9111, section 4.4). Each with
  // whatever query. (changes.cc)
  void on_change(http::Exchange& exchange) override;

  // A body of more is not stored.
  [[nodiscard]] size_t most_bytes() const { return store_.limits().entry_bytes; }

  // By what a path of one host is known: without the usual ports, as nobody knows by which scheme it will be asked for.
  [[nodiscard]] static std::string page_of(std::string_view host, std::string_view path);
  void add_tag(std::string_view tag, std::vector<uint32_t>& slots) const;
  // Adds the slots by which `target`, of which `host` was asked, is purged.
  void add_slots(std::string_view host, std::string_view target, std::vector<uint32_t>& slots) const;

  // What a key's `hash` has to be.
  [[nodiscard]] uint64_t hash(std::string_view key) const { return store_.hash(key); }

  // What is stored for a request.
  struct Found {
    Pin pin;  // of the response; empty where none can be used
    StoredResponse stored;
    bool variant = false;     // there are responses under that key, for other requests
    std::string_view flight;  // what to join()
  };
  // All that it needs beside the key is made in `arena`; where that is out, nothing is found.
  [[nodiscard]] Found find(uint32_t worker, const RequestKey& key, const http::Request& request, Arena& arena,
                           uint64_t now_ms);

  // Stores `header` and what goes with it for whoever asks as `request` did.
  struct Response {
    StoredResponse::Header header;
    std::string_view content_type;
    std::string varies_by;                          // vary_names()
    std::span<const http::Response::Field> fields;  // that are stored
    std::string_view body;
    std::span<const uint32_t> slots;  // of Invalidations
  };
  enum class Put : uint8_t { Stored, TooLarge, Memory };
  Put put(uint32_t worker, const RequestKey& key, const http::Request& request, Arena& arena,
          uint32_t most_variants, const Response& response, uint64_t now_ms);
  // Lets go of one that was found and is no answer any more. Of others under its key it says nothing.
  void forget(const Pin& pin) { store_.purge(pin.key()); }

  // Whether nobody needs to wait for `flight`, which find() told for that key: what answers it is not stored.
  // One flight of each key is known by that at a time.
  [[nodiscard]] bool is_passed(uint32_t worker, const RequestKey& key, std::string_view flight, Arena& arena,
                               uint64_t now_ms);
  void put_pass(const RequestKey& key, std::string_view flight, uint64_t now_ms, uint64_t expires_ms);
  void drop_pass(const RequestKey& key);
  [[nodiscard]] SingleFlight& flights() { return flights_; }
  [[nodiscard]] Invalidations& invalidations() { return invalidations_; }

 private:
  [[nodiscard]] uint32_t hash_of_variant(std::string_view variant) const {
    return static_cast<uint32_t>(sip_hash(variant, secret_));
  }
  // The response under a variant's key, if it is the one for `variant` and can be used.
  void look_at(Found& found, Pin pin, std::string_view variant) const;

  Store& store_;
  Invalidations invalidations_;
  SingleFlight flights_;
  const SipKey secret_ = random_sip_key();
  // One at a time changes what lies under a key, which may be a list of variants.
  static constexpr size_t kMutexes = 16;
  std::array<std::mutex, kMutexes> mutexes_;
};

}  // namespace leat::cache
