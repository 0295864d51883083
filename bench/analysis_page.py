"""docs/performance-analysis.md and its plots, made from the results file alone.

One function for each section; one whose part was not measured says so and leaves out what it cannot tell. Sentences
hold whatever the figures are: what depends on them is computed.
"""

from pathlib import Path

import compress_suite
import plots
import seed_table
import summary
from figures import NAMES, PEERS, READERS, WAYS, Figures, nanoseconds, table, thousands, wrapped

DOCS = Path(__file__).resolve().parent.parent / "docs"

PAYLOADS = ["json", "p1", "p2", "p4"]


# --- Sections

def head(figures):
    machine = figures.results["machine"]
    packages = ", ".join(f"{name.removeprefix('lib').removesuffix('-dev')} {version.split('+')[0].split('-')[0]}"
                         for name, version in machine.get("packages", {}).items())
    measured = (f"Leat of commit {machine['commit']}, {machine['date']}: {machine['cpu']}, {machine['cores']} cores, Linux "
                f"{machine['kernel']}, {machine['compiler']}{', ' + packages if packages else ''}. The machine is shared with "
                "others. Figures are CPU time, the least of all rounds, where nothing else is said; least, median and most "
                "of each are in the results. Each section names its command; `./dev bench --full --only PART` measures one "
                "part again.")
    others = {}
    for name, part in figures.results.items():
        if name != "machine" and part.get("commit", machine["commit"]) != machine["commit"]:
            others.setdefault(part["commit"], []).append(name)
    measured += "".join(f" Measured at commit {commit}: {', '.join(names)}." for commit, names in others.items())
    return f"""# Performance analysis

Made by `./dev bench --full` from [the results](../bench/results/final_benchmark_results.json); do not edit it here.
{wrapped(measured)}
"""


def encoding(figures):
    rows, sizes = figures.part("encoding")["rows"], figures.part("encoding")["sizes"]
    payloads = sorted({name.split("/")[0] for name in rows})
    def cells(kind, ways):
        return [(payload, sizes[payload],
                 *(nanoseconds(rows[name]["min"]) if name in rows else ""
                   for name in (f"{payload}/{kind}/{way}" for way in ways))) for payload in payloads]
    def columns(ways):
        return ["payload", "bytes", *(NAMES[way] for way in ways)]
    peers = [way for way in ["struct", *PEERS] if f"P4/once/{way}" in rows]
    return f"""## Writing JSON

{figures.command("encoding")}
All texts are compared before they are measured: they are the same bytes, but for RapidJSON's last digits of doubles.

![one encode of P4](images/encode-p4.svg)

One encode of what is there, beside the libraries alone at their best use. yyjson and simdjson write documents that are
there already, built or parsed, with memory that is used again; RapidJSON's Writer is told member by member. simdjson 3.12
builds no texts (that came with 4.0), so what is measured is its serialiser of a parsed document.

{table(columns(peers), cells("once", peers))}
Leat's own ways: `struct` is declared with `LEAT_JSON`, `events` is the daemon's writer, told value by value, and the last two
are that writer with a library behind it, as `json.backend` chooses:

{table(columns(WAYS), cells("once", WAYS))}
The same, made and encoded twice, which is the loop of the figures above:

{table(columns([*WAYS, "peer_rapidjson"]), cells("twice", [*WAYS, "peer_rapidjson"]))}
"""


def reading(figures):
    programs = figures.part("reading")["programs"]
    rows, native = (programs[name]["rows"] for name in ("leat-read-bench", "leat-read-bench-native"))
    ways = [way for way in ["leat", *READERS] if f"P4/read/{way}" in rows]
    lines = []
    for payload in ("P1", "P2", "P4"):
        for cpu, measured in (("any CPU", rows), ("this CPU", native)):
            least = {way: measured[f"{payload}/read/{way}"]["min"] for way in ways}
            best = min(time for way, time in least.items() if way != "leat")
            lines.append((payload, cpu, *(nanoseconds(time) for time in least.values()), f"{least['leat'] / best:.2f}"))
    return f"""## Reading JSON

`{programs["leat-read-bench"]["command"]}`, and the same of `leat-read-bench-native`

A body into the struct that a handler wants: `leat::JsonBody<T>` against the libraries at their best use, each into the same
struct. All want every member to be there and of its type; only Leat refuses one that comes twice and keeps the place of a
mistake for the answer. Plugins and Leat are compiled for any CPU of the architecture; simdjson's on-demand reading has its
vector instructions only when it is compiled for the CPU at hand (`-march=native`), so all are measured both ways. The last
column is Leat's time to the fastest other's.

![reading P4](images/read-p4.svg)

{table(["payload", "compiled for", *(NAMES[way] for way in ways), "Leat to the best"], lines)}
"""


