"""Where the example keeps what it writes; also read before Django's settings are."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("EXAMPLE_DATA") or BASE_DIR / "data").resolve()
