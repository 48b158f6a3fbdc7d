package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/server"
)

// errWouldChange says that a settings file is not as it should be. Its exit code is 2, as of diff tools that see a
// difference as trouble; nothing is printed for it.
var errWouldChange = errors.New("settings would change")

// configCommand shows or makes the settings that a server needs, in any deployment.toml.
func configCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || !slices.Contains([]string{"diff", "apply"}, args[0]) {
		return usageError{"agent config is followed by diff or apply, such as: agent config diff --product is --file deployment.toml"}
	}
	word := args[0]
	f := flag.NewFlagSet(word, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	product := f.String("product", "", "is or am")
	path := f.String("file", "", "the deployment.toml")
	override := f.Bool("override", false, "replace what somebody made otherwise")
	err := f.Parse(args[1:])
	switch {
	case err != nil:
		return usageError{fmt.Sprintf("agent config %s: %v", word, err)}
	case f.NArg() > 0 || *path == "" || !slices.Contains([]string{config.IS, config.AM}, *product):
		return usageError{fmt.Sprintf("agent config %s needs --product is or --product am, and --file with the deployment.toml; --override is the only other flag", word)}
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	cfg = cfg.For(*product)
	settings := server.SettingsFile{Path: *path, WorkDir: cfg.VolumeWorkDir(*path), Named: true}
	all := *override || cfg.Settings == "override"
	needs := agent.Needs(cfg)
	if settings.WorkDir != "" { // a server's own: its agent may be working on it, and has made more
		unlock, err := lockVolume(ctx, settings.WorkDir, stderr)
		if err != nil {
			return err
		}
		defer unlock()
		text, err := settings.Read(ctx)
		if err != nil {
			return err
		}
		if needs, err = agent.NeedsOf(cfg, text); err != nil {
			return err
		}
	}
	if word == "apply" {
		_, changes, err := settings.Apply(ctx, needs, all)
		if err == nil {
			tellChanges(stdout, changes)
		}
		return err
	}
	diff, changes, err := settings.Diff(ctx, needs, all)
	if err != nil {
		return err
	}
	stdout.Write(diff)
	tellChanges(stderr, slices.DeleteFunc(changes, func(c server.Change) bool {
		return !slices.Contains([]server.Action{server.Kept, server.Settled, server.Waits}, c.Action)
	}))
	if len(diff) > 0 {
		return errWouldChange
	}
	return nil
}

func tellChanges(w io.Writer, changes []server.Change) {
	for _, c := range changes {
		was, now := c.Was, c.Now
		if c.Secret {
			was, now = "*****", "*****"
		}
		switch c.Action {
		case server.Kept:
			fmt.Fprintf(w, "kept: %s of line %d is %s, though %s is needed; --override replaces it\n", c.Setting, c.Line, was, now)
		case server.Settled:
			fmt.Fprintf(w, "stays: %s is another, but the server's database has an administrator, or may have one: change his password in the server first\n", c.Setting)
		case server.Waits:
			if c.Setting != server.AllScopesSetting {
				fmt.Fprintf(w, "waits: line %d keeps %s until the sidecar next to IS has tried the new one on API-M\n", c.Line, c.Setting)
				continue
			}
			fmt.Fprintf(w, "waits: line %d keeps %s = %s until the sidecar next to IS has authorized all applications\n", c.Line, c.Setting, was)
		case server.Added:
			fmt.Fprintf(w, "added: %s: %s\n", c.Setting, now)
		default:
			fmt.Fprintf(w, "%s: %s, was %s, is %s\n", c.Action, c.Setting, was, now)
		}
	}
}

// lockVolume keeps the agent beside the server away from its files until unlock is called.
func lockVolume(ctx context.Context, workDir string, stderr io.Writer) (unlock func(), err error) {
	return file.Lock(ctx, file.LockPath(workDir), func() {
		fmt.Fprintln(stderr, "waiting for the agent that is working on this server's files")
	})
}
