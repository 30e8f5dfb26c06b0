package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/golang/protobuf/proto"
	"google.golang.org/grpc/codes"

	pb "example.com/script/executorv1"
)

const (
	name             = "script"
	version          = "1.0.0"
	watchEvery       = 200 * time.Millisecond
	fingerprintEvery = 20 * time.Second
	claimWithin      = 10 * time.Second
	killWithin       = 5 * time.Second
	maxWait          = time.Minute
)

var signals = map[string]syscall.Signal{
	"SIGTERM": syscall.SIGTERM,
	"SIGKILL": syscall.SIGKILL,
	"SIGINT":  syscall.SIGINT,
	"SIGHUP":  syscall.SIGHUP,
	"SIGQUIT": syscall.SIGQUIT,
	"SIGUSR1": syscall.SIGUSR1,
	"SIGUSR2": syscall.SIGUSR2,
}

// executor is the service limpet.executor.v1.Executor. Everything that lasts lies in files of the run, written by the
// plugin and by the run's holder: the plugin itself can be killed at any time. What is not here answers UNIMPLEMENTED.
type executor struct {
	pb.UnimplementedExecutorServer
	output *os.File
	events *events

	// One call at a time for each run; a fixed number keeps nothing of runs that are gone.
	locks [64]sync.Mutex

	mutex      sync.Mutex
	facts      *pb.ConfigureRequest // nil until Configure
	config     config
	supervised map[string]run // until they have ended
}

func newExecutor(output *os.File) *executor {
	return &executor{output: output, events: newEvents(), supervised: map[string]run{}}
}

func (e *executor) Info(context.Context, *pb.InfoRequest) (*pb.InfoResponse, error) {
	var names []string
	for name := range signals {
		names = append(names, name)
	}
	return &pb.InfoResponse{
		Name:         name,
		Version:      version,
		InstanceId:   os.Getenv("LIMPET_PLUGIN_INSTANCE"),
		Pid:          int64(os.Getpid()),
		Capabilities: &pb.Capabilities{Renew: true, Held: true, Signals: names},
	}, nil
}

func (e *executor) ConfigSchema(context.Context, *pb.ConfigSchemaRequest) (*pb.ConfigSchemaResponse, error) {
	return &pb.ConfigSchemaResponse{ConfigSchemaJson: configSchema, ParamsSchemaJson: paramsSchema}, nil
}

