package verify

import (
	"log/slog"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/trust"
)

// Memory keeps the results of a verification that the next one and the status need. Only one goroutine uses it. The zero value
// stands for no verification.
type Memory struct {
	failed     map[string]bool // ids of APIs that did not pass: they count as changed until they pass
	revocation Check           // of the last verification: [revokedRefused], or else [isHandler]
}

// tell logs in one line that everything works. facts are further attributes of that line.
func (m *Memory) tell(log *slog.Logger, result bootstrap.Result, facts ...any) {
	facts = append([]any{"application", result.Application, "key manager", result.KeyManager, "token endpoint", result.TokenEndpoint,
		"APIs", len(result.APIs), "changes", result.Changes, "no longer in the file", len(result.LeftOver)}, facts...)
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

// note keeps the results of the checks.
func (m *Memory) note(checks []Check) {
	if m.failed == nil {
		m.failed = map[string]bool{}
	}
	for _, c := range checks {
		switch {
		case c.Verdict == Skip:
		case c.API != "":
			m.failed[c.API] = c.Verdict != Pass
		case c.ID == isHandler, c.ID == revokedRefused: // in this order
			m.revocation = c
		}
	}
}

// Revoked returns whether the gateway refuses revoked tokens, as far as the last verification has found out, with a sentence. ok is also true if the check
// was not possible.
func (m *Memory) Revoked() (ok bool, message string) {
	switch c := m.revocation; c.Verdict {
	case Warn:
		return false, c.Evidence + "; " + c.Remedy
	case Pass:
		return true, c.Name
	case Fail:
		return false, c.Evidence + "; " + c.Remedy
	default:
		return true, "not verified"
	}
}

// promised reports whether the gateway must refuse revoked tokens of a key manager. It must if the key manager is IS, and IS has
// started with the handler that reports revoked tokens to API-M. A handler that came after the start waits for a restart.
func promised(is trust.Closing, ofIS bool) bool {
	return ofIS && is.Handler && is.Restart != trust.RestartDue
}