def requests(figures):
    rows = figures.part("requests")["rows"]
    least = lambda name: nanoseconds(rows[name]["min"]) if name in rows else ""
    each = lambda name, count: nanoseconds(rows[name]["min"] / count) if name in rows else ""
    cache = [(payload, *(least(f"cache/{payload}/{kind}") for kind in ("handler", "hit", "miss")),
              figures.quotient(rows, f"cache/{payload}/handler", f"cache/{payload}/hit")) for payload in ("P7", "P4")]
    return f"""## A request without sockets

{figures.command("requests")}
Session, parser, routes, middleware, plugin and cache as the daemon has them, optimised as it is and on its allocator, fed
from memory and emptied into nothing. What is missing is the loop and the kernel.

{table(["request", "CPU time"], [
    ("`/json`, its head seen before", least("application/json")),
    ("`/json`, no two heads equal", least("application/distinct")),
    ("the same handler behind 0, 3, 10 middleware instances that do nothing",
     ", ".join(least(f"chain/{length}") for length in (0, 3, 10))),
    ("a handler without parameters, 13 bytes of text", least("parameters/none")),
    ("P11: four typed query parameters and a list, answered as JSON", least("parameters/P11")),
    ("100 P5, one request after another, for each", each("p5/sequential", 100)),
    ("100 P5, all requests under way at once, for each", each("p5/concurrent", 100)),
    ("100 P5 by 100 tasks of one request, for each", each("p5/gathered", 100)),
    ("gather of 1,000 tasks, 100 at a time, that wait for nothing, for each", each("gather/instant", 1000)),
    ("the same, each waiting for a timer", each("gather/waiting", 1000))])}
With the cache, no two heads equal. A miss makes the answer, stores it, and has another one go for it:

{table(["payload", "no cache", "hit", "miss", "hit, faster than no cache"], cache)}
A hit costs the same whatever it is that is found, so the cache is for handlers that cost more than one; P7, 38 bytes of text,
is there to show it. What a miss costs beyond its handler grows with the body, which is copied, and hashed for its ETag.
The store alone, with values of P4's size: {least("store/hit")} to find one, {least("store/miss")} to find none,
{least("store/put")} to put one in place of another.

"""


def kinds(figures):
    part = figures.part("kinds")
    rows, counts = part["rows"], part["allocations"]
    none = rows["kind/none"]["min"]
    named = [(name.removeprefix("kind/"), row["min"]) for name, row in rows.items() if name not in ("kind/none", "kind/seven")]
    seven = rows["kind/seven"]["min"]
    return f"""## Middleware

{figures.command("kinds")}
What a request costs more, without sockets, where it passes one instance of a kind: less the {nanoseconds(none)} that it costs
without any. Its head was seen before, it comes from a page of another origin and has a key.

{table(["kind", "CPU time", "allocations"],
       [(f"`{name}`", nanoseconds(cost - none), f"{counts[name]:g}") for name, cost in sorted(named, key=lambda each: each[1])] +
       [("seven of a typical site (identifier, trace, access, rate limit, key, CORS, security headers)",
         nanoseconds(seven - none), f"{counts['seven']:g}")])}
What an access log costs, the eighth, is measured [with a daemon](#access-logs).
"""


def waiting(figures):
    rows = figures.part("waiting")["rows"]
    median = lambda name: f"{rows[name]['median'] / 1000:.2f} ms"
    return f"""## Tasks that wait

`./dev bench --full --only waiting`

Wall-clock time of one request over loopback, the median of {rows["json"]["rounds"]}: {median("json")} for `/json`,
{median("sleep_100")} for a handler that has 100 tasks sleep for 1 ms at the same time, and {median("sleep_1000_limit_100")} for
1,000 of them, 100 at a time (`gather_with_limit`). A sleep never ends early, and timers have a resolution of 1 ms: each takes
up to 2 ms.

"""


