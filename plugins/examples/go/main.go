// Command script is an executor plugin of Limpet that runs scripts.
//
//	script                           serves the plugin; the agent starts it
//	script hold FOLDER COMMAND...    holds one run; the plugin starts it
package main

import (
	"context"
	"math"
	"os"
	"os/signal"
	"syscall"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"example.com/script/executorv1"
)

// The cookie is for people who start the program by hand; it is no secret.
var handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "LIMPET_PLUGIN",
	MagicCookieValue: "8f0d4c5e7b6a4f21a3d97c10be52e6f4",
}

func main() {
	if len(os.Args) > 3 && os.Args[1] == "hold" {
		hold(os.Args[2], os.Args[3:])
		return
	}
	// The socket is ours alone.
	syscall.Umask(0o077)
	logger := hclog.New(&hclog.LoggerOptions{Name: name, Output: os.Stderr, JSONFormat: true})
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         map[string]plugin.Plugin{"executor": &served{executor: newExecutor(os.Stderr)}},
		GRPCServer:      newServer,
		Logger:          logger,
	})
}

// newServer takes messages of any size, and ends at SIGTERM as it does at Shutdown, so that its socket goes with it.
// What a terminal sends does not end what outlives the agent; go-plugin itself ignores Ctrl-C.
func newServer(options []grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(options, grpc.MaxRecvMsgSize(math.MaxInt32))...)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for received := range signals {
			if received == syscall.SIGTERM {
				server.Stop()
			}
		}
	}()
	return server
}

// served is the executor as go-plugin knows it.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	executor *executor
}

func (s *served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	executorv1.RegisterExecutorServer(server, s.executor)
	return nil
}

func (s *served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (interface{}, error) {
	return nil, nil
}
