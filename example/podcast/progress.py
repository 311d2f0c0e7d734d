"""How far a long task is: counted in place on a terminal, in quarters elsewhere."""

from django.core.management.base import OutputWrapper
from django.template.defaultfilters import filesizeformat

LONG = 8 * 1024**2  # bytes; a smaller file is done before anybody could read of it


class Progress:
    """The line about one file, for as long as the block lasts."""

    def __init__(self, out: OutputWrapper, name: str, size: int) -> None:
        self._out, self._size = out, size
        self._title = f"  {name}  {filesizeformat(size)}"
        self._shown = 0  # bytes

    def show(self, done: int) -> None:
        """Tell how many bytes are done, if there is still something to wait for."""
        quarter = 4 * done // max(1, self._size) > 4 * self._shown // max(1, self._size)
        self._shown = done
        if self._size < LONG or done == self._size:
            return
        if self._out.isatty():
            self._write(f"{100 * done // self._size} %", ending="\r")
        elif quarter:
            self._write(f"{100 * done // self._size} %")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._write("not finished" if kind else "done")

    def _write(self, text: str, ending: str = "\n") -> None:
        self._out.write(f"{self._title}  {text}", ending=ending)
        self._out.flush()
