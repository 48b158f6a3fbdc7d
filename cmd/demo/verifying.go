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
// left to do, which is a warning: so the demo first waits for that.
func (s *show) verified() error {
	var report findings
	var last error
	err := s.world.until(s.ctx, "the agent next to Identity Server has nothing left to do", func() bool {
		report, last = s.verify("--only", "is.settings,trust.is")
		return last != nil || report.Failed == 0 && report.Warnings == 0
	})
	if err == nil && last == nil {
		report, last = s.verify("--write")
	}
	if err != nil || last != nil || report.Failed > 0 || report.Warnings > 0 {
		return fmt.Errorf("agent verify: %w", errors.Join(err, last, fmt.Errorf("it has found %+v", report)))
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
func (s *show) verify(flags ...string) (report findings, err error) {
	w := s.world
	cmd := exec.CommandContext(s.ctx, filepath.Join(w.bin, "agent"), append([]string{"verify", "--json", w.apiConfig()}, flags...)...)
	cmd.Env = w.settings(w.am)
	out, failed := cmd.Output() // the exit code is 1 if a check has failed, which the report says too
	if err := json.Unmarshal(out, &report); err != nil {
		return report, fmt.Errorf("%w: %w", err, failed)
	}
	return report, nil
}
