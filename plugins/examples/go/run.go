package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// nonce is in the environment of the holder and of all that it starts.
const nonce = "LIMPET_RUN"

// run is one run by the files of its folder and the processes of this host.
//
//	run.json  what is to be run, written before anything is started
//	claim     `<pid> <start time> <boot id>` of the holder, made by itself before it starts anything: a run with a claim
//	          is never started again
//	stop      an order to the holder: `<by> <signal> <KILL at, ms> <reason>`
//	until     the end of the lease, in ms
//	exit      how it ended: `<by> <code> <finished at, ms> <reason>`
type run struct {
	folder string
}

// stored is run.json. A node that has lost its own records reads there whose the run is.
type stored struct {
	Version int    `json:"version"`
	LogsDir string `json:"logsDir"`
	Spec    spec   `json:"spec"`
}

type spec struct {
	Key         key               `json:"key"`
	SpecHash    string            `json:"specHash"`
	JobID       string            `json:"jobId"`
	JobName     string            `json:"jobName"`
	Kind        string            `json:"kind"`
	Owner       string            `json:"owner"`
	Token       string            `json:"token"`
	Params      params            `json:"params"`
	Env         map[string]string `json:"env"`
	Mounts      []struct{}        `json:"mounts"`
	Limits      limits            `json:"limits"`
	Network     string            `json:"network"`
	DeadlineAt  int64             `json:"deadlineAt"`
	Digest      string            `json:"digest"`
	StopGraceMs int64             `json:"stopGraceMs"`
}

type key struct {
	ExecutionID string `json:"executionId"`
	Run         uint32 `json:"run"`
}

type limits struct {
	CPUMillis   uint32 `json:"cpuMillis"`
	MemoryBytes uint64 `json:"memoryBytes"`
	Pids        uint32 `json:"pids"`
	DiskBytes   uint64 `json:"diskBytes"`
}

type phase int

const (
	absent phase = iota
	running
	exited
)

// observed is what is there now.
//
//	no claim                          absent, not marked
//	exit record                       exited
//	holder alive, or work left of it  running
//	claim of another boot, or
//	holder dead without a record      absent, marked: the run was lost
type observed struct {
	phase     phase
	marked    bool
	sameBoot  bool
	claim     string
	startedAt int64
	exit      exitRecord
}

type exitRecord struct {
	by         string
	code       int
	finishedAt int64
	reason     string
}

type stopOrder struct {
	by     string
	signal int
	killAt int64
	reason string
}

func (r run) key() string {
	return filepath.Base(filepath.Dir(r.folder)) + "/" + filepath.Base(r.folder)
}

func (r run) file(name string) string {
	return filepath.Join(r.folder, name)
}

// write makes folder and run.json; all of it is on disk at the end.
func (r run) write(kept stored) error {
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := writeDurably(r.file("run.json"), string(text)); err != nil {
		return err
	}
	execution := filepath.Dir(r.folder)
	if err := syncFile(execution); err != nil {
		return err
	}
	return syncFile(filepath.Dir(execution))
}

// read answers nil when there is no such run.
func (r run) read() (*stored, error) {
	text, err := os.ReadFile(r.file("run.json"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kept := &stored{}
	return kept, json.Unmarshal(text, kept)
}

// tryToClaim makes the claim for this process; false: another has been quicker. The file is linked into place when it is
// whole and on disk, which only one can do.
func (r run) tryToClaim() (bool, error) {
	pid := strconv.Itoa(os.Getpid())
	mine := r.file("claim." + pid)
	if err := writeDurably(mine, fmt.Sprintf("%s %s %s\n", pid, startTime(pid), bootID())); err != nil {
		return false, err
	}
	defer os.Remove(mine)
	if err := os.Link(mine, r.file("claim")); err != nil {
		if os.IsExist(err) {
			return false, nil
		}
		return false, err
	}
	return true, syncFile(r.folder)
}

func (r run) observe() (seen observed, err error) {
	claim, err := os.ReadFile(r.file("claim"))
	if err != nil {
		return seen, ignoreMissing(err)
	}
	info, err := os.Stat(r.file("claim"))
	if err != nil {
		return seen, ignoreMissing(err)
	}
	seen.marked = true
	seen.startedAt = info.ModTime().UnixMilli()
	seen.claim = strings.TrimSpace(string(claim))
	seen.sameBoot = strings.HasSuffix(seen.claim, " "+bootID())
	// Looked at before the exit record: a holder writes that just before it ends.
	held := r.isHeld()
	text, err := os.ReadFile(r.file("exit"))
	if err == nil {
		seen.phase = exited
		seen.exit = parseExit(string(text))
		return seen, nil
	}
	if held || seen.sameBoot && len(r.processes()) > 0 {
		seen.phase = running
	}
	return seen, ignoreMissing(err)
}

func (r run) isHeld() bool {
	claim, err := os.ReadFile(r.file("claim"))
	fields := strings.Fields(string(claim))
	return err == nil && len(fields) == 3 && fields[2] == bootID() && startTime(fields[0]) == fields[1]
}

// processes answers all that the run has started, the holder included.
func (r run) processes() []int {
	return processesWith(nonce + "=" + r.key())
}

// orderStop: what the first order says of cause, signal and reason stays; a later one can only bring the KILL nearer.
func (r run) orderStop(order stopOrder) error {
	if first := r.ordered(); first != nil {
		if order.killAt >= first.killAt {
			return nil
		}
		order.by, order.signal, order.reason = first.by, first.signal, first.reason
	}
	reason := strings.Join(strings.Fields(order.reason), " ")
	if reason == "" {
		reason = "stopped"
	}
	return writeDurably(r.file("stop"), fmt.Sprintf("%s %d %d %s\n", order.by, order.signal, order.killAt, reason))
}

// ordered answers nil while nobody has asked for the end.
func (r run) ordered() *stopOrder {
	text, err := os.ReadFile(r.file("stop"))
	fields := strings.SplitN(strings.TrimSpace(string(text)), " ", 4)
	if err != nil || len(fields) != 4 {
		return nil
	}
	signal, _ := strconv.Atoi(fields[1])
	killAt, _ := strconv.ParseInt(fields[2], 10, 64)
	return &stopOrder{by: fields[0], signal: signal, killAt: killAt, reason: fields[3]}
}

func (r run) renew(untilMs int64) error {
	return writeDurably(r.file("until"), fmt.Sprintf("%d lease\n", untilMs))
}

// leaseEnd answers 0 when the run has no lease.
func (r run) leaseEnd() int64 {
	text, _ := os.ReadFile(r.file("until"))
	end, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(text)), " lease"), 10, 64)
	return end
}

func (r run) recordExit(end exitRecord) error {
	return writeDurably(r.file("exit"), fmt.Sprintf("%s %d %d %s\n", end.by, end.code, end.finishedAt, end.reason))
}

func parseExit(text string) exitRecord {
	fields := strings.SplitN(strings.TrimSuffix(text, "\n"), " ", 4)
	if len(fields) != 4 {
		return exitRecord{by: "lost", reason: "the exit record cannot be read"}
	}
	code, _ := strconv.Atoi(fields[1])
	finishedAt, _ := strconv.ParseInt(fields[2], 10, 64)
	return exitRecord{by: fields[0], code: code, finishedAt: finishedAt, reason: fields[3]}
}

// remove deletes the folder, and that of the execution if it was the last.
func (r run) remove() error {
	err := os.RemoveAll(r.folder)
	_ = os.Remove(filepath.Dir(r.folder))
	return err
}

// writeDurably: the file is there whole and on disk, or as it was before.
func writeDurably(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	if err := syncFile(next); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
