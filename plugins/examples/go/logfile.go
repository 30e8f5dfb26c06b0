package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The log of one execution, written by the holder and read by the plugin: two files a segment, named by the offset of the
// first byte in it. The offset counts over all segments; the oldest are deleted.
//
//	<offset>.data     what all runs of the execution have printed
//	<offset>.index    a record of 17 bytes for each piece of it: time in ms, stream, offset of its end
const (
	recordBytes   = 17
	segmentBytes  = 4 << 20
	segmentsKept  = 16
	maxFrameBytes = 64 << 10 // a message of the wire carries no more
)

type record struct {
	timeMs int64
	stream byte
	end    int64
}

func (r record) encode() []byte {
	encoded := make([]byte, recordBytes)
	binary.BigEndian.PutUint64(encoded, uint64(r.timeMs))
	encoded[8] = r.stream
	binary.BigEndian.PutUint64(encoded[9:], uint64(r.end))
	return encoded
}

func decode(encoded []byte) record {
	return record{
		timeMs: int64(binary.BigEndian.Uint64(encoded)),
		stream: encoded[8],
		end:    int64(binary.BigEndian.Uint64(encoded[9:])),
	}
}

// segments answers the offset of the first byte of each, in order.
func segments(folder string) []int64 {
	files, _ := filepath.Glob(filepath.Join(folder, "*.index"))
	var starts []int64
	for _, file := range files {
		start, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".index"), 10, 64)
		if err == nil {
			starts = append(starts, start)
		}
	}
	sort.Slice(starts, func(i, j int) bool { return starts[i] < starts[j] })
	return starts
}

func segmentFile(folder string, start int64, kind string) string {
	return filepath.Join(folder, fmt.Sprintf("%016d.%s", start, kind))
}

// whole answers how many records of a segment are whole, and where the last one ends. After a power loss a record may be
// there without its data.
func whole(folder string, start int64) (records, end int64) {
	index, err := os.ReadFile(segmentFile(folder, start, "index"))
	if err != nil {
		return 0, start
	}
	data, err := os.Stat(segmentFile(folder, start, "data"))
	if err != nil {
		return 0, start
	}
	for records = int64(len(index) / recordBytes); records > 0; records-- {
		end = decode(index[(records-1)*recordBytes:]).end
		if end <= start+data.Size() {
			return records, end
		}
	}
	return 0, start
}

// logEnd answers the offset after the last byte.
func logEnd(folder string) int64 {
	starts := segments(folder)
	if len(starts) == 0 {
		return 0
	}
	_, end := whole(folder, starts[len(starts)-1])
	return end
}

// logWriter is the only one: that of the holder of the execution's run.
type logWriter struct {
	mutex      sync.Mutex
	folder     string
	data       *os.File
	index      *os.File
	start, end int64
}

func openLog(folder string) (*logWriter, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	log := &logWriter{folder: folder}
	starts := segments(folder)
	if len(starts) == 0 {
		return log, log.open(0)
	}
	return log, log.open(starts[len(starts)-1])
}

// open goes on with a segment, without what a holder that was killed has left half.
func (l *logWriter) open(start int64) (err error) {
	const flags = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if l.data, err = os.OpenFile(segmentFile(l.folder, start, "data"), flags, 0o600); err != nil {
		return err
	}
	if l.index, err = os.OpenFile(segmentFile(l.folder, start, "index"), flags, 0o600); err != nil {
		return err
	}
	records, end := whole(l.folder, start)
	l.start, l.end = start, end
	if err := l.data.Truncate(end - start); err != nil {
		return err
	}
	return l.index.Truncate(records * recordBytes)
}

func (l *logWriter) append(stream byte, data []byte) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.end-l.start >= segmentBytes {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if _, err := l.data.Write(data); err != nil {
		return err
	}
	l.end += int64(len(data))
	_, err := l.index.Write(record{time.Now().UnixMilli(), stream, l.end}.encode())
	return err
}

func (l *logWriter) rotate() error {
	if err := l.close(); err != nil {
		return err
	}
	if err := l.open(l.end); err != nil {
		return err
	}
	starts := segments(l.folder)
	for ; len(starts) > segmentsKept; starts = starts[1:] {
		os.Remove(segmentFile(l.folder, starts[0], "index"))
		os.Remove(segmentFile(l.folder, starts[0], "data"))
	}
	return nil
}

func (l *logWriter) close() error {
	for _, file := range []*os.File{l.data, l.index} {
		if err := file.Sync(); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// frame is a piece of a log.
type frame struct {
	record
	offset int64
	data   []byte
}

// logReader goes on where the writer goes on; it is asked again for what is new.
type logReader struct {
	folder  string
	offset  int64
	segment int64
	record  int64
	// Older bytes than this were asked for and are gone; 0: none.
	truncatedBefore int64
}

func newLogReader(folder string, offset int64) *logReader {
	return &logReader{folder: folder, offset: offset, segment: -1}
}

// skipToLastLines goes to where so many lines before the end begin, if that is later.
func (r *logReader) skipToLastLines(lines uint32) {
	starts := segments(r.folder)
	end := logEnd(r.folder)
	for i := len(starts) - 1; i >= 0; i-- {
		start := starts[i]
		data, err := os.ReadFile(segmentFile(r.folder, start, "data"))
		if err != nil {
			return
		}
		// The newline at the very end begins no line.
		if last := end - 1 - start; last >= 0 && last < int64(len(data)) {
			data = data[:last]
		}
		for ; lines > 0; lines-- {
			at := bytes.LastIndexByte(data, '\n')
			if at < 0 {
				break
			}
			if lines == 1 && start+int64(at)+1 > r.offset {
				r.offset = start + int64(at) + 1
			}
			data = data[:at]
		}
		if lines == 0 {
			return
		}
	}
}

// next answers what follows, at most 64 KiB; nothing when there is nothing yet.
func (r *logReader) next() ([]frame, error) {
	starts := segments(r.folder)
	if len(starts) == 0 {
		return nil, nil
	}
	if r.offset < starts[0] {
		r.offset, r.truncatedBefore = starts[0], starts[0]
	}
	start := starts[sort.Search(len(starts), func(i int) bool { return starts[i] > r.offset })-1]
	if start != r.segment {
		r.segment, r.record = start, 0
	}
	frames, err := r.read()
	if os.IsNotExist(err) {
		return nil, nil // deleted just now: the next look starts behind it
	}
	return frames, err
}

func (r *logReader) read() ([]frame, error) {
	index, err := os.Open(segmentFile(r.folder, r.segment, "index"))
	if err != nil {
		return nil, err
	}
	defer index.Close()
	data, err := os.Open(segmentFile(r.folder, r.segment, "data"))
	if err != nil {
		return nil, err
	}
	defer data.Close()
	var frames []frame
	limit := r.offset + maxFrameBytes
	encoded := make([]byte, recordBytes)
	for {
		if _, err := index.ReadAt(encoded, r.record*recordBytes); err != nil {
			return frames, ignoreEnd(err)
		}
		found := decode(encoded)
		if found.end > limit {
			return frames, nil
		}
		if found.end > r.offset {
			piece := make([]byte, found.end-r.offset)
			if _, err := data.ReadAt(piece, r.offset-r.segment); err != nil {
				return frames, ignoreEnd(err)
			}
			frames = append(frames, frame{found, r.offset, piece})
			r.offset = found.end
		}
		r.record++
	}
}

func ignoreEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}
