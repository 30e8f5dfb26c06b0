package main

import (
	"os"
	"path/filepath"
	"strconv"

	pb "example.com/script/executorv1"
)

func (e *executor) Logs(request *pb.LogsRequest, stream pb.Executor_LogsServer) error {
	if _, err := e.runOf(&pb.RunKey{ExecutionId: request.ExecutionId}); err != nil {
		return err
	}
	reader := newLogReader(e.logFolder(request.ExecutionId), int64(request.FromOffset))
	if request.TailLines > 0 {
		reader.skipToLastLines(request.TailLines)
	}
	told := int64(0)
	for {
		// Asked before the last look, which then finds all there is.
		ended, err := e.hasEnded(request.ExecutionId)
		if err != nil {
			return err
		}
		frames, err := reader.next()
		if err != nil {
			return err
		}
		last := len(frames) == 0 && (ended || !request.Follow)
		if len(frames) > 0 || last {
			answer := &pb.LogsResponse{NextOffset: uint64(reader.offset), End: last && ended}
			for _, frame := range frames {
				answer.Frames = append(answer.Frames, wireFrame(frame))
			}
			if reader.truncatedBefore != told {
				told = reader.truncatedBefore
				answer.TruncatedBefore = uint64(told)
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		if len(frames) == 0 {
			if err := sleep(stream.Context(), watchEvery); err != nil {
				return err
			}
		}
	}
}

func wireFrame(frame frame) *pb.LogsResponse_Frame {
	return &pb.LogsResponse_Frame{
		Stream: pb.LogsResponse_Stream(frame.stream),
		TimeMs: frame.timeMs,
		Data:   frame.data,
		Offset: uint64(frame.offset),
	}
}

func (e *executor) Events(request *pb.EventsRequest, stream pb.Executor_EventsServer) error {
	seen := request.SinceSeq
	if seen == 0 {
		seen = e.events.newest()
	}
	for {
		event, rung := e.events.after(seen)
		if event == nil {
			select {
			case <-stream.Context().Done():
				return stream.Context().Err()
			case <-rung:
			}
			continue
		}
		if err := stream.Send(event); err != nil {
			return err
		}
		seen = event.Seq
	}
}

// hasEnded: the log of the execution is complete as it is.
func (e *executor) hasEnded(executionID string) (bool, error) {
	facts, _, err := e.configured()
	if err != nil {
		return false, err
	}
	folder := filepath.Join(facts.RunsDir, executionID)
	newest := -1
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil && number > newest {
			newest = number
		}
	}
	if newest < 0 {
		_, err := os.Stat(e.logFolder(executionID))
		return err == nil, nil
	}
	seen, err := run{filepath.Join(folder, strconv.Itoa(newest))}.observe()
	return seen.marked && seen.phase != running, err
}
