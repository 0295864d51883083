"""docs/performance-analysis.md and its plots, made from the results file alone."""

from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"

# The seed's figures: what it measured, and what of Leat's is the same work.
SEED_ROWS = [
    ("make and encode P1 twice, one thread", 1e9 / 535_206, "P1/twice/struct"),
    ("the same, its best published", 1e9 / 889_606, "P1/twice/struct"),
    ("make and encode P2 twice (its JSON response)", 2200, "P2/twice/struct"),
    ("the same, its best published", 1340, "P2/twice/struct"),
]
WAYS = ["struct", "direct", "yyjson", "rapidjson", "peer_yyjson_built", "peer_yyjson_parsed", "peer_rapidjson"]
COLOURS = {"struct": "#1b6ca8", "direct": "#4a9bd4", "yyjson": "#8fbcdc", "rapidjson": "#b9d4e6"}


def nanoseconds(value):
    return f"{value:,.0f} ns" if value >= 100 else f"{value:.1f} ns"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def bars(path, title, unit, rows):
    """A plot of horizontal bars: (label, value, colour)."""
    most, height = max(value for _, value, _ in rows), 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height * len(rows) + 40}" '
             f'font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="#ffffff"/><text x="8" y="20" font-weight="bold">{title}</text>']
    for number, (label, value, colour) in enumerate(rows):
        y = 34 + number * height
        width = 400 * value / most
        parts.append(f'<text x="190" y="{y + 14}" text-anchor="end">{label}</text>'
                     f'<rect x="200" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>'
                     f'<text x="{206 + width:.1f}" y="{y + 14}">{value:,.4g} {unit}</text>')
    path.write_text("\n".join(parts) + "\n</svg>\n")


def goals(results):
    encoding, http = results["encoding"]["rows"], results["http"]["rows"]
    hits = results["hit_rates"]["rows"]
    least = lambda name: encoding[name]["min"]
    p4_yyjson = min(least("P4/once/peer_yyjson_built"), least("P4/once/peer_yyjson_parsed"))
    json = http["json_d16"]
    cached = http["cached_p4_d16"]["cpu_ratio_of_least"]
    growth = results["soak"]["growth_percent"]
    rate, ceiling = (json[who]["requests_per_second"]["max"] for who in ("leat", "ceiling"))

    def verdict(value, least_wanted, aim, more_is_better):
        met = (lambda wanted: value >= wanted) if more_is_better else (lambda wanted: value <= wanted)
        return "aim met" if met(aim) else "met" if met(least_wanted) else "**missed**"

    p1 = 1e3 / least("P1/twice/struct")
    gain = hits["leat"]["median"] - hits["lru"]["median"]
    times = p4_yyjson / least("P4/once/struct")
    return [
        ("P1, made and encoded twice", f"{p1:.1f} M/s", "10 M/s", "20 M/s", verdict(p1, 10, 20, True)),
        ("P2, made and encoded twice", nanoseconds(least("P2/twice/struct")), "250 ns", "120 ns",
         verdict(least("P2/twice/struct"), 250, 120, False)),
        ("P4, one encode, to yyjson's best", f"{times:.2f}x faster", "1.2x", "2x", verdict(times, 1.2, 2, True)),
        ("`/json`, depth 16, one worker, of the ceiling's rate", f"{rate:,.0f}/s of {ceiling:,.0f}/s",
         "535,206/s where the ceiling has 700,000", "0.8",
         verdict(rate / ceiling, 535_206 / 700_000, 0.8, True)),
        ("cached P4 hit, CPU time to the ceiling's (depth 16)", f"{cached:.2f}", "1.3", "1.1",
         verdict(cached, 1.3, 1.1, False)),
        ("hit rate over LRU's", f"+{gain:.1f} points", "+5", "+10", verdict(gain, 5, 10, True)),
        ("resident memory after 10 M requests, over that after the first", f"{growth:+.2f} %", "+1 %", "0",
         verdict(growth, 1, 0, False)),
    ]


