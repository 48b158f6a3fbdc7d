package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/product"
)

// version is set by the build: go build -ldflags "-X main.version=v1.2.3".
var version = "unknown"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the agent, those of the servers that it supports, and that of the server next to it",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return writeVersion(cmd.OutOrStdout()) },
	}
}

// writeVersion writes the versions. Wrong settings are an error only after the version of the agent is written, because people ask for
// it when something is wrong.
func writeVersion(w io.Writer) error {
	fmt.Fprintf(w, "agent %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	_, err := fmt.Fprintf(w, "supports IS %s and API-M %s\n", strings.Join(product.Versions(product.IS), ", "), strings.Join(product.Versions(product.AM), ", "))
	cfg, wrong := config.Load()
	if wrong == nil && cfg.Server.Product != "" {
		doubt, _ := cfg.Release.Doubt()
		_, err = fmt.Fprintln(w, cmp.Or(doubt, "runs next to "+cfg.Release.Name()))
	}
	return cmp.Or(err, wrong)
}