def pools(figures):
    rows = figures.part("pools")["rows"]
    lines = []
    for kind, what, has in (("request", "request (an Exchange and its arena)", "pooled"),
                            ("connection", "connection", "direct"),
                            ("buffer", "buffer of 16 KiB", "pooled"),
                            ("segment", "node of an output queue", "pooled")):
        pairs = [(rows[f"{kind}/pooled/{count}"]["min"], rows[f"{kind}/direct/{count}"]["min"]) for count in (1, 64)]
        worse = any(pooled > direct for pooled, direct in pairs)
        lines.append((what, *(nanoseconds(time) for pair in pairs for time in pair),
                      has + (" (**slower**)" if worse and has == "pooled" else "")))
    return f"""## Recycled objects

{figures.command("pools")}
One object made and let go, with nothing else at the time and with 64 at a time; direct is what mimalloc, the daemon's
allocator, gives. Velithon's pool took 0.311 us where the object itself took 0.106 us, and was not used.

{table(["object", "pooled, 1", "direct, 1", "pooled, 64", "direct, 64", "Leat has it"], lines)}
Connections are not recycled: their memory is a small part of what making one takes, and that is nothing beside the system
calls of a connection.

"""


def http(figures):
    part = figures.part("http")
    rows = part["rows"]
    def cpu(names):
        return table(["row", "Leat, CPU a request", "ceiling", "ratio", "Leat, requests/s", "ceiling"],
                     [(name, *(f"{rows[name][who]['cpu_us']['min']:.3f} us" for who in ("leat", "ceiling")),
                       f"{rows[name]['cpu_ratio_of_least']:.2f}",
                       *(f"{rows[name][who]['requests_per_second']['max']:,.0f}" for who in ("leat", "ceiling")))
                      for name in names if name in rows])
    kinds = [prefix + name for prefix in ("", "cached_") for name in PAYLOADS]
    places = [(depth, connections) for depth in (1, 16) for connections in (1, 64, 256)]
    def matrix(cell):
        def name(kind, depth, connections):
            return f"{kind}_d{depth}" + ("" if connections == 64 else f"_c{connections}")
        return table(["", *(f"d{depth} c{connections}" for depth, connections in places)],
                     [(kind, *(cell(rows[row]) if (row := name(kind, *place)) in rows else "" for place in places))
                      for kind in kinds])
    text = f"""## HTTP

`./dev bench --full --only http`

One worker on one core, wrk on the other, in alternating rounds. The ceiling is a program on the same loop that parses
nothing and sends the same bytes: what is over its time is what HTTP, routing, handler and cache cost. Rows are named after the
payload, `d` requests in a batch and `c` connections (64 where nothing is said); p1 to p4 are structs of `LEAT_JSON`, `events` the
same value by value. Where Leat's and the ceiling's requests per second are alike they are what wrk's core can ask for: CPU
time is the figure to compare.

![CPU time a request](images/http.svg)

{cpu([f"{kind}_d{depth}" for kind in kinds for depth in (1, 16)])}
By connections and depth, the most requests per second, in thousands:

{matrix(lambda row: thousands(row["leat"]["requests_per_second"]["max"]))}
and CPU time to the ceiling's:

{matrix(lambda row: f"{row['cpu_ratio_of_least']:.2f}")}
By events, and 104 routes (P12): `/test/path/50`, one of a hundred static ones, `/api/users/123/posts/456`, whose two parameters are
numbers that are answered, and a 404:

{cpu(["p1_events_d16", "p2_events_d16", "p4_events_d16",
      *(f"route_{kind}_d{depth}" for kind in ("static", "parameters", "missing") for depth in (1, 16))])}
Most of the ceiling's time for a P4 at depth 16 is the kernel's, copying 5.6 KB an answer, and Leat's is the same and what
HTTP costs it. For a hit of the cache the latter is some 2,300 instructions (`valgrind --tool=callgrind` on a release build, epoll,
20,000 hits of P1 in batches of 16): 570 write the head, 250 fill in the stored fields with Age and Cache-Status, 230 find the
entry. Route, parameters, key and hash come with a head that was seen before; without that it is 3,710. The kernel's part
cannot be made cheaper by another shape of the send: 32 pieces, 16 of them bodies where they lie, take it 0.62 us an answer,
one run of the same bytes 0.65 us, and 0.70 us with the copying.

"""
    return text + "".join(f"Not measured: {failure}\n\n" for failure in part["failures"])


