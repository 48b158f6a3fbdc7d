package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/history"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/rotation"
	"wso2agent/internal/trust"
)

func restartCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "restart",
		Short: "Show whether a restart of the own server waits for people, approve it or deny it",
		Long: `restart shows whether a restart of the own server waits for a maintenance window (MAINTENANCE_WINDOWS) or for an
approval (MAINTENANCE_APPROVAL=manual). It approves the restart, or denies it. It runs next to the agent, with its PRODUCT and
CONFIG_DIR, and the agent acts on it at its next look at the config volume (POLL_INTERVAL).

An answer counts for the restart that waits now. If the certificates or settings on disk change again, the restart needs
another answer. approve and deny take the generation that status shows as "on disk", and then refuse any other restart.
A certificate that is about to expire overrules windows and a missing approval. It does not overrule a denial.`,
		Example: `  agent restart status
  agent restart approve --now`,
	})
	cmd.AddCommand(restartStatusCommand(), restartApproveCommand(), restartDenyCommand())
	return cmd
}

// pending is a restart of the own server, as the config volume shows it.
type pending struct {
	Server string `json:"server"`
	// Due says that the running server was started with something else than is on disk.
	Due        bool         `json:"due"`
	Running    string       `json:"running"` // generation with which the server runs; empty if it started before an agent asked for one
	OnDisk     string       `json:"onDisk"`  // generation of the next start
	Answer     trust.Answer `json:"answer,omitempty"`
	AnsweredAt time.Time    `json:"answeredAt,omitzero"`
	Manual     bool         `json:"manual"`         // a person has to approve it
	Opens      time.Time    `json:"opens,omitzero"` // when the next maintenance window opens; zero if one is open, or there are none
	folder     string
	workDir    string
}

// readPending reads from the config volume whether a restart of the own server is due.
func readPending(now time.Time) (pending, error) {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return pending{}, err
	}
	if cfg.Restart.Method == "none" {
		return pending{}, remedy.Add(fmt.Errorf("RESTART is none: no agent restarts %s", cfg.Server.Name), "restart it by hand when the log of its agent says so")
	}
	control := notify.ControlOf(cfg)
	if err := worked(control); err != nil {
		return pending{}, err
	}
	started, known, err := control.Started()
	if err != nil {
		return pending{}, err
	}
	_, onDisk, err := control.Wish()
	if err != nil {
		return pending{}, err
	}
	said, err := trust.LoadApproval(control.Dir)
	if err != nil {
		return pending{}, err
	}
	maintenance := rotation.MaintenanceOf(cfg, now)
	p := pending{Server: cfg.Server.Name, Running: started.Generation, OnDisk: onDisk, Manual: maintenance.Manual, Opens: maintenance.Opens, folder: control.Dir, workDir: cfg.WorkDir()}
	p.Due = known && onDisk != "" && onDisk != started.Generation
	if said.Generation == onDisk {
		p.Answer, p.AnsweredAt = said.Answer, said.At
	}
	return p, nil
}

// worked returns an error if no agent has worked on the config volume: this may be another container, or another CONFIG_DIR.
func worked(c notify.Control) error {
	_, err := os.Stat(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return remedy.Add(fmt.Errorf("no agent has worked on the config volume: there is no %s", c.Dir), "run this next to the agent, with its CONFIG_DIR")
	}
	return err
}

// answer tells the agent what a person says about the restart that waits. If args names a generation, it must be that of this restart.
func answer(ctx context.Context, args []string, a trust.Answer) (pending, error) {
	now := time.Now().UTC()
	p, err := readPending(now)
	if err != nil {
		return p, err
	}
	const look = "agent restart status shows what the server runs with, and what is on disk"
	switch {
	case !p.Due:
		return p, remedy.Add(fmt.Errorf("no restart of %s is due", p.Server), look)
	case len(args) > 0 && args[0] != p.OnDisk:
		return p, remedy.Add(fmt.Errorf("no restart of %s for %q is due: files have changed, and the restart that waits is for %s", p.Server, args[0], p.OnDisk), look)
	}
	p.Answer, p.AnsweredAt = a, now
	if err := (trust.Approval{Generation: p.OnDisk, Answer: a, At: now}).Save(p.folder); err != nil {
		return p, err
	}
	unlock, err := file.Lock(ctx, file.LockPath(p.workDir), func() {}) // the agent writes the trail too
	if err != nil {
		return p, err
	}
	defer unlock()
	return p, history.Trail{Dir: p.folder}.Append(history.Event{At: now, Server: p.Server, What: history.Answered, Generation: p.OnDisk, Because: string(a)})
}

// waitsFor says what the restart waits for.
func (p pending) waitsFor() string {
	opens := "the maintenance window that opens at " + p.Opens.UTC().Format(time.RFC3339)
	switch {
	case p.Answer == trust.Denied:
		return "nothing: a person has denied it"
	case p.Answer == trust.Now:
		return "other servers that restart, if there are any"
	case p.Manual && p.Answer != trust.Approved && !p.Opens.IsZero():
		return "an approval, and for " + opens
	case p.Manual && p.Answer != trust.Approved:
		return "an approval"
	case !p.Opens.IsZero():
		return opens
	}
	return "other servers that restart, or peers: the agent's condition restart names them"
}
