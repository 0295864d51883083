/* plugin.h: the binary interface between Leat and its plugins. C11, also valid C++; needs nothing else.
 *
 * A plugin is a shared object with one exported data symbol, `leat_plugin`, and one ELF note that says which
 * version of this interface it was built for; the daemon reads the note before it loads any code. What a
 * plugin can do is reached through the host table and its extensions, asked for by name. C++ authors want
 * plugin.hpp beside this file, which wraps all of it.
 *
 * It is an interface of C, because that is what compilers and languages agree on: a plugin built years ago, by
 * another compiler or in Rust, still fits. And it is one file, so that what must never change is in one place,
 * and can be copied into a plugin's own sources.
 *
 * In this order
 *  - Basic types: texts, answers and errors, the host and its callbacks' scope.
 *  - What a plugin offers: its handlers, its services and needs, and the entry that lists them.
 *  - Extensions, each with the types that it alone has. A request and its answer: leat.request, route, body,
 *    response, arena, json, json_reader, parameters, session. The plugin itself: log, config. Going on later: async, timer, pool,
 *    client. What is shared: metrics, services, cache, response_cache.
 *  - Note and exported symbol: how a plugin says that it is one.
 *
 * Rules that hold everywhere
 *  - Versions. The major number must match; the minor number only ever grows, and grows by appending. Every
 *    table begins with its own size in bytes: a member is there if it lies within that size (LEAT_HAS). A
 *    plugin never needs a rebuild for a newer daemon of the same major version.
 *  - Threads. Each function says where it may be called: [main] while the configuration is loaded or let go,
 *    [worker] in a callback on a worker's thread, for the request of that callback, [any] everywhere.
 *    A call from elsewhere changes nothing and answers LEAT_E_THREAD (or 0, NULL or an empty text).
 *  - Requests. A `leat_request*` is good during the callback that it was given to. Between callbacks a
 *    request is known by a ticket or by the state set for it; the pointer itself stays the same for the
 *    request's life.
 *  - Memory. Neither side ever frees the other's. Texts given to the host are copied before the function
 *    returns, except by functions whose name ends in `_static`, whose bytes must stay unchanged for as long
 *    as the plugin is loaded (a literal). Texts taken from a request are valid until it ends (on_done); they
 *    are never terminated by a NUL.
 *  - Absent is not empty. An absent text has ptr == NULL, an empty one has len == 0 and ptr != NULL. Given to
 *    the host both are empty.
 *  - Errors are values: LEAT_OK, or a negative LEAT_E_*. Misuse never harms the daemon: it is refused, and
 *    logged with the plugin's name. No C++ exception may leave a callback.
 */
#ifndef LEAT_PLUGIN_H
#define LEAT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_ABI_MAJOR 1u
#define LEAT_ABI_MINOR 0u

/* The least minor version that the plugin can work with. Define it before including this header to run on
 * older daemons too, and look with LEAT_HAS before using what is newer. */
#ifndef LEAT_NEEDS_MINOR
#define LEAT_NEEDS_MINOR LEAT_ABI_MINOR
#endif

#define LEAT_PLUGIN_MAGIC 0x5441454cu /* "LEAT" read as a little-endian number */

/* True if the table that `pointer` points to is new enough to hold `member`. */
#define LEAT_HAS(pointer, type, member) \
  ((pointer)->struct_size >= offsetof(type, member) + sizeof((pointer)->member))

/* ------------------------------------------------------------------------------------------ basic types */

typedef struct leat_str {
  const char* ptr;
  size_t len;
} leat_str;

/* A literal as a leat_str: in initialisers LEAT_STR_INIT("x"), in expressions LEAT_STR("x"). */
#define LEAT_STR_INIT(literal) {"" literal, sizeof("" literal) - 1}
#ifdef __cplusplus
#define LEAT_STR(literal) (leat_str LEAT_STR_INIT(literal))
#else
#define LEAT_STR(literal) ((leat_str)LEAT_STR_INIT(literal))
#endif

/* What a callback answers. */
#define LEAT_NEXT ((int32_t)0) /* nothing to say: for a handler "not found here", a 404 */
#define LEAT_DONE ((int32_t)1) /* answered; or the answer has begun and goes on in on_body or on_writable */
#define LEAT_PENDING ((int32_t)2) /* the answer comes later: from a completion or a timer */
#define LEAT_ERROR ((int32_t)3)   /* failed: a 500 that names the plugin, or a cut answer if one had begun */

/* What a function of the host answers. */
#define LEAT_OK ((int32_t)0)
#define LEAT_BLOCKED ((int32_t)1)      /* write: taken, but no more until on_writable */
#define LEAT_E_ARGUMENT ((int32_t)-1)  /* an argument is outside what the function accepts */
#define LEAT_E_STATE ((int32_t)-2)     /* not now: answered already, not begun, ended, not suspended */
#define LEAT_E_MEMORY ((int32_t)-3)    /* the request's memory limit, or the system's */
#define LEAT_E_THREAD ((int32_t)-4)    /* wrong thread, or a request that is not this callback's */
#define LEAT_E_NOT_FOUND ((int32_t)-5) /* no such thing */
#define LEAT_E_BUSY ((int32_t)-6)      /* too much is waiting: try again later, or answer 503 */
#define LEAT_E_TIMEOUT ((int32_t)-7)   /* not within its time: answer 504 */
#define LEAT_E_UPSTREAM ((int32_t)-8)  /* another server gave no usable answer: answer 502 */

typedef struct leat_request leat_request; /* one request and its answer */
typedef struct leat_config leat_config;   /* one table of the plugin's configuration; valid during create() */
typedef struct leat_route leat_route; /* a route that names a handler of the plugin; valid during bind() */
typedef struct leat_error leat_error; /* why a load-time callback fails; valid during the callback */
typedef struct leat_json leat_json;   /* a JSON text under construction; valid as long as its request */
typedef struct leat_json_reader leat_json_reader; /* a JSON text that is read; likewise */
typedef struct leat_pattern leat_pattern; /* a regular expression; valid until unload() has returned */

/* The host as one configured instance of a plugin sees it. It lives until destroy() (or, given to load(),
 * until unload()) has returned. */
typedef struct leat_host leat_host;
struct leat_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t worker_count; /* workers of the daemon; their numbers are 0 .. worker_count - 1 */
  leat_str version;      /* of the daemon, for logs: never decide anything by it */

  /* [any] The table of an extension such as "leat.request/1", or NULL when this daemon has none of that name.
   * The same table for every host, valid until the process ends. */
  const void* (*extension)(const leat_host* host, leat_str name);

  /* [main] (in worker_init: [worker]) Says why a load-time callback fails. `key` names the configuration key
   * at fault ("" for none), and the message is shown at its line. May be called several times, all are shown.
   */
  void (*fail)(leat_error* error, leat_str key, leat_str message);
};

/* What every request callback gets; it is the host's and valid during the call. */
typedef struct leat_scope {
  uint32_t struct_size;
  uint32_t
      worker; /* number of the worker that runs the callback; of a thread of the pool: one of those after */
  const leat_host* host;
  void* instance;     /* from create() */
  void* worker_state; /* from worker_init(); NULL on the pool */
  void* bound;        /* from bind() */
} leat_scope;

/* --------------------------------------------------------------------------------- what a plugin offers */

/* The handler sees the body as it arrives: handle() is called with the head, then on_body for each piece and
 * on_body_end. Without the flag handle() is called when the body is complete (leat.request/1 body). */
#define LEAT_HANDLER_STREAM_BODY 1u
/* The handler can do without a worker, as routes with executor = "pool" want it: handle() may run on a thread
 * that it may block, and on_done right after it. There worker_state is NULL, nothing can be waited for but by
 * blocking (no suspension, timer, fetch or leat.pool/1 work), and write() waits for the client. Not with
 * STREAM_BODY. */
#define LEAT_HANDLER_ANY_THREAD 2u
/* handle() is called also for a request whose declared parameters are wrong, which leat.parameters/1 wrong()
 * tells, and answers it with refuse(): so what is wrong with the body is told with the rest. Without the flag
 * the host answers such a request. */
#define LEAT_HANDLER_REFUSES 4u

/* Every member but handle may be NULL. Callbacks of different requests run at the same time on different
 * workers; those of one request never do. */
