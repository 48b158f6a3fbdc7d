package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/trust"
)

// editor is what import and delete change a store with. The store must be named: the one that an agent keeps is not
// to be edited by leaving something out.
func (f *certsFlags) editor(stderr io.Writer) (trust.Editor, error) {
	if f.store == "" && f.keystore == "" {
		return trust.Editor{}, usageError{fmt.Sprintf("agent certs %s: name the store with --store or --keystore", f.Name())}
	}
	store, cfg, err := f.open()
	return trust.Editor{
		Store:   store,
		WorkDir: cfg.VolumeWorkDir(store.Path),
		Waiting: func() { fmt.Fprintf(stderr, "waiting for another agent that is changing %s\n", store.Path) },
	}, err
}

func certsImport(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newCertsFlags("import").withAlias()
	file := flags.String("cert", "", "certificate in PEM")
	replace := flags.Bool("replace", false, "replace another certificate")
	if err := flags.parse(args); err != nil {
		return err
	}
	if *file == "" {
		return usageError{"agent certs import: name the certificate's file with --cert"}
	}
	edit, err := flags.editor(stderr)
	if err != nil {
		return err
	}
	certificate, err := trust.ReadCertificate(*file)
	if err != nil {
		return err
	}
	change, err := edit.Set(ctx, flags.alias, certificate, *replace)
	switch {
	case errors.Is(err, trust.ErrExists):
		return fmt.Errorf("%w; add --replace to replace it", err)
	case err != nil:
		return err
	case change.Action == "":
		fmt.Fprintf(stdout, "nothing to do: %s has this certificate under %q\n", edit.Store.Path, flags.alias)
	case change.Action == "replaced":
		fmt.Fprintf(stdout, "%s: replaced %q: %s was %s\n", edit.Store.Path, change.Alias, change.Fingerprint, change.Was)
	default:
		fmt.Fprintf(stdout, "%s: %s %q: %s\n", edit.Store.Path, change.Action, change.Alias, change.Fingerprint)
	}
	return nil
}

func certsDelete(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newCertsFlags("delete").withAlias()
	if err := flags.parse(args); err != nil {
		return err
	}
	edit, err := flags.editor(stderr)
	if err != nil {
		return err
	}
	removed, err := edit.Delete(ctx, flags.alias)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: deleted %q: %s\n", edit.Store.Path, flags.alias, removed.Fingerprint())
	return nil
}

// certsRotate leaves a request on the config volume, which the agent beside the server finds.
func certsRotate(ctx context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) > 0 {
		return usageError{"agent certs rotate takes nothing else: which server it is about PRODUCT and CONFIG_DIR tell"}
	}
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	if err := agent.RequestRotation(ctx, cfg); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "a new certificate for %s is requested; the agent next to it announces it, and switches when every peer trusts it\n", cfg.ServerName)
	restarts, err := agent.Restarts(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the certificate is requested; find out which servers restart: %w", err)
	}
	if cfg.Restart == "none" {
		fmt.Fprintf(stdout, "RESTART is none: restart these servers by hand, one after the other, when the log of the agent next to each says so: %s\n", strings.Join(restarts, ", "))
		return nil
	}
	fmt.Fprintf(stdout, "these servers restart, one after the other: %s\n", strings.Join(restarts, ", "))
	return nil
}
