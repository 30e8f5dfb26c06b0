package main

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
)

// launch starts the holder of a run and returns when it has claimed. Launching twice is harmless: one run has one claim.
func launch(ctx context.Context, r run, asked params) error {
	interpreter, err := exec.LookPath(asked.Interpreter)
	if err != nil {
		return refuse(codes.FailedPrecondition, err.Error())
	}
	if err := os.MkdirAll(r.file("work"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(r.file("work/script"), []byte(asked.Script), 0o600); err != nil {
		return err
	}
	arguments := append([]string{"hold", r.folder, interpreter, "script"}, asked.Arguments...)
	// This very program, also when its file has been replaced since.
	holder := exec.Command("/proc/self/exe", arguments...)
	holder.Dir = "/"
	holder.Env = append(passedEnvironment(), nonce+"="+r.key())
	holder.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := holder.Start(); err != nil {
		return err
	}
	over := make(chan struct{})
	go func() {
		_ = holder.Wait()
		close(over)
	}()
	for until := time.Now().Add(claimWithin); ; {
		seen, err := r.observe()
		if err != nil || seen.marked {
			return err
		}
		select {
		case <-over:
			// It has claimed before its end, or never will.
			if seen, err := r.observe(); err != nil || seen.marked {
				return err
			}
			return refuse(codes.Internal, "the holder of "+r.key()+" did not start")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(until) {
			return refuse(codes.Internal, "no claim of "+r.key()+" in time")
		}
	}
}
