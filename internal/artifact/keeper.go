package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// ErrRequired begins the error about an artifact without which the server does not start.
var ErrRequired = errors.New("the server does not start without")

const (
	lackingFile  = "artifacts-lacking" // destinations of the artifacts that the server runs without, one on each line
	lackingLimit = 1 << 20             // the largest size of that file, in bytes
	listLimit    = 1 << 20             // the largest size of a list of artifacts, in bytes
)

// Keeper puts the artifacts of one server on their volume, and records which of them the server runs without. Whenever it is
// killed, the record names an artifact from before it can arrive until its restart is due. So a kill can cost one restart too
// many, and never one too few.
type Keeper struct {
	Defaults []Artifact // see [Default]; nil: none
	ListFile string     // path of the user's own list; empty: none
	Fetcher  Fetcher    // the Keeper sets Tries
	Folder   string     // of the record, on the config volume
	Log      *slog.Logger

	// Restart makes a restart of the running server due, because artifacts have arrived that it lacks.
	Restart func(context.Context) error
}

// KeeperOf returns the Keeper by the agent's settings, with the record in folder. The error says that it cannot fetch anything,
// because TLS_CA_FILE is unusable.
func KeeperOf(c config.Config, folder string, log *slog.Logger) (Keeper, error) {
	roots, err := wso2.Roots(c.Trust.CAFile)
	k := Keeper{ListFile: c.Artifacts.File, Folder: folder, Log: log,
		Fetcher: Fetcher{Volume: c.Artifacts.Dir, Home: c.Server.Home, SourceDir: c.Artifacts.SourceDir, Roots: roots, Log: log}}
	if c.Artifacts.Base == "default" {
		k.Defaults = Default(c.Release, c.Database.Kind == "postgres")
	}
	return k, err
}

// List returns the product's own artifacts and the user's.
func (k Keeper) List() ([]Artifact, error) {
	if k.ListFile == "" {
		return k.Defaults, nil
	}
	data, err := file.Read(k.ListFile, listLimit)
	if err != nil {
		return nil, fmt.Errorf("read the list of artifacts (ARTIFACTS_FILE): %w", err)
	}
	own, err := Load(data, k.ListFile)
	return Merge(k.Defaults, own), err
}

// Useful reports whether there is anything to fetch, and a volume for it.
func (k Keeper) Useful() bool {
	if k.Defaults == nil && k.ListFile == "" {
		return false
	}
	info, err := os.Stat(k.Fetcher.Volume)
	return err == nil && info.IsDir()
}

// Lacking returns the destinations of the artifacts that the server runs without, except for those for which it has been
// restarted since.
func (k Keeper) Lacking() ([]string, error) {
	data, err := file.Read(filepath.Join(k.Folder, lackingFile), lackingLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

// NoteLacking records what Lacking returns.
func (k Keeper) NoteLacking(destinations []string) error {
	path := filepath.Join(k.Folder, lackingFile)
	if len(destinations) == 0 {
		_, err := file.Remove(path)
		return err
	}
	_, err := file.Write(path, []byte(strings.Join(destinations, "\n")+"\n"), 0o600, k.Folder)
	return err
}

// Prepare fetches the artifacts before a start of the server. It logs each that it cannot fetch. It retries every poll until
// limit ends if the server does not start without one, and then returns an error that wraps [ErrRequired]. If ctx ends, it
// returns the error of ctx.
//
// Prepare tries once what an earlier start did without, because an unreachable network would hold up every start. Next to a
// running server it does not try that at all: the sidecar does.
func (k Keeper) Prepare(ctx, limit context.Context, poll time.Duration, running bool) error {
	list, err := k.List()
	if err != nil {
		return err
	}
	lacking, err := k.Lacking()
	if err != nil {
		return err
	}
	fetcher := k.Fetcher
	if len(lacking) > 0 {
		fetcher.Tries = 1
	}
	var lacks []string
	if running {
		list = slices.DeleteFunc(slices.Clone(list), func(x Artifact) bool { return slices.Contains(lacking, x.Destination) })
		lacks = lacking
		// The sidecar makes the restart for these due if this process is stopped before.
		comes := slices.DeleteFunc(slices.Clone(list), fetcher.Has)
		if err := k.NoteLacking(append(slices.Clone(lacking), destinations(comes)...)); err != nil {
			return err
		}
	}
	for {
		var missing []Artifact
		var why error
		come := false
		for _, o := range fetcher.Fetch(ctx, list) {
			o.Log(k.Log)
			come = come || o.State == Fetched
			switch {
			case o.State == Failed && o.Required:
				missing, why = append(missing, o.Artifact), errors.Join(why, o.Err)
			case o.State == Failed:
				lacks = append(lacks, o.Destination)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if running && come {
			if err := k.Restart(ctx); err != nil {
				return err
			}
		}
		if len(missing) == 0 {
			return k.NoteLacking(lacks)
		}
		list, fetcher.Tries = missing, 1 // the log has the others already
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.Done():
			return remedy.Add(fmt.Errorf("%w %s: %w", ErrRequired, missing[0].Destination, why),
				"put it into a folder named by ARTIFACT_SOURCE_DIR, or into the image with ARTIFACTS=none")
		case <-time.After(poll):
		}
	}
}

// Retry tries once to fetch what the server was started without. It makes a restart due for what arrives, and returns what
// does not.
func (k Keeper) Retry(ctx context.Context) (failed []Outcome, err error) {
	list, err := k.List()
	if err != nil {
		return nil, err
	}
	noted, err := k.Lacking()
	if err != nil {
		return nil, err
	}
	fetcher := k.Fetcher
	fetcher.Tries = 1
	list = slices.DeleteFunc(slices.Clone(list), func(x Artifact) bool { return fetcher.Has(x) && !slices.Contains(noted, x.Destination) })
	if len(list) == 0 && len(noted) == 0 {
		return nil, nil
	}
	if err := k.NoteLacking(destinations(list)); err != nil {
		return nil, err
	}
	var lacks []string
	come := false
	for _, o := range fetcher.Fetch(ctx, list) {
		switch {
		case o.State == Failed:
			failed, lacks = append(failed, o), append(lacks, o.Destination)
		case o.State == Fetched || slices.Contains(noted, o.Destination):
			o.Log(k.Log)
			come = true
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if come {
		if err := k.Restart(ctx); err != nil {
			return failed, err
		}
	}
	return failed, k.NoteLacking(lacks)
}

func destinations(list []Artifact) (all []string) {
	for _, x := range list {
		all = append(all, x.Destination)
	}
	return all
}
