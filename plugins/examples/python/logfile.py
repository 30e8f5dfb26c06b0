"""The log of one execution, written by the holder and read by the plugin.

Two files a segment, named by the offset of the first byte in it:

    <offset>.data    what all runs of the execution have printed
    <offset>.index   a fixed-size record for each piece of it: time in ms,
                     stream, offset of its end

The offset counts over all segments. The oldest are deleted.
"""
import bisect
import os
import pathlib
import shutil
import struct
import time

STDOUT, STDERR = 1, 2
# A message of the wire carries no more.
MAX_FRAME_BYTES = 64 * 1024
SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENTS = 16

_RECORD = struct.Struct('>QBQ')


def _segments(folder):
    """Offsets of the first byte of each segment, in order."""
    return sorted(int(file.stem)
                  for file in pathlib.Path(folder).glob('*.index'))


def _file(folder, start, kind):
    return pathlib.Path(folder) / f'{start:016d}.{kind}'


def end_of(folder):
    """The offset after the last byte."""
    starts = _segments(folder)
    return 0 if not starts else _whole(folder, starts[-1])[1]


def _whole(folder, start):
    """How many records of a segment are whole, and where the last ends."""
    index = _file(folder, start, 'index').read_bytes()
    data_end = start + _file(folder, start, 'data').stat().st_size
    for number in range(len(index) // _RECORD.size, 0, -1):
        end = _RECORD.unpack_from(index, (number - 1) * _RECORD.size)[2]
        # After a power loss a record may be there without its data.
        if end <= data_end:
            return number, end
    return 0, start


class Writer:
    """The only one: the holder of the execution's run."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._data = self._index = None
        starts = _segments(self._folder)
        self._open(starts[-1] if starts else 0)

    def _open(self, start):
        self.close()
        self._data = open(_file(self._folder, start, 'data'), 'ab', 0)
        self._index = open(_file(self._folder, start, 'index'), 'ab', 0)
        records, self._end = _whole(self._folder, start)
        # What a holder that was killed has left half.
        self._data.truncate(self._end - start)
        self._index.truncate(records * _RECORD.size)
        self._start = start

    def append(self, stream, data):
        if self._end - self._start >= SEGMENT_BYTES:
            self._open(self._end)
            for old in _segments(self._folder)[:-SEGMENTS]:
                _file(self._folder, old, 'index').unlink()
                _file(self._folder, old, 'data').unlink()
        self._data.write(data)
        self._end += len(data)
        now = int(time.time() * 1000)
        self._index.write(_RECORD.pack(now, stream, self._end))

    def close(self):
        for file in (self._data, self._index):
            if file is not None:
                os.fsync(file.fileno())
                file.close()


class Reader:
    """Goes on where the writer goes on; asked again for what is new."""

    def __init__(self, folder, offset):
        self._folder = pathlib.Path(folder)
        self._segment = None
        self._record = 0
        self.offset = offset
        # Older bytes than this were asked for and are gone; 0: none.
        self.truncated_before = 0

    def skip_to_last_lines(self, lines):
        """To where so many lines before the end begin, if that is later."""
        end = end_of(self._folder)
        for start in reversed(_segments(self._folder)):
            data = _file(self._folder, start, 'data').read_bytes()
            # The newline at the very end begins no line.
            at = min(len(data), end - 1 - start)
            while at >= 0 and lines > 0:
                at = data.rfind(b'\n', 0, at)
                lines -= at >= 0
            if lines == 0:
                self.offset = max(self.offset, start + at + 1)
                return

    def next(self):
        """(stream, time, offset, data) of what follows, at most 64 KiB."""
        starts = _segments(self._folder)
        if not starts:
            return []
        if self.offset < starts[0]:
            self.offset = self.truncated_before = starts[0]
        start = starts[bisect.bisect_right(starts, self.offset) - 1]
        if start != self._segment:
            self._segment, self._record = start, 0
        try:
            return list(self._read(start))
        except FileNotFoundError:
            return []  # deleted just now: the next look starts behind it

    def _read(self, start):
        limit = self.offset + MAX_FRAME_BYTES
        with open(_file(self._folder, start, 'index'), 'rb') as index, \
                open(_file(self._folder, start, 'data'), 'rb') as data:
            index.seek(self._record * _RECORD.size)
            while len(record := index.read(_RECORD.size)) == _RECORD.size:
                time_ms, stream, end = _RECORD.unpack(record)
                if end > limit:
                    return
                self._record += 1
                if end <= self.offset:
                    continue
                data.seek(self.offset - start)
                yield stream, time_ms, self.offset, data.read(
                    end - self.offset)
                self.offset = end


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
