// The demo plugin: the routes of Leat's example configuration, and a tour of what a plugin can do.
//
// Read it top-down; each handler shows one thing more than the one before. The class is made once and shared
// by all workers, so what it keeps (here the notes) must be safe for several threads.
#include <leat/plugin.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "notes.h"
#include "payloads.h"
#include "welcome.h"

namespace demo {

// --- Streaming --------------------------------------------------------------------------------------

// A class with on_request is a handler that goes on over several callbacks. An object of it is made for each
// request, in the request's own memory. This one sends back what it receives, piece by piece, and holds
// nothing: a client that reads slowly slows down its own sending.
class Echo {
 public:
  // The head is there, the body is still to come.
  void on_request(leat::Request& request, leat::Response& response) {
    if (const auto type = request.header("Content-Type")) response.type_copy(*type);
    if (const auto length = request.content_length())
      response.begin(*length);
    else
      response.begin();
  }
  void on_body(std::string_view piece, leat::Request& request, leat::Response& response) {
    // False: the client has not read what it was sent so far. Take no more from it until there is room.
    if (!response.write(piece)) request.pause_body();
  }
  void on_writable(leat::Request& request) { request.resume_body(); }
  void on_body_end(leat::Response& response) { response.end(); }
};

// A long answer with a known length: written until the queue is full, and again when there is room.
class Bytes {
 public:
  void on_request(leat::Path<uint64_t, "n", leat::Range{0, 64 << 20}> n, leat::Response& response) {
    left_ = n;
    response.type("application/octet-stream").begin(left_);
    on_writable(response);
  }
  void on_writable(leat::Response& response) {
    static constexpr auto kPiece = [] {
      std::array<char, 16 * 1024> piece{};
      piece.fill('x');
      return piece;
    }();
    while (left_ > 0) {
      const size_t size = std::min<uint64_t>(left_, kPiece.size());
      left_ -= size;
      if (!response.write({kPiece.data(), size})) return;
    }
    response.end();
  }

 private:
  uint64_t left_ = 0;
};

// --- The plugin -------------------------------------------------------------------------------------

class Demo : public leat::Plugin<Demo> {
 public:
  // The plugin's configuration. Names, defaults and ranges are said here and nowhere else; a mistake in the
  // file is reported at its line.
  explicit Demo(leat::Setup& setup)
      : notes_({.most_notes = static_cast<size_t>(setup.integer("most_notes", 500, {1, 10'000})),
                .most_bytes = static_cast<size_t>(setup.integer("most_note_bytes", 1024, {1, 65'536}))}) {}

  // A literal is sent from where it lies.
  leat::Reply plaintext() { return leat::text("Hello, World!"); }

  // Json is a parameter like any other: ask for it, fill it, return it.
  leat::Reply json(leat::Json& json) { return json.object("message", "Hello, World!"); }

  // A header, then a page.
  leat::Reply welcome(leat::Response& response) {
    response.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    return leat::html(kWelcomePage);
  }

  leat::Reply no_content() { return leat::no_content(); }

  // Parameters say where they come from, their type and what they may be. One that does not fit is answered
  // with a 400 that names it; in here they are right.
  leat::Reply users(leat::Path<uint64_t, "id"> id,                                         //
                    leat::Query<std::optional<int>, "limit", leat::Range{1, 1000}> limit,  //
                    leat::Query<std::optional<bool>, "active"> active,                     //
                    leat::Json& json) {
    return json.object("id", id, "limit", limit, "active", active);
  }

  // An error is a value: a status, and a sentence for the client.
  leat::Reply payload(leat::Path<std::string_view, "id"> id, leat::Json& json) {
    if (!write_payload(id, json))
      return leat::problem(404, "There is no such payload; try p1 to p4 or p6 to p8.");
    return json;
  }

  // Answers later: a handler that waits is a coroutine. The worker serves other requests meanwhile, and if
  // the client leaves, the coroutine is destroyed where it waits.
  leat::Task<leat::Reply> sleep(leat::Path<uint32_t, "ms", leat::Range{0, 60'000}> ms, leat::Json& json) {
    co_await leat::sleep(std::chrono::milliseconds(*ms));
    co_return json.object("slept_ms", ms);
  }

  // A small API. GET lists, POST adds; the route says which methods there are.
  leat::Reply notes(leat::Request& request, leat::Response& response, leat::Body body, leat::Json& json) {
    if (request.method() != "POST") {
      json.begin_object().key("notes").begin_array();
      notes_.each([&](uint64_t id, std::string_view text) { json.object("id", id, "text", text); });
      return json.end_array().end_object();
    }
    const auto text = notes_.read(body);
    if (!text) return text.problem();
    const auto id = notes_.add(*text);
    if (!id) return leat::problem(507, "There is no room for another note; delete one first.");
    response.status(201).header("Location", "/notes/" + std::to_string(*id));
    return json.object("id", *id, "text", *text);
  }

  leat::Reply note(leat::Path<uint64_t, "id"> id, leat::Request& request, leat::Body body, leat::Json& json) {
    static const auto missing = [] { return leat::problem(404, "There is no note of that number."); };
    if (request.method() == "DELETE") return notes_.remove(id) ? leat::no_content() : missing();
    if (request.method() == "PUT") {
      auto text = notes_.read(body);
      if (!text) return text.problem();
      if (!notes_.replace(id, *text)) return missing();
    }
    const auto text = notes_.find(id);
    if (!text) return missing();
    return json.object("id", id, "text", *text);
  }

  // A reload makes a new object and lets this one end: the notes go over.
  [[nodiscard]] std::string export_state() const { return notes_.save(); }
  void import_state(std::string_view saved) { notes_.restore(saved); }

  // The names by which routes ask for all this.
  static constexpr auto handlers() {
    return leat::list(handler<&Demo::welcome>("welcome"),       //
                      handler<&Demo::plaintext>("plaintext"),   //
                      handler<&Demo::json>("json"),             //
                      handler<&Demo::payload>("payload"),       //
                      stream<Echo>("echo"),                     //
                      handler<&Demo::users>("users"),           //
                      stream<Bytes>("bytes"),                   //
                      handler<&Demo::no_content>("nocontent"),  //
                      handler<&Demo::sleep>("sleep"),           //
                      handler<&Demo::notes>("notes"),           //
                      handler<&Demo::note>("note"));
  }

 private:
  Notes notes_;
};

}  // namespace demo

LEAT_PLUGIN(demo::Demo, "demo", "1.0.0")
