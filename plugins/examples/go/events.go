package main

import (
	"sync"
	"time"

	pb "example.com/script/executorv1"
)

const eventsKept = 1024

// events are the numbered news of this process. Who asks from a number that is not kept is told so by a gap.
type events struct {
	mutex sync.Mutex
	kept  []*pb.Event
	last  uint64
	rung  chan struct{} // closed at the next one
}

func newEvents() *events {
	return &events{rung: make(chan struct{})}
}

func (e *events) push(event *pb.Event) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.last++
	event.Seq, event.TimeMs = e.last, time.Now().UnixMilli()
	e.kept = append(e.kept, event)
	if len(e.kept) > eventsKept {
		e.kept = e.kept[1:]
	}
	close(e.rung)
	e.rung = make(chan struct{})
}

// after answers the event after a number; nil when it has yet to come, which the channel tells.
func (e *events) after(seen uint64) (*pb.Event, <-chan struct{}) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	before := e.last - uint64(len(e.kept)) // the number before the oldest
	if seen < before || seen > e.last {
		return &pb.Event{Seq: e.last, Gap: true, TimeMs: time.Now().UnixMilli()}, nil
	}
	if seen == e.last {
		return nil, e.rung
	}
	return e.kept[seen-before], nil
}

// newest answers the number of the last one.
func (e *events) newest() uint64 {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.last
}
