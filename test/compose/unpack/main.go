// Command unpack makes the home of a stand-in, as the product's image has it: unpack is|am VERSION DIR.
package main

import (
	"fmt"
	"os"

	"wso2agent/internal/wso2sim"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: unpack is|am VERSION DIR")
		os.Exit(2)
	}
	if err := wso2sim.UnpackWith(os.Args[3], os.Args[1], wso2sim.UnpackOptions{Version: os.Args[2]}); err != nil {
		fmt.Fprintln(os.Stderr, "unpack:", err)
		os.Exit(1)
	}
}
