package up

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// Side is what is known of one server, at one moment.
type Side struct {
	Server      string // its name: wso2is or wso2am
	URL         string
	Address     string               // host:port of URL
	Certificate keystore.Certificate // of its keystore if that can be read, else that it presents
	Shown       keystore.Certificate // that it presents at Address
	Editable    bool                 // whether its files can be read and changed
	Near        bool                 // whether the server of these files must be the one at URL, whoever has its key
	Entries     []trust.Entry        // of its truststore
	Start       string               // names the process that runs
	Unread      string               // names the process that has not read the truststore; empty for none
	Cut         bool                 // a run was killed while it wrote the truststore
}

// Kind is a kind of step.
type Kind string

// Kinds of steps.
const (
	Import  Kind = "import"
	Restart Kind = "restart"
)

// Step is one step of a run.
type Step struct {
	Kind    Kind           `json:"step"`
	Server  string         `json:"server"`
	Changes []trust.Change `json:"-"`
	Aliases []string       `json:"aliases,omitempty"`
	// Unread says that the server must be restarted to know what the step imports.
	Unread bool `json:"-"`
}

// String says what the step does, for a line that begins with the place of the server's files.
func (s Step) String() string {
	if s.Kind == Restart {
		return "restart, because the running server has not read its truststore"
	}
	var parts []string
	for _, c := range s.Changes {
		part := fmt.Sprintf("%s %s %s", verbs[c.Action], c.Alias, short(c.Fingerprint))
		if c.Was != "" {
			part += " in place of " + short(c.Was)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "write the truststore again, because an earlier run was stopped while it did"
	}
	return strings.Join(parts, ", ")
}

var verbs = map[string]string{trust.Added: "trust", trust.Replaced: "trust", trust.Removed: "no longer trust"}

// short is a fingerprint for people: its first eight digits.
func short(fingerprint string) string {
	digits := strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
	return digits[:min(8, len(digits))]
}

// Decide returns the steps after which both servers trust each other: first all imports, so that no server starts too early, and then
// the restarts. There are none if nothing is to be done.
func Decide(is, am Side) (steps []Step) {
	var restarts []Step
	for _, pair := range [][2]Side{{is, am}, {am, is}} {
		own, peer := pair[0], pair[1]
		if !own.Editable {
			continue
		}
		// A server must also trust its own certificate: API-M's gateway gets no API otherwise.
		wanted := map[string][]string{
			own.Server:  {own.Certificate.Fingerprint().String()},
			peer.Server: {peer.Certificate.Fingerprint().String()},
		}
		changes := slices.DeleteFunc(trust.PlanImport(own.Entries, wanted, own.Server, names()), func(c trust.Change) bool {
			return c.Action == trust.Removed && c.Owner != "" // of an agent next to the server, which knows more certificates
		})
		due := own.Cut || slices.ContainsFunc(changes, func(c trust.Change) bool { return c.Fresh })
		if len(changes) > 0 || own.Cut {
			step := Step{Kind: Import, Server: own.Server, Changes: changes, Unread: due}
			for _, c := range changes {
				step.Aliases = append(step.Aliases, c.Alias)
			}
			steps = append(steps, step)
		}
		if due || own.Unread != "" && own.Unread == own.Start {
			restarts = append(restarts, Step{Kind: Restart, Server: own.Server})
		}
	}
	return append(steps, restarts...)
}
