package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/trust"
)

// Decision is what follows from a Snapshot.
type Decision struct {
	// Actions are to be executed in this order. One that fails ends the pass.
	Actions []Action
	// Again asks for another pass at once, after the actions: the next decision needs their result.
	Again bool
	// Wake is when the clock alone makes another pass due; zero for never.
	Wake time.Time
	// Memory is for the next Snapshot of this process.
	Memory Memory
	// Err ends the pass after the actions: what it names keeps the agent from its work.
	Err error
	// Trouble is why the server keeps the TLS certificate that it has. The rest of the work goes on, and the pass is tried again.
	Trouble error

	Conditions []Condition
	Messages   []Message
	Expiries   map[string]time.Time // end of the certificate in use, by the server's name

	// State of the pass, for whoever reports it.
	Generation string         // of what the server would read if it started now; empty before it is known
	Trusted    []string       // fingerprints of the certificates that the agent has made trusted
	Missing    []string       // peers of which nothing is trusted yet
	Rotation   trust.Rotation // of the own certificate
	InUse      Certificate    // that the running server presents
	Next       Certificate    // that it is to present
}

// Claims reports whether the decision says something about the turn to restart.
func (d Decision) Claims() bool {
	return slices.ContainsFunc(d.Actions, func(a Action) bool { _, is := a.(SayTurn); return is })
}

// Action is one change, small enough to be done whole or not at all. To do it twice is harmless.
type Action interface{ action() }

// The actions.
type (
	// Issue makes a new TLS identity and stages it.
	Issue struct{ Reason string }
	// Stage stages the identity of TLS_FILES_DIR.
	Stage struct{}
	// IssueSuccessor issues an identity in advance, for the turn-th rotation from now.
	IssueSuccessor struct{ Turn int }
	// StageSuccessor stages an identity that was issued in advance.
	StageSuccessor struct{ Fingerprint, Reason string }
	// DropSuccessor removes an identity that was issued in advance.
	DropSuccessor struct{ Fingerprint, Reason string }
	// CompleteChain gives the installed identity the chain of issuers of TLS_FILES_DIR.
	CompleteChain struct{}
	// DropStaged removes the staged identity.
	DropStaged struct{}
	// Install makes the staged identity the server's: its next start presents it.
	Install struct{}
	// MakeSettings makes the needed settings in deployment.toml.
	MakeSettings struct{}
	// PutBack puts the keystore back with which the server runs; the one in its place waits for the switch.
	PutBack struct{}
	// InstallReplaced puts the keystore in place that waits for the switch.
	InstallReplaced struct{}
	// DropReplaced removes the keystore that waits for the switch.
	DropReplaced struct{}
	// KeepServed keeps a copy of the keystore with which the server serves.
	KeepServed struct{}
	// SavePrimary remembers the certificate of the primary key.
	SavePrimary struct{ Fingerprint string }
	// PublishCA publishes the CA of the own certificate; an empty fingerprint publishes that there is none.
	PublishCA struct{ Fingerprint string }
	// Publish publishes the own certificates, the one in use first.
	Publish struct{ Fingerprints []string }
	// PublishSuccessors publishes the certificates that peers are to trust in advance.
	PublishSuccessors struct{ Fingerprints []string }
	// SaveRotation remembers how far a rotation has come.
	SaveRotation struct{ Rotation trust.Rotation }
	// SaveRefusals remembers which certificates the server did not start with.
	SaveRefusals struct{ Refusals trust.Refusals }
	// SaveUndone remembers which statements of peers a person has undone.
	SaveUndone struct{ Undone trust.Undone }
	// SaveHistories remembers when certificates of peers changed.
	SaveHistories struct{ Histories trust.Histories }
	// Import changes entries of the truststore that the agent owns.
	Import struct{ Changes []trust.Change }
	// RaiseEdition makes a restart of the server due, which then reads its truststore again.
	RaiseEdition struct{ Reason string }
	// Acknowledge publishes what the running server trusts.
	Acknowledge struct{ Trusts trust.Trusts }
	// SayClosing publishes what becomes of the settings that keep API subscribers out of IS.
	SayClosing struct{ Closing trust.Closing }
	// SayTurn publishes what this agent says about the turn to restart.
	SayTurn struct{ Turn trust.Turn }
	// Request asks for a server that runs with the generation.
	Request struct{ Generation string }
	// Hold keeps off a restart: a server that runs with Running goes on while a start would read OnDisk.
	Hold struct{ Running, OnDisk string }
	// Load asks agent exec to place the certificate's keystore for the running server, which loads it. Served says that all
	// listeners serve it.
	Load struct {
		Generation, Certificate string
		Served                  bool
	}
	// Note remembers for which generation nobody has to restart the server, because its first start reads it.
	Note struct{ Generation string }
)

