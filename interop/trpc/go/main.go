// Interoperability of the trpc plugin: a server and a client made of trpc-go alone, which knows nothing of the mesh.
//
//	wind server ADDRESS NAME
//	wind client ADDRESS CALL...    prints one line for each call: CALL, tab, result
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) > 3 && os.Args[1] == "client" {
		for _, name := range os.Args[3:] {
			fmt.Printf("RESULT\t%s\t%s\n", name, call(os.Args[2], name))
		}
		return
	}
	fmt.Fprintln(os.Stderr, "usage: wind server ADDRESS NAME | wind client ADDRESS CALL...")
	os.Exit(2)
}
