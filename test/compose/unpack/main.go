// Command unpack makes the home of a stand-in, as the product's image has it: unpack is|am DIR.
package main

import (
	"fmt"
	"os"

	"wso2agent/internal/wso2sim"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: unpack is|am DIR")
		os.Exit(2)
	}
	if err := wso2sim.Unpack(os.Args[2], os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "unpack:", err)
		os.Exit(1)
	}
}
