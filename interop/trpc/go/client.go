package main

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	trpc "trpc.group/trpc-go/trpc-go"
	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/stream"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
	trpcpb "trpc.group/trpc/trpc-protocol/pb/go/trpc"
)

const megabyte = 1 << 20

// call gives what the caller's program sees of one call, as text.
func call(address, name string) string {
	options := []client.Option{
		client.WithTarget("ip://" + address),
		client.WithNetwork("tcp"),
		client.WithProtocol("trpc"),
		client.WithServiceName("trpc.meltemi.interop.Wind"),
		client.WithTimeout(5 * time.Second),
	}
	with := func(more ...client.Option) []client.Option {
		return append(options[:len(options):len(options)], more...)
	}
	kind, argument, _ := strings.Cut(name, ":")
	switch kind {
	case "tier":
		return hello("who", with(client.WithMetaData("tier", []byte(argument))))
	case "metadata":
		return hello("who", with(
			client.WithMetaData("secret", []byte("x")),
			client.WithMetaData("raw", []byte{0xff, 0x00, 0xfe}),
			client.WithMetaData("ü", []byte("ß")),
		))
	case "silver":
		return hello("who", with(client.WithMetaData("tier", []byte("silver")), client.WithMetaData("secret", []byte("x"))))
	case "hurry":
		return hello("slow", with(client.WithMetaData("tier", []byte("hurry"))))
	case "empty":
		return hello("", options)
	case "big":
		return digest(hello(strings.Repeat("x", megabyte), options))
	case "too-big":
		// The library's own limit is the mesh's.
		trpc.DefaultMaxFrameSize = 64 * megabyte
		return hello(strings.Repeat("x", 11*megabyte), options)
	case "json":
		return hello(argument, with(client.WithSerializationType(codec.SerializationTypeJSON)))
	case "gzip":
		return hello(argument, with(client.WithCompressType(codec.CompressTypeGzip)))
	case "many":
		return many(options)
	case "multiplexed":
		return many(with(client.WithMultiplexed(true)))
	case "short-timeout":
		return hello("slow", with(client.WithTimeout(200*time.Millisecond)))
	case "attachment":
		attachment := client.NewAttachment(strings.NewReader("from the caller"))
		result := hello("attachment", with(client.WithAttachment(attachment)))
		answer, err := io.ReadAll(attachment.Response())
		return fmt.Sprintf("%s, attachment %s %v", result, answer, err)
	case "oneway":
		return oneway(options)
	case "unknown-func":
		return unknown(options)
	case "stream":
		return streamed(options)
	}
	return hello(name, options)
}

func hello(message string, options []client.Option) string {
	head := &trpcpb.ResponseProtocol{}
	options = append(options[:len(options):len(options)], client.WithRspHead(head))
	reply, err := pb.NewGreeterClientProxy(options...).SayHello(context.Background(), &pb.HelloRequest{Msg: message})
	return outcome(reply.GetMsg(), err) + metadata(head.GetTransInfo())
}

func outcome(message string, err error) string {
	if err == nil {
		return message
	}
	if e, ok := err.(*errs.Error); ok {
		return fmt.Sprintf("error type %d code %d: %s", e.Type, e.Code, e.Msg)
	}
	return err.Error()
}

func metadata(values map[string][]byte) string {
	var all []string
	for key, value := range values {
		all = append(all, fmt.Sprintf(" %s=%q", key, value))
	}
	sort.Strings(all)
	return strings.Join(all, "")
}

func digest(text string) string {
	return fmt.Sprintf("%d bytes, %s", len(text), text[max(0, len(text)-30):])
}

// many makes 64 calls at once, 20 times; each must get its own answer.
func many(options []client.Option) string {
	var wrong sync.Map
	for round := 0; round < 20; round++ {
		var group sync.WaitGroup
		for caller := 0; caller < 64; caller++ {
			group.Go(func() {
				message := fmt.Sprintf("%d-%d", round, caller)
				reply, err := pb.NewGreeterClientProxy(options...).SayHello(context.Background(), &pb.HelloRequest{Msg: message})
				if got := outcome(reply.GetMsg(), err); got != "hello "+message {
					wrong.Store(message, got)
				}
			})
		}
		group.Wait()
	}
	var found []string
	wrong.Range(func(message, got any) bool {
		found = append(found, fmt.Sprintf("%s got %s", message, got))
		return true
	})
	return fmt.Sprintf("%d of 1280 wrong %v", len(found), found[:min(len(found), 3)])
}

func oneway(options []client.Option) string {
	before := hello("notes", options)
	send := append(options[:len(options):len(options)], client.WithSendOnly())
	if _, err := pb.NewGreeterClientProxy(send...).SayHi(context.Background(), &pb.HelloRequest{}); err != nil {
		return outcome("", err)
	}
	for attempt := 0; attempt < 50; attempt++ {
		if hello("notes", options) != before {
			return "arrived"
		}
		time.Sleep(20 * time.Millisecond)
	}
	return "lost"
}

func unknown(options []client.Option) string {
	ctx, message := codec.WithCloneMessage(context.Background())
	defer codec.PutBackMessage(message)
	message.WithClientRPCName("/trpc.meltemi.interop.Wind/Nothing")
	message.WithCalleeServiceName("trpc.meltemi.interop.Wind")
	message.WithSerializationType(codec.SerializationTypePB)
	return outcome("answered", client.DefaultClient.Invoke(ctx, &pb.HelloRequest{}, &pb.HelloReply{}, options...))
}

func streamed(options []client.Option) string {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	description := &client.ClientStreamDesc{StreamName: "Chat", ClientStreams: true, ServerStreams: true}
	_, err := stream.DefaultStreamClient.NewStream(ctx, description, "/trpc.meltemi.interop.Wind/Chat", options...)
	return outcome("opened", err)
}
