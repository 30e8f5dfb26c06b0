// Command go-printer is a plugin whose Configure prints 300 kB to its own stdout. It forwards what it prints by GRPCStdio,
// as go-plugin does from 1.1 on: with nobody reading, a print of more than a pipe holds does not return.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/golang/protobuf/proto"
	"github.com/golang/protobuf/ptypes/empty"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "example.com/script/executorv1"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "LIMPET_PLUGIN",
			MagicCookieValue: "8f0d4c5e7b6a4f21a3d97c10be52e6f4",
		},
		Plugins:    map[string]plugin.Plugin{"executor": &printerPlugin{}},
		GRPCServer: plugin.DefaultGRPCServer,
	})
}

type printer struct {
	pb.UnimplementedExecutorServer
	printed, forwarded *os.File
}

func (*printer) Info(context.Context, *pb.InfoRequest) (*pb.InfoResponse, error) {
	return &pb.InfoResponse{
		Name: "printer", Version: "1", InstanceId: os.Getenv("LIMPET_PLUGIN_INSTANCE"), Capabilities: &pb.Capabilities{},
	}, nil
}

func (*printer) ConfigSchema(context.Context, *pb.ConfigSchemaRequest) (*pb.ConfigSchemaResponse, error) {
	return &pb.ConfigSchemaResponse{ConfigSchemaJson: "{}", ParamsSchemaJson: "{}"}, nil
}

func (p *printer) Configure(context.Context, *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	os.Stdout = p.printed
	for i := 0; i < 5000; i++ {
		fmt.Printf("%05d %053d\n", i, 0)
	}
	return &pb.ConfigureResponse{}, nil
}

func (*printer) Fingerprint(_ *pb.FingerprintRequest, stream pb.Executor_FingerprintServer) error {
	if err := stream.Send(&pb.FingerprintResponse{Health: pb.Health_HEALTH_HEALTHY}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (*printer) Events(_ *pb.EventsRequest, stream pb.Executor_EventsServer) error {
	<-stream.Context().Done()
	return nil
}

func (*printer) List(context.Context, *pb.ListRequest) (*pb.ListResponse, error) {
	return &pb.ListResponse{}, nil
}

// stdioData is plugin.StdioData.
type stdioData struct {
	Channel int32  `protobuf:"varint,1,opt,name=channel,proto3"`
	Data    []byte `protobuf:"bytes,2,opt,name=data,proto3"`
}

func (d *stdioData) Reset()         { *d = stdioData{} }
func (d *stdioData) String() string { return proto.CompactTextString(d) }
func (*stdioData) ProtoMessage()    {}

func (p *printer) streamStdio(stream grpc.ServerStream) error {
	if err := stream.RecvMsg(&empty.Empty{}); err != nil {
		return err
	}
	buffer := make([]byte, 1024)
	for {
		count, err := p.forwarded.Read(buffer)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&stdioData{Channel: 1, Data: buffer[:count]}); err != nil {
			return err
		}
	}
}

type printerPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (*printerPlugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	forwarded, printed, err := os.Pipe()
	if err != nil {
		return err
	}
	p := &printer{printed: printed, forwarded: forwarded}
	pb.RegisterExecutorServer(server, p)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "plugin.GRPCStdio",
		HandlerType: (*interface{})(nil),
		Streams: []grpc.StreamDesc{{
			StreamName:    "StreamStdio",
			ServerStreams: true,
			Handler: func(_ interface{}, stream grpc.ServerStream) error {
				return p.streamStdio(stream)
			},
		}},
	}, p)
	return nil
}

func (*printerPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (interface{}, error) {
	return nil, nil
}
