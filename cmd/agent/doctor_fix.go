package main

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/doctor"
	"wso2agent/internal/repair"
)

// repair shows what the fixes are about to do, asks, and makes them.
func (d *doctoring) repair(cmd *cobra.Command, reader *doctor.Reader, log *slog.Logger, fixes []doctor.Fix, found []doctor.Diagnosis) error {
	ctx, stdout := cmd.Context(), cmd.OutOrStdout()
	r := &repair.Repairer{Reader: reader, Log: log}
	if slices.Contains(fixes, doctor.FixTrust) {
		var err error
		if r.Agent, err = newAgent(cmd.ErrOrStderr(), "PRODUCT"); err != nil {
			return err
		}
	}
	text, err := r.Plan(ctx, fixes, found)
	if err != nil {
		return byHand(err)
	}
	if _, err := fmt.Fprintf(stdout, "\nplan:\n%s", text); err != nil {
		return err
	}
	if err := confirm(cmd, "Make these changes?", d.yes); err != nil {
		return err
	}
	for _, fix := range fixes {
		if err := r.Do(ctx, fix); err != nil {
			return fmt.Errorf("fix %s: %w", fix, byHand(err))
		}
		fmt.Fprintf(stdout, "fixed: %s\n", fix)
	}
	return nil
}
