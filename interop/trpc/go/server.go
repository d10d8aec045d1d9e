package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	trpc "trpc.group/trpc-go/trpc-go"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/server"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
)

// wind is the Greeter of trpc-go's own test data; what it does is told by the message.
type wind struct {
	name  string
	notes atomic.Int64
}

func serve(address, name string) {
	service := server.New(
		server.WithServiceName("trpc.meltemi.interop.Wind"),
		server.WithAddress(address),
		server.WithNetwork("tcp"),
		server.WithProtocol("trpc"),
		server.WithTimeout(10*time.Second),
	)
	pb.RegisterGreeterService(service, &wind{name: name})
	fmt.Println("serving", address)
	if err := service.Serve(); err != nil {
		panic(err)
	}
}

func (w *wind) SayHello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloReply, error) {
	trpc.SetMetaData(ctx, "served-by", []byte(w.name))
	for _, key := range []string{"sea", "secret", "raw"} {
		if value := trpc.GetMetaData(ctx, key); value != nil {
			trpc.SetMetaData(ctx, "saw-"+key, value)
		}
	}
	switch {
	case req.Msg == "business":
		return nil, errs.New(5001, "no wind today")
	case req.Msg == "framework":
		return nil, errs.NewFrameError(51, "not valid")
	case req.Msg == "negative":
		return nil, errs.New(-7, "below zero")
	case req.Msg == "who":
		return &pb.HelloReply{Msg: w.name}, nil
	case req.Msg == "notes":
		return &pb.HelloReply{Msg: fmt.Sprint(w.notes.Load())}, nil
	case req.Msg == "attachment":
		message := trpc.Message(ctx)
		sent, err := io.ReadAll(server.GetAttachment(message).Request())
		if err != nil {
			return nil, err
		}
		server.GetAttachment(message).SetResponse(bytes.NewReader(bytes.ToUpper(sent)))
		return &pb.HelloReply{Msg: "attached"}, nil
	case strings.HasPrefix(req.Msg, "slow"):
		time.Sleep(time.Second)
	}
	return &pb.HelloReply{Msg: "hello " + req.Msg}, nil
}

// SayHi is called oneway.
func (w *wind) SayHi(context.Context, *pb.HelloRequest) (*pb.HelloReply, error) {
	return &pb.HelloReply{Msg: fmt.Sprint(w.notes.Add(1))}, nil
}
