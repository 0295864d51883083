#!/usr/bin/env python3
"""Installs a file where there is none yet: install_new.py SOURCE PLACE, below $DESTDIR."""

import os
import shutil
import sys
from pathlib import Path

source, place = Path(sys.argv[1]), Path(sys.argv[2])
if os.environ.get("DESTDIR"):
    place = Path(os.environ["DESTDIR"], place.relative_to("/"))
try:
    if place.exists():
        print(f"{place} is kept as it is")
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        place.chmod(0o644)
except OSError as error:
    sys.exit(f"{place}: {error.strerror}: name another folder with `meson configure DIR -Dsysconfdir=FOLDER`")