typedef struct leat_handler {
  uint32_t struct_size; /* also the distance between two elements of the plugin's array */
  uint32_t flags;       /* LEAT_HANDLER_* */
  leat_str name;        /* as routes name it */

  /* [main] Once for each route that names the handler: resolve parameter names, keep what handle() needs in
   * `*bound`. LEAT_OK, or an error explained with host->fail. */
  int32_t (*bind)(const leat_host* host, void* instance, const leat_route* route, void** bound,
                  leat_error* error);
  /* [main] Undoes a bind() that succeeded. */
  void (*unbind)(void* instance, void* bound);

  /* [worker] Answers with a verdict. DONE needs an answer (sent, or begun), unless the body is streamed: then
   * it means "go on with the body", as in on_body, and the answer must have begun when on_body_end returns
   * DONE. PENDING needs something that will go on: a suspension, a timer, a fetch, or the rest of a streamed
   * body. Anything else is a 500. */
  int32_t (*handle)(const leat_scope* scope, leat_request* request);
  /* [worker] A piece of a streamed body, never empty; `piece` ends with the call. Not called any more once
   * the answer is complete. DONE and PENDING both mean "go on", answered or not: with the next piece or,
   * while leat.body/1 holds the body up, with what is to let it flow again, a suspension, a timer, a fetch or
   * on_writable; where there is none of these it is a 500. NEXT is a 404 and ERROR a 500, at once, or a cut
   * answer. The same holds for the verdicts of timers and completions until on_body_end is called. */
  int32_t (*on_body)(const leat_scope* scope, leat_request* request, leat_str piece);
  /* [worker] The streamed body is complete, and its trailers are there. Without it the answer must have begun
   * by then, or come from what is under way still. */
  int32_t (*on_body_end)(const leat_scope* scope, leat_request* request);
  /* [worker] There is room again after write() answered LEAT_BLOCKED. */
  int32_t (*on_writable)(const leat_scope* scope, leat_request* request);
  /* [worker] The client has gone before the answer was complete. At most once; nothing answered from here on
   * is sent. */
  void (*on_cancel)(const leat_scope* scope, leat_request* request);
  /* [worker] The request ends, answered or not: let go of its state. Exactly once for each handle(). */
  void (*on_done)(const leat_scope* scope, leat_request* request);
} leat_handler;

/* How many contexts a service has, that is, whose state its functions work on. */
#define LEAT_SERVICE_SINGLETON 0u  /* one: the provider's instance. Its functions are [any] */
#define LEAT_SERVICE_PER_WORKER 1u /* one for each worker: the provider's worker_state there */
#define LEAT_SERVICE_REQUEST 2u    /* one for each request that uses it: what open() makes */
/* The same for those whose open(), close() and functions can do without a worker: handlers on the pool have
 * them too (LEAT_HANDLER_ANY_THREAD), and the scope is as there. */
#define LEAT_SERVICE_REQUEST_ANY_THREAD 3u

/* What a plugin does for others: a table of functions, in a header that both include. The name says what it
 * is and the major version of the table, "users/1"; a table grows by appending, and begins with its own size
 * in bytes (uint32_t), as all tables do. Its functions take the context first. They run in the callback of
 * whoever calls them, as a part of it: what they suspend, fetch or allocate belongs to that request, and a
 * completion of theirs goes through the caller's host. */
typedef struct leat_service {
  uint32_t struct_size; /* also the distance between two elements of the plugin's array */
  uint32_t kind;        /* LEAT_SERVICE_* */
  leat_str name;        /* 1..63 visible characters, with a '/' and the number at the end */
  const void* table;    /* unchanged for as long as the plugin is loaded */
  /* LEAT_SERVICE_REQUEST and _ANY_THREAD only, both [worker]; `scope` is the provider's. The first use of the
   * service in a request makes a context; LEAT_OK, or an error of its own choice that the caller gets.
   * close() comes after the request's on_done, the last one opened first; nothing may be answered then. */
  int32_t (*open)(const leat_scope* scope, leat_request* request, void** context);
  void (*close)(const leat_scope* scope, leat_request* request, void* context);
} leat_service;

#define LEAT_NEED_OPTIONAL 1u /* the plugin can do without */

/* A service that the plugin uses (leat.services/1). Its provider is created before, and destroyed after. */
typedef struct leat_need {
  uint32_t struct_size; /* also the distance between two elements of the plugin's array */
  uint32_t flags;       /* LEAT_NEED_* */
  leat_str name;        /* "users/1" */
} leat_need;

/* Takes a piece of exported state; LEAT_OK, or LEAT_E_MEMORY. */
typedef int32_t (*leat_sink)(void* context, leat_str piece);

/* Nothing of the plugin is left once unload() has returned: no thread, no function for the process's or a
 * thread's end, no pointer to its code or data in other libraries, no symbol of which the process can have
 * only one (STB_GNU_UNIQUE). Its object is then unmapped when a reload has left it behind; without the flag
 * it stays mapped until the daemon ends. For that send_static() copies. */
#define LEAT_PLUGIN_UNLOADS 1u

/* The type of the symbol `leat_plugin`. Every callback may be NULL. */
typedef struct leat_plugin_entry {
  uint32_t magic;       /* LEAT_PLUGIN_MAGIC */
  uint32_t struct_size; /* sizeof(leat_plugin_entry) as the plugin was compiled */
  uint32_t abi_major;   /* LEAT_ABI_MAJOR */
  uint32_t abi_minor;   /* the least minor version that the plugin can work with */
  leat_str name;        /* of the plugin, 1..47 bytes, for logs */
  leat_str version;     /* of the plugin, for logs */

  /* [main] Once, after the object was loaded: ask for extensions here. LEAT_OK or an error. */
  int32_t (*load)(const leat_host* host, leat_error* error);
  /* [main] Once, after the last destroy(): when the daemon ends, or before the object is unmapped. */
  void (*unload)(void);

  /* [main] Once for each instance in the configuration. LEAT_OK with `*instance` set (NULL is fine), or an
   * error. A key of the configuration that create() never read is reported as a mistake. */
  int32_t (*create)(const leat_host* host, const leat_config* config, void** instance, leat_error* error);
  /* [main] No request, completion or timer of the instance is left. Its own threads must end in here. */
  void (*destroy)(void* instance);

  /* [worker] Once per worker and instance, before its first request there, on the worker's own thread: what
   * `thread_local` would be used for elsewhere. */
  int32_t (*worker_init)(const leat_host* host, void* instance, uint32_t worker, void** worker_state,
                         leat_error* error);
  /* [worker] Undoes a worker_init() that succeeded. */
  void (*worker_fini)(void* instance, uint32_t worker, void* worker_state);

  const leat_handler* handlers;
  uint32_t handler_count;
  uint32_t reserved; /* 0 */

  /* A reload makes a new instance beside the one that serves, which goes when its last request has ended:
   *   create, self_test, export_state (old), import_state (new), worker_init, [new requests go to the new
   *   one], on_drain (old), worker_fini, destroy (old).
   * Where anything fails the old one goes on as if nothing had been.
   * From before export_state until new requests go to the new one, those of the instance, and of whoever uses
   * its services, are held: none begins, and those under way have ended. So what a client was told of a change
   * is in what is exported. Not waited for are requests whose answers have begun, threads of the plugin's own,
   * and, after half of server.handover_timeout, requests that last: what they change then is lost, which the
   * log says of the last kind. */

  /* [main] Once, after create(), and in a process of its own before that: is all there that requests will
   * need? LEAT_OK or an error. */
  int32_t (*self_test)(const leat_host* host, void* instance, leat_error* error);
  /* [main] Gives what the next instance of this name is to begin with, in any number of pieces, to `sink`,
   * which copies them. The instance may serve on afterwards, should the reload fail: change nothing. The bytes
   * may reach a newer build of the plugin: put a version in front. */
  int32_t (*export_state)(const leat_host* host, void* instance, leat_sink sink, void* context,
                          leat_error* error);
  /* [main] Takes what a former instance exported; `state` ends with the call. Refuse what is not understood.
   * Clients wait meanwhile, and longer than server.handover_timeout in all they do not: then the old instance
   * goes on, and this one is destroyed. */
  int32_t (*import_state)(const leat_host* host, void* instance, leat_str state, leat_error* error);
  /* [main] No new request will come. What is still under way at `deadline_ns` (CLOCK_MONOTONIC) is given up:
   * end long work by then. */
  void (*on_drain)(const leat_host* host, void* instance, uint64_t deadline_ns);

  /* What each instance does for others, and what it wants of them. A configuration in which a need is not
   * met, or met by several (and none chosen), or in which plugins need each other in a circle, is refused. */
  const leat_service* services;
  const leat_need* needs;
  uint32_t service_count;
  uint32_t need_count;

  uint32_t flags;      /* LEAT_PLUGIN_* */
  uint32_t reserved_2; /* 0 */
} leat_plugin_entry;

/* ------------------------------------------------------------------------------------------ extensions */

