// Command go-host drives a plugin of Limpet as any host that is built on hashicorp/go-plugin does, and prints what it saw
// as one line of JSON.
//
//	go-host FOLDER COMMAND...
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "example.com/script/executorv1"
)

const instance = "5f3b7c1e-0000-4000-8000-000000000001"

var key = &pb.RunKey{ExecutionId: "e-go-host"}

type report struct {
	Protocol, Name, Instance string
	Phase, Code              string
	Log                      string
	ReattachedInstance       string
	ReattachedPhase          string
	ExitedAfterKill          bool
}

func main() {
	seen, err := drive(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen)
}

func drive(folder string, command []string) (seen report, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{"LIMPET_PLUGIN_INSTANCE=" + instance, "PLUGIN_UNIX_SOCKET_DIR=" + folder}
	first := plugin.NewClient(config(func(c *plugin.ClientConfig) { c.Cmd = cmd }))
	defer first.Kill()
	executor, err := dispense(first)
	if err != nil {
		return seen, err
	}
	seen.Protocol = string(first.Protocol())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	info, err := executor.Info(ctx, &pb.InfoRequest{})
	if err != nil {
		return seen, err
	}
	seen.Name, seen.Instance = info.Name, info.InstanceId
	if err := run(ctx, executor, folder, &seen); err != nil {
		return seen, err
	}

	second := plugin.NewClient(config(func(c *plugin.ClientConfig) { c.Reattach = first.ReattachConfig() }))
	again, err := dispense(second)
	if err != nil {
		return seen, err
	}
	if info, err = again.Info(ctx, &pb.InfoRequest{}); err != nil {
		return seen, err
	}
	state, err := again.Status(ctx, &pb.StatusRequest{Key: key})
	if err != nil {
		return seen, err
	}
	seen.ReattachedInstance, seen.ReattachedPhase = info.InstanceId, state.Phase.String()
	second.Kill()
	for until := time.Now().Add(20 * time.Second); !first.Exited() && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	seen.ExitedAfterKill = first.Exited()
	return seen, nil
}

// run takes one run from Configure to its end.
func run(ctx context.Context, executor pb.ExecutorClient, folder string, seen *report) error {
	in := func(name string) string { return filepath.Join(folder, name) }
	_, err := executor.Configure(ctx, &pb.ConfigureRequest{
		ConfigJson: "{}", NodeId: "n-go", InstanceId: "i-go",
		RunsDir: in("runs"), LogsDir: in("logs"), StateDir: in("state"), SocketsDir: in("s"),
	})
	if err != nil {
		return err
	}
	spec := &pb.RunSpec{
		Key: key, SpecHash: "h", Kind: "batch", Network: "host", StopGraceMs: 1000,
		ParamsJson: `{"Command":["sh","-c","echo driven by Go; exit 7"]}`,
	}
	if _, err := executor.Start(ctx, &pb.StartRequest{Spec: spec}); err != nil {
		return err
	}
	state, err := executor.Wait(ctx, &pb.WaitRequest{Key: key, TimeoutMs: 30000})
	if err != nil {
		return err
	}
	seen.Phase, seen.Code = state.Phase.String(), fmt.Sprint(state.Outcome.GetCode())
	logs, err := executor.Logs(ctx, &pb.LogsRequest{ExecutionId: key.ExecutionId, Follow: true})
	if err != nil {
		return err
	}
	for {
		answer, err := logs.Recv()
		if err != nil {
			return err
		}
		for _, frame := range answer.Frames {
			seen.Log += string(frame.Data)
		}
		if answer.End {
			return nil
		}
	}
}

func config(set func(*plugin.ClientConfig)) *plugin.ClientConfig {
	made := &plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "LIMPET_PLUGIN",
			MagicCookieValue: "8f0d4c5e7b6a4f21a3d97c10be52e6f4",
		},
		Plugins:          map[string]plugin.Plugin{"executor": &executorPlugin{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "host", Level: hclog.Debug, Output: os.Stderr}),
	}
	set(made)
	return made
}

// dispense pings first, as hosts do: that asks the health service.
func dispense(client *plugin.Client) (pb.ExecutorClient, error) {
	protocol, err := client.Client()
	if err != nil {
		return nil, err
	}
	if err := protocol.Ping(); err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense("executor")
	if err != nil {
		return nil, err
	}
	return raw.(pb.ExecutorClient), nil
}

type executorPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (*executorPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return nil
}

func (*executorPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (interface{}, error) {
	return pb.NewExecutorClient(conn), nil
}