func (e *executor) Configure(_ context.Context, request *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	parsed, err := parseConfig(request.ConfigJson)
	if err != nil {
		return nil, err
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.facts != nil && !proto.Equal(e.facts, request) {
		return nil, refuse(codes.FailedPrecondition,
			"this plugin is configured with other values; start a new instance to change them")
	}
	for _, folder := range []string{request.RunsDir, request.LogsDir} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	if e.facts == nil {
		// go-plugin has put pipes in their place, which nobody has to read: what is printed goes to the plugin's log.
		os.Stdout, os.Stderr = e.output, e.output
		go e.watch()
	}
	e.facts, e.config = request, parsed
	return &pb.ConfigureResponse{}, nil
}

func (e *executor) Fingerprint(_ *pb.FingerprintRequest, stream pb.Executor_FingerprintServer) error {
	if _, _, err := e.configured(); err != nil {
		return err
	}
	for {
		if err := stream.Send(&pb.FingerprintResponse{Health: pb.Health_HEALTH_HEALTHY}); err != nil {
			return err
		}
		if err := sleep(stream.Context(), fingerprintEvery); err != nil {
			return err
		}
	}
}

func (e *executor) Prepare(request *pb.PrepareRequest, stream pb.Executor_PrepareServer) error {
	_, config, err := e.configured()
	if err != nil {
		return err
	}
	if _, err := config.parseParams(request.Spec); err != nil {
		return err
	}
	return stream.Send(&pb.PrepareResponse{Message: "ready", Done: true})
}

func (e *executor) Start(ctx context.Context, request *pb.StartRequest) (*pb.StartResponse, error) {
	r, err := e.runOf(request.Spec.GetKey())
	if err != nil {
		return nil, err
	}
	defer e.alone(r)()
	kept, err := r.read()
	if err != nil {
		return nil, err
	}
	if kept == nil {
		if kept, err = e.accept(r, request.Spec); err != nil {
			return nil, err
		}
	}
	if kept.Spec.SpecHash != request.Spec.SpecHash {
		return nil, refuse(codes.AlreadyExists, "run "+r.key()+" exists with another spec")
	}
	before, err := r.observe()
	if err != nil {
		return nil, err
	}
	if !before.marked {
		if err := launch(ctx, r, kept.Spec.Params); err != nil {
			return nil, err
		}
		// It may have ended by now, which is to be told all the same.
		e.supervise(r)
	}
	state, err := e.adopt(r)
	return &pb.StartResponse{State: state, AlreadyRunning: before.phase == running}, err
}

func (e *executor) Recover(_ context.Context, request *pb.RecoverRequest) (*pb.RunState, error) {
	r, err := e.runOf(request.Key)
	if err != nil {
		return nil, err
	}
	defer e.alone(r)()
	return e.adopt(r)
}

func (e *executor) List(context.Context, *pb.ListRequest) (*pb.ListResponse, error) {
	facts, _, err := e.configured()
	if err != nil {
		return nil, err
	}
	answer := &pb.ListResponse{}
	files, _ := filepath.Glob(filepath.Join(facts.RunsDir, "*", "*", "run.json"))
	for _, file := range files {
		r := run{filepath.Dir(file)}
		seen, err := r.observe()
		if err != nil {
			return nil, err
		}
		answer.Runs = append(answer.Runs, e.state(r, seen))
	}
	return answer, nil
}

func (e *executor) Status(_ context.Context, request *pb.StatusRequest) (*pb.RunState, error) {
	r, err := e.runOf(request.Key)
	if err != nil {
		return nil, err
	}
	seen, err := present(r)
	if err != nil {
		return nil, err
	}
	return e.state(r, seen), nil
}

func (e *executor) Wait(ctx context.Context, request *pb.WaitRequest) (*pb.RunState, error) {
	r, err := e.runOf(request.Key)
	if err != nil {
		return nil, err
	}
	asked := time.Duration(request.TimeoutMs) * time.Millisecond
	if asked > maxWait {
		asked = maxWait
	}
	for until := time.Now().Add(asked); ; {
		seen, err := present(r)
		if err != nil {
			return nil, err
		}
		if seen.phase != running || !time.Now().Before(until) {
			return e.state(r, seen), nil
		}
		if err := sleep(ctx, watchEvery); err != nil {
			return nil, err
		}
	}
}

func (e *executor) Stop(_ context.Context, request *pb.StopRequest) (*pb.StopResponse, error) {
	killAt := time.Now().UnixMilli() + int64(request.GraceMs)
	order := stopOrder{by: request.By, killAt: killAt, reason: request.Reason}
	if order.by == "" {
		order.by = "stop"
	}
	if order.by != "stop" && order.by != "limit" {
		return nil, refuse(codes.InvalidArgument, "by '"+order.by+"'; expected stop or limit")
	}
	asked := "SIG" + strings.TrimPrefix(request.Signal, "SIG")
	if request.Signal == "" {
		asked = "SIGTERM"
	}
	signal, ok := signals[asked]
	if !ok {
		return nil, refuse(codes.InvalidArgument, "unknown signal '"+asked+"'")
	}
	order.signal = int(signal)
	r, err := e.runOf(request.Key)
	if err != nil {
		return nil, err
	}
	defer e.alone(r)()
	state, err := e.adopt(r)
	if err != nil {
		return nil, err
	}
	if state.Phase == pb.Phase_PHASE_RUNNING {
		err = r.orderStop(order)
	}
	return &pb.StopResponse{}, err
}

func (e *executor) Renew(_ context.Context, request *pb.RenewRequest) (*pb.RenewResponse, error) {
	for _, lease := range request.Leases {
		r, err := e.runOf(lease.Key)
		if err != nil {
			return nil, err
		}
		kept, err := r.read()
		if err != nil {
			return nil, err
		}
		if kept == nil {
			continue
		}
		if err := r.renew(lease.UntilMs); err != nil {
			return nil, err
		}
	}
	return &pb.RenewResponse{}, nil
}

func (e *executor) Release(_ context.Context, request *pb.ReleaseRequest) (*pb.ReleaseResponse, error) {
	r, err := e.runOf(request.Key)
	if err != nil {
		return nil, err
	}
	defer e.alone(r)()
	e.letGo(r)
	return &pb.ReleaseResponse{}, nil
}

func (e *executor) Remove(ctx context.Context, request *pb.RemoveRequest) (*pb.RemoveResponse, error) {
	r, err := e.runOf(request.Key)
	if err != nil {
		return nil, err
	}
	defer e.alone(r)()
	if e.supervises(r) {
		// Its end may not be told yet.
		e.look(r)
	}
	e.letGo(r)
	// Without its folder a holder that is about to claim cannot.
	for until := time.Now().Add(killWithin); killAll(r.processes()); {
		if time.Now().After(until) {
			return nil, refuse(codes.Internal, "processes of run "+r.key()+" do not end")
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	if err := r.remove(); err != nil {
		return nil, err
	}
	if request.WithLogs {
		err = os.RemoveAll(e.logFolder(request.Key.ExecutionId))
	}
	return &pb.RemoveResponse{}, err
}

func (e *executor) configured() (*pb.ConfigureRequest, config, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.facts == nil {
		return nil, config{}, refuse(codes.FailedPrecondition, "this plugin is not configured yet; call Configure first")
	}
	return e.facts, e.config, nil
}

// Ids become names of folders.
var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

func (e *executor) runOf(key *pb.RunKey) (run, error) {
	facts, _, err := e.configured()
	if err != nil {
		return run{}, err
	}
	if !plainID.MatchString(key.GetExecutionId()) {
		return run{}, refuse(codes.InvalidArgument, fmt.Sprintf("execution id '%s' is not valid", key.GetExecutionId()))
	}
	return run{filepath.Join(facts.RunsDir, key.ExecutionId, strconv.Itoa(int(key.Run)))}, nil
}

func (e *executor) logFolder(executionID string) string {
	facts, _, _ := e.configured()
	return filepath.Join(facts.GetLogsDir(), executionID)
}

// alone waits for its turn with a run; the answer ends it.
func (e *executor) alone(r run) func() {
	hash := fnv.New32a()
	hash.Write([]byte(r.key()))
	lock := &e.locks[hash.Sum32()%uint32(len(e.locks))]
	lock.Lock()
	return lock.Unlock
}

// accept writes down what is to be run.
func (e *executor) accept(r run, asked *pb.RunSpec) (*stored, error) {
	facts, config, err := e.configured()
	if err != nil {
		return nil, err
	}
	parsed, err := config.parseParams(asked)
	if err != nil {
		return nil, err
	}
	kept := stored{Version: 1, LogsDir: facts.LogsDir, Spec: specOf(asked, parsed)}
	return &kept, r.write(kept)
}

// adopt supervises a run that is live, and answers its state.
func (e *executor) adopt(r run) (*pb.RunState, error) {
	seen, err := present(r)
	if err != nil {
		return nil, err
	}
	if seen.phase == running {
		e.supervise(r)
	}
	return e.state(r, seen), nil
}

func (e *executor) supervise(r run) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.supervised[r.key()] = r
}

func (e *executor) supervises(r run) bool {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	_, ok := e.supervised[r.key()]
	return ok
}

func (e *executor) letGo(r run) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	delete(e.supervised, r.key())
}

// watch notices the ends of runs, and ends what a dead holder has left.
func (e *executor) watch() {
	for range time.Tick(watchEvery) {
		e.mutex.Lock()
		var all []run
		for _, r := range e.supervised {
			all = append(all, r)
		}
		e.mutex.Unlock()
		for _, r := range all {
			e.look(r)
		}
	}
}

func (e *executor) look(r run) {
	held := r.isHeld()
	seen, err := r.observe()
	if err != nil {
		return
	}
	if seen.phase == running {
		if !held && !r.isHeld() {
			killAll(r.processes())
		}
		return
	}
	e.letGo(r)
	state := e.state(r, seen)
	event := &pb.Event{Key: state.Key}
	if seen.phase == exited {
		event.State = state
	}
	e.events.push(event)
}

// present is for runs that have begun; others are not known.
func present(r run) (observed, error) {
	seen, err := r.observe()
	if err == nil && !seen.marked {
		err = refuse(codes.NotFound, "run "+r.key()+" is not known here")
	}
	return seen, err
}

func sleep(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