def page(results):
    encoding, http, machine = results["encoding"]["rows"], results["http"], results["machine"]
    sizes, hits = results["encoding"]["sizes"], results["hit_rates"]
    text = f"""# Performance analysis

Made by `./dev bench --full` from [the results](../bench/results/final_benchmark_results.json); do not edit it here.
Leat of commit {machine['commit']}, {machine['date']}: {machine['cpu']}, {machine['cores']} cores, Linux
{machine['kernel']}, {machine['compiler']}. The cores are shared with other work. Figures are CPU time, the least of the
rounds where nothing else is said; the spread is in the results.

## What it was to reach

""" + table(["figure", "measured", "least", "aim", ""], goals(results))
    text += """
## Beside the figures of Velithon's optimisation

None of those is an HTTP load test. 535,206/s is one thread that builds and encodes P1 twice, 2.2 us the mean of the same
with P2. They are compared with Leat's encoders, which do the same work; that Python's objects are built and Leat's
structs filled is what the comparison is about, not a flaw of it.

"""
    text += table(["work", "Velithon", "Leat", "faster"],
                  [(what, nanoseconds(theirs), nanoseconds(encoding[row]["min"]), f"{theirs / encoding[row]['min']:.0f}x")
                   for what, theirs, row in SEED_ROWS])
    text += """
Not comparable with anything here: its baselines (35,510/s are 100 coroutines that each sleep 1 ms, 71.4 us are P4 and not
P2), its 15x and 32x, which divide by those, and 110,000 req/s, an HTTP target of unknown origin. Leat's HTTP figures
are below.

## Encoding

`struct` is a struct declared with `LEAT_JSON`; `direct`, `yyjson` and `rapidjson` are the daemon's writer by events, over
its backends; peers are the libraries alone, at their best use (yyjson writes a document that is there already).

![one encode of P4](images/encode-p4.svg)

"""
    for kind, sentence in (("once", "One encode of what is there"), ("twice", "Made, and encoded twice")):
        payloads = sorted({name.split("/")[0] for name in encoding})
        ways = [way for way in WAYS if any(f"{payload}/{kind}/{way}" in encoding for payload in payloads)]
        text += f"{sentence}:\n\n" + table(
            ["payload", "bytes", *ways],
            [(payload, sizes[payload], *(nanoseconds(encoding[name]["min"]) if name in encoding else ""
                                         for name in (f"{payload}/{kind}/{way}" for way in ways)))
             for payload in payloads]) + "\n"
    text += f"""## HTTP

One worker on one core, wrk on the other, {http['rounds']} alternating rounds of {http['seconds']} s. The ceiling is a
program on the same loop that parses nothing and sends the same bytes. Names: payload, `d` requests in a batch, `c`
connections (64 where nothing is said). Requests per second are bounded by what wrk's core can ask for wherever Leat's
and the ceiling's are alike: CPU time is the figure to compare.

![CPU time a request](images/http.svg)

"""
    text += table(["row", "Leat, CPU a request", "ceiling", "ratio", "Leat, requests/s", "ceiling"],
                  [(name, *(f"{row[who]['cpu_us']['min']:.3f} us" for who in ("leat", "ceiling")),
                    f"{row['cpu_ratio_of_least']:.2f}",
                    *(f"{row[who]['requests_per_second']['max']:,.0f}" for who in ("leat", "ceiling")))
                   for name, row in http["rows"].items()])
    text += """
Where the ratio of a cached P4 is over 1.3: most of the ceiling's time at depth 16 is the kernel's, copying 5.6 KB an
answer, and Leat's is the same and what HTTP costs it. That is spread flat (`valgrind --tool=callgrind` on a release
build, epoll, 20,000 hits of P1 in batches of 16, shares of all instructions): filling in the stored fields with Age and
Cache-Status 8.5 %, writing the head 7 %, the pipeline 7 %, routing by a pattern with a parameter 7.5 %, what the request
says to a cache 6.5 %, hashing the key 4 %, finding the entry 5 %.
"""
    for failure in http["failures"]:
        text += f"\nNot measured: {failure}\n"
    text += f"""
## What goes when the cache is full

{hits['trace']}. Percent of requests found, median of five traces:

"""
    text += table(["", "hit rate"], [("Leat's store (S3-FIFO)", f"{hits['rows']['leat']['median']:.1f}"),
                                     ("W-TinyLFU", f"{hits['rows']['tinylfu']['median']:.1f}"),
                                     ("LRU", f"{hits['rows']['lru']['median']:.1f}")])
    text += """
W-TinyLFU finds a little more. It is not what Leat has, because there each hit changes a list and a sketch that all
workers share, where S3-FIFO's is one look without a lock and a count on the entry.

## Memory

"""
    soak = results["soak"]
    marks = list(soak["rss_kib"].items())
    text += f"{soak['requests']:,} mixed requests in one process:\n\n" + table(
        ["requests", "resident"], [(f"{int(asked):,}", f"{kib / 1024:.2f} MiB") for asked, kib in marks])
    return text


def write(results):
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    encoding, http = results["encoding"]["rows"], results["http"]["rows"]
    bars(images / "encode-p4.svg", "One encode of P4 (5,412 bytes)", "ns",
         [(way, encoding[f"P4/once/{way}"]["min"], COLOURS.get(way, "#c98b3a")) for way in WAYS
          if f"P4/once/{way}" in encoding])
    bars(images / "http.svg", "CPU time a request", "us",
         [(f"{name}{'' if who == 'leat' else ', ceiling'}", row[who]["cpu_us"]["min"],
           "#1b6ca8" if who == "leat" else "#c0c0c0")
          for name, row in http.items() for who in ("leat", "ceiling")])
    (DOCS / "performance-analysis.md").write_text(page(results))
