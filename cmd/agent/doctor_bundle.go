package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func doctorBundleCommand() *cobra.Command {
	var e examination
	cmd := &cobra.Command{
		Use:   "bundle FILE.tar.gz",
		Short: "Write an archive for support, without secrets",
		Long: `bundle examines as doctor does, and writes an archive for support to a new file with mode 0600: the versions of the agent
and of the servers, what it has read and found, the settings, deployment.toml, the lists of the stores with aliases and
fingerprints, the public files of the exchange volume, the status of the sidecar, and the ends of the logs.

It masks the secrets in the settings, in deployment.toml and in KEYS_FILE wherever they appear, and whatever looks like a
password, a token or a private key. Look through the archive before you send it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "needs the name of one new file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			reader, r, err := e.reader(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer r.connection.Close()
			facts, found := e.read(cmd.Context(), reader)
			about := fmt.Sprintf("agent %s (%s, %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if err := reader.Bundle(cmd.Context(), args[0], about, facts, found); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s (mode 0600): found: %d, not examined: %d, logs read: %d\n", args[0], len(found), len(facts.Unread), len(facts.Logs.Files))
			return err
		},
	}
	e.flags(cmd)
	return cmd
}