/* "leat.request/1": what was asked for. All [worker]; texts are valid until the request ends. */
typedef struct leat_request_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  leat_str (*method)(const leat_request* request); /* "GET" */
  leat_str (*target)(const leat_request* request); /* as received */
  leat_str (*path)(const leat_request* request);   /* raw, percent-encoding kept: "/a%20b", or "*" */
  leat_str (*query)(const leat_request* request);  /* raw, without '?' */
  leat_str (*host)(const leat_request* request);   /* from the target or the Host field; may be empty */
  uint32_t (*minor_version)(const leat_request* request); /* of HTTP/1: 0 or 1 */
  leat_str (*peer)(const leat_request*
                       request); /* who is connected: the address without port; "unix:" for a unix socket */
  leat_str (*id)(const leat_request* request);       /* the request id, empty if nothing gave it one */
  leat_str (*route_id)(const leat_request* request); /* of the configuration: a label with few values */

  /* The first field of that name, any case; absent if there is none. */
  leat_str (*header)(const leat_request* request, leat_str name);
  /* Fields in the order received, repeated ones apart. `index` < header_count, else LEAT_E_NOT_FOUND. */
  uint32_t (*header_count)(const leat_request* request);
  int32_t (*header_at)(const leat_request* request, uint32_t index, leat_str* name, leat_str* value);
  /* The body's length in bytes as the client declared it; -1 if it did not (chunked), or if the body is unpacked before
   * it comes here; 0 without a body. */
  int64_t (*content_length)(const leat_request* request);

  /* Path parameter number `index`, decoded; absent past the last. leat.route/1 has the numbers. */
  leat_str (*param)(const leat_request* request, uint32_t index);
  /* The first query parameter of that name, decoded ('+' and %XX); absent if there is none, or if its escapes
   * are broken. Looked up by scanning the query. */
  leat_str (*query_param)(const leat_request* request, leat_str name);
  /* The cookie of that name, without quotes around it; absent if there is none. */
  leat_str (*cookie)(const leat_request* request, leat_str name);
  /* The whole body, for handlers that do not stream it; else empty. */
  leat_str (*body)(const leat_request* request);

  /* A pointer of the plugin's own that stays with the request; NULL until set. */
  int32_t (*set_state)(leat_request* request, void* state);
  void* (*state)(const leat_request* request);

  /* [any] The number of a field name that Leat knows, any case, for header_by_id; 0 for others. Numbers hold
   * for the daemon that gave them: ask at load. */
  uint32_t (*header_id)(leat_str name);
  /* As header(), for a number from header_id; absent for 0. */
  leat_str (*header_by_id)(const leat_request* request, uint32_t id);
  /* How many path parameters the request has: those of its route. */
  uint32_t (*param_count)(const leat_request* request);
  /* Query parameter number `index`, in the order received, both texts decoded. LEAT_E_NOT_FOUND past the
   * last, LEAT_E_ARGUMENT for one whose escapes are broken. Scans the query anew. */
  int32_t (*query_at)(const leat_request* request, uint32_t index, leat_str* name, leat_str* value);
  /* When the request is given up with a 504 unless its answer has begun, on CLOCK_MONOTONIC in nanoseconds;
   * UINT64_MAX for never. */
  uint64_t (*deadline_ns)(const leat_request* request);
  /* For whom it is, by what proxies say that the configuration trusts; the peer's address where none says anything. A
   * proxy may give a name in place of an address ("_hidden", "unknown"). "self": the daemon renews a stored response, on
   * a route that is not chosen by its client. */
  leat_str (*client)(const leat_request* request);
  /* By which that client asks: "http" or "https". */
  leat_str (*scheme)(const leat_request* request);
  /* 1: the request came with fields that say for whom it is, from a peer that is not trusted, and they were taken from
   * it; or nobody can understand what a trusted proxy says. Else 0. */
  int32_t (*client_in_doubt)(const leat_request* request);
  /* Who asks, as the configuration's middleware has had it proved (a key, a password, a token); empty where none has,
   * and where the daemon renews a stored response. */
  leat_str (*user)(const leat_request* request);
  /* What was proved of that user beside the name: a claim of its token. Text as it is, all else as JSON; absent if there
   * is none of that name. */
  leat_str (*claim)(const leat_request* request, leat_str name);
  /* What is known of the TLS connection that the request has come by, whoever is at its other end, a proxy or the client:
   * "version" ("TLSv1.3") and "cipher"; and of the certificate that this one has shown, which authorities of the listener
   * vouch for: "subject" ("CN=alice,O=Example", RFC 2253), "cn" (the common name, where there is one alone), "names" (the
   * alternative names, with a space between: "dns:a.example uri:spiffe://example/b") and "sha256" (its fingerprint, in
   * hexadecimal digits). Absent without TLS, without a certificate, and for other names; empty where a certificate has none. */
  leat_str (*tls)(const leat_request* request, leat_str name);
} leat_request_v1;

/* "leat.route/1": the route a handler is bound to. All [main], in bind(). */
typedef struct leat_route_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  leat_str (*id)(const leat_route* route);
  leat_str (*pattern)(const leat_route* route); /* "/users/{id}" */
  uint32_t (*param_count)(const leat_route* route);
  leat_str (*param_name)(const leat_route* route, uint32_t index); /* absent past the last */
  /* The number of the path parameter of that name, or LEAT_E_NOT_FOUND. */
  int32_t (*param_index)(const leat_route* route, leat_str name);
} leat_route_v1;

/* Where a parameter stands, and what its values are. */
#define LEAT_IN_PATH 0u
#define LEAT_IN_QUERY 1u
#define LEAT_IN_HEADER 2u
#define LEAT_IN_COOKIE 3u
#define LEAT_IN_FORM 4u      /* a body that is application/x-www-form-urlencoded; not with STREAM_BODY */
#define LEAT_IN_MULTIPART 5u /* one that is multipart/form-data; with STREAM_BODY known from on_body_end on */
#define LEAT_IN_JSON \
  6u /* a member of one that is a JSON object, by name or pointer (RFC 6901); not with STREAM_BODY */
#define LEAT_TYPE_TEXT 0u
#define LEAT_TYPE_INTEGER 1u
#define LEAT_TYPE_NUMBER 2u    /* finite */
#define LEAT_TYPE_BOOLEAN 3u   /* true, false, 1, 0, yes, no, on, off; in any case */
#define LEAT_TYPE_UUID 4u      /* RFC 9562 */
#define LEAT_TYPE_DATE_TIME 5u /* RFC 3339 */
#define LEAT_TYPE_EMAIL 6u     /* as browsers have it */
#define LEAT_TYPE_URI 7u       /* RFC 3986, with its scheme */
#define LEAT_TYPE_FILE \
  8u /* of LEAT_IN_MULTIPART; its choices are types: "image/png", "image/..." with a star for all images */

#define LEAT_PARAMETER_REQUIRED 1u
/* Several values: in a query, a form or cookies each with the name, in a path or fields with commas between. */
#define LEAT_PARAMETER_LIST 2u
#define LEAT_PARAMETER_RANGE 4u    /* `least` and `most` hold, of an integer or number */
#define LEAT_PARAMETER_UNSIGNED 8u /* those of an integer are to be read as uint64_t */

/* A parameter as it is declared. What is 0 bounds nothing. */
typedef struct leat_parameter {
  uint32_t struct_size;
  uint32_t in;       /* LEAT_IN_* */
  uint32_t type;     /* LEAT_TYPE_* */
  uint32_t flags;    /* LEAT_PARAMETER_* */
  leat_str name;     /* as clients write it; of a header in any case */
  leat_str sentence; /* what it is, for people */
  int64_t least;     /* of an integer, with LEAT_PARAMETER_RANGE */
  int64_t most;
  double least_number; /* of a number, likewise */
  double most_number;
  uint32_t min_length;     /* of a text, in characters */
  uint32_t max_length;     /* 0: however long */
  uint32_t min_items;      /* of a list */
  uint32_t max_items;      /* 0: however many */
  leat_str pattern;        /* of a text: a regular expression of RE2, found anywhere in it; empty: none */
  const leat_str* choices; /* of a text: one of these; NULL: whatever */
  uint32_t choice_count;
  uint32_t reserved;
  leat_str fallback; /* the value where there is none; absent: none */
  uint64_t max_size; /* of a file, in bytes; 0: however large the body may be */
} leat_parameter;

/* A file of a form, as the client gave it. */
typedef struct leat_file {
  uint32_t struct_size; /* set before the call */
  uint32_t reserved;
  leat_str name;    /* never to be used as a path: it may have folders in it, or be empty */
  leat_str type;    /* its Content-Type */
  leat_str content; /* in the body; empty where that came in pieces */
  uint64_t size;
} leat_file;

/* What describe() tells of. */
#define LEAT_DESCRIBES_BODY 0u
#define LEAT_DESCRIBES_ANSWER 1u

/* "leat.parameters/1": parameters by their rules. Those that a handler declares, and those of [[route.parameter]],
 * are looked up and checked before handle() is called; what is wrong with them is told in one 400, as
 * problem+json with the member "errors". A parameter that both declare keeps the rules of both. */
