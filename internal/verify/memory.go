package verify

import (
	"context"
	"log/slog"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/trust"
)

// Memory keeps the results of a verification that the next one and the status need. Only one goroutine uses it. The zero value
// stands for no verification.
type Memory struct {
	failed     map[string]bool // ids of APIs that did not pass: they count as changed until they pass
	revocation Check           // of the last verification
}

// verify runs the checks on result (see [Run]), and returns how many APIs it has called.
func (m *Memory) verify(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, options Options, result bootstrap.Result) (called int, err error) {
	m.recall(result.APIs)
	checks, err := Run(ctx, log, servers, options, result)
	return m.note(checks), err
}

// tell logs in one line that everything works. facts are further attributes of that line.
func (m *Memory) tell(log *slog.Logger, result bootstrap.Result, called int, facts ...any) {
	facts = append([]any{"application", result.Application, "key manager", result.KeyManager, "token endpoint", result.TokenEndpoint,
		"APIs", len(result.APIs), "called", called, "changes", result.Changes, "no longer in the file", len(result.LeftOver)}, facts...)
	if m.revocation.Verdict == Warn {
		log.Warn("everything works, but "+StillValid, append(facts, "remedy", m.revocation.Remedy)...)
		return
	}
	log.Info("everything works", facts...)
}

// recall marks APIs that did not pass the last time as changed, because the agent has not seen them work yet.
func (m *Memory) recall(apis []bootstrap.PublishedAPI) {
	for i, api := range apis {
		apis[i].Changed = api.Changed || m.failed[api.ID]
	}
}

// note keeps the results of the checks, and returns how many APIs were called.
func (m *Memory) note(checks []Check) (called int) {
	if m.failed == nil {
		m.failed = map[string]bool{}
	}
	for _, c := range checks {
		if c.API != "" {
			m.failed[c.API] = c.Verdict != Pass
		}
		if c.Called {
			called++
		}
		if c.Name == Revocation {
			m.revocation = c
		}
	}
	return called
}

// Revoked returns the result of the check that the gateway refuses revoked tokens, with a sentence. ok is also true if the check
// was not made.
func (m *Memory) Revoked() (ok bool, message string) {
	switch c := m.revocation; c.Verdict {
	case Warn:
		return false, c.Evidence + "; " + c.Remedy
	case Pass:
		return true, "the gateway refuses revoked tokens"
	default:
		return true, "not verified: " + c.Evidence
	}
}

// promised reports whether the gateway must refuse revoked tokens of a key manager. It must if the key manager is IS, and IS has
// started with the handler that reports revoked tokens to API-M. A handler that came after the start waits for a restart.
func promised(is trust.Closing, ofIS bool) bool {
	return ofIS && is.Handler && is.Restart != trust.RestartDue
}
