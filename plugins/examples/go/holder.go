package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	stdout = 1
	stderr = 2
	// How often the holder looks for orders.
	lookEvery = 250 * time.Millisecond
	// How long output is awaited that a process outside of the session holds open.
	drainFor = time.Second
)

// hold holds one run, in a session of its own: it outlives plugin and agent, and does with neither of them alive what they
// have asked for. It keeps the deadline and the lease, carries out a stop order up to KILL, keeps the log, and records how
// the run ended.
//
//	claim -> command in its own session -> exit record
//
// Nothing in here is about scripts: it holds any command.
func hold(folder string, command []string) {
	if err := holdRun(run{folder}, command); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func holdRun(r run, command []string) error {
	// Caught rather than ignored, which the command would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	syscall.Umask(0o022)
	kept, err := r.read()
	if err != nil || kept == nil {
		return fmt.Errorf("no run in %s: %v", r.folder, err)
	}
	if first, err := r.tryToClaim(); !first {
		return err
	}
	log, err := openLog(filepath.Join(kept.LogsDir, kept.Spec.Key.ExecutionID))
	if err != nil {
		return err
	}
	held := &held{run: r, spec: kept.Spec, log: log}
	end := held.untilEnded(command)
	if err := log.close(); err != nil {
		return err
	}
	return r.recordExit(end)
}

type held struct {
	run    run
	spec   spec
	log    *logWriter
	pid    int
	ending *stopOrder // once something wants the end
}

func (h *held) untilEnded(command []string) exitRecord {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = h.run.file("work")
	cmd.Env = passedEnvironment()
	for name, value := range h.spec.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, nonce+"="+h.run.key())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ended, err := h.start(cmd)
	if err != nil {
		return exitRecord{"refused", 126, time.Now().UnixMilli(), "cannot be started: " + err.Error()}
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			h.obey()
		case <-ended:
			return h.end(cmd.ProcessState.Sys().(syscall.WaitStatus))
		}
	}
}

// start answers a channel that is closed when the command has ended and its output is kept.
func (h *held) start(cmd *exec.Cmd) (<-chan struct{}, error) {
	var readers sync.WaitGroup
	var theirs []*os.File
	pipe := func(stream byte) (*os.File, error) {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		theirs = append(theirs, write)
		readers.Add(1)
		go func() {
			defer readers.Done()
			h.keep(stream, read)
		}()
		return write, nil
	}
	// The command alone holds its ends: where they are closed its output is over.
	defer func() {
		for _, file := range theirs {
			file.Close()
		}
	}()
	out, err := pipe(stdout)
	if err != nil {
		return nil, err
	}
	errors, err := pipe(stderr)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, errors
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h.pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		// What it has left behind in its session ends with it.
		h.signal(syscall.SIGKILL)
		drained := make(chan struct{})
		go func() {
			readers.Wait()
			close(drained)
		}()
		select {
		case <-drained:
		case <-time.After(drainFor):
		}
		close(ended)
	}()
	return ended, nil
}

func (h *held) keep(stream byte, output *os.File) {
	defer output.Close()
	buffer := make([]byte, maxFrameBytes)
	for {
		count, err := output.Read(buffer)
		if count > 0 {
			if err := h.log.append(stream, buffer[:count]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (h *held) end(status syscall.WaitStatus) exitRecord {
	end := exitRecord{"exit", status.ExitStatus(), time.Now().UnixMilli(), ""}
	if status.Signaled() {
		end.by, end.code = "signal", 128+int(status.Signal())
		end.reason = fmt.Sprintf("signal %d", status.Signal())
	}
	if h.ending != nil {
		end.by, end.reason = h.ending.by, h.ending.reason
	}
	return end
}

func (h *held) obey() {
	order := h.wanted()
	if order == nil {
		return
	}
	if h.ending == nil {
		h.ending = order
		h.signal(syscall.Signal(order.signal))
	}
	// Whatever comes later can only bring it nearer.
	if order.killAt < h.ending.killAt {
		h.ending.killAt = order.killAt
	}
	if time.Now().UnixMilli() >= h.ending.killAt {
		h.signal(syscall.SIGKILL)
	}
}

// wanted answers nil while the run may go on.
func (h *held) wanted() *stopOrder {
	if order := h.run.ordered(); order != nil {
		return order
	}
	now := time.Now().UnixMilli()
	limit := func(reason string) *stopOrder {
		return &stopOrder{"limit", int(syscall.SIGTERM), now + h.spec.StopGraceMs, reason}
	}
	if at := h.spec.DeadlineAt; at > 0 && at <= now {
		return limit("deadline")
	}
	if at := h.run.leaseEnd(); at > 0 && at <= now {
		return limit("lease")
	}
	return nil
}

func (h *held) signal(number syscall.Signal) {
	_ = syscall.Kill(-h.pid, number)
}

// passedEnvironment is what a run gets of the plugin's environment.
func passedEnvironment() []string {
	var passed []string
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			passed = append(passed, name+"="+value)
		}
	}
	return passed
}
