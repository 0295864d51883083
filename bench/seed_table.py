"""What the optimisation of Velithon published, beside Leat's figures for the same work, and what is not comparable."""

import plots
from figures import nanoseconds, table


def rows(figures):
    """(what Velithon measured, its figure in ns, its figure as published, Leat's ns, Leat's figure, the same work?)"""
    encoding, request = figures.encoding, figures.request
    waiting = lambda: figures.part("waiting")["rows"]["sleep_100"]["median"] * 10  # us of 100 to ns of one
    per_second = lambda nanoseconds_: f"{1e9 / nanoseconds_:,.0f}/s"
    same = "yes: the same bytes, made and encoded twice"
    for what, theirs, published, leat, shown, comparable in [
            ("P1 in a loop", 1e9 / 535_206, "535,206/s", lambda: encoding("P1/twice/struct"), per_second, same),
            ("P1 in a loop, later", 1e9 / 889_606, "889,606/s", lambda: encoding("P1/twice/struct"), per_second, same),
            ("P2, its JSON response", 2200, "2.2 us", lambda: encoding("P2/twice/struct"), nanoseconds, same),
            ("P2, later", 1340, "1.340 us", lambda: encoding("P2/twice/struct"), nanoseconds, same),
            ("P4, the baseline of P2", 71_400, "71.4 us", lambda: encoding("P4/twice/struct"), nanoseconds,
             "yes: the same bytes; Leat's twice, as above"),
            ("100 P5 at once", 1e9 / 184_263, "184,263/s", lambda: request("p5/gathered") / 100, per_second,
             "yes: 100 tasks that wait for nothing"),
            ("100 tasks that sleep 1 ms, the baseline of P1", 1e9 / 35_510, "35,510/s", waiting, per_second,
             "yes, but a clock's work: 100,000/s at most"),
            ("a whole mocked application", 1e9 / 6_626, "6,626/s", lambda: request("application/json"), per_second,
             "alike: no sockets in either")]:
        ours = figures.try_(leat, None)
        if ours is not None:
            yield what, theirs, published, ours, shown(ours), comparable


def other_rows(figures):
    """Figures that are not one time against another."""
    def pooled():
        pools = figures.part("pools")["rows"]
        pair = [pools[f"request/{kind}/1"]["min"] for kind in ("pooled", "direct")]
        return (f"{nanoseconds(pair[0])}, {nanoseconds(pair[1])} (a request)", f"{pair[1] / pair[0]:.1f}x faster pooled",
                "in kind: each its own objects")

    def cached():
        gains = [figures.request(f"cache/{payload}/handler") / figures.request(f"cache/{payload}/hit")
                 for payload in ("P7", "P4")]
        return (f"{gains[0]:.2f}x (P7), {gains[1]:.2f}x (P4)", "",
                "in kind: it kept an encoded text, Leat whole responses")

    def target():
        return (f"{figures.rate('json_d1'):,.0f}/s, {figures.rate('json_d16'):,.0f}/s at depth 16", "",
                "a target whose origin is not told; Leat's is HTTP, one core")

    for what, published, leat in [("an object pooled, and made", "0.311 us, 0.106 us", pooled), ("its cache", "1.11x", cached),
                                  ("requests per second, `/json`", "110,000/s", target)]:
        found = figures.try_(leat, None)
        if found:
            yield what, published, *found


def section(figures):
    lines = [(what, published, shown, f"{theirs / ours:,.0f}x" if theirs / ours >= 10 else f"{theirs / ours:.1f}x", comparable)
             for what, theirs, published, ours, shown, comparable in rows(figures)]
    text = """## Beside the figures of Velithon's optimisation

None of those is an HTTP load test: they are loops within one Python process. What does the same work is compared with the
same payloads below. That Python's objects are built and Leat's structs filled is what the comparison is about, not a flaw
of it.

![times faster](images/seed.svg)

"""
    text += table(["Velithon measured", "published", "Leat", "faster", "the same work?"], [*lines, *other_rows(figures)])
    return text + """
Not comparable with anything: its 15x (535,206/s over 35,510/s) and 32x (71.4 us over 2.2 us), since each divides two rows of
this table that do different work. For chains of middleware, parsing P11, routing among P12 and gathering 1,000 tasks it
published no figures; Leat's are below.

"""


def plot(figures):
    bars = [(what.split(", the baseline")[0], theirs / ours, f"{theirs / ours:.1f}x", plots.LEAT)
            for what, theirs, _, ours, _, _ in rows(figures)]
    return plots.bars("Times as fast as what Velithon published (logarithmic)", bars, plots.magnitudes) if bars else None
