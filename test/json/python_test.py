#!/usr/bin/env python3
"""What Leat writes, Python's json reads, and writes as the same bytes.

Usage: python_test.py PROGRAM, which is json_documents.
"""

import json
import random
import subprocess
import sys


def main():
    seed = random.getrandbits(32)
    texts = subprocess.run([sys.argv[1], str(seed)], check=True, capture_output=True).stdout.decode().split("\n")[:-1]
    wrong = 0
    for text in texts:
        again = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
        if again != text:
            wrong += 1
            print(f"seed {seed}: Leat writes\n  {text[:300]}\nPython\n  {again[:300]}")
    if len(texts) < 10_000:
        print(f"only {len(texts)} texts")
        return 1
    print(f"{len(texts)} texts, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
