package trust

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"wso2agent/internal/file"
)

// Turn is what an agent says about the turn to restart its server. At any time at most one agent has the turn, so agents
// never have two servers down, unless a claim has ended without its owner (see rotation.Claims).
//
// The rule is Lamport's one-bit algorithm: an agent first says that it wants the turn, and then reads what the others say.
// Of two that want it the one whose name comes later withdraws. So no file needs two writers, and no lock spans hosts.
type Turn struct {
	Wants string    `json:"wants,omitempty"` // the generation with which the server is to start; empty: the agent wants no turn
	Has   bool      `json:"has,omitempty"`   // the agent may restart its server, or is doing so
	Since time.Time `json:"since,omitzero"`  // when it said so; it tells a new statement from an old one
}

// SayTurn publishes what the own agent says about the turn. A turn that it does not want leaves no file.
func (e Exchange) SayTurn(t Turn) (err error) {
	if t.Wants == "" {
		_, err = file.Remove(filepath.Join(e.Dir, e.Name, turnFile))
	} else {
		_, err = e.writeJSON(turnFile, t)
	}
	if err != nil {
		return fmt.Errorf("say on the exchange volume who may restart: %w", err)
	}
	return nil
}

// Turn returns what the named server's agent says about the turn. One that says nothing, as an agent of an older version,
// wants none.
func (e Exchange) Turn(ctx context.Context, name string) (t Turn, err error) {
	t, _, err = readJSON[Turn](ctx, e, name, turnFile)
	return t, err
}
