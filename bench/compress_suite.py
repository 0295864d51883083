"""What packing an answer costs: Leat's `compress`, with and without the response cache, beside nginx's gzip of the same bytes.

Both answer with the same document, nginx from a file. What is compared is CPU time at the same ratio: of Leat's levels the
cheapest one whose answer is no larger than nginx's.
"""

import http.client
import tempfile
from pathlib import Path

import http_bench
import servers
import workloads
from micro import spread

DOCUMENTS = {"p4": "P4, 5.4 KB", "document": "JSON, 100 KB"}
NGINX_LEVELS = (1, 6)
# (coding, level) of Leat's; 100 percent of its time is what a benchmark takes, so levels must not fall.
PACKED = [("gzip", 1), ("gzip", 4), ("gzip", 6), ("br", 4), ("zstd", 3)]
LEVELS = {"gzip": "gzip_level", "br": "brotli_level", "zstd": "zstd_level"}


def site():
    text = '[server]\nworkers = 1\n\n[log]\nlevel = "warn"\n'
    text += "".join(f'\n[[plugin]]\nname = "{name}"\nfile = "{name}.so"\n' for name in ("demo", "bench"))
    # What the servers are asked for until they are ready.
    text += '\n[[route]]\npath = "/json"\nhandler = "demo:json"\n'
    text += '\n[[route]]\npath = "/plain/{id}"\nhandler = "bench:payload"\n'
    for coding, level in PACKED:
        name = f"{coding}{level}"
        text += (f'\n[[middleware]]\nkind = "compress"\nname = "{name}"\nglobal = false\ncodings = ["{coding}"]\n'
                 f'{LEVELS[coding]} = {level}\nbusy = 100\n'
                 f'\n[[route]]\npath = "/{name}/{{id}}"\nhandler = "bench:payload"\nmiddleware = ["{name}"]\n'
                 f'\n[[route]]\npath = "/cached/{name}/{{id}}"\nhandler = "bench:payload"\nmiddleware = ["{name}"]\n'
                 '[route.cache]\nttl = "1d"\n')
    return text


def locations(folder):
    """nginx's: each level of its gzip is a folder, and so is one without."""
    text = f"root {folder}; open_file_cache max=100; open_file_cache_valid 1h; location = /json {{ return 200 '{servers.BODY}'; }}"
    text += f" location /plain/ {{ alias {folder}/documents/; }}"
    for level in NGINX_LEVELS:
        text += (f" location /gzip{level}/ {{ alias {folder}/documents/; gzip on; gzip_comp_level {level}; gzip_min_length 1;"
                 " gzip_types application/json; gzip_vary on; }")
    return text


def ask(port, target, coding=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", target, headers={"Accept-Encoding": coding} if coding else {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200 or answer.getheader("Content-Encoding") != coding:
        raise SystemExit(f"{target} is answered {answer.status}, packed in {answer.getheader('Content-Encoding')}")
    return content


def ways():
    """(name, server, target without the document, coding)"""
    yield "leat_plain", "leat", "/plain/", None
    for coding, level in PACKED:
        yield f"leat_{coding}{level}", "leat", f"/{coding}{level}/", coding
    for coding, level in PACKED:
        yield f"leat_cached_{coding}{level}", "leat", f"/cached/{coding}{level}/", coding
    yield "nginx_plain", "nginx", "/plain/", None
    for level in NGINX_LEVELS:
        yield f"nginx_gzip{level}", "nginx", f"/gzip{level}/", "gzip"


def measure(options):
    """{document: {way: {"bytes", "cpu_us": spread}}}"""
    seconds, rounds = (1, 2) if options.quick else (2, 5)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder, "documents")
        documents.mkdir()
        Path(folder).chmod(0o755)
        configuration = Path(folder, "leat.toml")
        configuration.write_text(site())
        with servers.running(lambda: servers.start_leat(configuration)) as (leat,):
            for document in DOCUMENTS:
                (documents / document).write_bytes(ask(leat.port, f"/plain/{document}"))
        with servers.running(lambda: servers.start_leat(configuration),
                             lambda: servers.start_nginx(folder, locations=locations(folder))) as started:
            by_name = {server.name: server for server in started}
            for document in DOCUMENTS:
                costs, sizes = {}, {}
                for number in range(rounds):
                    all_ways = list(ways())
                    turn = number * 3 % len(all_ways)
                    for name, server, target, coding in all_ways[turn:] + all_ways[:turn]:
                        port = by_name[server].port
                        sizes[name] = len(ask(port, target + document, coding))
                        fields = tuple(workloads.SMALL_HEADERS) + ((f"Accept-Encoding: {coding}",) if coding else ())
                        workload = workloads.Workload(f"{name}_{document}", 1, fields, target + document)
                        one = http_bench.measure(by_name[server], workload, seconds)
                        if one["bad_statuses"]:
                            raise SystemExit(f"{name} answered {one['bad_statuses']} requests with an error")
                        costs.setdefault(name, []).append(one["cpu_us"])
                rows[document] = {name: {"bytes": sizes[name], "cpu_us": spread(each)} for name, each in costs.items()}
    return {"unit": "us", "rows": rows, "ratios": {document: compare(each) for document, each in rows.items()}}


def compare(rows):
    """By nginx's level: Leat's cheapest gzip that is no larger, and its CPU time over nginx's."""
    result = {}
    for level in NGINX_LEVELS:
        peer = rows[f"nginx_gzip{level}"]
        fitting = {name: row for name, row in rows.items() if name.startswith("leat_gzip") and row["bytes"] <= peer["bytes"]}
        if not fitting:
            continue
        best = min(fitting, key=lambda name: fitting[name]["cpu_us"]["min"])
        result[f"gzip{level}"] = {"by": best, "ratio": fitting[best]["cpu_us"]["min"] / peer["cpu_us"]["min"]}
    return result