typedef struct leat_parameters_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [main] In bind(): its number, for the functions below; it is copied. LEAT_E_ARGUMENT, which bind() should
   * answer with, for what contradicts itself or the route, explained with host->fail. */
  int32_t (*declare)(const leat_host* host, const leat_route* route, const leat_parameter* parameter,
                     leat_error* error);
  /* [main] In bind(): the number of one that is declared already, or LEAT_E_NOT_FOUND. */
  int32_t (*find)(const leat_route* route, uint32_t in, leat_str name);
  /* [worker] Its value, decoded: the first, or its default; absent if there is none. */
  leat_str (*value)(const leat_request* request, uint32_t number);
  /* [worker] How many values a list has; the first of them, `room` at most, are put into `values`. */
  uint32_t (*values)(const leat_request* request, uint32_t number, leat_str* values, uint32_t room);
  /* [worker] How much is wrong, also with the body, by reject(). */
  uint32_t (*wrong)(const leat_request* request);
  /* [worker] In handle(): something is wrong with the body. `pointer` is its place (RFC 6901), empty for the
   * whole; `message` goes on from "The body's `/title` ": "must not be empty". Copied. LEAT_E_MEMORY. */
  int32_t (*reject)(leat_request* request, leat_str pointer, leat_str message);
  /* [worker] Answers with a 400 that tells all of it. LEAT_E_STATE where nothing is wrong. */
  int32_t (*refuse)(leat_request* request);
  /* [any] 1: the text is what LEAT_TYPE_* says. */
  int32_t (*fits)(uint32_t type, leat_str text);
  /* [main] In bind(): what the body has to be, or what is answered, as a JSON Schema, for the description of
   * the API (`leat openapi`). Copied. LEAT_E_ARGUMENT for what is no JSON. */
  int32_t (*describe)(const leat_route* route, uint32_t what, leat_str schema);
  /* [main] In load(): a regular expression of RE2, for members of a body and the like. NULL, explained with
   * host->fail, where it is none; `called` is whose it is, for people. */
  const leat_pattern* (*pattern)(const leat_host* host, leat_str pattern, leat_str called, leat_error* error);
  /* [any] 1: it is found anywhere in the text: ^ and $ bind it to the ends. It takes time in proportion to the text,
   * whatever both are, and no memory of the request's. */
  int32_t (*matches)(const leat_pattern* pattern, leat_str text);
  /* [worker] File `index` of those that were given for a parameter, from 0; LEAT_E_NOT_FOUND past the last. Good until
   * the request ends. */
  int32_t (*file)(const leat_request* request, uint32_t number, uint32_t index, leat_file* file);
} leat_parameters_v1;

/* "leat.session/1": what is known of whoever asks, from one request to the next. The middleware `sessions` has it
 * in front of a route, sealed in a cookie of its client, so that it is small, and that nobody else reads or
 * changes it. Names and values are bytes. What is changed is with the client when the answer's head is. What a
 * handler answers that has used it is for that client alone: the response cache does not store it.
 *
 * Where no session is in front of the route all but there() answer LEAT_E_NOT_FOUND, which is logged. Changes are
 * LEAT_E_STATE once the answer has begun, or its client has left. */
typedef struct leat_session_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [main] In bind(): the handler cannot do without. A route that has none in front is told as a mistake of the
   * configuration. LEAT_OK. */
  int32_t (*need)(const leat_route* route);
  /* [worker] Not 0: there is one, if only an empty one. */
  int32_t (*there)(const leat_request* request);
  /* [worker] LEAT_OK; `*value` is absent where there is none of that name. Valid until the request ends. */
  int32_t (*get)(leat_request* request, leat_str name, leat_str* value);
  /* [worker] Copied, in place of what was there. LEAT_E_ARGUMENT, and nothing is changed, for a name that is empty
   * or longer than 255 bytes, and for more values or bytes than `sessions` takes; LEAT_E_MEMORY. */
  int32_t (*set)(leat_request* request, leat_str name, leat_str value);
  /* [worker] That there is none of that name is no mistake. */
  int32_t (*remove)(leat_request* request, leat_str name);
  /* [worker] Ends it, with all its values: for logging out. */
  int32_t (*clear)(leat_request* request);
  /* [worker] The same values in a session of its own, which nobody knew before: for logging in, so that whoever
   * gave the client a session does not share what comes of it (session fixation). LEAT_E_MEMORY. */
  int32_t (*renew)(leat_request* request);
} leat_session_v1;

/* "leat.body/1": the flow of a streamed body, and trailers. All [worker]. */
typedef struct leat_body_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Stops and starts on_body. A piece being delivered is delivered; the client is slowed down by TCP. */
  int32_t (*pause)(leat_request* request);
  int32_t (*resume)(leat_request* request);
  /* Lowers the limit in bytes for this request's body, in handle() of a streaming handler; past it 413. */
  int32_t (*set_limit)(leat_request* request, uint64_t bytes);
  /* Trailer fields of a chunked body, from on_body_end on. */
  uint32_t (*trailer_count)(const leat_request* request);
  int32_t (*trailer_at)(const leat_request* request, uint32_t index, leat_str* name, leat_str* value);
} leat_body_v1;

/* "leat.response/1": the answer. All [worker]. Either send it whole, or begin, write and end. The status and
 * the fields must be set before; afterwards everything but write, trailers, end and abort is LEAT_E_STATE.
 * Framing (Content-Length, Transfer-Encoding, Connection), Date and Server are the host's, and refused as
 * fields. All fields together, the host's included, may have 16 KiB: past it the client gets a 500. */
typedef struct leat_response_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* 200..599, else LEAT_E_ARGUMENT. 200 until set. */
  int32_t (*status)(leat_request* request, uint32_t status);
  int32_t (*content_type)(leat_request* request, leat_str type);
  int32_t (*content_type_static)(leat_request* request, leat_str type);
  /* Appends a field; set_header first removes those of that name. LEAT_E_ARGUMENT: the name is no token, the
   * value holds a control character other than the tab, a field of the host's, or there are 64 already. */
  int32_t (*add_header)(leat_request* request, leat_str name, leat_str value);
  int32_t (*add_header_static)(leat_request* request, leat_str name, leat_str value);
  int32_t (*set_header)(leat_request* request, leat_str name, leat_str value);
  int32_t (*remove_header)(leat_request* request, leat_str name);

  /* The whole answer, with a copy of `body`, or with the bytes themselves, which are then sent in place. */
  int32_t (*send)(leat_request* request, leat_str body);
  int32_t (*send_static)(leat_request* request, leat_str body);
  /* The whole answer as RFC 9457 problem+json. `status` 400..599. `detail` tells the client what to mend.
   * `extra` is appended to the object's members as it stands and must be valid there:
   * "\"parameter\":\"limit\"". */
  int32_t (*send_problem)(leat_request* request, uint32_t status, leat_str detail, leat_str extra);

  /* Sends the head. `length` in bytes frames the body; -1 if it is not known yet. */
  int32_t (*begin)(leat_request* request, int64_t length);
  /* LEAT_OK: go on. LEAT_BLOCKED: `bytes` were taken, and a well-behaved handler returns and goes on in
   * on_writable. LEAT_E_ARGUMENT: past the length given to begin(), nothing was taken. */
  int32_t (*write)(leat_request* request, leat_str bytes);
  /* A field after a body of unknown length, sent with end() where the client can take it. */
  int32_t (*add_trailer)(leat_request* request, leat_str name, leat_str value);
  /* LEAT_E_STATE if fewer bytes were written than begin() was told; the answer is then cut. */
  int32_t (*end)(leat_request* request);
  /* Gives up half-way: the connection is closed, so that the client sees that the answer is cut. */
  int32_t (*abort)(leat_request* request);

  int32_t (*started)(const leat_request* request);  /* 1 once an answer was sent or begun */
  int32_t (*finished)(const leat_request* request); /* 1 once it is complete, or can't be any more */

  /* Before the answer, what its client may fetch meanwhile (103 Early Hints, RFC 8297): the values of `count` Link fields, such
   * as "</style.css>; rel=preload; as=style". LEAT_OK also where this client is not told: HTTP/1.1 without
   * limits.http1_early_hints, HTTP/1.0, a client that is slow to read. They are no part of the answer, which says again what
   * it means. LEAT_E_STATE: it was answered, or eight of these were sent for it. LEAT_E_ARGUMENT: none, more than 32, one that
   * is empty or holds a control character, or more than 8 KiB. */
  int32_t (*early_hints)(leat_request* request, const leat_str* links, uint32_t count);
} leat_response_v1;

/* "leat.arena/1": memory that goes when the request ends. [worker] */
typedef struct leat_arena_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* `size` bytes, uninitialised; `align` a power of two, 16 at most. NULL: past the request's memory limit.
   */
  void* (*alloc)(leat_request* request, size_t size, size_t align);
  /* A copy; absent when there is no memory. */
  leat_str (*copy)(leat_request* request, leat_str text);
} leat_arena_v1;

/* "leat.json/1": writes JSON into the request's memory. [worker] Nothing that is called here can make invalid
 * JSON: an event that can't come now (a value without a key in an object, an end without a begin), a number
 * that is NaN or infinite, more than 128 levels, or a lack of memory, make finish() and send() fail with
 * LEAT_E_STATE, and the log says which was first. `json` must not be NULL. */
