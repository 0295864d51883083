"""What the page says first: in short, and whether the goals are met."""

from figures import PEERS, READERS, nanoseconds, table, wrapped


def short(figures):
    """Where Leat is ahead and where it is not, as the figures have it."""
    def writing():
        ratio = min(figures.encoding(f"P4/once/{peer}") for peer in PEERS if f"P4/once/{peer}" in
                    figures.part("encoding")["rows"]) / figures.encoding("P4/once/struct")
        return (f"Writing JSON: structs are written {ratio:.1f} times as fast as the fastest of the libraries writes P4, "
                f"and made and written twice {1e9 / 535_206 / figures.encoding('P1/twice/struct'):.0f} times as "
                "fast as the published loop of P1.")

    def reading():
        rows = figures.part("reading")["programs"]["leat-read-bench"]["rows"]
        ratio = rows["P4/read/leat"]["min"] / min(rows[f"P4/read/{way}"]["min"] for way in READERS if f"P4/read/{way}" in rows)
        return (f"Reading JSON: a body of P4 takes {ratio:.1f} times the time of the fastest library."
                if ratio > 1 else f"Reading JSON: a body of P4 is read {1 / ratio:.1f} times as fast as by the fastest library.")

    def serving():
        return (f"HTTP: `/json` at depth 16 takes {figures.ratio('json_d16'):.2f} times the CPU time of a program that parses "
                f"nothing, and {figures.ratio('json_d1'):.2f} times at depth 1, where nearly all is the kernel's. One core "
                f"answered {figures.rate('json_d16'):,.0f} and {figures.rate('json_d1'):,.0f} requests per second.")

    def caching():
        gains = {payload: figures.request(f"cache/{payload}/handler") / figures.request(f"cache/{payload}/hit")
                 for payload in ("P4", "P7")}
        return "The cache: a hit of P4 is {P4:.1f} times as fast as its handler, one of P7 {P7:.2f} times.".format(**gains)

    lines = [figures.try_(each, "") for each in (writing, reading, serving, caching)]
    return "".join(wrapped("- " + each, "  ") for each in lines if each) + "\n" if any(lines) else ""


def goals(figures):
    def verdict(value, least, aim, more_is_better):
        met = (lambda wanted: value >= wanted) if more_is_better else (lambda wanted: value <= wanted)
        return "aim met" if met(aim) else "met" if met(least) else "**missed**"

    def p1():
        value = 1e3 / figures.encoding("P1/twice/struct")
        return f"{value:.1f} M/s", "10 M/s", "20 M/s", verdict(value, 10, 20, True)

    def p2():
        value = figures.encoding("P2/twice/struct")
        return nanoseconds(value), "250 ns", "120 ns", verdict(value, 250, 120, False)

    def p4():
        value = min(figures.encoding(f"P4/once/{peer}") for peer in PEERS[:2]) / figures.encoding("P4/once/struct")
        return f"{value:.2f}x faster", "1.2x", "2x", verdict(value, 1.2, 2, True)

    def rate():
        leat, ceiling = (figures.rate("json_d16", who) for who in ("leat", "ceiling"))
        return (f"{leat:,.0f}/s of {ceiling:,.0f}/s", "535,206/s where the ceiling has 700,000", "0.8",
                verdict(leat / ceiling, 535_206 / 700_000, 0.8, True))

    def hit():
        value = figures.ratio("cached_p4_d16")
        return f"{value:.2f}", "1.3", "1.1", verdict(value, 1.3, 1.1, False)

    def hit_rate():
        rows = figures.part("hit_rates")["rows"]["scan"]
        value = rows["leat"]["median"] - rows["lru"]["median"]
        return f"+{value:.1f} points", "+5", "+10", verdict(value, 5, 10, True)

    def allocations():
        counts = figures.part("allocations")["rows"]
        measured = [counts[name] for name in ("json", "p4", "cached_p4", "gather_10", "gather_10_waiting")]
        text = ", ".join(f"{count:g}" for count in measured[:3]) + f", {max(measured[3:]):g}"
        return text, "0, 0, 0, 0", "", "met" if not any(measured) else "**missed**"

    def memory():
        value = figures.part("soak")["growth_percent"]
        return f"{value:+.2f} %", "+1 %", "0", verdict(value, 1, 0, False)

    rows = [("P1, made and encoded twice", p1), ("P2, made and encoded twice", p2),
            ("P4, one encode, to yyjson's best", p4), ("`/json`, depth 16, one worker, of the ceiling's rate", rate),
            ("cached P4 hit, CPU time to the ceiling's (depth 16)", hit), ("hit rate over LRU's, Zipf with a scan", hit_rate),
            ("heap allocations a request: `/json`, P4, cached P4, a gather of ten", allocations),
            ("resident memory after 10 M requests, over that after 100,000", memory)]
    return "## What it was to reach\n\n" + table(
        ["figure", "measured", "least", "aim", ""],
        [(what, *figures.try_(measured, ("not measured", "", "", ""))) for what, measured in rows]) + "\n"