def allocations(figures):
    counts = figures.part("allocations")["rows"]
    names = {"json": "`/json`", "p4": "P4, a struct", "p4_events": "P4, by events", "cached_p4": "P4, a hit of the cache",
             "p11": "P11, typed and answered", "gather_10": "a gather of ten tasks that wait for nothing",
             "gather_10_waiting": "a gather of ten tasks that wait for a timer"}
    return f"""## The heap

{figures.command("allocations")}
Calls of the allocator for each of 10,000 requests, once 1,000 came before, anywhere in a process that is a daemon without
sockets. `test/e2e/allocations_test.cc` counts those of the daemon itself, from outside.

{table(["request", "allocations"], [(what, f"{counts[name]:g}") for name, what in names.items() if name in counts])}
"""


TRACES = {"scan": "Zipf(0.9) over 10,000 keys, a scan of 10,000 more in its midst", "flat": "Zipf(0.7)",
          "steep": "Zipf(1.1)", "shift": "Zipf(0.9), all popular keys change half way",
          "news": "Zipf(0.9) of how new a key is", "loop": "Zipf(0.9), every other request in a loop of 1,500",
          "recent": "new keys, each asked for some times soon after"}


def hit_rates(figures):
    rows = figures.part("hit_rates")["rows"]
    lines = [(said, *(f"{rows[trace][cache]['median']:.1f}" for cache in ("leat", "s3fifo", "tinylfu", "lru")))
             for trace, said in TRACES.items()]
    return f"""## What goes when the cache is full

{figures.command("hit_rates")}
Room for 1,000 values, 100,000 requests. Percent of them found, median of five traces each:

{table(["", "Leat", "S3-FIFO", "W-TinyLFU", "LRU"], lines)}
Leat's store is S3-FIFO with frequencies remembered, as W-TinyLFU does, and a small queue that finds its own size
(`lib/cache/eviction.h`). A hit is one look without a lock and a count on the entry; with W-TinyLFU it changes a list and
a sketch that all workers share. Knowing the popular keys beforehand would find 59.7 % of the first trace.

"""


LOGS = {"json": "JSON, the fields that are there by default", "all": "JSON, all fields", "combined": "combined",
        "marks": "no log; request id, trace and security headers", "all_and_marks": "JSON of all fields, and those"}


BESIDE = {"none": "Leat without any of it", "example": "Leat, as in the example", "nginx": "nginx, line by line",
          "nginx_in_blocks": "nginx, in blocks"}


def logs(figures):
    rows = figures.part("logs")["rows"]
    lines = [(said, *(f"{rows[f'{name}_d{depth}']['over_none']['median']:.0f} ns" for depth in (1, 16)))
             for name, said in LOGS.items()]
    return f"""## Access logs

`./dev bench --full --only logs`

What a request costs more than one without, of a browser's head, in CPU time of the whole process: the worker that formats
the line, the thread that writes it, and the kernel, which copies it into a file. The servers take turns; the median of
the rounds.

{table(["", "depth 1", "depth 16"], lines)}

What the example configuration does to a request, a JSON log, a request id and security headers, beside nginx with a JSON log
of the same fields (and without those headers), which writes each line by itself, or in blocks of 64 KiB; a request as a whole:

{table(["", "depth 1", "depth 16"], [(said, *(f"{rows[f'{name}_d{depth}']['cpu_ns']['median'] / 1000:.2f} us" for depth in (1, 16)))
                                    for name, said in BESIDE.items()])}
"""


def eight(figures):
    rows = figures.part("eight")["rows"]
    return f"""## What a typical site does with a request

`./dev bench --full --only eight`

A log in JSON, an identifier, W3C trace context, a list of addresses, a rate limit by address, an API key, CORS and security
headers, on a request of a browser's page, in CPU time of the whole process. nginx has the same but for the trace; it compares keys by
their text, writes its log in blocks of 64 KiB, and answers with a picture of 43 bytes, since its `return` does not pass addresses and
limits. The servers take turns; medians.

{table(["", "Leat", "nginx", "ratio"],
       [(f"{depth} request{'s' if depth != 1 else ''} in a batch",
         *(f"{rows[f'd{depth}'][name]['median']:.2f} us" for name in ("leat", "nginx")),
         f"{rows[f'd{depth}']['ratio']['median']:.2f}") for depth in (1, 16)])}
"""


