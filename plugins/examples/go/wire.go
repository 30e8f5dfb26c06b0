package main

import (
	"path/filepath"
	"strconv"
	"strings"

	pb "example.com/script/executorv1"
)

var phases = map[phase]pb.Phase{
	absent:  pb.Phase_PHASE_ABSENT,
	running: pb.Phase_PHASE_RUNNING,
	exited:  pb.Phase_PHASE_EXITED,
}

func (e *executor) state(r run, seen observed) *pb.RunState {
	executionID := filepath.Base(filepath.Dir(r.folder))
	number, _ := strconv.ParseUint(filepath.Base(r.folder), 10, 32)
	state := &pb.RunState{
		Key:         &pb.RunKey{ExecutionId: executionID, Run: uint32(number)},
		Phase:       phases[seen.phase],
		Marked:      seen.marked,
		SameBoot:    seen.sameBoot,
		Ours:        true,
		Handle:      []byte(seen.claim),
		StartedAtMs: seen.startedAt,
		LogOffset:   uint64(logEnd(e.logFolder(executionID))),
		Supervised:  seen.phase == running && e.supervises(r),
	}
	if kept, err := r.read(); err == nil && kept != nil {
		state.SpecHash = kept.Spec.SpecHash
	}
	if seen.claim != "" {
		state.Facts = map[string]string{"pid": strings.Fields(seen.claim)[0]}
	}
	if seen.phase == exited {
		state.FinishedAtMs = seen.exit.finishedAt
		state.Outcome = &pb.Outcome{
			By:     seen.exit.by,
			XCode:  &pb.Outcome_Code{Code: int32(seen.exit.code)},
			Reason: seen.exit.reason,
		}
	}
	return state
}

func specOf(asked *pb.RunSpec, parsed params) spec {
	return spec{
		Key:      key{asked.Key.ExecutionId, asked.Key.Run},
		SpecHash: asked.SpecHash,
		JobID:    asked.JobId,
		JobName:  asked.JobName,
		Kind:     asked.Kind,
		Owner:    asked.Owner,
		Token:    asked.Token,
		Params:   parsed,
		Env:      withoutNil(asked.Env),
		Mounts:   []struct{}{},
		Limits: limits{
			CPUMillis:   asked.Limits.GetCpuMillis(),
			MemoryBytes: asked.Limits.GetMemoryBytes(),
			Pids:        asked.Limits.GetPids(),
			DiskBytes:   asked.Limits.GetDiskBytes(),
		},
		Network:     asked.Network,
		DeadlineAt:  asked.DeadlineMs,
		Digest:      asked.Digest,
		StopGraceMs: int64(asked.StopGraceMs),
	}
}

func withoutNil(env map[string]string) map[string]string {
	if env == nil {
		return map[string]string{}
	}
	return env
}