typedef struct leat_json_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  leat_json* (*start)(leat_request* request); /* NULL: memory */
  void (*begin_object)(leat_json* json);
  void (*end_object)(leat_json* json);
  void (*begin_array)(leat_json* json);
  void (*end_array)(leat_json* json);
  void (*key)(leat_json* json, leat_str name);
  /* In a text or name that is not UTF-8, as clients may send one, each byte that is part of no character
   * becomes U+FFFD. */
  void (*string)(leat_json* json, leat_str text);
  void (*integer)(leat_json* json, int64_t number);
  void (*unsigned_integer)(leat_json* json, uint64_t number);
  void (*real)(leat_json* json, double number); /* the shortest text that reads back as the same number */
  void (*boolean)(leat_json* json, int32_t truth);
  void (*null)(leat_json* json);
  void (*raw)(leat_json* json, leat_str text); /* one value, written as it stands */
  /* The text, in the request's memory, JSON in any case; more events after it are a mistake. */
  int32_t (*finish)(leat_json* json, leat_str* text);
  /* finish(), and send it as application/json (unless another type was set); or in the form that the client has asked for,
   * where the route has a middleware "formats": CBOR or MessagePack. */
  int32_t (*send)(leat_request* request, leat_json* json);
  /* For encoders that write a whole value themselves, as that of LEAT_JSON does. Between begin_text and
   * end_text nothing else is called for `json`.
   * A place for `room` bytes, and `*end` of what is there. NULL: memory, no value may stand here, or
   * something else is written (json.backend; "formats"); then events are the way. */
  char* (*begin_text)(leat_json* json, size_t room, char** end);
  /* When it is too little: the bytes up to `at` in a new place, with `room` more. NULL: memory. */
  char* (*more_room)(leat_json* json, char* at, size_t room, char** end);
  /* The value ends at `at`. What it is nobody looks at again: it must be JSON, in UTF-8, with no more levels
   * than were left. NULL: it could not be written, for the LEAT_JSON_ reason `why`. */
  void (*end_text)(leat_json* json, char* at, int32_t why);
  /* How many containers may yet be begun in each other. */
  uint32_t (*levels_left)(const leat_json* json);
  /* What is written, LEAT_JSON_AS_*: for encoders that write it themselves where there is no begin_text. */
  uint32_t (*form)(const leat_json* json);
  /* begin_text for a value in that form, if it is none of text: the bytes that events would make. */
  char* (*begin_bytes)(leat_json* json, size_t room, char** end);
} leat_json_v1;

#define LEAT_JSON_AS_TEXT 0u
#define LEAT_JSON_AS_CBOR 1u /* RFC 8949 */
#define LEAT_JSON_AS_MESSAGE_PACK 2u

#define LEAT_JSON_NO_MEMORY 0
#define LEAT_JSON_NOT_UTF8 1
#define LEAT_JSON_NOT_FINITE 2

/* What stands next in a JSON text. */
#define LEAT_JSON_IS_NOTHING 0u /* no value begins here, or something was wrong before */
#define LEAT_JSON_IS_NULL 1u
#define LEAT_JSON_IS_BOOLEAN 2u
#define LEAT_JSON_IS_NUMBER 3u
#define LEAT_JSON_IS_STRING 4u
#define LEAT_JSON_IS_ARRAY 5u
#define LEAT_JSON_IS_OBJECT 6u

/* What is wrong with a JSON text. Texts are the request's. */
typedef struct leat_json_error {
  uint32_t struct_size; /* sizeof(leat_json_error), set by the plugin */
  uint32_t reserved;
  uint64_t offset;  /* of the byte in the text where it was seen */
  leat_str message; /* "must be a whole number from 0 to 255" */
  leat_str pointer; /* to the value (RFC 6901), "/users/3/age"; empty for the whole text */
} leat_json_error;

/* "leat.json_reader/1": reads JSON, strictly, value by value. [worker] Only RFC 8259's
 * grammar in UTF-8 is taken, with 64 levels at most; how large a body may be is its route's limit, past which
 * there is a 413.
 *
 * Nothing has to be checked on the way. After the first thing that is wrong, in the text or in the order of
 * calls, everything answers 0, an empty text or the end of its loop, and finish() says so. `reader` may be
 * NULL, which is "no memory". A value that was not read when the next step is taken is read over, and must be
 * well-formed all the same. The C++ wrapper's JsonBody refuses the same texts with the same answers.
 *
 *   leat_json_reader* in = reader_api->body(request);
 *   if (reader_api->object(in, names, 2, 1))
 *     for (int32_t which; (which = reader_api->member(in)) >= 0;)
 *       if (which == 0) title = reader_api->string(in); else done = reader_api->boolean(in);
 *   if (reader_api->finish(in) != LEAT_OK)
 *     return reader_api->refuse(request, in) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
 */
typedef struct leat_json_reader_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* A text's one value comes next. The text must stay as it is for as long as the reader is used. NULL:
   * memory. */
  leat_json_reader* (*start)(leat_request* request, leat_str text);
  /* The same for the request's body, which must not be streamed. One that says to be of another type than
   * JSON is wrong at once, and refuse() answers 415. */
  leat_json_reader* (*body)(leat_request* request);

  /* LEAT_JSON_IS_*, by its first byte. */
  uint32_t (*kind)(const leat_json_reader* reader);

  /* Enters an object, of which `names` are known, 64 at most; they must stay until it is left. Bit i of
   * `required`: names[i] must be there. 0: it is none. With no names all are known; each is then number 0,
   * and may come twice. */
  int32_t (*object)(leat_json_reader* reader, const leat_str* names, uint32_t count, uint64_t required);
  /* The number of the next known member, whose value comes next; others are read over. A known one that comes
   * twice is wrong. -1: there is no other one, and the object is left. */
  int32_t (*member)(leat_json_reader* reader);
  /* The name of the member, or absent. */
  leat_str (*name)(const leat_json_reader* reader);
  /* Enters an array; 0: it is none. Then 1 for each element, which comes next; 0 after the last, and it is
   * left. */
  int32_t (*array)(leat_json_reader* reader);
  int32_t (*element)(leat_json_reader* reader);
  /* Reads over the rest of the innermost object or array that was entered, and leaves it. */
  void (*leave)(leat_json_reader* reader);

  /* Take the value; one of another kind, or beyond its bounds, is wrong. */
  int32_t (*boolean)(leat_json_reader* reader);
  int64_t (*integer)(leat_json_reader* reader, int64_t least, int64_t most);
  uint64_t (*unsigned_integer)(leat_json_reader* reader, uint64_t least, uint64_t most);
  double (*real)(leat_json_reader* reader);
  /* In UTF-8, without its escapes: a part of the text, or in the request's memory. */
  leat_str (*string)(leat_json_reader* reader);
  /* A value of any kind as it stands in the text. */
  leat_str (*raw)(leat_json_reader* reader);
  /* 1, and it is taken, if it is null; else 0, and it comes next still. */
  int32_t (*null)(leat_json_reader* reader);

  /* Says that the value which was read last is wrong: `message` goes on from "The body's `/title` ": "must
   * not be empty". Copied. */
  void (*reject)(leat_json_reader* reader, leat_str message);
  /* Nothing must follow the value. LEAT_OK; LEAT_E_ARGUMENT: the text is wrong; LEAT_E_STATE: calls came in a
   * wrong order, which was logged; LEAT_E_MEMORY. */
  int32_t (*finish)(leat_json_reader* reader);
  /* What is wrong with the text; LEAT_E_NOT_FOUND, and `*error` is as it was, if nothing is. */
  int32_t (*error)(const leat_json_reader* reader, leat_json_error* error);
  /* Answers the request with it: a 400 as problem+json with the members "offset" and "pointer", or a 415.
   * Where it is not the client's mistake nothing is answered, and it is what finish() answered. */
  int32_t (*refuse)(leat_request* request, leat_json_reader* reader);
} leat_json_reader_v1;

#define LEAT_LOG_DEBUG 0u
#define LEAT_LOG_INFO 1u
#define LEAT_LOG_WARN 2u
#define LEAT_LOG_ERROR 3u

/* "leat.log/1": lines in the daemon's log. [any] They name the plugin; they never block, and are dropped and
 * counted under a flood: of each level a plugin has 1,000 lines in ten seconds (log.plugin_lines). What is
 * longer than 16 KiB (log.line) is cut. Control characters are shown as '?'. */
typedef struct leat_log_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*enabled)(const leat_host* host, uint32_t level);
  void (*write)(const leat_host* host, uint32_t level, leat_str message);
} leat_log_v1;

/* "leat.config/1": the instance's options. All [main], in create(). A getter leaves `*out` at its default
 * when the key is absent, and answers LEAT_OK. A value of the wrong type or out of range is reported at its
 * line by the host, which makes the load fail, and answers LEAT_E_ARGUMENT with the default in `*out`. Texts
 * are valid until create() returns. */
