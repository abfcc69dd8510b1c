"""The file ``log.txt`` of a run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import TracebackType

from geoprobe.errors import OutputError


class RunLog:
    """Lines of the form ``2022-10-14 15:04:51,123-run.py-INFO: message``, as DirectProbe's are.

    Lines said before the file is opened are kept and written first. An error that ends the run
    becomes the last line.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._path: Path | None = None

    def open(self, path: Path) -> None:
        """Start the file, with the lines said so far."""
        self._path = path
        self._append("".join(self._lines))

    def say(self, message: str, level: str = "INFO") -> None:
        """Add a line."""
        now = datetime.now()
        stamp = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d}"
        line = f"{stamp}-run.py-{level}: {message}\n"
        self._lines.append(line)
        if self._path is not None:
            self._append(line)

    def _append(self, text: str) -> None:
        assert self._path is not None
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}.") from error

    def __enter__(self) -> RunLog:
        """Return the log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Note the error that ends the run, unless the log itself cannot be written."""
        if error is not None and self._path is not None and not isinstance(error, OutputError):
            self.say(f"the run ended early: {str(error) or type(error).__name__}", "ERROR")