def compress(figures):
    part = figures.part("compress")
    said = {"leat_plain": "Leat, plain", "nginx_plain": "nginx, plain, from a file"}
    for coding, level in compress_suite.PACKED:
        said[f"leat_{coding}{level}"] = f"Leat, {coding} {level}"
        said[f"leat_cached_{coding}{level}"] = f"Leat, {coding} {level}, a hit of the cache"
    for level in compress_suite.NGINX_LEVELS:
        said[f"nginx_gzip{level}"] = f"nginx, gzip {level}"
    text = """## Packed answers

`./dev bench --full --only compress`

CPU time of a request that is answered with the same document, and the bytes of the answer's content. Leat makes the document anew for
each request, but for hits of its cache; nginx has it in a file. Gzip of whole answers is ISA-L's at level 1 and libdeflate's above 3 in Leat, and zlib's in nginx.

"""
    lines = []
    for way, name in said.items():
        row = [name]
        for document in compress_suite.DOCUMENTS:
            one = part["rows"][document][way]
            row += [f"{one['bytes']:,}", f"{one['cpu_us']['min']:.1f} us"]
        lines.append(row)
    heads = [word for name in compress_suite.DOCUMENTS.values() for word in (name, "CPU")]
    text += table(["", *heads], lines) + "\n"
    for document, name in compress_suite.DOCUMENTS.items():
        for level, one in part["ratios"][document].items():
            text += (f"- {name}, no larger than nginx's {level}: {said[one['by']]} takes {one['ratio']:.2f} of nginx's CPU time.\n")
    return text + "\n"


def soak(figures):
    part = figures.part("soak")
    marks = part["rss_kib"].items()
    return f"""## Memory

`./dev bench --full --only soak`

{part['requests']:,} mixed requests in one process:

![resident memory](images/soak.svg)

{table(["requests", "resident"], [(f"{int(asked):,}", f"{kib / 1024:.2f} MiB") for asked, kib in marks])}"""


SECTIONS = [("encoding", encoding), ("reading", reading), ("requests", requests), ("kinds", kinds), ("waiting", waiting),
            ("pools", pools), ("allocations", allocations), ("http", http), ("hit_rates", hit_rates), ("logs", logs),
            ("eight", eight), ("compress", compress), ("soak", soak)]


def page(results):
    figures = Figures(results)
    text = head(figures) + summary.short(figures) + summary.goals(figures) + seed_table.section(figures)
    for name, section in SECTIONS:
        text += figures.try_(lambda section=section: section(figures), f"Not measured: {name}.\n\n")
    return text.rstrip("\n") + "\n"


# --- Plots

def encode_plot(figures):
    rows = figures.part("encoding")["rows"]
    chosen = [(way, rows[f"P4/once/{way}"]["min"]) for way in [*WAYS, *PEERS] if f"P4/once/{way}" in rows]
    return plots.bars("One encode of P4 (5,412 bytes)", [
        ("Leat, " * (way in WAYS) + NAMES[way], time, nanoseconds(time),
         plots.LEAT if way == "struct" else plots.LEAT_PALE if way in WAYS else plots.OTHER) for way, time in chosen])


def read_plot(figures):
    bars = []
    for program, cpu in (("leat-read-bench", "any CPU"), ("leat-read-bench-native", "this CPU")):
        rows = figures.part("reading")["programs"][program]["rows"]
        for way in ["leat", *READERS]:
            if (name := f"P4/read/{way}") in rows:
                bars.append((f"{NAMES[way]}, {cpu}", rows[name]["min"], nanoseconds(rows[name]["min"]),
                             plots.LEAT if way == "leat" else plots.OTHER))
        bars.append(None)
    return plots.bars("P4 into a struct", bars[:-1])


def http_plot(figures):
    rows = figures.part("http")["rows"]
    bars = []
    for name in [f"{prefix}{kind}_d16" for prefix in ("", "cached_") for kind in PAYLOADS]:
        if name not in rows:
            continue
        for who, label, colour in (("leat", name, plots.LEAT), ("ceiling", "ceiling", plots.CEILING)):
            time = rows[name][who]["cpu_us"]["min"]
            bars.append((label, time, f"{time:.2f} us", colour))
        bars.append(None)
    return plots.bars("CPU time a request, 16 in a batch, 64 connections", bars[:-1])


def soak_plot(figures):
    marks = figures.part("soak")["rss_kib"].items()
    return plots.line("Resident memory", [(int(asked) / 1e6, kib / 1024) for asked, kib in marks],
                      "million requests", "MiB")


PLOTS = {"encode-p4": encode_plot, "read-p4": read_plot, "http": http_plot, "soak": soak_plot, "seed": seed_table.plot}


def write(results):
    figures = Figures(results)
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    for name, plot in PLOTS.items():
        drawn = figures.try_(lambda plot=plot: plot(figures), None)
        if drawn:
            (images / f"{name}.svg").write_text(drawn)
    (DOCS / "performance-analysis.md").write_text(page(results))