typedef struct leat_config_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*has)(const leat_config* config, leat_str key); /* 1 or 0 */
  int32_t (*integer)(const leat_config* config, leat_str key, int64_t fallback, int64_t least, int64_t most,
                     int64_t* out);
  int32_t (*real)(const leat_config* config, leat_str key, double fallback, double least, double most,
                  double* out);
  int32_t (*boolean)(const leat_config* config, leat_str key, int32_t fallback, int32_t* out);
  int32_t (*string)(const leat_config* config, leat_str key, leat_str fallback, leat_str* out);
  /* The table under `key`, or NULL if there is none. */
  const leat_config* (*table)(const leat_config* config, leat_str key);
  /* Items of the array under `key`, 0 if it is absent. The functions that end in `_at` take index < count,
   * else LEAT_E_NOT_FOUND or NULL; an item of the wrong type or out of range is reported like any value, and
   * leaves nothing (0, an absent text) in `*out`. */
  uint32_t (*count)(const leat_config* config, leat_str key);
  int32_t (*string_at)(const leat_config* config, leat_str key, uint32_t index, leat_str* out);
  const leat_config* (*table_at)(const leat_config* config, leat_str key, uint32_t index);
  int32_t (*integer_at)(const leat_config* config, leat_str key, uint32_t index, int64_t least, int64_t most,
                        int64_t* out);
  int32_t (*real_at)(const leat_config* config, leat_str key, uint32_t index, double least, double most,
                     double* out);
  int32_t (*boolean_at)(const leat_config* config, leat_str key, uint32_t index, int32_t* out);
} leat_config_v1;

/* Names a suspension from any thread. Compares as a value; a stale one resumes nothing. */
typedef struct leat_ticket {
  uint32_t worker;
  uint32_t slot;
  uint64_t generation;
} leat_ticket;

/* Goes on with a request, on its worker's thread; the verdict means what that of handle() does. For a
 * completion whose request ended on the way `request` is NULL: free what `argument` points to, the verdict is
 * ignored. */
typedef int32_t (*leat_resume)(const leat_scope* scope, leat_request* request, void* argument);

/* "leat.async/1": answer later, from another thread. */
typedef struct leat_async_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [worker] Then return LEAT_PENDING. A request can have several, each with its ticket; it goes on with each
   * completion. A suspension ends with its completion or with the request. LEAT_E_MEMORY, LEAT_E_STATE when
   * it has been answered. */
  int32_t (*suspend)(leat_request* request, leat_ticket* ticket);
  /* [any] 1: accepted, `resume` will be called exactly once, on the request's worker. 0: the request has
   * ended, or was completed already, or the ticket is none of this instance's, or memory is out: nothing will
   * be called. */
  int32_t (*complete)(const leat_host* host, leat_ticket ticket, leat_resume resume, void* argument);
} leat_async_v1;

/* "leat.timer/1": go on with a request after a time. All [worker]. */
typedef struct leat_timer_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Calls `resume` after `delay_ms`, unless the request has ended by then. Keeps the request open meanwhile:
   * return LEAT_PENDING. A request can have several. LEAT_E_MEMORY, LEAT_E_STATE when it has been answered.
   */
  int32_t (*resume_after)(leat_request* request, uint64_t delay_ms, leat_resume resume, void* argument);
  /* CLOCK_MONOTONIC as of this turn of the loop, in nanoseconds. */
  uint64_t (*now_ns)(const leat_request* request);
} leat_timer_v1;

#define LEAT_GATHER_FAIL_FAST 1u /* after the first failure nothing more is begun */

/* How a gather went. The host's, valid during the call. */
typedef struct leat_gather_result {
  uint32_t struct_size;
  uint32_t count;        /* as asked for */
  uint32_t failed;       /* calls of work that answered other than LEAT_OK */
  uint32_t skipped;      /* never begun: after a failure (FAIL_FAST), past the deadline, without a client */
  uint32_t first_failed; /* index of the failure that came first, UINT32_MAX if there was none */
  int32_t first_error;   /* what it answered; LEAT_OK if there was none */
} leat_gather_result;

/* A leat_resume for a gather. */
typedef int32_t (*leat_gathered)(const leat_scope* scope, leat_request* request, void* argument,
                                 const leat_gather_result* result);

/* "leat.pool/1": work that blocks, on threads that the daemon keeps for it (settings pool.threads and
 * pool.queue). Work gets no request: give it what it needs in `argument`, which must live until `resume` was
 * called. That happens exactly once, on the request's worker, after the work has ended, for every call that
 * answered LEAT_OK; with a NULL request if that ended meanwhile. A request can have several, and keeps open
 * meanwhile: return LEAT_PENDING. All work of an instance has come back before its worker_fini() and
 * destroy(). Work that lasts should ask cancelled() now and then: a reload and the daemon's end wait for it.
 */
typedef struct leat_pool_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [worker] Runs work(argument) on a thread of the pool, unless the request ends before its turn has come.
   * Work that throws fails the request, and `resume` gets none. LEAT_E_BUSY: pool.queue are waiting already;
   * LEAT_E_MEMORY; LEAT_E_STATE when the request has been answered or has ended. */
  int32_t (*submit)(leat_request* request, void (*work)(void* argument), leat_resume resume, void* argument);
  /* [worker] Runs work(argument, 0) .. work(argument, count - 1), at most `limit` at once (0: as many as the
   * pool has threads), begun in that order; each leaves its result where `argument` says, and answers LEAT_OK
   * or an error of its own choice. `flags`: 0 or LEAT_GATHER_FAIL_FAST. `deadline_ms` from now, nothing more
   * is begun (0: no deadline). Errors as for submit; LEAT_E_ARGUMENT: unknown flags. */
  int32_t (*gather)(leat_request* request, uint32_t count, uint32_t limit,
                    int32_t (*work)(void* argument, uint32_t index), leat_gathered resume, void* argument,
                    uint32_t flags, uint64_t deadline_ms);
  /* [any] In work: 1 if its result is of no use any more, since the client has left, the deadline is past, or
   * another one has failed. 0 otherwise, and outside of work. */
  int32_t (*cancelled)(void);
} leat_pool_v1;

/* A header field. */
typedef struct leat_field {
  leat_str name;
  leat_str value;
} leat_field;

/* A server that the instance sends requests to; from open() until destroy() has returned. */
typedef struct leat_upstream leat_upstream;

/* Which HTTP a server is spoken to by. */
#define LEAT_UPSTREAM_ANY 0u   /* over TLS HTTP/2 where the server has it, else HTTP/1.1 */
#define LEAT_UPSTREAM_HTTP1 1u /* HTTP/1.1 alone */
#define LEAT_UPSTREAM_HTTP2 2u /* HTTP/2 alone; "h2c://" says so of one in the clear */

/* 0 anywhere: the default, in brackets. The numbers of connections and of those that wait are for each
 * worker. */
typedef struct leat_upstream_options {
  uint32_t struct_size;
  uint32_t connections;        /* in use or kept [64] */
  uint32_t waiting;            /* fetches that wait for a connection [1024]; one more is LEAT_E_BUSY */
  uint32_t connect_timeout_ms; /* [2000] for each of the server's addresses */
  uint32_t timeout_ms;         /* [30000] of a fetch, from its begin until its answer is complete */
  uint32_t idle_timeout_ms;    /* [15000] for which a connection is kept: less than the server does */
  uint64_t body_bytes;         /* [8 MiB] of an answer's body; its head may have 32 KiB in 100 fields */
  uint32_t protocol;           /* LEAT_UPSTREAM_* */
  uint32_t reserved;
} leat_upstream_options;

/* What is asked for; copied. */
typedef struct leat_fetch {
  uint32_t struct_size;
  uint32_t field_count;
  leat_str method; /* empty: GET */
  leat_str target; /* path and query, percent-encoded: "/users/7?full=1" */
  /* None of those that steer the connection (Host, Content-Length, Transfer-Encoding, Connection, Expect
   * ...): they are the client's. */
  const leat_field* fields;
  leat_str body;
  uint64_t timeout_ms; /* 0: the upstream's. Never beyond the request's own deadline. */
} leat_fetch;

/* What came of a fetch. Filled in before `resume` is called; the host's, with all that it points to, until
 * the request ends. */
typedef struct leat_fetched {
  uint32_t struct_size;
  /* LEAT_OK: there is an answer, whatever its status. LEAT_E_TIMEOUT; LEAT_E_UPSTREAM: no connection, a
   * broken one, an answer that is no HTTP or beyond the limits; LEAT_E_MEMORY: the request's. LEAT_E_STATE:
   * not yet. */
  int32_t error;
  uint32_t status; /* 200 .. 599 */
  uint32_t field_count;
  const leat_field* fields; /* in the order received, trailers last */
  leat_str body;            /* without its framing; not decompressed */
  leat_str message; /* of an error, for the log: "cannot connect to http://users:8080: Connection refused" */
} leat_fetched;

/* "leat.client/1": asks other servers over HTTP/1.1, on the worker's own loop. Connections are kept and used
 * again. A request with an idempotent method is sent once more where a kept connection proves to be closed.
 * Fetches belong to their request: they are cancelled when it ends, and `resume` is not called then. */
