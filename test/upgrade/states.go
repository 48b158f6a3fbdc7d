package upgrade

import (
	"fmt"
	"path/filepath"
)

// State is volumes in testdata, as the version before has left them.
type State struct {
	Name string
	is   []string // settings of the agent next to IS
	am   []string // settings of the agent next to API-M
}

// alone are settings of an agent that keeps certificates and nothing else.
var alone = []string{"BOOTSTRAP=false", "SCOPES_INTERVAL=0"}

func with(settings []string, more ...string) []string {
	return append(append([]string{}, settings...), more...)
}

// The states. make-volumes says how each was made.
var (
	// FirstBoot is at rest after a first start with the servers' own keystores. The APIs are published.
	FirstBoot = State{Name: "first-boot"}
	// Rotated is at rest after a rotation of IS's certificate, which its agent issues. The retired one is still published.
	Rotated = State{Name: "rotated", is: []string{"TLS_MODE=issue"}, am: []string{"TLS_MODE=issue"}}
	// Announced is in a rotation of IS's certificate: it is announced, waits in the agent's folder, and API-M's running server
	// does not trust it yet.
	Announced = State{Name: "announced", is: with(alone, "TLS_MODE=issue"), am: with(alone, "TLS_MODE=issue")}
	// PutBack is in a rotation of both servers' keystores, which a person has replaced. API-M's agent has put the old one back,
	// and API-M's running server trusts IS's new certificate.
	PutBack = State{Name: "put-back", is: alone, am: alone}
	// Refused has a certificate of IS with which API-M did not start.
	Refused = State{Name: "refused", is: alone, am: alone}
	// Paced has a certificate of IS that API-M's agent does not import before its time, as IS's has changed too often.
	Paced = State{Name: "paced", is: with(alone, "MAX_RESTARTS=1000"), am: with(alone, "MAX_RESTARTS=3", "RESTART_WINDOW="+forever)}
	// Turn has a restart of IS under way, whose agent has the turn, and one of API-M that waits for the turn.
	Turn = State{Name: "turn", is: alone, am: alone}
	// Artifacts has an artifact next to IS whose digest was remembered, and one that IS runs without.
	Artifacts = State{Name: "artifacts", is: alone, am: alone}
	// Database has settings of IS for PostgreSQL, and the databases job has recorded that IS has used its database.
	Database = State{Name: "database", am: alone, is: with(alone, "DATABASE=postgres", "IS_DB_PASSWORD=of-is", "AM_DB_PASSWORD=of-am", "IS_ADMIN_PASS=of-the-first-start")}
)

// States are all of them. The place of each decides about its ports, so a new one goes to the end.
var States = []State{FirstBoot, Rotated, Announced, PutBack, Refused, Paced, Turn, Artifacts, Database}

// firstPort is the first of the ports of all states. No test takes a port between it and 20000 by chance.
const firstPort = 13000

// Archive is the file in testdata that holds the state's volumes.
func (s State) Archive() string { return filepath.Join("testdata", s.Name+".tar.gz") }

// World returns the installation of the state in dir.
func (s State) World(dir, agent, sim string) *World {
	for n, other := range States {
		if other.Name != s.Name {
			continue
		}
		w := NewWorld(dir, agent, sim, firstPort+10*n)
		w.IS.Extra, w.AM.Extra = s.is, s.am
		for _, side := range w.Sides() {
			side.Extra = with(side.Extra, "DATABASE_RECORD_DIR="+filepath.Join(dir, "record"), "ARTIFACT_SOURCE_DIR="+filepath.Join(dir, "source"))
		}
		if s.Name == Artifacts.Name {
			w.IS.Extra = with(w.IS.Extra, "ARTIFACTS_FILE="+filepath.Join(dir, "config/artifacts.yaml"))
		}
		return w
	}
	panic(fmt.Sprintf("the state %q is not in States", s.Name))
}
