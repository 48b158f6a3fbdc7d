package main

import (
	"time"

	"github.com/spf13/cobra"
)

func restartStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show whether a restart of the own server is due, and what it waits for; exit code 2 if one is due",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := readPending(time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), p)
			} else {
				err = details(cmd.OutOrStdout(), p.lines())
			}
			if err == nil && p.Due {
				return errDifferences
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// lines are the lines of status: labels with their values.
func (p pending) lines() [][2]string {
	lines := [][2]string{{"server", p.Server}}
	if !p.Due {
		return append(lines, [2]string{"restart", "not due"})
	}
	lines = append(lines, [2]string{"restart", "due"}, [2]string{"waits for", p.waitsFor()})
	if p.Answer != "" {
		lines = append(lines, [2]string{"answer", string(p.Answer) + ", given at " + p.AnsweredAt.Format(time.RFC3339)})
	}
	return append(lines, [2]string{"runs with", p.Running}, [2]string{"on disk", p.OnDisk})
}
