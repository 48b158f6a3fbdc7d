package artifact

import (
	"cmp"
	"log/slog"
	"strings"
)

// Log logs what became of the artifact.
func (o Outcome) Log(log *slog.Logger) {
	switch o.State {
	case Fetched:
		args := []any{"file", o.At, "from", o.From, "sha256", o.Found}
		if o.Pinned {
			args = append(args, "pinned", "its list gives no digest: the agent refuses another one from now on")
		}
		log.Info("artifact put in place", args...)
	case Present:
		log.Debug("artifact is in place", "file", o.At, "sha256", o.Found)
	case Kept:
		if o.SHA256 != "" && o.SHA256 != o.Found {
			log.Warn("the agent keeps an artifact that somebody else put there", "file", o.At, "sha256", o.Found, "expected", o.SHA256,
				"remedy", "remove it, and the agent fetches the expected one")
			break
		}
		log.Info("the agent keeps an artifact that somebody else put there", "file", o.At, "sha256", o.Found)
	case Failed:
		log.Warn(cmp.Or(o.Lost, "an artifact is missing"), "artifact", o.Destination, "error", o.Err)
	}
	if len(o.Others) > 0 {
		log.Warn("other versions of an artifact lie next to it, and the server would load them too", "file", o.At, "others", o.Others, "remedy", "remove them")
	}
}

// Summary reports whether the server has its artifacts, and says in one line which it runs without. failed and err are the
// results of [Keeper.Retry].
func Summary(failed []Outcome, err error) (ok bool, message string) {
	switch {
	case err != nil:
		return false, err.Error()
	case len(failed) == 0:
		return true, "the server has the files that its image lacks"
	}
	var lost []string
	for _, o := range failed {
		lost = append(lost, o.Destination+" is missing ("+cmp.Or(o.Lost, "the agent does not know what is lost without it")+"): "+o.Err.Error())
	}
	return false, strings.Join(lost, "; ")
}
