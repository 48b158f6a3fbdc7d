package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// keysLimit is the most that a keys file may hold, in bytes.
const keysLimit = 1 << 20

func keysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "Print the application's keys, with its secret",
		Long:  "keys prints the file that KEYS_FILE names: the application's keys, with its secret.",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return printKeys(cmd.OutOrStdout()) },
	}
}

// printKeys prints the application's keys, with the secret: the image has no program that shows a file, and a cluster has none
// that copies a file out of it.
func printKeys(stdout io.Writer) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	keys, err := file.Read(cfg.Bootstrap.KeysFile, keysLimit)
	if err != nil {
		return remedy.Add(fmt.Errorf("read the application's keys: %w", err), "bootstrap writes them to the file that KEYS_FILE names")
	}
	_, err = stdout.Write(keys)
	return err
}
