package agent

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
)

// lastArtifactRetry is the longest wait between two tries of the sidecar to fetch an artifact; the first is POLL_INTERVAL.
const lastArtifactRetry = time.Hour

// lackingFile lists the destinations of the artifacts that the server runs without, one a line.
const lackingFile = "artifacts-lacking"

// lackingLimit is the most that lackingFile may hold, in bytes.
const lackingLimit = 1 << 20

// lackingArtifacts are the destinations of the artifacts that the last start of the server did without, those left out that the
// running server has been restarted for since.
func (a Agent) lackingArtifacts() ([]string, error) {
	data, err := file.Read(filepath.Join(ControlDir(a.cfg), lackingFile), lackingLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

func (a Agent) noteLacking(destinations []string) error {
	path := filepath.Join(ControlDir(a.cfg), lackingFile)
	if len(destinations) == 0 {
		return removeIfThere(path)
	}
	_, err := file.Write(path, []byte(strings.Join(destinations, "\n")+"\n"), 0o600, ControlDir(a.cfg))
	return err
}

// restartForArtifacts makes a restart of the server due, by the normal way.
func (a Agent) restartForArtifacts(ctx context.Context) error {
	return a.alone(ctx, func(a Agent) error {
		a, err := a.atStores(ctx)
		if err != nil {
			return err
		}
		a.log.Info("artifacts have come that the running server lacks: it needs a restart", "server", a.cfg.ServerName)
		return trust.RaiseEdition(a.cfg.WorkDir())
	})
}

// keepArtifacts fetches what the server was started without, with growing waits, until ctx ends.
func (a Agent) keepArtifacts(ctx context.Context, health *telemetry.Health) {
	beat := func() { health.Beat(artifactsCondition) }
	var changes <-chan struct{}
	if a.cfg.ArtifactSourceDir != "" {
		watch := file.Watch{Folders: []string{a.cfg.ArtifactSourceDir}, Poll: a.cfg.Poll, Quiet: a.cfg.QuietMin, Max: a.cfg.QuietMax, Log: a.log}
		changes = watch.Changes(ctx)
	}
	told := map[string]string{} // the last error, by the artifact's destination
	for wait := a.cfg.Poll; ; wait = min(2*wait, lastArtifactRetry) {
		beat()
		var failed []artifact.Outcome
		err := a.reload()
		if err == nil {
			whileBeating(beat, a.cfg.Poll, func() { failed, err = a.fetchLacking(ctx) })
		}
		if ctx.Err() != nil {
			return
		}
		var again <-chan time.Time
		if err != nil || len(failed) > 0 {
			again = time.After(wait)
		}
		adviseArtifacts(health, failed, err)
		if err != nil && told[""] != err.Error() {
			a.log.Error("artifacts cannot be looked after, trying again", "error", err)
			told[""] = err.Error()
		}
		for _, o := range failed {
			if reason := o.Err.Error(); told[o.Destination] != reason {
				told[o.Destination] = reason
				a.tellArtifact(o)
				a.log.Info("the agent goes on trying to fetch it, and then restarts the server", "artifact", o.Destination, "longest wait", lastArtifactRetry.String())
			}
		}
		if !waitFor(ctx, changes, again, a.cfg.Poll, beat, never) {
			return
		}
	}
}

// fetchLacking tries once to fetch what the server was started without. What has come makes a restart due; what has not is
// returned. Each is noted from before it can come until then, so that a kill in between, or a restart that cannot be made due,
// costs a restart too many and never one too few.
func (a Agent) fetchLacking(ctx context.Context) (failed []artifact.Outcome, err error) {
	list, err := a.artifacts()
	if err != nil {
		return nil, err
	}
	noted, err := a.lackingArtifacts()
	if err != nil {
		return nil, err
	}
	fetcher, err := a.fetcher(1)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(x artifact.Artifact) bool { return fetcher.Has(x) && !slices.Contains(noted, x.Destination) })
	if len(list) == 0 && len(noted) == 0 {
		return nil, nil
	}
	if err := a.noteLacking(destinations(list)); err != nil {
		return nil, err
	}
	var lacks []string
	come := false
	for _, o := range fetcher.Fetch(ctx, list) {
		switch {
		case o.State == artifact.Failed:
			failed, lacks = append(failed, o), append(lacks, o.Destination)
		case o.State == artifact.Fetched || slices.Contains(noted, o.Destination):
			a.tellArtifact(o)
			come = true
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if come {
		if err := a.restartForArtifacts(ctx); err != nil {
			return failed, err
		}
	}
	return failed, a.noteLacking(lacks)
}

func destinations(list []artifact.Artifact) (all []string) {
	for _, x := range list {
		all = append(all, x.Destination)
	}
	return all
}

// adviseArtifacts shows on /status what the server runs without.
func adviseArtifacts(health *telemetry.Health, failed []artifact.Outcome, err error) {
	if err != nil {
		health.Advise(artifactsCondition, false, err.Error())
		return
	}
	if len(failed) == 0 {
		health.Advise(artifactsCondition, true, "the server has the files that its image lacks")
		return
	}
	var lost []string
	for _, o := range failed {
		lost = append(lost, o.Destination+" is missing ("+cmp.Or(o.Lost, "what is lost without it is not known")+"): "+o.Err.Error())
	}
	health.Advise(artifactsCondition, false, strings.Join(lost, "; "))
}

// keepsArtifacts reports whether there is anything to fetch, and a volume to put it on. Without one init has said so.
func (a Agent) keepsArtifacts() bool {
	if a.cfg.Artifacts == "none" && a.cfg.ArtifactsFile == "" {
		return false
	}
	info, err := os.Stat(a.cfg.ArtifactDir)
	return err == nil && info.IsDir()
}
