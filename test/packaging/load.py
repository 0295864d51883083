#!/usr/bin/env python3
"""A client of 127.0.0.1:8080 that asks until its standard input ends or has a line, on a connection that is kept and on new
ones, by turns. It prints "begins" after its first answer and, at the end, as JSON, how many requests were answered and what
went wrong.

A kept connection that has been closed since its last answer, as a restart closes those that it finds idle for longer than
server.drain_idle, is not asked: no client's request is lost by that.
"""

import http.client
import json
import select
import sys

answered, wrong = 0, []


def ask(connection, last):
    """Whether the connection can be kept."""
    global answered
    connection.request("GET", "/", headers={"Connection": "close"} if last else {})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or b"Leat serves" not in body:
        wrong.append(f"{answer.status} {body[:80]}")
    answered += 1
    if answered == 1:
        print("begins", flush=True)
    if last or answer.will_close:
        connection.close()
        return False
    return True


def readable(file):
    return bool(select.select([file], [], [], 0)[0])


kept = None
while not readable(sys.stdin):
    for last in (False, True):
        connection = None if last else kept
        if connection is not None and readable(connection.sock):
            connection.close()
            connection = kept = None
        try:
            connection = connection or http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
            keep = ask(connection, last)
            if not last:
                kept = connection if keep else None
        except (OSError, http.client.HTTPException) as error:
            wrong.append(repr(error))
            kept = None
print(json.dumps([answered, wrong[:20]]))
