package agent

import (
	"context"
	"errors"
	"io/fs"

	"wso2agent/internal/file"
	"wso2agent/internal/seed"
)

// applySeed brings what the seed step has taken from the product's image onto the config volume. Where there is no seed,
// the files come there by other means.
func (a Agent) applySeed(ctx context.Context) error {
	s := seed.Seed{Volume: a.cfg.ConfigDir, Product: a.cfg.Product}
	// The seed step ran as the product's user. What another one made of it the server could not read.
	switch err := s.Check(); {
	case errors.Is(err, seed.ErrNone):
		return nil
	case errors.Is(err, fs.ErrPermission): // the agent's folder is another user's: whose, and what to do
		return errors.Join(err, file.CheckOwner(ControlDir(a.cfg)))
	case err != nil:
		return err
	}
	unlock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if a.cfg.Given("TRUSTSTORE_PASS") {
		s.TruststorePassword = a.cfg.TruststorePass
	}
	report, err := s.Apply(ctx)
	a.tellSeed(report)
	return err
}

func (a Agent) tellSeed(r seed.Report) {
	switch {
	case r.From == "" && r.To != "":
		a.log.Info("stores and settings of the product's image are seeded", "product", r.To)
	case r.Downgrade:
		a.log.Warn("the product's image is older than the one before; what it has otherwise is merged all the same", "was", r.From, "now", r.To)
	case r.From != r.To:
		a.log.Info("the product's image has changed", "was", r.From, "now", r.To)
	}
	for _, f := range r.Files {
		switch {
		case f.Err != nil:
			a.log.Warn("a file is kept: it cannot be merged with the new image's", "file", f.Path, "error", f.Err)
		case f.Action == seed.FileKept || f.Action == seed.FileOrphaned:
			a.log.Warn("a file is "+string(f.Action), "file", f.Path)
		case r.From == "":
			a.log.Debug("seeded", "file", f.Path, "action", string(f.Action))
		default:
			a.log.Info("a file is "+string(f.Action), "file", f.Path)
		}
		for _, c := range f.Changes {
			args := []any{"file", f.Path, "what", c.What}
			if c.Line > 0 {
				args = append(args, "line", c.Line)
			}
			if !c.Secret {
				args = append(args, "is", c.Was, "new", c.Now)
			}
			if c.Action == seed.Kept {
				a.log.Warn("not taken over from the new image: "+c.Why, args...)
				continue
			}
			a.log.Info("taken over from the new image: "+string(c.Action), args...)
		}
	}
}
