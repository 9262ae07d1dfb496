"""Reads files into a model: in the order of their time, each from where it was read to before."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from threading import Event
from typing import BinaryIO, Final, Protocol

from driftgauge.edges.files.keys import FileKeys
from driftgauge.edges.files.pieces import Piece, TableColumns, inflated, table_pieces, text_pieces
from driftgauge.edges.files.positions import FilePosition, FilePositions
from driftgauge.edges.files.sources import Source, SourceFile
from driftgauge.edges.files.tally import FileTally
from driftgauge.edges.formats.ingest.decoder import Decoder
from driftgauge.errors import IngestError, Reason, Refused, TableError
from driftgauge.ingestion.records import Decoded, PairDecoder
from driftgauge.ingestion.tally import IngestTally

HEAD_BYTES: Final = 1_024
"""Bytes of a file's first line that tell it from others."""
RETRY_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 60.0
"""Longest wait for room."""
UNREADABLE: Final = (OSError, EOFError, zlib.error, TableError)
"""Errors of one file, which cost the others nothing."""


class Taker(Protocol):
    """Takes what decoders return."""

    def take(self, decoded: Decoded, pairs: PairDecoder | None = None) -> IngestTally:
        """Take rows; Refused if there is no room now."""


@dataclass(frozen=True)
class Into:
    """Where the records of files go."""

    decoder: Decoder
    taker: Taker
    positions: FilePositions
    clock: Callable[[], float]
    columns: TableColumns | None = None
    """Columns of Parquet files; None for files of text."""


@dataclass
class FileIngest:
    """Reads files until nothing is left, as often as it is asked to."""

    sources: Sequence[Source]
    into: Into
    stopping: Event = field(default_factory=Event)
    """Ends it after the piece at hand."""
    on_progress: Callable[[int, int], None] = lambda done, total: None
    """Is told the bytes that were read, and those that there are."""
    tally: FileTally = field(default_factory=FileTally)
    missing: Sequence[str] = ()
    """The sources that had no file at the last look."""

    def look(self) -> bool:
        """Read what is new, and return whether anything was; IngestError if it cannot go on."""
        before = self.tally.records
        files = self._files()
        total, done = sum(own.size for own in files), 0
        for own in files:
            if self.stopping.is_set():
                break
            self._read(own, partial(self._progressed, done, total))
            done += own.size
            self.on_progress(done, total)
        self.into.positions.trim()
        return self.tally.records != before

    def _progressed(self, done: int, total: int, more: int) -> None:
        self.on_progress(done + more, total)

    def _files(self) -> Sequence[SourceFile]:
        """Return the files by their time, those of earlier looks that were renamed included."""
        listed = {source.label: source.files() for source in self.sources}
        self.missing = [label for label, files in listed.items() if not files]
        found = {own.identity: own for files in listed.values() for own in files}
        gone = [own for own in self.into.positions.at([own.path for own in found.values()]) if own not in found]
        renamed = [own for source in self.sources for own in source.renamed(gone)] if gone else []
        return sorted([*found.values(), *renamed], key=lambda own: own.order)

    def _read(self, own: SourceFile, progressed: Callable[[int], None]) -> None:
        """Read a file; one that cannot be read is named in the tally."""
        known = self.into.positions.of(own.identity)
        if known is not None and (known.size, known.version) == (own.size, own.version):
            self.tally.known.add(own.identity)
            return
        try:
            with own.open() as raw:
                self._read_open(own, known, raw, progressed)
        except UNREADABLE as error:
            self.tally.failed[own.path] = str(error)
        else:
            self.tally.failed.pop(own.path, None)

    def _read_open(
        self, own: SourceFile, known: FilePosition | None, raw: BinaryIO, progressed: Callable[[int], None]
    ) -> None:
        is_text = self.into.columns is None
        content = inflated(raw) if is_text else raw
        position = self._start(own, known, raw, content)
        if position is None:  # its first line has no end yet
            self.tally.unfinished.add(own.path)
            return
        keys = FileKeys(f"{own.identity}\0".encode() + position.head)
        for piece in self._pieces(own, content, position.position):
            self._take(self._decoded(piece, keys))
            position = replace(position, position=piece.end)
            self.into.positions.keep(position, self.into.clock())
            self.tally.files.add(own.identity)
            progressed(raw.tell())
            if self.stopping.is_set():
                return
        is_whole = own.is_complete or not is_text or content.tell() <= position.position
        (self.tally.unfinished.discard if is_whole else self.tally.unfinished.add)(own.path)
        if is_whole:
            self.into.positions.keep(replace(position, size=own.size), self.into.clock())

    def _start(
        self, own: SourceFile, known: FilePosition | None, raw: BinaryIO, content: BinaryIO
    ) -> FilePosition | None:
        """Return where to go on, None if the first line has no end yet.

        It is the beginning if another file stands in the place of the known one.
        """
        start = content.read(HEAD_BYTES)
        if known is not None and _hash(start[: known.head_bytes]) == known.head:
            is_shorter = content is raw and self.into.columns is None and own.size < known.position
            if not is_shorter:
                path = known.path if own.is_renamed else own.path
                return replace(known, path=path, size=-1, version=own.version)
        head = start if self.into.columns is not None else _first_line(start)
        if not head or (len(head) == len(start) < HEAD_BYTES and not self._is_finished(own, content)):
            return None
        return FilePosition(own.identity, own.path, _hash(head), len(head), 0, version=own.version)

    def _is_finished(self, own: SourceFile, content: BinaryIO) -> bool:
        """Return whether the only line of a file is whole."""
        if own.is_complete or self.into.columns is not None:
            return True
        return any(True for _ in text_pieces(content, 0, is_complete=False))

    def _pieces(self, own: SourceFile, content: BinaryIO, position: int) -> Iterator[Piece]:
        if self.into.columns is not None:
            return table_pieces(content, position, self.into.columns)
        return text_pieces(content, position, is_complete=own.is_complete)

    def _decoded(self, piece: Piece, keys: FileKeys) -> Decoded:
        decoder = self.into.decoder
        if piece.is_body:
            return decoder.decode(piece.lines[0], keys.place)
        return decoder.decode_lines(piece.lines, partial(keys.go_on, piece.offsets))

    def _take(self, decoded: Decoded) -> None:
        """Take records, and wait while there is no room; IngestError if that takes too long."""
        decoder, until = self.into.decoder, time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                taken = self.into.taker.take(decoded, decoder if isinstance(decoder, PairDecoder) else None)
                self.tally.add(taken, len(decoded.halves))
                return
            except Refused as error:
                if error.reason != Reason.INTAKE_FULL or time.monotonic() > until:
                    raise IngestError(
                        f"the rows cannot be taken: {error}; run the same command again, it goes on"
                    ) from error
                time.sleep(RETRY_SECONDS)


def _first_line(start: bytes) -> bytes:
    """Return the first line, with the empty ones before it."""
    empty = len(start) - len(start.lstrip(b"\r\n"))
    return start[:empty] + start[empty:].partition(b"\n")[0]


def _hash(start: bytes) -> bytes:
    return blake2b(start, digest_size=16).digest()
