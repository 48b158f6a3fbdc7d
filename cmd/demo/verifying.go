package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// The end: what the agent finds when somebody asks whether everything works.

// findings are what `agent verify` prints for programs.
type findings struct {
	Checks                            []finding
	Passed, Failed, Warnings, Skipped int
}

type finding struct{ ID, Name, Verdict, Evidence, Remedy string }

// verified runs all checks of `agent verify`. Right after a rotation the agent next to Identity Server has not yet stated that nothing is
// left to do, which is a warning.
func (s *show) verified() error {
	var report findings
	var last error
	err := s.world.until(s.ctx, "agent verify finds nothing wrong", func() bool {
		report, last = s.verify()
		return last != nil || report.Failed == 0 && report.Warnings == 0
	})
	if err != nil || last != nil {
		return fmt.Errorf("%w: %v", errors.Join(err, last), report)
	}
	shown := map[string]bool{}
	for _, c := range report.Checks {
		if !shown[c.ID] {
			s.say("%-4s  %-20s  %s", c.Verdict, c.ID, c.Name)
		}
		shown[c.ID] = true
	}
	s.say("passed: %d, failed: %d, warnings: %d, skipped: %d", report.Passed, report.Failed, report.Warnings, report.Skipped)
	return nil
}

// verify runs the command next to API-M.
func (s *show) verify() (report findings, err error) {
	w := s.world
	cmd := exec.CommandContext(s.ctx, filepath.Join(w.bin, "agent"), "verify", "--write", "--json", w.apiConfig())
	cmd.Env = w.settings(w.am)
	out, failed := cmd.Output() // the exit code is 1 if a check has failed, which the report says too
	if err := json.Unmarshal(out, &report); err != nil {
		return report, fmt.Errorf("%w: %w", err, failed)
	}
	return report, nil
}
