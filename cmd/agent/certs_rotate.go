package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/server"
)

func certsRotateCommand() *cobra.Command {
	var compromised bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Request a new certificate from the agent next to the own server (TLS_MODE=issue)",
		Long: `rotate requests a new certificate from the agent next to the own server, with a new key (TLS_MODE=issue).

It first prints which servers restart for it, and why. No server restarts if all running servers trust the next certificate
already, and the own server can load it while it runs.

--compromised is for a stolen config volume, or a stolen copy of one, such as a backup. The volume also holds the keys of the next
certificates. So the agent throws these away and makes a new certificate. No server trusts that one yet, so the servers restart.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return requestRotation(cmd.Context(), compromised, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&compromised, "compromised", false, "throw away the next certificates too: somebody may have their keys")
	return cmd
}

// requestRotation prints what a rotation costs, and then leaves a request on the config volume, where the agent next to the server
// finds it.
func requestRotation(ctx context.Context, compromised bool, stdout, stderr io.Writer) error {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	if err := server.CheckRequest(ctx, cfg); err != nil {
		return err
	}
	prospect, unreadable, err := server.ReadProspect(ctx, cfg)
	if err != nil {
		return fmt.Errorf("nothing is requested: find out which servers restart for a new certificate: %w", err)
	}
	warn(stderr, unreadable)
	prospect.Compromised = compromised
	restarts := prospect.Cost()
	printCost(stdout, restarts, prospect)
	if err := server.RequestIdentity(ctx, cfg, compromised); err != nil {
		return err
	}
	printNext(stdout, restarts, prospect)
	return nil
}

// warn prints what the command could not read and leaves out.
func warn(stderr io.Writer, unreadable []error) {
	for _, err := range unreadable {
		fmt.Fprintf(stderr, "warning: left out, because it cannot be read: %v\n", err)
	}
}

// printCost prints which servers restart, and why.
func printCost(w io.Writer, restarts []server.Restart, p server.Prospect) {
	var names []string
	for _, r := range restarts {
		if r.Server != p.Server || p.Supervised {
			names = append(names, r.Server)
		}
	}
	switch {
	case len(restarts) == 0:
		fmt.Fprintln(w, "no restart: all servers trust the next certificate, and", p.Server, "loads it while it runs")
	case !p.Supervised:
		fmt.Fprintf(w, "RESTART is none: no agent restarts %s, so restart it by hand when the log of its agent says so\n", p.Server)
		if len(names) > 0 { // what RESTART is next to them is not known here
			fmt.Fprintf(w, "these peers restart on their own, one after the other; if RESTART is none next to a peer, restart it by hand: %s\n", strings.Join(names, ", "))
		}
	default:
		fmt.Fprintf(w, "these servers restart, one after the other: %s\n", strings.Join(names, ", "))
	}
	for _, r := range restarts {
		fmt.Fprintf(w, "  %s: %s\n", r.Server, r.Because)
	}
}

// printNext prints what the agent does after the request.
func printNext(w io.Writer, restarts []server.Restart, p server.Prospect) {
	fmt.Fprintf(w, "a new certificate for %s is requested; the agent next to it ", p.Server)
	if len(restarts) == 0 {
		fmt.Fprintln(w, "installs it, and the server serves it after about a minute")
		return
	}
	if p.Compromised {
		fmt.Fprint(w, "throws the successors away, ")
	}
	fmt.Fprintln(w, "announces it, and switches when every peer trusts it")
}