func (Issue) action()             {}
func (Stage) action()             {}
func (IssueSuccessor) action()    {}
func (StageSuccessor) action()    {}
func (DropSuccessor) action()     {}
func (CompleteChain) action()     {}
func (DropStaged) action()        {}
func (Install) action()           {}
func (MakeSettings) action()      {}
func (PutBack) action()           {}
func (InstallReplaced) action()   {}
func (DropReplaced) action()      {}
func (KeepServed) action()        {}
func (SavePrimary) action()       {}
func (PublishCA) action()         {}
func (Publish) action()           {}
func (PublishSuccessors) action() {}
func (SaveRotation) action()      {}
func (SaveRefusals) action()      {}
func (SaveUndone) action()        {}
func (SaveHistories) action()     {}
func (Import) action()            {}
func (RaiseEdition) action()      {}
func (Acknowledge) action()       {}
func (SayClosing) action()        {}
func (SayTurn) action()           {}
func (Request) action()           {}
func (Hold) action()              {}
func (Load) action()              {}
func (Note) action()              {}

// Describe is one line for traces: the action's name and its data, with fingerprints shortened.
func Describe(a Action) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", a), "rotation.")
	switch a := a.(type) {
	case Publish:
		return fmt.Sprint(name, shorts(a.Fingerprints))
	case PublishSuccessors:
		return fmt.Sprint(name, shorts(a.Fingerprints))
	case Import:
		return fmt.Sprint(name, a.Changes)
	case Acknowledge:
		return fmt.Sprint(name, " ", a.Trusts.Generation, shorts(a.Trusts.Fingerprints))
	}
	return strings.TrimSuffix(fmt.Sprintf("%s%+v", name, a), "{}")
}

func shorts(fingerprints []string) (all []string) {
	for _, f := range fingerprints {
		all = append(all, short(f))
	}
	return all
}

// Names of conditions. Imports, successors and ports are advisory.
const (
	TrustCondition    = "trust"
	RestartCondition  = "restart"
	IdentityCondition = "identity"
	ImportsCondition  = "imports"
	PoolCondition     = "successors"
	PortsCondition    = "ports"
)

// Condition is one thing that must be so for the agent to be ready, or with Advisory that people should know.
type Condition struct {
	Name     string
	OK       bool
	Text     string
	Advisory bool
	After    int // so many actions come first, as for a Message
}

// Level is how much a message matters, with the values of slog.Level.
type Level int

// The levels.
const (
	Debug Level = -4
	Info  Level = 0
	Warn  Level = 4
	Error Level = 8
)

func (l Level) String() string {
	return map[Level]string{Debug: "DEBUG", Info: "INFO", Warn: "WARN", Error: "ERROR"}[l]
}

// Message is one line for the log. A message with a topic is logged when it differs from the last one of its topic. A topic
// without a message is forgotten.
type Message struct {
	Level Level
	Text  string
	Args  []any
	Topic string // empty: it is logged each time
	State string // what must differ; empty stands for text and attributes
	After int    // so many actions come first: the message is true only after them
}