typedef struct leat_client_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [main] In create(): a server as "http://HOST[:PORT]", "https://HOST[:PORT]", "h2c://HOST[:PORT]" or "unix:/PATH". Resolves the
   * name, and again every minute while it is used, elsewhere. `options` may be NULL. LEAT_E_ARGUMENT, explained with host->fail at
   * `key`, for an URL that is none or a name without an address. */
  int32_t (*open)(const leat_host* host, leat_str url, const leat_upstream_options* options, leat_str key,
                  leat_error* error, leat_upstream** upstream);
  /* [worker] Begins, and calls `resume` once there is an answer or none will come. Keeps the request open
   * meanwhile: return LEAT_PENDING. A request can have several. `*fetched` is set at once and filled in
   * later. LEAT_E_ARGUMENT: a fetch that cannot be sent as HTTP, or an upstream that is not the instance's;
   * LEAT_E_BUSY; LEAT_E_MEMORY; LEAT_E_STATE when the request has been answered. */
  int32_t (*fetch)(leat_request* request, leat_upstream* upstream, const leat_fetch* fetch,
                   leat_resume resume, void* argument, const leat_fetched** fetched);
  /* [worker] Gives one up: `resume` will not be called for it. LEAT_E_NOT_FOUND when it is over. */
  int32_t (*cancel)(leat_request* request, const leat_fetched* fetched);
} leat_client_v1;

/* Something that the plugin counts or measures; from declare() until destroy() has returned. */
typedef struct leat_metric leat_metric;

#define LEAT_METRIC_COUNTER 0u   /* a whole number that only grows: name it x_total */
#define LEAT_METRIC_GAUGE 1u     /* a number that is set, or changed up and down */
#define LEAT_METRIC_HISTOGRAM 2u /* how many measured values are at most each bound, and their sum */

/* What is declared; copied. Texts are UTF-8. */
typedef struct leat_metric_options {
  uint32_t struct_size;
  uint32_t type; /* LEAT_METRIC_* */
  /* [a-zA-Z_:][a-zA-Z0-9_:]*, not beginning with "leat_". A name has one type in all plugins, and that of a
   * histogram takes NAME_bucket, NAME_sum and NAME_count too. Units last: "fetch_seconds". */
  leat_str name;
  leat_str help;            /* a sentence for whoever reads the numbers */
  const leat_field* labels; /* constant; names are [a-zA-Z_][a-zA-Z0-9_]*, none "plugin", "le" or "__..." */
  const double* bounds;     /* of a histogram's buckets: finite, each greater than the one before */
  uint32_t label_count;
  uint32_t bound_count;
} leat_metric_options;

/* "leat.metrics/1": numbers for whoever watches the daemon, in the text format of Prometheus (`leat metrics`,
 * or a route with the handler leat:metrics). Each is shown with the label plugin="INSTANCE". Counting takes
 * no lock and allocates nothing; on a worker a counter and a histogram write to memory of that worker alone.
 * A reload's new instance that declares the same goes on with the same numbers; those that no instance has
 * declared any more disappear. A type or bounds that have changed begin anew, and are shown when the old
 * instance has gone. */
typedef struct leat_metrics_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [main] In create(): a metric, from zero unless it is there already. The same one for the same name,
   * labels (in any order), type and bounds. LEAT_E_ARGUMENT, explained with host->fail at `key`, for what
   * cannot be shown, for more series than the setting metrics.series allows (a histogram is its bounds and
   * three), and for what contradicts another declaration of the instance; LEAT_E_STATE outside of create().
   * `*metric` is NULL then. */
  int32_t (*declare)(const leat_host* host, const leat_metric_options* options, leat_str key,
                     leat_error* error, leat_metric** metric);
  /* [any] LEAT_E_ARGUMENT, and nothing changes, for a metric of another type or NULL. */
  int32_t (*add)(leat_metric* metric, uint64_t count);   /* to a counter */
  int32_t (*set)(leat_metric* metric, double value);     /* a gauge */
  int32_t (*change)(leat_metric* metric, double by);     /* a gauge, from any number of threads at once */
  int32_t (*observe)(leat_metric* metric, double value); /* by a histogram; finite, else LEAT_E_ARGUMENT */
} leat_metrics_v1;

/* A service that was found for a need; until the instance's destroy() has returned. */
typedef struct leat_service_use leat_service_use;

/* "leat.services/1": what other plugins do for this one; see leat_service for what they do. */
typedef struct leat_services_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [main] In create(): the service for one of the entry's needs; NULL for an optional one that nobody
   * provides, and for a name that is not among the needs, which is logged. The provider's create() has been
   * called. */
  const leat_service_use* (*find)(const leat_host* host, leat_str name);
  /* [any] Its table; look with LEAT_HAS before using what its first version lacked. */
  const void* (*table)(const leat_service_use* use);
  /* [worker] What its functions are to be called with, for this request. LEAT_OK; LEAT_E_MEMORY, or what
   * open() answered; LEAT_E_STATE once the request has ended, unless it was opened before. For a singleton
   * `request` may be NULL, and this is [any]. */
  int32_t (*context)(leat_request* request, const leat_service_use* use, void** context);
} leat_services_v1;

/* "leat.cache/1": values by key, in memory, for all workers and instances of a name. Keys and tags are bytes
 * of any kind, private to the instance's name, and what is stored outlives a reload. All of it takes no more
 * than the setting cache.size; what is asked for seldom goes first. A value that is stored may be gone at any
 * time.
 */
typedef struct leat_cache_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [worker] The value, which stays where it is until the request ends, whatever becomes of its entry.
   * LEAT_OK; LEAT_E_NOT_FOUND, and `*value` is absent; LEAT_E_MEMORY. */
  int32_t (*get)(leat_request* request, leat_str key, leat_str* value);
  /* [worker] Answers with the value, without copying it; as send() in all else. LEAT_E_NOT_FOUND, with
   * nothing answered; LEAT_E_STATE when the request has been answered. */
  int32_t (*send)(leat_request* request, leat_str key);
  /* [any] Stores a copy, in place of what was there. `ttl_ms` from now it is not found any more. 0: until it
   * has to go; more than INT64_MAX, a time below zero: nothing is stored, and what was there goes. Tags, or
   * NULL, are names by which many can be purged at once. LEAT_E_ARGUMENT: key, value and tags are more than
   * cache.entry_size, or nothing is stored here; LEAT_E_MEMORY. */
  int32_t (*put)(const leat_host* host, leat_str key, leat_str value, uint64_t ttl_ms, const leat_str* tags,
                 uint32_t tag_count);
  /* [any] Purge the entry of that key; those whose keys begin so; those with the tag. How many there were.
   * The last two look at every entry of the daemon. */
  uint64_t (*purge)(const leat_host* host, leat_str key);
  uint64_t (*purge_prefix)(const leat_host* host, leat_str prefix);
  uint64_t (*purge_tag)(const leat_host* host, leat_str tag);
} leat_cache_v1;

/* What a time of leat_response_wishes is where nothing is wished. */
#define LEAT_UNSAID UINT64_MAX

/* How long a response may be sent to others. What is LEAT_UNSAID is for its Cache-Control to say, and then
 * for the route's settings, [route.cache]. Times are milliseconds; more than INT64_MAX is 0. */
typedef struct leat_response_wishes {
  uint32_t struct_size;
  uint32_t no_store; /* not 0: it is for this client alone */
  uint64_t ttl_ms;
  uint64_t stale_while_revalidate_ms;
  uint64_t stale_if_error_ms;
} leat_response_wishes;

/* By which name stored responses are purged. */
#define LEAT_PURGE_TARGET 0u /* "/path", with whatever query; or "/path?query" */
#define LEAT_PURGE_FOLDER 1u /* "/path" and all below it, as "/path/x", but not "/pathx" */
#define LEAT_PURGE_TAG 2u    /* what tag() or a Cache-Tag field gave that tag */
#define LEAT_PURGE_ALL 3u

/* "leat.response_cache/1": the responses that routes with a [route.cache] store. */
typedef struct leat_response_cache_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [worker] Before the request is answered. The last wishes count. LEAT_OK; LEAT_E_NOT_FOUND where the
   * answer is not stored whatever is wished, because the route has no cache or the request passes it;
   * LEAT_E_ARGUMENT. */
  int32_t (*wish)(leat_request* request, const leat_response_wishes* wishes);
  /* [worker] Gives the answer a tag, one more. As wish(). Tags are the same for all plugins. */
  int32_t (*tag)(leat_request* request, leat_str tag);
  /* [any] Makes what has that name stale, on all hosts; hard (not 0): makes it as if it had never been
   * stored. What a handler is making meanwhile is purged with it. LEAT_E_ARGUMENT, logged, where the name
   * cannot be one of that kind. It costs next to nothing, however much has that name. */
  int32_t (*purge)(const leat_host* host, uint32_t by, leat_str name, int32_t hard);
} leat_response_cache_v1;

