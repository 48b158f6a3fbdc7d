package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/file"
)

// artifactsLimit is the most that the list of artifacts may hold, in bytes.
const artifactsLimit = 1 << 20

// artifacts are the files that the server needs and its image lacks: the product's own list and the user's.
func (a Agent) artifacts() ([]artifact.Artifact, error) {
	var list []artifact.Artifact
	if a.cfg.Artifacts == "default" {
		list = artifact.Default(a.cfg.Product, a.cfg.Database == "postgres")
	}
	if a.cfg.ArtifactsFile == "" {
		return list, nil
	}
	data, err := file.Read(a.cfg.ArtifactsFile, artifactsLimit)
	if err != nil {
		return nil, fmt.Errorf("read the list of artifacts (ARTIFACTS_FILE): %w", err)
	}
	own, err := artifact.Load(data, a.cfg.ArtifactsFile)
	return artifact.Merge(list, own), err
}

// fetcher is what puts artifacts on their volume, with so many tries of each download; 0 stands for the usual number.
func (a Agent) fetcher(tries int) (artifact.Fetcher, error) {
	roots, err := a.roots()
	return artifact.Fetcher{Volume: a.cfg.ArtifactDir, Home: a.cfg.ServerHome, SourceDir: a.cfg.ArtifactSourceDir, Roots: roots, Tries: tries, Log: a.log}, err
}

// fetchArtifacts puts the artifacts on their volume. What cannot be had is logged with what is lost by it, and is no error
// if the server works without it: the sidecar goes on trying. One that the server does not start without is tried again until
// limit ends, and then an error that wraps ErrTimeout. Any other error says that the agent was asked to stop.
//
// What an earlier start did without is tried once, since a network that cannot be reached would hold up every start; and not
// at all next to a server that is running, whose sidecar does it.
func (a Agent) fetchArtifacts(ctx, limit context.Context, running bool) error {
	list, err := a.artifacts()
	if err != nil {
		return err
	}
	lacking, err := a.lackingArtifacts()
	if err != nil {
		return err
	}
	tries := 0
	if len(lacking) > 0 {
		tries = 1
	}
	fetcher, err := a.fetcher(tries)
	if err != nil {
		a.log.Error("no artifact is fetched", "error", err)
		return nil
	}
	var lacks []string
	if running {
		list = slices.DeleteFunc(list, func(x artifact.Artifact) bool { return slices.Contains(lacking, x.Destination) })
		lacks = lacking
		// The sidecar sees to the restart for what comes now if this agent is stopped before.
		comes := slices.DeleteFunc(slices.Clone(list), fetcher.Has)
		if err := a.noteLacking(append(slices.Clone(lacking), destinations(comes)...)); err != nil {
			return err
		}
	}
	for {
		var missing []artifact.Artifact
		var why error
		come := false
		for _, o := range fetcher.Fetch(ctx, list) {
			a.tellArtifact(o)
			come = come || o.State == artifact.Fetched
			switch {
			case o.State == artifact.Failed && o.Required:
				missing, why = append(missing, o.Artifact), errors.Join(why, o.Err)
			case o.State == artifact.Failed:
				lacks = append(lacks, o.Destination)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if running && come {
			if err := a.restartForArtifacts(ctx); err != nil {
				return err
			}
		}
		if len(missing) == 0 {
			return a.noteLacking(lacks)
		}
		list, fetcher.Tries = missing, 1 // the log has the others already
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.Done():
			return fmt.Errorf("%w after INIT_TIMEOUT, %s: the server does not start without %s: %w; put it into a folder named by ARTIFACT_SOURCE_DIR, or into the image with ARTIFACTS=none",
				ErrTimeout, a.cfg.InitTimeout, missing[0].Destination, why)
		case <-time.After(a.cfg.Poll):
		}
	}
}

func (a Agent) tellArtifact(o artifact.Outcome) {
	switch o.State {
	case artifact.Fetched:
		args := []any{"file", o.At, "from", o.From, "sha256", o.Found}
		if o.Pinned {
			args = append(args, "pinned", "its list gives no digest: another one is refused from now on")
		}
		a.log.Info("artifact put in place", args...)
	case artifact.Present:
		a.log.Debug("artifact is in place", "file", o.At, "sha256", o.Found)
	case artifact.Kept:
		if o.SHA256 != "" && o.SHA256 != o.Found {
			a.log.Warn("an artifact that somebody else put there is kept; remove it to have the expected one fetched", "file", o.At, "sha256", o.Found, "expected", o.SHA256)
			break
		}
		a.log.Info("an artifact that somebody else put there is kept", "file", o.At, "sha256", o.Found)
	case artifact.Failed:
		a.log.Warn(cmp.Or(o.Lost, "an artifact is missing"), "artifact", o.Destination, "error", o.Err)
	}
	if len(o.Others) > 0 {
		a.log.Warn("other versions of an artifact lie beside it, and the server would load them too: remove them", "file", o.At, "others", o.Others)
	}
}
