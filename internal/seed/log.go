package seed

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"

	"wso2agent/internal/file"
	"wso2agent/internal/product"
)

// Bring applies the seed (see [Seed.Apply]) while the lock of the server's files is held, and logs the result. Without a seed the
// files come to the volume by other means. folder is the agent's folder on the volume. Unless running reports a running server,
// Bring also does [Seed.Overlay].
func (s Seed) Bring(ctx context.Context, log *slog.Logger, folder string, lock func(context.Context) (unlock func(), err error), running func() (bool, error)) error {
	// The seed step runs as the product's user. The server could not read what another user made of it.
	var report Report
	apply := s.Apply
	switch err := s.Check(); {
	case errors.Is(err, ErrNone) && !s.hasReloadFiles():
		return nil
	case errors.Is(err, ErrNone):
		apply = func(context.Context) (Report, error) { return report, nil }
	case errors.Is(err, fs.ErrPermission): // the folder belongs to another user: say to whom, and what to do
		return errors.Join(err, file.CheckOwner(folder))
	case err != nil:
		return err
	}
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	report, err = apply(ctx)
	if err == nil {
		var runs bool
		if runs, err = running(); err == nil && !runs {
			err = s.Overlay(ctx, &report)
		}
	}
	report.Files = slices.DeleteFunc(report.Files, s.isLogged)
	report.Log(log)
	return err
}

// isLogged reports whether the log says already why one of ReloadFiles is unchanged.
func (s Seed) isLogged(o Outcome) bool {
	if o.Err == nil || !slices.Contains(ReloadFiles(), o.Path) || s.logged == nil {
		return false
	}
	text := o.Path + o.Err.Error()
	was := s.logged[text]
	s.logged[text] = true
	return was
}

// Log logs what Apply has done.
func (r Report) Log(log *slog.Logger) {
	switch {
	case r.From == "" && r.To != "":
		log.Info("stores and settings of the product's image are seeded", "product", r.To)
	case r.Downgrade:
		log.Warn("the product's image is older than the one before; the agent merges its differences anyway", "was", r.From, "now", r.To)
	case r.From != r.To:
		log.Info("the product's image has changed", "was", r.From, "now", r.To)
	}
	r.logByHand(log)
	for _, f := range r.Files {
		switch {
		case f.Err != nil && f.Path == TomcatTemplate:
			log.Warn("a new TLS certificate needs a restart: the agent cannot change the template of the server's Tomcat", "file", f.Path, "error", f.Err)
		case f.Err != nil && f.Path == LoggingSettings:
			log.Warn("Tomcat may log each reload of the TLS certificate: the agent cannot change the server's logging", "file", f.Path, "error", f.Err)
		case f.Err != nil:
			log.Warn("the agent keeps a file that it cannot merge with the new image's", "file", f.Path, "error", f.Err)
		case f.Action == FileKept || f.Action == FileOrphaned:
			log.Warn("a file is "+string(f.Action), "file", f.Path)
		case r.From == "" && f.Action != FileReloads && f.Action != FileRestored:
			log.Debug("seeded", "file", f.Path, "action", string(f.Action))
		default:
			log.Info("a file is "+string(f.Action), "file", f.Path)
		}
		for _, c := range f.Changes {
			c.log(log, f.Path)
		}
	}
}

// logByHand logs what a person must do for another minor version. The agent does not know what that changes in the databases.
func (r Report) logByHand(log *slog.Logger) {
	from, errFrom := product.FromHome(r.From)
	to, errTo := product.FromHome(r.To)
	if errFrom != nil || errTo != nil || from.Minor == to.Minor {
		return
	}
	log.Warn("the databases may need a migration for another version of the product, which the agent does not make",
		"was", r.From, "now", r.To, "remedy", "follow the upgrade guide of WSO2, and restore a backup if the server does not start")
	if from.Truststore != to.Truststore {
		log.Info("the stores have other names in this version; deployment.toml keeps those of the former version", "was", from.Truststore, "now", to.Truststore)
	}
}

func (c Change) log(log *slog.Logger, path string) {
	args := []any{"file", path, "what", c.What}
	if c.Line > 0 {
		args = append(args, "line", c.Line)
	}
	if !c.Secret {
		args = append(args, "is", c.Was, "new", c.Now)
	}
	if c.Action == Kept {
		log.Warn("not taken over from the new image: "+c.Why, args...)
		return
	}
	log.Info("taken over from the new image: "+string(c.Action), args...)
}