/* When a middleware runs, relative to others: forward on the request in this order, backwards on the answer. */
#define LEAT_PHASE_OBSERVE 0u   /* sees everything as the client does */
#define LEAT_PHASE_IDENTIFY 1u  /* gives the request a name or an origin */
#define LEAT_PHASE_PROTECT 2u   /* refuses, or marks the answer for the client's protection */
#define LEAT_PHASE_LIMIT 3u     /* bounds how much is done at once */
#define LEAT_PHASE_TRANSFORM 4u /* changes request or answer */
/* Changes answers before the response cache stores them, once for all who get them. Sees neither requests nor
 * what comes from the cache: without request, body and writable. */
#define LEAT_PHASE_CONTENT 5u

/* What head() wants of an answer's body. */
#define LEAT_BODY_KEEP ((int32_t)0)   /* nothing: it goes on as it is */
#define LEAT_BODY_WATCH ((int32_t)1)  /* to see it: piece() and end() are called, and give nothing */
#define LEAT_BODY_CHANGE ((int32_t)2) /* to make another of it: the client gets what piece() and end() give */

/* A kind of middleware, for routes of whichever plugin: [[middleware]] kind = "PLUGIN:NAME", PLUGIN being the
 * instance. Every callback but one may be NULL; those that are cost nothing. In all of them `scope->bound` is
 * what create() made, and leat.request/1 state() and the other extensions keep what is theirs apart from the
 * handler's and from other middleware's. */
typedef struct leat_middleware {
  uint32_t struct_size; /* also the distance between two elements of an array */
  uint32_t phase;       /* LEAT_PHASE_* */
  leat_str name;        /* 1..47 of a-z A-Z 0-9 _ - */
  leat_str sentence;    /* what it does, for people; UTF-8, 200 bytes at most */
  /* Bytes of memory for each request that it sees, zeros at first, aligned to 16: state() is where they are
   * until set_state(). 64 KiB at most. */
  uint32_t state_size;
  uint32_t flags; /* 0 */

  /* [main] Once for each instance of the kind that the configuration declares: reads its options, as create()
   * of the plugin does. An option that was never read is reported as a mistake. */
  int32_t (*create)(const leat_host* host, void* instance, const leat_config* options, void** made,
                    leat_error* error);
  /* [main] Undoes a create() that succeeded. No request is left that it has seen. */
  void (*destroy)(void* instance, void* made);

  /* [worker] A request, when its head is there, before its handler. NEXT: it goes on. DONE: this has answered,
   * or has begun to. PENDING: a completion, a timer or a fetch will say one of the three; meanwhile the
   * request waits. NEXT gives up what is under way still. ERROR: a 500. */
  int32_t (*request)(const leat_scope* scope, leat_request* request);
  /* [worker] The request's body, where there is one: all of it before its handler is called or, where that
   * streams it, each piece. The one for which `last` is not 0 may be empty. `*piece` may be replaced by bytes
   * that stay until the request ends. NEXT: on to the handler. DONE: this has answered. ERROR: a 500. */
  int32_t (*body)(const leat_scope* scope, leat_request* request, leat_str* piece, int32_t last);
  /* [worker] There is room again for the rest of an answer that request() has begun. A verdict as there. */
  int32_t (*writable)(const leat_scope* scope, leat_request* request);

  /* [worker] The answer, whoever gives it, before anything of it is sent: its head may be read with
   * leat.middleware/1 and changed with leat.response/1. LEAT_BODY_*, or ERROR: the client gets a 500 in its
   * place. Nothing can be answered or waited for in here, nor in piece() and end(). Without it the body is
   * changed if there is a piece() or end(). */
  int32_t (*head)(const leat_scope* scope, leat_request* request);
  /* [worker] A piece of the body, cut anywhere, never empty; `piece` ends with the call. To be changed it is
   * given on (leat.middleware/1 give) in any number of pieces of any length, now or later. NEXT, or ERROR: the
   * answer is cut. */
  int32_t (*piece)(const leat_scope* scope, leat_request* request, leat_str piece);
  /* [worker] The body is complete: the last moment to give what was held back. As piece(). An answer that is
   * cut has no end(). */
  int32_t (*end)(const leat_scope* scope, leat_request* request);

  /* [worker] The client has gone while this had the request, pending or answering. At most once. */
  void (*cancel)(const leat_scope* scope, leat_request* request);
  /* [worker] The request ends: let go of its state. Exactly once where any of the others was called. */
  void (*done)(const leat_scope* scope, leat_request* request);
} leat_middleware;

/* "leat.middleware/1": what stands between clients and handlers. A plugin may have it and no handlers. */
typedef struct leat_middleware_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [main] In load(): the plugin's kinds, copied. May be called several times. LEAT_E_ARGUMENT, explained with
   * host->fail, and load() should answer with it: a name that is none or is there already, an unknown phase or
   * flag, a wrong size, no callback at all. LEAT_E_STATE outside of load(). */
  int32_t (*declare)(const leat_host* host, const leat_middleware* kinds, uint32_t count, leat_error* error);

  /* [worker] In piece() and end() of a body that is changed: bytes for the client. LEAT_OK. LEAT_BLOCKED: they
   * were taken, but it is slow; give no more than must be now. One call of piece() or end() that gives 1 MiB
   * more than it got to such a client has the answer cut. LEAT_E_STATE: nobody wants them, or this is another
   * callback. */
  int32_t (*give)(leat_request* request, leat_str bytes);

  /* [worker] The answer's head, in head(), piece() and end(); before, as it stands. Texts are valid until the
   * next change. */
  uint32_t (*status)(const leat_request* request);
  leat_str (*content_type)(const leat_request* request);          /* absent if there is none */
  leat_str (*header)(const leat_request* request, leat_str name); /* the first of that name; absent */
  uint32_t (*header_count)(const leat_request* request);
  /* `index` < header_count, else LEAT_E_NOT_FOUND. */
  int32_t (*header_at)(const leat_request* request, uint32_t index, leat_str* name, leat_str* value);

  /* [worker] What middleware tells those behind it of a request, under a name: the user whose key it has
   * checked. Copied; the last one of a name counts. In request(), else LEAT_E_STATE; LEAT_E_MEMORY. The
   * response cache does not know of it: a handler that answers by it must not be cached, or say no-store. */
  int32_t (*set_note)(leat_request* request, leat_str name, leat_str value);
  /* [worker] For middleware and handlers; absent if there is none. Valid until the request ends. */
  leat_str (*note)(const leat_request* request, leat_str name);
} leat_middleware_v1;

/* ----------------------------------------------------------------------------- note and exported symbol */

#if defined(__GNUC__)
#define LEAT_EXPORT __attribute__((visibility("default")))
#define LEAT_IN_NOTE __attribute__((section(".note.leat"), used, aligned(4)))
#else
#error "Leat plugins need a compiler that knows GNU attributes (gcc, clang)"
#endif

/* The type of the note: owner "Leat", type 1. */
#define LEAT_NOTE_TYPE 1u
typedef struct leat_note {
  uint32_t owner_size;
  uint32_t description_size;
  uint32_t type;
  char owner[8];
  uint32_t abi_major;
  uint32_t abi_minor;
  char name[48]; /* of the plugin, ends with a NUL */
} leat_note;

/* Once per plugin, at file scope: LEAT_NOTE("hello"); and
 *   const leat_plugin_entry leat_plugin = {LEAT_ENTRY("hello", "1.0.0"), .handlers = ..., .handler_count =
 * ...};
 *
 * A plugin that is to be a part of the daemon, in one program, is compiled with -DLEAT_STATIC=hello, a C
 * identifier: the entry is then called leat_plugin_hello, so that there can be several, and there is no note.
 */
#ifdef LEAT_STATIC
#define LEAT_JOIN_(a, b) a##b
#define LEAT_JOIN(a, b) LEAT_JOIN_(a, b)
#define leat_plugin LEAT_JOIN(leat_plugin_, LEAT_STATIC)
#define LEAT_NOTE(plugin_name) struct leat_note
#else
#define LEAT_NOTE(plugin_name)                                        \
  LEAT_IN_NOTE static const leat_note leat_plugin_note = {            \
      5u,                                                             \
      (uint32_t)(sizeof(leat_note) - offsetof(leat_note, abi_major)), \
      LEAT_NOTE_TYPE,                                                 \
      "Leat",                                                         \
      LEAT_ABI_MAJOR,                                                 \
      LEAT_NEEDS_MINOR,                                               \
      "" plugin_name}
#endif

#define LEAT_ENTRY(plugin_name, plugin_version)                                                   \
  .magic = LEAT_PLUGIN_MAGIC, .struct_size = (uint32_t)sizeof(leat_plugin_entry),                 \
  .abi_major = LEAT_ABI_MAJOR, .abi_minor = LEAT_NEEDS_MINOR, .name = LEAT_STR_INIT(plugin_name), \
  .version = LEAT_STR_INIT(plugin_version)

LEAT_EXPORT extern const leat_plugin_entry leat_plugin;

#ifdef __cplusplus
}
#endif

#endif
